"""Pooling: the largest element, or the mean, below a window that moves over the axes of positions."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any

import numpy as np

from graphc.errors import ArgumentError, ShapeError
from graphc.ir import dims
from graphc.ir.dims import Dim, Shape
from graphc.ir.dtype import NUMERIC, DType
from graphc.ir.opdef import Kind, public
from graphc.ir.tensor import Tensor, apply
from graphc.ir.types import TensorType
from graphc.ops.arithmetic import add
from graphc.ops.comparison import maximum
from graphc.ops.define import TensorLike, as_tensor, convert, define, float_operand, record
from graphc.ops.layout import PAD, broadcast_to, concat, permute_dims, reshape
from graphc.ops.precision import rounded_once
from graphc.ops.reductions import max, mean
from graphc.ops.slicing import SLICE, slice_update
from graphc.ops.sources import zeros
from graphc.ops.windows import as_given, pairs_of, parts_below, per_axis, placed, with_channels_last

Attrs = Mapping[str, Any]


def _max_pool_type(types: tuple[TensorType, ...], attrs: Attrs) -> TensorType:
    (x,) = types
    return TensorType(x.dtype, (x.shape[0], *attrs["size"], x.shape[-1]))


def _least(dtype: DType) -> float:
    return -math.inf if dtype.kind == "float" else int(np.iinfo(dtype.numpy).min)


def _places(attrs: Attrs) -> dict[str, Any]:
    """What `parts_below` asks for."""
    ones = (1,) * len(attrs["window"])
    return {**attrs, "dilation": ones, "spread": ones}


def _max_pool_parts(node: Tensor) -> Tensor:
    (x,) = node.inputs
    return reduce(maximum, parts_below(x, node.attrs["window"], _places(node.attrs), _least(x.dtype)))


def _max_pool_vjp(ct: Tensor, node: Tensor) -> Tensor:
    """To each element that attains its window's maximum an even share of the cotangent, as `max` has it."""
    (x,), window, places = node.inputs, node.attrs["window"], _places(node.attrs)
    hits = [convert(part == node, ct.dtype) for part in parts_below(x, window, places, _least(x.dtype))]
    if node.attrs["padded"]:  # where all is -inf, the padding attains it, too
        ones = broadcast_to(convert(1.0, ct.dtype), (1, *x.shape[1:-1], 1))
        hits = [hit * inside for hit, inside in zip(hits, parts_below(ones, window, places, 0.0), strict=True)]
    share = ct / reduce(add, hits)
    return _laid_back([share * hit for hit in hits], x.shape, node.attrs)


def _laid_back(parts: Sequence[Tensor], shape: Shape, attrs: Attrs) -> Tensor:
    """The adjoint of `parts_below`: each part added to where it was read."""
    window, strides, low, size = attrs["window"], attrs["strides"], attrs["low"], attrs["size"]
    if window == strides:  # windows lie side by side: every element is below one of them
        found = _interleaved(parts, window)
    else:
        ends = [(places - 1) * s + n for places, s, n in zip(size, strides, window, strict=True)]
        wide: Shape = (shape[0], *ends, shape[-1])
        nothing = zeros(wide, dtype=parts[0].dtype)
        laid = []
        for offset, part in zip(np.ndindex(*window), parts, strict=True):
            cut = {"starts": (0, *offset, 0), "lengths": part.shape, "steps": (1, *strides, 1)}
            laid.append(slice_update(nothing, part, **cut))
        found = reduce(add, laid)
    behind = [
        dims.maximum(before + n - have, 0) for before, n, have in zip(low, shape[1:-1], found.shape[1:-1], strict=True)
    ]
    if any(width != 0 for width in behind):
        widths = ((0, 0), *((0, width) for width in behind), (0, 0))
        found = apply(PAD, (found, convert(0.0, found.dtype)), pad_width=widths)
    if found.shape == shape and all(before == 0 for before in low):
        return found
    return apply(SLICE, (found,), starts=(0, *low, 0), lengths=shape, steps=(1,) * len(shape))


def _interleaved(parts: Sequence[Tensor], window: Sequence[int]) -> Tensor:
    """The parts of windows that lie side by side, in the order of positions."""
    if len(parts) == 1:
        return parts[0]
    batch, *size, channels = parts[0].shape
    rank = len(window)
    joined = concat([reshape(part, (1, *part.shape)) for part in parts], axis=0)
    apart = reshape(joined, (*window, batch, *size, channels))
    order = [rank]
    for axis in range(rank):
        order += [rank + 1 + axis, axis]
    moved = permute_dims(apart, [*order, 2 * rank + 1])
    return reshape(moved, (batch, *(n * w for n, w in zip(size, window, strict=True)), channels))


MAX_POOL = define(
    "max_pool", Kind.COMPOSITE, _max_pool_type, (_max_pool_vjp,), dtypes=NUMERIC, decompose=_max_pool_parts
)


def _windows(x: Tensor, window: Any, strides: Any, padding: Any) -> dict[str, Any]:
    """The attributes of a pooling: `padded` says whether a window may reach over an end.

    Raises:
        ArgumentError: a window could lie in the padding alone.
    """
    rank = x.ndim - 2
    sizes = per_axis(window, rank, "window")
    steps = sizes if strides is None else per_axis(strides, rank, "strides")
    pairs = pairs_of(padding, rank)
    if pairs is not None and any(width >= n for pair, n in zip(pairs, sizes, strict=True) for width in pair):
        raise ArgumentError(
            "a window of pooling lies in the padding alone",
            expected="widths of padding that are smaller than the window",
            got=f"padding={padding!r} with window={window!r}",
            fix="pad less: what is padded is never chosen, nor counted",
        )
    low, size = placed(x.shape[1:-1], sizes, steps, padding)
    padded = pairs is None or any(width for pair in pairs for width in pair)
    return {"window": sizes, "strides": steps, "low": low, "size": size, "padded": padded}


@public
@rounded_once
def max_pool(
    x: TensorLike, window: Any, /, *, strides: Any = None, padding: Any = "VALID", data_format: str = "NHWC"
) -> Tensor:
    """The largest element below each window, NaN if there is one. Ties share the gradient. Padding is never chosen.

    Args:
        x: numbers `(batch, *positions, channels)`, with 1 to 3 axes of positions.
        window: its size along all axes of positions, or along each.
        strides: distance of the windows, by default their size.
        padding: "VALID": none; "SAME": ⌈size / stride⌉ places; or a pair of widths for each axis.
        data_format: "NHWC", or "NCHW" for `(batch, channels, *positions)`.

    Raises:
        ShapeError: the window is larger than what it moves over.
    """
    node = with_channels_last(as_tensor(x), data_format, "max_pool")
    return as_given(record(MAX_POOL, node, **_windows(node, window, strides, padding)), data_format)


@public
@rounded_once
def avg_pool(
    x: TensorLike, window: Any, /, *, strides: Any = None, padding: Any = "VALID", data_format: str = "NHWC"
) -> Tensor:
    """The mean of the elements below each window; padding is not counted. The rest is as for `max_pool`.

    Args:
        x: numbers `(batch, *positions, channels)`; integers become float32.
        window: its size along all axes of positions, or along each.
        strides: distance of the windows, by default their size.
        padding: "VALID": none; "SAME": ⌈size / stride⌉ places; or a pair of widths for each axis.
        data_format: "NHWC", or "NCHW" for `(batch, channels, *positions)`.

    Raises:
        ShapeError: the window is larger than what it moves over.
    """
    node = with_channels_last(float_operand(x), data_format, "avg_pool")
    attrs = _windows(node, window, strides, padding)
    sizes, places = attrs["window"], _places(attrs)
    total = reduce(add, parts_below(node, sizes, places, 0.0))
    if not attrs["padded"]:
        return as_given(total / float(math.prod(sizes)), data_format)
    ones = broadcast_to(convert(1.0, node.dtype), (1, *node.shape[1:-1], 1))
    return as_given(total / reduce(add, parts_below(ones, sizes, places, 0.0)), data_format)


# --- to a size ------------------------------------------------------------------------------------------------

_Reduce = Callable[..., Tensor]


def _adaptive(what: str, function: _Reduce, node: Tensor, size: Any, data_format: Any) -> Tensor:
    """Place i of n has the elements from ⌊i · m / n⌋ to ⌈(i + 1) · m / n⌉ of m, as in PyTorch."""
    node = with_channels_last(node, data_format, what)
    rank = node.ndim - 2
    target = per_axis(size, rank, "size")
    blocks = [_block(n, count) for n, count in zip(node.shape[1:-1], target, strict=True)]
    if all(block is not None for block in blocks):
        split = [part for count, block in zip(target, blocks, strict=True) for part in (count, block)]
        apart = reshape(node, (node.shape[0], *split, node.shape[-1]))
        return as_given(function(apart, axis=tuple(range(2, 2 * rank + 1, 2))), data_format)
    for n in node.shape[1:-1]:
        _require_static(what, n)
    axes = tuple(range(1, rank + 1))
    found = []
    for place in np.ndindex(*target):
        cut = [
            slice(i * n // count, -(-(i + 1) * n // count))
            for i, n, count in zip(place, node.shape[1:-1], target, strict=True)
        ]
        found.append(function(node[(slice(None), *cut)], axis=axes, keepdims=True))
    joined = reshape(concat(found, axis=1), (node.shape[0], *target, node.shape[-1]))
    return as_given(joined, data_format)


def _block(size: Dim, count: int) -> Dim | None:
    """The elements of each place, if all have as many."""
    if count == 1:
        return size
    return size // count if isinstance(size, int) and size and size % count == 0 else None


def _require_static(what: str, size: Dim) -> None:
    if not isinstance(size, int) or size < 1:
        raise ShapeError(
            f"{what} must know how many positions there are",
            expected="static sizes >= 1, or one place",
            got=str(size),
            fix="declare the positions with numbers, or pool all of them with size=1",
        )


@public
@rounded_once
def adaptive_max_pool(x: TensorLike, size: Any, /, *, data_format: str = "NHWC") -> Tensor:
    """The largest element of each of `size` parts of every axis of positions. Ties share the gradient.

    Args:
        x: numbers `(batch, *positions, channels)`, the positions static unless `size` is 1.
        size: places along all axes of positions, or along each.
        data_format: "NHWC", or "NCHW" for `(batch, channels, *positions)`.
    """
    return _adaptive("adaptive_max_pool", max, as_tensor(x), size, data_format)


@public
@rounded_once
def adaptive_avg_pool(x: TensorLike, size: Any, /, *, data_format: str = "NHWC") -> Tensor:
    """The mean of each of `size` parts of every axis of positions.

    Args:
        x: numbers `(batch, *positions, channels)`, the positions static unless `size` is 1; integers become float32.
        size: places along all axes of positions, or along each.
        data_format: "NHWC", or "NCHW" for `(batch, channels, *positions)`.
    """
    return _adaptive("adaptive_avg_pool", mean, float_operand(x), size, data_format)


@public
@rounded_once
def global_max_pool(x: TensorLike, /, *, data_format: str = "NHWC") -> Tensor:
    """The largest element over all positions, `(batch, channels)`.

    Args:
        x: numbers `(batch, *positions, channels)`.
        data_format: "NHWC", or "NCHW" for `(batch, channels, *positions)`.
    """
    node = with_channels_last(as_tensor(x), data_format, "global_max_pool")
    return max(node, axis=tuple(range(1, node.ndim - 1)))


@public
@rounded_once
def global_avg_pool(x: TensorLike, /, *, data_format: str = "NHWC") -> Tensor:
    """The mean over all positions, `(batch, channels)`.

    Args:
        x: numbers `(batch, *positions, channels)`; integers become float32.
        data_format: "NHWC", or "NCHW" for `(batch, channels, *positions)`.
    """
    node = with_channels_last(float_operand(x), data_format, "global_avg_pool")
    return mean(node, axis=tuple(range(1, node.ndim - 1)))
