"""How a Kernel is spread over threads: chosen by what is known of its sizes, right for all of them."""

from __future__ import annotations

from typing import NamedTuple

from graphc.ir import dims
from graphc.ir.dims import Dim
from graphc.lowering.kernel import Axis, Kernel, Load

from .access import contiguous, step, values_in, vector_width

TILE = 32  # elements of a side
_MOST_TURNED = 4  # squares of shared memory, of 8.25 KiB at most
_NARROW = 8  # an axis that is known to be shorter is not worth a tile
WARP = 32  # threads that exchange values without shared memory
_FLAT_BLOCK = 256
_ROW_BLOCK = 128  # threads of a block that serves several short rows
_LONGEST_ROW_BLOCK = 512
_SPLIT_BLOCK = 256
_FEW_ROWS = 256  # below that, rows alone do not fill a GPU
_SHORT = 2048  # positions that one block takes without being cut into parts
_PER_LANE = 16  # positions that a lane of a part should have at least
_MOST_CHUNKS = 1024  # what one block combines quickly
_KEPT_STEPS = 4
_KEPT_BYTES = 256  # of 1,024 bytes of registers that a thread has at most


class Schedule(NamedTuple):
    """A mapping of a Kernel onto threads.

    Attributes:
        kind: `"flat"`: a thread takes neighbours on the innermost axis. `"tiles"`: a block takes a square of that and
            the axis `across`, along which some reads are contiguous. `"rows"`: the innermost axis is reduced, lanes
            that are neighbours serve one point of the axes that are not. `"columns"`: it is not; neighbours serve
            neighbouring points, and lanes that stand `lanes` apart serve the same one.
        vector: how many neighbours on the innermost axis a thread takes at once.
        lanes: rows: how many threads serve a point. columns: how many points lie side by side in a block.
        groups: rows: how many points a block serves. columns: how many threads serve a point.
        chunks: into how many parts the reduced axes are cut; 1: what is reduced is known within one launch.
        kept: how many vectors of each array that is read more than once a lane keeps in registers; 0: none.
        across: see there.
    """

    kind: str
    vector: int
    lanes: int
    groups: int
    chunks: Dim = 1
    kept: int = 0
    across: str = ""

    @property
    def block(self) -> int:
        """Threads of a block."""
        return self.lanes * self.groups

    @property
    def stride(self) -> int:
        """How many threads serve one point."""
        return self.groups if self.kind == "columns" else self.lanes


def ceil_div(dividend: Dim, divisor: int) -> Dim:
    """Rounded up."""
    return dims.floordiv(dividend + (divisor - 1), divisor)


def free_axes(kernel: Kernel) -> list[Axis]:
    """The axes that are not reduced."""
    return [axis for axis in kernel.axes if not axis.reduced]


def reduced_axes(kernel: Kernel) -> list[Axis]:
    """The axes that are."""
    return [axis for axis in kernel.axes if axis.reduced]


def positions(axes: list[Axis], vector: int) -> list[Dim]:
    """The sizes of some axes, the last one counted in vectors."""
    sizes = [axis.size for axis in axes]
    return [*sizes[:-1], ceil_div(sizes[-1], vector)] if sizes else []


def choose(kernel: Kernel) -> Schedule:
    """The schedule of a Kernel."""
    if not reduced_axes(kernel):
        across = _across(kernel)
        if across:
            return Schedule("tiles", 1, TILE, _FLAT_BLOCK // TILE, across=across)
        return Schedule("flat", vector_width(kernel), _FLAT_BLOCK, 1)
    return _rows(kernel) if kernel.axes[-1].reduced else _columns(kernel)


def turned_reads(kernel: Kernel) -> list[Load]:
    """What is read neither along the innermost axis nor at one place: always, and at places known beforehand."""
    inner = kernel.axes[-1].name
    loads = [i for i in kernel.instructions if isinstance(i, Load) and step(i.offset, inner) is None]
    return [load for load in loads if load.when is None and not values_in(load.offset)]


def _across(kernel: Kernel) -> str:
    """The axis along which all turned reads are contiguous, if there are some and it is another than the innermost."""
    if len(kernel.axes) < 2 or not 0 < len(turned := turned_reads(kernel)) <= _MOST_TURNED:
        return ""
    for axis in kernel.axes[:-1]:
        sizes = (axis.size, kernel.axes[-1].size)
        worth = not any(isinstance(size, int) and size < _NARROW for size in sizes)
        if worth and all(step(load.offset, axis.name) == 1 for load in turned):
            return axis.name
    return ""


def _rows(kernel: Kernel) -> Schedule:
    vector = vector_width(kernel)
    rows = dims.product(axis.size for axis in free_axes(kernel))
    length = dims.product(positions(reduced_axes(kernel), vector))
    if isinstance(rows, int) and 0 < rows < _FEW_ROWS and not (isinstance(length, int) and length <= _SHORT):
        return Schedule("rows", vector, _SPLIT_BLOCK, 1, _chunks(length, _SPLIT_BLOCK))
    if not isinstance(length, int):
        return Schedule("rows", vector, _ROW_BLOCK, 1)
    lanes = _lanes(length)
    steps = -(-length // lanes)
    kept = steps if _may_keep(kernel, vector, steps) else 0
    groups = _ROW_BLOCK // lanes if lanes <= WARP else 1
    return Schedule("rows", vector, lanes, groups, kept=kept)


def _lanes(length: int) -> int:
    """A lane a position for short rows, up to a warp; then blocks in which a lane has a few."""
    if length <= WARP:
        return _power_of_two(length)
    lanes = WARP
    while lanes * _KEPT_STEPS < length and lanes < _LONGEST_ROW_BLOCK:
        lanes *= 2
    return lanes


def _power_of_two(number: int) -> int:
    """The smallest that is not below the number."""
    return 1 << max(number - 1, 0).bit_length()


def _may_keep(kernel: Kernel, vector: int, steps: int) -> bool:
    size = sum(kernel.inputs[param].dtype.itemsize for param, _ in kept_reads(kernel))
    return 0 < size * vector * steps <= _KEPT_BYTES and steps <= _KEPT_STEPS


def kept_reads(kernel: Kernel) -> list[tuple[int, Dim]]:
    """Input and offset of what several full stages read: contiguously, always, and at places known beforehand."""
    counts: dict[tuple[int, Dim], int] = {}
    for stage in kernel.stages:
        if not stage.full:
            continue
        found = [a for a in contiguous(kernel, stage.body, kernel.axes[-1].name) if isinstance(a, Load)]
        plain = [(a.param, a.offset) for a in found if a.when is None and not values_in(a.offset)]
        for read in dict.fromkeys(plain):
            counts[read] = counts.get(read, 0) + 1
    return [read for read, count in counts.items() if count > 1]


def _columns(kernel: Kernel) -> Schedule:
    inner = kernel.axes[-1].size
    lanes = min(_power_of_two(inner), WARP) if isinstance(inner, int) else WARP
    groups = _SPLIT_BLOCK // lanes
    length = dims.product(axis.size for axis in reduced_axes(kernel))
    columns = dims.product(axis.size for axis in free_axes(kernel))
    many = isinstance(columns, int) and (columns >= _FEW_ROWS * _SPLIT_BLOCK or columns == 0)
    if many or (isinstance(length, int) and length <= 4 * groups * _PER_LANE):
        return Schedule("columns", 1, lanes, groups)
    return Schedule("columns", 1, lanes, groups, _chunks(length, groups))


def _chunks(length: Dim, lanes: int) -> Dim:
    return dims.minimum(dims.maximum(ceil_div(length, lanes * _PER_LANE), 1), _MOST_CHUNKS)
