"""Random numbers: keys, streams, and the distributions that are made of them. Importing it fills the table."""

from graphc.ops.random import choices, continuous, discrete, gammas, integers, keys, rejection, streams

__all__ = ["choices", "continuous", "discrete", "gammas", "integers", "keys", "rejection", "streams"]
