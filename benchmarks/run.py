"""A run: which workloads and runners, on which machine, in which order."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Protocol, TypeVar

from benchmarks import machine, packages
from benchmarks import runner as runners
from benchmarks import workload as workloads
from benchmarks.harness import SUITES, Harness, Settings
from benchmarks.process import usable_cores
from benchmarks.record import Record, Run, floor_seconds, set_ratios
from benchmarks.runner import Runner
from benchmarks.workload import BenchmarkError, Workload

T = TypeVar("T")
_SMOKE_SECONDS = 40.0  # then the suite ends within a minute, however many peers there are


class Listener(Protocol):
    """Who follows a run."""

    def begin(self, workload: Workload, number: int, count: int) -> None:
        """Before a workload is measured."""

    def say(self, text: str) -> None:
        """What is being done, between timings."""

    def end(self, records: Sequence[Record]) -> None:
        """A workload has been measured."""


class Silent:
    """Nobody follows."""

    def begin(self, workload: Workload, number: int, count: int) -> None:
        """Nothing."""

    def say(self, text: str) -> None:
        """Nothing."""

    def end(self, records: Sequence[Record]) -> None:
        """Nothing."""


@dataclass(frozen=True)
class Selection:
    """What to run.

    Attributes:
        suite: one of `SUITES`.
        workloads, runners: names, patterns such as `gemm-*`, or Python files; none: all.
        threads: of every runner; None: a thread per usable core.
        rounds: of each runner; None: as many as fit, see `harness.Settings`.
        within: seconds, after which no further workload is begun; None: 40 for the suite smoke, else no limit.
    """

    suite: str = "cpu"
    workloads: Sequence[str] = ()
    runners: Sequence[str] = ()
    threads: int | None = None
    rounds: int | None = None
    within: float | None = None

    def settings(self) -> Settings:
        """The settings of the harness."""
        chosen = SUITES[self.suite]
        rounds = self.rounds or chosen["rounds"]
        budget = chosen.get("budget", Settings.budget) if self.rounds is None else float("inf")
        threads = self.threads or len(usable_cores())
        return Settings(**{**chosen, "size": self.suite, "threads": threads, "rounds": rounds, "budget": budget})


def select(known: Mapping[str, T], wanted: Sequence[str], kind: str) -> dict[str, T]:
    """Those whose name or pattern is wanted; all if none is.

    Raises:
        BenchmarkError: nothing has such a name.
    """
    found: dict[str, T] = {}
    for pattern in wanted or ["*"]:
        matching = {name: value for name, value in known.items() if fnmatchcase(name, pattern)}
        if not matching:
            raise BenchmarkError(f"there is no {kind} {pattern!r}; there are: {', '.join(known)}")
        found |= matching
    return found


def chosen_workloads(selection: Selection) -> dict[str, Workload]:
    """The workloads that are asked for: by name those of any suite, else those of the suite."""
    files, names = _split(selection.workloads)
    known = workloads.discover(files)
    names += [workload.name for workload in known.values() if workload.file in map(Path.resolve, files)]
    if names:
        return select(known, names, "workload")
    return {name: workload for name, workload in known.items() if selection.suite in workload.suites}


def chosen_runners(selection: Selection) -> dict[str, Runner]:
    """The runners that are asked for; those in a file that is given join the others."""
    files, names = _split(selection.runners)
    known = runners.discover(files)
    added = [runner.name for runner in known.values() if runner.file in map(Path.resolve, files)]
    if names:
        return select(known, [*names, *added], "runner")
    device = "gpu" if selection.suite == "gpu" else "cpu"
    return {name: runner for name, runner in known.items() if runner.device == device or name in added}


def _split(given: Sequence[str]) -> tuple[list[Path], list[str]]:
    files = [Path(text) for text in given if text.endswith(".py")]
    return files, [text for text in given if not text.endswith(".py")]


def _no_file(run: Run) -> None:
    """Keeps nothing."""


def run(selection: Selection, listener: Listener | None = None, save: Callable[[Run], None] = _no_file) -> Run:
    """Measures everything that is selected.

    Args:
        selection: what, and how.
        listener: is told how far it is.
        save: is given what has been found so far, after each workload.

    Raises:
        BenchmarkError: a name or a file is wrong, or nothing is left to measure.
    """
    listener = listener or Silent()
    chosen, candidates = chosen_workloads(selection), chosen_runners(selection)
    absent = {name: reason for name, runner in candidates.items() if (reason := runner.available())}
    able = [runner for name, runner in candidates.items() if name not in absent]
    if not able:
        raise BenchmarkError("no runner can run here: " + "; ".join(f"{n}: {why}" for n, why in absent.items()))
    if not selection.workloads:
        absent |= workloads.AWAITED
    harness = Harness(selection.settings(), listener.say)
    within = selection.within or (_SMOKE_SECONDS if selection.suite == "smoke" else float("inf"))
    began, date = time.monotonic(), datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    result = Run([], machine.description(), asdict(harness.settings), date, absent, packages.sizes())
    result.machine |= machine.rates(harness)
    for number, workload in enumerate(chosen.values(), start=1):
        if time.monotonic() - began > within:
            result.absent[workload.name] = f"not begun, as {within:.0f} s were over"
            continue
        listener.begin(workload, number, len(chosen))
        records = harness.measure(workload, able)
        set_ratios(records)
        for record in records:
            record.floor_s = floor_seconds(result.machine, record.flops, record.nbytes)
        result.records += records
        listener.end(records)
        save(result)
    return result
