"""Which nodes become one: groups in a single walk over the graph, kept free of cycles by their heights.

A group computes over a *space*: sizes of axes, those of size 1 left out. Its members have a value for every element of
it (they are *full*), or one for every element of the space without the reduced axes (*rows*); all its reductions are
over the same axes. A node joins the groups of its operands where it uses them element by element; if there are several,
they become one.

Everything has a *height*, and an edge from outside a group leads upwards: groups cannot wait for each other. A group
may be raised only below the lowest that reads from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from graphc.backend import Capabilities
from graphc.ir.opdef import Kind
from graphc.ir.tensor import Tensor
from graphc.lowering.group import (
    FLAT,
    GATHERS,
    KEEP_ORDER,
    LAYOUT,
    ORDER,
    Group,
    is_number,
    level_in,
    reduced_axes,
    same_space,
    without_ones,
)
from graphc.passes.fusion import Refused

_MOST_LAYOUT = 8  # layout ops that are repeated for each reader


class _Candidate(NamedTuple):
    """A group that a node could join, and whether the node would be full there."""

    group: Group
    full: bool


class Grouping:
    """The groups of a graph.

    Attributes:
        group_of: node → its group.
        moved: layout node → the nodes whose elements it has: it is repeated for each of its readers.
        height: of nodes without a group.
    """

    def __init__(self, capabilities: Capabilities) -> None:
        self.capabilities = capabilities
        self.limits = capabilities.fusion_limits
        self.group_of: dict[Tensor, Group] = {}
        self.moved: dict[Tensor, tuple[Tensor, ...]] = {}
        self.height: dict[Tensor, int] = {}
        self._alone: dict[Tensor, str] = {}
        self._cost: dict[Tensor, int] = {}
        self._in_order: set[Tensor] = set()
        self._refused: dict[tuple[str, str, str], Refused] = {}

    @property
    def refused(self) -> tuple[Refused, ...]:
        """The edges that stayed, in the order in which they were met."""
        return tuple(self._refused.values())

    def place(self, node: Tensor) -> None:
        """Takes the next node, whose operands have been placed."""
        if node.op.kind is Kind.SOURCE:
            self.height[node] = 0
            return
        why_alone = self._why_alone(node)
        if why_alone:
            self._leave(node, why_alone)
            return
        if node.op.name not in LAYOUT:
            self._join(node)
            return
        self._note_moved(node)
        joins = node.op.name in KEEP_ORDER and node.inputs[0] in self.group_of
        if joins or node not in self.moved:
            self._join(node, found=node not in self.moved)
        else:
            for source in node.inputs:
                if source in self.group_of:
                    self._refuse(source, node, ORDER)

    def sources(self, operand: Tensor) -> tuple[Tensor, ...]:
        """What is read for an operand from outside of its group."""
        return () if is_number(operand) else self.moved.get(operand, (operand,))

    # --- nodes on their own -----------------------------------------------------------------------------------------

    def _why_alone(self, node: Tensor) -> str:
        """Why a node is in no group, or nothing."""
        op = node.op
        ability = {Kind.ELEMENTWISE: "elementwise", Kind.REDUCTION: "reduction"}.get(op.kind)
        ability = "layout" if op.name in LAYOUT else "gather" if op.name in GATHERS else ability
        if ability is None:
            return f"{op.name} is a step of its own"
        if ability not in self.capabilities.fuses:
            return f"{self.capabilities.name} fuses no {ability} ops"
        types = [source.type for source in node.inputs]
        if op.name in self.capabilities.separate or self.capabilities.is_interrupted(op, node.attrs, types):
            return f"{self.capabilities.name} runs {op.name} as a step of its own"
        size = node.size
        if isinstance(size, int) and size < self.limits.elements:
            return f"{self.capabilities.name} gains nothing by groups of so few elements"
        inputs = {source for operand in node.inputs for source in self.sources(operand)}
        return "it reads too many arrays" if len(inputs) > self.limits.inputs else ""

    def _leave(self, node: Tensor, why: str) -> None:
        sources = [source for operand in node.inputs for source in self.sources(operand)]
        self.height[node] = 1 + max(map(self._height, sources), default=0)
        self._note_reader(sources, self.height[node])
        self._alone[node] = why
        for operand in node.inputs:
            if operand.op.kind is not Kind.SOURCE and operand.op.name != "project":
                self._refuse(operand, node, self._alone.get(operand, why))

    def _note_moved(self, node: Tensor) -> None:
        """Lets a layout node be repeated for each reader, unless it stands at the end of many others."""
        cost = 1 + sum(self._cost.get(operand, 0) for operand in node.inputs)
        found = dict.fromkeys(source for operand in node.inputs for source in self.sources(operand))
        if cost <= _MOST_LAYOUT and len(found) <= self.limits.inputs // 2:
            self.moved[node] = tuple(found)
            self._cost[node] = cost
            if node.op.name in ("reshape", "stop_gradient") and self._keeps_order(node.inputs[0]):
                self._in_order.add(node)

    # --- joining ----------------------------------------------------------------------------------------------------

    def _join(self, node: Tensor, found: bool = True) -> None:
        """Puts a node into the groups of its operands, as far as they can be one; else, if `found`, into a new one."""
        chosen = self._chosen(node)
        while chosen:
            too_low = min(chosen, key=lambda candidate: candidate.group.ceiling)
            if self._united_height(node, chosen) < too_low.group.ceiling:
                break
            self._drop(node, chosen, too_low.group, "something between the two needs one and is needed by the other")
        if not chosen and not found:
            return
        self._unite(node, chosen)

    def _chosen(self, node: Tensor) -> list[_Candidate]:
        """The groups of a node's operands that can become one with it."""
        verdicts: dict[Group, bool] = {}
        barred: dict[Group, None] = {}
        for operand in dict.fromkeys(node.inputs):
            group = self.group_of.get(operand)
            if group is None:
                if operand in self._alone:
                    self._refuse(operand, node, self._alone[operand])
                barred.update((self.group_of[s], None) for s in self.sources(operand) if s in self.group_of)
                continue
            verdict = level_in(group, node, operand, self.capabilities)
            if isinstance(verdict, str) or verdicts.setdefault(group, verdict) is not verdict:
                self._refuse(operand, node, verdict if isinstance(verdict, str) else _TWO_WAYS)
                barred[group] = None
        chosen: list[_Candidate] = []
        fitting = [_Candidate(group, full) for group, full in verdicts.items() if group not in barred]
        for candidate in sorted(fitting, key=lambda candidate: candidate.group.reduced is None):
            why = self._why_apart(node, chosen, candidate)
            if why:
                self._refuse_group(node, candidate.group, why)
            else:
                chosen.append(candidate)
        for group in verdicts:
            if group in barred:
                self._refuse_group(node, group, "the same values are needed in another order, too")
        return chosen

    def _why_apart(self, node: Tensor, chosen: Sequence[_Candidate], candidate: _Candidate) -> str:
        """Why a group cannot become one with those chosen before it (any with reductions come first), or nothing."""
        groups = [*(other.group for other in chosen), candidate.group]
        if sum(len(group.full) for group in groups) >= self.limits.nodes:
            return "the group would be too large"
        reads = self._reads(node, groups)
        if len({*reads, *(source for group in groups for source in group.inputs)}) > self.limits.inputs:
            return "the group would read too many arrays"
        flat = node.op.name == "reshape" and without_ones(node.shape) != without_ones(node.inputs[0].shape)
        uneven = self._is_uneven(node, groups) or any(group.uneven for group in groups)
        if (flat or any(group.flat for group in groups)) and (uneven or node.op.kind is Kind.REDUCTION):
            return FLAT
        return _why_unlike(chosen[0], candidate) if chosen else ""

    def _outside(self, node: Tensor, groups: Sequence[Group]) -> list[Tensor]:
        return [operand for operand in node.inputs if self.group_of.get(operand) not in groups]

    def _reads(self, node: Tensor, groups: Sequence[Group]) -> list[Tensor]:
        """What a node reads from outside of these groups."""
        return [source for operand in self._outside(node, groups) for source in self.sources(operand)]

    def _is_uneven(self, node: Tensor, groups: Sequence[Group]) -> bool:
        """Whether a node reads something from outside of its groups in another way than element by element."""
        if node.op.name in ("take", "take_along_axis") or (node.op.name in LAYOUT and node.op.name not in KEEP_ORDER):
            return True
        there = without_ones(node.inputs[0].shape if node.op.name in KEEP_ORDER else node.shape)
        outside = [operand for operand in self._outside(node, groups) if not is_number(operand)]
        return any(
            not self._keeps_order(operand) or without_ones(operand.shape) not in ((), there) for operand in outside
        )

    def _keeps_order(self, operand: Tensor) -> bool:
        """Whether the elements of an operand follow each other as they do in memory."""
        return operand not in self.moved or operand in self._in_order

    def _united_height(self, node: Tensor, chosen: Sequence[_Candidate]) -> int:
        reads = self._reads(node, [candidate.group for candidate in chosen])
        return max([*(c.group.height for c in chosen), *(1 + self._height(source) for source in reads)], default=1)

    def _drop(self, node: Tensor, chosen: list[_Candidate], group: Group, why: str) -> None:
        chosen[:] = [candidate for candidate in chosen if candidate.group is not group]
        self._refuse_group(node, group, why)

    def _unite(self, node: Tensor, chosen: Sequence[_Candidate]) -> None:
        """One group of the chosen ones and the node."""
        height = self._united_height(node, chosen)
        reads = self._reads(node, [candidate.group for candidate in chosen])
        uneven = self._is_uneven(node, [candidate.group for candidate in chosen])
        full = all(candidate.full for candidate in chosen) and node.op.kind is not Kind.REDUCTION
        group = chosen[0].group if chosen else _new_group(node)
        if node.op.kind is Kind.REDUCTION and group.reduced is None:
            group.reduced = reduced_axes(node)
        for other in chosen[1:]:
            self._absorb(group, other.group, as_rows=other.full and not full)
        group.flat |= node.op.name == "reshape" and bool(chosen) and not same_space(node, node.inputs[0])
        group.uneven |= uneven
        group.row |= full and any(not group.full.get(operand, True) for operand in node.inputs)
        group.full[node] = full
        group.inputs.update(dict.fromkeys(reads))
        self._note_reader(reads if group.height == height else group.inputs, height)
        group.height = height
        self.group_of[node] = group

    def _absorb(self, group: Group, other: Group, as_rows: bool) -> None:
        group.full.update({member: level and not as_rows for member, level in other.full.items()})
        group.inputs.update(other.inputs)
        group.ceiling = min(group.ceiling, other.ceiling)
        group.row |= other.row
        group.flat |= other.flat
        group.uneven |= other.uneven
        self.group_of.update(dict.fromkeys(other.full, group))

    # --- heights, reasons -------------------------------------------------------------------------------------------

    def _height(self, source: Tensor) -> int:
        group = self.group_of.get(source)
        return self.height[source] if group is None else group.height

    def _note_reader(self, sources: Iterable[Tensor], height: int) -> None:
        for source in sources:
            group = self.group_of.get(source)
            if group is not None:
                group.ceiling = min(group.ceiling, height)

    def _refuse_group(self, node: Tensor, group: Group, why: str) -> None:
        for operand in node.inputs:
            if self.group_of.get(operand) is group:
                self._refuse(operand, node, why)

    def _refuse(self, producer: Tensor, consumer: Tensor, why: str) -> None:
        key = (producer.op.name, consumer.op.name, why)
        found = self._refused.get(key)
        times = 1 if found is None else found.times + 1
        first = Refused(*key, 1, producer.origins, consumer.origins) if found is None else found
        self._refused[key] = first._replace(times=times)


_TWO_WAYS = "it is used for every element and for every row"


def _new_group(node: Tensor) -> Group:
    if node.op.kind is Kind.REDUCTION:
        return Group(without_ones(node.inputs[0].shape), reduced_axes(node))
    return Group(without_ones(node.shape), None)


def _why_unlike(first: _Candidate, other: _Candidate) -> str:
    """Why two groups that a node could join cannot be one, or nothing."""
    mine, theirs = first.group, other.group
    if theirs.reduced is None:
        rows = other.full and not first.full
        return FLAT if theirs.flat and (rows or mine.reduced is not None) else ""
    same = (mine.reduced, mine.space, first.full) == (theirs.reduced, theirs.space, other.full)
    return "" if same else "the two are reduced over other axes"
