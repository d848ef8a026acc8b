"""The device as programs see it: memory, copies, compiled modules, launches, matrix products. And CUDA's, through CuPy.

Work is *prepared* when a plan is bound and done by calling what comes back, as often as the plan runs: then nothing is
allocated and no argument is looked at. It is done in the order of the calls, perhaps later: `synchronize` waits.
"""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np

from . import nvrtc

Folder: TypeAlias = str | os.PathLike[str]
Work: TypeAlias = Callable[[], object]
"""Something that a device is ready to do."""


class Memory(Protocol):
    """Bytes of the device, which are free again when nobody holds this."""

    @property
    def ptr(self) -> int:
        """The address of the first, a multiple of 64."""
        ...


class Module(Protocol):
    """Compiled code."""

    def function(self, name: str) -> Any:
        """A kernel by its name, for `prepare_launch`."""
        ...


class Matrix(NamedTuple):
    """A stack of matrices in row-major order on the device.

    Attributes:
        ptr: where it is.
        shape: as it lies in memory.
        transposed: it is used with its last two axes exchanged; only without a stack.
    """

    ptr: int
    shape: tuple[int, ...]
    transposed: bool = False


class Device(Protocol):
    """What a program asks of a device.

    Attributes:
        name: for people.
        architecture: what code is compiled for, for example `"sm_90"`.
    """

    name: str
    architecture: str

    def enter(self) -> None:
        """Makes the device usable from this thread; cheap from the second time on."""
        ...

    def alloc(self, nbytes: int) -> Memory:
        """Memory of the device, with anything in it."""
        ...

    def alloc_staging(self, nbytes: int) -> np.ndarray:
        """Bytes of the host (uint8) that copies to and from the device go through."""
        ...

    def load(self, source: str, functions: Sequence[str], cache: Folder | None) -> Module:
        """Compiles a translation unit that holds these kernels, or finds it compiled, in a folder if one is given."""
        ...

    def prepare_copy_in(self, ptr: int, staging: np.ndarray) -> Work:
        """Copies from `alloc_staging` memory, which must stay as it is until the copy is complete."""
        ...

    def prepare_copy_out(self, staging: np.ndarray, ptr: int) -> Work:
        """Copies into `alloc_staging` memory."""
        ...

    def prepare_copy(self, target: int, source: int, nbytes: int) -> Work:
        """Copies from one place of the device to another."""
        ...

    def prepare_fill(self, ptr: int, nbytes: int, byte: int) -> Work:
        """Sets bytes."""
        ...

    def prepare_launch(self, function: Any, grid: int, block: int, shared_bytes: int, args: Sequence[int]) -> Work:
        """A kernel; every argument is a pointer or a 64-bit integer."""
        ...

    def prepare_matmul(self, left: Matrix, right: Matrix, out: Matrix, dtype: np.dtype, precision: str) -> Work:
        """The product of floats, no size of which is 0. `precision` as in `CompileOptions`."""
        ...

    def synchronize(self) -> None:
        """Waits until all work is done."""
        ...


class CudaModule:
    """A cubin on a GPU."""

    def __init__(self, module: Any) -> None:
        self._module = module

    def function(self, name: str) -> Any:
        """The kernel of that name."""
        return self._module.get_function(name)


class CudaDevice:
    """The current GPU of CuPy, with one stream for everything.

    Names of CuPy that it does not document as public stand in `_Private` alone, each with another way to go.
    """

    def __init__(self) -> None:
        import cupy

        self._cupy = cupy
        self._runtime = cupy.cuda.runtime
        self._id = int(self._runtime.getDevice())
        self.enter()
        self._private = _Private(cupy)
        self._stream = cupy.cuda.Stream(non_blocking=True)
        self._modules: weakref.WeakValueDictionary[tuple[str, tuple[str, ...]], CudaModule] = (
            weakref.WeakValueDictionary()
        )
        name = self._runtime.getDeviceProperties(self._id)["name"]
        self.name = name.decode() if isinstance(name, bytes) else str(name)
        self.architecture = f"sm_{cupy.cuda.Device(self._id).compute_capability}"

    def enter(self) -> None:
        """Makes the GPU's context current in this thread, as CUDA's driver demands of whoever launches."""
        self._runtime.setDevice(self._id)

    def alloc(self, nbytes: int) -> Memory:
        """From CuPy's pool, in the order of the stream: what is freed may be given out again at once."""
        with self._stream:
            memory: Memory = self._cupy.cuda.alloc(max(nbytes, 1))
        return memory

    def alloc_staging(self, nbytes: int) -> np.ndarray:
        """Pinned memory."""
        pinned = self._cupy.cuda.alloc_pinned_memory(max(nbytes, 1))
        return np.frombuffer(pinned, np.uint8, nbytes)

    def load(self, source: str, functions: Sequence[str], cache: Folder | None) -> Module:
        """Compiled by NVRTC for this GPU; kept on disk, and in memory while a program has it."""
        key = (source, tuple(functions))
        module = self._modules.get(key)
        if module is None:
            compiled = nvrtc.compile(source, self.architecture, functions, cache)
            module = self._modules[key] = CudaModule(self._private.load(compiled.cubin))
        return module

    def prepare_copy_in(self, ptr: int, staging: np.ndarray) -> Work:
        """One asynchronous copy."""
        return _keeping(staging, self._copy(ptr, staging.ctypes.data, staging.nbytes, _HOST_TO_DEVICE))

    def prepare_copy_out(self, staging: np.ndarray, ptr: int) -> Work:
        """One asynchronous copy."""
        return _keeping(staging, self._copy(staging.ctypes.data, ptr, staging.nbytes, _DEVICE_TO_HOST))

    def prepare_copy(self, target: int, source: int, nbytes: int) -> Work:
        """One asynchronous copy."""
        return self._copy(target, source, nbytes, _DEVICE_TO_DEVICE)

    def prepare_fill(self, ptr: int, nbytes: int, byte: int) -> Work:
        """One asynchronous fill."""
        return partial(self._runtime.memsetAsync, ptr, byte, nbytes, self._stream.ptr)

    def prepare_launch(self, function: Any, grid: int, block: int, shared_bytes: int, args: Sequence[int]) -> Work:
        """A call of C code with a block of parameters that is made here, once."""
        return self._private.launch(function, grid, block, shared_bytes, args, self._stream)

    def prepare_matmul(self, left: Matrix, right: Matrix, out: Matrix, dtype: np.dtype, precision: str) -> Work:
        """By cuBLAS."""
        operands = [self._array(matrix, dtype) for matrix in (left, right, out)]
        product = self._private.dot if len(out.shape) == 2 else self._private.matmul
        tf32 = dtype == np.float32 and precision != "highest"

        def run() -> None:
            with self._stream, self._private.tf32(tf32):
                product(*operands)

        return run

    def synchronize(self) -> None:
        """Waits for the stream."""
        self._stream.synchronize()

    def _copy(self, target: int, source: int, nbytes: int, kind: int) -> partial[object]:
        return partial(self._runtime.memcpyAsync, target, source, nbytes, kind, self._stream.ptr)

    def _array(self, matrix: Matrix, dtype: np.dtype) -> Any:
        """CuPy's view of memory that is planned."""
        nbytes = int(np.prod(matrix.shape)) * dtype.itemsize
        memory = self._cupy.cuda.UnownedMemory(matrix.ptr, nbytes, None, self._id)
        array = self._cupy.ndarray(matrix.shape, dtype, self._cupy.cuda.MemoryPointer(memory, 0))
        return array.T if matrix.transposed else array


def _keeping(what: object, call: partial[object]) -> Work:
    """The call, which only knows addresses; what is there lives as long as it does."""
    call.__dict__["kept"] = what
    return call


class _Private:
    """What CuPy 14 has, but does not promise to keep."""

    def __init__(self, cupy: Any) -> None:
        self._cupy = cupy
        try:
            from cupy_backends.cuda.api.driver import funcSetAttribute, launchKernel
        except ImportError:
            launchKernel = funcSetAttribute = None
        self._launch_kernel: Callable[..., object] | None = launchKernel
        self._set_attribute: Callable[..., object] | None = funcSetAttribute
        # `cupy.matmul` takes its operands apart in Python, and copies what it broadcasts.
        self._matmul: Callable[..., object] = getattr(cupy._core, "matmul", cupy.matmul)

    def load(self, cubin: bytes) -> Any:
        """A module out of a cubin."""
        kind = getattr(self._cupy.cuda.function, "Module", None)
        if kind is not None:
            module = kind()
            module.load(cubin)
            return module
        with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
            file.write(cubin)
            file.flush()
            module = self._cupy.RawModule(path=file.name)
            module.compile()
        return module

    def launch(self, function: Any, grid: int, block: int, shared: int, args: Sequence[int], stream: Any) -> Work:
        """A launch, prepared. The parameters live as long as it does."""
        if self._launch_kernel is None or not hasattr(function, "ptr"):
            words = tuple(np.uint64(arg & (1 << 64) - 1) for arg in args)
            return partial(function, (grid,), (block,), words, shared_mem=shared, stream=stream)
        if shared > _STATIC_SHARED and self._set_attribute is not None:
            self._set_attribute(function.ptr, _MAX_DYNAMIC_SHARED, shared)
        words_block = np.asarray([arg & (1 << 64) - 1 for arg in args], np.uint64)
        first = np.uint64(words_block.ctypes.data)
        pointers = first + 8 * np.arange(len(args), dtype=np.uint64)
        sizes = (grid, 1, 1, block, 1, 1, shared)
        call = partial(self._launch_kernel, function.ptr, *sizes, stream.ptr, pointers.ctypes.data, 0)
        return _keeping((function, words_block, pointers), call)

    def dot(self, left: Any, right: Any, out: Any) -> None:
        """The product of two matrices, transposed or not."""
        self._cupy.dot(left, right, out=out)

    def matmul(self, left: Any, right: Any, out: Any) -> None:
        """The product of stacks."""
        self._matmul(left, right, out=out)

    def tf32(self, wanted: bool) -> Any:
        """While it is entered, float32 products are as precise as is wanted."""
        return _ComputeType(self._cupy._core, _TF32 if wanted else _FULL)


class _ComputeType:
    """What cuBLAS may do to float32 operands. CuPy keeps it for the process: it is put back on the way out."""

    def __init__(self, core: Any, wanted: int) -> None:
        self._get = getattr(core, "get_compute_type", None)
        self._set = getattr(core, "set_compute_type", None)
        self._wanted = wanted
        self._before = wanted

    def __enter__(self) -> None:
        if self._get is not None and self._set is not None:
            self._before = self._get(np.float32)
            if self._before != self._wanted:
                self._set(np.float32, self._wanted)

    def __exit__(self, *error: object) -> None:
        if self._before != self._wanted and self._set is not None:
            self._set(np.float32, self._before)


_HOST_TO_DEVICE, _DEVICE_TO_HOST, _DEVICE_TO_DEVICE = 1, 2, 3  # cudaMemcpyKind
_FULL, _TF32 = 1, 7  # COMPUTE_TYPE_DEFAULT and COMPUTE_TYPE_TF32 of cupy/_core/_routines_linalg.pxd
_STATIC_SHARED = 48 * 1024  # bytes of shared memory a block gets without asking
_MAX_DYNAMIC_SHARED = 8  # CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
