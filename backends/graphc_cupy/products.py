"""Products of matrices: of floats by the device's library, of integers by a Kernel of our own."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from graphc.plan.data import Plan, Step

from . import kernels
from .code import Code
from .device import Matrix
from .lowered import Bound, Item, LoweredStep, PrintedStep


class FloatMatmul(LoweredStep):
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
        shapes = plain_stacks(left, right, out)
        first, second = (self._operand(at, shapes[at], bound) for at in (0, 1))
        yield bound.device.prepare_matmul(first, second, Matrix(target, shapes[2]), dtype, self.precision)

    def _operand(self, at: int, shape: tuple[int, ...], bound: Bound) -> Matrix:
        index = self.step.inputs[at]
        if index in bound.transposed:
            return Matrix(bound.pointer(bound.transposed[index]), shape[::-1], transposed=True)
        return Matrix(bound.pointer(index), shape)


class IntegerMatmul(PrintedStep):
    """`matmul` of integers: a Kernel of our own."""

    def __init__(self, plan: Plan, step: Step, code: Code) -> None:
        super().__init__(plan, step, code)
        name = code.unused_name("matmul")
        self.kernel = code.add(kernels.integer_matmul(self.inputs[0], self.inputs[1], self.outputs[0], name))


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
