"""What steps do beside their results, done on the host when the run is over: prints, and errors of checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphc.ir import dims
from graphc.ops.indexing import require_range
from graphc.ops.structure import not_finite, print_value
from graphc.plan.data import Plan, Step

from .source import Effect


def replay(plan: Plan, effects: Sequence[Effect], outputs: Sequence[Any], sizes: Mapping[str, int]) -> None:
    """Prints in program order, up to the first check that failed.

    Raises:
        NumericsError, OutOfRangeError: of that check.
    """
    for step, position in effects:
        value = np.asarray(outputs[position])
        if step.op.name == "print":
            print_value(value, step.attrs["label"])
        elif step.op.name == "check_numerics":
            nans, infinities = map(int, value)
            if nans or infinities:
                size = dims.evaluate(plan.slots[step.inputs[0]].type.size, sizes)
                raise not_finite(nans, infinities, size, step.attrs["message"], step.origins)
        elif dims.evaluate(plan.slots[_moved(step)].type.size, sizes):
            low, high = map(int, value)
            require_range(low, high, _axis_size(plan, step, sizes), step.op.name, step.origins)


def _moved(step: Step) -> int:
    """The slot of what is moved by the indices of a step: where that is empty, they do not count."""
    return step.outputs[0] if step.op.name == "take" else step.inputs[2]


def _axis_size(plan: Plan, step: Step, sizes: Mapping[str, int]) -> int:
    return dims.evaluate(plan.slots[step.inputs[0]].type.shape[step.attrs["axis"]], sizes)
