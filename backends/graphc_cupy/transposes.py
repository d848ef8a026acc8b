"""Transposed operands of products: cuBLAS reads a matrix along either axis, so that no kernel need write the other one.

Decided when a plan is bound, as only then is it known which memory is used again: a transposition is left out if all
its readers are products, and if its source still stands where it was when they run.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from graphc.ir import dims
from graphc.ops.fused import FUSED_OPS
from graphc.plan.data import Plan, SlotKind, Step


class Memory(Protocol):
    """Where things lie at given sizes."""

    @property
    def sizes(self) -> Mapping[str, int]: ...

    def pointer(self, slot: int) -> int: ...

    def scratch(self, step: Step) -> int: ...


class Range(NamedTuple):
    """Bytes of memory."""

    start: int
    end: int

    def meets(self, other: Range) -> bool:
        """Whether the two share a byte."""
        return self.start < other.end and other.start < self.end


def left_out(plan: Plan, memory: Memory) -> dict[int, int]:
    """Slots that need not be written: transposed matrix → the matrix to be read along the other axis."""
    candidates = {step.outputs[0]: at for at, step in enumerate(plan.steps) if _is_transposition(plan, step)}
    readers: dict[int, list[int]] = defaultdict(list)
    for at, step in enumerate(plan.steps):
        for index in step.inputs:
            if index in candidates:
                readers[index].append(at)
    found = {}
    for index, at in candidates.items():
        source = plan.steps[at].inputs[0]
        uses = readers[index]
        if all(_takes_transposed(plan, plan.steps[use]) for use in uses):
            until = plan.steps[at + 1 : max(uses, default=at) + 1]  # a product may be given the memory of what has died
            if _stands(plan, source, until, memory):
                found[index] = source
    return found


def _is_transposition(plan: Plan, step: Step) -> bool:
    """Whether a step does nothing but to exchange the two axes of one matrix of floats."""
    if step.op not in FUSED_OPS or len(step.outputs) != 1 or plan.slots[step.outputs[0]].kind is not SlotKind.ARENA:
        return False
    body = step.attrs["body"]
    (result,) = body.results
    moves = result.op.name == "permute_dims" and result.ndim == 2 and tuple(result.attrs["axes"]) == (1, 0)
    return moves and result.inputs[0] is body.parameters[0] and result.dtype.kind == "float"


def _takes_transposed(plan: Plan, step: Step) -> bool:
    """Whether a step is a product of two matrices, no stacks."""
    return step.op.name == "matmul" and all(plan.slots[index].type.ndim == 2 for index in step.inputs)


def _stands(plan: Plan, source: int, steps: Sequence[Step], memory: Memory) -> bool:
    """Whether none of the steps writes to the memory of a slot."""
    whole = _range(plan, source, memory)
    for step in steps:
        if any(_range(plan, index, memory).meets(whole) for index in step.outputs):
            return False
        if step.scratch != 0:
            start = memory.scratch(step)
            if Range(start, start + dims.evaluate(step.scratch, memory.sizes)).meets(whole):
                return False
    return True


def _range(plan: Plan, index: int, memory: Memory) -> Range:
    start = memory.pointer(index)
    return Range(start, start + dims.evaluate(plan.size_of(index), memory.sizes))
