"""Neural networks: activation functions."""

from graphc.ops.activation import gelu, log_softmax, relu, softmax, softplus
from graphc.ops.exponential import sigmoid, tanh
from graphc.surface import show_only

__all__ = ["gelu", "log_softmax", "relu", "sigmoid", "softmax", "softplus", "tanh"]
show_only(__name__, __all__)
