"""Printed Kernels beside the Kernel interpreter: what is recorded from compiled graphs is run on the host, in batches.

A `Recorder` is a backend that interprets Kernels and keeps each with its arrays. A `Batch` prints them, compiles every
source that differs once, many in one translation unit, and runs them.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import host_cuda
import numpy as np
from host_device import HostDevice
from kernel_backend import KernelBackend, KernelProgram

from graphc.errors import OutOfRangeError
from graphc.ir import dims
from graphc.lowering.kernel import Kernel
from graphc.lowering.kernel_interpreter import interpret
from graphc.options import CompileOptions
from graphc.plan.data import Plan, Step
from graphc_cupy.cuda_printer import Printed, print_kernel
from graphc_cupy.prelude import translation_unit

KERNELS_PER_UNIT = 150
UNITS_AT_A_TIME = 2
_UNTOUCHED = (np.iinfo(np.int64).max, np.iinfo(np.int64).min)  # the status words of a check that holds


@dataclass(eq=False)
class Case:
    """A Kernel with arrays, and what the interpreter makes of them; `None` if a check fails."""

    label: str
    kernel: Kernel
    inputs: Sequence[np.ndarray]
    sizes: Mapping[str, int]
    expected: Sequence[np.ndarray] | None
    tolerance: Any = None


def interpreted(label: str, kernel: Kernel, inputs: Sequence[np.ndarray], sizes: Mapping[str, int]) -> Case:
    """A case with the interpreter's answer."""
    try:
        return Case(label, kernel, inputs, sizes, interpret(kernel, inputs, sizes))
    except OutOfRangeError:
        return Case(label, kernel, inputs, sizes, None)


class Recorder(KernelBackend):
    """Interprets Kernels, and notes each run as a case."""

    def __init__(self) -> None:
        super().__init__()
        self.cases: list[Case] = []
        self.label = ""

    def lower(self, plan: Plan, options: CompileOptions) -> KernelProgram:
        return _Recording(plan, self)


class _Recording(KernelProgram):
    def __init__(self, plan: Plan, recorder: Recorder) -> None:
        super().__init__(plan)
        self._recorder = recorder

    def _run(self, step: Step, inputs: list[np.ndarray], sizes: Mapping[str, int]) -> list[np.ndarray]:
        if step not in self.kernels:
            return super()._run(step, inputs, sizes)
        case = interpreted(self._recorder.label, self.kernels[step], [np.array(array) for array in inputs], dict(sizes))
        self._recorder.cases.append(case)
        if case.expected is None:
            return super()._run(step, inputs, sizes)  # raises
        return [np.array(array) for array in case.expected]


_COMMENT = re.compile(r" *//.*")
_NAME = "KERNEL"


@dataclass(eq=False)
class _Print:
    printed: Printed
    number: int

    def functions(self) -> list[str]:
        return [launch.function.replace(_NAME, f"k{self.number}") for launch in self.printed.launches]


@dataclass(eq=False)
class Batch:
    """Sources that differ, and their compiled functions."""

    numbers: dict[str, int] = field(default_factory=dict)
    prints: dict[tuple[int, bool], _Print] = field(default_factory=dict)
    functions: dict[str, Any] = field(default_factory=dict)

    def add(self, kernel: Kernel, wide: bool = False) -> _Print:
        """Prints a kernel, if that has not been done."""
        key = (id(kernel), wide)
        if key not in self.prints:
            printed = print_kernel(kernel._replace(name=_NAME), wide)
            text = _COMMENT.sub("", printed.source)
            self.prints[key] = _Print(printed, self.numbers.setdefault(text, len(self.numbers)))
        return self.prints[key]

    def units(self, size: int = KERNELS_PER_UNIT) -> list[tuple[str, list[str]]]:
        """Translation units with their functions."""
        found = []
        for part in _batched(self.numbers.items(), size):
            sources = [text.replace(_NAME, f"k{number}") for text, number in part]
            functions = [name for source in sources for name in re.findall(r"\) (gc_\w+)\(\n", source)]
            found.append((translation_unit(sources), functions))
        return found

    def compile(self, level: int = 1) -> None:
        """Compiles all, some at a time; level as in `host_cuda.start`."""
        for some in _batched(self.units(), UNITS_AT_A_TIME):
            started = [(host_cuda.start(source, functions, level), functions) for source, functions in some]
            for process, functions in started:
                library = host_cuda.finish(process)
                self.functions.update({name: library.function(name) for name in functions})

    def run(
        self, case: Case, wide: bool = False, reverse: bool = False, over: Mapping[int, int] | None = None
    ) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Outputs, and the two status words of every check; `over`: which output takes the memory of which input."""
        kernel, printed = case.kernel, self.add(case.kernel, wide)
        device = HostDevice(reverse)
        shapes = [tuple(dims.evaluate(size, case.sizes) for size in kind.shape) for kind in kernel.outputs]
        outputs = [
            _Array(device, np.empty(shape, kind.dtype.numpy))
            for shape, kind in zip(shapes, kernel.outputs, strict=True)
        ]
        given = [_Array(device, array, fill=True) for array in case.inputs]
        for output, source in (over or {}).items():
            outputs[output] = given[source]
        arrays = [*given, *outputs]
        if printed.printed.scratch != 0:
            size = dims.evaluate(printed.printed.scratch, case.sizes)
            arrays.append(_Array(device, np.empty(size, np.uint8)))
        status = (
            [_Array(device, np.array(_UNTOUCHED * len(kernel.checks), np.int64), fill=True)] if kernel.checks else []
        )
        arguments = [array.ptr for array in (*arrays, *status)] + [case.sizes[name] for name in kernel.symbols]
        for launch, name in zip(printed.printed.launches, printed.functions(), strict=True):
            grid = dims.evaluate(launch.grid, case.sizes)
            if grid:
                device.prepare_launch(self.functions[name], grid, launch.block, launch.shared_bytes, arguments)()
        return [array.value() for array in outputs], [array.value() for array in status]


class _Array:
    """An array on a device."""

    def __init__(self, device: HostDevice, like: np.ndarray, fill: bool = False) -> None:
        self.shape, self.dtype = like.shape, like.dtype
        self.memory = device.alloc(like.nbytes)
        self.ptr = self.memory.ptr
        if fill:
            self.memory.bytes[...] = np.frombuffer(np.ascontiguousarray(like).tobytes(), np.uint8)

    def value(self) -> np.ndarray:
        return self.memory.bytes.view(self.dtype).reshape(self.shape).copy()


def _batched(items: Iterable[Any], size: int) -> list[list[Any]]:
    items = list(items)
    return [items[start : start + size] for start in range(0, len(items), size)]


def failed(status: Sequence[np.ndarray]) -> bool:
    """Whether a check has reported something."""
    return any(tuple(words) != _UNTOUCHED for array in status for words in array.reshape(-1, 2).tolist())
