"""Powers, exponentials, logarithms and trigonometric functions."""

from __future__ import annotations

import math
from typing import Any

from graphc.ir.dtype import ARITHMETIC, FLOAT, INEXACT
from graphc.ir.opdef import Trait, public
from graphc.ir.tensor import Tensor
from graphc.ops.comparison import where
from graphc.ops.define import TensorLike, elementwise, record

_INEXACT = (Trait.INEXACT,)

EXP = elementwise("exp", 1, INEXACT, (lambda ct, node: ct * node,), traits=_INEXACT)


@public
def exp(x: TensorLike, /) -> Tensor:
    """e to the power of x."""
    return record(EXP, x)


EXPM1 = elementwise("expm1", 1, INEXACT, (lambda ct, node: ct * (node + 1.0),), traits=_INEXACT)


@public
def expm1(x: TensorLike, /) -> Tensor:
    """exp(x) - 1, accurate near 0."""
    return record(EXPM1, x)


LOG = elementwise("log", 1, INEXACT, (lambda ct, node: ct / node.inputs[0],), traits=_INEXACT)


@public
def log(x: TensorLike, /) -> Tensor:
    """The natural logarithm; -inf at 0, NaN below. Of complex numbers the branch with imaginary parts from -π to π."""
    return record(LOG, x)


LOG1P = elementwise("log1p", 1, INEXACT, (lambda ct, node: ct / (node.inputs[0] + 1.0),), traits=_INEXACT)


@public
def log1p(x: TensorLike, /) -> Tensor:
    """log(1 + x), accurate near 0."""
    return record(LOG1P, x)


SQRT = elementwise("sqrt", 1, INEXACT, (lambda ct, node: ct * 0.5 / node,))


@public
def sqrt(x: TensorLike, /) -> Tensor:
    """The square root; NaN below 0, or the root in the right half plane for complex numbers. Infinitely steep at 0."""
    return record(SQRT, x)


def _rsqrt(xp: Any, x: Any) -> Any:
    return xp.reciprocal(xp.sqrt(x))


RSQRT = elementwise(
    "rsqrt", 1, INEXACT, (lambda ct, node: ct * -0.5 * node / node.inputs[0],), array_fn=_rsqrt, traits=_INEXACT
)


@public
def rsqrt(x: TensorLike, /) -> Tensor:
    """1 / sqrt(x); inf at 0, NaN below."""
    return record(RSQRT, x)


def _pow(xp: Any, x1: Any, x2: Any) -> Any:
    if x1.dtype.kind == "f":
        return _float_pow(xp, x1, x2)
    if x1.dtype.kind in "uc":
        return xp.power(x1, x2)
    # NumPy refuses negative powers of integers. Truncating the real value leaves 0, except for 1 and -1.
    positive = xp.power(x1, xp.maximum(x2, 0))
    inverse = xp.where(x1 == 1, 1, xp.where(x1 == -1, 1 - 2 * (x2 & 1), 0))
    return xp.astype(xp.where(x2 < 0, inverse, positive), x1.dtype)


def _float_pow(xp: Any, x1: Any, x2: Any) -> Any:
    """NumPy takes a root for some layouts of an exponent 0.5: that is NaN for -inf and -0 for -0."""
    result = xp.power(x1, x2)
    root = x2 == 0.5
    if not xp.any(root):
        return result
    result = xp.where(root & (x1 == 0), x1.dtype.type(0), result)
    return xp.where(root & (x1 == -math.inf), x1.dtype.type(math.inf), result)


def _pow_base_vjp(ct: Tensor, node: Tensor) -> Tensor:
    base, exponent = node.inputs
    # At exponent 0 the power is constant, while 0 · base**-1 would be NaN at base 0.
    slope = exponent * pow(base, where(exponent == 0, 1.0, exponent - 1.0))
    return ct * where(exponent == 0, 0.0, slope)


def _pow_exponent_vjp(ct: Tensor, node: Tensor) -> Tensor:
    base, _ = node.inputs
    if base.dtype.kind == "complex":
        return ct * where(base == 0, 0.0, node * log(where(base == 0, 1.0, base)))
    slope = node * log(where(base > 0, base, 1.0))
    return ct * where(base > 0, slope, where(base == 0, 0.0, math.nan))


POW = elementwise("pow", 2, ARITHMETIC, (_pow_base_vjp, _pow_exponent_vjp), array_fn=_pow, traits=_INEXACT)


@public
def pow(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """x1 to the power of x2.

    Negative powers of integers are truncated towards zero (those of 0 are 0). The gradient in x2 is 0 where
    x1 = 0 and NaN where x1 < 0.
    """
    return record(POW, x1, x2)


SIN = elementwise("sin", 1, INEXACT, (lambda ct, node: ct * cos(node.inputs[0]),), traits=_INEXACT)


@public
def sin(x: TensorLike, /) -> Tensor:
    """The sine of x radians; NaN at ±inf."""
    return record(SIN, x)


COS = elementwise("cos", 1, INEXACT, (lambda ct, node: -(ct * sin(node.inputs[0])),), traits=_INEXACT)


@public
def cos(x: TensorLike, /) -> Tensor:
    """The cosine of x radians; NaN at ±inf."""
    return record(COS, x)


TANH = elementwise("tanh", 1, INEXACT, (lambda ct, node: ct * (1.0 - node * node),), traits=_INEXACT)


@public
def tanh(x: TensorLike, /) -> Tensor:
    """The hyperbolic tangent."""
    return record(TANH, x)


def _sigmoid(xp: Any, x: Any) -> Any:
    return xp.reciprocal(xp.exp(xp.negative(x)) + x.dtype.type(1))


SIGMOID = elementwise(
    "sigmoid", 1, FLOAT, (lambda ct, node: ct * (node * (1.0 - node)),), array_fn=_sigmoid, traits=_INEXACT
)


@public
def sigmoid(x: TensorLike, /) -> Tensor:
    """1 / (1 + exp(-x)), finite for all x."""
    return record(SIGMOID, x)
