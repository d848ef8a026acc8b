"""A plan in the making: slots and steps as they come, before their order is settled."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from graphc.backend import Capabilities
from graphc.errors import Origins
from graphc.ir.opdef import Kind
from graphc.ir.tensor import NO_ATTRS
from graphc.ir.types import TensorType
from graphc.plan.data import Slot, SlotKind, Step
from graphc.plan.ops import COPY

Readers: TypeAlias = defaultdict[int, list[int]]
"""Slot → the steps that read it or a view of it, in order."""

_CALLERS = (SlotKind.FEED, SlotKind.OUTPUT)


def may_take_over(step: Step, capabilities: Capabilities) -> Sequence[Sequence[int]]:
    """For each output of a step, the positions of the inputs whose memory it may take over."""
    if "body" in step.attrs:
        return capabilities.takes_over(step.attrs) if capabilities.takes_over else [()] * len(step.outputs)
    permitted = capabilities.overwrites.get(step.op.name, ())
    return [permitted if len(step.outputs) == 1 else ()] * len(step.outputs)


class Draft:
    """Slots and steps, inputs before users.

    Attributes:
        capabilities: what the backend permits.
        slots, steps: as in a plan; the steps are known by their positions here.
        roots: slot → the slot whose memory it shows.
        writer: slot → the step that writes it.
    """

    def __init__(self, capabilities: Capabilities) -> None:
        self.capabilities = capabilities
        self.slots: list[Slot] = []
        self.roots: list[int] = []
        self.steps: list[Step] = []
        self.writer: dict[int, int] = {}

    def new_slot(self, type: TensorType, kind: SlotKind, **details: Any) -> int:
        """Adds a slot; returns its number."""
        slot = Slot(len(self.slots), type, kind, **details)
        self.slots.append(slot)
        self.roots.append(slot.index if slot.base is None else self.roots[slot.base])
        return slot.index

    def append(self, step: Step) -> int:
        """Adds a step; returns its position."""
        self.steps.append(step)
        for slot in step.outputs:
            self.writer[slot] = len(self.steps) - 1
        return len(self.steps) - 1

    def copy(self, source: int, target: int, origins: Origins, node_id: int) -> int:
        """Adds a step that copies one slot into another; returns its position."""
        return self.append(Step(COPY, NO_ATTRS, [source], [target], origins, node_id))

    def is_callers(self, slot: int) -> bool:
        """Whether its memory is the caller's: another array at every call, which no prepared commit can name."""
        return self.slots[self.roots[slot]].kind in _CALLERS

    def readers(self) -> Readers:
        readers: Readers = defaultdict(list)
        for position, step in enumerate(self.steps):
            for index in step.inputs:
                found = readers[self.roots[index]]
                if not found or found[-1] != position:  # once, even if it reads a slot twice
                    found.append(position)
        return readers

    def writes_result(self, step: int) -> bool:
        """Whether a step computes something that is returned."""
        return any(self.slots[slot].kind is SlotKind.OUTPUT for slot in self.steps[step].outputs)

    def downstream(self, starts: Iterable[int], readers: Readers) -> set[int]:
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

    def is_elementwise(self, step: int) -> bool:
        """Whether a step computes element by element."""
        op, attrs = self.steps[step].op, self.steps[step].attrs
        return op.kind is Kind.ELEMENTWISE or attrs.get("fusion") == "elementwise"

    def is_atomic(self, step: int) -> bool:
        """Whether a step may be part of a commit: C code alone, which nothing interrupts."""
        op, attrs, inputs = self.steps[step].op, self.steps[step].attrs, self.steps[step].inputs
        types = [self.slots[slot].type for slot in inputs]
        return op.name in self.capabilities.atomic and not self.capabilities.is_interrupted(op, attrs, types)

    def may_overwrite(self, step: int, slot: int, output: int = 0) -> bool:
        """Whether a step that reads a slot, if it does, may write one of its results there."""
        permitted = may_take_over(self.steps[step], self.capabilities)[output]
        return all(
            source == slot and position in permitted
            for position, source in enumerate(self.steps[step].inputs)
            if self.roots[source] == slot
        )
