"""Writing at computed positions: x with elements set, multiplied, or limited at positions along an axis."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Mapping
from typing import Any

from graphc.ir.dtype import ANY, ARITHMETIC, NUMERIC, DType
from graphc.ir.opdef import Kind, OpDef, Trait
from graphc.ir.tensor import Tensor, apply
from graphc.ir.types import TensorType
from graphc.ops.arithmetic import divide, multiply
from graphc.ops.comparison import equal, maximum, where
from graphc.ops.define import Vjp, convert, define
from graphc.ops.gather import TAKE, scatter_add, scattered_type, take
from graphc.ops.sources import ones, zeros


def _scattering(update: str) -> Callable[..., Any]:
    """The function of an op that updates a copy of x by a ufunc, position by position."""

    def function(xp: Any, x: Any, indices: Any, values: Any, axis: int) -> Any:
        result = xp.array(x, copy=True)
        if values.size:
            getattr(xp, update).at(result, (builtins.slice(None),) * axis + (indices,), values)
        return result

    return function


def _scatter(name: str, vjp: Vjp, array_fn: Callable[..., Any], dtypes: frozenset[DType] = NUMERIC) -> OpDef:
    return define(name, Kind.INDEXING, scattered_type, vjp, dtypes=dtypes, array_fn=array_fn, traits=[Trait.CAN_FAIL])


# --- set: the last one wins ---------------------------------------------------------------------------------


def in_order(xp: Any, indices: Any, values: Any, axis: int) -> tuple[Any, Any]:
    """Indices in a row, in row-major order, and values likewise: so that of those which meet NumPy keeps the last."""
    shape = (*values.shape[:axis], indices.size, *values.shape[axis + indices.ndim :])
    return xp.ascontiguousarray(indices).reshape(-1), xp.reshape(values, shape)


def _scatter_set(xp: Any, x: Any, indices: Any, values: Any, axis: int) -> Any:
    result = xp.array(x, copy=True)
    if values.size:
        row, parts = in_order(xp, indices, values, axis)
        result[(builtins.slice(None),) * axis + (row,)] = parts
    return result


def scatter_set(x: Tensor, indices: Tensor, values: Tensor, *, axis: int) -> Tensor:
    """x with values in place of its elements at some positions; where several meet, the last of them."""
    return apply(SCATTER_SET, (x, indices, values), axis=axis)


def _take_last(ct: Tensor, node: Tensor) -> Tensor:
    return apply(TAKE_LAST, (ct, node.inputs[1]), axis=node.attrs["axis"])


SCATTER_SET = _scatter(
    "scatter_set",
    (
        lambda ct, node: scatter_set(ct, node.inputs[1], zeros(node.inputs[2].shape, dtype=ct.dtype), **node.attrs),
        None,
        _take_last,
    ),
    _scatter_set,
    ANY,
)


def _last_type(types: tuple[TensorType, ...], attrs: Mapping[str, Any]) -> TensorType:
    taken = TAKE.infer(types, attrs)
    assert isinstance(taken, TensorType)
    return taken


def is_last(xp: Any, indices: Any, size: int) -> Any:
    """Which of the indices no later one equals."""
    row = indices.astype(xp.int64).reshape(-1)
    row = xp.where(row < 0, row + size, row)
    numbers = xp.arange(row.size)
    writer = xp.zeros(size, xp.int64)
    xp.maximum.at(writer, row, numbers)
    return xp.reshape(writer[row] == numbers, indices.shape)


def _take_if_last(xp: Any, x: Any, indices: Any, axis: int) -> Any:
    taken = TAKE.array_fn(xp, x, indices, axis=axis)  # type: ignore[operator, misc]
    if 0 in taken.shape:
        return taken
    last = is_last(xp, indices, x.shape[axis])
    last = xp.reshape(last, last.shape + (1,) * (x.ndim - 1 - axis))
    return xp.where(last, taken, xp.zeros((), x.dtype))


TAKE_LAST = define(
    "take_last",
    Kind.INDEXING,
    _last_type,
    (
        lambda ct, node: scatter_set(zeros(node.inputs[0].shape, dtype=ct.dtype), node.inputs[1], ct, **node.attrs),
        None,
    ),
    dtypes=ANY,
    array_fn=_take_if_last,
    traits=[Trait.CAN_FAIL],
)
"""What `take` gives, but 0 for an index that a later one equals: the transpose of `scatter_set` in its values."""


# --- multiply, min, max -------------------------------------------------------------------------------------


def _of_factors(ct: Tensor, node: Tensor) -> Tensor:
    """The product of all values at a position."""
    x, indices, values = node.inputs
    return ct * scatter_multiply(ones(x.shape, dtype=x.dtype), indices, values, **node.attrs)


def _of_factor(ct: Tensor, node: Tensor) -> Tensor:
    """x times the product of the other values at the position: zeros are counted, so that none is divided by."""
    (x, indices, values), axis = node.inputs, node.attrs["axis"]
    is_zero = equal(values, 0.0)
    rest = where(is_zero, 1.0, values)
    zeros_there = scatter_add(zeros(x.shape, dtype=x.dtype), indices, convert(is_zero, x.dtype), axis=axis)
    count = take(zeros_there, indices, axis=axis)
    product = take(scatter_multiply(ones(x.shape, dtype=x.dtype), indices, rest, axis=axis), indices, axis=axis)
    of_others = where(is_zero, where(equal(count, 1.0), product, 0.0), where(equal(count, 0.0), product / rest, 0.0))
    return take(ct * x, indices, axis=axis) * of_others


SCATTER_MULTIPLY = _scatter("scatter_multiply", (_of_factors, None, _of_factor), _scattering("multiply"), ARITHMETIC)


def scatter_multiply(x: Tensor, indices: Tensor, values: Tensor, *, axis: int) -> Tensor:
    """x multiplied at some positions by values; those that meet multiply all."""
    return apply(SCATTER_MULTIPLY, (x, indices, values), axis=axis)


def _share(ct: Tensor, node: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The share of each that equals the result, and which those are in x and among the values. None does a NaN."""
    (x, indices, values), axis = node.inputs, node.attrs["axis"]
    from_x = convert(equal(x, node), ct.dtype)
    from_values = convert(equal(values, take(node, indices, axis=axis)), ct.dtype)
    count = scatter_add(from_x, indices, from_values, axis=axis)
    return divide(ct, maximum(count, 1.0)), from_x, from_values


def _extreme_of_x(ct: Tensor, node: Tensor) -> Tensor:
    share, from_x, _ = _share(ct, node)
    return multiply(share, from_x)


def _extreme_of_values(ct: Tensor, node: Tensor) -> Tensor:
    share, _, from_values = _share(ct, node)
    return multiply(take(share, node.inputs[1], axis=node.attrs["axis"]), from_values)


_EXTREME_VJP = (_extreme_of_x, None, _extreme_of_values)

SCATTER_MIN = _scatter("scatter_min", _EXTREME_VJP, _scattering("minimum"))
SCATTER_MAX = _scatter("scatter_max", _EXTREME_VJP, _scattering("maximum"))
