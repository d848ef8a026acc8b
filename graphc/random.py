"""Random numbers inside of graphs: keys, and what is drawn from them.

A key is a tensor, uint32[2]: the same key gives the same numbers, on every backend. Without `key=`, an op draws from
the session's seed, the op's own name and the step, which advances with every run.
"""

import graphc.builder.run_keys  # noqa: F401  ops without a key ask for one
from graphc.ops.random.choices import choice, permutation
from graphc.ops.random.continuous import exponential, gumbel, normal, truncated_normal, uniform
from graphc.ops.random.discrete import bernoulli, categorical, poisson
from graphc.ops.random.gammas import beta, gamma
from graphc.ops.random.integers import randint
from graphc.ops.random.keys import fold_in, key, split
from graphc.ops.random.streams import bits
from graphc.surface import show_only

__all__ = [
    "bernoulli", "beta", "bits", "categorical", "choice", "exponential", "fold_in", "gamma", "gumbel", "key", "normal",
    "permutation", "poisson", "randint", "split", "truncated_normal", "uniform",
]  # fmt: skip
show_only(__name__, __all__)
