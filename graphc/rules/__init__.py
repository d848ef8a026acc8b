"""Rewrite rules: patterns, the engine, and the tables."""
