"""How each op of a plan runs on the device: a table from op to what its step adds to the code and to a bound call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import prod
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np

from graphc.ir import dims
from graphc.ir.dims import Dim
from graphc.ir.opdef import OpDef
from graphc.ir.types import TensorType
from graphc.lowering.kernel import Kernel
from graphc.ops.fused import FUSED_OPS, reads_in_place
from graphc.plan.data import Plan, Step

from . import kernels
from .checks import Check, finite, in_range
from .code import Code, kernel_of, launch_text, needs_wide
from .cuda_printer import print_kernel
from .device import Device, Matrix, Work
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
    """The memory of a plan whose sizes are known."""

    device: Device
    sizes: Mapping[str, int]

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


class _Step:
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


class Copy(_Step):
    """`copy`: one slot into another."""

    def listing(self) -> list[str]:
        return ["copy"]

    def bind(self, bound: Bound) -> Iterator[Item]:
        yield from self.copied(bound)


class _Printed(_Step):
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


class Fused(_Printed):
    """`fused`, `fused_checked`."""

    def __init__(self, plan: Plan, step: Step, code: Code) -> None:
        super().__init__(plan, step, code)
        self.kernel = code.fused(step.attrs["body"], step.attrs["fusion"])
        self.checks = tuple(in_range(*check) for check in self.kernel.checks)


class IntegerMatmul(_Printed):
    """`matmul` of integers: a Kernel of our own."""

    def __init__(self, plan: Plan, step: Step, code: Code) -> None:
        super().__init__(plan, step, code)
        name = code.unused_name("matmul")
        self.kernel = code.add(kernels.integer_matmul(self.inputs[0], self.inputs[1], self.outputs[0], name))


class FloatMatmul(_Step):
    """`matmul` of floats: the device's library.

    Args:
        precision: as in `CompileOptions`.
    """

    def __init__(self, plan: Plan, step: Step, code: Code, precision: str) -> None:
        super().__init__(plan, step, code)
        self.precision = precision

    def listing(self) -> list[str]:
        return [f"cupy.matmul: {self.inputs[0]} @ {self.inputs[1]}, precision {self.precision}"]

    def bind(self, bound: Bound) -> Iterator[Item]:
        left, right, out = (self.shape(kind, bound) for kind in (*self.inputs, *self.outputs))
        target = bound.pointer(self.step.outputs[0])
        dtype = self.outputs[0].dtype.numpy
        if not prod(out):
            return
        if not left[-1]:
            yield bound.device.prepare_fill(target, prod(out) * dtype.itemsize, 0)
            return
        pointers = (*(bound.pointer(index) for index in self.step.inputs), target)
        matrices = [Matrix(ptr, shape) for ptr, shape in zip(pointers, plain_stacks(left, right, out), strict=True)]
        yield bound.device.prepare_matmul(matrices[0], matrices[1], matrices[2], dtype, self.precision)


def plain_stacks(
    left: tuple[int, ...], right: tuple[int, ...], out: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """The same product with as few axes as can be: of matrices, of equal stacks, or of stacks that broadcast."""
    rank = len(out)
    left, right = ((1,) * (rank - len(shape)) + shape for shape in (left, right))
    (*stack, rows, inner), columns = left, right[-1]
    if prod(right[:-2]) == 1:
        many = prod(stack) * rows
        return (many, inner), (inner, columns), (many, columns)
    if left[:-2] == right[:-2]:
        count = prod(stack)
        return (count, rows, inner), (count, inner, columns), (count, rows, columns)
    return left, right, out


class ScatterAdd(_Step):
    """`scatter_add`: x is copied, then values are added in the order of their indices."""

    def __init__(self, plan: Plan, step: Step, code: Code) -> None:
        super().__init__(plan, step, code)
        x, indices, _ = self.inputs
        self.axis: int = step.attrs["axis"]
        self.checks = (in_range("scatter_add", x.shape[self.axis], step.origins),)
        self.range = code.write(kernels.check_range(indices.dtype))
        self.add = code.write(kernels.scatter_add(x.dtype, indices.dtype))

    def listing(self) -> list[str]:
        return ["copy", *(_written_text(name) for name in (self.range, self.add))]

    def bind(self, bound: Bound) -> Iterator[Item]:
        yield from self.copied(bound)
        x, indices, _ = (self.shape(kind, bound) for kind in self.inputs)
        at, values = (bound.pointer(index) for index in self.step.inputs[1:])
        outer, size, inner, count = prod(x[: self.axis]), x[self.axis], prod(x[self.axis + 1 :]), prod(indices)
        yield from self.launched(self.range, count, [at, bound.status(self.step), size, count], bound)
        sizes = [outer, size, inner, count]
        target = bound.pointer(self.step.outputs[0])
        yield from self.launched(self.add, outer * inner if count else 0, [at, values, target, *sizes], bound)


class CheckNumerics(_Printed):
    """`check_numerics`: a Kernel counts what is not finite, straight into the words of the check."""

    def __init__(self, plan: Plan, step: Step, code: Code) -> None:
        super().__init__(plan, step, code)
        self.checks = (finite(self.inputs[0].size, step.attrs["message"], step.origins),)
        self.kernel = code.add(kernels.count_not_finite(self.inputs[0], code.unused_name("count_not_finite")))

    def listing(self) -> list[str]:
        return [*super().listing(), "copy"]

    def arrays(self, bound: Bound) -> list[int]:
        words = bound.status(self.step)
        return [bound.pointer(self.step.inputs[0]), words, words + WORD]

    def bind(self, bound: Bound) -> Iterator[Item]:
        yield from super().bind(bound)
        yield from self.copied(bound)


class PrintValue(_Step):
    """`print`: the run waits, and writes the value."""

    def listing(self) -> list[str]:
        return ["wait, and print", "copy"]

    def bind(self, bound: Bound) -> Iterator[Item]:
        kind = self.inputs[0]
        source = bound.pointer(self.step.inputs[0])
        yield Print(source, self.shape(kind, bound), kind.dtype.numpy, self.step.attrs["label"])
        yield from self.copied(bound)


def _written_text(name: str) -> str:
    return f"{name}<<<one thread per element, {BLOCK}>>>"


ROWS: dict[str, Callable[[Plan, Step, Code], Lowered]] = {
    "check_numerics": CheckNumerics,
    "copy": Copy,
    "fused": Fused,
    "fused_checked": Fused,
    "print": PrintValue,
    "scatter_add": ScatterAdd,
}


def takes_over(attrs: Mapping[str, Any]) -> list[tuple[int, ...]]:
    """For each result of a group, the operands whose memory it may take over: a thread reads them where it writes.

    Not so where threads work together on a row: one may have written before another has read.
    """
    body = attrs["body"]
    alone = attrs["fusion"] == "elementwise"
    found = tuple(at for at, fine in enumerate(reads_in_place(body)) if fine and alone)
    return [found] * len(body.results)


def scratch(op: OpDef, attrs: Mapping[str, Any], types: Sequence[TensorType], taken: Mapping[int, int]) -> Dim:
    """The bytes that a step needs while it runs: partial results of reductions in two stages."""
    if op in FUSED_OPS:
        kernel = kernel_of(attrs["body"], attrs["fusion"])
    elif op.name == "check_numerics":
        kernel = kernels.count_not_finite(types[0], "")
    elif op.name == "matmul" and types[0].dtype.kind != "float":
        out = op.infer(tuple(types), attrs)
        assert isinstance(out, TensorType)
        kernel = kernels.integer_matmul(types[0], types[1], out, "")
    else:
        return 0
    return print_kernel(kernel, wide=False).scratch if any(axis.reduced for axis in kernel.axes) else 0


def lower(plan: Plan, step: Step, code: Code, precision: str) -> Lowered:
    """The step as what the device does; its kernels are added to the code."""
    if step.op.name != "matmul":
        return ROWS[step.op.name](plan, step, code)
    if plan.slots[step.outputs[0]].type.dtype.kind == "float":
        return FloatMatmul(plan, step, code, precision)
    return IntegerMatmul(plan, step, code)
