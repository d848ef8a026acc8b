"""From a graph to ordered steps: which values are views, where results and new states are written, in which order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from graphc.backend import Capabilities
from graphc.ir import dims
from graphc.ir.graph import Graph
from graphc.ir.opdef import Kind, OpDef, register
from graphc.ir.tensor import NO_ATTRS, Tensor, VariableNode, tuple_elements
from graphc.ir.types import TensorType
from graphc.plan.data import Plan, Slot, SlotKind, Step
from graphc.plan.order import sort_steps

COPY = register(
    OpDef("copy", Kind.STRUCTURE, lambda types, attrs: types[0], array_fn=lambda xp, x: xp.array(x, copy=True))
)
"""The only op that appears in plans and not in graphs."""

_VIEW_KEEPS_ORDER = "reshape"

_CALLERS = (SlotKind.FEED, SlotKind.OUTPUT)
"""Arrays that are the caller's: new at every call, so that a commit, which is prepared once, cannot read them."""

Readers: TypeAlias = defaultdict[int, list[int]]
"""Slot → the steps that read it or a view of it, in order."""


def make_plan(
    graph: Graph,
    capabilities: Capabilities,
    guards: tuple[dims.Guard, ...],
    rank: Callable[[int], int] = lambda position: position,
) -> Plan:
    """Steps and slots for a legal graph; lifetimes are filled in by `liveness.plan_memory`.

    Args:
        graph: in ops that the backend takes.
        capabilities: which ops are views, may overwrite an operand, may be part of a commit.
        guards: of the graph as recorded.
        rank: which of the steps that could be next is next: that of the smallest rank. By default the first
            in the order of the graph; any other gives a right plan, too.
    """
    return _Scheduler(graph, capabilities, rank).run(guards)


class _Scheduler:
    def __init__(self, graph: Graph, capabilities: Capabilities, rank: Callable[[int], int]) -> None:
        self.graph = graph
        self.rank = rank
        self.capabilities = capabilities
        self.slots: list[Slot] = []
        self.roots: list[int] = []  # slot → the slot whose memory it shows
        self.steps: list[Step] = []
        self.slot_of: dict[Tensor, int] = {}
        self.parts_of: dict[Tensor, tuple[int, ...]] = {}
        self.writer: dict[int, int] = {}  # slot → step that writes it

    def run(self, guards: tuple[dims.Guard, ...]) -> Plan:
        feeds = [self._source(node) for node in self.graph.parameters]
        for node in self.graph.nodes:
            if node not in self.slot_of:
                self._place(node)
        state = [self._source(variable) for variable in self.graph.variables]
        results = self._results()
        order, commit = self._order(*self._updates())
        return Plan(
            self.graph.name,
            self.slots,
            [self.steps[position] for position in order],
            feeds,
            state,
            results,
            [self.slot_of[variable] for variable, _ in self.graph.updates],
            commit,
            guards,
        )

    # --- slots ------------------------------------------------------------------------------------------

    def _new_slot(self, type: TensorType, kind: SlotKind, **details: Any) -> int:
        slot = Slot(len(self.slots), type, kind, **details)
        self.slots.append(slot)
        self.roots.append(slot.index if slot.base is None else self.roots[slot.base])
        return slot.index

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
            contiguous = node.op.name == _VIEW_KEEPS_ORDER and self.slots[base].contiguous
            self.slot_of[node] = self._new_slot(
                node.type, SlotKind.VIEW, base=base, op=node.op, attrs=node.attrs, contiguous=contiguous
            )
        else:
            self._add_step(node)

    def _source_slot(self, node: Tensor) -> int:
        if node.op.name == "placeholder":
            return self._new_slot(node.type, SlotKind.FEED, name=node.name or "", contiguous=False)
        if isinstance(node, VariableNode):
            return self._new_slot(node.type, SlotKind.STATE, name=node.name)
        if node.op.name == "constant":
            return self._new_slot(node.type, SlotKind.CONSTANT, value=node.attrs["value"])
        return self._new_slot(node.type, SlotKind.SIZE, op=node.op, attrs=node.attrs)

    def _is_view(self, node: Tensor) -> bool:
        if node.op.name not in self.capabilities.views:
            return False
        base = self.slots[self.slot_of[node.inputs[0]]]
        if node.op.name != _VIEW_KEEPS_ORDER or base.contiguous or base.kind is SlotKind.FEED:
            return True
        # Strides survive a reshape that only adds or drops axes of size 1.
        return [d for d in base.type.shape if d != 1] == [d for d in node.shape if d != 1]

    def _add_step(self, node: Tensor) -> None:
        outputs = tuple(self._new_slot(kind, SlotKind.ARENA) for kind in tuple_elements(node))
        inputs = [self.slot_of[source] for source in node.inputs]
        self._append(Step(node.op, node.attrs, inputs, outputs, node.origins, node.id))
        self.parts_of[node] = outputs
        self.slot_of[node] = outputs[0]

    def _append(self, step: Step) -> int:
        self.steps.append(step)
        for slot in step.outputs:
            self.writer[slot] = len(self.steps) - 1
        return len(self.steps) - 1

    # --- results and updates --------------------------------------------------------------------------------

    def _results(self) -> list[int]:
        """Fresh arrays: written by the step that computes them where it can be, copied otherwise."""
        results = []
        new_values = {self.slot_of[value] for _, value in self.graph.updates}
        for node in self.graph.results:
            index = self.slot_of[node]
            slot = self.slots[index]
            if slot.kind is SlotKind.ARENA and index not in new_values:
                slot.kind = SlotKind.OUTPUT
                results.append(index)
                continue
            copy = self._new_slot(slot.type, SlotKind.OUTPUT)
            self._append(Step(COPY, NO_ATTRS, [index], [copy], node.origins, node.id))
            results.append(copy)
        return results

    def _updates(self) -> tuple[dict[int, int], dict[int, None], dict[int, int]]:
        """Which steps write straight into a variable (step → state slot), which copy steps were added, and which
        steps compute half of a new value in the variable's memory."""
        atomic = self._atomic_below() if self.graph.updates else []
        direct: dict[int, int] = {}
        copied: dict[int, None] = {}
        taken: set[int] = set()
        for variable, value in self.graph.updates:
            target, index = self.slot_of[variable], self.slot_of[value]
            step = self.writer.get(index)
            if step is not None and self._may_write(step, index, target) and step not in taken and atomic[step]:
                taken.add(step)
                direct[step] = target
                continue
            if self.slots[self.roots[index]].kind in _CALLERS:
                # A commit does not touch what is the caller's.
                kept = self._new_slot(self.slots[index].type, SlotKind.ARENA)
                self._append(Step(COPY, NO_ATTRS, [index], [kept], value.origins, value.id))
                index = kept
            copied[self._append(Step(COPY, NO_ATTRS, [index], [target], value.origins, value.id))] = None
        return direct, copied, self._stages(direct, atomic)

    def _stages(self, direct: Mapping[int, int], atomic: Sequence[bool]) -> dict[int, int]:
        """The `β·m` of `m ← β·m + g`: nobody else reads it, and it can be computed where m is."""
        readers = self._readers()
        staged: dict[int, int] = {}
        for step, target in direct.items():
            if step in readers[target]:
                continue
            for index in self.steps[step].inputs:
                maker = self.writer.get(index, -1) if self.slots[index].kind is SlotKind.ARENA else -1
                if maker < 0 or maker in direct or not atomic[maker] or target not in self.steps[maker].inputs:
                    continue
                fits = self.slots[index].type == self.slots[target].type and readers[index] == [step]
                if fits and self._may_overwrite(step, index) and self._may_write(maker, index, target):
                    staged[maker] = target
                    break
        return staged

    def _may_write(self, step: int, index: int, target: int) -> bool:
        """Whether a step may put its result into a variable, which it may be reading, element by element."""
        writer = self.steps[step]
        if self.slots[index].kind is not SlotKind.ARENA or len(writer.outputs) != 1:
            return False
        return self._may_overwrite(step, target)

    def _may_overwrite(self, step: int, slot: int) -> bool:
        """Whether a step that reads a slot, if it does, may write its result there."""
        permitted = self.capabilities.overwrites.get(self.steps[step].op.name, ())
        return all(
            source == slot and position in permitted
            for position, source in enumerate(self.steps[step].inputs)
            if self.roots[source] == slot
        )

    def _atomic_below(self) -> list[bool]:
        """Whether a step and everything that reads its result can be part of a commit."""
        readers = self._readers()
        fine = [False] * len(self.steps)
        for position in reversed(range(len(self.steps))):
            step = self.steps[position]
            touches_callers = any(self.slots[self.roots[i]].kind in _CALLERS for i in step.inputs)
            fine[position] = (
                (step.op.name in self.capabilities.atomic or step.op is COPY)
                and not touches_callers
                and all(fine[reader] for slot in step.outputs for reader in readers[slot])
                and not any(self.slots[slot].kind is SlotKind.OUTPUT and readers[slot] for slot in step.outputs)
            )
        return fine

    def _readers(self) -> Readers:
        readers: Readers = defaultdict(list)
        for position, step in enumerate(self.steps):
            for index in step.inputs:
                found = readers[self.roots[index]]
                if not found or found[-1] != position:  # once, even if it reads a slot twice
                    found.append(position)
        return readers

    # --- order ----------------------------------------------------------------------------------------------

    def _order(self, direct: dict[int, int], copied: dict[int, None], staged: dict[int, int]) -> tuple[list[int], int]:
        """A topological order in which every reader of an old state comes before its writer, and writers come last.

        Where such demands contradict each other (two variables that swap), a direct write gives way to a copy.
        """
        while True:
            writers = {**staged, **direct, **{c: self.steps[c].outputs[0] for c in copied}}
            readers = self._readers()
            if torn := self._torn(direct, writers, readers):
                for step in sorted(torn):
                    self._detach(step, direct, copied)
                staged = {}  # they are a saving only, and knots are rare
                continue
            order, knots = self._try_order(writers, readers)
            if not knots:
                break
            if staged:
                staged = {}
                continue
            for knot in knots:
                # Somebody must give way: the first of the direct writers, or else a copy needs a second one.
                self._detach(min(direct.keys() & knot or copied.keys() & knot), direct, copied)
        self._write_directly({**staged, **direct})
        commit = next((at for at, position in enumerate(order) if position in writers), len(order))
        return order, commit

    def _detach(self, step: int, direct: dict[int, int], copied: dict[int, None]) -> None:
        """Lets a writer write to a temporary, which a later step copies into the state."""
        if step in direct:
            target = direct.pop(step)
            source = self.steps[step].outputs[0]
        else:
            del copied[step]
            target = self.steps[step].outputs[0]
            source = self._new_slot(self.slots[target].type, SlotKind.ARENA)
            self.steps[step].outputs = (source,)
            self.writer[source] = step
        old = self.steps[step]
        copied[self._append(Step(COPY, NO_ATTRS, [source], [target], old.origins, old.node_id))] = None

    def _try_order(self, writers: Mapping[int, int], readers: Readers) -> tuple[list[int], list[list[int]]]:
        """Writers wait until nothing else is ready. Returns the order, and the knots that are in its way."""
        successors: list[Sequence[int]] = [()] * len(self.steps)
        for slot, step in self.writer.items():
            if self.slots[slot].kind is not SlotKind.STATE:
                # Almost every step writes one slot: it shares that slot's list, of which there may be very many.
                successors[step] = [*successors[step], *readers[slot]] if successors[step] else readers[slot]
        waiting: dict[int, list[int]] = defaultdict(list)
        for step, target in writers.items():
            for reader in readers[target]:
                if reader != step:
                    waiting[reader].append(step)
        for reader, steps in waiting.items():
            successors[reader] = [*successors[reader], *steps]
        # A backend may commit in one go: results of new states come last of all.
        written = [step for step, target in writers.items() if target not in self.steps[step].outputs]
        last = {step for step in self._downstream(written, readers) if self._writes_result(step)}
        late = self._late(writers, readers) if writers else set()

        def key(position: int) -> tuple[int, int, int]:
            return 2 if position in last else int(position in late), self.rank(position), position

        return sort_steps(successors, key)

    def _late(self, writers: Iterable[int], readers: Readers) -> set[int]:
        """The writers, and elementwise steps that only they read: computed where they are used, while in cache."""
        late = set(writers)
        for position in reversed(range(len(self.steps))):
            step = self.steps[position]
            if step.op.kind is not Kind.ELEMENTWISE or step.op.name not in self.capabilities.atomic:
                continue
            using = [reader for slot in step.outputs for reader in readers[slot]]
            callers = any(self.slots[self.roots[index]].kind in _CALLERS for index in step.inputs)
            if using and not callers and late.issuperset(using):
                late.add(position)
        return late

    def _downstream(self, starts: Iterable[int], readers: Readers) -> set[int]:
        """The steps that read what some steps compute, and so on."""
        reached: set[int] = set()
        pending = list(starts)
        while pending:
            for slot in self.steps[pending.pop()].outputs:
                if self.slots[slot].kind is SlotKind.STATE:
                    continue  # who reads that reads the old value
                new = [reader for reader in readers[slot] if reader not in reached]
                reached.update(new)
                pending += new
        return reached

    def _writes_result(self, step: int) -> bool:
        return any(self.slots[slot].kind is SlotKind.OUTPUT for slot in self.steps[step].outputs)

    def _torn(self, direct: Mapping[int, int], writers: Mapping[int, int], readers: Readers) -> set[int]:
        """Direct writers whose new value goes into a result together with an old state.

        Results of new states are computed after all writers, when no old state is left.
        """
        late = self._downstream(direct, readers)
        pending = [p for target in writers.values() for p in readers[target] if p in late and self._writes_result(p)]
        found: set[int] = set()
        seen: set[int] = set()
        while pending:
            step = pending.pop()
            seen.add(step)
            for slot in self.steps[step].inputs:
                maker = self.writer.get(self.roots[slot], -1)
                if maker in direct:
                    found.add(maker)
                elif maker in late and maker not in seen:
                    pending.append(maker)
        return found

    def _write_directly(self, direct: Mapping[int, int]) -> None:
        """Redirects the outputs of direct writers into the variables, and their readers with them."""
        for step, target in direct.items():
            old = self.steps[step].outputs[0]
            self.steps[step].outputs = (target,)
            slot = self.slots[old]
            slot.kind = SlotKind.VIEW
            slot.base = target
            slot.op = None
