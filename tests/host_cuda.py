"""Printed CUDA C++ on the host: compiled by a C++ compiler behind `host_cuda.h`, launched through ctypes."""

import atexit
import ctypes
import functools
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

HEADER = Path(__file__).with_name("host_cuda.h")
SANITIZED = bool(os.environ.get("GRAPHC_HOST_SANITIZER"))  # for a test that runs others in a process of its own
_SANITIZER = ("-fsanitize=address", "--param=asan-stack=0") if SANITIZED else ()  # fibers have stacks of their own
FLAGS = ("-std=c++17", "-fPIC", "-shared", "-ffp-contract=off", "-fno-strict-aliasing", "-w", *_SANITIZER)


@functools.cache
def compiler() -> str | None:
    """A C++ compiler, or `None` if there is none."""
    return next(filter(None, map(shutil.which, ("c++", "g++", "clang++"))), None)


@functools.cache
def _folder() -> Path:
    folder = tempfile.mkdtemp(prefix="graphc-host-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


@functools.cache
def load(source: str, functions: tuple[str, ...]) -> "Library":
    """Compiles a translation unit (prelude and kernels), once per process, for kernels that run on a few elements."""
    return finish(start(source, functions, level=0))


class Started:
    """A compilation that is under way."""

    def __init__(self, path: Path, functions: tuple[str, ...], process: "subprocess.Popen[str]") -> None:
        self.path, self.functions, self.process = path, functions, process


def start(source: str, functions: Sequence[str], level: int = 1) -> Started:
    """Begins to compile a translation unit; at level 0 that is fast and what comes of it is slow."""
    entries = [
        f'extern "C" void host_run_{name}(long long grid, int block, const unsigned long long* args, int reverse) '
        f"{{ host::launch({name}, grid, block, args, reverse); }}"
        for name in functions
    ]
    unit = "\n".join([f'#include "{HEADER}"', source, *entries])
    path = _folder() / hashlib.blake2b(unit.encode(), digest_size=12).hexdigest()
    path.with_suffix(".cpp").write_text(unit, encoding="utf-8")
    command = [str(compiler()), *FLAGS, f"-O{level}", "-o", str(path.with_suffix(".so")), str(path.with_suffix(".cpp"))]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    return Started(path.with_suffix(".so"), tuple(functions), process)


def finish(started: Started) -> "Library":
    """Waits for a compilation, and loads the result."""
    _, messages = started.process.communicate()
    assert started.process.returncode == 0, messages[:4000]
    return Library(ctypes.CDLL(str(started.path)), started.functions)


class Library:
    """Compiled kernels."""

    def __init__(self, library: ctypes.CDLL, functions: Sequence[str]) -> None:
        self._functions = {name: getattr(library, f"host_run_{name}") for name in functions}

    def function(self, name: str) -> Any:
        """A kernel by its name, for `launch`."""
        return self._functions[name]


def forbid(array: np.ndarray) -> None:
    """Makes the sanitizer stop whoever reads or writes there."""
    ctypes.CDLL(None).__asan_poison_memory_region(ctypes.c_void_p(array.ctypes.data), ctypes.c_size_t(array.nbytes))


def permit(array: np.ndarray) -> None:
    """Takes that back, before the memory is used for something else."""
    ctypes.CDLL(None).__asan_unpoison_memory_region(ctypes.c_void_p(array.ctypes.data), ctypes.c_size_t(array.nbytes))


def launch(function: Any, grid: int, block: int, args: Sequence[int], reverse: bool = False) -> None:
    """Runs a kernel; every argument is a pointer or a 64-bit integer."""
    words = (ctypes.c_uint64 * max(len(args), 1))(*(argument % 2**64 for argument in args))
    function(ctypes.c_longlong(grid), block, words, int(reverse))
