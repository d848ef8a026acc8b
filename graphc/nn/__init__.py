"""Neural networks: activation functions, convolution, pooling, dropout."""

import graphc.builder.run_keys  # noqa: F401  dropout without a key asks for one
from graphc.ops.activation import gelu, log_softmax, relu, softmax, softplus
from graphc.ops.convolution import conv, conv_transpose
from graphc.ops.exponential import sigmoid, tanh
from graphc.ops.pooling import (
    adaptive_avg_pool,
    adaptive_max_pool,
    avg_pool,
    global_avg_pool,
    global_max_pool,
    max_pool,
)
from graphc.ops.random.discrete import dropout
from graphc.ops.resize import resize
from graphc.ops.units import (
    celu,
    elu,
    hard_sigmoid,
    hard_silu,
    hard_tanh,
    leaky_relu,
    log_sigmoid,
    mish,
    relu6,
    selu,
    silu,
    soft_shrink,
    softsign,
    tanh_shrink,
)
from graphc.surface import show_only

__all__ = [
    "adaptive_avg_pool",
    "adaptive_max_pool",
    "avg_pool",
    "celu",
    "conv",
    "conv_transpose",
    "dropout",
    "elu",
    "gelu",
    "global_avg_pool",
    "global_max_pool",
    "hard_sigmoid",
    "hard_silu",
    "hard_tanh",
    "leaky_relu",
    "log_sigmoid",
    "log_softmax",
    "max_pool",
    "mish",
    "relu",
    "relu6",
    "resize",
    "selu",
    "sigmoid",
    "silu",
    "soft_shrink",
    "softmax",
    "softplus",
    "softsign",
    "tanh",
    "tanh_shrink",
]
show_only(__name__, __all__)
