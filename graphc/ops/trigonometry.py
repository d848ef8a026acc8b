"""Trigonometric and hyperbolic functions, and their inverses."""

from __future__ import annotations

import math

from graphc.ir.dtype import FLOAT, INEXACT
from graphc.ir.opdef import Trait, public
from graphc.ir.tensor import Tensor
from graphc.ops.arithmetic import multiply
from graphc.ops.define import TensorLike, elementwise, float_operand, record
from graphc.ops.exponential import rsqrt, sqrt
from graphc.ops.powers import hypot
from graphc.ops.precision import rounded_once

_INEXACT = (Trait.INEXACT,)

TAN = elementwise("tan", 1, INEXACT, (lambda ct, node: ct * (1.0 + node * node),), traits=_INEXACT)


@public
def tan(x: TensorLike, /) -> Tensor:
    """The tangent of x radians; NaN at ±inf."""
    return record(TAN, x)


def _arc_slope(x: Tensor) -> Tensor:
    """1 / sqrt(1 - x²), accurate near ±1."""
    return rsqrt((1.0 - x) * (1.0 + x))


ASIN = elementwise(
    "asin", 1, INEXACT, (lambda ct, node: ct * _arc_slope(node.inputs[0]),), array_fn="arcsin", traits=_INEXACT
)


@public
def asin(x: TensorLike, /) -> Tensor:
    """The angle from -π/2 to π/2 whose sine is x; NaN beyond ±1."""
    return record(ASIN, x)


ACOS = elementwise(
    "acos", 1, INEXACT, (lambda ct, node: -(ct * _arc_slope(node.inputs[0])),), array_fn="arccos", traits=_INEXACT
)


@public
def acos(x: TensorLike, /) -> Tensor:
    """The angle from 0 to π whose cosine is x; NaN beyond ±1."""
    return record(ACOS, x)


ATAN = elementwise(
    "atan",
    1,
    INEXACT,
    (lambda ct, node: ct / (1.0 + node.inputs[0] * node.inputs[0]),),
    array_fn="arctan",
    traits=_INEXACT,
)


@public
def atan(x: TensorLike, /) -> Tensor:
    """The angle from -π/2 to π/2 whose tangent is x."""
    return record(ATAN, x)


def _angle_slope(ct: Tensor, node: Tensor, leg: Tensor) -> Tensor:
    """A leg by the square of the radius, which itself could overflow."""
    radius = hypot(*node.inputs)
    return ct * (leg / radius / radius)


ATAN2 = elementwise(
    "atan2",
    2,
    FLOAT,
    (
        lambda ct, node: _angle_slope(ct, node, node.inputs[1]),
        lambda ct, node: _angle_slope(ct, node, -node.inputs[0]),
    ),
    array_fn="arctan2",
    traits=_INEXACT,
)


@public
def atan2(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """The angle from -π to π of the point (x2, x1): that of x1 / x2 in the right quadrant.

    Zeros have signs, as IEEE 754 has it: atan2(±0, -1) is ±π. The gradient at the origin is NaN.
    """
    return record(ATAN2, x1, x2)


SINH = elementwise("sinh", 1, INEXACT, (lambda ct, node: ct * cosh(node.inputs[0]),), traits=_INEXACT)


@public
def sinh(x: TensorLike, /) -> Tensor:
    """The hyperbolic sine, (exp(x) - exp(-x)) / 2."""
    return record(SINH, x)


COSH = elementwise("cosh", 1, INEXACT, (lambda ct, node: ct * sinh(node.inputs[0]),), traits=_INEXACT)


@public
def cosh(x: TensorLike, /) -> Tensor:
    """The hyperbolic cosine, (exp(x) + exp(-x)) / 2."""
    return record(COSH, x)


def _asinh_slope(x: Tensor) -> Tensor:
    """sqrt(1 + x²), without overflow of real numbers."""
    return sqrt(x * x + 1.0) if x.dtype.kind == "complex" else hypot(x, 1.0)


ASINH = elementwise(
    "asinh", 1, INEXACT, (lambda ct, node: ct / _asinh_slope(node.inputs[0]),), array_fn="arcsinh", traits=_INEXACT
)


@public
def asinh(x: TensorLike, /) -> Tensor:
    """The number whose hyperbolic sine is x."""
    return record(ASINH, x)


ACOSH = elementwise(
    "acosh",
    1,
    INEXACT,
    (lambda ct, node: ct / (sqrt(node.inputs[0] - 1.0) * sqrt(node.inputs[0] + 1.0)),),
    array_fn="arccosh",
    traits=_INEXACT,
)


@public
def acosh(x: TensorLike, /) -> Tensor:
    """The number >= 0 whose hyperbolic cosine is x; NaN below 1."""
    return record(ACOSH, x)


ATANH = elementwise(
    "atanh",
    1,
    INEXACT,
    (lambda ct, node: ct / ((1.0 - node.inputs[0]) * (1.0 + node.inputs[0])),),
    array_fn="arctanh",
    traits=_INEXACT,
)


@public
def atanh(x: TensorLike, /) -> Tensor:
    """The number whose hyperbolic tangent is x; ±inf at ±1, NaN beyond."""
    return record(ATANH, x)


@public
@rounded_once
def deg2rad(x: TensorLike, /) -> Tensor:
    """Degrees in radians."""
    return multiply(float_operand(x), math.pi / 180.0)


@public
@rounded_once
def rad2deg(x: TensorLike, /) -> Tensor:
    """Radians in degrees."""
    return multiply(float_operand(x), 180.0 / math.pi)
