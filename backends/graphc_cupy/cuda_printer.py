"""Kernels as CUDA C++: a function per launch, over the prelude's device functions.

Which thread does what stands in `schedule`. What follows from it here:

A *flat* kernel has no reduced axes: a thread computes some neighbours on the innermost axis. If it reads an array along
another axis, as a transposition does, *tiles* of that go through shared memory. In a kernel with reduced axes several
threads serve one row, a point of the axes that are not reduced: each walks some positions of the reduced axes and
combines what it finds, then the threads combine with each other, by shuffles in a warp and through shared memory in a
block, and every one of them gets the result. Where rows are few and long, the reduced axes are cut into chunks: a
launch leaves one partial result a chunk in scratch memory, and the next one begins by combining these.

The number of chunks and the order of combining follow from the sizes alone, and there are no atomics on values, so that
the same sizes give the same bits.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from graphc.ir.dims import Dim
from graphc.lowering.kernel import Axis, Check, Kernel, Load, Stage, Store

from .expressions import STORED_TYPES
from .reduction_code import ReductionCode, reductions_of, scratch_size
from .schedule import TILE, Schedule, choose, kept_reads, reduced_axes, turned_reads
from .stage_code import Neighbours, StageCode, first_name, index_name, never_partial, used_values
from .thread_code import ThreadCode
from .writer import Writer, printable


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

    An output may share the memory of an input if the kernel has no reduced axes and reads that input at the offset at
    which it writes the output: a thread writes when it has read.

    Args:
        kernel: the kernel.
        wide: whether indices have 64 bits; else no array and no space may have more than 2³¹ - 2¹⁶ elements.
    """
    schedule = choose(kernel)
    whole = f"gc_{kernel.name}"
    if not reduced_axes(kernel):
        kernel = kernel._replace(stages=(Stage(True, tuple(kernel.instructions)),))
    kernel = kernel._replace(stages=tuple(map(_writing_last, kernel.stages)))
    if schedule.kind == "flat":
        functions = [_Function(kernel, schedule, wide, whole).flat()]
    elif schedule.kind == "tiles":
        functions = [_Function(kernel, schedule, wide, whole).tiled()]
    elif schedule.chunks == 1:
        functions = [_Function(kernel, schedule, wide, whole).whole()]
    else:
        functions = _split(kernel, schedule, wide)
    source = "\n\n".join(text for text, _ in functions)
    scratch = scratch_size(kernel, schedule)
    return Printed(f"{_heading(kernel, schedule)}\n{source}\n", tuple(launch for _, launch in functions), scratch)


def _writing_last(stage: Stage) -> Stage:
    """The stage with its stores at the end: what they write may lie where something else is still to be read."""
    return stage._replace(body=tuple(sorted(stage.body, key=lambda instruction: isinstance(instruction, Store))))


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


class _Function:
    """Prints one `__global__` function."""

    def __init__(self, kernel: Kernel, schedule: Schedule, wide: bool, name: str) -> None:
        self._kernel = kernel
        self._schedule = schedule
        self._name = name
        self._code = StageCode(kernel, wide)
        self._out = Writer()
        self._reductions = ReductionCode(kernel, schedule, self._code, self._out)
        self._threads = ThreadCode(kernel, schedule, self._code, self._out)
        self._kept = {
            read: f"gc_keep{number}" for number, read in enumerate(kept_reads(kernel) if schedule.kept else [])
        }

    # --- the kinds of functions -----------------------------------------------------------------------------

    def flat(self) -> tuple[str, Launch]:
        """All of a kernel without reduced axes."""
        grid = self._threads.neighbours()
        self._body(self._kernel.stages[0])
        return self._finish(grid)

    def tiled(self) -> tuple[str, Launch]:
        """All of a kernel that reads across its innermost axis: a block reads a square along the one."""
        (stage,), inner = self._kernel.stages, self._kernel.axes[-1]
        (across,) = (axis for axis in self._kernel.axes if axis.name == self._schedule.across)
        grid = self._threads.corner(across)
        turned = {load.dest: load for load in turned_reads(self._kernel)}
        for dest, load in turned.items():
            self._out.line(f"GC_SHARED({STORED_TYPES[load.dtype.name]}, gc_square{dest}, {TILE} * {TILE + 1});")
        with self._in_tile(across, inner, "gc_p + gc_x", "gc_q + gc_r"):
            for dest, load in turned.items():
                self._out.line(f"gc_square{dest}[gc_r * {TILE + 1} + gc_x] = {self._code.element(load)};")
        self._out.line("gc_synchronize();")
        with self._in_tile(across, inner, "gc_p + gc_r", "gc_q + gc_x"):
            for instruction in stage.body:
                dest = instruction.dest if isinstance(instruction, Load) else -1
                source = f"gc_square{dest}[gc_x * {TILE + 1} + gc_r]" if dest in turned else ""
                self._code.write(self._out, instruction, source=source)
        return self._finish(grid)

    @contextmanager
    def _in_tile(self, across: Axis, inner: Axis, first: str, second: str) -> Iterator[None]:
        """The lines inside run for the points of a thread in its block's tile."""
        self._out.line("#pragma unroll")
        with self._out.braces(f"for (int gc_r = gc_y; gc_r < {TILE}; gc_r += {self._schedule.groups})"):
            for axis, place in ((across, first), (inner, second)):
                self._out.line(f"const {self._code.integer} {index_name(axis.name)} = {place};")
            inside = [f"{index_name(axis.name)} < {self._code.index.operand(axis.size)}" for axis in (across, inner)]
            with self._out.braces(f"if ({' && '.join(inside)})"):
                yield

    def whole(self) -> tuple[str, Launch]:
        """All of a kernel with reduced axes in one launch."""
        grid = self._threads.row(chunked=False)
        self._keep_reads()
        for stage in self._kernel.stages:
            if stage.full:
                self._full_stage(stage)
                for reduce in reductions_of(stage):
                    self._reductions.among_threads(reduce)
                    self._reductions.name_value(reduce)
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
        grid = self._threads.row(chunked=own is not None)
        rows = [stage for stage in stages[:end] if not stage.full]
        needed = used_values([*rows, own] if own else rows)
        for number, stage in enumerate(stages[:end]):
            if not stage.full:
                effects = self._guard(first_chunk=own is not None) if number > done else "false"
                self._row_stage(stage, effects)
                continue
            for reduce in reductions_of(stage):
                if reduce.dest in needed:
                    self._reductions.among_chunks(reduce)
        if own:
            self._full_stage(own)
            for reduce in reductions_of(own):
                self._reductions.among_threads(reduce)
                self._reductions.leave_partial(reduce, self._guard())
        return self._finish(grid)

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
        for reduce in reductions_of(stage):
            self._reductions.begin(reduce)
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
            self._threads.place(reduced_axes(self._kernel), "gc_q", self._schedule.vector)
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
            self._threads.place(reduced_axes(self._kernel), "gc_q", at.width)
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
        scratch = [] if scratch_size(kernel, self._schedule) == 0 else ["unsigned char* gc_scratch"]
        status = ["long long* gc_status"] if kernel.checks else []
        return [*inputs, *outputs, *scratch, *status, *(f"long long gc_n{at}" for at in range(len(kernel.symbols)))]
