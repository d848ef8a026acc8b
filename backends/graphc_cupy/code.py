"""The CUDA C++ of a program: its kernels in one translation unit, compiled when a plan is first bound."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping, Sequence
from math import prod
from typing import Any, NamedTuple

from graphc.ir import dims
from graphc.ir.graph import Graph
from graphc.ir.key import graph_key
from graphc.lowering.kernel import Compute, Kernel
from graphc.lowering.kernel_builder import build_kernel
from graphc.lowering.kernel_verify import verify_kernel

from .cuda_printer import Launch, Printed, print_kernel
from .device import Device, Module
from .kernels import Written
from .prelude import PRELUDE

_MOST_NARROW = 2**31 - 2**16  # elements: indices of threads beyond the last must fit, too
_NAMED = 3  # ops in the name of a kernel


class _Entry(NamedTuple):
    """A kernel, and how it is printed with indices of 32 and of 64 bits."""

    kernel: Kernel
    printed: dict[bool, Printed]


@functools.lru_cache(maxsize=256)
def kernel_of(body: Graph, fusion: str) -> Kernel:
    """The kernel of a fused body, without a name. It is asked for when memory is planned and when code is printed."""
    return build_kernel(body, fusion, "")


class Code:
    """Collects kernels while a plan is lowered, each once; compiles them all when the first is asked for.

    There are two units: with 32-bit indices, and with 64-bit ones, which only large arrays need.

    Args:
        cache: a folder for compiled code, or `None` for the default one.
        verify: hold each kernel to the specification.
    """

    def __init__(self, cache: str | os.PathLike[str] | None = None, verify: bool = False) -> None:
        self._cache = cache
        self._verify = verify
        self._kernels: dict[str, _Entry] = {}
        self._names: dict[tuple[bytes, str], str] = {}
        self._written: dict[str, Written] = {}
        self._modules: dict[bool, Module] = {}

    def fused(self, body: Graph, fusion: str) -> Kernel:
        """The kernel of a fused body; the same one for bodies that compute the same, but with checks of its own."""
        key = (graph_key(body), fusion)
        kernel = kernel_of(body, fusion)
        if self._verify:
            verify_kernel(kernel)
        if key not in self._names:
            ops = [i.op for i in kernel.instructions if isinstance(i, Compute)]
            self._names[key] = self.unused_name("_".join([fusion, *ops[-_NAMED:]]))
            self.add(kernel._replace(name=self._names[key]))
        return kernel._replace(name=self._names[key])

    def add(self, kernel: Kernel) -> Kernel:
        """A kernel of a name that no other has."""
        self._kernels[kernel.name] = _Entry(kernel, {})
        return kernel

    def __len__(self) -> int:
        """How many kernels there are."""
        return len(self._kernels) + len(self._written)

    def unused_name(self, stem: str) -> str:
        """A name for the next kernel."""
        return f"k{len(self._kernels)}_{stem}"

    def write(self, written: Written) -> str:
        """Adds a kernel that is written by hand; returns its name."""
        self._written[written.function] = written
        return written.function

    def printed(self, kernel: Kernel, wide: bool) -> Printed:
        """Its source and launches."""
        variants = self._kernels[kernel.name].printed
        if wide not in variants:
            variants[wide] = print_kernel(self._kernels[kernel.name].kernel, wide)
        return variants[wide]

    def source(self, wide: bool = False) -> str:
        """The translation unit."""
        parts = [self.printed(entry.kernel, wide).source for entry in self._kernels.values()]
        return "\n".join([PRELUDE, *parts, *(written.source for written in self._written.values())])

    def function(self, device: Device, name: str, wide: bool = False) -> Any:
        """A kernel's function on the device."""
        module = self._modules.get(wide)
        if module is None:
            module = self._modules[wide] = device.load(self.source(wide), self._functions(wide), self._cache)
        return module.function(name)

    def _functions(self, wide: bool) -> list[str]:
        printed = [self.printed(entry.kernel, wide) for entry in self._kernels.values()]
        return [*(launch.function for each in printed for launch in each.launches), *self._written]


def needs_wide(kernel: Kernel, sizes: Mapping[str, int]) -> bool:
    """Whether an array or the space of a kernel has more elements than 32-bit indices reach."""
    spaces = [[axis.size for axis in kernel.axes], *(kind.shape for kind in (*kernel.inputs, *kernel.outputs))]
    return any(prod(dims.evaluate(size, sizes) for size in space) > _MOST_NARROW for space in spaces)


def launch_text(launch: Launch) -> str:
    """A launch as people write it."""
    shared = f", {launch.shared_bytes} bytes shared" if launch.shared_bytes else ""
    return f"{launch.function}<<<{launch.grid}, {launch.block}{shared}>>>"


def source_listing(code: Code, lines: Sequence[str]) -> str:
    """The code behind a header that lists what a run does, in order."""
    return "\n".join([*(f"// {line}".rstrip() for line in lines), "", code.source()])
