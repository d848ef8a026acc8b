"""The measurement: right answers first, then every runner once per round, in turn, each in a process of its own.

In one process the thread pools of two libraries fight: matrix products of NumPy took thirty times as long beside XLA's.
For the same reason there is a rest before each timing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.answers import RightAnswers, WrongAnswer, right_answers
from benchmarks.process import RunnerFailed, RunnerProcess
from benchmarks.record import Record
from benchmarks.runner import Runner
from benchmarks.worker import Task
from benchmarks.workload import Workload

REST = 0.06  # seconds in which the threads of OpenBLAS, which wait for work in a loop, go to sleep
LEAST_ROUNDS = 5
_WARM_SHARE = 1.2  # a timing with the calls before it
_COLD_SHARE = 3.0  # budgets: a first turn of fresh processes that took longer is the only one

Records = Mapping[str, Record]


@dataclass(frozen=True)
class Settings:
    """How a run measures.

    Attributes:
        size: name of the suite, which chooses the sizes of the data.
        threads: of every runner.
        rounds: at most so many timings of each runner; where they would take too long fewer, but five, or one if it
            takes a fresh process and all of them together take longer than the budget.
        timing: seconds of one timing, which is at least a call.
        budget: seconds for all timings of a workload.
        limit: seconds for a runner to give its first result.
    """

    size: str
    threads: int
    rounds: int
    timing: float = 0.1
    budget: float = 12.0
    limit: float = 90.0


SUITES: dict[str, dict[str, Any]] = {
    "smoke": {"rounds": 5, "timing": 0.002, "budget": 1.0, "limit": 30.0},
    "cpu": {"rounds": 25},
    "gpu": {"rounds": 15, "timing": 0.05, "budget": 5.0, "limit": 60.0},
}


def quiet(text: str) -> None:
    """Says nothing."""


@dataclass
class Harness:
    """Measures workloads with runners.

    Attributes:
        say: is told what is being done, never during a timing.
        gave_up: (series, runner) → why; larger ones of the series are not tried.
    """

    settings: Settings
    say: Callable[[str], None] = quiet
    gave_up: dict[tuple[str, str], str] = field(default_factory=dict)

    def measure(self, workload: Workload, runners: Sequence[Runner]) -> list[Record]:
        """A record of each runner; one that fails has a record that says so."""
        records = {runner.name: _record(workload, runner, self.settings.size) for runner in runners}
        for runner in runners:
            records[runner.name].failure = self._why_not(workload, runner)
        able = [runner for runner in runners if records[runner.name].failure is None]
        if able and workload.measure == "call":
            self._measure_calls(workload, able, records)
        elif able:
            self._measure_processes(workload, able, records)
        for record in records.values():
            if record.failure and workload.series:
                self.gave_up.setdefault((workload.series[0], record.runner), f"{workload.name}: {record.failure}")
            if record.rounds_s and record.failure is None:
                record.summarise()
        return list(records.values())

    def _why_not(self, workload: Workload, runner: Runner) -> str | None:
        if runner.function(workload) is None:
            return f"missing: {workload.file.name} has no function {runner.library!r}"
        before = self.gave_up.get((workload.series[0], runner.name)) if workload.series else None
        return f"not tried after {before}" if before else None

    def _start(self, workload: Workload, runner: Runner) -> RunnerProcess:
        size, threads = self.settings.size, self.settings.threads
        task = Task(runner.file, runner.name, workload.file, workload.name, size, threads)
        return RunnerProcess(task, runner.environment(threads))

    def _first_result(self, workload: Workload, process: RunnerProcess, record: Record) -> None:
        """Imports, builds, compiles and calls once."""
        limit = workload.limit or self.settings.limit
        record.version, _ = process.ask(limit, "importing", "load")
        for name, value in process.ask(limit, "compiling and calling once", "prepare").items():
            setattr(record, name, value)

    def _require_right(self, process: RunnerProcess, right: RightAnswers) -> None:
        right.require(process.ask(self.settings.limit, "giving its answers", "answers", len(right.answers)))

    # --- calls: a process for each runner, and rounds ------------------------------------------------------------

    def _measure_calls(self, workload: Workload, runners: Sequence[Runner], records: Records) -> None:
        processes = {runner.name: self._start(workload, runner) for runner in runners}
        try:
            problem = workload.problem(self.settings.size)
            right = right_answers(workload, problem)
            for record in records.values():
                record.flops, record.nbytes = problem.flops, problem.nbytes
            del problem
            costs = {}
            for name in list(processes):
                self.say(f"{name}: preparing, checking the answer")
                with _Failing(processes, records[name]):
                    costs[name] = self._prepare(workload, processes[name], records[name], right)
            self._rounds(processes, records, costs)
            for name in list(processes):
                with _Failing(processes, records[name]):
                    self._require_still_right(workload, processes[name], right)
        finally:
            for process in processes.values():
                process.stop()

    def _prepare(self, workload: Workload, process: RunnerProcess, record: Record, right: RightAnswers) -> float:
        """Everything before the clock starts; returns the seconds that a round of this runner will take."""
        limit = self.settings.limit
        self._first_result(workload, process, record)
        self._require_right(process, right)
        record.calls, each = process.ask(limit, "warming up", "calibrate", self.settings.timing)
        record.peak_bytes = process.ask(limit, "warming up", "peak")
        return float(record.calls * each * _WARM_SHARE + REST)

    def _rounds(self, processes: dict[str, RunnerProcess], records: Records, costs: Mapping[str, float]) -> None:
        fitting = self.settings.budget / max(sum(costs.values()), 1e-9)
        rounds = int(min(self.settings.rounds, max(LEAST_ROUNDS, fitting)))
        for turn in range(rounds):
            self.say(f"round {turn + 1} of {rounds}")
            for name in _in_turn(list(processes), turn):
                time.sleep(REST)
                limit = self.settings.limit + 20 * costs[name]
                with _Failing(processes, records[name]):
                    seconds = processes[name].ask(limit, "being timed", "time", records[name].calls)
                    records[name].rounds_s.append(seconds)

    def _require_still_right(self, workload: Workload, process: RunnerProcess, right: RightAnswers) -> None:
        """What was timed computed, too; losses have gone on meanwhile."""
        if not workload.step:
            right.require([process.ask(self.settings.limit, "answering again", "answer_again")])

    # --- what only happens once in a process ---------------------------------------------------------------------

    def _measure_processes(self, workload: Workload, runners: Sequence[Runner], records: Records) -> None:
        """Importing, or the first result: a fresh process for each timing.

        The first turn reads files that the system does not hold in memory yet: it counts only if there is no time for
        another.
        """
        right = None if workload.measure == "import" else right_answers(workload, workload.problem(self.settings.size))
        able = {runner.name: runner for runner in runners}
        budget = self.settings.budget
        first = self._turn(workload, able, records, right, 0)
        if first > _COLD_SHARE * budget:
            return
        for record in records.values():
            record.rounds_s.clear()
        least = LEAST_ROUNDS if first <= budget else 1
        spent = 0.0
        for turn in range(1, self.settings.rounds + 1):
            spent += self._turn(workload, able, records, right, turn)
            if spent > budget and turn >= least:
                return

    def _turn(
        self,
        workload: Workload,
        able: dict[str, Runner],
        records: Records,
        right: RightAnswers | None,
        turn: int,
    ) -> float:
        """A process of each runner that has not failed; the seconds of all."""
        began = time.monotonic()
        for name in _in_turn(list(able), turn):
            self.say(f"{name}: process {turn + 1} of at most {self.settings.rounds + 1}")
            time.sleep(REST)
            self._measure_process(workload, able[name], records[name], right)
            if records[name].failure:
                del able[name]
        return time.monotonic() - began

    def _measure_process(self, workload: Workload, runner: Runner, record: Record, right: RightAnswers | None) -> None:
        processes = {runner.name: self._start(workload, runner)}
        process = processes[runner.name]
        try:
            with _Failing(processes, record):
                if right is None:
                    record.version, seconds = process.ask(self.settings.limit, "importing", "load")
                else:
                    self._first_result(workload, process, record)
                    self._require_right(process, right)
                    seconds = record.first_call_s
                record.peak_bytes = process.ask(self.settings.limit, "ending", "peak")
                record.calls = 1
                record.rounds_s.append(seconds)
        finally:
            process.stop()


class _Failing:
    """Turns the failure of a runner into a line of its record; the runner is out then."""

    def __init__(self, processes: dict[str, RunnerProcess], record: Record) -> None:
        self.processes = processes
        self.record = record

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if not isinstance(error, RunnerFailed | WrongAnswer):
            return False
        self.record.failure = str(error)
        self.record.rounds_s.clear()
        process = self.processes.pop(self.record.runner, None)
        if process is not None:
            process.stop()
        return True


def _in_turn(names: list[str], turn: int) -> list[str]:
    """Somebody else begins each round."""
    at = turn % len(names) if names else 0
    return names[at:] + names[:at]


def _record(workload: Workload, runner: Runner, size: str) -> Record:
    return Record(
        workload.name,
        workload.group,
        runner.name,
        title=workload.title + (" (made small)" if size == "smoke" else ""),
        ours=runner.ours,
        measure=workload.measure,
        series=workload.series,
    )
