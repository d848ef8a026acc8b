"""Steps of random numbers."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from graphc.plan.data import Plan, Step

from . import random_code
from .code import Code
from .kernels import BLOCK
from .lowered import Bound, Item, LoweredStep


class Stream(LoweredStep):
    """Words, uniforms, normals: a thread per block."""

    def __init__(self, plan: Plan, step: Step, code: Code) -> None:
        super().__init__(plan, step, code)
        written, self.each = random_code.stream(step.op.name, self.outputs[0].dtype)
        self.kernel = code.write(written)

    def listing(self) -> list[str]:
        return [f"{self.kernel}<<<one thread per {self.each} elements, {BLOCK}>>>"]

    def bind(self, bound: Bound) -> Iterator[Item]:
        size = prod(self.shape(self.outputs[0], bound))
        pointers = [bound.pointer(index) for index in (*self.step.inputs, *self.step.outputs)]
        yield from self.launched(self.kernel, -(-size // self.each), [*pointers, size], bound)


class ChildKey(LoweredStep):
    """`child_key`."""

    def __init__(self, plan: Plan, step: Step, code: Code) -> None:
        super().__init__(plan, step, code)
        self.kernel = code.write(random_code.child_key())

    def listing(self) -> list[str]:
        return [f"{self.kernel}<<<one thread per key, {BLOCK}>>>"]

    def bind(self, bound: Bound) -> Iterator[Item]:
        count = prod(self.shape(self.inputs[1], bound))
        pointers = [bound.pointer(index) for index in (*self.step.inputs, *self.step.outputs)]
        yield from self.launched(self.kernel, count, [*pointers, self.step.attrs["domain"], count], bound)
