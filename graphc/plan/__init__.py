"""From the optimised graph to steps, lifetimes and offsets: pure functions."""
