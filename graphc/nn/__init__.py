"""Neural networks: functions in lower case, modules in upper case."""

from graphc.ops.activation import gelu, log_softmax, relu, softmax, softplus
from graphc.ops.exponential import sigmoid, tanh

__all__ = ["gelu", "log_softmax", "relu", "sigmoid", "softmax", "softplus", "tanh"]
