"""A group of nodes in the making, and whether a node can be a member of it."""

from __future__ import annotations

import sys

from graphc.backend import Capabilities
from graphc.ir.dims import Shape, product
from graphc.ir.opdef import Kind
from graphc.ir.tensor import Tensor

LAYOUT = frozenset(
    {"broadcast_to", "concat", "pad", "permute_dims", "reshape", "slice", "slice_update", "stop_gradient"}
)
"""Ops whose results are elements of their operands, in other places."""
GATHERS = frozenset({"positions", "take", "take_along_axis"})
"""Ops that check indices; all elements of them must be used."""
KEEP_ORDER = frozenset({"broadcast_to", "reshape", "stop_gradient"})  # may be members; the others read what is outside

ORDER = "its elements are needed in another order, when all are there"
FLAT = "in another shape its elements do not meet those that the group reads"


class Group:
    """Some nodes that become one.

    Attributes:
        space: the sizes of its full values, without those that are 1.
        reduced: for each of those whether it is reduced; `None` without reductions.
        full: member → whether it is full; else it is a row.
        inputs: what it reads from outside.
        height: above that of everything it reads.
        ceiling: below which it may be raised.
        row: whether a reduced value is used in the full space.
        flat: whether members agree in the order of their elements only.
        uneven: whether something is read in another way than element by element.
    """

    __slots__ = ("ceiling", "flat", "full", "height", "inputs", "reduced", "row", "space", "uneven")

    def __init__(self, space: Shape, reduced: tuple[bool, ...] | None) -> None:
        self.space = space
        self.reduced = reduced
        self.full: dict[Tensor, bool] = {}
        self.inputs: dict[Tensor, None] = {}
        self.height = 0
        self.ceiling = sys.maxsize
        self.row = self.flat = self.uneven = False

    @property
    def kind(self) -> str:
        """Of `ops.fused.FUSIONS`."""
        return "row" if self.row else "elementwise" if self.reduced is None else "reduction"


def without_ones(shape: Shape) -> Shape:
    """The sizes that are not 1: what tells one space from another."""
    return tuple(size for size in shape if size != 1)


def is_number(node: Tensor) -> bool:
    """Whether a node is known without reading: a constant of one element, or a size. Groups have copies of those."""
    return node.op.name == "dim_value" or (node.op.name == "constant" and node.attrs["value"].size == 1)


def same_space(node: Tensor, other: Tensor) -> bool:
    return without_ones(node.shape) == without_ones(other.shape)


def reduced_axes(node: Tensor) -> tuple[bool, ...]:
    """For each axis of the operand of a reduction, those of size 1 left out, whether it is reduced."""
    axes = node.attrs["axis"]
    axes = axes if isinstance(axes, tuple) else (axes,)
    return tuple(axis in axes for axis, size in enumerate(node.inputs[0].shape) if size != 1)


def level_in(group: Group, node: Tensor, operand: Tensor, capabilities: Capabilities) -> bool | str:
    """Whether a node would be full in the group of an operand, or why it cannot be there."""
    full = group.full[operand]
    if node.op.kind is Kind.REDUCTION:
        return _reduced_level(group, node, operand)
    if node.op.name in LAYOUT - KEEP_ORDER:
        return ORDER
    if node.op.name in ("take", "take_along_axis") and (operand is node.inputs[0] or not full):
        return "all of it must be there before elements are picked"
    here, there = without_ones(operand.shape), without_ones(node.shape)
    if here == there:
        return full
    if node.op.name == "reshape":
        even = full and group.reduced is None and not group.uneven
        return True if even else FLAT
    if full:
        return "it is broadcast: every element would be computed many times"
    return _broadcast_row(group, node, operand, capabilities)


def _reduced_level(group: Group, node: Tensor, operand: Tensor) -> bool | str:
    if not group.full[operand]:
        return "it has been reduced already"
    if group.flat:
        return "after a reshape its axes are not those of the group"
    if group.reduced not in (None, reduced_axes(node)):
        return "the group reduces over other axes"
    return False


def _broadcast_row(group: Group, node: Tensor, operand: Tensor, capabilities: Capabilities) -> bool | str:
    """Whether a reduced value meets the row that it was reduced from."""
    assert group.reduced is not None
    if "row" not in capabilities.fuses:
        return f"{capabilities.name} fuses no reduced values with what they were reduced from"
    if without_ones(node.shape) != group.space:
        return "it is broadcast to another shape than it was reduced from"
    shape = (1,) * (node.ndim - operand.ndim) + operand.shape
    kept = [size != 1 for size, whole in zip(shape, node.shape, strict=True) if whole != 1]
    if kept != [not reduced for reduced in group.reduced]:
        return "it is broadcast along other axes than it was reduced over"
    if sorted(group.reduced) != list(group.reduced):
        return "the reduced axes are not the last ones"
    length = product(size for size, reduced in zip(group.space, group.reduced, strict=True) if reduced)
    if isinstance(length, int) and length > capabilities.fusion_limits.row:
        return f"its rows are long: {length} elements"
    return True
