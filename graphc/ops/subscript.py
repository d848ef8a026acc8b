"""x[index] for every index of NumPy's kinds, as a slice, one gather, and an order of axes.

Integers along several axes become one position along those axes merged into one: so all indexing is `take` and its
updates, which know one axis.
"""

from __future__ import annotations

from typing import Any

from graphc.ir import dims
from graphc.ir.opdef import public
from graphc.ir.tensor import Tensor, apply
from graphc.ops.arithmetic import add, multiply
from graphc.ops.define import TensorLike, as_tensor
from graphc.ops.gather import POSITIONS, TAKE
from graphc.ops.index import Gather, Subscript, parse
from graphc.ops.layout import permute_dims, reshape
from graphc.ops.slicing import SLICE
from graphc.ops.sources import dim_value


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

    Attributes:
        tensor: the slice, such that.
        indices: along the merged axis.
        axis: the merged axis.
    """

    def __init__(self, part: Tensor, subscript: Subscript) -> None:
        axes = [gather.axis for gather in subscript.gathers]
        before = [axis for axis in range(axes[0]) if axis not in axes]
        self._order = [*before, *axes, *(axis for axis in range(axes[0], part.ndim) if axis not in axes)]
        self._place = subscript.place
        self.axis = len(before)
        self.indices = _merged_indices(subscript)
        permuted = permute_dims(part, self._order)
        self._unmerged = permuted.shape
        count = dims.product(permuted.shape[self.axis : self.axis + len(axes)])
        rest = permuted.shape[self.axis + len(axes) :]
        self.tensor = reshape(permuted, (*permuted.shape[: self.axis], count, *rest))

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
        stop = self.axis + self.indices.ndim
        others = [*range(self.axis), *range(stop, rank)]
        return [*others[: self._place], *range(self.axis, stop), *others[self._place :]]


def _merged_indices(subscript: Subscript) -> Tensor:
    """The position along the merged axes; that of a single axis is checked by what reads there."""
    first, *others = subscript.gathers
    if not others:
        return first.indices
    position = _position(first, subscript)
    for gather in others:
        size = subscript.sliced[gather.axis]
        number = size if isinstance(size, int) else dim_value(size)
        position = add(multiply(position, number), _position(gather, subscript))
    return position


def _position(gather: Gather, subscript: Subscript) -> Tensor:
    if gather.known:
        return gather.indices
    size, used = subscript.sliced[gather.axis], dims.product(subscript.shape)
    return apply(POSITIONS, (gather.indices,), size=size, used=used, axis=gather.named)
