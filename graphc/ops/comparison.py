"""Comparison, logic, and choice between elements."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphc.errors import DTypeError
from graphc.ir import dims
from graphc.ir.dtype import BOOL, COMPUTED, INEXACT, INTEGER, NUMERIC, bool_
from graphc.ir.opdef import Kind, Trait, public
from graphc.ir.tensor import Tensor, apply
from graphc.ir.types import TensorType
from graphc.ops.define import (
    TensorLike,
    as_tensor,
    bool_operand,
    common_dtype,
    convert,
    define,
    elementwise,
    record,
)

_DISCRETE = "its result is discrete"

EQUAL = elementwise("equal", 2, COMPUTED, _DISCRETE, result=bool_, traits=[Trait.COMMUTATIVE])


@public
def equal(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """x1 == x2, bool. NaN equals nothing, -0 equals 0."""
    return record(EQUAL, x1, x2)


NOT_EQUAL = elementwise("not_equal", 2, COMPUTED, _DISCRETE, result=bool_, traits=[Trait.COMMUTATIVE])


@public
def not_equal(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """x1 != x2, bool."""
    return record(NOT_EQUAL, x1, x2)


LESS = elementwise("less", 2, NUMERIC, _DISCRETE, result=bool_)


@public
def less(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """x1 < x2, bool; False where either is NaN."""
    return record(LESS, x1, x2)


LESS_EQUAL = elementwise("less_equal", 2, NUMERIC, _DISCRETE, result=bool_)


@public
def less_equal(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """x1 <= x2, bool; False where either is NaN."""
    return record(LESS_EQUAL, x1, x2)


GREATER = elementwise("greater", 2, NUMERIC, _DISCRETE, result=bool_)


@public
def greater(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """x1 > x2, bool; False where either is NaN."""
    return record(GREATER, x1, x2)


GREATER_EQUAL = elementwise("greater_equal", 2, NUMERIC, _DISCRETE, result=bool_)


@public
def greater_equal(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """x1 >= x2, bool; False where either is NaN."""
    return record(GREATER_EQUAL, x1, x2)


# --- logic: numbers are compared with zero first ----------------------------------------------------------

LOGICAL_AND = elementwise("logical_and", 2, BOOL, _DISCRETE, traits=[Trait.COMMUTATIVE])


@public
def logical_and(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """Whether both are true (non-zero)."""
    return record(LOGICAL_AND, bool_operand(x1), bool_operand(x2))


LOGICAL_OR = elementwise("logical_or", 2, BOOL, _DISCRETE, traits=[Trait.COMMUTATIVE])


@public
def logical_or(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """Whether one or both are true (non-zero)."""
    return record(LOGICAL_OR, bool_operand(x1), bool_operand(x2))


LOGICAL_XOR = elementwise("logical_xor", 2, BOOL, _DISCRETE, traits=[Trait.COMMUTATIVE])


@public
def logical_xor(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """Whether exactly one is true (non-zero)."""
    return record(LOGICAL_XOR, bool_operand(x1), bool_operand(x2))


LOGICAL_NOT = elementwise("logical_not", 1, BOOL, _DISCRETE)


@public
def logical_not(x: TensorLike, /) -> Tensor:
    """Whether it is false (zero)."""
    return record(LOGICAL_NOT, bool_operand(x))


_BITS = BOOL | INTEGER

BITWISE_AND = elementwise("bitwise_and", 2, _BITS, _DISCRETE, traits=[Trait.COMMUTATIVE])


@public
def bitwise_and(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """x1 & x2 on bools or integers."""
    return record(BITWISE_AND, x1, x2)


BITWISE_OR = elementwise("bitwise_or", 2, _BITS, _DISCRETE, traits=[Trait.COMMUTATIVE])


@public
def bitwise_or(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """x1 | x2 on bools or integers."""
    return record(BITWISE_OR, x1, x2)


BITWISE_XOR = elementwise("bitwise_xor", 2, _BITS, _DISCRETE, traits=[Trait.COMMUTATIVE])


@public
def bitwise_xor(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """x1 ^ x2 on bools or integers."""
    return record(BITWISE_XOR, x1, x2)


BITWISE_INVERT = elementwise("bitwise_invert", 1, _BITS, _DISCRETE, array_fn="invert")


@public
def bitwise_invert(x: TensorLike, /) -> Tensor:
    """~x on bools or integers."""
    return record(BITWISE_INVERT, x)


ISNAN = elementwise("isnan", 1, INEXACT, _DISCRETE, result=bool_)


@public
def isnan(x: TensorLike, /) -> Tensor:
    """Whether an element, or a part of a complex one, is NaN."""
    return record(ISNAN, x)


ISFINITE = elementwise("isfinite", 1, INEXACT, _DISCRETE, result=bool_)


@public
def isfinite(x: TensorLike, /) -> Tensor:
    """Whether an element is neither NaN nor infinite, nor a part of a complex one."""
    return record(ISFINITE, x)


ISINF = elementwise("isinf", 1, INEXACT, _DISCRETE, result=bool_)


@public
def isinf(x: TensorLike, /) -> Tensor:
    """Whether an element, or a part of a complex one, is infinite."""
    return record(ISINF, x)


# --- choice -----------------------------------------------------------------------------------------------


def _where_type(types: tuple[TensorType, ...], attrs: Mapping[str, Any]) -> TensorType:
    condition, first, second = types
    if condition.dtype is not bool_ or first.dtype is not second.dtype:
        raise DTypeError("where chooses between two tensors of one dtype by a bool")
    return TensorType(first.dtype, dims.broadcast([t.shape for t in types]))


WHERE = define(
    "where",
    Kind.ELEMENTWISE,
    _where_type,
    (
        None,
        lambda ct, node: where(node.inputs[0], ct, 0.0),
        lambda ct, node: where(node.inputs[0], 0.0, ct),
    ),
    array_fn="where",
    traits=[Trait.OWN_CONJUGATE],
)


@public
def where(condition: TensorLike, x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """x1 where the condition is true (non-zero), else x2; all three broadcast."""
    values, dtype = common_dtype([x1, x2])
    return apply(WHERE, (bool_operand(condition), *[convert(value, dtype) for value in values]))


def _extreme_vjp(mine: int) -> Any:
    def vjp(ct: Tensor, node: Tensor) -> Tensor:
        first, second = node.inputs
        share = where(first == second, 0.5, convert(node.inputs[mine] == node, ct.dtype))
        return ct * share

    return vjp


_EXTREME_VJP = (_extreme_vjp(0), _extreme_vjp(1))

# Not commutative to the bit: of -0 and +0, NumPy takes the second or the first as its loops please.
MINIMUM = elementwise("minimum", 2, NUMERIC, _EXTREME_VJP)


@public
def minimum(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """The smaller of two elements; NaN if one of them is NaN. Ties share the gradient evenly."""
    return record(MINIMUM, x1, x2)


MAXIMUM = elementwise("maximum", 2, NUMERIC, _EXTREME_VJP)


@public
def maximum(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """The larger of two elements; NaN if one of them is NaN. Ties share the gradient evenly."""
    return record(MAXIMUM, x1, x2)


@public
def clip(x: TensorLike, /, min: TensorLike | None = None, max: TensorLike | None = None) -> Tensor:
    """x limited to [min, max]; NaN stays NaN. max wins over min. At a limit the gradient is 1/2.

    Args:
        x: numbers.
        min: a lower limit that broadcasts with x, or `None` for none.
        max: an upper limit, likewise.
    """
    node = as_tensor(x)
    if min is not None:
        node = maximum(node, min)
    return node if max is None else minimum(node, max)
