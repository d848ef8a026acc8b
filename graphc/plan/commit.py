"""The commit: where new states are computed and written, and the order of steps that follows from it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from graphc.errors import Origins
from graphc.plan.data import SlotKind
from graphc.plan.draft import Draft, Readers
from graphc.plan.ops import ADD_AT, COPY
from graphc.plan.order import sort_steps


class NewState(NamedTuple):
    """The slot of a new value, the variable's slot that it goes to, and what it comes from."""

    value: int
    target: int
    origins: Origins
    node_id: int


def order_steps(draft: Draft, new_states: Sequence[NewState], rank: Callable[[int], int]) -> tuple[list[int], int]:
    """Settles how new states are written, and returns the order of the steps and where in it the commit begins.

    A topological order in which every reader of an old state comes before its writer, and writers come last.
    """
    return _Commit(draft, new_states, rank).order()


class _Commit:
    """How every new state gets into its variable.

    Attributes:
        direct: steps that write straight into variables → {slot of a value: that of its variable}.
        copied: steps that copy a new value into a variable.
        staged: steps that compute half of a new value in the variable's memory → its slot.
    """

    def __init__(self, draft: Draft, new_states: Sequence[NewState], rank: Callable[[int], int]) -> None:
        self.draft = draft
        self.rank = rank
        self.direct: dict[int, dict[int, int]] = {}
        self.copied: dict[int, None] = {}
        self._keep_feeds(new_states)
        atomic = self._atomic_below() if new_states else []
        for value, target, origins, node_id in new_states:
            step = draft.writer.get(value)
            if step is not None and self._may_write(step, value, target) and atomic[step]:
                mine = self.direct.setdefault(step, {})
                if value not in mine:
                    mine[value] = target
                    continue
            if draft.is_callers(value):
                kept = draft.new_slot(draft.slots[value].type, SlotKind.ARENA)
                draft.copy(value, kept, origins, node_id)
                value = kept
            self.copied[draft.copy(value, target, origins, node_id)] = None
        self.staged = self._stages(atomic)

    def _keep_feeds(self, new_states: Sequence[NewState]) -> None:
        """Copies of the feeds that a step with several new values reads, or that are added to a few rows of a table:
        less than copies of the new values would be.
        """
        made = Counter(self.draft.writer[value] for value, *_ in new_states if value in self.draft.writer)
        for position, times in made.items():
            step = self.draft.steps[position]
            if times == 1 and step.op is not ADD_AT:
                continue
            if not self.draft.is_atomic(position) or self.draft.writes_result(position):
                continue
            kept = {}
            for index in dict.fromkeys(filter(self.draft.is_callers, step.inputs)):
                kept[index] = self.draft.new_slot(self.draft.slots[index].type, SlotKind.ARENA)
                self.draft.copy(index, kept[index], step.origins, step.node_id)
            step.inputs = tuple(kept.get(index, index) for index in step.inputs)

    def _stages(self, atomic: Sequence[bool]) -> dict[int, int]:
        """The `β·m` of `m ← β·m + g`: nobody else reads it, and it can be computed where m is."""
        readers = self.draft.readers()
        staged: dict[int, int] = {}
        for step, targets in self.direct.items():
            target = next(iter(targets.values()))
            if len(self.draft.steps[step].outputs) > 1 or step in readers[target]:
                continue
            for value in self.draft.steps[step].inputs:
                maker = self._maker_of_half(value, step, target, readers)
                if maker is not None and atomic[maker]:
                    staged[maker] = target
                    break
        return staged

    def _maker_of_half(self, value: int, step: int, target: int, readers: Readers) -> int | None:
        """The step that computes a value from a variable for another step alone, if it may do so in place."""
        slot = self.draft.slots[value]
        if slot.kind is not SlotKind.ARENA or slot.type != self.draft.slots[target].type or readers[value] != [step]:
            return None
        maker = self.draft.writer[value]
        if maker in self.direct or target not in self.draft.steps[maker].inputs:
            return None
        if len(self.draft.steps[maker].outputs) > 1:
            return None
        fits = self.draft.may_overwrite(step, value) and self._may_write(maker, value, target)
        return maker if fits else None

    def _may_write(self, step: int, index: int, target: int) -> bool:
        """Whether a step may put its result into a variable, which it may be reading, element by element."""
        writer = self.draft.steps[step]
        if self.draft.slots[index].kind is not SlotKind.ARENA or self.draft.writes_result(step):
            return False
        return self.draft.may_overwrite(step, target, writer.outputs.index(index))

    def _atomic_below(self) -> list[bool]:
        """Whether a step and everything that reads its result can be part of a commit."""
        readers = self.draft.readers()
        fine = [False] * len(self.draft.steps)
        for position in reversed(range(len(self.draft.steps))):
            step = self.draft.steps[position]
            touches_callers = any(map(self.draft.is_callers, step.inputs))
            fine[position] = (
                (self.draft.is_atomic(position) or step.op is COPY)
                and not touches_callers
                and all(fine[reader] for slot in step.outputs for reader in readers[slot])
                and not any(self.draft.slots[slot].kind is SlotKind.OUTPUT and readers[slot] for slot in step.outputs)
            )
        return fine

    def order(self) -> tuple[list[int], int]:
        """The steps in order, and where the commit begins.

        Where the demands of variables contradict (two that swap), a direct write gives way to a copy.
        """
        while True:
            writers = self._writers()
            readers = self.draft.readers()
            order, knots = self._try_order(writers, readers)
            conflict = self._torn(writers, readers) or {self._who_gives_way(knot) for knot in knots}
            if not conflict:
                break
            for step in sorted(() if self.staged else conflict):
                self._detach(step)
            self.staged = {}  # they are a saving only, and conflicts are rare
        self._write_directly()
        commit = next((at for at, position in enumerate(order) if position in writers), len(order))
        return order, commit

    def _writers(self) -> dict[int, tuple[int, ...]]:
        """The steps that write into variables, and into which."""
        found: dict[int, tuple[int, ...]] = {step: (target,) for step, target in self.staged.items()}
        found.update({step: tuple(targets.values()) for step, targets in self.direct.items()})
        found.update({step: self.draft.steps[step].outputs for step in self.copied})
        return found

    def _who_gives_way(self, knot: Sequence[int]) -> int:
        """The first of the direct writers, or else a copy, which then gets a second one."""
        return min(set(knot) & (self.staged.keys() | self.direct.keys()) or set(knot) & self.copied.keys())

    def _detach(self, step: int) -> None:
        """Lets a writer write to a temporary, which a later step copies into the state."""
        old = self.draft.steps[step]
        moved = self.direct.pop(step, {})
        if not moved:
            del self.copied[step]
            target = old.outputs[0]
            source = self.draft.new_slot(self.draft.slots[target].type, SlotKind.ARENA)
            old.outputs = (source,)
            self.draft.writer[source] = step
            moved = {source: target}
        for source, target in moved.items():
            self.copied[self.draft.copy(source, target, old.origins, old.node_id)] = None

    def _try_order(self, writers: Mapping[int, Sequence[int]], readers: Readers) -> tuple[list[int], list[list[int]]]:
        """Writers wait until nothing else is ready. Returns the order, and the knots that are in its way."""
        successors: list[Sequence[int]] = [()] * len(self.draft.steps)
        for slot, step in self.draft.writer.items():
            if self.draft.slots[slot].kind is not SlotKind.STATE:
                # Almost every step writes one slot: it shares that slot's list, of which there may be very many.
                successors[step] = [*successors[step], *readers[slot]] if successors[step] else readers[slot]
        waiting: dict[int, list[int]] = defaultdict(list)
        for step, targets in writers.items():
            for reader in dict.fromkeys(reader for target in targets for reader in readers[target]):
                if reader != step:
                    waiting[reader].append(step)
        for reader, steps in waiting.items():
            successors[reader] = [*successors[reader], *steps]
        # A backend may commit in one go: results of new states come last of all.
        written = [step for step, targets in writers.items() if targets[0] not in self.draft.steps[step].outputs]
        last = {step for step in self.draft.downstream(written, readers) if self.draft.writes_result(step)}
        late = self._late(writers, readers) if writers else set()

        def key(position: int) -> tuple[int, int, int]:
            return 2 if position in last else int(position in late), self.rank(position), position

        return sort_steps(successors, key)

    def _late(self, writers: Iterable[int], readers: Readers) -> set[int]:
        """The writers, and elementwise steps that only they read: computed where they are used, while in cache."""
        late = set(writers)
        for position in reversed(range(len(self.draft.steps))):
            step = self.draft.steps[position]
            if not self.draft.is_elementwise(position) or not self.draft.is_atomic(position):
                continue
            if self.draft.writes_result(position):  # beside what the writers read: results are no part of a commit
                continue
            using = [reader for slot in step.outputs for reader in readers[slot]]
            if using and not any(map(self.draft.is_callers, step.inputs)) and late.issuperset(using):
                late.add(position)
        return late

    def _torn(self, writers: Mapping[int, Sequence[int]], readers: Readers) -> set[int]:
        """Direct writers whose new value goes into a result together with an old state, or beside another new one.

        Results of new states are computed after all writers: no old state is left then, and nothing can be written.
        """
        late = self.draft.downstream(self.direct, readers)
        using_old = (step for targets in writers.values() for target in targets for step in readers[target])
        several = (step for step in late if len(self.draft.steps[step].outputs) > 1)
        written = (step for step in several if not writers.keys().isdisjoint(self.draft.downstream([step], readers)))
        pending = [step for step in (*using_old, *written) if step in late and self.draft.writes_result(step)]
        found: set[int] = set()
        seen: set[int] = set()
        while pending:
            step = pending.pop()
            seen.add(step)
            for slot in self.draft.steps[step].inputs:
                maker = self.draft.writer.get(self.draft.roots[slot], -1)
                if maker in self.direct:
                    found.add(maker)
                elif maker in late and maker not in seen:
                    pending.append(maker)
        return found

    def _write_directly(self) -> None:
        """Redirects the outputs of direct writers into the variables, and their readers with them."""
        staged = {step: {self.draft.steps[step].outputs[0]: target} for step, target in self.staged.items()}
        for step, targets in (*staged.items(), *self.direct.items()):
            outputs = self.draft.steps[step].outputs
            self.draft.steps[step].outputs = tuple(targets.get(index, index) for index in outputs)
            for old, target in targets.items():
                slot = self.draft.slots[old]
                slot.kind = SlotKind.VIEW
                slot.base = target
                slot.op = None
