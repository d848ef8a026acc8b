"""Reading at computed positions, and the additions that are its transposes."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from typing import Any

import numpy as np

from graphc.errors import NO_ORIGINS, ArgumentError, DTypeError, Origins, OutOfRangeError, ShapeError
from graphc.ir import dims
from graphc.ir.dims import Shape
from graphc.ir.dtype import ARITHMETIC, as_dtype, float32, int64
from graphc.ir.opdef import Kind, Trait, public
from graphc.ir.tensor import Tensor, apply
from graphc.ir.types import TensorType
from graphc.ops.define import TensorLike, as_shape, as_tensor, convert, define, index_operand, normalise_axis
from graphc.ops.layout import broadcast_to, expand_dims
from graphc.ops.precision import kept_by_first
from graphc.ops.sources import arange, zeros

# --- positions out of range ---------------------------------------------------------------------------------


def require_range(low: int, high: int, size: int, what: str, origins: Origins) -> None:
    """Holds the least and the largest index to their axis.

    Raises:
        OutOfRangeError: one is outside of [-size, size).
    """
    if low < -size or high >= size:
        raise out_of_range(low, high, size, what, origins)


def out_of_range(low: int, high: int, size: int, what: str, origins: Origins) -> OutOfRangeError:
    """The error for indices from `low` to `high`, of which one at least is out of range."""
    return OutOfRangeError(
        f"{what}: an index is out of range",
        expected=f"indices from {-size} to {size - 1}" if size else "no index: the axis is empty",
        got=f"indices from {low} to {high}",
        fix="look for wrong labels or ids in what is fed; gc.clip keeps indices in range",
        origins=origins,
    )


def checked_as(op: str, attrs: Mapping[str, Any]) -> str:
    """What an op that checks indices is called in the error."""
    return f"axis {attrs['axis']}" if op == "positions" else op


def require_integers(what: str, indices: TensorType) -> None:
    """Holds the dtype of indices for one of integers."""
    if indices.dtype.kind not in ("int", "uint"):
        raise DTypeError(f"{what}: indices are integers")


# --- take, scatter_add: whole slices along one axis ---------------------------------------------------------


def _take_type(types: tuple[TensorType, ...], attrs: Mapping[str, Any]) -> TensorType:
    operand, indices = types
    require_integers("take", indices)
    return TensorType(operand.dtype, taken_shape(operand.shape, indices.shape, attrs["axis"]))


def taken_shape(shape: Shape, indices: Shape, axis: int) -> Shape:
    """The shape of what is taken along an axis: that of the indices takes its place."""
    return shape[:axis] + indices + shape[axis + 1 :]


def _take_vjp(ct: Tensor, node: Tensor) -> Tensor:
    x, indices = node.inputs
    return scatter_add(zeros(x.shape, dtype=ct.dtype), indices, ct, axis=node.attrs["axis"])


def _take(xp: Any, x: Any, indices: Any, axis: int) -> Any:
    shape = taken_shape(x.shape, indices.shape, axis)
    return xp.zeros(shape, x.dtype) if 0 in shape else xp.take(x, indices, axis=axis)  # reads nothing: no index counts


TAKE = define(
    "take",
    Kind.INDEXING,
    _take_type,
    (_take_vjp, None),
    array_fn=_take,
    traits=[Trait.CAN_FAIL, Trait.OWN_CONJUGATE],
)


@public
def take(x: TensorLike, indices: TensorLike, /, *, axis: int | None = None) -> Tensor:
    """The slices of x at some positions along an axis; negative positions count from the end.

    Args:
        x: any tensor.
        indices: integers of any shape, which takes the place of the axis.
        axis: needed unless x has one axis.

    Raises:
        OutOfRangeError: when it runs, if a position is out of range.
    """
    node, positions = as_tensor(x), index_operand(indices, "take")
    if axis is None and node.ndim != 1:
        raise ArgumentError(
            "take: the axis must be named for a tensor with other than one axis",
            expected="axis=, unless the tensor is a vector",
            got=str(node.type),
            fix="gc.take(x, indices, axis=0) takes rows",
        )
    return apply(TAKE, (node, positions), axis=normalise_axis(0 if axis is None else axis, node.ndim))


def scattered_type(types: tuple[TensorType, ...], attrs: Mapping[str, Any]) -> TensorType:
    """The type of x after an update at positions along an axis by values that look like what `take` gives."""
    operand, indices, values = types
    require_integers("an update", indices)
    wanted = taken_shape(operand.shape, indices.shape, attrs["axis"])
    if len(wanted) != values.ndim or values.dtype is not operand.dtype:
        raise ShapeError(
            "the values must look like what take gives", expected=f"{operand.dtype}{dims.shape_text(wanted)}"
        )
    for mine, other in zip(values.shape, wanted, strict=True):
        dims.require_equal(mine, other, "the values must look like what take gives")
    return operand


def _scatter_add(xp: Any, x: Any, indices: Any, values: Any, axis: int) -> Any:
    result = xp.array(x, copy=True)
    if values.size:
        xp.add.at(result, (builtins.slice(None),) * axis + (indices,), values)
    return result


SCATTER_ADD = define(
    "scatter_add",
    Kind.INDEXING,
    scattered_type,
    (
        lambda ct, node: ct,
        None,
        lambda ct, node: take(ct, node.inputs[1], axis=node.attrs["axis"]),
    ),
    dtypes=ARITHMETIC,
    array_fn=_scatter_add,
    traits=[Trait.CAN_FAIL, Trait.OWN_CONJUGATE],
)


@public
@kept_by_first
def scatter_add(x: TensorLike, indices: TensorLike, values: TensorLike, /, *, axis: int = 0) -> Tensor:
    """x with values added at some positions along an axis; what meets at one position adds up.

    Args:
        x: any tensor of numbers.
        indices: integers of any shape; negative positions count from the end.
        values: as `take(x, indices, axis=axis)` would be shaped, or broadcast to it.
        axis: the axis that the positions count along.

    Raises:
        OutOfRangeError: when it runs, if a position is out of range.
    """
    node, positions = as_tensor(x), index_operand(indices, "scatter_add")
    axis = normalise_axis(axis, node.ndim)
    shape = taken_shape(node.shape, positions.shape, axis)
    return apply(SCATTER_ADD, (node, positions, broadcast_to(convert(values, node.dtype), shape)), axis=axis)


# --- positions: indices that are computed with, checked axis by axis ----------------------------------------


def _positions_type(types: tuple[TensorType, ...], attrs: Mapping[str, Any]) -> TensorType:
    (indices,) = types
    require_integers("an index", indices)
    return TensorType(int64, indices.shape)


def _positions(xp: Any, indices: Any, size: int, used: int, axis: int) -> Any:
    if used and indices.size:
        require_range(int(indices.min()), int(indices.max()), size, f"axis {axis}", NO_ORIGINS)
    wide = indices.astype(xp.int64)
    return xp.where(wide < 0, wide + size, wide)


POSITIONS = define(
    "positions",
    Kind.INDEXING,
    _positions_type,
    (None,),
    array_fn=_positions,
    traits=[Trait.CAN_FAIL],
)
"""Indices into an axis of a size as positions from 0 on. A run in which one is out of range fails, unless nothing is
`used`, which is the number of elements that they move."""


# --- one_hot ------------------------------------------------------------------------------------------------


@public
def one_hot(indices: TensorLike, depth: int, /, *, dtype: Any = float32) -> Tensor:
    """Ones at the given positions along a new last axis of size `depth`; all zeros for one out of range.

    Args:
        indices: integers of any shape.
        depth: the number of classes.
        dtype: of the ones and zeros.
    """
    positions = index_operand(indices, "one_hot")
    (classes,) = as_shape(depth)
    if not isinstance(classes, int):
        raise ArgumentError(
            "one_hot: the number of classes must be static",
            expected="an int >= 0",
            got=repr(depth),
            fix="write the number: a size that is known only when the graph runs cannot be one",
        )
    if depth > np.iinfo(positions.dtype.numpy).max:
        positions = convert(positions, int64)  # its dtype cannot count the classes
    return convert(expand_dims(positions, -1) == arange(depth, dtype=positions.dtype), as_dtype(dtype))
