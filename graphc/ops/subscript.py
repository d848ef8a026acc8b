"""x[index] for every index of NumPy's kinds, as a slice, one gather, and an order of axes.

Integers along several axes become one position along those axes merged into one: so all indexing is `take` and its
updates, which know one axis.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.ir import dims
from graphc.ir.dims import Dim
from graphc.ir.opdef import public
from graphc.ir.tensor import Tensor, apply
from graphc.ops.arithmetic import add, multiply
from graphc.ops.define import TensorLike, as_tensor
from graphc.ops.gather import POSITIONS, TAKE
from graphc.ops.index import Gather, Subscript, parse
from graphc.ops.layout import expand_dims, permute_dims, reshape
from graphc.ops.slicing import SLICE
from graphc.ops.sources import arange, dim_value


@public
def getitem(x: TensorLike, index: Any) -> Tensor:
    """x[index] with NumPy's meaning: ints, slices, ellipsis, `None`, and integers in lists, arrays and tensors.

    Args:
        x: a tensor, also of symbolic sizes.
        index: one entry, or a tuple of them. A mask must be an array whose elements are known.

    Raises:
        OutOfRangeError: a position is out of range: when it is recorded, or of a tensor of positions when it runs.
        ArgumentError: the index is of another kind.
    """
    node = as_tensor(x)
    subscript = parse(node, index)
    part = sliced(node, subscript)
    if subscript.gathers:
        merged = Merged(reshape(part, subscript.sliced), subscript)
        part = merged.placed(apply(TAKE, (merged.tensor, merged.indices), axis=merged.axis))
    return reshape(part, subscript.shape)


def sliced(x: Tensor, subscript: Subscript) -> Tensor:
    """The slice of an index, all axes kept."""
    return x if subscript.slices is None else apply(SLICE, (x,), **subscript.slices)


# --- one gather for all -------------------------------------------------------------------------------------


class Merged:
    """A slice with the axes that are indexed merged into one.

    Axes between them are merged, too, with all their positions, if those are known and few: else they are moved out of
    the way, which copies the slice.

    Attributes:
        tensor: the slice, such that.
        indices: along the merged axis.
        axis: the merged axis.
        rank: how many axes the indices broadcast to; those of what is between follow.
    """

    def __init__(self, part: Tensor, subscript: Subscript) -> None:
        axes = [gather.axis for gather in subscript.gathers]
        run: Sequence[int] = range(axes[0], axes[-1] + 1)
        between = [axis for axis in run if axis not in axes]
        if not _are_few([part.shape[axis] for axis in between], part, subscript):
            run, between = axes, []
        before = list(range(axes[0]))
        self._order = [*before, *run, *(axis for axis in range(axes[0], part.ndim) if axis not in run)]
        self._place = subscript.place
        self.rank = max(gather.indices.ndim for gather in subscript.gathers)
        self.axis = len(before)
        self.indices = _merged_indices(subscript, between)
        permuted = permute_dims(part, self._order)
        self._unmerged = permuted.shape
        stop = self.axis + len(run)
        count = dims.product(permuted.shape[self.axis : stop])
        self.tensor = reshape(permuted, (*permuted.shape[: self.axis], count, *permuted.shape[stop:]))

    def split(self, tensor: Tensor) -> Tensor:
        """What looks like `tensor` with the axes of the slice again."""
        back = [self._order.index(axis) for axis in range(len(self._order))]
        return permute_dims(reshape(tensor, self._unmerged), back)

    def placed(self, taken: Tensor) -> Tensor:
        """What was taken, with the axes of the indices in their place."""
        return permute_dims(taken, self._result_order(taken.ndim))

    def unplaced(self, values: Tensor) -> Tensor:
        """Values in the order of the result in that of what is taken."""
        order = self._result_order(values.ndim)
        return permute_dims(values, [order.index(axis) for axis in range(len(order))])

    def _result_order(self, rank: int) -> list[int]:
        stop = self.axis + self.rank
        others = [*range(self.axis), *range(stop, rank)]
        return [*others[: self._place], *range(self.axis, stop), *others[self._place :]]


def _are_few(between: Sequence[Dim], part: Tensor, subscript: Subscript) -> bool:
    """Whether the positions on some axes are known, and reading them one by one is less than copying all."""
    result, whole = dims.product(subscript.shape), part.size
    is_less = not (isinstance(result, int) and isinstance(whole, int)) or result < whole
    return is_less and all(isinstance(size, int) for size in between)


def _merged_indices(subscript: Subscript, between: Sequence[int]) -> Tensor:
    """The position along the merged axes; that of a single axis is checked by what reads there."""
    first, *others = subscript.gathers
    if not others:
        return first.indices
    places = {gather.axis: _in_front(_position(gather, subscript), len(between)) for gather in (first, *others)}
    for behind, axis in enumerate(reversed(between)):
        size = subscript.sliced[axis]
        assert isinstance(size, int)
        places[axis] = _in_front(arange(size), behind)
    position, *rest = (places[axis] for axis in sorted(places))
    for axis, place in zip(sorted(places)[1:], rest, strict=True):
        size = subscript.sliced[axis]
        position = add(multiply(position, size if isinstance(size, int) else dim_value(size)), place)
    return position


def _in_front(position: Tensor, count: int) -> Tensor:
    """Positions with so many axes of size 1 behind them."""
    return expand_dims(position, tuple(range(-count, 0)))


def _position(gather: Gather, subscript: Subscript) -> Tensor:
    if gather.known:
        return gather.indices
    size, used = subscript.sliced[gather.axis], dims.product(subscript.shape)
    return apply(POSITIONS, (gather.indices,), size=size, used=used, axis=gather.named)
