"""Sets: the distinct elements of a tensor, and which elements are among those of another.

How many there are depends on the data, and shapes do not: the caller says how many there can be, with `size=`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from graphc.ir.dims import Dim
from graphc.ir.dtype import bool_, int64
from graphc.ir.opdef import public
from graphc.ir.tensor import Tensor
from graphc.ops.comparison import logical_and, logical_not, logical_or
from graphc.ops.cumulative import count_up, cumulative_sum, shifted
from graphc.ops.define import TensorLike, as_tensor, common_dtype, convert
from graphc.ops.gather import scatter_add, take
from graphc.ops.layout import concat, pad, reshape
from graphc.ops.precision import rounded_once
from graphc.ops.searching import required_size, searchsorted
from graphc.ops.sorting import argsort, sort
from graphc.ops.sources import ones, zeros


@public
def isin(x1: TensorLike, x2: TensorLike, /, *, invert: bool = False) -> Tensor:
    """Which elements of x1 are among those of x2, bool. NaN equals nothing.

    Args:
        x1: numbers or bools, of any shape.
        x2: numbers or bools, of any shape.
        invert: whether to tell those that are not.
    """
    values, dtype = common_dtype([x1, x2])
    wanted, among = (convert(value, dtype) for value in values)
    ordered = sort(reshape(among, (-1,)))
    found = searchsorted(ordered, wanted, side="right") > searchsorted(ordered, wanted, side="left")
    if wanted.dtype.kind == "float":
        found = logical_and(found, wanted == wanted)
    return logical_not(found) if invert else found


# --- distinct elements --------------------------------------------------------------------------------------


class UniqueAll(NamedTuple):
    """Distinct elements.

    Attributes:
        values: the elements, in ascending order.
        indices: the position of the first of each in the flattened tensor, int64.
        inverse_indices: for each element of the tensor, where it stands among the values, int64.
        counts: how often each occurs, int64.
    """

    values: Tensor
    indices: Tensor
    inverse_indices: Tensor
    counts: Tensor


class UniqueCounts(NamedTuple):
    """Distinct elements, and how often each occurs: see `UniqueAll`."""

    values: Tensor
    counts: Tensor


class UniqueInverse(NamedTuple):
    """Distinct elements, and where each element stands among them: see `UniqueAll`."""

    values: Tensor
    inverse_indices: Tensor


def _numbers(ordered: Tensor) -> Tensor:
    """For sorted elements, how many distinct ones stand before each."""
    count = ordered.shape[0]
    first = concat([ones((1,), dtype=bool_), zeros((count,), dtype=bool_)])[:-1]  # of any size, 0 included
    new = logical_or(first, ordered != shifted(ordered, 0, ahead=False))
    return cumulative_sum(convert(new, int64)) - 1


def _runs(ordered: Tensor, numbers: Tensor, size: Dim, fill_value: Any) -> tuple[Tensor, Tensor, Tensor]:
    """Where runs of equal elements begin, what they consist of, and how long they are; 0 if none is left."""
    starts = searchsorted(numbers, count_up(size))
    ends = searchsorted(numbers, count_up(size), side="right")
    filled = pad(ordered, (0, 1), constant_values=convert(fill_value, ordered.dtype))
    return starts, take(filled, starts), ends - starts


def _flat(x: TensorLike) -> Tensor:
    return reshape(as_tensor(x), (-1,))


@public
@rounded_once
def unique_values(x: TensorLike, /, *, size: Dim | None = None, fill_value: Any = 0) -> Tensor:
    """The distinct elements, in ascending order. Every NaN is one; of −0 and 0, the first is taken.

    Args:
        x: numbers or bools.
        size: how many values there are to be: of more, the smallest are kept.
        fill_value: what stands behind them where there are fewer.

    Raises:
        ArgumentError: there is no `size`.
    """
    count = required_size("unique_values", size, _DISTINCT)
    ordered = sort(_flat(x))
    return _runs(ordered, _numbers(ordered), count, fill_value)[1]


@public
@rounded_once
def unique_counts(x: TensorLike, /, *, size: Dim | None = None, fill_value: Any = 0) -> UniqueCounts:
    """The distinct elements, in ascending order, and how often each occurs.

    Args:
        x: numbers or bools.
        size: how many values there are to be: of more, the smallest are kept.
        fill_value: the value where there are fewer; their counts are 0.

    Raises:
        ArgumentError: there is no `size`.
    """
    count = required_size("unique_counts", size, _DISTINCT)
    ordered = sort(_flat(x))
    _, values, counts = _runs(ordered, _numbers(ordered), count, fill_value)
    return UniqueCounts(values, counts)


@public
@rounded_once
def unique_inverse(x: TensorLike, /, *, size: Dim | None = None, fill_value: Any = 0) -> UniqueInverse:
    """The distinct elements, in ascending order, and for each element of x where it stands among them.

    Args:
        x: numbers or bools.
        size: how many values there are to be: of more, the smallest are kept, and others stand at `size` and beyond.
        fill_value: the value where there are fewer.

    Raises:
        ArgumentError: there is no `size`.
    """
    required_size("unique_inverse", size, _DISTINCT)
    found = unique_all(x, size=size, fill_value=fill_value)
    return UniqueInverse(found.values, found.inverse_indices)


@public
@rounded_once
def unique_all(x: TensorLike, /, *, size: Dim | None = None, fill_value: Any = 0) -> UniqueAll:
    """The distinct elements, in ascending order; the first position of each in the flattened tensor; for each element
    of x where it stands among them; and how often each occurs.

    Args:
        x: numbers or bools.
        size: how many values there are to be: of more, the smallest are kept, and others stand at `size` and beyond.
        fill_value: the value where there are fewer; their positions and counts are 0.

    Raises:
        ArgumentError: there is no `size`.
    """
    count = required_size("unique_all", size, _DISTINCT)
    node = as_tensor(x)
    flat = _flat(node)
    order = argsort(flat)
    ordered = take(flat, order)
    numbers = _numbers(ordered)
    starts, values, counts = _runs(ordered, numbers, count, fill_value)
    places = scatter_add(zeros(flat.shape, dtype=int64), order, numbers)
    return UniqueAll(values, take(pad(order, (0, 1)), starts), reshape(places, node.shape), counts)


_DISTINCT = "gc.sort(x) has equal elements side by side"
