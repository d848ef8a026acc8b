"""What an index of NumPy's kinds means: a slice, integers along its axes, and an order of axes.

The order of the axes is NumPy's: what the indices broadcast to takes the place of the axes that they index if these are
neighbours, ints among them, and comes first if not.
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
from graphc.ir.tensor import Tensor
from graphc.ops.arithmetic import add
from graphc.ops.comparison import where
from graphc.ops.define import as_tensor, constant_node
from graphc.ops.slicing import Axis, out_of_axis, resolve
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
            fix="gc.where(mask, x, y) keeps elements in their places; x[gc.nonzero(mask, size=n)] takes n of them",
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
    filler: list[Any] = [builtins.slice(None)] * (node.ndim - named)
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
    try:
        dims.require_equal(size, mask, f"the mask does not fit axis {axis}")
    except ShapeError as error:
        raise ShapeError(
            error.message,
            expected=f"a mask of size {size} there",
            got=f"one of size {mask}",
            fix="compute the mask from data of this shape; a mask for another axis comes behind a colon: x[:, mask]",
        ) from None
