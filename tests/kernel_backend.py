"""A backend for tests: fuses whatever it can, and runs each group as a Kernel in the Kernel interpreter.

All else is computed by the ops' own `array_fn` in arrays of their own. So what differs from the numpy backend is what
the fuse pass and the Kernel builder have made of the graph.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from graphc.backend import Capabilities
from graphc.errors import GraphcError, OutOfRangeError
from graphc.ir.types import TensorType
from graphc.lowering.backend import Availability
from graphc.lowering.kernel import Kernel
from graphc.lowering.kernel_builder import build_kernel
from graphc.lowering.kernel_interpreter import interpret
from graphc.lowering.kernel_verify import verify_kernel
from graphc.ops.fused import FUSED_OPS
from graphc.options import CompileOptions
from graphc.plan.data import Plan, Slot, SlotKind, Step
from graphc.reference import bind_attrs

FUSES = frozenset({"elementwise", "layout", "reduction", "row", "gather", "single"})


class KernelBackend:
    """Runs plans step by step, slowly.

    Args:
        fuses: see `Capabilities.fuses`.
    """

    def __init__(self, fuses: frozenset[str] = FUSES) -> None:
        self.fuses = fuses

    def info(self) -> Capabilities:
        return Capabilities("kernels", granularity="step", fuses=self.fuses)

    def availability(self) -> Availability:
        return Availability(True, f"NumPy {np.__version__}")

    def unsupported(self, plan: Plan, options: CompileOptions) -> list[str]:
        return [
            f"{step.op.name}: no kernel" for step in plan.steps if step.op not in FUSED_OPS and step.op.array_fn is None
        ]

    def lower(self, plan: Plan, options: CompileOptions) -> "KernelProgram":
        return KernelProgram(plan)

    def allocate(self, type: TensorType) -> np.ndarray:
        return np.zeros([int(size) for size in type.shape if isinstance(size, int)], type.dtype.numpy)

    def to_device(
        self, pairs: Sequence[tuple[np.ndarray, np.ndarray]], committed: Callable[[], object] | None = None
    ) -> None:
        for target, source in pairs:
            target[...] = source
        if committed is not None:
            committed()

    def to_host(self, array: np.ndarray) -> np.ndarray:
        return np.array(array, copy=True)

    def synchronize(self) -> None:
        """Nothing to wait for."""


class KernelProgram:
    """The Kernels of a plan.

    Attributes:
        kernels: step → its Kernel.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.kernels: dict[Step, Kernel] = {}
        for number, step in enumerate(plan.steps):
            if step.op in FUSED_OPS:
                kernel = build_kernel(step.attrs["body"], step.attrs["fusion"], f"kernel_{number}")
                verify_kernel(kernel)
                self.kernels[step] = kernel

    @property
    def source(self) -> str:
        """The kernels as text."""
        return "\n".join(map(str, self.kernels.values()))

    def bind(
        self, sizes: Mapping[str, int], state: Sequence[np.ndarray], committed: Callable[[], object]
    ) -> tuple[Callable[..., list[np.ndarray]], int]:
        return partial(self._call, sizes, state, committed), 0

    def _call(
        self, sizes: Mapping[str, int], state: Sequence[np.ndarray], committed: Callable[[], object], *feeds: np.ndarray
    ) -> list[np.ndarray]:
        arrays = dict(zip(self.plan.feeds, feeds, strict=True))
        arrays.update(zip(self.plan.state, state, strict=True))
        for slot in self.plan.slots:
            if slot.kind in (SlotKind.CONSTANT, SlotKind.SIZE, SlotKind.VIEW):
                arrays[slot.index] = _array(slot, arrays, sizes)
        for step in self.plan.steps:
            inputs = [np.ascontiguousarray(arrays[index]).reshape(arrays[index].shape) for index in step.inputs]
            for index, value in zip(step.outputs, self._run(step, inputs, sizes), strict=True):
                if self.plan.root(index).kind is SlotKind.STATE:
                    arrays[index][...] = value
                else:
                    arrays[index] = value
        if self.plan.updated:
            committed()
        return [arrays[index] for index in self.plan.results]

    def _run(self, step: Step, inputs: list[np.ndarray], sizes: Mapping[str, int]) -> list[np.ndarray]:
        if step in self.kernels:
            return interpret(self.kernels[step], inputs, sizes)
        function, attrs = step.op.array_fn, bind_attrs(step.attrs, sizes)
        try:
            with np.errstate(all="ignore"):
                found: Any = (
                    getattr(np, function)(*inputs, **attrs)
                    if isinstance(function, str)
                    else function(np, *inputs, **attrs)  # type: ignore[misc]
                )
        except IndexError as error:
            raise OutOfRangeError(f"{step.op.name}: {error}", origins=step.origins) from None
        except GraphcError as error:
            error.origins = step.origins
            raise
        return [np.array(array) for array in (found if isinstance(found, tuple) else (found,))]


def _array(slot: Slot, arrays: Mapping[int, np.ndarray], sizes: Mapping[str, int]) -> np.ndarray:
    """The array of a constant, a size, or a new state that lives where the variable does."""
    if slot.kind is SlotKind.CONSTANT:
        assert slot.value is not None
        return slot.value
    if slot.kind is SlotKind.VIEW:
        assert slot.base is not None
        assert slot.op is None
        return arrays[slot.base]
    assert slot.op is not None
    assert callable(slot.op.array_fn)
    array: np.ndarray = slot.op.array_fn(np, **bind_attrs(slot.attrs, sizes))
    return array
