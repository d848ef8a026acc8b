"""What a user calls to record a graph."""
