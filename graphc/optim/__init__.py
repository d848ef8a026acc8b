"""Optimisers: from a loss, or from gradients, to an update."""

from graphc.optim.adam import Adam
from graphc.optim.optimizer import Optimizer
from graphc.optim.sgd import SGD
from graphc.surface import surface

__all__ = ["SGD", "Adam", "Optimizer"]
__getattr__, __dir__ = surface(__name__, __all__)
