"""The code that tells a thread what it computes: its place on the axes, and its share of the reduced ones."""

from __future__ import annotations

from collections.abc import Sequence

from graphc.ir import dims
from graphc.ir.dims import Dim
from graphc.lowering.kernel import Axis, Kernel

from .schedule import TILE, Schedule, ceil_div, free_axes, positions, reduced_axes
from .stage_code import StageCode, first_name, index_name
from .writer import Writer


class ThreadCode:
    """Prints the first lines of a function. Each method returns the number of blocks."""

    def __init__(self, kernel: Kernel, schedule: Schedule, code: StageCode, out: Writer) -> None:
        self._kernel = kernel
        self._schedule = schedule
        self._code = code
        self._out = out
        self._is_split = schedule.chunks != 1
        self._divided = 0

    def neighbours(self) -> Dim:
        """For flat kernels: the place of a thread's first element on all axes."""
        total = dims.product(positions(list(self._kernel.axes), self._schedule.vector))
        block = f"({self._code.unsigned})blockIdx.x * {self._schedule.block}"
        self._count("gc_thread", f"{block} + threadIdx.x")
        self._out.line(f"if (gc_thread >= {self._code.size(total)}) return;")
        self.place(self._kernel.axes, "gc_thread", self._schedule.vector)
        return ceil_div(total, self._schedule.block)

    def corner(self, across: Axis) -> Dim:
        """For tiled kernels: the first indices of a block's tile, `gc_p` across and `gc_q` on the innermost axis."""
        *others, inner = (axis for axis in self._kernel.axes if axis.name != across.name)
        tiles = [
            Axis("%iacross", ceil_div(across.size, TILE), False),
            Axis("%iinner", ceil_div(inner.size, TILE), False),
        ]
        self._count("gc_tile", "blockIdx.x")
        self.place([*others, *tiles], "gc_tile", 1)
        self._out.line(f"const {self._code.integer} gc_p = gc_iacross * {TILE}, gc_q = gc_iinner * {TILE};")
        self._out.line(f"const int gc_x = threadIdx.x % {TILE}, gc_y = threadIdx.x / {TILE};")
        return dims.product(axis.size for axis in (*others, *tiles))

    def row(self, chunked: bool) -> Dim:
        """For kernels with reduced axes: row, lane, positions from `gc_begin` to `gc_end`.

        Threads that serve no row are not `gc_active`: they take part in what others wait for, at a row that there is.

        Args:
            chunked: whether a block has a chunk of a row.
        """
        length = dims.product(positions(reduced_axes(self._kernel), self._schedule.vector))
        self._count("gc_positions", self._code.size(length))
        if self._is_split:
            self._count("gc_chunks", self._code.size(self._schedule.chunks))
        if chunked:
            self._count("gc_chunk", "blockIdx.x % gc_chunks")
        block = f"blockIdx.x{' / gc_chunks' if chunked else ''}"
        blocks = self._columns(block) if self._schedule.kind == "columns" else self._rows(block)
        self._share(chunked)
        return blocks * (self._schedule.chunks if chunked else 1)

    def place(self, axes: Sequence[Axis], linear: str, vector: int) -> None:
        """The indices on some axes at a linear position; on the last, that of the first of some neighbours."""
        sizes = [1 if size == 0 else size for size in positions(list(axes), vector)]  # with a 0, nothing runs
        rest = linear
        for number in reversed(range(len(axes))):
            last = number == len(axes) - 1
            name = first_name(axes[number].name) if vector > 1 and last else index_name(axes[number].name)
            place = rest if number == 0 else f"{rest} % {self._code.size(sizes[number])}"
            factor = f" * {vector}" if vector > 1 and last else ""
            self._out.line(f"const {self._code.integer} {name} = ({self._code.integer})({place}){factor};")
            if number:
                self._divided += 1
                quotient = f"{rest} / {self._code.size(sizes[number])}"
                rest = f"gc_t{self._divided}"
                self._count(rest, quotient)

    def _rows(self, block: str) -> Dim:
        schedule = self._schedule
        rows = dims.product(axis.size for axis in free_axes(self._kernel))
        if schedule.groups > 1:
            group = f"({self._code.unsigned}){block} * {schedule.groups} + threadIdx.x / {schedule.lanes}"
            self._count("gc_group", group)
            self._out.line(f"const int gc_lane = threadIdx.x % {schedule.lanes};")
            self._out.line(f"const bool gc_active = gc_group < {self._code.size(rows)};")
            self._count("gc_row", "gc_active ? gc_group : 0")
        else:
            self._out.line("const int gc_lane = threadIdx.x;")
            self._out.line("const bool gc_active = true;")
            self._count("gc_row", block)
        self.place(free_axes(self._kernel), "gc_row", 1)
        return ceil_div(rows, schedule.groups)

    def _columns(self, block: str) -> Dim:
        out, schedule = self._out, self._schedule
        *others, inner = free_axes(self._kernel)
        strips = ceil_div(inner.size, schedule.lanes)
        out.line(f"const int gc_lane = threadIdx.x / {schedule.lanes};")
        self._count("gc_strip", block)
        self.place([*others, Axis("%istrip", strips, False)], "gc_strip", 1)
        column = f"gc_istrip * {schedule.lanes} + (int)(threadIdx.x % {schedule.lanes})"
        out.line(f"const {self._code.integer} gc_column = {column};")
        out.line(f"const bool gc_active = gc_column < {self._code.index.text(inner.size)};")
        out.line(f"const {self._code.integer} {index_name(inner.name)} = gc_active ? gc_column : 0;")
        if self._is_split:
            row: Dim = 0
            for axis in (*others, inner):
                row = row * axis.size + dims.symbol(axis.name)
            self._count("gc_row", self._code.index.text(row))
        return dims.product([*(axis.size for axis in others), strips])

    def _share(self, chunked: bool) -> None:
        if not chunked:
            self._count("gc_begin", "0")
            self._count("gc_end", "gc_active ? gc_positions : 0")
            return
        self._count("gc_share", "(gc_positions + gc_chunks - 1) / gc_chunks")
        self._count("gc_begin", "gc_chunk * gc_share")
        self._count("gc_limit", "gc_begin + gc_share < gc_positions ? gc_begin + gc_share : gc_positions")
        self._count("gc_end", "gc_active ? gc_limit : 0")

    def _count(self, name: str, value: str) -> None:
        self._out.line(f"const {self._code.unsigned} {name} = {value};")
