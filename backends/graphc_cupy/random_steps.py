"""Steps of random numbers."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from math import prod

from graphc.ops.random.streams import limits
from graphc.plan.data import Plan, Step

from . import random_code, sampler_code
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


class Truncated(LoweredStep):
    """`random_truncated`: a thread per block, which makes two."""

    def __init__(self, plan: Plan, step: Step, code: Code) -> None:
        super().__init__(plan, step, code)
        self.kernel = code.write(sampler_code.truncated())

    def listing(self) -> list[str]:
        return [f"{self.kernel}<<<one thread per 2 elements, {BLOCK}>>>"]

    def bind(self, bound: Bound) -> Iterator[Item]:
        size = prod(self.shape(self.outputs[0], bound))
        pointers = [bound.pointer(index) for index in (*self.step.inputs, *self.step.outputs)]
        *numbers, mirrored = limits(self.step.attrs["low"], self.step.attrs["high"])
        words = [struct.unpack("<q", struct.pack("<d", number))[0] for number in numbers]
        yield from self.launched(self.kernel, -(-size // 2), [*pointers, *words, int(mirrored), size], bound)


class Sampler(LoweredStep):
    """`random_gamma`, `random_poisson`."""

    def __init__(self, plan: Plan, step: Step, code: Code) -> None:
        super().__init__(plan, step, code)
        self.kernel = code.write(_SAMPLERS[step.op.name]())

    def listing(self) -> list[str]:
        return [f"{self.kernel}<<<one thread per element, {BLOCK}>>>"]

    def bind(self, bound: Bound) -> Iterator[Item]:
        count = prod(self.shape(self.outputs[0], bound))
        pointers = [bound.pointer(index) for index in (*self.step.inputs, *self.step.outputs)]
        options = [int(value) for value in self.step.attrs.values()]
        yield from self.launched(self.kernel, count, [*pointers, *options, count], bound)


_SAMPLERS = {"random_gamma": sampler_code.gamma, "random_poisson": sampler_code.poisson}
