"""Reading and writing parts of a tensor: slices, gathers, and their transposes."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from graphc.errors import (
    NO_ORIGINS,
    ArgumentError,
    DTypeError,
    GraphcError,
    Origins,
    OutOfRangeError,
    ShapeError,
)
from graphc.ir import dims
from graphc.ir.dims import Dim, Shape
from graphc.ir.dtype import NUMERIC, as_dtype, float32, int64
from graphc.ir.opdef import Kind, Trait, public
from graphc.ir.tensor import Tensor, apply
from graphc.ir.types import TensorType
from graphc.ops.define import TensorLike, as_shape, as_tensor, convert, define, index_operand, normalise_axis
from graphc.ops.layout import broadcast_to, expand_dims, reshape
from graphc.ops.sources import arange, zeros

_INTS = (int, np.integer)


def numpy_slices(starts: Any, lengths: Any, steps: Any) -> tuple[builtins.slice, ...]:
    """Slices for NumPy-like arrays out of first position, number and distance of the elements."""
    found = []
    for start, length, step in zip(starts, lengths, steps, strict=True):
        stop = start + length * step
        if length == 0:
            found.append(builtins.slice(0, 0))
        else:
            found.append(builtins.slice(start, None if stop < 0 else stop, step))
    return tuple(found)


def _slice_type(types: tuple[TensorType, ...], attrs: Mapping[str, Any]) -> TensorType:
    (operand,) = types
    if not len(attrs["starts"]) == len(attrs["lengths"]) == len(attrs["steps"]) == operand.ndim:
        raise ShapeError("a slice needs a start, a length and a step per axis")
    return TensorType(operand.dtype, attrs["lengths"])


SLICE = define(
    "slice",
    Kind.LAYOUT,
    _slice_type,
    (lambda ct, node: slice_update(zeros(node.inputs[0].shape, dtype=ct.dtype), ct, **node.attrs),),
    array_fn=lambda xp, x, starts, lengths, steps: x[numpy_slices(starts, lengths, steps)],
)


def _update_type(types: tuple[TensorType, ...], attrs: Mapping[str, Any]) -> TensorType:
    operand, part = types
    if part.dtype is not operand.dtype:
        raise DTypeError("the part must have the dtype of the whole")
    for mine, wanted in zip(part.shape, attrs["lengths"], strict=True):
        dims.require_equal(mine, wanted, "the part must have the shape of the slice")
    return operand


def _slice_update(xp: Any, x: Any, part: Any, starts: Any, lengths: Any, steps: Any) -> Any:
    result = xp.array(x, copy=True)
    result[numpy_slices(starts, lengths, steps)] = part
    return result


SLICE_UPDATE = define(
    "slice_update",
    Kind.INDEXING,
    _update_type,
    (
        lambda ct, node: slice_update(ct, zeros(node.inputs[1].shape, dtype=ct.dtype), **node.attrs),
        lambda ct, node: apply(SLICE, (ct,), **node.attrs),
    ),
    array_fn=_slice_update,
)


def slice_update(x: Tensor, part: Tensor, **attrs: Any) -> Tensor:
    """x with a slice replaced."""
    return apply(SLICE_UPDATE, (x, part), **attrs)


# --- x[index] -----------------------------------------------------------------------------------------------


class _Axis(NamedTuple):
    start: Dim
    length: Dim
    step: int


@public
def getitem(x: TensorLike, index: Any) -> Tensor:
    """x[index] for ints, slices, ellipsis and `None`, with NumPy's meaning; sizes may be symbolic.

    Raises:
        OutOfRangeError: an int is out of range.
        ArgumentError: the index is of another kind.
    """
    node = as_tensor(x)
    entries = _expand_ellipsis(index if isinstance(index, tuple) else (index,), node)
    picked: list[_Axis] = []
    shape: list[Dim] = []
    sizes = iter(node.shape)
    for entry in entries:
        if entry is None:
            shape.append(1)
            continue
        try:
            axis = _resolve(entry, next(sizes))
        except GraphcError:
            dims.take_guards(NO_ORIGINS)  # those of earlier entries must not reach another node
            raise
        picked.append(axis)
        if isinstance(entry, builtins.slice):
            shape.append(axis.length)
    starts, lengths, steps = (tuple(part) for part in zip(*picked, strict=True)) if picked else ((), (), ())
    if (starts, lengths, steps) != ((0,) * node.ndim, node.shape, (1,) * node.ndim):
        node = apply(SLICE, (node,), starts=starts, lengths=lengths, steps=steps)
    return reshape(node, tuple(shape))


def _expand_ellipsis(entries: tuple[Any, ...], node: Tensor) -> tuple[Any, ...]:
    named = sum(entry is not None and entry is not Ellipsis for entry in entries)
    if named > node.ndim:
        raise OutOfRangeError(
            f"{named} indices for a tensor with {node.ndim} axes",
            expected=f"at most {node.ndim} indices",
            got=f"{named} indices for {node.type}",
            fix="drop an index; None adds an axis, and counts for none",
        )
    gaps = [position for position, entry in enumerate(entries) if entry is Ellipsis]
    if len(gaps) > 1:
        raise ArgumentError(
            "an index can hold only one ellipsis",
            expected="one ...",
            got=f"{len(gaps)} of them",
            fix="write : for an axis",
        )
    at = gaps[0] if gaps else len(entries)
    filler = (builtins.slice(None),) * (node.ndim - named)
    return entries[:at] + filler + entries[at + len(gaps) :]


def _resolve(entry: Any, size: Dim) -> _Axis:
    if isinstance(entry, builtins.slice):
        return _resolve_slice(entry, size)
    if isinstance(entry, bool) or not isinstance(entry, _INTS):
        raise ArgumentError(
            "this cannot index a tensor",
            expected="ints, slices, ... and None",
            got=repr(entry),
            fix="gather with gc.take(x, indices, axis=0); choose by a mask with gc.where(mask, x, y)",
        )
    position = int(entry)
    needed = position + 1 if position >= 0 else -position
    try:
        dims.require_at_least(size, needed, f"the index {position} is out of range for an axis of size {size}")
    except ShapeError as error:
        raise OutOfRangeError(
            error.message,
            expected=f"an int from {-size} to {size - 1}" if size else "no index: the axis is empty",
            got=str(position),
            fix="positions count from 0; -1 is the last" if size else "slice instead: a slice may be empty",
        ) from None
    return _Axis(position if position >= 0 else size + position, 1, 1)


def _resolve_slice(entry: builtins.slice, size: Dim) -> _Axis:
    step = 1 if entry.step is None else entry.step
    if not isinstance(step, _INTS) or step == 0:
        raise ArgumentError(
            "this cannot be the step of a slice",
            expected="an int other than 0",
            got=repr(step),
            fix="x[::2] takes every second element, x[::-1] all of them backwards",
        )
    step = int(step)
    if step > 0:
        start = _clamp(entry.start, size, 0, 0, size)
        stop = _clamp(entry.stop, size, size, 0, size)
        span = stop - start
    else:
        start = _clamp(entry.start, size, size - 1, -1, size - 1)
        stop = _clamp(entry.stop, size, -1, -1, size - 1)
        span = start - stop
    magnitude = abs(step)
    return _Axis(start, dims.maximum(dims.floordiv(span + (magnitude - 1), magnitude), 0), step)


def _clamp(bound: Any, size: Dim, default: Dim, low: Dim, high: Dim) -> Dim:
    """A bound of a slice as a position, as Python's `slice.indices` does it."""
    if bound is None:
        return default
    if not isinstance(bound, (dims.Poly, *_INTS)):
        raise ArgumentError(
            "this cannot be a bound of a slice",
            expected="an int, a symbolic size such as x.shape[0], or nothing",
            got=repr(bound),
            fix="gather positions that are computed with gc.take(x, indices, axis=0)",
        )
    position: Dim = bound if isinstance(bound, dims.Poly) else int(bound)
    if isinstance(position, int) and position < 0:
        position = size + position
    return dims.minimum(dims.maximum(position, low), high)


# --- gather and scatter -------------------------------------------------------------------------------------


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


def _take_type(types: tuple[TensorType, ...], attrs: Mapping[str, Any]) -> TensorType:
    (operand, indices), axis = types, attrs["axis"]
    if indices.dtype.kind not in ("int", "uint"):
        raise DTypeError("take: indices are integers")
    return TensorType(operand.dtype, operand.shape[:axis] + indices.shape + operand.shape[axis + 1 :])


def _take_vjp(ct: Tensor, node: Tensor) -> Tensor:
    x, indices = node.inputs
    return scatter_add(zeros(x.shape, dtype=ct.dtype), indices, ct, axis=node.attrs["axis"])


def _take(xp: Any, x: Any, indices: Any, axis: int) -> Any:
    shape = x.shape[:axis] + indices.shape + x.shape[axis + 1 :]
    return xp.zeros(shape, x.dtype) if 0 in shape else xp.take(x, indices, axis=axis)  # reads nothing: no index counts


TAKE = define(
    "take",
    Kind.INDEXING,
    _take_type,
    (_take_vjp, None),
    array_fn=_take,
    traits=[Trait.CAN_FAIL],
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


def _scatter_type(types: tuple[TensorType, ...], attrs: Mapping[str, Any]) -> TensorType:
    (operand, indices, values), axis = types, attrs["axis"]
    wanted: Shape = operand.shape[:axis] + indices.shape + operand.shape[axis + 1 :]
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
    _scatter_type,
    (
        lambda ct, node: ct,
        None,
        lambda ct, node: take(ct, node.inputs[1], axis=node.attrs["axis"]),
    ),
    dtypes=NUMERIC,
    array_fn=_scatter_add,
    traits=[Trait.CAN_FAIL],
)


@public
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
    shape = node.shape[:axis] + positions.shape + node.shape[axis + 1 :]
    return apply(SCATTER_ADD, (node, positions, broadcast_to(convert(values, node.dtype), shape)), axis=axis)


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
    if not isinstance(classes, _INTS):
        raise ArgumentError(
            "one_hot: the number of classes must be static",
            expected="an int >= 0",
            got=repr(depth),
            fix="write the number: a size that is known only when the graph runs cannot be one",
        )
    if depth > np.iinfo(positions.dtype.numpy).max:
        positions = convert(positions, int64)  # its dtype cannot count the classes
    return convert(expand_dims(positions, -1) == arange(depth, dtype=positions.dtype), as_dtype(dtype))
