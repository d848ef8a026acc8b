"""The cupy backend on several devices: the interpreter of kernels everywhere, g++ and a GPU where they are."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from host_device import HostDevice
from memory_device import InterpretingDevice, function_of

from graphc_cupy import CupyBackend
from graphc_cupy.code import Code
from graphc_cupy.device import Matrix

INTERPRETED = pytest.param("interpreted")
COMPILED = pytest.param("compiled", marks=pytest.mark.requires("cxx"))
GPU = pytest.param("gpu", marks=pytest.mark.gpu)
DEVICES = [INTERPRETED, COMPILED, GPU]

_compiled_function = Code.function


def _function(code: Code, device: Any, name: str, wide: bool = False) -> Any:
    found = function_of if isinstance(device, InterpretingDevice) else _compiled_function
    return found(code, device, name, wide)


def interpreted(monkeypatch: pytest.MonkeyPatch) -> InterpretingDevice:
    """A device on which the Kernel interpreter runs what would be compiled."""
    monkeypatch.setattr(Code, "function", _function)
    return InterpretingDevice()


class CompilingDevice(HostDevice):
    """The host: the same C++ as for the GPU, by the C++ compiler that is there."""

    def load(self, source: str, functions: Sequence[str], cache: Any = None) -> Any:
        return super().load(source, functions)

    def prepare_matmul(
        self, left: Matrix, right: Matrix, out: Matrix, dtype: np.dtype, precision: str
    ) -> Callable[[], object]:
        product = super().prepare_matmul(left, right, out, dtype, precision)

        def run() -> None:
            with np.errstate(all="ignore"):  # devices do not warn
                product()

        return run


@functools.cache
def gpu() -> CupyBackend:
    """The real one, opened once."""
    return CupyBackend()


def backend_on(device: str, monkeypatch: pytest.MonkeyPatch) -> CupyBackend:
    """The backend on the device of that name."""
    if device == "gpu":
        return gpu()
    if device == "compiled":
        return CupyBackend(CompilingDevice())
    return CupyBackend(interpreted(monkeypatch))
