"""Slices, the parts of a tensor that are known when it is recorded, and their updates."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from graphc.errors import ArgumentError, DTypeError, OutOfRangeError, ShapeError
from graphc.ir import dims
from graphc.ir.dims import Dim
from graphc.ir.opdef import Kind
from graphc.ir.tensor import Tensor, apply
from graphc.ir.types import TensorType
from graphc.ops.define import define
from graphc.ops.sources import zeros

INTS = (int, np.integer)


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


# --- entries of an index ------------------------------------------------------------------------------------


class Axis(NamedTuple):
    """What an entry of an index picks of an axis."""

    start: Dim
    length: Dim
    step: int


def resolve(entry: Any, size: Dim) -> Axis:
    """What an int or a slice picks of an axis of a size, with Python's meaning.

    Raises:
        OutOfRangeError: an int is out of range.
        ArgumentError: it is neither.
    """
    if isinstance(entry, builtins.slice):
        return _resolve_slice(entry, size)
    if isinstance(entry, bool) or not isinstance(entry, INTS):
        raise ArgumentError(
            "this cannot index a tensor",
            expected="ints, slices, ..., None, and integers in a list, an array or a tensor",
            got=repr(entry),
            fix="choose by a mask with gc.where(mask, x, y)",
        )
    position = int(entry)
    needed = position + 1 if position >= 0 else -position
    try:
        dims.require_at_least(size, needed, f"the index {position} is out of range for an axis of size {size}")
    except ShapeError as error:
        raise out_of_axis(error.message, size, str(position)) from None
    return Axis(position if position >= 0 else size + position, 1, 1)


def out_of_axis(message: str, size: Dim, got: str) -> OutOfRangeError:
    """The error for a position that is known when it is recorded."""
    return OutOfRangeError(
        message,
        expected=f"an int from {-size} to {size - 1}" if size else "no index: the axis is empty",
        got=got,
        fix="positions count from 0; -1 is the last" if size else "slice instead: a slice may be empty",
    )


def _resolve_slice(entry: builtins.slice, size: Dim) -> Axis:
    step = 1 if entry.step is None else entry.step
    if not isinstance(step, INTS) or step == 0:
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
    return Axis(start, dims.maximum(dims.floordiv(span + (magnitude - 1), magnitude), 0), step)


def _clamp(bound: Any, size: Dim, default: Dim, low: Dim, high: Dim) -> Dim:
    """A bound of a slice as a position, as Python's `slice.indices` does it."""
    if bound is None:
        return default
    if not isinstance(bound, (dims.Poly, *INTS)):
        raise ArgumentError(
            "this cannot be a bound of a slice",
            expected="an int, a symbolic size such as x.shape[0], or nothing",
            got=repr(bound),
            fix="x[indices] takes a tensor of positions",
        )
    position: Dim = bound if isinstance(bound, dims.Poly) else int(bound)
    if isinstance(position, int) and position < 0:
        position = size + position
    return dims.minimum(dims.maximum(position, low), high)
