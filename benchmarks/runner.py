"""What a runner is: a library at its best settings. A file each in `runners/`.

A file is a runner by its names, or holds several as `RUNNERS`:

    NAME = "torch eager"
    LIBRARY = "torch"                      # which function of a workload it runs
    def available(): ...                   # None, or why it cannot run here; imports nothing heavy
    def load(): ...                        # imports the library; returns its version
    def prepare(workload, problem, threads): ...       # builds and compiles: a Prepared
    def environment(threads): ...          # may be left out: variables that must be set before the library is imported
    DEVICE = "cpu"                         # may be left out; or "gpu"
    FUNCTIONS = {"gelu": gelu}             # may be left out: mathematics by workload, for a library that none knows

`prepare` is called in a process of its own, after `load`, and never twice. Everything that a user would do once (moving
weights and inputs to where the library wants them, compiling) is done there; what a call needs is in `Prepared.call`.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import numpy as np

from benchmarks.workload import BenchmarkError, Problem, Workload, load, python_files

FOLDER = Path(__file__).parent / "runners"
DEVICES = ("cpu", "gpu")


class Clock(Protocol):
    """Measures a number of calls: `start`, the calls, `stop` → seconds. On a GPU it records events."""

    def start(self) -> None: ...

    def stop(self) -> float: ...


def to_numpy(result: Any) -> tuple[np.ndarray, ...]:
    """One array or several as a tuple of NumPy arrays; enough for libraries whose arrays `np.asarray` takes."""
    return tuple(map(np.asarray, result)) if isinstance(result, tuple | list) else (np.asarray(result),)


@dataclass(frozen=True)
class Prepared:
    """A compiled workload.

    Attributes:
        call: runs once with an element of `inputs`, and returns when the result is there; on a GPU it may return at
            once if `wait` waits for all that was started.
        inputs: those of the problem in the form that the library wants, in the same order.
        answer: result of a call → NumPy arrays; for a training step the loss. Not timed.
        wait: waits for all calls. Timed.
        clock: measures calls on the device; None: the clock of the host.
        stages: seconds of parts of the preparation, to be written down.
    """

    call: Callable[..., Any]
    inputs: Sequence[tuple[Any, ...]]
    answer: Callable[[Any], tuple[np.ndarray, ...]] = to_numpy
    wait: Callable[[], object] | None = None
    clock: Clock | None = None
    stages: Mapping[str, float] = field(default_factory=dict)


def no_variables(threads: int) -> Mapping[str, str]:
    """For a library that obeys OMP_NUM_THREADS and its like, which are set for all."""
    return {}


@dataclass(frozen=True)
class Runner:
    """A library that computes workloads. See the top of this file."""

    name: str
    library: str
    available: Callable[[], str | None]
    load: Callable[[], str]
    prepare: Callable[[Workload, Problem, int], Prepared]
    environment: Callable[[int], Mapping[str, str]] = no_variables
    device: str = "cpu"
    functions: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    file: Path = Path()

    @property
    def ours(self) -> bool:
        """Not a peer."""
        return self.library == "graphc"

    def function(self, workload: Workload) -> Callable[..., Any] | None:
        """The mathematics in this library: what `prepare` makes a call of; None: there is none."""
        return self.functions.get(workload.name) or workload.functions.get(self.library)


def needs(*modules: str) -> Callable[[], str | None]:
    """An `available` that only looks whether some modules are installed."""

    def available() -> str | None:
        missing = [name for name in modules if importlib.util.find_spec(name) is None]
        return f"{', '.join(missing)} is not installed" if missing else None

    return available


def of_module(module: ModuleType) -> list[Runner]:
    """The runners in a file."""
    file = Path(module.__file__ or "")
    if hasattr(module, "RUNNERS"):
        return [_require_valid(replace(runner, file=file)) for runner in module.RUNNERS]
    missing = [name for name in ("NAME", "LIBRARY", "available", "load", "prepare") if not hasattr(module, name)]
    if missing:
        raise BenchmarkError(f"{file.name}: a runner needs {', '.join(missing)}")
    runner = Runner(
        name=module.NAME,
        library=module.LIBRARY,
        available=module.available,
        load=module.load,
        prepare=module.prepare,
        environment=getattr(module, "environment", no_variables),
        device=getattr(module, "DEVICE", "cpu"),
        functions=getattr(module, "FUNCTIONS", {}),
        file=file,
    )
    return [_require_valid(runner)]


def _require_valid(runner: Runner) -> Runner:
    source = runner.file.name
    if runner.device not in DEVICES:
        raise BenchmarkError(f"{source}: DEVICE is {runner.device!r}; it must be one of {', '.join(DEVICES)}")
    return runner


def discover(files: Iterable[Path] = ()) -> dict[str, Runner]:
    """All runners by name, of ours and of a user's files."""
    found: dict[str, Runner] = {}
    for file in [*python_files(FOLDER), *files]:
        for runner in of_module(load(file.resolve())):
            if found.setdefault(runner.name, runner).file != runner.file:
                raise BenchmarkError(f"{file}: there is another runner {runner.name!r}: rename one")
    return found
