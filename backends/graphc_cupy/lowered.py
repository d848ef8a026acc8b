"""What a step is once it is lowered: kernels in the code, checks, and the works that a bound call is made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol, TypeAlias

import numpy as np

from graphc.ir import dims
from graphc.ir.types import TensorType
from graphc.lowering.kernel import Kernel
from graphc.plan.data import Plan, Step

from .checks import Check
from .code import Code, launch_text, needs_wide
from .device import Device, Work
from .kernels import BLOCK

WORD = 8  # bytes


class Print(NamedTuple):
    """A value that a run shows: everything before it must be done, and all checks so far must have held."""

    ptr: int
    shape: tuple[int, ...]
    dtype: np.dtype
    label: str


Item: TypeAlias = Work | Print


class Bound(Protocol):
    """The memory of a plan whose sizes are known.

    Attributes:
        device, sizes: see there.
        transposed: slots that are not written → the matrix that products read along its other axis instead.
    """

    device: Device
    sizes: Mapping[str, int]
    transposed: Mapping[int, int]

    def pointer(self, slot: int) -> int:
        """Where the elements of a slot are."""
        ...

    def status(self, step: Step) -> int:
        """Where the words of the checks of a step are."""
        ...

    def scratch(self, step: Step) -> int:
        """Memory that is a step's own while it runs."""
        ...


class Lowered(Protocol):
    """A step, lowered.

    Attributes:
        step: of the plan.
        checks: in the order of their words.
    """

    step: Step
    checks: tuple[Check, ...]

    def listing(self) -> list[str]:
        """What it does, one call a line."""
        ...

    def bind(self, bound: Bound) -> Iterator[Item]:
        """What it does at given sizes, prepared."""
        ...


class LoweredStep:
    """What most steps share.

    Args:
        plan, step: what is lowered.
        code: kernels are added to it.
    """

    def __init__(self, plan: Plan, step: Step, code: Code) -> None:
        self.step = step
        self.code = code
        self.inputs = [plan.slots[index].type for index in step.inputs]
        self.outputs = [plan.slots[index].type for index in step.outputs]
        self.checks: tuple[Check, ...] = ()

    def shape(self, kind: TensorType, bound: Bound) -> tuple[int, ...]:
        """A shape in numbers."""
        return tuple(dims.evaluate(size, bound.sizes) for size in kind.shape)

    def copied(self, bound: Bound) -> Iterator[Work]:
        """The first input copied into the output, if they are not the same memory."""
        source, target = bound.pointer(self.step.inputs[0]), bound.pointer(self.step.outputs[0])
        nbytes = dims.evaluate(self.outputs[0].nbytes, bound.sizes)
        if source != target and nbytes:
            yield bound.device.prepare_copy(target, source, nbytes)

    def launched(self, name: str, threads: int, pointers: Sequence[int], bound: Bound) -> Iterator[Work]:
        """A hand-written kernel, unless there is nothing for it to do."""
        if threads:
            function = self.code.function(bound.device, name)
            yield bound.device.prepare_launch(function, -(-threads // BLOCK), BLOCK, 0, pointers)


class PrintedStep(LoweredStep):
    """A step that is a Kernel: what is printed is launched with all arrays, scratch and status if any, and sizes."""

    kernel: Kernel

    def listing(self) -> list[str]:
        return [launch_text(launch) for launch in self.code.printed(self.kernel, wide=False).launches]

    def arrays(self, bound: Bound) -> list[int]:
        """The pointers of the kernel's inputs and outputs."""
        return [bound.pointer(index) for index in (*self.step.inputs, *self.step.outputs)]

    def bind(self, bound: Bound) -> Iterator[Item]:
        wide = needs_wide(self.kernel, bound.sizes)
        printed = self.code.printed(self.kernel, wide)
        args = self.arrays(bound)
        if printed.scratch != 0:
            args.append(bound.scratch(self.step))
        if self.kernel.checks:
            args.append(bound.status(self.step))
        args += [bound.sizes[name] for name in self.kernel.symbols]
        for launch in printed.launches:
            grid = dims.evaluate(launch.grid, bound.sizes)
            if grid:
                function = self.code.function(bound.device, launch.function, wide)
                yield bound.device.prepare_launch(function, grid, launch.block, launch.shared_bytes, args)
