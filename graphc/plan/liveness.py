"""Lifetimes of the arena's values, and which step may write over an input that dies there."""

from __future__ import annotations

from collections.abc import Sequence

from graphc.backend import Capabilities
from graphc.ir.dims import Dim
from graphc.plan.data import Plan, Slot, SlotKind, Step
from graphc.plan.draft import may_take_over
from graphc.plan.memory import Interval, peak_of


def plan_memory(plan: Plan, capabilities: Capabilities) -> None:
    """Fills in `overwrites` of the steps, and the buffers, lifetimes and peak of the plan."""
    last_use = _last_uses(plan)
    for position, step in enumerate(plan.steps):
        step.overwrites = _dying_inputs(plan, step, position, last_use, capabilities)
        for number, index in enumerate(step.outputs):
            if plan.slots[index].kind is not SlotKind.ARENA:
                continue
            end = last_use.get(index, position)
            if number in step.overwrites:
                buffer = plan.buffer_of[step.inputs[step.overwrites[number]]]
                plan.intervals[buffer] = plan.intervals[buffer]._replace(end=end)
            else:
                buffer = len(plan.intervals)
                plan.intervals.append(Interval(position, end, plan.size_of(index)))
            plan.buffer_of[index] = buffer
        step.scratch = _scratch(plan, step, capabilities)
        if step.scratch != 0:
            plan.scratch_of[position] = len(plan.intervals)
            plan.intervals.append(Interval(position, position, step.scratch))
    plan.peak = peak_of(plan.intervals)


def _scratch(plan: Plan, step: Step, capabilities: Capabilities) -> Dim:
    """What a step needs while it runs, now that it is known which of its results lie where its operands lay."""
    if capabilities.scratch is None:
        return 0
    types = [plan.slots[index].type for index in step.inputs]
    return capabilities.scratch(step.op, step.attrs, types, plan.taken_over(step))


def _last_uses(plan: Plan) -> dict[int, int]:
    """Root slot → the last step that reads it, through views too."""
    found: dict[int, int] = {}
    for position, step in enumerate(plan.steps):
        for index in step.inputs:
            found[plan.root(index).index] = position
    return found


def _dying_inputs(
    plan: Plan, step: Step, position: int, last_use: dict[int, int], capabilities: Capabilities
) -> dict[int, int]:
    """For each output, the position of an input that it may overwrite, no two of them the same."""
    found: dict[int, int] = {}
    for number, permitted in enumerate(may_take_over(step, capabilities)):
        if permitted and plan.slots[step.outputs[number]].kind is SlotKind.ARENA:
            free = [candidate for candidate in permitted if candidate not in found.values()]
            taken = _dying_input(plan, step, position, last_use, plan.slots[step.outputs[number]], free)
            if taken is not None:
                found[number] = taken
    return found


def _dying_input(
    plan: Plan, step: Step, position: int, last_use: dict[int, int], output: Slot, permitted: Sequence[int]
) -> int | None:
    """The first input that is read here for the last time, and has as many elements as wide as those of the output."""
    for candidate in permitted:
        source = plan.slots[step.inputs[candidate]]
        if source.kind is not SlotKind.ARENA or last_use[source.index] != position:
            continue
        if source.type.shape != output.type.shape or source.type.dtype.bits != output.type.dtype.bits:
            continue
        sharers = [i for i, index in enumerate(step.inputs) if plan.root(index) is source]
        if all(i in permitted and step.inputs[i] == source.index for i in sharers):
            return candidate
    return None
