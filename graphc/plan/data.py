"""The plan as data: steps in order, slots that hold their values, and what is known about their memory."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphc.errors import Origins
from graphc.ir.dims import Dim, Guard
from graphc.ir.opdef import OpDef
from graphc.ir.tensor import NO_ATTRS
from graphc.ir.types import TensorType
from graphc.plan.memory import Interval, Peak


class SlotKind(enum.Enum):
    """Where the value of a slot lives."""

    FEED = "feed"  # the caller's array
    STATE = "state"  # a variable, kept by the session
    CONSTANT = "constant"
    SIZE = "size"  # a dim as a scalar, known when dims are bound
    VIEW = "view"  # other strides over the memory of another slot
    ARENA = "arena"  # planned memory, shared over time
    OUTPUT = "output"  # a fresh array that the caller gets
    VALUE = "value"  # of a functional plan: where it lives is the backend's business

    __hash__ = object.__hash__  # members are singletons; the hash of the enum module is slow


_PREFIXES = {
    SlotKind.VIEW: "v",
    SlotKind.ARENA: "t",
    SlotKind.VALUE: "t",
    SlotKind.OUTPUT: "r",
    SlotKind.CONSTANT: "c",
    SlotKind.SIZE: "n",
}


class Slot:
    """A value in a plan.

    Attributes:
        index: position in `Plan.slots`.
        type: dtype and shape.
        kind: where it lives.
        name: of a placeholder or variable, else empty.
        value: of a constant; the attributes of a size.
        base: for a view: the slot whose memory it shows.
        op, attrs: for a view: how.
        contiguous: whether its elements are known to lie in row-major order without gaps.
    """

    __slots__ = ("attrs", "base", "contiguous", "index", "kind", "name", "op", "type", "value")

    def __init__(
        self,
        index: int,
        type: TensorType,
        kind: SlotKind,
        *,
        name: str = "",
        value: np.ndarray | None = None,
        base: int | None = None,
        op: OpDef | None = None,
        attrs: Mapping[str, Any] | None = None,
        contiguous: bool = True,
    ) -> None:
        self.index = index
        self.type = type
        self.kind = kind
        self.name = name
        self.value = value
        self.base = base
        self.op = op
        self.attrs = NO_ATTRS if attrs is None else attrs
        self.contiguous = contiguous

    @property
    def is_positive_zero(self) -> bool:
        """Whether it is a constant, and all of it +0."""
        return self.value is not None and not self.value.reshape(-1).view(np.uint8).any()

    def __repr__(self) -> str:
        return f"<Slot {self.index} {self.kind.value} {self.type}>"


class Step:
    """One call of a kernel.

    Attributes:
        op, attrs: what is computed.
        inputs, outputs: indices of slots.
        origins: the user's lines.
        node_id: the node it came from, for the ledger.
        overwrites: position of an output → position of the input whose memory it takes over.
        scratch: bytes of the arena that it needs while it runs.
    """

    __slots__ = ("attrs", "inputs", "node_id", "op", "origins", "outputs", "overwrites", "scratch")

    def __init__(
        self,
        op: OpDef,
        attrs: Mapping[str, Any],
        inputs: Sequence[int],
        outputs: Sequence[int],
        origins: Origins,
        node_id: int,
    ) -> None:
        self.op = op
        self.attrs = attrs
        self.inputs = tuple(inputs)
        self.outputs = tuple(outputs)
        self.origins = origins
        self.node_id = node_id
        self.overwrites: dict[int, int] = {}
        self.scratch: Dim = 0

    def __repr__(self) -> str:
        return f"<Step {self.op.name} {self.inputs} -> {self.outputs}>"


class Plan:
    """What a backend turns into a program. Made by `schedule.make_plan`; memory is filled in by `liveness`.

    A *functional* plan is for backends that take the whole graph: one step per node in the order of the graph, each
    with slots of its own; no views, no copies, nothing written in place. Memory is the backend's.

    Attributes:
        name: of the graph.
        slots, steps: see there.
        feeds: slots of the placeholders, in the order of the feeds.
        state: slots of the variables that are read or written.
        results: slots of the results, in order.
        updated: slots of the variables that are written.
        new_states: of a functional plan: the slots with the new values, in the order of `updated`; else `None`, as
            the steps of the commit write them where the variables are.
        commit: index of the first step of the commit; `len(steps)` if nothing is written, or the plan is functional.
        guards: what must hold of the sizes.
        intervals: lifetime and size of each buffer of the arena.
        buffer_of: arena slot → index into `intervals`.
        scratch_of: step → index into `intervals`, for steps that need scratch memory.
        peak: the bytes that live at the same time, as a formula.
    """

    def __init__(
        self,
        name: str,
        slots: list[Slot],
        steps: list[Step],
        feeds: list[int],
        state: list[int],
        results: list[int],
        updated: list[int],
        commit: int,
        guards: tuple[Guard, ...],
        new_states: list[int] | None = None,
    ) -> None:
        self.name = name
        self.slots = slots
        self.steps = steps
        self.feeds = feeds
        self.state = state
        self.results = results
        self.updated = updated
        self.commit = commit
        self.guards = guards
        self.new_states = new_states
        self.intervals: list[Interval] = []
        self.buffer_of: dict[int, int] = {}
        self.scratch_of: dict[int, int] = {}
        self.peak = Peak([])
        self._roots = _roots(slots)

    @property
    def functional(self) -> bool:
        """Whether the backend takes the whole graph, and plans its memory itself."""
        return self.new_states is not None

    def root(self, index: int) -> Slot:
        """The slot whose memory a slot shows: itself, or the base of its views."""
        return self.slots[self._roots[index]]

    def label(self, index: int) -> str:
        """A short name of a slot, as it stands in sources and listings."""
        slot = self.slots[index]
        prefix = _PREFIXES.get(slot.kind)
        return f"{prefix}{index}" if prefix else slot.name

    def taken_over(self, step: Step) -> dict[int, int]:
        """Position of an output of a step → position of the input in whose memory it is written."""
        taken = dict(step.overwrites)
        for number, index in enumerate(step.outputs):
            sharers = [at for at, source in enumerate(step.inputs) if self.root(source) is self.root(index)]
            if sharers:
                taken[number] = sharers[0]
        return taken

    def size_of(self, index: int) -> Dim:
        """Bytes of the elements of a slot."""
        return self.slots[index].type.nbytes


def _roots(slots: Sequence[Slot]) -> dict[int, int]:
    """For each slot that whose memory it shows. Views of views of views are followed once."""
    roots: dict[int, int] = {}
    for slot in slots:
        path = []
        index = slot.index
        while index not in roots:
            path.append(index)
            base = slots[index].base
            if base is None:
                roots[index] = index
            else:
                index = base
        roots.update(dict.fromkeys(path, roots[index]))
    return roots
