"""x[index] and x.at[index]: what an index of NumPy's kinds reads, as a slice, one gather, and an order of axes.

Integers along several axes become one position along those axes merged into one: so all indexing is `take` and its
updates, which know one axis. The order of the axes is NumPy's: what the indices broadcast to takes the place of the
axes that they index if these are neighbours, ints among them, and comes first if not.
"""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from graphc.errors import NO_ORIGINS, ArgumentError, DTypeError, GraphcError, OutOfRangeError, ShapeError
from graphc.ir import dims
from graphc.ir.dims import Dim, Shape
from graphc.ir.dtype import bool_
from graphc.ir.opdef import public
from graphc.ir.tensor import Tensor, apply
from graphc.ops.arithmetic import add, multiply
from graphc.ops.comparison import where
from graphc.ops.define import TensorLike, as_tensor, constant_node
from graphc.ops.gather import POSITIONS, TAKE
from graphc.ops.layout import permute_dims, reshape
from graphc.ops.slicing import SLICE, Axis, out_of_axis, resolve
from graphc.ops.sources import dim_value


class Indices(NamedTuple):
    """Integers that index an axis.

    Attributes:
        values: an array if they are known.
        mask: the size that the axis must have, if they are where a mask is true.
    """

    values: np.ndarray | Tensor
    mask: int | None = None


class Gather(NamedTuple):
    """Indices along an axis.

    Attributes:
        axis: of the slice.
        named: the same axis of x, for errors.
        indices: integers.
        known: whether they have been checked, and count from 0.
    """

    axis: int
    named: int
    indices: Tensor
    known: bool


class Subscript(NamedTuple):
    """What x[index] is made of.

    Attributes:
        slices: starts, lengths and steps; `None` for all of x.
        sliced: the shape of that, without the axes of ints.
        gathers: along axes of it, in their order.
        place: how many of its axes come before those of the indices in the result.
        shape: of the result.
    """

    slices: dict[str, Any] | None
    sliced: Shape
    gathers: tuple[Gather, ...]
    place: int
    shape: Shape


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


# --- from the index -----------------------------------------------------------------------------------------


def parse(x: Tensor, index: Any) -> Subscript:
    """What an index means for x.

    Raises:
        OutOfRangeError, ShapeError, DTypeError, ArgumentError: nothing.
    """
    try:
        entries = [part for entry in (index if isinstance(index, tuple) else (index,)) for part in _entries(entry)]
        return _Parsing(x, _expand_ellipsis(entries, x)).subscript()
    except GraphcError:
        dims.take_guards(NO_ORIGINS)  # those of earlier entries must not reach another node
        raise


def _entries(entry: Any) -> Sequence[Any]:
    """An entry as it is, or as indices: a mask indexes as many axes as it has."""
    if isinstance(entry, Tensor):
        return [Indices(_require_integers(entry))]
    if not isinstance(entry, (list, tuple, np.ndarray)):
        return [entry]
    array: np.ndarray = as_tensor(entry).attrs["value"]
    if not isinstance(entry, np.ndarray) and not array.size and array.dtype.kind == "f":
        array = array.astype(np.int64)
    if array.ndim == 0:
        return [array[()]]
    if array.dtype.kind == "b":
        return [Indices(at, size) for at, size in zip(np.nonzero(array), array.shape, strict=True)]
    if array.dtype.kind not in "iu":
        raise _no_index(f"{array.dtype}{dims.shape_text(array.shape)}")
    return [Indices(array)]


def _require_integers(entry: Tensor) -> Tensor:
    if entry.dtype is bool_:
        raise ArgumentError(
            "a mask that is computed cannot index a tensor: how many elements it picks is known only when it runs",
            expected="integers, or a mask that is an array",
            got=repr(entry),
            fix="choose elements in their places with gc.where(mask, x, y), and sum or average over those",
        )
    if entry.dtype.kind not in ("int", "uint"):
        raise _no_index(repr(entry))
    return entry


def _no_index(got: str) -> DTypeError:
    return DTypeError(
        "this cannot index a tensor: indices are integers",
        expected="an integer dtype",
        got=got,
        fix="convert them with .astype(gc.int64)",
    )


def _expand_ellipsis(entries: Sequence[Any], node: Tensor) -> list[Any]:
    """The entries with a slice for each axis that none names; an ellipsis for no axis stays, as it separates."""
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
    filler = [builtins.slice(None)] * (node.ndim - named)
    if not gaps:
        return [*entries, *filler]
    return [*entries[: gaps[0]], *(filler or [Ellipsis]), *entries[gaps[0] + 1 :]]


class _Place(NamedTuple):
    """Where an int or indices stand in an index: what is before them."""

    separators: int
    axes: int  # of the result
    slices: int


class _Parsing:
    """Entry by entry: what is picked of each axis, and where the axes of the result come from."""

    def __init__(self, x: Tensor, entries: Sequence[Any]) -> None:
        self._x = x
        self._entries = entries
        self._picked: list[Axis] = []
        self._sliced: list[Dim] = []
        self._gathers: list[Gather] = []
        self._shape: list[Dim] = []
        self._places: list[_Place] = []
        self._separators = self._slices = 0

    def subscript(self) -> Subscript:
        """The result."""
        for entry in self._entries:
            self._add(entry)
        place = 0
        if self._gathers:
            first, last = self._places[0], self._places[-1]
            together = first.separators == last.separators
            place, at = (first.slices, first.axes) if together else (0, 0)
            self._shape[at:at] = self._common_shape()
        return Subscript(self._attrs(), tuple(self._sliced), tuple(self._gathers), place, tuple(self._shape))

    def _add(self, entry: Any) -> None:
        """Notes an entry, and what it adds to the shape of the result."""
        if entry is None or entry is Ellipsis:
            self._shape += [1] if entry is None else []
            self._separators += 1
            return
        size = self._x.shape[len(self._picked)]
        if isinstance(entry, Indices):
            self._places.append(_Place(self._separators, len(self._shape), self._slices))
            indices, known = _checked(entry, size, len(self._picked))
            self._gathers.append(Gather(len(self._sliced), len(self._picked), indices, known))
            self._picked.append(Axis(0, size, 1))
            self._sliced.append(size)
            return
        picked = resolve(entry, size)
        self._picked.append(picked)
        if not isinstance(entry, builtins.slice):
            self._places.append(_Place(self._separators, len(self._shape), self._slices))
            return
        self._shape.append(picked.length)
        self._sliced.append(picked.length)
        self._separators += 1
        self._slices += 1

    def _attrs(self) -> dict[str, Any] | None:
        """Those of a slice, unless that is all of x."""
        if all(axis == (0, size, 1) for axis, size in zip(self._picked, self._x.shape, strict=True)):
            return None
        starts, lengths, steps = (tuple(part) for part in zip(*self._picked, strict=True))
        return {"starts": starts, "lengths": lengths, "steps": steps}

    def _common_shape(self) -> Shape:
        shapes = [gather.indices.shape for gather in self._gathers]
        try:
            return dims.broadcast(shapes)
        except ShapeError:
            raise ShapeError(
                "the indices along several axes do not broadcast together",
                expected="sizes that are equal or 1 on each axis, counted from the last",
                got=", ".join(map(dims.shape_text, shapes)),
                fix="for all combinations make one of them a column: x[rows[:, None], columns]",
            ) from None


def _checked(entry: Indices, size: Dim, axis: int) -> tuple[Tensor, bool]:
    """Indices as a tensor; if they are known, held to the axis, and counted from 0."""
    if isinstance(entry.values, Tensor):
        return entry.values, False
    array = entry.values.astype(np.int64)
    if entry.mask is not None:
        _require_mask(entry.mask, size, axis)
    low, high = (int(entry.values.min()), int(entry.values.max())) if array.size else (0, -1)
    try:
        for needed in (high + 1, -low):
            dims.require_at_least(size, needed, f"an index is out of range for axis {axis}")
    except ShapeError as error:
        raise out_of_axis(error.message, size, f"indices from {low} to {high}") from None
    if low >= 0 or isinstance(size, int):
        return constant_node(np.where(array < 0, array + size, array) if isinstance(size, int) else array), True
    known = constant_node(array)
    return where(known < 0, add(known, dim_value(size)), known), True


def _require_mask(mask: int, size: Dim, axis: int) -> None:
    dims.require_equal(
        size,
        mask,
        f"the mask does not fit axis {axis}",
        expected="a mask of the sizes of the axes that it indexes, not {right} for {left}",
        fix="cut or pad the mask, or compute it from data of this shape",
    )
