"""Lifetimes of the arena's values, and which step may write over an input that dies there."""

from __future__ import annotations

from graphc.backend import Capabilities
from graphc.plan.data import Plan, SlotKind, Step
from graphc.plan.memory import Interval, peak_of


def plan_memory(plan: Plan, capabilities: Capabilities) -> None:
    """Fills in `overwrites` of the steps, and the buffers, lifetimes and peak of the plan."""
    last_use = _last_uses(plan)
    starts: list[int] = []
    ends: list[int] = []
    for position, step in enumerate(plan.steps):
        step.overwrites = _dying_input(plan, step, position, last_use, capabilities)
        for index in step.outputs:
            if plan.slots[index].kind is not SlotKind.ARENA:
                continue
            end = last_use.get(index, position)
            if step.overwrites is not None:
                buffer = plan.buffer_of[step.inputs[step.overwrites]]
                ends[buffer] = end
            else:
                buffer = len(starts)
                starts.append(position)
                ends.append(end)
            plan.buffer_of[index] = buffer
    sizes = {buffer: plan.size_of(index) for index, buffer in plan.buffer_of.items()}
    plan.intervals = [Interval(start, end, sizes[i]) for i, (start, end) in enumerate(zip(starts, ends, strict=True))]
    plan.peak = peak_of(plan.intervals)


def _last_uses(plan: Plan) -> dict[int, int]:
    """Root slot → the last step that reads it, through views too."""
    found: dict[int, int] = {}
    for position, step in enumerate(plan.steps):
        for index in step.inputs:
            found[plan.root(index).index] = position
    return found


def _dying_input(
    plan: Plan, step: Step, position: int, last_use: dict[int, int], capabilities: Capabilities
) -> int | None:
    """The position of an input that the output may overwrite: same shape and dtype, read here for the last time."""
    if len(step.outputs) != 1 or plan.slots[step.outputs[0]].kind is not SlotKind.ARENA:
        return None
    output = plan.slots[step.outputs[0]]
    permitted = capabilities.overwrites.get(step.op.name, ())
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
