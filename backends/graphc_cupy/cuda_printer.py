"""Kernels as CUDA C++: a function per launch, over the prelude's device functions.

Which thread does what stands in `schedule`. What follows from it here:

A *flat* kernel has no reduced axes: a thread computes some neighbours on the innermost axis. In a kernel with reduced
axes several threads serve one row, a point of the axes that are not reduced: each walks some positions of the reduced
axes and combines what it finds, then the threads combine with each other, by shuffles in a warp and through shared
memory in a block, and every one of them gets the result. Where rows are few and long, the reduced axes are cut into
chunks: a launch leaves one partial result a chunk in scratch memory, and the next one begins by combining these.

The number of chunks and the order of combining follow from the sizes alone, and there are no atomics on values, so that
the same sizes give the same bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from graphc.ir import dims
from graphc.ir.dims import Dim
from graphc.lowering.kernel import Axis, Check, Kernel, Load, Reduce, Stage, Store

from .expressions import STORED_TYPES, VALUE_TYPES
from .schedule import WARP, Schedule, ceil_div, choose, free_axes, kept_reads, positions, reduced_axes
from .stage_code import Neighbours, StageCode, first_name, index_name, never_partial, used_values
from .writer import Writer, comment_of, printable


class Launch(NamedTuple):
    """A launch of a function.

    Attributes:
        function: its name.
        grid: the number of blocks; nothing is launched where it is 0.
        block: threads of a block.
        shared_bytes: of dynamic shared memory.
    """

    function: str
    grid: Dim
    block: int
    shared_bytes: int = 0


class Printed(NamedTuple):
    """A Kernel as source.

    Attributes:
        source: C++ that stands behind the prelude.
        launches: in order. Every function takes pointers of the inputs, of the outputs, of the scratch memory if that
            is not 0, of the status words if the kernel has checks, and then a `long long` per symbol of the kernel.
        scratch: bytes.
    """

    source: str
    launches: tuple[Launch, ...]
    scratch: Dim


def print_kernel(kernel: Kernel, wide: bool) -> Printed:
    """Prints a Kernel.

    An output may share the memory of an input that has its offsets, if the kernel has no reduced axes.

    Args:
        kernel: the kernel.
        wide: whether indices have 64 bits; else no array and no space may have more than 2³¹ - 2¹⁶ elements.
    """
    schedule = choose(kernel)
    if schedule.kind == "flat":
        kernel = kernel._replace(stages=(Stage(True, tuple(kernel.instructions)),))
        functions = [_Function(kernel, schedule, wide, f"gc_{kernel.name}").flat()]
    elif schedule.chunks == 1:
        functions = [_Function(kernel, schedule, wide, f"gc_{kernel.name}").whole()]
    else:
        functions = _split(kernel, schedule, wide)
    source = "\n\n".join(text for text, _ in functions)
    scratch = _scratch_size(kernel, schedule)
    return Printed(f"{_heading(kernel, schedule)}\n{source}\n", tuple(launch for _, launch in functions), scratch)


def _heading(kernel: Kernel, schedule: Schedule) -> str:
    axes = ", ".join(f"{axis.name[1:]}{' (reduced)' if axis.reduced else ''} < {axis.size}" for axis in kernel.axes)
    return f"// {kernel.fusion} kernel {kernel.name}, {schedule.kind}, over {printable(axes) or 'one point'}"


def _split(kernel: Kernel, schedule: Schedule, wide: bool) -> list[tuple[str, Launch]]:
    """A launch for each full stage, and one for what follows the last."""
    full = [number for number, stage in enumerate(kernel.stages) if stage.full]
    ends: list[int] = full if full[-1] == len(kernel.stages) - 1 else [*full, len(kernel.stages)]
    functions = []
    for number, end in enumerate(ends):
        function = _Function(kernel, schedule, wide, f"gc_{kernel.name}_{number}")
        functions.append(function.part(done=ends[number - 1] if number else -1, end=end))
    return functions


def _reductions(stage: Stage) -> list[Reduce]:
    return [instruction for instruction in stage.body if isinstance(instruction, Reduce)]


def _partials(kernel: Kernel, schedule: Schedule) -> tuple[dict[int, Dim], Dim]:
    """Where the partial results of each reduction begin in the scratch memory, and where all end, in bytes."""
    states = dims.product(axis.size for axis in free_axes(kernel)) * schedule.chunks
    dtypes = {i.dest: i.dtype for i in kernel.instructions if not isinstance(i, (Check, Store))}
    offsets: dict[int, Dim] = {}
    end: Dim = 0
    for stage in kernel.stages:
        for reduce in _reductions(stage):
            offsets[reduce.dest] = end
            size = 16 if reduce.op in ("argmin", "argmax") else dtypes[reduce.arg].itemsize
            end = end + ceil_div(states * size, 64) * 64
    return offsets, end


def _scratch_size(kernel: Kernel, schedule: Schedule) -> Dim:
    return 0 if schedule.chunks == 1 else _partials(kernel, schedule)[1]


class _Function:
    """Prints one `__global__` function."""

    def __init__(self, kernel: Kernel, schedule: Schedule, wide: bool, name: str) -> None:
        self._kernel = kernel
        self._schedule = schedule
        self._name = name
        self._code = StageCode(kernel, wide)
        self._out = Writer()
        self._divided = 0
        self._is_split = schedule.chunks != 1
        self._kept = {
            read: f"gc_keep{number}" for number, read in enumerate(kept_reads(kernel) if schedule.kept else [])
        }

    # --- the three kinds of functions -----------------------------------------------------------------------

    def flat(self) -> tuple[str, Launch]:
        """All of a kernel without reduced axes."""
        schedule, out = self._schedule, self._out
        total = dims.product(positions(list(self._kernel.axes), schedule.vector))
        unsigned = self._code.unsigned
        out.line(f"const {unsigned} gc_thread = ({unsigned})blockIdx.x * {schedule.block} + threadIdx.x;")
        out.line(f"if (gc_thread >= {self._code.size(total)}) return;")
        self._place(list(self._kernel.axes), "gc_thread", schedule.vector)
        self._body(self._kernel.stages[0])
        return self._finish(ceil_div(total, schedule.block))

    def whole(self) -> tuple[str, Launch]:
        """All of a kernel with reduced axes in one launch."""
        grid = self._find_row(chunked=False)
        self._keep_reads()
        for stage in self._kernel.stages:
            if stage.full:
                self._full_stage(stage)
                for reduce in _reductions(stage):
                    self._reduce_threads(reduce)
                    self._name_result(reduce)
            else:
                self._row_stage(stage, self._guard())
        return self._finish(grid)

    def part(self, done: int, end: int) -> tuple[str, Launch]:
        """One launch of a kernel that is cut into chunks: the stage `end`, after what it needs of those before.

        Args:
            done: the stage of the launch before, up to which effects have happened; -1 for none.
            end: a full stage, or the number of stages.
        """
        stages = self._kernel.stages
        own = stages[end] if end < len(stages) else None
        grid = self._find_row(chunked=own is not None)
        rows = [stage for stage in stages[:end] if not stage.full]
        needed = used_values([*rows, own] if own else rows)
        for number, stage in enumerate(stages[:end]):
            if not stage.full:
                effects = self._guard(first_chunk=own is not None) if number > done else "false"
                self._row_stage(stage, effects)
                continue
            for reduce in _reductions(stage):
                if reduce.dest in needed:
                    self._combine_partials(reduce)
        if own:
            self._full_stage(own)
            for reduce in _reductions(own):
                self._reduce_threads(reduce)
                place = self._partial_place("gc_chunk")
                self._out.line(f"if ({self._guard()}) {self._partial(reduce)}[{place}] = gc_r{reduce.dest};")
        return self._finish(grid)

    # --- which thread does what -------------------------------------------------------------------------------

    def _find_row(self, chunked: bool) -> Dim:
        """Prints what a thread serves: row, lane, positions from `gc_begin` to `gc_end`; returns the grid."""
        self._declare_positions()
        return self._find_in_columns(chunked) if self._schedule.kind == "columns" else self._find_in_rows(chunked)

    def _declare_positions(self) -> None:
        length = dims.product(positions(reduced_axes(self._kernel), self._schedule.vector))
        self._out.line(f"const {self._code.unsigned} gc_positions = {self._code.size(length)};")

    def _find_in_rows(self, chunked: bool) -> Dim:
        out, unsigned, schedule = self._out, self._code.unsigned, self._schedule
        rows = dims.product(axis.size for axis in free_axes(self._kernel))
        if schedule.groups > 1:
            group = f"({unsigned})blockIdx.x * {schedule.groups} + threadIdx.x / {schedule.lanes}"
            out.line(f"const {unsigned} gc_group = {group};")
            out.line(f"const int gc_lane = threadIdx.x % {schedule.lanes};")
            out.line(f"const bool gc_active = gc_group < {self._code.size(rows)};", "else there is nothing to write")
            out.line(f"const {unsigned} gc_row = gc_active ? gc_group : 0;")
        else:
            out.line("const int gc_lane = threadIdx.x;")
            out.line("const bool gc_active = true;")
            self._declare_chunk(chunked, "blockIdx.x")
            out.line(f"const {unsigned} gc_row = blockIdx.x{' / gc_chunks' if chunked else ''};")
        self._declare_range(chunked)
        self._place(free_axes(self._kernel), "gc_row", 1)
        return ceil_div(rows, schedule.groups) * (schedule.chunks if chunked else 1)

    def _declare_chunk(self, chunked: bool, block: str) -> None:
        if self._is_split:
            self._out.line(f"const {self._code.unsigned} gc_chunks = {self._code.size(self._schedule.chunks)};")
        if chunked:
            self._out.line(f"const {self._code.unsigned} gc_chunk = {block} % gc_chunks;")

    def _declare_range(self, chunked: bool) -> None:
        out, unsigned = self._out, self._code.unsigned
        if not chunked:
            out.line(f"const {unsigned} gc_begin = 0, gc_end = gc_active ? gc_positions : 0;")
            return
        out.line(f"const {unsigned} gc_share = (gc_positions + gc_chunks - 1) / gc_chunks;", "positions of a chunk")
        out.line(f"const {unsigned} gc_begin = gc_chunk * gc_share;")
        out.line(
            f"const {unsigned} gc_limit = gc_begin + gc_share < gc_positions ? gc_begin + gc_share : gc_positions;"
        )
        out.line(f"const {unsigned} gc_end = gc_active ? gc_limit : 0;")

    def _find_in_columns(self, chunked: bool) -> Dim:
        out, unsigned, schedule = self._out, self._code.unsigned, self._schedule
        *others, inner = free_axes(self._kernel)
        tiles = dims.floordiv(inner.size + (schedule.lanes - 1), schedule.lanes)
        out.line(f"const int gc_lane = threadIdx.x / {schedule.lanes};")
        self._declare_chunk(chunked, "blockIdx.x")
        out.line(f"const {unsigned} gc_tile = blockIdx.x{' / gc_chunks' if chunked else ''};")
        self._place([*others, Axis("%itile", tiles, False)], "gc_tile", 1)
        column = f"gc_itile * {schedule.lanes} + (int)(threadIdx.x % {schedule.lanes})"
        out.line(f"const {self._code.integer} gc_column = {column};")
        out.line(f"const bool gc_active = gc_column < {self._code.index.text(inner.size)};", "else: nothing to write")
        out.line(f"const {self._code.integer} {index_name(inner.name)} = gc_active ? gc_column : 0;")
        self._declare_range(chunked)
        if self._is_split:
            row: Dim = 0
            for axis in (*others, inner):
                row = row * axis.size + dims.symbol(axis.name)
            out.line(f"const {unsigned} gc_row = {self._code.index.text(row)};")
        blocks = dims.product([*(axis.size for axis in others), tiles])
        return blocks * (schedule.chunks if chunked else 1)

    def _place(self, axes: Sequence[Axis], linear: str, vector: int) -> None:
        """Prints the indices on some axes at a linear position; the last is that of the first of some neighbours."""
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
                self._out.line(f"const {self._code.unsigned} {rest} = {quotient};")

    def _guard(self, first_chunk: bool = False) -> str:
        """The condition that holds for one thread of a row."""
        return "gc_active && gc_lane == 0" + (" && gc_chunk == 0" if first_chunk else "")

    # --- stages -------------------------------------------------------------------------------------------------

    def _neighbours(self, kept: bool) -> Neighbours:
        axis, width = self._kernel.axes[-1] if self._kernel.axes else Axis("", 1, False), self._schedule.vector
        return Neighbours(axis.name, width, not never_partial(axis.size, width), self._kept if kept else {})

    def _body(self, stage: Stage) -> None:
        at = self._neighbours(kept=True)
        if at.bounded:
            size = self._code.index.text(self._kernel.axes[-1].size)
            left = f"{size} - {first_name(at.axis)}"
            kind = self._code.integer
            self._out.line(f"const int gc_count = (int)gc_index_min<{kind}>({left}, {at.width});")
        self._code.body(self._out, stage, at)

    def _full_stage(self, stage: Stage) -> None:
        """The loop of a thread over its positions."""
        for reduce in _reductions(stage):
            self._out.line(f"{self._state(reduce)} gc_a{reduce.dest} = {self._code.operator(reduce)}::identity();")
        stride = self._schedule.stride
        if self._schedule.kept:
            self._out.line("#pragma unroll")
            header = f"for (int gc_m = 0; gc_m < {self._schedule.kept}; ++gc_m)"
        else:
            # Reads of several positions can be on their way at once where nothing is written in between.
            self._out.line(f"#pragma unroll {1 if any(isinstance(i, Store) for i in stage.body) else self._unrolled()}")
            header = f"for ({self._code.unsigned} gc_q = gc_begin + gc_lane; gc_q < gc_end; gc_q += {stride})"
        with self._out.braces(header):
            if self._schedule.kept:
                self._out.line(f"const {self._code.unsigned} gc_q = gc_lane + gc_m * {stride};")
                self._out.line("if (gc_q >= gc_end) break;")
            self._place(reduced_axes(self._kernel), "gc_q", self._schedule.vector)
            self._body(stage)

    def _unrolled(self) -> int:
        return 4 if self._schedule.vector == 1 else 2

    def _keep_reads(self) -> None:
        """Reads what several stages need into registers."""
        if not self._kept:
            return
        steps, at = self._schedule.kept, self._neighbours(kept=False)
        reads = [Load(0, self._kernel.inputs[param].dtype, param, offset) for param, offset in self._kept]
        for load, name in zip(reads, self._kept.values(), strict=True):
            self._out.line(f"{self._code.vector_type(load, at.width)} {name}[{steps}];")
        self._out.line("#pragma unroll")
        with self._out.braces(f"for (int gc_m = 0; gc_m < {steps}; ++gc_m)"):
            self._out.line(f"const {self._code.unsigned} gc_q = gc_lane + gc_m * {self._schedule.stride};")
            self._out.line("if (gc_q >= gc_end) break;")
            self._place(reduced_axes(self._kernel), "gc_q", at.width)
            if at.bounded:
                size = self._code.index.text(self._kernel.axes[-1].size)
                left = f"{size} - {first_name(at.axis)}"
                self._out.line(f"const int gc_count = (int)gc_index_min<{self._code.integer}>({left}, {at.width});")
            for load, name in zip(reads, self._kept.values(), strict=True):
                self._out.line(f"{name}[gc_m] = {self._code.vector(load, at)};")

    def _row_stage(self, stage: Stage, guard: str) -> None:
        """The code of a stage that every thread of a row runs, with effects for one of them."""
        for instruction in stage.body:
            if guard != "false" or not isinstance(instruction, (Check, Store)):
                self._code.write(self._out, instruction, guard)

    # --- reductions ---------------------------------------------------------------------------------------------

    def _state(self, reduce: Reduce) -> str:
        kind = self._code.operator(reduce).partition("<")[2].removesuffix(">")
        return f"gc_found<{kind}>" if reduce.op in ("argmin", "argmax") else kind

    def _reduce_threads(self, reduce: Reduce) -> None:
        """Combines what the threads of a row have found: `gc_a` becomes `gc_r`, the same for all of them."""
        state, operator, number, schedule = (
            self._state(reduce),
            self._code.operator(reduce),
            reduce.dest,
            self._schedule,
        )
        if schedule.kind == "columns":
            self._out.line(f"GC_SHARED({state}, gc_shared{number}, {schedule.block});")
            call = (
                f"gc_reduce_columns<{operator}, {schedule.lanes}, {schedule.groups}>(gc_a{number}, gc_shared{number})"
            )
        elif schedule.lanes > WARP:
            self._out.line(f"GC_SHARED({state}, gc_shared{number}, {schedule.lanes // WARP});")
            call = f"gc_reduce_block<{operator}, {schedule.lanes}>(gc_a{number}, gc_shared{number})"
        else:
            call = f"gc_reduce_lanes<{operator}, {schedule.lanes}>(gc_a{number})"
        self._out.line(f"const {state} gc_r{number} = {call};", comment_of(reduce.op, reduce.origins))

    def _name_result(self, reduce: Reduce) -> None:
        place = ".place" if reduce.op in ("argmin", "argmax") else ""
        self._out.line(f"const {VALUE_TYPES[reduce.dtype.name]} gc_v{reduce.dest} = gc_r{reduce.dest}{place};")

    def _partial(self, reduce: Reduce) -> str:
        state, offset = self._state(reduce), _partials(self._kernel, self._schedule)[0][reduce.dest]
        return f"(({state}*)(gc_scratch + ({self._code.whole.text(offset)})))"

    def _partial_place(self, chunk: str) -> str:
        """Where the state of a chunk lies: so that neighbouring threads read neighbouring ones."""
        if self._schedule.kind == "rows":
            return f"gc_row * gc_chunks + {chunk}"
        rows = dims.product(axis.size for axis in free_axes(self._kernel))
        return f"{chunk} * {self._code.size(rows)} + gc_row"

    def _combine_partials(self, reduce: Reduce) -> None:
        """Combines the states of all chunks of a row."""
        operator, number = self._code.operator(reduce), reduce.dest
        self._out.line(f"{self._state(reduce)} gc_a{number} = {operator}::identity();")
        header = f"for ({self._code.unsigned} gc_c = gc_lane; gc_c < gc_chunks; gc_c += {self._schedule.stride})"
        with self._out.braces(header):
            read = f"{self._partial(reduce)}[{self._partial_place('gc_c')}]"
            self._out.line(f"gc_a{number} = {operator}::combine(gc_a{number}, {read});")
        self._reduce_threads(reduce)
        self._name_result(reduce)

    # --- the frame ----------------------------------------------------------------------------------------------

    def _finish(self, grid: Dim) -> tuple[str, Launch]:
        """The text of the function, and its launch."""
        start = Writer()
        for number, name in enumerate(self._kernel.symbols):
            start.line(f"const {self._code.integer} gc_size{number} = ({self._code.integer})gc_n{number};", name)
        for name, condition in self._code.alignments():
            start.line(f"const bool {name} = {condition};")
        head = f'extern "C" __global__ void __launch_bounds__({self._schedule.block}) {self._name}('
        lines = [head, f"    {', '.join(self._parameters())}) {{", *start.lines, *self._out.lines, "}"]
        return "\n".join(lines), Launch(self._name, grid, self._schedule.block, 0)

    def _parameters(self) -> list[str]:
        kernel = self._kernel
        inputs = [f"const {STORED_TYPES[kind.dtype.name]}* gc_in{at}" for at, kind in enumerate(kernel.inputs)]
        outputs = [f"{STORED_TYPES[kind.dtype.name]}* gc_out{at}" for at, kind in enumerate(kernel.outputs)]
        scratch = [] if _scratch_size(kernel, self._schedule) == 0 else ["unsigned char* gc_scratch"]
        status = ["long long* gc_status"] if kernel.checks else []
        return [*inputs, *outputs, *scratch, *status, *(f"long long gc_n{at}" for at in range(len(kernel.symbols)))]
