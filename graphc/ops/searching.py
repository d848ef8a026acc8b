"""What is found in data: places in sorted elements, and elements that are not zero.

How many there are depends on the data, and shapes do not: the caller says how many there can be, with `size=`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphc.errors import ArgumentError, ShapeError
from graphc.ir.dims import Dim, product
from graphc.ir.dtype import BOOL, bool_, int64
from graphc.ir.opdef import Kind, public
from graphc.ir.tensor import Tensor, apply
from graphc.ir.types import TensorType
from graphc.ops.comparison import where
from graphc.ops.define import Axes, TensorLike, as_shape, as_tensor, bool_operand, convert, define, record
from graphc.ops.gather import take
from graphc.ops.layout import reshape, stack
from graphc.ops.reductions import sum
from graphc.ops.sorting import ORDERED
from graphc.ops.sources import dim_value

_DISCRETE = "its result is discrete"


def _search_type(types: tuple[TensorType, ...], attrs: Mapping[str, Any]) -> TensorType:
    ordered, wanted = types
    if ordered.ndim != 1:
        raise ShapeError(
            "searchsorted: what is searched has one axis",
            expected="sorted elements on one axis",
            got=str(ordered),
            fix="search each row by itself, or flatten it with gc.reshape(x, (-1,)) before it is sorted",
        )
    return TensorType(int64, wanted.shape)


def _search(xp: Any, ordered: Any, wanted: Any, side: str) -> Any:
    return xp.asarray(xp.searchsorted(ordered, wanted, side=side), dtype="int64")


SEARCHSORTED = define("searchsorted", Kind.INDEXING, _search_type, _DISCRETE, dtypes=ORDERED, array_fn=_search)


@public
def searchsorted(x1: TensorLike, x2: TensorLike, /, *, side: str = "left", sorter: TensorLike | None = None) -> Tensor:
    """The positions in sorted elements before which those of x2 would have to stand, int64. NaN counts as the largest.

    Args:
        x1: elements on one axis, in ascending order.
        x2: of any shape.
        side: "left" for the first such position, "right" for the last: whether equal elements stand after or before.
        sorter: positions that sort x1, such as `argsort(x1)`, if it is not sorted.
    """
    if side not in ("left", "right"):
        raise ArgumentError(
            "searchsorted: there are two sides",
            expected='"left" or "right"',
            got=repr(side),
            fix='"left" puts a new element before its equals, "right" behind them',
        )
    ordered = as_tensor(x1)
    return record(SEARCHSORTED, ordered if sorter is None else take(ordered, sorter), x2, side=side)


# --- elements that are not zero -----------------------------------------------------------------------------


@public
def count_nonzero(x: TensorLike, /, *, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """How many elements over axes are not zero, int64. NaN is not.

    Args:
        x: numbers or bools.
        axis: an int, several, or `None` for all.
        keepdims: whether the reduced axes stay, with size 1.
    """
    return sum(convert(bool_operand(x), int64), axis=axis, keepdims=keepdims)


def required_size(what: str, size: Dim | None, instead: str) -> Dim:
    """The number of results that a caller must state.

    Raises:
        ArgumentError: it is missing.
    """
    if size is None:
        raise ArgumentError(
            f"{what}: how many there are depends on the data, and shapes are fixed before the graph runs",
            expected="size=, how many there can be at most",
            got="no size",
            fix=f"gc.{what}(x, size=10) keeps 10, and fills up with fill_value= where there are fewer; {instead}",
        )
    (count,) = as_shape((size,))
    return count


def _fill_values(fill_value: Any, rank: int) -> list[int]:
    given = list(fill_value) if isinstance(fill_value, (tuple, list)) else [fill_value] * rank
    if len(given) != rank:
        raise ArgumentError(
            "nonzero: the fill values do not fit the axes",
            expected=f"an int, or {rank} of them, one per axis",
            got=repr(fill_value),
            fix="an index that no element has, such as -1, tells where there is nothing",
        )
    return given


def _positions_type(types: tuple[TensorType, ...], attrs: Mapping[str, Any]) -> TensorType:
    (truths,) = types
    if truths.dtype is not bool_ or truths.ndim != 1:
        raise ShapeError("true_positions takes a vector of bools")
    return TensorType(int64, (attrs["size"],))


def _positions(xp: Any, x: Any, size: int) -> Any:
    """The k-th is where the number of those so far becomes k."""
    return _search(xp, xp.cumsum(x, dtype="int64"), xp.arange(1, size + 1), "left")


TRUE_POSITIONS = define("true_positions", Kind.INDEXING, _positions_type, _DISCRETE, dtypes=BOOL, array_fn=_positions)
"""The first positions at which a vector of bools is true; behind the last of them, its length."""


@public
def nonzero(x: TensorLike, /, *, size: Dim | None = None, fill_value: Any = 0) -> tuple[Tensor, ...]:
    """The positions of the elements that are not zero, in row-major order: an index per axis, int64.

    Args:
        x: numbers or bools, with at least one axis.
        size: how many positions there are to be: of more, the first are kept.
        fill_value: the index where there are fewer, or one per axis.

    Raises:
        ArgumentError: there is no `size`.
        ShapeError: x is a scalar.
    """
    node = bool_operand(x)
    if node.ndim == 0:
        raise ShapeError(
            "nonzero: a scalar has no positions",
            expected="a tensor with axes",
            got=str(node.type),
            fix="compare with `x != 0`; gc.reshape(x, (1,)) gives it an axis",
        )
    count = required_size("nonzero", size, "gc.count_nonzero(x) counts them, gc.where(x, y, z) needs no positions")
    fills = _fill_values(fill_value, node.ndim)
    places = apply(TRUE_POSITIONS, (reshape(node, (-1,)),), size=count)
    exists = places < dim_value(node.size)
    found = []
    for axis, fill in enumerate(fills):
        index = places if axis == node.ndim - 1 else places // dim_value(product(node.shape[axis + 1 :]))
        index = index if axis == 0 else index % dim_value(node.shape[axis])
        found.append(where(exists, index, convert(fill, int64)))
    return tuple(found)


@public
def argwhere(x: TensorLike, /, *, size: Dim | None = None, fill_value: Any = 0) -> Tensor:
    """The positions of the elements that are not zero, in row-major order: a row of indices each, int64.

    Args:
        x: numbers or bools, with at least one axis.
        size: how many rows there are to be: of more positions, the first are kept.
        fill_value: the index where there are fewer, or one per axis.

    Raises:
        ArgumentError: there is no `size`.
        ShapeError: x is a scalar.
    """
    return stack(nonzero(x, size=size, fill_value=fill_value), axis=-1)
