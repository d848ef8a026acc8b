"""A device for tests of the cupy backend: host memory, work that is done as late as it may be, kernels interpreted.

Nothing happens before `synchronize`: whatever is read or overwritten too early gives wrong numbers. Fresh memory
is full of NaN bytes, and no work may touch an address outside of living memory.
"""

import ctypes
import sys
import weakref
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from graphc.ir import dims
from graphc.lowering.kernel import Kernel
from graphc.lowering.kernel_interpreter import _Run
from graphc_cupy.code import Code
from graphc_cupy.device import Matrix

POISON = 255


def quiet_matmul(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> None:
    """Devices do not warn."""
    with np.errstate(all="ignore"):
        np.matmul(a, b, out)


class Block:
    """Memory that its device keeps until it has done all work that was asked for while somebody else did, too."""

    def __init__(self, nbytes: int, freed: Callable[[int], object]) -> None:
        self.bytes = np.full(nbytes + 64, POISON, np.uint8)
        self.ptr = self.bytes.ctypes.data + -self.bytes.ctypes.data % 64
        weakref.finalize(self, freed, self.ptr)


class MemoryDevice:
    """Host memory as a device. Subclasses launch kernels.

    Args:
        atomic: work is put into the queue by C code alone, and done out of reach of signals, as on a GPU; it cannot be
            made to fail then.

    Attributes:
        compiled: functions of every translation unit that was loaded.
        launched: names of kernels, in order.
        fail: called before each work is done, for tests of failure.
        capacity: bytes; more cannot be allocated.
    """

    name = "a device for tests"
    architecture = "sm_90"

    def __init__(self, atomic: bool = False) -> None:
        self.atomic = atomic
        self.compiled: list[list[str]] = []
        self.launched: list[str] = []
        self.fail: Callable[[str], object] = lambda what: None
        self.capacity = 1 << 40
        self.dead = False
        self._blocks: dict[int, tuple[int, np.ndarray]] = {}  # start → end, bytes
        self._freed: list[int] = []
        self._queue: list[Callable[[], object]] = []

    def enter(self) -> None:
        pass

    def alloc(self, nbytes: int) -> Block:
        if nbytes > self.capacity:
            raise MemoryError(f"{nbytes} of {self.capacity} bytes")
        block = Block(max(nbytes, 1), self._freed.append)
        self._blocks[block.ptr] = (block.ptr + nbytes, block.bytes)
        return block

    def alloc_staging(self, nbytes: int) -> np.ndarray:
        return np.full(nbytes, POISON, np.uint8)

    def prepare_copy_in(self, ptr: int, staging: np.ndarray) -> Callable[[], object]:
        return self._later("copy in", partial(self._move, staging.ctypes.data, ptr, staging.nbytes, ptr, staging))

    def prepare_copy_out(self, staging: np.ndarray, ptr: int) -> Callable[[], object]:
        return self._later("copy out", partial(self._move, ptr, staging.ctypes.data, staging.nbytes, ptr, staging))

    def prepare_copy(self, target: int, source: int, nbytes: int) -> Callable[[], object]:
        self.require(source, nbytes)
        return self._later("copy", partial(self._move, source, target, nbytes, target, None))

    def prepare_fill(self, ptr: int, nbytes: int, byte: int) -> Callable[[], object]:
        return self._later("fill", partial(ctypes.memset, ptr, byte, nbytes))

    def prepare_matmul(
        self, left: Matrix, right: Matrix, out: Matrix, dtype: np.dtype, precision: str
    ) -> Callable[[], object]:
        arrays = [self.array(matrix.ptr, matrix.shape, dtype) for matrix in (left, right, out)]
        a, b = (x.T if m.transposed else x for x, m in zip(arrays, (left, right), strict=False))
        return self._later("matmul", partial(quiet_matmul, a, b, arrays[2]))

    def prepare_launch(
        self, function: Any, grid: int, block: int, shared_bytes: int, args: Sequence[int]
    ) -> Callable[[], object]:
        assert 0 < grid < 2**31
        return self._later(function.name, partial(self._launch, function, grid, block, shared_bytes, tuple(args)))

    def synchronize(self) -> None:
        if self.dead:
            raise RuntimeError("the device does not answer")
        trace, profile = sys.gettrace(), sys.getprofile()
        if self.atomic:
            sys.setprofile(None)
            sys.settrace(None)
        queue, self._queue[:] = list(self._queue), []
        for work in queue:
            work()
        while self._freed:
            del self._blocks[self._freed.pop()]
        sys.settrace(trace)
        sys.setprofile(profile)

    def array(self, ptr: int, shape: Sequence[int], dtype: Any) -> np.ndarray:
        """Memory at an address."""
        dtype = np.dtype(dtype)
        nbytes = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        self.require(ptr, nbytes)
        raw = (ctypes.c_uint8 * nbytes).from_address(ptr)
        return np.frombuffer(raw, dtype, nbytes // dtype.itemsize).reshape(shape)

    def require(self, ptr: int, nbytes: int) -> None:
        """Holds an address range to living memory."""
        inside = any(start <= ptr and ptr + nbytes <= end for start, (end, _) in self._blocks.items())
        assert inside or not nbytes, f"{nbytes} bytes at {ptr:#x} are outside of all memory"

    def _move(self, source: int, target: int, nbytes: int, ptr: int, staging: Any) -> None:
        self.require(ptr, nbytes)
        ctypes.memmove(target, source, nbytes)

    def _later(self, what: str, work: Callable[[], object]) -> Callable[[], object]:
        if self.atomic:
            return partial(self._queue.append, work)

        def start() -> None:
            if self.dead:
                raise RuntimeError("the device does not answer")
            self.fail(what)
            self._queue.append(work)

        return start

    def _launch(self, function: Any, grid: int, block: int, shared_bytes: int, args: tuple[int, ...]) -> None:
        raise NotImplementedError


class Function(NamedTuple):
    """A launch of a kernel: the last one does all the work, by the Kernel interpreter."""

    name: str
    kernel: Kernel | None
    scratch: bool = False
    last: bool = True
    sizes: Mapping[str, int] = MappingProxyType({})


def function_of(code: Code, device: MemoryDevice, name: str, wide: bool = False) -> Function:
    """What takes the place of `Code.function`, which gives machine code."""
    loaded(code, device, wide)
    for entry in code._kernels.values():
        printed = code.printed(entry.kernel, wide)
        names = [launch.function for launch in printed.launches]
        if name in names:
            return Function(name, entry.kernel, printed.scratch != 0, name == names[-1])
    assert name in code._written
    return Function(name, None)


def loaded(code: Code, device: MemoryDevice, wide: bool) -> None:
    """Loads the unit as `Code` does."""
    if wide not in code._modules:
        code._modules[wide] = device.load(code.source(wide), code._functions(wide), None)


class InterpretingDevice(MemoryDevice):
    """Kernels are run by the Kernel interpreter: no compiler is needed, and none is tested.

    Attributes:
        sizes: of the plan that is being bound: arrays of kernels may have sizes that their code does not need.
    """

    def __init__(self, atomic: bool = False) -> None:
        super().__init__(atomic)
        self.sizes: Mapping[str, int] = {}

    def prepare_launch(
        self, function: Any, grid: int, block: int, shared_bytes: int, args: Sequence[int]
    ) -> Callable[[], object]:
        return super().prepare_launch(function._replace(sizes=self.sizes), grid, block, shared_bytes, args)

    def load(self, source: str, functions: Sequence[str], cache: Any) -> Any:
        self.compiled.append(list(functions))
        return object()

    def _launch(self, function: Function, grid: int, block: int, shared_bytes: int, args: tuple[int, ...]) -> None:
        self.launched.append(function.name)
        if function.kernel is not None:
            if function.last:
                self._interpret(function, function.kernel, args)
        elif function.name.startswith("check_range"):
            self._check_range(function.name.removeprefix("check_range_"), *args)
        elif function.name.startswith("take_last"):
            self._take_last(*function.name.removeprefix("take_last_").split("_"), *args)
        else:
            self._scatter(function.name.removeprefix("scatter_").split("_"), *args)

    def _interpret(self, function: Function, kernel: Kernel, args: tuple[int, ...]) -> None:
        types = (*kernel.inputs, *kernel.outputs)
        rest = len(types) + function.scratch
        words = args[rest] if kernel.checks else 0
        sizes = function.sizes | dict(zip(kernel.symbols, args[rest + bool(kernel.checks) :], strict=True))
        assert sizes == function.sizes
        arrays = [
            self.array(ptr, [dims.evaluate(size, sizes) for size in kind.shape], kind.dtype.numpy)
            for ptr, kind in zip(args, types, strict=False)
        ]
        run = _Reporting(kernel, arrays[: len(kernel.inputs)], sizes)
        with np.errstate(all="ignore"):
            for stage in kernel.stages:
                run.stage(stage)
        for target, found in zip(arrays[len(kernel.inputs) :], run.outputs(), strict=True):
            target[...] = found
        for number, wrong in run.reported:
            self._report(words + 16 * number, wrong)

    def _report(self, ptr: int, wrong: np.ndarray) -> None:
        words = self.array(ptr, (2,), np.int64)
        words[:] = min(words[0], wrong.min()), max(words[1], wrong.max())

    def _check_range(self, dtype: str, ptr: int, words: int, size: int, count: int) -> None:
        indices = self.array(ptr, (count,), dtype)
        wrong = indices[(indices < -size) | (indices >= size)]
        if wrong.size:
            self._report(words, np.clip(wrong, None, 2**63 - 1).astype(np.int64))

    def _scatter(
        self, name: list[str], at: int, values: int, out: int, outer: int, size: int, inner: int, count: int
    ) -> None:
        update, *_, dtype, index = name
        target = self.array(out, (outer, size, inner), dtype)
        given = self.array(values, (outer, count, inner), dtype)
        along = "along" in name
        indices = self.array(at, (outer, count, inner) if along else (1, count, 1), index)
        for row, number, column in np.ndindex(outer, count, inner):
            position = int(indices[row, number, column] if along else indices[0, number, 0])
            if -size <= position < size:
                old, new = target[row, position, column], given[row, number, column]
                target[row, position, column] = new if update == "set" else _COMBINE[update](old, new)

    def _take_last(
        self, dtype: str, index: str, at: int, x: int, out: int, outer: int, size: int, inner: int, count: int
    ) -> None:
        source = self.array(x, (outer, size, inner), dtype)
        target = self.array(out, (outer, count, inner), dtype)
        positions = [position % size for position in self.array(at, (count,), index).tolist()]
        for number, position in enumerate(positions):
            is_last = position not in positions[number + 1 :]
            target[:, number] = source[:, position] if is_last else 0


_COMBINE = {"add": np.add, "multiply": np.multiply, "min": np.minimum, "max": np.maximum}


class _Reporting(_Run):
    """Notes what checks find, and goes on, as a device does."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.reported: list[tuple[int, np.ndarray]] = []

    def _check(self, number: int, ok: np.ndarray, value: np.ndarray) -> None:
        wrong = self._everywhere(value)[~self._everywhere(ok)]
        if wrong.size:
            self.reported.append((number, wrong))
