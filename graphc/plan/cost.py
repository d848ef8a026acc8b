"""What a plan costs, as formulas in the symbolic sizes."""

from __future__ import annotations

from graphc.ir import dims
from graphc.ir.dims import Dim
from graphc.ir.opdef import Kind
from graphc.plan.data import Plan, Step


def flops(plan: Plan) -> Dim:
    """Floating-point operations: 2·m·n·k for a product of matrices, one per element otherwise."""
    return sum_of(_step_flops(plan, step) for step in plan.steps)


def sum_of(parts: object) -> Dim:
    """The sum of some dims, with numbers added up first: most parts of most plans are numbers."""
    numbers = 0
    symbolic: dict[Dim, int] = {}
    for part in parts:  # type: ignore[attr-defined]
        if isinstance(part, int):
            numbers += part
        else:
            symbolic[part] = symbolic.get(part, 0) + 1
    total: Dim = numbers
    for part, count in symbolic.items():
        total = total + part * count
    return total


_CONVOLUTIONS = ("conv", "conv_weights")


def _step_flops(plan: Plan, step: Step) -> Dim:
    output = plan.slots[step.outputs[0]].type
    if step.op.name in _CONVOLUTIONS:  # on a backend that claims them
        places, weights = output.size, plan.slots[step.inputs[1]].type
        if step.op.name == "conv_weights":
            places, weights = weights.size, output
        return dims.product([2, places, *weights.shape[:-1]])
    if step.op.kind is Kind.CONTRACTION:
        inner = plan.slots[step.inputs[0]].type.shape[-1]
        return dims.product([2, output.size, inner])
    if step.op.kind is Kind.ELEMENTWISE:
        return output.size
    if step.op.kind is Kind.REDUCTION:
        return plan.slots[step.inputs[0]].type.size
    return 0


def traffic(plan: Plan) -> Dim:
    """Bytes that the steps read and write, each operand once."""
    return sum_of(plan.size_of(index) for step in plan.steps for index in (*step.inputs, *step.outputs))
