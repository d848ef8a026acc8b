"""The way to the backends: their protocol and their registry."""
