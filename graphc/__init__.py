"""graphc: a static computation-graph compiler."""

__version__ = "0.1.0"
