"""From a graph to steps and slots: which values are views, where results are written. Or to a functional plan."""

from __future__ import annotations

from collections.abc import Callable

from graphc.backend import Capabilities
from graphc.ir import dims
from graphc.ir.graph import Graph
from graphc.ir.opdef import Kind
from graphc.ir.tensor import Tensor, VariableNode, tuple_elements
from graphc.plan.commit import NewState, order_steps
from graphc.plan.data import Plan, SlotKind, Step
from graphc.plan.draft import Draft
from graphc.plan.ops import ADD_AT, CHECKED_INDICES

_VIEW_KEEPS_ORDER = "reshape"


def make_plan(
    graph: Graph,
    capabilities: Capabilities,
    guards: tuple[dims.Guard, ...],
    rank: Callable[[int], int] = lambda position: position,
) -> Plan:
    """Steps and slots for a legal graph; lifetimes are filled in by `liveness.plan_memory`.

    Args:
        graph: in ops that the backend takes.
        capabilities: which ops are views, may overwrite an operand, may be part of a commit; `granularity="graph"`
            asks for a functional plan.
        guards: of the graph as recorded.
        rank: which of the steps that could be next is next: that of the smallest rank. By default the first
            in the order of the graph; any other gives a right plan, too. A functional plan keeps to that order.
    """
    scheduler = _Scheduler if capabilities.granularity == "step" else _FunctionalScheduler
    return scheduler(graph, capabilities, rank).run(guards)


class _Scheduler:
    values = SlotKind.ARENA  # where a step writes what it computes

    def __init__(self, graph: Graph, capabilities: Capabilities, rank: Callable[[int], int]) -> None:
        self.graph = graph
        self.rank = rank
        self.draft = Draft(capabilities)
        self.slot_of: dict[Tensor, int] = {}
        self.parts_of: dict[Tensor, tuple[int, ...]] = {}

    def run(self, guards: tuple[dims.Guard, ...]) -> Plan:
        feeds = [self._source(node) for node in self.graph.parameters]
        for node in self.graph.nodes:
            if node not in self.slot_of:
                self._place(node)
        state = [self._source(variable) for variable in self.graph.variables]
        results = self._results()
        new_states = [
            NewState(self.slot_of[value], self.slot_of[variable], value.origins, value.id)
            for variable, value in self.graph.updates
        ]
        order, commit = order_steps(self.draft, new_states, self.rank)
        return Plan(
            self.graph.name,
            self.draft.slots,
            [self.draft.steps[position] for position in order],
            feeds,
            state,
            results,
            [self.slot_of[variable] for variable, _ in self.graph.updates],
            commit,
            guards,
        )

    def _source(self, node: Tensor) -> int:
        if node not in self.slot_of:
            self._place(node)
        return self.slot_of[node]

    def _place(self, node: Tensor) -> None:
        """Gives a node a slot, and a step if it computes something."""
        if node.op.name == "project":
            self.slot_of[node] = self.parts_of[node.inputs[0]][node.attrs["index"]]
        elif node.op.kind is Kind.SOURCE:
            self.slot_of[node] = self._source_slot(node)
        elif self._is_view(node):
            base = self.slot_of[node.inputs[0]]
            contiguous = node.op.name == _VIEW_KEEPS_ORDER and self.draft.slots[base].contiguous
            self.slot_of[node] = self.draft.new_slot(
                node.type, SlotKind.VIEW, base=base, op=node.op, attrs=node.attrs, contiguous=contiguous
            )
        else:
            self._add_step(node)

    def _source_slot(self, node: Tensor) -> int:
        if node.op.name in ("placeholder", "run_key"):
            return self.draft.new_slot(node.type, SlotKind.FEED, name=node.name or "", contiguous=False)
        if isinstance(node, VariableNode):
            return self.draft.new_slot(node.type, SlotKind.STATE, name=node.name)
        if node.op.name == "constant":
            return self.draft.new_slot(node.type, SlotKind.CONSTANT, value=node.attrs["value"])
        return self.draft.new_slot(node.type, SlotKind.SIZE, op=node.op, attrs=node.attrs)

    def _is_view(self, node: Tensor) -> bool:
        if node.op.name not in self.draft.capabilities.views:
            return False
        base = self.draft.slots[self.slot_of[node.inputs[0]]]
        if node.op.name != _VIEW_KEEPS_ORDER or base.contiguous or base.kind is SlotKind.FEED:
            return True
        # Strides survive a reshape that only adds or drops axes of size 1.
        return [d for d in base.type.shape if d != 1] == [d for d in node.shape if d != 1]

    def _add_step(self, node: Tensor) -> None:
        outputs = tuple(self.draft.new_slot(kind, self.values) for kind in tuple_elements(node))
        inputs = [self.slot_of[source] for source in node.inputs]
        op = node.op
        if op.name == "scatter_add" and ADD_AT.name in self.draft.capabilities.atomic:
            op = ADD_AT
            inputs[1] = self._checked(inputs[1], node)
        self.draft.append(Step(op, node.attrs, inputs, outputs, node.origins, node.id))
        self.parts_of[node] = outputs
        self.slot_of[node] = outputs[0]

    def _checked(self, indices: int, node: Tensor) -> int:
        """The indices of a `scatter_add`, checked by a step of their own: what is left of it cannot fail."""
        checked = self.draft.new_slot(self.draft.slots[indices].type, SlotKind.ARENA)
        attrs = {"size": node.shape[node.attrs["axis"]], "used": node.inputs[2].type.size}
        self.draft.append(Step(CHECKED_INDICES, attrs, [indices], [checked], node.origins, node.id))
        return checked

    def _results(self) -> list[int]:
        """Fresh arrays: written by the step that computes them where it can be, copied otherwise."""
        results = []
        new_values = {self.slot_of[value] for _, value in self.graph.updates}
        for node in self.graph.results:
            index = self.slot_of[node]
            slot = self.draft.slots[index]
            if slot.kind is SlotKind.ARENA and index not in new_values:
                slot.kind = SlotKind.OUTPUT
                results.append(index)
                continue
            copy = self.draft.new_slot(slot.type, SlotKind.OUTPUT)
            self.draft.copy(index, copy, node.origins, node.id)
            results.append(copy)
        return results


class _FunctionalScheduler(_Scheduler):
    """Every node is a step, every value a slot; results and new states are slots of any kind."""

    values = SlotKind.VALUE

    def run(self, guards: tuple[dims.Guard, ...]) -> Plan:
        feeds = [self._source(node) for node in self.graph.parameters]
        for node in self.graph.nodes:
            if node not in self.slot_of:
                self._place(node)
        state = [self._source(variable) for variable in self.graph.variables]
        return Plan(
            self.graph.name,
            self.draft.slots,
            self.draft.steps,
            feeds,
            state,
            [self.slot_of[node] for node in self.graph.results],
            [self.slot_of[variable] for variable, _ in self.graph.updates],
            len(self.draft.steps),
            guards,
            [self.slot_of[value] for _, value in self.graph.updates],
        )

    def _is_view(self, node: Tensor) -> bool:
        return False
