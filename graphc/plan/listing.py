"""A plan as a table that a person reads: what is given, the steps, where their values live and for how long."""

from __future__ import annotations

from collections.abc import Iterator

from graphc.ir.dims import Poly
from graphc.ir.graph import Graph
from graphc.ir.opdef import Kind
from graphc.ir.text import print_attr
from graphc.passes.fusion import listed
from graphc.plan.data import Plan, Slot, SlotKind, Step

_LONGEST = 40  # characters of an attribute or a constant
_DEEPEST = 3  # views of views that are spelt out
_INLINE = 4  # elements of a constant that stands where it is read


def listing(plan: Plan) -> str:
    """The table of a plan. `@3` is buffer 3 of the arena; `over t5` says whose memory a step takes over."""
    return "\n".join(_lines(plan))


def _lines(plan: Plan) -> Iterator[str]:
    title = "functional" if plan.functional else f"{len(plan.intervals)} buffers"
    yield f"plan {plan.name!r}: {len(plan.steps)} steps, {title}"
    for kind, indices in (("feed", plan.feeds), ("state", plan.state)):
        yield from (f"  {kind:<7}{plan.label(index)}: {plan.slots[index].type}" for index in indices)
    for slot in plan.slots:
        if slot.kind is SlotKind.CONSTANT and not _is_inline(slot):
            yield f"  const  {plan.label(slot.index)}: {slot.type} = {_value(slot)}"
    for position, step in enumerate(plan.steps):
        if position == plan.commit:
            yield "  -- commit: from here on nothing can fail --"
        yield f"  {position:4} {_step(plan, step)}    {step.origins}"
    yield f"  results ({', '.join(_operand(plan, index) for index in plan.results)})"
    if plan.new_states is not None:
        pairs = zip(plan.updated, plan.new_states, strict=True)
        yield from (f"  new    {plan.label(variable)} = {_operand(plan, value)}" for variable, value in pairs)
        yield "  memory is planned by the backend, for each combination of sizes"
        return
    for number, (start, end, nbytes) in enumerate(plan.intervals):
        yield f"  buffer @{number}: steps {start} to {end}, {nbytes} bytes"
    yield f"  peak {plan.peak} bytes"


def _step(plan: Plan, step: Step) -> str:
    outputs = ", ".join(_output(plan, index) for index in step.outputs)
    operands = [_operand(plan, index) for index in step.inputs]
    operands += [f"{name}={_attr(value)}" for name, value in step.attrs.items()]
    taken = [plan.label(step.inputs[source]) for source in step.overwrites.values()]
    over = f"  over {', '.join(taken)}" if taken else ""
    return f"{outputs} = {step.op.name}({', '.join(operands)}){over}"


def _output(plan: Plan, index: int) -> str:
    place = f" @{plan.buffer_of[index]}" if index in plan.buffer_of else ""
    return f"{plan.label(index)}: {plan.slots[index].type}{place}"


def _operand(plan: Plan, index: int) -> str:
    """What a step reads: a name, a number, or how a view shows its base."""
    slot = plan.slots[index]
    views: list[Slot] = []
    while slot.base is not None and len(views) < _DEEPEST:
        views.append(slot)
        slot = plan.slots[slot.base]
    text = plan.label(slot.index)
    if slot.base is not None:
        text = f"… of {plan.label(plan.root(index).index)}"
    elif slot.kind is SlotKind.SIZE and "dim" in slot.attrs:
        text = str(slot.attrs["dim"])
    elif slot.kind is SlotKind.CONSTANT and _is_inline(slot):
        text = _value(slot)
    for view in reversed(views):
        if view.op is not None:  # none: a new value where its variable lives
            text = f"{view.op.name}({', '.join([text, *map(_attr, view.attrs.values())])})"
    return text


def _attr(value: object) -> str:
    if isinstance(value, Graph):  # of a group
        return f"[{listed([node.op.name for node in value.nodes if node.op.kind is not Kind.SOURCE])}]"
    if isinstance(value, tuple):
        return _short("(" + ", ".join(map(_attr, value)) + (",)" if len(value) == 1 else ")"))
    return str(value) if isinstance(value, Poly) else _short(print_attr(value))


def _is_inline(slot: Slot) -> bool:
    return slot.value is not None and slot.value.size <= _INLINE


def _value(slot: Slot) -> str:
    return _short(" ".join(str(slot.value).split()))


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
