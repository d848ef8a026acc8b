"""Over which loops a group runs: the space of its values, and which of its axes are reduced."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from graphc.errors import InternalError
from graphc.ir.dims import Dim, Shape, product, shape_text
from graphc.ir.graph import Graph
from graphc.ir.opdef import Kind
from graphc.ir.tensor import Tensor
from graphc.lowering.index import Index, Ranges, segments
from graphc.lowering.kernel import Axis, axis_symbol


class Space(NamedTuple):
    """The shape of the full values of a group, and which axes its reductions take away.

    Attributes:
        shape: sizes of the axes.
        reduced: for each of them, whether it is reduced.
    """

    shape: Shape
    reduced: tuple[bool, ...]

    @property
    def row_shape(self) -> Shape:
        """The shape of what the reductions give."""
        return tuple(size for size, reduced in zip(self.shape, self.reduced, strict=True) if not reduced)


class Loops(NamedTuple):
    """The axes of a kernel, and the indices on them of the point at hand.

    Attributes:
        axes: none of size 1; but at least one that is reduced where there are reductions.
        full: the index into values of the space.
        row: the index into values of the space without its reduced axes.
    """

    axes: tuple[Axis, ...]
    full: Index
    row: Index


def find_space(body: Graph) -> Space:
    """The space of a group: what its reductions reduce, or else the shape of its results.

    Of several shapes with the same elements in the same order, it is the one with most axes: what an index of a
    flattened value is in terms of its axes is a sum, while the other way it takes a division.
    """
    reductions = reductions_of(body)
    sources = [node.inputs[0] for node in reductions] or list(body.results)
    if not sources:
        raise InternalError("a kernel has results", got=repr(body))
    shape = sources[0].shape
    axes = reduced_axes(reductions[0]) if reductions else ()
    space = Space(shape, tuple(axis in axes for axis in range(len(shape))))
    finest = max((s for s in _equivalent_shapes(sources) if _refines(s, shape)), key=_extent, default=shape)
    if reductions and not axes:  # over nothing: each row is one element
        return Space((*finest, 1), (*[False] * len(finest), True))
    if _extent(finest) <= _extent(shape):
        return space
    flags = [False] * len(finest)
    for mine, theirs in segments(finest, shape):
        for axis in mine:
            flags[axis] = any(space.reduced[other] for other in theirs)
    if reductions and not any(flags):  # over axes of size 1, which the finest shape has not
        return Space((*finest, 1), (*flags, True))
    return Space(finest, tuple(flags))


def make_loops(space: Space, ranges: Ranges, reduces: bool) -> Loops:
    """Loops over a space; declares the ranges of their indices."""
    axes: list[Axis] = []
    index: list[Dim] = []
    for size, reduced in zip(space.shape, space.reduced, strict=True):
        if size == 1:
            index.append(0)
            continue
        symbol = axis_symbol(len(axes))
        axes.append(Axis(str(symbol), size, reduced))
        index.append(ranges.declare(symbol, size))
    if reduces and not any(axis.reduced for axis in axes):
        axes.append(Axis(str(axis_symbol(len(axes))), 1, True))
    row_index = [at for at, reduced in zip(index, space.reduced, strict=True) if not reduced]
    return Loops(tuple(axes), tuple(index), tuple(row_index))


def is_full(result: Tensor, space: Space) -> bool:
    """Whether a result has an element per point of the space, rather than one per row.

    Raises:
        InternalError: it has neither.
    """
    full = _likeness(result.shape, space.shape)
    row = _likeness(result.shape, space.row_shape) if any(space.reduced) else 0
    if not full and not row:
        raise InternalError(
            "a result of a fused group has neither the shape of its space nor that of its rows",
            expected=f"as many elements as {shape_text(space.shape)} or {shape_text(space.row_shape)}",
            got=repr(result),
            origins=result.origins,
        )
    return full > row


def require_reduces(node: Tensor, space: Space) -> None:
    """Holds a reduction to the space: it reduces the same axes.

    Raises:
        InternalError: it reduces others, or another space.
    """
    shape, axes = node.inputs[0].shape, reduced_axes(node)
    fits = _same_size(shape, space.shape) and all(
        len({space.reduced[axis] for axis in mine} | {axis in axes for axis in theirs}) == 1
        for mine, theirs in segments(space.shape, shape)
    )
    if not fits:
        raise InternalError(
            "a reduction of a fused group reduces another space than the first one",
            expected=f"{shape_text(space.shape)}, reduced: {space.reduced}",
            got=f"{node!r} of {shape_text(shape)} over {axes}",
            origins=node.origins,
        )


def reductions_of(body: Graph) -> list[Tensor]:
    """The reductions of a group, operands before users."""
    given = set(body.parameters)
    return [node for node in body.nodes if node.op.kind is Kind.REDUCTION and node not in given]


def reduced_axes(node: Tensor) -> tuple[int, ...]:
    """The axes of its operand that a reduction takes away."""
    axis = node.attrs["axis"]
    return axis if isinstance(axis, tuple) else (axis,)


def _equivalent_shapes(sources: Iterable[Tensor]) -> dict[Shape, None]:
    """The shapes of what values are made of by elementwise ops and reshapes: the same elements in the same order."""
    found: dict[Shape, None] = {}
    pending, seen = list(sources), set()
    while pending:
        node = pending.pop()
        if node in seen:
            continue
        seen.add(node)
        found[node.shape] = None
        if node.op.name in ("reshape", "stop_gradient"):
            pending.append(node.inputs[0])
        elif node.op.kind is Kind.ELEMENTWISE:
            pending += [source for source in node.inputs if source.shape == node.shape]
    return found


def _refines(fine: Shape, coarse: Shape) -> bool:
    """Whether every axis of the coarse shape is a run of axes of the fine one."""
    return _same_size(fine, coarse) and all(len(theirs) == 1 for _, theirs in segments(fine, coarse))


def _extent(shape: Shape) -> int:
    return len(_without_ones(shape))


def _without_ones(shape: Sequence[Dim]) -> Shape:
    return tuple(size for size in shape if size != 1)


def _likeness(first: Shape, second: Shape) -> int:
    """How sure it is that two shapes have equally many elements: 0 if they have not."""
    mine, theirs = _without_ones(first), _without_ones(second)
    if mine == theirs:
        return 4
    if product(first) == product(second):
        return 3
    if not _same_size(first, second):
        return 0
    return 2 if len(mine) == len(theirs) else 1


def _same_size(first: Shape, second: Shape) -> bool:
    """Whether two shapes have equally many elements, by their sizes or by a guard."""
    difference = product(first) - product(second)
    return difference == 0 or not isinstance(difference, int)
