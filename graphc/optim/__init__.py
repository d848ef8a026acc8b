"""Optimisers: from a loss, or from gradients, to an update."""

from graphc.optim.adam import Adam
from graphc.optim.optimizer import Optimizer
from graphc.optim.sgd import SGD
from graphc.surface import show_only

__all__ = ["SGD", "Adam", "Optimizer"]
show_only(__name__, __all__)
