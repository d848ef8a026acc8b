"""Neural networks: activation functions."""

from graphc.ops.activation import gelu, log_softmax, relu, softmax, softplus
from graphc.ops.exponential import sigmoid, tanh
from graphc.surface import surface

__all__ = ["gelu", "log_softmax", "relu", "sigmoid", "softmax", "softplus", "tanh"]
__getattr__, __dir__ = surface(__name__, __all__)
