"""How each op of a plan runs on the device: a table from op to what its step adds to the code and to a bound call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import prod
from typing import Any

from graphc.ir.dims import Dim
from graphc.ir.opdef import OpDef
from graphc.ir.types import TensorType
from graphc.ops.fused import FUSED_OPS, reads_in_place
from graphc.ops.random.rejection import SAMPLERS
from graphc.ops.random.streams import STREAMS
from graphc.plan.data import Plan, Step

from . import kernels
from .checks import finite, in_range
from .code import Code, kernel_of
from .cuda_printer import print_kernel
from .kernels import BLOCK
from .lowered import WORD, Bound, Item, Lowered, LoweredStep, Print, PrintedStep
from .products import FloatMatmul, IntegerMatmul
from .random_steps import ChildKey, Sampler, Stream, Truncated


class Copy(LoweredStep):
    """`copy`: one slot into another."""

    def listing(self) -> list[str]:
        return ["copy"]

    def bind(self, bound: Bound) -> Iterator[Item]:
        yield from self.copied(bound)


class Fused(PrintedStep):
    """`fused`, `fused_checked`."""

    def __init__(self, plan: Plan, step: Step, code: Code) -> None:
        super().__init__(plan, step, code)
        self.kernel = code.fused(step.attrs["body"], step.attrs["fusion"])
        self.checks = tuple(in_range(*check) for check in self.kernel.checks)

    def bind(self, bound: Bound) -> Iterator[Item]:
        if self.step.outputs[0] not in bound.transposed:
            yield from super().bind(bound)


class Scatter(LoweredStep):
    """`scatter_add` and its like: x is copied, then values are written in the order of their indices."""

    def __init__(self, plan: Plan, step: Step, code: Code) -> None:
        super().__init__(plan, step, code)
        x, indices, _ = self.inputs
        self.axis: int = step.attrs["axis"]
        self.along = step.op.name == "add_along_axis"
        self.checks = (in_range(step.op.name, x.shape[self.axis], step.origins),)
        self.range = code.write(kernels.check_range(indices.dtype))
        update = "add" if self.along else step.op.name.removeprefix("scatter_")
        self.update = code.write(kernels.scatter(x.dtype, indices.dtype, update, self.along))

    def listing(self) -> list[str]:
        return ["copy", *(_written_text(name) for name in (self.range, self.update))]

    def bind(self, bound: Bound) -> Iterator[Item]:
        yield from self.copied(bound)
        x, indices, values = (self.shape(kind, bound) for kind in self.inputs)
        at, given = (bound.pointer(index) for index in self.step.inputs[1:])
        checked = prod(indices) if prod(values) else 0  # indices by which nothing is moved do not count
        yield from self.launched(self.range, checked, [at, bound.status(self.step), x[self.axis], prod(indices)], bound)
        sizes = _sizes(x, indices, self.axis, self.along)
        threads = sizes[0] * sizes[2] if prod(values) else 0
        yield from self.launched(self.update, threads, [at, given, bound.pointer(self.step.outputs[0]), *sizes], bound)


def _sizes(x: Sequence[int], indices: Sequence[int], axis: int, along: bool = False) -> list[int]:
    """Positions before the axis, on it, behind it, and the number of indices that a thread walks."""
    outer, size, inner = prod(x[:axis]), x[axis], prod(x[axis + 1 :])
    return [outer, size, inner, indices[axis] if along else prod(indices)]


class TakeLast(LoweredStep):
    """`take_last`: what nothing reads any more is 0."""

    def __init__(self, plan: Plan, step: Step, code: Code) -> None:
        super().__init__(plan, step, code)
        x, indices = self.inputs
        self.checks = (in_range(step.op.name, x.shape[step.attrs["axis"]], step.origins),)
        self.range = code.write(kernels.check_range(indices.dtype))
        self.take = code.write(kernels.take_last(x.dtype, indices.dtype))

    def listing(self) -> list[str]:
        return [_written_text(name) for name in (self.range, self.take)]

    def bind(self, bound: Bound) -> Iterator[Item]:
        x, indices = (self.shape(kind, bound) for kind in self.inputs)
        source, at = (bound.pointer(index) for index in self.step.inputs)
        outer, size, inner, count = _sizes(x, indices, self.step.attrs["axis"])
        taken = outer * inner * count
        yield from self.launched(self.range, count if taken else 0, [at, bound.status(self.step), size, count], bound)
        args = [at, source, bound.pointer(self.step.outputs[0]), outer, size, inner, count]
        yield from self.launched(self.take, taken, args, bound)


class CheckNumerics(PrintedStep):
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


class PrintValue(LoweredStep):
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


SCATTERS = ("add_along_axis", "scatter_add", "scatter_max", "scatter_min", "scatter_multiply", "scatter_set")

ROWS: dict[str, Callable[[Plan, Step, Code], Lowered]] = {
    "check_numerics": CheckNumerics,
    "child_key": ChildKey,
    "copy": Copy,
    "fused": Fused,
    "fused_checked": Fused,
    "print": PrintValue,
    **dict.fromkeys(SAMPLERS, Sampler),
    **dict.fromkeys(STREAMS, Stream),
    "random_truncated": Truncated,
    **dict.fromkeys(SCATTERS, Scatter),
    "take_last": TakeLast,
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
