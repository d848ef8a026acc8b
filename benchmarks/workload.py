"""What a workload is: data, and its mathematics in each library; no timing code. A file each in `workloads/`.

A file is a workload by its names, or holds several as `WORKLOADS`:

    NAME = "gelu"                          # for --workload
    TITLE = "gelu, 16M elements"           # for tables
    GROUP = "memory"                       # what bounds it: dispatch, memory, compute, or compile
    SUITES = {"smoke", "cpu", "gpu"}
    def make(rng, size): ...               # the data, as a Problem; `size` is the name of the suite
    def reference(x): ...                  # the right answer in NumPy, given the inputs in float64
    def numpy(np, x): ...                  # and so for graphc, torch, jax, pytensor, tinygrad, onnx: what a library
    def torch(torch, x): ...               # lacks is a line in the table; names of other functions begin with _

With `state` in the problem (name → array), which no call changes, every function has it as its first argument but the
library. With `STEP = True` a call is a training step that changes the state, and its answer is the loss:

    reference(state, batches)              # the loss of each step, in order
    graphc(gc, state, *batch)              # (loss, update); the state is variables
    jax(jax, state)                        # (start, step), with step(carried, *batch) -> (carried, loss)
    numpy(np, state), torch, tinygrad      # step(*batch) -> loss; optimisers and buffers are made once
    pytensor(pytensor, state, *batch)      # (loss, updates); the state is shared variables
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np

GROUPS = ("dispatch", "memory", "compute", "compile")
SUITES = ("smoke", "cpu", "gpu")
FOLDER = Path(__file__).parent / "workloads"
# Listed as missing until graphc has what they need.
AWAITED = {
    "lstm-step": "graphc has no recurrence yet",
    "transformer-step": "graphc has no attention yet",
    "attention": "graphc has no attention yet",
}

Arrays = tuple[np.ndarray, ...]
Measure = Literal["call", "first result", "import"]


class BenchmarkError(Exception):
    """What the user asked for cannot be measured; the message is for the terminal."""


@dataclass(frozen=True)
class Problem:
    """The data of a workload.

    Attributes:
        inputs: arguments of a call; calls take them in turn, so that no cache flatters the last one.
        state: weights by name; they are not inputs: libraries may place them as they like, once.
        flops: floating-point operations of a call that nobody can do without.
        nbytes: bytes that a call must move: each input and state that it needs read once, each result written once.
        rtol, atol: how far an answer may be from the reference: |found − right| <= atol + rtol · |right|.
    """

    inputs: Sequence[Arrays]
    state: Mapping[str, np.ndarray] = field(default_factory=dict)
    flops: float = 0.0
    nbytes: float = 0.0
    rtol: float = 1e-5
    atol: float = 1e-5


@dataclass(frozen=True)
class Workload:
    """A computation to be measured.

    Attributes:
        name: without blanks, for the command line.
        title: for tables and plots.
        group: what bounds it.
        suites: in which it is measured.
        make: (random generator, name of the suite) → the data.
        reference: the right answer in float64.
        functions: by library, see the top of this file.
        step: a call is a training step.
        measure: what is timed: a call; or, in fresh processes, what it takes from the imported library to the first
            result (building, compiling, the first call); or the import of the library.
        series: workloads of one series differ in size alone: (title of the series, size), for the scaling plot.
        limit: seconds for a runner to give its first result; None: those of the suite.
        file: where it stands.
    """

    name: str
    title: str
    group: str
    suites: frozenset[str]
    make: Callable[[np.random.Generator, str], Problem]
    reference: Callable[..., Any]
    functions: Mapping[str, Callable[..., Any]]
    step: bool = False
    measure: Measure = "call"
    series: tuple[str, float] | None = None
    limit: float | None = None
    file: Path = Path()

    def problem(self, size: str) -> Problem:
        """The data: the same in every process."""
        return self.make(np.random.default_rng(0), size)


def require_valid(workload: Workload) -> Workload:
    """Returns the workload, or raises for what can only be a slip."""
    source = workload.file.name
    if workload.group not in GROUPS:
        raise BenchmarkError(f"{source}: GROUP is {workload.group!r}; it must be one of {', '.join(GROUPS)}")
    if not workload.suites <= set(SUITES):
        raise BenchmarkError(f"{source}: SUITES is {set(workload.suites)}; known are {', '.join(SUITES)}")
    if not workload.functions:
        raise BenchmarkError(f"{source}: there is no function for any library, such as graphc(gc, x) or numpy(np, x)")
    return workload


def of_module(module: ModuleType) -> list[Workload]:
    """The workloads in a file."""
    file = Path(module.__file__ or "")
    if hasattr(module, "WORKLOADS"):
        return [require_valid(_placed(workload, file)) for workload in module.WORKLOADS]
    missing = [name for name in ("NAME", "GROUP", "make", "reference") if not hasattr(module, name)]
    if missing:
        raise BenchmarkError(f"{file.name}: a workload needs {', '.join(missing)}")
    workload = Workload(
        name=module.NAME,
        title=getattr(module, "TITLE", module.NAME),
        group=module.GROUP,
        suites=frozenset(getattr(module, "SUITES", {"cpu"})),
        make=module.make,
        reference=module.reference,
        functions={name: value for name, value in vars(module).items() if _is_mathematics(module, name, value)},
        step=getattr(module, "STEP", False),
        measure=getattr(module, "MEASURE", "call"),
        series=getattr(module, "SERIES", None),
        file=file,
    )
    return [require_valid(workload)]


def _is_mathematics(module: ModuleType, name: str, value: Any) -> bool:
    """A function of the file for a library: any but the two that all have, and private ones."""
    ours = getattr(value, "__module__", None) == module.__name__
    return callable(value) and ours and not name.startswith("_") and name not in ("make", "reference")


def _placed(workload: Workload, file: Path) -> Workload:
    return Workload(**{**workload.__dict__, "file": file})


@cache
def load(file: Path) -> ModuleType:
    """Imports a Python file by its path, under a name that nothing else has."""
    if not file.is_file():
        raise BenchmarkError(f"there is no file {file}")
    name = f"benchmarks_file_{file.stem}_{abs(hash(file))}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise BenchmarkError(f"{file} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def python_files(folder: Path) -> list[Path]:
    """The modules in a folder."""
    return sorted(file for file in folder.glob("*.py") if not file.name.startswith("_"))


def discover(files: Iterable[Path] = ()) -> dict[str, Workload]:
    """All workloads by name, of ours and of a user's files."""
    found: dict[str, Workload] = {}
    for file in [*python_files(FOLDER), *files]:
        for workload in of_module(load(file.resolve())):
            if found.setdefault(workload.name, workload).file != workload.file:
                raise BenchmarkError(f"{file}: there is another workload {workload.name!r}: rename one")
    return found
