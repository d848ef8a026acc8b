"""Reductions of the parts of a tensor that carry the same number, and counts of what falls into bins."""

from __future__ import annotations

import math

import numpy as np

from graphc.errors import ArgumentError, DTypeError, ShapeError
from graphc.ir.dims import Dim, Shape
from graphc.ir.dtype import NUMERIC, DType, bool_, int64, names
from graphc.ir.opdef import OpDef, public
from graphc.ir.tensor import Tensor, apply
from graphc.ops.comparison import logical_or, where
from graphc.ops.define import TensorLike, as_shape, as_tensor, convert, float_operand, index_operand
from graphc.ops.gather import scatter_add
from graphc.ops.layout import reshape
from graphc.ops.precision import rounded_once
from graphc.ops.scatter import SCATTER_MAX, SCATTER_MIN, SCATTER_MULTIPLY
from graphc.ops.searching import searchsorted
from graphc.ops.sources import dim_value, full, ones, zeros


def _numbers(data: TensorLike) -> Tensor:
    node = as_tensor(data)
    return convert(node, int64) if node.dtype is bool_ else node


def _segments(what: str, data: Tensor, segment_ids: TensorLike, num_segments: Dim) -> tuple[Tensor, Shape]:
    """The ids, and the shape of a result with an entry per segment.

    Raises:
        ShapeError: the ids are not one per leading element of the data.
    """
    ids = index_operand(segment_ids, what)
    (count,) = as_shape((num_segments,))
    if ids.ndim == 0 or ids.ndim > data.ndim:
        raise ShapeError(
            f"{what}: the ids do not number parts of the data",
            expected="ids with at least one axis, of the sizes of the first axes of the data",
            got=f"data: {data.type}, ids: {ids.type}",
            fix="give an id for each row: the ids of data with the shape (n, …) have the shape (n,)",
        )
    return ids, (count, *data.shape[ids.ndim :])


def _reduced(op: OpDef, what: str, data: Tensor, ids: TensorLike, num_segments: Dim, nothing: float) -> Tensor:
    places, shape = _segments(what, data, ids, num_segments)
    return apply(op, (full(shape, nothing, dtype=data.dtype), places, data), axis=0)


@public
@rounded_once
def segment_sum(data: TensorLike, segment_ids: TensorLike, num_segments: Dim, /) -> Tensor:
    """The sum of the rows with each id; 0 where there is none. The ids need not be sorted.

    Args:
        data: numbers, of the shape (*ids, …); bools become int64.
        segment_ids: integers; negative ones count from the end.
        num_segments: how many segments there are.

    Raises:
        OutOfRangeError: when it runs, if an id is out of range.
    """
    node = _numbers(data)
    places, shape = _segments("segment_sum", node, segment_ids, num_segments)
    return scatter_add(zeros(shape, dtype=node.dtype), places, node)


@public
@rounded_once
def segment_prod(data: TensorLike, segment_ids: TensorLike, num_segments: Dim, /) -> Tensor:
    """The product of the rows with each id; 1 where there is none. The ids need not be sorted.

    Args:
        data: numbers, of the shape (*ids, …); bools become int64.
        segment_ids: integers; negative ones count from the end.
        num_segments: how many segments there are.

    Raises:
        OutOfRangeError: when it runs, if an id is out of range.
    """
    node = _numbers(data)
    return _reduced(SCATTER_MULTIPLY, "segment_prod", node, segment_ids, num_segments, 1)


def _limits(dtype: DType) -> tuple[float, float]:
    """The least and the greatest number of a dtype."""
    if dtype not in NUMERIC:
        fix = "take gc.abs(x) or gc.real(x)"
        raise DTypeError(f"{dtype} has no order", expected=names(NUMERIC), got=str(dtype), fix=fix)
    if dtype.kind == "float":
        return -math.inf, math.inf
    limits = np.iinfo(dtype.numpy)
    return limits.min, limits.max


@public
@rounded_once
def segment_max(data: TensorLike, segment_ids: TensorLike, num_segments: Dim, /) -> Tensor:
    """The largest element among the rows with each id, NaN if there is one; −inf, or the least integer, where there is
    no row. The ids need not be sorted. Ties share the gradient.

    Args:
        data: numbers, of the shape (*ids, …); bools become int64.
        segment_ids: integers; negative ones count from the end.
        num_segments: how many segments there are.

    Raises:
        OutOfRangeError: when it runs, if an id is out of range.
    """
    node = _numbers(data)
    return _reduced(SCATTER_MAX, "segment_max", node, segment_ids, num_segments, _limits(node.dtype)[0])


@public
@rounded_once
def segment_min(data: TensorLike, segment_ids: TensorLike, num_segments: Dim, /) -> Tensor:
    """The smallest element among the rows with each id, NaN if there is one; inf, or the greatest integer, where there
    is no row. The ids need not be sorted. Ties share the gradient.

    Args:
        data: numbers, of the shape (*ids, …); bools become int64.
        segment_ids: integers; negative ones count from the end.
        num_segments: how many segments there are.

    Raises:
        OutOfRangeError: when it runs, if an id is out of range.
    """
    node = _numbers(data)
    return _reduced(SCATTER_MIN, "segment_min", node, segment_ids, num_segments, _limits(node.dtype)[1])


@public
@rounded_once
def segment_mean(data: TensorLike, segment_ids: TensorLike, num_segments: Dim, /) -> Tensor:
    """The mean of the rows with each id; NaN where there is none. The ids need not be sorted.

    Args:
        data: numbers or bools, of the shape (*ids, …); integers become float32.
        segment_ids: integers; negative ones count from the end.
        num_segments: how many segments there are.

    Raises:
        OutOfRangeError: when it runs, if an id is out of range.
    """
    node = float_operand(data)
    ids = index_operand(segment_ids, "segment_mean")
    sums = segment_sum(node, ids, num_segments)
    counts = segment_sum(ones(ids.shape, dtype=node.dtype), ids, num_segments)
    return sums / reshape(counts, (sums.shape[0], *(1 for _ in sums.shape[1:])))


# --- counts -------------------------------------------------------------------------------------------------


@public
@rounded_once
def bincount(x: TensorLike, /, *, weights: TensorLike | None = None, length: Dim | None = None) -> Tensor:
    """How often each of the numbers 0, 1, … length - 1 occurs, int64; with weights, the sums of these.

    Args:
        x: integers of any shape; negative ones count from the end.
        weights: numbers, of the shape of x.
        length: how many numbers there are.

    Raises:
        ArgumentError: there is no `length`.
        OutOfRangeError: when it runs, if an element of x is out of range.
    """
    if length is None:
        raise ArgumentError(
            "bincount: the largest element is not known before the graph runs, and shapes are",
            expected="length=, one more than the largest element can be",
            got="no length",
            fix="gc.bincount(x, length=10) counts the numbers 0 to 9; gc.clip keeps them in range",
        )
    places = index_operand(x, "bincount")
    values = ones(places.shape, dtype=int64) if weights is None else as_tensor(weights)
    return segment_sum(reshape(values, (-1,)), reshape(places, (-1,)), length)


@public
@rounded_once
def histogram(x: TensorLike, bins: TensorLike, /, *, weights: TensorLike | None = None) -> tuple[Tensor, Tensor]:
    """How many elements fall into each bin, int64, and the edges of the bins; with weights, the sums of these.

    A bin holds its lower edge, and the last one its upper edge, too. What is outside of all is not counted, nor is NaN.

    Args:
        x: numbers of any shape.
        bins: the edges in ascending order: one more than there are bins.
        weights: numbers, of the shape of x.
    """
    edges, values = as_tensor(bins), reshape(as_tensor(x), (-1,))
    if edges.ndim != 1 or edges.shape[0] in (0, 1):
        raise ArgumentError(
            "histogram: these are no edges of bins",
            expected="a vector of at least two numbers, in ascending order",
            got=str(edges.type),
            fix="name the edges: [0.0, 0.5, 1.0] are those of two bins, gc.linspace(0, 1, 11) those of ten",
        )
    count = dim_value(edges.shape[0] - 1)
    places = searchsorted(edges, values, side="right") - 1
    places = where(values == edges[-1], count - 1, places)
    places = where(logical_or(places < 0, places > count), count, places)  # behind the last bin, and cut off there
    return bincount(places, weights=weights, length=edges.shape[0])[:-1], edges
