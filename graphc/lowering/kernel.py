"""The Kernel: what a group of fused nodes computes, as loops over axes. The IR between fusion and printed source.

A kernel reads and writes arrays that lie contiguous in row-major order. Its loops run over `axes`; reads and writes
name elements by *offsets*: dims (`ir.dims`) in which the symbol `%i0` stands for the index on the axis of that name and
`%v7` for the integer value 7, which makes a read a gathered one. Everything else is scalar code in SSA form:
instructions define numbered values, once, before they are used.

The code is *staged*. A full stage runs at every point of all axes, a row stage once for every point of the axes that
are not reduced. A `Reduce` in a full stage combines the values of one row; its result, like the values of row stages,
can be used by all later stages, but by nothing in its own. Other values are seen by their own stage only. An
elementwise kernel is one full stage; a kernel with a `Reduce` has at least one reduced axis, perhaps one of size 1.

Row stages name no reduced axis. In an offset, `floordiv` and `mod` round towards minus infinity, as in Python; where a
`when` is false, an offset may be anything. Outputs are written in row-major order: the `offset` of a `Store` is the
position of the point among all points (in a full stage) or of the row among all rows (in a row stage).
`kernel_verify` holds kernels to all of this, `kernel_interpreter` says what they compute.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

import numpy as np

from graphc.errors import NO_ORIGINS, Origins
from graphc.ir import dims
from graphc.ir.dims import Dim, Poly
from graphc.ir.dtype import DType
from graphc.ir.types import TensorType

AXIS_PREFIX, VALUE_PREFIX = "%i", "%v"
"""What no user can name a size: a placeholder's symbols are identifiers."""


class Axis(NamedTuple):
    """A loop: the symbol of its index, how many times it runs, and whether it is reduced."""

    name: str
    size: Dim
    reduced: bool


class Load(NamedTuple):
    """`dest` = the element at `offset` of input `param`; 0 without reading if the bool `when` is false."""

    dest: int
    dtype: DType
    param: int
    offset: Dim
    when: int | None = None


class Index(NamedTuple):
    """`dest` = a dim of indices and sizes, as an integer: int64, whatever the width in which a printer computes it."""

    dest: int
    dtype: DType
    value: Dim


class Constant(NamedTuple):
    """`dest` = a number."""

    dest: int
    dtype: DType
    value: np.generic


class Compute(NamedTuple):
    """`dest` = an elementwise op of the op table, by name; operands have one dtype, but for a `where`'s condition."""

    dest: int
    dtype: DType
    op: str
    args: tuple[int, ...]
    origins: Origins = NO_ORIGINS


class Reduce(NamedTuple):
    """`dest` = `arg` over the reduced axes, by a reduction of the op table.

    argmin and argmax give the int64 position in the row, counted in row-major order of the reduced axes. Nothing says
    in which order a sum is added up.
    """

    dest: int
    dtype: DType
    op: str
    arg: int
    origins: Origins = NO_ORIGINS


class Check(NamedTuple):
    """Reports the int64 `value` as offending wherever the bool `ok` is false; the kernel goes on.

    Several may have one number: a gather that is read in several stages is checked in each.
    """

    number: int
    ok: int
    value: int


class Store(NamedTuple):
    """Writes `value` to the element at `offset` of an output; every element is written exactly once."""

    output: int
    offset: Dim
    value: int


Definition: TypeAlias = Load | Index | Constant | Compute | Reduce
Instruction: TypeAlias = Definition | Check | Store


class Stage(NamedTuple):
    """Scalar code that runs over all axes (`full`), or over those that are not reduced."""

    full: bool
    body: tuple[Instruction, ...]


class RangeCheck(NamedTuple):
    """What a `Check` of that number means: the op that reads out of range, the size of its axis, the user's lines."""

    op: str
    size: Dim
    origins: Origins


class Kernel(NamedTuple):
    """Loops over axes.

    Attributes:
        name: an identifier.
        fusion: the kind of group it was made of: `"elementwise"`, `"reduction"`, `"row"`.
        axes: outermost first; the elements of a full output follow each other in this order.
        inputs, outputs: types of the arrays.
        stages: in order.
        checks: by number.
    """

    name: str
    fusion: str
    axes: tuple[Axis, ...]
    inputs: tuple[TensorType, ...]
    outputs: tuple[TensorType, ...]
    stages: tuple[Stage, ...]
    checks: tuple[RangeCheck, ...] = ()

    @property
    def instructions(self) -> Iterator[Instruction]:
        """The instructions of all stages."""
        return (instruction for stage in self.stages for instruction in stage.body)

    @property
    def symbols(self) -> tuple[str, ...]:
        """The names of the symbolic sizes on which it depends."""
        found = [axis.size for axis in self.axes] + [check.size for check in self.checks]
        for instruction in self.instructions:
            if isinstance(instruction, (Load, Store)):
                found.append(instruction.offset)
            elif isinstance(instruction, Index):
                found.append(instruction.value)
        return tuple(name for name in dims.symbols(found) if not name.startswith((AXIS_PREFIX, VALUE_PREFIX)))

    def __str__(self) -> str:
        """The kernel as text, one instruction a line."""
        axes = ", ".join(f"{axis.name}{' reduced' if axis.reduced else ''} < {axis.size}" for axis in self.axes)
        lines = [f"{self.fusion} kernel {self.name}({', '.join(map(str, self.inputs))}) over {axes or 'one point'}"]
        for stage in self.stages:
            lines.append("  at every point:" if stage.full else "  once a row:")
            lines += [f"    {instruction_text(instruction)}" for instruction in stage.body]
        return "\n".join(lines)


def axis_symbol(number: int) -> Poly:
    """The index on an axis, for offsets; its axis is named `%i<number>`."""
    return dims.symbol(f"{AXIS_PREFIX}{number}")


def value_symbol(value: int) -> Poly:
    """The integer value of that number, for gathered offsets."""
    return dims.symbol(f"{VALUE_PREFIX}{value}")


def instruction_text(instruction: Instruction) -> str:
    """One instruction as text."""
    match instruction:
        case Load(dest, dtype, param, offset, when):
            guard = "" if when is None else f" if %v{when} else 0"
            return f"%v{dest}: {dtype} = in{param}[{offset}]{guard}"
        case Index(dest, dtype, index):
            return f"%v{dest}: {dtype} = {index}"
        case Constant(dest, dtype, number):
            return f"%v{dest}: {dtype} = {number}"
        case Compute(dest, dtype, op, args):
            return f"%v{dest}: {dtype} = {op}({', '.join(f'%v{arg}' for arg in args)})"
        case Reduce(dest, dtype, op, arg):
            return f"%v{dest}: {dtype} = reduce {op} %v{arg}"
        case Check(number, ok, value):
            return f"check {number}: %v{ok}, else report %v{value}"
        case Store(output, offset, value):
            return f"out{output}[{offset}] = %v{value}"
