"""What steps do beside their results, done on the host when the run is over: prints, and errors of checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphc.ir import dims
from graphc.ops.gather import checked_as, require_range
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
        else:
            _require_range(plan, step, value, sizes)


def _require_range(plan: Plan, step: Step, seen: np.ndarray, sizes: Mapping[str, int]) -> None:
    """Holds the least and the largest index to their axis, unless they move nothing."""
    if step.op.name == "positions":
        size, moved = step.attrs["size"], step.attrs["used"]
    else:
        size = plan.slots[step.inputs[0]].type.shape[step.attrs["axis"]]
        moved = plan.slots[step.outputs[0] if step.op.name.startswith("take") else step.inputs[2]].type.size
    if dims.evaluate(moved, sizes):
        low, high = map(int, seen)
        require_range(low, high, dims.evaluate(size, sizes), checked_as(step.op.name, step.attrs), step.origins)
