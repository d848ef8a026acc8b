"""Scalar code that is being made: values are numbered as they come, and what has been computed is not again."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.errors import NO_ORIGINS, Origins
from graphc.ir.dims import Dim, Poly
from graphc.ir.dtype import DType, bool_, int64
from graphc.ir.tensor import Tensor
from graphc.lowering.index import Index as Indices
from graphc.lowering.index import Ranges, substitute
from graphc.lowering.kernel import (
    Check,
    Compute,
    Constant,
    Definition,
    Index,
    Instruction,
    Load,
    RangeCheck,
    Reduce,
    Stage,
    Store,
    value_symbol,
)
from graphc.ops.gather import checked_as

_NO_DEST = -1


class Code:
    """The code of all stages: even ones are full, each is followed by that of its rows.

    Attributes:
        ranges: of all indices.
        checks: by number.
    """

    def __init__(self, ranges: Ranges, stages: int) -> None:
        self.ranges = ranges
        self.checks: list[RangeCheck] = []
        self._check_numbers: dict[Tensor, int] = {}
        self._bodies: list[list[Instruction]] = [[] for _ in range(stages)]
        self._known: dict[Any, int] = {}
        self._values = 0

    # --- definitions: each returns the number of the value, an old one if that is the same ---------------------

    def load(self, stage: int, dtype: DType, param: int, offset: Dim, when: int | None) -> int:
        """An element of an input; one that is read without a condition serves every condition."""
        sure = Load(_NO_DEST, dtype, param, offset, None)
        if when is not None and (stage, Load, sure) in self._known:
            return self._known[stage, Load, sure]
        return self._define(stage, sure._replace(when=when))

    def integer(self, stage: int, value: Dim) -> int:
        """A dim as an int64."""
        if isinstance(value, Poly):
            return self._define(stage, Index(_NO_DEST, int64, value))
        return self.constant(stage, int64, np.int64(value))

    def constant(self, stage: int, dtype: DType, value: np.generic) -> int:
        """A number."""
        return self._define(stage, Constant(_NO_DEST, dtype, value), value.tobytes())

    def compute(self, stage: int, dtype: DType, op: str, *args: int, origins: Origins = NO_ORIGINS) -> int:
        """An elementwise op."""
        return self._define(stage, Compute(_NO_DEST, dtype, op, args), origins=origins)

    def reduce(self, stage: int, dtype: DType, op: str, arg: int, origins: Origins) -> int:
        """A reduction of a value of that full stage."""
        return self._define(stage, Reduce(_NO_DEST, dtype, op, arg), origins=origins)

    # --- conditions ------------------------------------------------------------------------------------------

    def both(self, stage: int, first: int | None, second: int | None) -> int | None:
        """`first and second`, where `None` is true."""
        if first is None or second is None:
            return second if first is None else first
        return self.compute(stage, bool_, "logical_and", first, second)

    def below(self, stage: int, at: Dim, limit: Dim) -> int | None:
        """`at < limit`; `None` if that is sure."""
        if self.ranges.is_below(at, limit):
            return None
        return self.compute(stage, bool_, "less", self.integer(stage, at), self.integer(stage, limit))

    def nonnegative(self, stage: int, at: Dim) -> int | None:
        """`at >= 0`; `None` if that is sure."""
        if self.ranges.is_nonnegative(at):
            return None
        return self.compute(stage, bool_, "greater_equal", self.integer(stage, at), self.integer(stage, 0))

    def inside(self, stage: int, index: Indices, shape: Indices) -> int | None:
        """Whether an index lies in a shape; `None` if that is sure."""
        found: int | None = None
        for at, size in zip(index, shape, strict=True):
            found = self.both(stage, found, self.nonnegative(stage, at))
            found = self.both(stage, found, self.below(stage, at, size))
        return found

    # --- effects ---------------------------------------------------------------------------------------------

    def store(self, stage: int, output: int, offset: Dim, value: int) -> None:
        """Writes an element of an output."""
        self._bodies[stage].append(Store(output, offset, value))

    def check(self, stage: int, node: Tensor, size: Dim, ok: int, value: int) -> None:
        """Reports a position that a gather reads out of range."""
        if node not in self._check_numbers:
            self._check_numbers[node] = len(self.checks)
            self.checks.append(RangeCheck(checked_as(node.op.name, node.attrs), size, node.origins))
        self._bodies[stage].append(Check(self._check_numbers[node], ok, value))

    def stages(self) -> tuple[Stage, ...]:
        """The stages that have code, with values numbered in its order."""
        order = [instruction.dest for body in self._bodies for instruction in body if isinstance(instruction, _DEFINES)]
        numbers = {old: new for new, old in enumerate(order)}
        symbols: dict[str, Dim] = {str(value_symbol(old)): value_symbol(new) for old, new in numbers.items()}
        return tuple(
            Stage(number % 2 == 0, tuple(_renumbered(instruction, numbers, symbols) for instruction in body))
            for number, body in enumerate(self._bodies)
            if body
        )

    def _define(self, stage: int, instruction: Definition, bits: bytes = b"", origins: Origins = NO_ORIGINS) -> int:
        key = (stage, type(instruction), bits or instruction, instruction.dtype)
        if key not in self._known:
            self._known[key] = self._values
            named = instruction._replace(dest=self._values)
            if isinstance(named, (Compute, Reduce)):
                named = named._replace(origins=origins)
            self._bodies[stage].append(named)
            self._values += 1
        return self._known[key]


_DEFINES = (Load, Index, Constant, Compute, Reduce)


def _renumbered(instruction: Instruction, numbers: dict[int, int], symbols: dict[str, Dim]) -> Instruction:
    match instruction:
        case Load(dest, dtype, param, offset, when):
            guard = None if when is None else numbers[when]
            return Load(numbers[dest], dtype, param, substitute(offset, symbols), guard)
        case Index(dest, dtype, value):
            return Index(numbers[dest], dtype, substitute(value, symbols))
        case Constant(dest, dtype, number):
            return Constant(numbers[dest], dtype, number)
        case Compute(dest, dtype, op, args, origins):
            return Compute(numbers[dest], dtype, op, tuple(numbers[arg] for arg in args), origins)
        case Reduce(dest, dtype, op, arg, origins):
            return Reduce(numbers[dest], dtype, op, numbers[arg], origins)
        case Check(number, ok, value):
            return Check(number, numbers[ok], numbers[value])
        case Store(output, offset, value):
            return Store(output, offset, numbers[value])
