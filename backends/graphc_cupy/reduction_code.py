"""The code of reductions: what a thread has found is combined with what others have, in a row and across chunks."""

from __future__ import annotations

from graphc.ir import dims
from graphc.ir.dims import Dim
from graphc.lowering.kernel import Check, Kernel, Reduce, Stage, Store

from .expressions import VALUE_TYPES
from .schedule import WARP, Schedule, ceil_div, free_axes
from .stage_code import StageCode
from .writer import Writer, comment_of

_PARTIALS_ALIGNMENT = 64
_MOST_SHARED = 16 * 1024  # bytes of a block; then reductions take turns with what there is


def reductions_of(stage: Stage) -> list[Reduce]:
    """The reductions of a stage."""
    return [instruction for instruction in stage.body if isinstance(instruction, Reduce)]


def scratch_size(kernel: Kernel, schedule: Schedule) -> Dim:
    """The bytes of all partial results."""
    return 0 if schedule.chunks == 1 else _partials(kernel, schedule)[1]


def _partials(kernel: Kernel, schedule: Schedule) -> tuple[dict[int, Dim], Dim]:
    """Where the partial results of each reduction begin in the scratch memory, and where all end, in bytes."""
    states = dims.product(axis.size for axis in free_axes(kernel)) * schedule.chunks
    dtypes = {i.dest: i.dtype for i in kernel.instructions if not isinstance(i, (Check, Store))}
    offsets: dict[int, Dim] = {}
    end: Dim = 0
    for stage in kernel.stages:
        for reduce in reductions_of(stage):
            offsets[reduce.dest] = end
            size = states * _state_bytes(reduce, dtypes[reduce.arg].itemsize)
            end = end + ceil_div(size, _PARTIALS_ALIGNMENT) * _PARTIALS_ALIGNMENT
    return offsets, end


def _state_bytes(reduce: Reduce, itemsize: int) -> int:
    return 16 if _finds_place(reduce) else itemsize


def _finds_place(reduce: Reduce) -> bool:
    return reduce.op in ("argmin", "argmax")


class ReductionCode:
    """Prints what goes on between the threads of a row.

    Of a reduction, `gc_a<n>` is what this thread has found, `gc_r<n>` what all have, and `gc_v<n>` the value.
    """

    def __init__(self, kernel: Kernel, schedule: Schedule, code: StageCode, out: Writer) -> None:
        self._schedule = schedule
        self._code = code
        self._out = out
        self._rows = dims.product(axis.size for axis in free_axes(kernel))
        self._offsets = _partials(kernel, schedule)[0]
        self._shared_bytes = 0
        self._buffers: dict[str, str] = {}

    def begin(self, reduce: Reduce) -> None:
        """Nothing is found yet."""
        state, operator = self._state(reduce), self._code.operator(reduce)
        self._out.line(f"{state} gc_a{reduce.dest} = {operator}::identity();")

    def among_threads(self, reduce: Reduce) -> None:
        """Combines what the threads of a row have found; all of them get the result."""
        state, operator, number = self._state(reduce), self._code.operator(reduce), reduce.dest
        schedule = self._schedule
        if schedule.kind == "columns":
            buffer = self._buffer(reduce, schedule.block)
            sizes = f"{schedule.lanes}, {schedule.groups}"
            call = f"gc_reduce_columns<{operator}, {sizes}>(gc_a{number}, {buffer})"
        elif schedule.lanes > WARP:
            buffer = self._buffer(reduce, schedule.lanes // WARP)
            call = f"gc_reduce_block<{operator}, {schedule.lanes}>(gc_a{number}, {buffer})"
        else:
            call = f"gc_reduce_lanes<{operator}, {schedule.lanes}>(gc_a{number})"
        self._out.line(f"const {state} gc_r{number} = {call};", comment_of(reduce.op, reduce.origins))

    def name_value(self, reduce: Reduce) -> None:
        """The result as a value, for later stages."""
        place = ".place" if _finds_place(reduce) else ""
        self._out.line(f"const {VALUE_TYPES[reduce.dtype.name]} gc_v{reduce.dest} = gc_r{reduce.dest}{place};")

    def leave_partial(self, reduce: Reduce, guard: str) -> None:
        """Leaves what a chunk has found to the next launch."""
        self._out.line(f"if ({guard}) {self._partial(reduce)}[{self._place('gc_chunk')}] = gc_r{reduce.dest};")

    def among_chunks(self, reduce: Reduce) -> None:
        """Combines what all chunks of a row have left."""
        self.begin(reduce)
        header = f"for ({self._code.unsigned} gc_c = gc_lane; gc_c < gc_chunks; gc_c += {self._schedule.stride})"
        with self._out.braces(header):
            read = f"{self._partial(reduce)}[{self._place('gc_c')}]"
            operator, mine = self._code.operator(reduce), f"gc_a{reduce.dest}"
            self._out.line(f"{mine} = {operator}::combine({mine}, {read});")
        self.among_threads(reduce)
        self.name_value(reduce)

    def _state(self, reduce: Reduce) -> str:
        kind = VALUE_TYPES[self._code.dtype_of(reduce.arg).name]
        return f"gc_found<{kind}>" if _finds_place(reduce) else kind

    def _buffer(self, reduce: Reduce, count: int) -> str:
        """Shared memory for the states of some threads: its own, as long as there is enough."""
        state = self._state(reduce)
        size = count * _state_bytes(reduce, self._code.dtype_of(reduce.arg).itemsize)
        if state in self._buffers and self._shared_bytes + size > _MOST_SHARED:
            self._out.line("gc_synchronize();", "the reduction before has been read")
            return self._buffers[state]
        self._shared_bytes += size
        self._buffers[state] = name = f"gc_shared{reduce.dest}"
        self._out.line(f"GC_SHARED({state}, {name}, {count});")
        return name

    def _partial(self, reduce: Reduce) -> str:
        return f"(({self._state(reduce)}*)(gc_scratch + {self._code.whole.operand(self._offsets[reduce.dest])}))"

    def _place(self, chunk: str) -> str:
        """Where the state of a chunk lies: so that neighbouring threads read neighbouring ones."""
        if self._schedule.kind == "rows":
            return f"gc_row * gc_chunks + {chunk}"
        return f"{chunk} * {self._code.size(self._rows)} + gc_row"
