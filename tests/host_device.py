"""A device of the cupy backend that is the host: memory with guards around it, kernels as C++, products by NumPy."""

import ctypes
import weakref
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import host_cuda
import numpy as np

from graphc_cupy.device import Matrix

_GUARD = 256  # bytes before and after, which nobody may write; a NaN to who reads them
_ALIGNMENT = 64
_POISON = 0xFF


class HostMemory:
    """Bytes between two guards."""

    def __init__(self, nbytes: int) -> None:
        self._all = np.full(nbytes + 2 * _GUARD + _ALIGNMENT, _POISON, np.uint8)
        start = -(-(self._all.ctypes.data + _GUARD) // _ALIGNMENT) * _ALIGNMENT - self._all.ctypes.data
        self.ptr = self._all.ctypes.data + start
        self.bytes = self._all[start : start + nbytes]
        self._guards = self._all[:start], self._all[start + nbytes :]
        if host_cuda.SANITIZED:
            for guard in self._guards:
                host_cuda.forbid(guard)
            weakref.finalize(self, host_cuda.permit, self._all)

    def is_intact(self) -> bool:
        """Whether nobody wrote beside it."""
        return host_cuda.SANITIZED or all((guard == _POISON).all() for guard in self._guards)


class HostDevice:
    """Implements `graphc_cupy.device.Device`; everything is done at once.

    Args:
        reverse: whether blocks and threads run in reverse order, which must make no difference.
    """

    def __init__(self, reverse: bool = False) -> None:
        self.name = "host"
        self.architecture = "host"
        self.reverse = reverse
        self.launches = 0
        self._memories: weakref.WeakSet[HostMemory] = weakref.WeakSet()

    def enter(self) -> None:
        """Nothing is to be done."""

    def alloc(self, nbytes: int) -> HostMemory:
        """Poisoned memory."""
        memory = HostMemory(nbytes)
        self._memories.add(memory)
        return memory

    def alloc_staging(self, nbytes: int) -> np.ndarray:
        """Memory like any other."""
        return np.empty(nbytes, np.uint8)

    def load(self, source: str, functions: Sequence[str], cache: object = None) -> host_cuda.Library:
        """Compiled by the C++ compiler; the folder for compiled code is not used."""
        return host_cuda.load(source, tuple(functions))

    def prepare_copy_in(self, ptr: int, staging: np.ndarray) -> Callable[[], object]:
        """At once, when it is called."""
        return partial(ctypes.memmove, ptr, staging.ctypes.data, staging.nbytes)

    def prepare_copy_out(self, staging: np.ndarray, ptr: int) -> Callable[[], object]:
        """At once, when it is called."""
        return partial(ctypes.memmove, staging.ctypes.data, ptr, staging.nbytes)

    def prepare_copy(self, target: int, source: int, nbytes: int) -> Callable[[], object]:
        """At once, when it is called."""
        return partial(ctypes.memmove, target, source, nbytes)

    def prepare_fill(self, ptr: int, nbytes: int, byte: int) -> Callable[[], object]:
        """At once, when it is called."""
        return partial(ctypes.memset, ptr, byte, nbytes)

    def prepare_launch(
        self, function: Any, grid: int, block: int, shared_bytes: int, args: Sequence[int]
    ) -> Callable[[], object]:
        """Runs the kernel and looks at the guards of all memory."""
        assert not shared_bytes, "the host has no dynamic shared memory"
        arguments = list(args)

        def run() -> None:
            host_cuda.launch(function, grid, block, arguments, self.reverse)
            self.launches += 1
            assert all(memory.is_intact() for memory in list(self._memories)), "a kernel wrote beside its arrays"

        return run

    def prepare_matmul(
        self, left: Matrix, right: Matrix, out: Matrix, dtype: np.dtype, precision: str
    ) -> Callable[[], object]:
        """By NumPy."""
        x, y, result = (_array(matrix, dtype) for matrix in (left, right, out))
        return partial(_multiply, x, y, result)

    def synchronize(self) -> None:
        """Nothing is under way."""


def _multiply(x: np.ndarray, y: np.ndarray, result: np.ndarray) -> None:
    with np.errstate(all="ignore"):  # devices do not warn
        np.matmul(x, y, result)


def _array(matrix: Matrix, dtype: np.dtype) -> np.ndarray:
    count = int(np.prod(matrix.shape))
    buffer = (ctypes.c_char * (count * dtype.itemsize)).from_address(matrix.ptr)
    array = np.frombuffer(buffer, dtype).reshape(matrix.shape)
    return array.swapaxes(-1, -2) if matrix.transposed else array
