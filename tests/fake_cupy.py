"""The part of CuPy that the cupy backend uses, on the host: its names and the order of arguments as in CuPy 14.2.

A cubin is the source itself, which the C++ compiler compiles; streams do everything at once. `CudaDevice` runs on it as
on a GPU, down to the addresses of the parameters of a launch.
"""

import ctypes
import re
import sys
import types
from collections.abc import Sequence
from typing import Any

import host_cuda
import numpy as np
import pytest

from graphc_cupy import nvrtc

HOST_TO_DEVICE, DEVICE_TO_HOST, DEVICE_TO_DEVICE = 1, 2, 3


class Memory:
    def __init__(self, nbytes: int) -> None:
        self._bytes = np.full(nbytes + 64, 255, np.uint8)
        self.ptr = self._bytes.ctypes.data + -self._bytes.ctypes.data % 64


class UnownedMemory:
    def __init__(self, ptr: int, size: int, owner: object, device_id: int = -1) -> None:
        assert device_id == 0
        self.ptr, self.size = ptr, size


class MemoryPointer:
    def __init__(self, mem: UnownedMemory, offset: int) -> None:
        self.ptr, self.nbytes = mem.ptr + offset, mem.size - offset


def ndarray(shape: tuple[int, ...], dtype: np.dtype, memptr: MemoryPointer) -> np.ndarray:
    raw = (ctypes.c_uint8 * memptr.nbytes).from_address(memptr.ptr)
    return np.frombuffer(raw, dtype).reshape(shape)


class Stream:
    current: list["Stream"] = []  # noqa: RUF012  one stack for the process, as there is one thread

    def __init__(self, non_blocking: bool = False) -> None:
        assert non_blocking, "the legacy stream waits for others"
        self.ptr = 77

    def __enter__(self) -> "Stream":
        self.current.append(self)
        return self

    def __exit__(self, *error: object) -> None:
        self.current.pop()

    def synchronize(self) -> None:
        pass


class Function:
    """Its address leads back to it."""

    by_address: dict[int, "Function"] = {}  # noqa: RUF012

    def __init__(self, module: "Module", name: str) -> None:
        self.run = module.library.function(name)
        self.arity = module.arity(name)
        self.ptr = id(self)
        self.by_address[self.ptr] = self

    def __call__(self, grid: tuple[int], block: tuple[int], args: Any, shared_mem: int = 0, stream: Any = None) -> None:
        assert stream.ptr == 77
        assert all(type(arg) is np.uint64 for arg in args)
        assert len(args) == self.arity
        host_cuda.launch(self.run, grid[0], block[0], [int(arg) for arg in args])


class Module:
    def load(self, cubin: bytes) -> None:
        self.source, _, names = cubin.decode().rpartition("\n//")
        self.library = host_cuda.load(self.source, tuple(names.split()))

    def arity(self, name: str) -> int:
        """How many parameters a kernel has: the driver reads as many."""
        found = re.search(rf"__global__ void [^;{{]*\b{name}\(([^)]*)\)", self.source)
        assert found
        return found[1].count(",") + 1

    def get_function(self, name: str) -> Function:
        return Function(self, name)


class Calls:
    """How often each function was called, and what cuBLAS may do to float32 numbers."""

    def __init__(self) -> None:
        self.count: dict[str, int] = {}
        self.compute_type = 1
        self.compute_types: list[int] = []

    def note(self, name: str) -> None:
        self.count[name] = self.count.get(name, 0) + 1


def install(monkeypatch: pytest.MonkeyPatch, launch_kernel: bool = True) -> Calls:
    """Puts it in the place of CuPy for a test.

    Args:
        launch_kernel: whether it has the launch that CuPy does not document.
    """
    calls = Calls()

    def memcpy_async(dst: int, src: int, size: int, kind: int, stream: int) -> None:
        assert stream == 77
        assert kind in (HOST_TO_DEVICE, DEVICE_TO_HOST, DEVICE_TO_DEVICE)
        calls.note(f"copy {kind}")
        ctypes.memmove(dst, src, size)

    def memset_async(ptr: int, value: int, size: int, stream: int) -> None:
        assert stream == 77
        ctypes.memset(ptr, value, size)

    def launch(
        f: int, gx: int, gy: int, gz: int, bx: int, by: int, bz: int, shared: int, stream: int, params: int, extra: int
    ) -> None:
        assert (gy, gz, by, bz, shared, stream, extra) == (1, 1, 1, 1, 0, 77, 0)
        calls.note("launch")
        function = Function.by_address[f]
        pointers = (ctypes.c_void_p * function.arity).from_address(params)
        words = [ctypes.c_uint64.from_address(pointer).value for pointer in pointers]
        host_cuda.launch(function.run, gx, bx, words)

    def product(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> None:
        assert Stream.current, "cuBLAS would run on another stream"
        calls.compute_types.append(calls.compute_type)
        with np.errstate(all="ignore"):
            np.matmul(a, b, out)

    def set_compute_type(dtype: Any, kind: int) -> None:
        assert dtype is np.float32
        calls.compute_type = kind

    def alloc(nbytes: int) -> Memory:
        assert Stream.current, "memory of another stream's pool"
        return Memory(nbytes)

    runtime = types.SimpleNamespace(
        getDevice=lambda: 0,
        setDevice=lambda device: calls.note("set device"),
        getDeviceProperties=lambda device: {"name": b"NVIDIA H-for-host"},
        memcpyAsync=memcpy_async,
        memsetAsync=memset_async,
    )
    cupy: Any = types.ModuleType("cupy")
    cupy.ndarray, cupy.dot, cupy.matmul = ndarray, product, product
    cupy._core = types.SimpleNamespace(
        matmul=product,
        get_compute_type=lambda dtype: calls.compute_type,
        set_compute_type=set_compute_type,
    )
    cupy.cuda = types.SimpleNamespace(
        runtime=runtime,
        Stream=Stream,
        alloc=alloc,
        alloc_pinned_memory=lambda nbytes: bytearray(nbytes),
        UnownedMemory=UnownedMemory,
        MemoryPointer=MemoryPointer,
        Device=lambda number: types.SimpleNamespace(compute_capability="90"),
        function=types.SimpleNamespace(Module=Module),
    )
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    driver: Any = types.ModuleType("cupy_backends.cuda.api.driver")
    if launch_kernel:
        driver.launchKernel, driver.funcSetAttribute = launch, lambda f, attribute, value: None
    for name in ("cupy_backends", "cupy_backends.cuda", "cupy_backends.cuda.api"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, driver.__name__, driver)

    monkeypatch.setattr(nvrtc, "compile", compiled)
    return calls


def compiled(source: str, arch: str, functions: Sequence[str], cache: Any) -> nvrtc.Compiled:
    """What stands in for machine code: the source, and the names of its functions."""
    assert arch == "sm_90"
    return nvrtc.Compiled(f"{source}\n//{' '.join(functions)}".encode(), "", {})
