"""Windows that move over the axes between the first and the last: what convolution and pooling share."""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Mapping, Sequence
from typing import Any

from graphc.errors import ArgumentError, ShapeError
from graphc.ir import dims
from graphc.ir.dims import Dim, Shape
from graphc.ir.tensor import Tensor, apply
from graphc.ops.define import TensorLike, convert
from graphc.ops.layout import PAD, concat, permute_dims, reshape
from graphc.ops.slicing import SLICE

FORMATS = ("NHWC", "NCHW")


def is_channels_first(data_format: Any) -> bool:
    """Whether the channels are the second axis; else they are the last.

    Raises:
        ArgumentError: it is no such format.
    """
    if data_format not in FORMATS:
        raise ArgumentError(
            "this is no order of axes",
            expected="one of: " + ", ".join(map(repr, FORMATS)),
            got=repr(data_format),
            fix="'NHWC' has the channels last, 'NCHW' second, for any number of axes between",
        )
    return bool(data_format == "NCHW")


def with_channels_last(x: Tensor, data_format: Any, what: str) -> Tensor:
    """The operand with one axis of examples, 1 to 3 of positions, one of channels.

    Raises:
        ShapeError: it has another number of axes.
    """
    first = is_channels_first(data_format)
    if not 3 <= x.ndim <= 5:
        raise ShapeError(
            f"{what} takes examples with 1 to 3 axes of positions and one of channels",
            expected="3 to 5 axes: (batch, length, channels), (batch, height, width, channels), …",
            got=str(x.type),
            fix="add the axis that is missing with gc.expand_dims",
        )
    return permute_dims(x, (0, *range(2, x.ndim), 1)) if first else x


def as_given(y: Tensor, data_format: Any) -> Tensor:
    """A result with channels last, in the order that the user has."""
    return permute_dims(y, (0, y.ndim - 1, *range(1, y.ndim - 1))) if is_channels_first(data_format) else y


def per_axis(value: Any, rank: int, what: str, least: int = 1) -> tuple[int, ...]:
    """An int for each axis of positions, of one for all or one each.

    Raises:
        ArgumentError: there are others.
    """
    given = tuple(value) if isinstance(value, (tuple, list)) else (value,) * rank
    try:
        found = tuple(operator.index(item) for item in given)
    except TypeError:
        found = ()
    if len(found) != rank or any(item < least for item in found):
        raise ArgumentError(
            f"{what} does not fit {rank} axes of positions",
            expected=f"an int >= {least}, or {rank} of those",
            got=repr(value),
            fix=f"{what}={max(least, 1)}, or one for each axis between examples and channels",
        )
    return found


def static_window(window: Shape) -> tuple[int, ...]:
    """A window of numbers.

    Raises:
        ShapeError: a size is symbolic or 0.
    """
    found = tuple(size for size in window if isinstance(size, int) and size > 0)
    if len(found) != len(window):
        raise ShapeError(
            "the sizes of a window must be static",
            expected="ints >= 1",
            got=dims.shape_text(window),
            fix="declare the weights with numbers for the window; examples and positions may be symbolic",
        )
    return found


def pairs_of(padding: Any, rank: int) -> list[tuple[int, int]] | None:
    """Widths before and after each axis; `None` for "SAME".

    Raises:
        ArgumentError: it is neither a name nor pairs.
    """
    if isinstance(padding, str) and padding in ("SAME", "VALID"):
        return None if padding == "SAME" else [(0, 0)] * rank
    try:
        pairs = [(operator.index(low), operator.index(high)) for low, high in padding]
    except (TypeError, ValueError):
        pairs = []
    if len(pairs) != rank or any(width < 0 for pair in pairs for width in pair):
        raise ArgumentError(
            f"this is no padding of {rank} axes of positions",
            expected=f"'SAME', 'VALID', or {rank} pairs of ints >= 0",
            got=repr(padding),
            fix="padding=[(1, 1), (1, 1)] puts one row or column on each side of an image",
        )
    return pairs


def placed(sizes: Shape, reaches: Sequence[int], strides: Sequence[int], padding: Any) -> tuple[Shape, Shape]:
    """Widths of the padding before each axis, and how many places windows have there.

    "SAME" gives ⌈size / stride⌉ places, with the odd one of the padding behind, as in TensorFlow.

    Args:
        sizes: of the axes of positions.
        reaches: from the first to the last element of a window, both included.
        strides: between windows.
        padding: what the user gave.

    Raises:
        ShapeError: a window is larger than what it moves over.
    """
    pairs = pairs_of(padding, len(sizes))
    low: list[Dim] = []
    places: list[Dim] = []
    for axis, (size, reach, stride) in enumerate(zip(sizes, reaches, strides, strict=True)):
        if pairs is None:
            count = dims.floordiv(size + (stride - 1), stride)
            missing = dims.maximum((count - 1) * stride + reach - size, 0)
            low.append(dims.floordiv(missing, 2))
        else:
            before, after = pairs[axis]
            rest = size + before + after - reach
            fix = "pad more, or take a smaller window or dilation"
            dims.require_at_least(
                rest, 0, f"a window of {reach} is larger than axis {axis + 1} with its padding", fix=fix
            )
            count = dims.floordiv(rest, stride) + 1
            low.append(before)
        places.append(count)
    return tuple(low), tuple(places)


def parts_below(x: Tensor, window: Sequence[int], attrs: Mapping[str, Any], fill: TensorLike) -> list[Tensor]:
    """For each position in the window, in row-major order, the elements that are below it at all places.

    Args:
        x: examples, positions, channels.
        window: elements of the window along each axis.
        attrs: `strides` between windows, `dilation`: distance of the elements of a window; `spread`: distance of the
            elements of x, with `fill` between them; `low`: fill in front of x; `size`: places along each axis.
        fill: a number.
    """
    padded = _padded(_spread(x, attrs["spread"], fill), window, attrs, fill)
    found = []
    for offsets in itertools.product(*(range(count) for count in window)):
        starts = tuple(
            offset * dilation + dims.maximum(-low, 0)
            for offset, dilation, low in zip(offsets, attrs["dilation"], attrs["low"], strict=True)
        )
        cut = ((0, *starts, 0), (x.shape[0], *attrs["size"], x.shape[-1]), (1, *attrs["strides"], 1))
        whole = ((0,) * x.ndim, padded.shape, (1,) * x.ndim)
        names = ("starts", "lengths", "steps")
        found.append(padded if cut == whole else apply(SLICE, (padded,), **dict(zip(names, cut, strict=True))))
    return found


def _spread(x: Tensor, factors: Sequence[int], fill: TensorLike) -> Tensor:
    """The elements at larger distances."""
    for axis, factor in enumerate(factors, start=1):
        if factor > 1:
            apart = reshape(x, (*x.shape[: axis + 1], 1, *x.shape[axis + 1 :]))
            widths = tuple((0, factor - 1) if a == axis + 1 else (0, 0) for a in range(apart.ndim))
            wide = apply(PAD, (apart, convert(fill, x.dtype)), pad_width=widths)
            x = reshape(wide, (*x.shape[:axis], x.shape[axis] * factor, *x.shape[axis + 1 :]))
    return x


def _padded(x: Tensor, window: Sequence[int], attrs: Mapping[str, Any], fill: TensorLike) -> Tensor:
    """With so much on both sides that every window finds all of its elements."""
    widths: list[tuple[Dim, Dim]] = [(0, 0)]
    for size, count, stride, dilation, low, places in zip(
        x.shape[1:-1], window, attrs["strides"], attrs["dilation"], attrs["low"], attrs["size"], strict=True
    ):
        end = (places - 1) * stride + (count - 1) * dilation + 1 - low
        widths.append((dims.maximum(low, 0), dims.maximum(end - size, 0)))
    widths.append((0, 0))
    if all(width == (0, 0) for width in widths):
        return x
    return apply(PAD, (x, convert(fill, x.dtype)), pad_width=tuple(widths))


# --- as matrices ----------------------------------------------------------------------------------------------


def columns(x: Tensor, window: tuple[int, ...], attrs: Mapping[str, Any]) -> Tensor:
    """(groups, places, elements under the window · channels of a group): a convolution is one product with that.

    Its gradient in the weights reads the same columns, and CSE makes them once.
    """
    flat = concat(parts_below(x, window, attrs, 0.0), axis=-1)
    places, groups, count = dims.product(flat.shape[:-1]), attrs["groups"], math.prod(window)
    if groups == 1:
        return reshape(flat, (1, places, flat.shape[-1]))
    share = dims.floordiv(x.shape[-1], groups)
    apart = permute_dims(reshape(flat, (places, count, groups, share)), (2, 0, 1, 3))
    return reshape(apart, (groups, places, share * count))


def grouped(x: Tensor, groups: int) -> Tensor:
    """(groups, all before the last axis, channels of a group)."""
    rows = dims.product(x.shape[:-1])
    if groups == 1:
        return reshape(x, (1, rows, x.shape[-1]))
    return permute_dims(reshape(x, (rows, groups, dims.floordiv(x.shape[-1], groups))), (1, 0, 2))


def ungrouped(x: Tensor, shape: Shape) -> Tensor:
    """The way back, to a shape."""
    return reshape(x if x.shape[0] == 1 else permute_dims(x, (1, 0, 2)), shape)
