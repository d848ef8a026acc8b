"""Where everything of a bound plan lies: one allocation on the device, and staging memory on the host."""

from __future__ import annotations

import operator
import threading
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from math import prod

import numpy as np

from graphc import reference
from graphc.errors import OutOfMemoryError
from graphc.ir import dims
from graphc.ir.types import TensorType
from graphc.plan.data import Plan, Slot, SlotKind, Step
from graphc.plan.memory import ALIGNMENT, pack

from .checks import WORDS
from .device import Device, Memory, Work
from .lowered import WORD, Lowered
from .transposes import left_out


class DeviceArray:
    """The value of a variable, or any other array of its own, on the device.

    Attributes:
        shape, dtype: of its elements, in row-major order.
    """

    def __init__(self, device: Device, shape: Sequence[int], dtype: np.dtype) -> None:
        self.shape = tuple(shape)
        self.dtype = dtype
        self._memory = allocate(device, self.nbytes)
        self.ptr = self._memory.ptr

    @property
    def nbytes(self) -> int:
        """Bytes of its elements."""
        return prod(self.shape) * self.dtype.itemsize

    def __repr__(self) -> str:
        return f"<DeviceArray {self.dtype}{list(self.shape)}>"


def allocate(device: Device, nbytes: int) -> Memory:
    """Memory of the device.

    Raises:
        OutOfMemoryError: there is too little.
    """
    try:
        return device.alloc(nbytes)
    except MemoryError as error:
        raise OutOfMemoryError(
            f"{device.name} has no {nbytes} bytes left",
            expected="as much free memory",
            got=str(error),
            fix="feed smaller batches, or close other sessions; plan.peak_bytes is a formula for what a plan takes",
        ) from error


class Region:
    """Consecutive arrays, each aligned."""

    def __init__(self) -> None:
        self.nbytes = 0

    def place(self, nbytes: int) -> int:
        """The offset of the next one."""
        offset = self.nbytes
        self.nbytes += -(-nbytes // ALIGNMENT) * ALIGNMENT
        return offset


class Constants:
    """The constants of a plan on the device, from the first binding on."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._memory: Memory | None = None
        self._uploading = threading.Lock()
        region = Region()
        self._offsets = {slot.index: region.place(_value(slot).nbytes) for slot in _of_kind(plan, SlotKind.CONSTANT)}
        self._nbytes = region.nbytes

    def pointer(self, slot: int) -> int:
        """Where one is, after `upload`."""
        assert self._memory is not None
        return self._memory.ptr + self._offsets[slot]

    def upload(self, device: Device) -> None:
        """Copies them to the device, unless they are there. Threads may bind a plan at the same time."""
        if self._memory is None:
            self._upload_alone(device)

    def _upload_alone(self, device: Device) -> None:
        with self._uploading:
            if self._memory is not None:  # another thread was faster
                return
            memory = allocate(device, self._nbytes)
            arrays = [(offset, _value(self._plan.slots[index])) for index, offset in self._offsets.items()]
            upload(device, ((memory.ptr + offset, array) for offset, array in arrays))
            self._memory = memory


def _value(slot: Slot) -> np.ndarray:
    assert slot.value is not None
    return slot.value


def _of_kind(plan: Plan, kind: SlotKind) -> list[Slot]:
    return [slot for slot in plan.slots if slot.kind is kind]


def run(works: Iterable[Work]) -> None:
    """Starts work in order. Between works that are C code Python handles no signal."""
    deque(map(operator.call, works), 0)


def prepare_upload(device: Device, pairs: Iterable[tuple[int, np.ndarray]]) -> tuple[list[np.ndarray], list[Work]]:
    """Copies of arrays to addresses; the arrays that are read until they are complete, and the works."""
    held = [(ptr, np.ascontiguousarray(array)) for ptr, array in pairs if array.nbytes]
    return [array for _, array in held], [device.prepare_copy_in(ptr, array) for ptr, array in held]


def upload(device: Device, pairs: Iterable[tuple[int, np.ndarray]]) -> None:
    """Copies arrays to addresses, and waits."""
    held, works = prepare_upload(device, pairs)
    run(works)
    device.synchronize()
    del held


def download(device: Device, ptr: int, shape: Sequence[int], dtype: np.dtype) -> np.ndarray:
    """A fresh array with what is at an address; waits for it."""
    array = np.empty(shape, dtype)
    if array.nbytes:
        device.prepare_copy_out(array, ptr)()
    device.synchronize()
    return array


class BoundPlan:
    """The memory of a plan at given sizes: the arena, feeds, results, checks, sizes as scalars.

    Args:
        plan, lowered: with the checks of each step.
        device: has the constants already.
        sizes: a value for every symbol.
        state: one array per entry of `plan.state`.

    Attributes:
        device, sizes, transposed: as in `lowered.Bound`.
        arena_bytes: of the arena alone.
        feeds, results: staging arrays on the host, in the plan's order; results without repetition.
    """

    def __init__(
        self,
        plan: Plan,
        lowered: Sequence[Lowered],
        device: Device,
        sizes: Mapping[str, int],
        state: Sequence[DeviceArray],
        constants: Constants,
    ) -> None:
        self.device = device
        self.sizes = sizes
        self._plan = plan
        self._constants = constants
        self._state = state  # held: a call must not outlive the memory that it writes
        self._buffers, self.arena_bytes = self._pack()
        self._offsets = {slot: self._buffers[buffer] for slot, buffer in plan.buffer_of.items()}
        self._scratch_of = {id(plan.steps[at]): buffer for at, buffer in plan.scratch_of.items()}
        region = Region()
        region.place(self.arena_bytes)
        self.feeds_at = region.nbytes
        feed_offsets = self._place(region, plan.feeds)
        feeds_end = region.nbytes
        self.checks = [check for each in lowered for check in each.checks]
        self.status_at = region.place(WORD * WORDS * len(self.checks))
        self._status_offsets = self._status_of(lowered)
        self.results_at = region.nbytes
        results = list(dict.fromkeys(plan.results))
        result_offsets = self._place(region, results)
        results_end = region.nbytes
        self._offsets.update(zip(plan.feeds, feed_offsets, strict=True))
        self._offsets.update(zip(results, result_offsets, strict=True))
        known = _of_kind(plan, SlotKind.SIZE)
        fixed = [slot.index for slot in known]
        self._offsets.update(zip(fixed, self._place(region, fixed), strict=True))
        self.initial_at = region.place(WORD * WORDS * len(self.checks))
        self._memory = allocate(device, region.nbytes)
        self.base = self._memory.ptr
        self._pointers = {slot: self.base + offset for slot, offset in self._offsets.items()}
        self._pointers.update({slot: array.ptr for slot, array in zip(plan.state, state, strict=True)})
        self.feed_staging = device.alloc_staging(feeds_end - self.feeds_at)
        self.result_staging = device.alloc_staging(results_end - self.status_at)
        self.feeds = self._views(self.feed_staging, plan.feeds, feed_offsets, self.feeds_at)
        self.results = self._views(self.result_staging, results, result_offsets, self.status_at)
        self._upload_fixed(known)
        self.transposed: Mapping[int, int] = left_out(plan, self)

    def pointer(self, slot: int) -> int:
        """Where the elements of a slot are."""
        root = self._plan.root(slot)
        if root.kind is SlotKind.CONSTANT:
            return self._constants.pointer(root.index)
        return self._pointers[root.index]

    def status(self, step: Step) -> int:
        """Where the words of the checks of a step are."""
        return self.base + self._status_offsets[id(step)]

    def scratch(self, step: Step) -> int:
        """Memory that is a step's own while it runs."""
        return self.base + self._buffers[self._scratch_of[id(step)]]

    def shape(self, kind: TensorType) -> tuple[int, ...]:
        """A shape in numbers."""
        return reference.static_shape(kind.shape, self.sizes)

    @property
    def words(self) -> np.ndarray:
        """The words of all checks, as they were copied back last: (checks, 2)."""
        count = len(self.checks)
        return self.result_staging[: WORD * WORDS * count].view(np.int64).reshape(count, WORDS)

    def _pack(self) -> tuple[list[int], int]:
        intervals = [(i.start, i.end, dims.evaluate(i.nbytes, self.sizes)) for i in self._plan.intervals]
        return pack(intervals)

    def _place(self, region: Region, slots: Sequence[int]) -> list[int]:
        return [region.place(dims.evaluate(self._plan.size_of(index), self.sizes)) for index in slots]

    def _status_of(self, lowered: Sequence[Lowered]) -> dict[int, int]:
        offsets: dict[int, int] = {}
        offset = self.status_at
        for each in lowered:
            offsets[id(each.step)] = offset
            offset += WORD * WORDS * len(each.checks)
        return offsets

    def _views(self, staging: np.ndarray, slots: Sequence[int], offsets: Sequence[int], start: int) -> list[np.ndarray]:
        kinds = [self._plan.slots[index].type for index in slots]
        return [
            np.ndarray(self.shape(kind), kind.dtype.numpy, staging, offset - start)
            for kind, offset in zip(kinds, offsets, strict=True)
        ]

    def _upload_fixed(self, known: Sequence[Slot]) -> None:
        """What is the same at every call: what follows from the sizes, and the words that checks begin with."""
        pairs = [(self._pointers[slot.index], self._of_sizes(slot)) for slot in known]
        initial = np.asarray([check.initial for check in self.checks], np.int64)
        upload(self.device, [*pairs, (self.base + self.initial_at, initial)])

    def _of_sizes(self, slot: Slot) -> np.ndarray:
        assert slot.op is not None
        assert callable(slot.op.array_fn)
        array: np.ndarray = slot.op.array_fn(np, **reference.bind_attrs(slot.attrs, self.sizes))
        return array
