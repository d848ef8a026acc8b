"""The fuse pass: groups of nodes become one `fused` node each, for backends that make one kernel of a group."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from graphc.backend import Capabilities
from graphc.errors import merge_origins
from graphc.ir.dims import Dim
from graphc.ir.graph import Graph
from graphc.ir.ledger import Hit
from graphc.ir.opdef import Kind
from graphc.ir.tensor import Tensor, rebuild
from graphc.lowering.group import LAYOUT, Group, is_number
from graphc.lowering.grouping import Grouping
from graphc.ops.fused import fuse_node, parameter
from graphc.passes.fusion import FusedGroup, FusionReport
from graphc.passes.manager import Context
from graphc.plan.cost import sum_of


class Fuse:
    """Class `exact`: what is computed stays, and in which order; only where values are kept changes."""

    name = "fuse"

    def run(self, graph: Graph, context: Context) -> Graph:
        """The graph with groups in place of their nodes; the account is in `context.fusion`."""
        grouping = Grouping(context.capabilities)
        for node in graph.nodes:
            grouping.place(node)
        fusion = _Fusion(graph, grouping, context)
        new = fusion.run()
        context.unfused = graph
        context.fusion = FusionReport(tuple(fusion.report), grouping.refused)
        return new


FUSE = Fuse()


class _Fusion:
    """Makes the nodes of the groups.

    Attributes:
        new: node → what takes its place for readers outside of its group.
        needed: members that are read from outside of their group.
    """

    def __init__(self, graph: Graph, grouping: Grouping, context: Context) -> None:
        self.graph = graph
        self.context = context
        self.capabilities: Capabilities = context.capabilities
        self.single = "single" in self.capabilities.fuses
        self.position = {node: position for position, node in enumerate(graph.nodes)}
        self.moved = grouping.moved
        self.group_of = grouping.group_of
        self.height = grouping.height
        self.new: dict[Tensor, Tensor] = {}
        self.report: list[FusedGroup] = []
        self.needed: set[Tensor] = set()

    def run(self) -> Graph:
        units = self._units()
        self._find_needed(units)
        for members, group in units:
            if group is None:
                self._keep(members[0])
            else:
                self._fuse(members, group.kind)
        return self.graph.with_outputs([self._outside(node) for node in self.graph.outputs])

    # --- what stays together ----------------------------------------------------------------------------------------

    def _units(self) -> list[tuple[list[Tensor], Group | None]]:
        """Groups with their members in order, and nodes on their own, such that what is read comes first."""
        members: dict[Group, list[Tensor]] = {}
        for node in self.graph.nodes:
            if node in self.group_of:
                members.setdefault(self.group_of[node], []).append(node)
        alone = [([node], None) for node in self.graph.nodes if node in self.height]
        units: list[tuple[list[Tensor], Group | None]] = [*alone, *((nodes, group) for group, nodes in members.items())]
        units.sort(key=lambda unit: (self._unit_height(*unit), self.position[unit[0][0]]))
        kept: list[tuple[list[Tensor], Group | None]] = []
        for nodes, group in units:
            kept += [(nodes, group)] if group is None else self._as_far_as_allowed(nodes, group)
        return kept

    def _unit_height(self, nodes: Sequence[Tensor], group: Group | None) -> int:
        return self.height[nodes[0]] if group is None else group.height

    def _as_far_as_allowed(self, nodes: list[Tensor], group: Group) -> list[tuple[list[Tensor], Group | None]]:
        """The group; or its nodes one by one, if it is not worth its while or a bisection has come to its limit."""
        computed = [node for node in nodes if node.op.name not in LAYOUT]
        if self.single and not computed:
            return [(nodes, group)]
        if len(computed) >= self.capabilities.fusion_limits.least and not self.context.exhausted:
            self._note_hit(computed, group)
            return [(nodes, group)]
        if self.single and len(computed) == 1:
            return [(nodes, group)]
        return self._apart(nodes)

    def _apart(self, nodes: Sequence[Tensor]) -> list[tuple[list[Tensor], Group | None]]:
        units: list[tuple[list[Tensor], Group | None]] = []
        for node in nodes:
            del self.group_of[node]
            if self.single and node.op.name not in self.capabilities.views:
                self.group_of[node] = alone = Group((), (True,) if node.op.kind is Kind.REDUCTION else None)
                units.append(([node], alone))
            elif node not in self.moved:
                units.append(([node], None))
        return units

    def _note_hit(self, computed: Sequence[Tensor], group: Group) -> None:
        ops = ", ".join(dict.fromkeys(node.op.name for node in computed))
        last = computed[-1]
        origins = merge_origins(node.origins for node in computed)
        hit = Hit("fuse", f"fuse_{group.kind}", "exact", last.id, last.id, ops, f"one of {len(computed)}", origins)
        self.context.ledger.add(hit)

    def _find_needed(self, units: Iterable[tuple[list[Tensor], Group | None]]) -> None:
        for members, group in units:
            for node in members:
                for operand in node.inputs:
                    if group is None or self.group_of.get(operand) is not group:
                        self._need(operand)
        for node in self.graph.outputs:
            if node in self.group_of:
                self.needed.add(node)
            else:
                self._need(node)

    def _need(self, node: Tensor) -> None:
        """Notes what a reader from outside of its group reads: of what is only moved, the operands."""
        if node in self.moved:
            for operand in node.inputs:
                self._need(operand)
        elif node in self.group_of:
            self.needed.add(node)

    # --- building ---------------------------------------------------------------------------------------------------

    def _keep(self, node: Tensor) -> None:
        new = rebuild(node, [self._outside(operand) for operand in node.inputs])
        self.context.ledger.rebuilt(node.id, new.id)
        self.new[node] = new

    def _outside(self, node: Tensor) -> Tensor:
        """What takes the place of a node for those outside of its group."""
        if node not in self.new and is_number(node):
            return node
        if node not in self.new:
            if self.single and node.op.name not in self.capabilities.views:
                self._fuse([node], "elementwise", {node})
            else:
                self._keep(node)
        return self.new[node]

    def _fuse(self, members: Sequence[Tensor], kind: str, needed: Iterable[Tensor] = ()) -> None:
        """One node for some members, and for what is moved on its way to them."""
        wanted = set(needed) or self.needed
        results = [node for node in members if node in wanted]
        if not results:
            return
        body = _Body(members, self.moved)
        inner = [body.value(node) for node in results]
        name = f"group{len(self.report)}"
        region = Graph(list(body.parameters.values()), inner, name=name)
        origins = merge_origins(node.origins for node in members)
        inputs = [self._outside(operand) for operand in body.parameters]
        outputs = fuse_node(region, inputs, kind, origins)
        for node, output in zip(results, outputs, strict=True):
            self.context.ledger.rebuilt(node.id, output.id)
            self.new[node] = output
        ops = tuple(node.op.name for node in members)
        saved = _saved(members, results)
        static = all(isinstance(node.size, int) for node in members)  # then it has been found large enough
        least = 0 if static else self.capabilities.fusion_limits.elements
        self.report.append(FusedGroup(name, kind, ops, len(inputs), len(results), saved, least, origins))


class _Body:
    """The region of a group in the making.

    Attributes:
        parameters: node outside → the parameter that stands for it.
    """

    def __init__(self, members: Iterable[Tensor], moved: Iterable[Tensor]) -> None:
        self.parameters: dict[Tensor, Tensor] = {}
        self.moved = moved
        self.values: dict[Tensor, Tensor] = {}
        for node in members:
            self.values[node] = rebuild(node, [self.value(operand) for operand in node.inputs])

    def value(self, node: Tensor) -> Tensor:
        """What a node is inside: a member, a copy of a number, or elements of a parameter."""
        if node in self.values:
            return self.values[node]
        if is_number(node):
            return node
        if node in self.moved:
            new = rebuild(node, [self.value(operand) for operand in node.inputs])
        else:
            new = self.parameters[node] = parameter(len(self.parameters), node.dtype, node.shape)
        self.values[node] = new
        return new


def _saved(members: Sequence[Tensor], results: Sequence[Tensor]) -> Dim:
    """The bytes that a step for each member would write and read again."""
    inside = {node for node in members if node.op.name not in LAYOUT}
    written = [node.type.nbytes for node in inside.difference(results)]
    read = [operand.type.nbytes for node in inside for operand in set(node.inputs) & inside]
    return sum_of([*written, *read])
