"""Arithmetic and rounding: elementwise ops that IEEE 754 rounds correctly, and their like on integers."""

from __future__ import annotations

from graphc.ir.dtype import ARITHMETIC, FLOAT, INEXACT, INTEGER, NUMERIC, SIGNED, real_dtype
from graphc.ir.opdef import OpDef, Trait, public
from graphc.ir.tensor import Tensor
from graphc.ops.complex import complex as from_parts
from graphc.ops.complex import imag, real
from graphc.ops.define import TensorLike, as_tensor, convert, elementwise, record
from graphc.ops.structure import stop_gradient

_STEP = "it is constant between its jumps"


def _same(ct: Tensor, node: Tensor) -> Tensor:
    return ct


_LINEAR = Trait.OWN_CONJUGATE

ADD = elementwise("add", 2, ARITHMETIC, (_same, _same), traits=[Trait.COMMUTATIVE, _LINEAR])


@public
def add(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """x1 + x2, elementwise with broadcasting. Integers wrap around."""
    return record(ADD, x1, x2)


SUBTRACT = elementwise("subtract", 2, ARITHMETIC, (_same, lambda ct, node: -ct), traits=[_LINEAR])


@public
def subtract(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """x1 - x2, elementwise with broadcasting. Integers wrap around."""
    return record(SUBTRACT, x1, x2)


MULTIPLY = elementwise(
    "multiply",
    2,
    ARITHMETIC,
    (lambda ct, node: ct * node.inputs[1], lambda ct, node: ct * node.inputs[0]),
    traits=[Trait.COMMUTATIVE],
)


@public
def multiply(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """x1 · x2, elementwise with broadcasting. Integers wrap around."""
    return record(MULTIPLY, x1, x2)


DIVIDE = elementwise(
    "divide",
    2,
    INEXACT,
    (lambda ct, node: ct / node.inputs[1], lambda ct, node: -(ct * node) / node.inputs[1]),
)


@public
def divide(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """x1 / x2 in floating point; two integers give float32. Division by zero follows IEEE 754."""
    return record(DIVIDE, x1, x2)


FLOOR_DIVIDE = elementwise("floor_divide", 2, NUMERIC, _STEP)


@public
def floor_divide(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """floor(x1 / x2). For integers, division by zero gives 0 and INT_MIN // -1 gives INT_MIN."""
    return record(FLOOR_DIVIDE, x1, x2)


REMAINDER = elementwise(
    "remainder",
    2,
    NUMERIC,
    (_same, lambda ct, node: -(ct * stop_gradient(floor_divide(*node.inputs)))),
)


@public
def remainder(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """x1 - x2 · floor(x1 / x2), with the sign of x2. For integers, remainder by zero gives 0."""
    return record(REMAINDER, x1, x2)


NEGATIVE = elementwise("negative", 1, ARITHMETIC, (lambda ct, node: -ct,), traits=[_LINEAR])


@public
def negative(x: TensorLike, /) -> Tensor:
    """-x. Unsigned integers wrap around."""
    return record(NEGATIVE, x)


@public
def positive(x: TensorLike, /) -> Tensor:
    """x itself."""
    return as_tensor(x)


def _abs_vjp(ct: Tensor, node: Tensor) -> Tensor:
    """ct · sign(x). The sign of a complex number changes with it, and so belongs to the slope."""
    (x,) = node.inputs
    if x.dtype.kind != "complex":
        return ct * stop_gradient(sign(x))
    return x * convert(ct / (node + convert(node == 0, node.dtype)), x.dtype)


ABS = elementwise(
    "abs",
    1,
    ARITHMETIC,
    (_abs_vjp,),
    result=real_dtype,
    traits=[Trait.IDEMPOTENT, Trait.OWN_CONJUGATE],
)


@public
def abs(x: TensorLike, /) -> Tensor:
    """|x|; the smallest signed integer stays itself. Of complex numbers their size, a float. The gradient at 0 is 0."""
    return record(ABS, x)


SIGN = elementwise("sign", 1, SIGNED, _STEP, traits=[Trait.IDEMPOTENT])


@public
def sign(x: TensorLike, /) -> Tensor:
    """-1, 0 or 1 by the sign of x; NaN for NaN. Of complex numbers x / |x|, and 0 for 0."""
    node = as_tensor(x)
    if node.dtype.kind != "complex":
        return record(SIGN, node)
    size = abs(node)
    size = size + convert(size == 0, size.dtype)
    return from_parts(real(node) / size, imag(node) / size)


@public
def square(x: TensorLike, /) -> Tensor:
    """x · x."""
    node = as_tensor(x)
    return multiply(node, node)


# --- rounding: the identity on integers -----------------------------------------------------------------


def _rounded(op: OpDef, x: TensorLike) -> Tensor:
    node = as_tensor(x)
    return node if node.dtype in INTEGER else record(op, node)


FLOOR = elementwise("floor", 1, FLOAT, _STEP, traits=[Trait.IDEMPOTENT])


@public
def floor(x: TensorLike, /) -> Tensor:
    """The largest integer <= x, in the dtype of x."""
    return _rounded(FLOOR, x)


CEIL = elementwise("ceil", 1, FLOAT, _STEP, traits=[Trait.IDEMPOTENT])


@public
def ceil(x: TensorLike, /) -> Tensor:
    """The smallest integer >= x, in the dtype of x."""
    return _rounded(CEIL, x)


TRUNC = elementwise("trunc", 1, FLOAT, _STEP, traits=[Trait.IDEMPOTENT])


@public
def trunc(x: TensorLike, /) -> Tensor:
    """x rounded towards zero, in the dtype of x."""
    return _rounded(TRUNC, x)


ROUND = elementwise("round", 1, FLOAT, _STEP, array_fn="rint", traits=[Trait.IDEMPOTENT])


@public
def round(x: TensorLike, /) -> Tensor:
    """x rounded to the nearest integer, halves to even, in the dtype of x."""
    return _rounded(ROUND, x)
