"""A backend of another package: it runs the steps of a plan one by one, with the array functions of the ops."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.backend import Capabilities
from graphc.errors import GraphcError, OutOfRangeError
from graphc.ir.types import TensorType
from graphc.lowering.backend import Availability, Call
from graphc.options import CompileOptions
from graphc.plan.data import Plan, Slot, SlotKind, Step
from graphc.reference import bind_attrs


class StrangerBackend:
    """Has no arena: every step makes an array. Variables change in the commit alone, which is made of copies."""

    def info(self) -> Capabilities:
        return Capabilities("stranger")

    def availability(self) -> Availability:
        return Availability(True, "a slow loop on any CPU")

    def unsupported(self, plan: Plan, options: CompileOptions) -> list[str]:
        return [f"{step.op.name}: no array function" for step in plan.steps if step.op.array_fn is None]

    def lower(self, plan: Plan, options: CompileOptions) -> StrangerProgram:
        return StrangerProgram(plan)

    def allocate(self, type: TensorType) -> np.ndarray:
        return np.zeros(type.shape, type.dtype.numpy)

    def to_device(self, pairs: Sequence[tuple[Any, np.ndarray]], committed: Callable[[], object] | None = None) -> None:
        for target, source in pairs:
            target[...] = source
        if committed is not None:
            committed()

    def to_host(self, array: np.ndarray) -> np.ndarray:
        return array.copy()

    def synchronize(self) -> None: ...


class StrangerProgram:
    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    @property
    def source(self) -> str:
        return "\n".join(map(repr, self.plan.steps))

    def bind(self, sizes: Mapping[str, int], state: Sequence[Any], committed: Callable[[], object]) -> tuple[Call, int]:
        plan = self.plan
        known = {slot.index: _constant(slot, sizes) for slot in plan.slots if slot.kind in _CONSTANTS}
        known.update(zip(plan.state, state, strict=True))
        bound = [(step, bind_attrs(step.attrs, sizes)) for step in plan.steps]

        def call(*feeds: np.ndarray) -> list[np.ndarray]:
            values = known | dict(zip(plan.feeds, feeds, strict=True))
            for step, attrs in bound:
                computed = _run(step, [values[index] for index in step.inputs], attrs)
                for index, array in zip(step.outputs, computed, strict=True):
                    if plan.slots[index].kind is SlotKind.STATE:
                        values[index][...] = array
                    else:
                        values[index] = array
            if plan.updated:
                committed()
            return [np.array(values[index]) for index in plan.results]

        return call, 0


_CONSTANTS = (SlotKind.CONSTANT, SlotKind.SIZE)


def _constant(slot: Slot, sizes: Mapping[str, int]) -> np.ndarray:
    if slot.kind is SlotKind.CONSTANT:
        return np.asarray(slot.value)
    assert slot.op is not None
    return np.asarray(_apply(slot.op.array_fn, [], bind_attrs(slot.attrs, sizes)))


def _run(step: Step, inputs: Sequence[np.ndarray], attrs: Mapping[str, Any]) -> list[np.ndarray]:
    try:
        with np.errstate(all="ignore"):
            value = _apply(step.op.array_fn, inputs, attrs)
    except GraphcError as error:
        error.origins = step.origins
        raise
    except IndexError as error:
        raise OutOfRangeError(f"{step.op.name}: {error}", origins=step.origins) from None
    # Copies: what `reshape` gives shows a variable, and would change with it.
    return [np.array(array, order="C") for array in (value if isinstance(value, tuple) else (value,))]


def _apply(function: Any, inputs: Sequence[np.ndarray], attrs: Mapping[str, Any]) -> Any:
    """An array function is the name of one of NumPy's, or takes the module as its first argument."""
    return getattr(np, function)(*inputs, **attrs) if isinstance(function, str) else function(np, *inputs, **attrs)


def backend() -> StrangerBackend:
    """The entry point."""
    return StrangerBackend()
