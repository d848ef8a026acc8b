"""The cupy backend on several devices: the interpreter of kernels everywhere, g++ and a GPU where they are."""

import functools
from collections.abc import Mapping
from typing import Any

import pytest
from host_device import HostDevice
from memory_device import InterpretingDevice, function_of

from graphc_cupy import CupyBackend
from graphc_cupy.code import Code
from graphc_cupy.program import CupyProgram

INTERPRETED = pytest.param("interpreted")
COMPILED = pytest.param("compiled", marks=pytest.mark.requires("cxx"))
GPU = pytest.param("gpu", marks=pytest.mark.gpu)
DEVICES = [INTERPRETED, COMPILED, GPU]

_compiled_function = Code.function


def _function(code: Code, device: Any, name: str, wide: bool = False) -> Any:
    found = function_of if isinstance(device, InterpretingDevice) else _compiled_function
    return found(code, device, name, wide)


def interpreted(monkeypatch: pytest.MonkeyPatch, atomic: bool = False) -> InterpretingDevice:
    """A device on which the Kernel interpreter runs what would be compiled."""
    device, bind = InterpretingDevice(atomic), CupyProgram.bind

    def bind_sizes(program: CupyProgram, sizes: Mapping[str, int], *state: Any) -> Any:
        device.sizes = dict(sizes)
        return bind(program, sizes, *state)

    monkeypatch.setattr(Code, "function", _function)
    monkeypatch.setattr(CupyProgram, "bind", bind_sizes)
    return device


@functools.cache
def gpu() -> CupyBackend:
    """The real one, opened once."""
    return CupyBackend()


def backend_on(device: str, monkeypatch: pytest.MonkeyPatch) -> CupyBackend:
    """The backend on the device of that name."""
    if device == "gpu":
        return gpu()
    if device == "compiled":
        return CupyBackend(HostDevice())
    return CupyBackend(interpreted(monkeypatch))
