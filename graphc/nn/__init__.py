"""Neural networks: activation functions, dropout."""

import graphc.builder.run_keys  # noqa: F401  dropout without a key asks for one
from graphc.ops.activation import gelu, log_softmax, relu, softmax, softplus
from graphc.ops.exponential import sigmoid, tanh
from graphc.ops.random.discrete import dropout
from graphc.surface import show_only

__all__ = ["dropout", "gelu", "log_softmax", "relu", "sigmoid", "softmax", "softplus", "tanh"]
show_only(__name__, __all__)
