"""Activation functions that are a few other functions, and need no op of their own."""

from __future__ import annotations

from graphc.ir.opdef import public
from graphc.ir.tensor import Tensor
from graphc.ops.activation import relu, softplus
from graphc.ops.arithmetic import abs, multiply, negative
from graphc.ops.comparison import clip, maximum, minimum, where
from graphc.ops.define import TensorLike, float_operand
from graphc.ops.exponential import expm1, sigmoid, tanh
from graphc.ops.precision import rounded_once


@public
@rounded_once
def log_sigmoid(x: TensorLike, /) -> Tensor:
    """log(sigmoid(x)), finite for finite x."""
    return negative(softplus(negative(float_operand(x))))


@public
@rounded_once
def silu(x: TensorLike, /) -> Tensor:
    """x · sigmoid(x), also called swish (Ramachandran et al., 2017)."""
    node = float_operand(x)
    return multiply(node, sigmoid(node))


@public
@rounded_once
def leaky_relu(x: TensorLike, /, *, negative_slope: float = 0.01) -> Tensor:
    """x where it is positive, else x · negative_slope.

    Args:
        x: numbers; integers become float32.
        negative_slope: the slope below 0, and at it.
    """
    node = float_operand(x)
    return where(node > 0, node, node * negative_slope)


@public
@rounded_once
def elu(x: TensorLike, /, *, alpha: float = 1.0) -> Tensor:
    """x where it is positive, else alpha · (exp(x) - 1) (Clevert et al., 2015).

    Args:
        x: numbers; integers become float32.
        alpha: what it falls to, negated.
    """
    node = float_operand(x)
    return where(node > 0, node, alpha * expm1(where(node > 0, 0.0, node)))


@public
@rounded_once
def celu(x: TensorLike, /, *, alpha: float = 1.0) -> Tensor:
    """x where it is positive, else alpha · (exp(x / alpha) - 1), smooth for every alpha (Barron, 2017).

    Args:
        x: numbers; integers become float32.
        alpha: what it falls to, negated.
    """
    node = float_operand(x)
    return where(node > 0, node, alpha * expm1(where(node > 0, 0.0, node) / alpha))


_SELU_ALPHA, _SELU_SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946


@public
@rounded_once
def selu(x: TensorLike, /) -> Tensor:
    """An `elu` that keeps mean and variance, with the two constants of Klambauer et al. (2017)."""
    return _SELU_SCALE * elu(x, alpha=_SELU_ALPHA)


@public
@rounded_once
def relu6(x: TensorLike, /) -> Tensor:
    """x limited to [0, 6]; the gradient at the limits is 0 at 0 and 1/2 at 6."""
    return minimum(relu(float_operand(x)), 6.0)


@public
@rounded_once
def hard_sigmoid(x: TensorLike, /) -> Tensor:
    """(x + 3) / 6 limited to [0, 1]: a sigmoid of three straight lines."""
    return clip(float_operand(x) / 6.0 + 0.5, 0.0, 1.0)


@public
@rounded_once
def hard_silu(x: TensorLike, /) -> Tensor:
    """x · hard_sigmoid(x), also called hard swish (Howard et al., 2019)."""
    node = float_operand(x)
    return multiply(node, hard_sigmoid(node))


@public
@rounded_once
def hard_tanh(x: TensorLike, /) -> Tensor:
    """x limited to [-1, 1]."""
    return clip(float_operand(x), -1.0, 1.0)


@public
@rounded_once
def mish(x: TensorLike, /) -> Tensor:
    """x · tanh(softplus(x)) (Misra, 2019)."""
    node = float_operand(x)
    return multiply(node, tanh(softplus(node)))


@public
@rounded_once
def softsign(x: TensorLike, /) -> Tensor:
    """x / (1 + |x|); NaN at ±inf."""
    node = float_operand(x)
    return node / (1.0 + abs(node))


@public
@rounded_once
def tanh_shrink(x: TensorLike, /) -> Tensor:
    """x - tanh(x)."""
    node = float_operand(x)
    return node - tanh(node)


@public
@rounded_once
def soft_shrink(x: TensorLike, /, *, limit: float = 0.5) -> Tensor:
    """x nearer to 0 by a limit, and 0 within it.

    Args:
        x: numbers; integers become float32.
        limit: by how much.
    """
    node = float_operand(x)
    return maximum(node - limit, 0.0) + minimum(node + limit, 0.0)
