"""What numbers are made of: signs, neighbours, bits that are shifted; how close two are, and what stands for NaN."""

from __future__ import annotations

import math

import numpy as np

from graphc.ir.dtype import FLOAT, INTEGER, bool_, float64
from graphc.ir.opdef import public
from graphc.ir.tensor import Tensor
from graphc.ops.arithmetic import abs, add, divide, multiply, sign, subtract
from graphc.ops.comparison import equal, isfinite, isnan, less_equal, logical_and, logical_or, where
from graphc.ops.complex import complex as from_parts
from graphc.ops.complex import imag, real
from graphc.ops.define import TensorLike, as_tensor, common_dtype, convert, elementwise, record
from graphc.ops.precision import rounded_once
from graphc.ops.reductions import all
from graphc.ops.structure import stop_gradient

_DISCRETE = "its result is discrete"


@public
def reciprocal(x: TensorLike, /) -> Tensor:
    """1 / x in floating point; integers give float32."""
    return divide(1.0, x)


def _copysign_vjp(ct: Tensor, node: Tensor) -> Tensor:
    size, like = node.inputs
    return ct * stop_gradient(multiply(sign(size), copysign(1.0, like)))


COPYSIGN = elementwise("copysign", 2, FLOAT, (_copysign_vjp, None))


@public
def copysign(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """|x1| with the sign of x2, which zeros and NaNs have, too. The gradient in x1 is 0 at 0; none flows to x2."""
    return record(COPYSIGN, x1, x2)


NEXTAFTER = elementwise("nextafter", 2, FLOAT, "it moves by units of rounding, which have no slope")


@public
def nextafter(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """The next number of the dtype after x1 on the way to x2; x2 if they are equal."""
    return record(NEXTAFTER, x1, x2)


SIGNBIT = elementwise("signbit", 1, FLOAT, _DISCRETE, result=bool_)


@public
def signbit(x: TensorLike, /) -> Tensor:
    """Whether the sign bit is set: for -0 and for some NaNs, too."""
    return record(SIGNBIT, x)


# --- shifts: by the width or more, or by a negative number, all bits are shifted out ------------------------

BITWISE_LEFT_SHIFT = elementwise("bitwise_left_shift", 2, INTEGER, _DISCRETE, array_fn="left_shift")


@public
def bitwise_left_shift(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """x1 · 2^x2 on integers, modulo 2ᵇⁱᵗˢ. Where x2 is negative or not less than the width, 0."""
    return record(BITWISE_LEFT_SHIFT, x1, x2)


BITWISE_RIGHT_SHIFT = elementwise("bitwise_right_shift", 2, INTEGER, _DISCRETE, array_fn="right_shift")


@public
def bitwise_right_shift(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """floor(x1 / 2^x2) on integers. Where x2 is negative or not less than the width, 0, and -1 for x1 < 0."""
    return record(BITWISE_RIGHT_SHIFT, x1, x2)


# --- closeness ----------------------------------------------------------------------------------------------


@public
@rounded_once
def isclose(
    x1: TensorLike, x2: TensorLike, /, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> Tensor:
    """Whether |x1 - x2| <= atol + rtol · |x2|, or both are the same infinity. Integers are compared as float64.

    Args:
        x1: numbers.
        x2: numbers, the reference.
        rtol: what is allowed relative to x2.
        atol: what is allowed besides.
        equal_nan: whether NaN is close to NaN.
    """
    values, dtype = common_dtype([x1, x2])
    first, second = (convert(value, dtype if dtype.kind in ("float", "complex") else float64) for value in values)
    near = less_equal(abs(subtract(first, second)), add(multiply(abs(second), rtol), atol))
    close = logical_or(equal(first, second), logical_and(near, isfinite(second)))
    return logical_or(close, logical_and(isnan(first), isnan(second))) if equal_nan else close


@public
@rounded_once
def allclose(
    x1: TensorLike, x2: TensorLike, /, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> Tensor:
    """Whether `isclose` holds for all elements: a bool without axes.

    Args:
        x1: numbers.
        x2: numbers, the reference.
        rtol: what is allowed relative to x2.
        atol: what is allowed besides.
        equal_nan: whether NaN is close to NaN.
    """
    return all(isclose(x1, x2, rtol, atol, equal_nan))


@public
@rounded_once
def nan_to_num(
    x: TensorLike, /, *, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None
) -> Tensor:
    """x with other numbers in place of NaN and the infinities. Integers and bools stay as they are.

    Args:
        x: numbers.
        nan: in place of NaN.
        posinf: in place of inf; `None` is the largest finite number of the dtype.
        neginf: in place of -inf; `None` is the smallest one.
    """
    node = as_tensor(x)
    if node.dtype.kind == "complex":
        return from_parts(*(nan_to_num(part(node), nan=nan, posinf=posinf, neginf=neginf) for part in (real, imag)))
    if node.dtype not in FLOAT:
        return node
    largest = float(np.finfo(node.dtype.numpy).max)
    node = where(equal(node, math.inf), largest if posinf is None else posinf, node)
    node = where(equal(node, -math.inf), -largest if neginf is None else neginf, node)
    return where(isnan(node), nan, node)
