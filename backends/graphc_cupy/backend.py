"""The backend as the compiler sees it."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import sys
import threading
from collections.abc import Callable, Sequence

import numpy as np

from graphc import reference
from graphc.backend import Capabilities
from graphc.errors import BackendError
from graphc.ir.dtype import BOOL, NUMERIC
from graphc.ir.types import TensorType
from graphc.lowering.backend import Availability
from graphc.options import CompileOptions
from graphc.plan.data import Plan, Step

from . import steps
from .device import CudaDevice, Device
from .failures import require_alive, state_lost
from .memory import DeviceArray, download, prepare_upload, run
from .program import CupyProgram

_CAPABILITIES = Capabilities(
    name="cupy",
    granularity="step",
    dtypes=BOOL | NUMERIC,
    overwrites=dict.fromkeys(("check_numerics", "print", *steps.SCATTERS), (0,)),
    atomic=frozenset({"fused"}),
    takes_over=steps.takes_over,
    scratch=steps.scratch,
    fuses=frozenset({"elementwise", "layout", "reduction", "row", "gather", "single"}),
)


class CupyBackend:
    """Runs plans on an NVIDIA GPU, in one arena.

    Args:
        device: runs them instead of the GPU, for tests.
    """

    def __init__(self, device: Device | None = None) -> None:
        self._device = device
        self._given = device is not None
        self._opening = threading.Lock()
        self._process = 0  # that opened the GPU

    def info(self) -> Capabilities:
        """What the rest of the compiler may know."""
        return _CAPABILITIES

    def availability(self) -> Availability:
        """Whether CuPy is installed and the driver finds a GPU; imports nothing."""
        if self._given:
            return Availability(True, f"runs on {self.device().name}", accelerator=True)
        if importlib.util.find_spec("cupy") is None:
            return Availability(False, "the package cupy is not installed")
        count, why = _gpus()
        if not count:
            remedy = "install NVIDIA's driver, or run on a machine with an NVIDIA GPU; `nvidia-smi` lists what it sees"
            return Availability(False, why, remedy=remedy)
        return Availability(True, f"CuPy on {count} GPU{'s' if count > 1 else ''}", accelerator=True)

    def unsupported(self, plan: Plan, options: CompileOptions) -> list[str]:
        """Ops without a row, threads and, if strict, steps that allocate."""
        known = {*steps.ROWS, "matmul"}
        offenders = [f"{step.op.name}: no kernel" for step in plan.steps if step.op.name not in known]
        if options.threads is not None:
            offenders.append("threads: a GPU has its own; leave the option out")
        if options.strict:
            found = (_why_it_allocates(plan, step) for step in plan.steps)
            offenders += dict.fromkeys(f"{step_reason}" for step_reason in found if step_reason)
        return offenders

    def lower(self, plan: Plan, options: CompileOptions) -> CupyProgram:
        """Prints the kernels of a plan. Nothing is compiled before it is bound."""
        return CupyProgram(plan, options, self.device)

    def device(self) -> Device:
        """The device; the GPU is opened by the first call.

        Raises:
            BackendError: a parent process has opened it.
        """
        if self._device is None:
            self._open()
        assert self._device is not None
        if self._process not in (0, os.getpid()):
            raise BackendError(
                "the GPU was opened by the parent process, and CUDA does not outlive a fork",
                expected="processes that open the GPU themselves",
                got=f"process {os.getpid()}, forked from {self._process} or a child of it",
                fix='multiprocessing.get_context("spawn") starts such processes',
            )
        return self._device

    def _open(self) -> None:
        """Opens the GPU, in one thread alone."""
        with self._opening:
            if self._device is None:
                self._process = os.getpid()
                self._device = CudaDevice()

    def allocate(self, type: TensorType) -> DeviceArray:
        """An array for a variable, zeroed."""
        device = self.device()
        device.enter()
        array = DeviceArray(device, reference.static_shape(type.shape, {}), type.dtype.numpy)
        if array.nbytes:
            device.prepare_fill(array.ptr, array.nbytes, 0)()
        return array

    def to_device(
        self, pairs: Sequence[tuple[DeviceArray, np.ndarray]], committed: Callable[[], object] | None = None
    ) -> None:
        """Copies into the arrays of variables; all copies are started in one call of C code.

        Raises:
            StateLostError: the device failed.
        """
        device = self.device()
        device.enter()
        held, works = prepare_upload(device, ((target.ptr, source) for target, source in pairs))
        try:
            run(works if committed is None else [*works, committed])
        except Exception as error:
            raise state_lost(device, error) from error
        try:
            device.synchronize()
        except Exception as error:
            require_alive(device, error)
            raise
        finally:
            del held

    def to_host(self, array: DeviceArray) -> np.ndarray:
        """A fresh copy."""
        device = self.device()
        device.enter()
        return download(device, array.ptr, array.shape, array.dtype)

    def synchronize(self) -> None:
        """Waits for everything that was started."""
        device = self.device()
        device.enter()
        device.synchronize()


def _gpus() -> tuple[int, str]:
    """How many GPUs the driver finds, and why none."""
    library = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    try:
        driver = ctypes.CDLL(library)
    except OSError:
        return 0, f"there is no NVIDIA driver: {library} is not found"
    count = ctypes.c_int(0)
    status = driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count))
    if status:
        return 0, f"the NVIDIA driver finds no GPU that works (error {status})"
    return count.value, "the NVIDIA driver finds no GPU"


def _why_it_allocates(plan: Plan, step: Step) -> str:
    if step.op.name == "print":
        return "print: allocates while it runs (formats the value)"
    if step.op.name != "matmul":
        return ""
    left, right = (plan.slots[index].type.shape[:-2] for index in step.inputs)
    plain = left == right or all(size == 1 for size in right)
    return "" if plain else "matmul of stacks that broadcast: allocates while it runs (CuPy lists the matrices)"
