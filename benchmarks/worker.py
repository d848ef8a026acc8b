"""The process of one runner and one workload: `python -m benchmarks.worker FILE_DESCRIPTOR`, started by `harness.py`.

Each request is (name of a method, arguments), each reply (True, value) or (False, one line about the error).
"""

from __future__ import annotations

import gc as garbage
import itertools
import os
import re
import resource
import sys
import time
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks import runner as runners
from benchmarks import workload as workloads
from benchmarks.runner import Clock, Prepared, Runner
from benchmarks.workload import Problem, Workload, load

_WARM_SHARE = 0.2  # of a timing, without a clock before it: what others left in the caches is not what is timed
_LONGEST_WARM_UP = 0.5  # seconds
_MEMORY_SHARE = 0.6  # of the machine's


class Task(NamedTuple):
    """What a process is there for."""

    runner_file: Path
    runner: str
    workload_file: Path
    workload: str
    size: str
    threads: int


class HostClock:
    """The wall clock of the host."""

    def start(self) -> None:
        """Begins."""
        self.began = time.perf_counter()

    def stop(self) -> float:
        """Seconds since `start`."""
        return time.perf_counter() - self.began


class Worker:
    """One runner with one workload."""

    runner: Runner
    workload: Workload
    problem: Problem
    prepared: Prepared
    clock: Clock
    first: Any

    def __init__(self, task: Task) -> None:
        self.task = task

    def load(self) -> tuple[str, float]:
        """Imports the library: its version, and the seconds that this took beyond those for NumPy."""
        start = time.perf_counter()
        [self.runner] = [r for r in runners.of_module(load(self.task.runner_file)) if r.name == self.task.runner]
        version = self.runner.load()
        return version, time.perf_counter() - start

    def prepare(self) -> dict[str, Any]:
        """Makes the data; then builds, compiles and calls for the first time, which is timed."""
        found = workloads.of_module(load(self.task.workload_file))
        [self.workload] = [w for w in found if w.name == self.task.workload]
        self.problem = self.workload.problem(self.task.size)
        before = resident_bytes()
        start = time.perf_counter()
        self.prepared = self.runner.prepare(self.workload, self.problem, self.task.threads)
        self.first = self.prepared.call(*self.prepared.inputs[0])
        self._wait()
        seconds = time.perf_counter() - start
        self.clock = self.prepared.clock or HostClock()
        self.turn = itertools.cycle([*self.prepared.inputs[1:], self.prepared.inputs[0]])
        return {"first_call_s": seconds, "base_bytes": before, "stages": dict(self.prepared.stages)}

    def answers(self, count: int) -> list[tuple[np.ndarray, ...]]:
        """What the first `count` calls answer; the first has been made. A runner may keep to fewer inputs."""
        if not self.workload.step:
            count = min(count, len(self.prepared.inputs))
        found = [self._answer(self.first)]
        self.first = None
        for inputs in itertools.islice(self.turn, count - 1):
            result = self.prepared.call(*inputs)
            self._wait()
            found.append(self._answer(result))
        return found

    def answer_again(self) -> tuple[np.ndarray, ...]:
        """The answer to the first inputs."""
        result = self.prepared.call(*self.prepared.inputs[0])
        self._wait()
        return self._answer(result)

    def calibrate(self, seconds: float) -> tuple[int, float]:
        """Warms up; how many calls take about so many seconds, and what a call takes."""
        calls, took = 1, self._timed(1)
        while took < seconds / 4 and calls < 1_000_000:
            calls *= 2
            took = self._timed(calls)
        if took < _LONGEST_WARM_UP:
            took = min(took, self._timed(calls))
        garbage.collect()
        garbage.disable()
        return max(1, round(calls * seconds / max(took, 1e-9))), took / calls

    def peak(self) -> int:
        """The most memory, in bytes, that this process has held so far."""
        return peak_bytes()

    def time(self, calls: int) -> float:
        """Seconds a call."""
        for inputs in itertools.islice(self.turn, max(1, int(calls * _WARM_SHARE))):
            self.prepared.call(*inputs)
        self._wait()
        return self._timed(calls) / calls

    def _timed(self, calls: int) -> float:
        call, several = self.prepared.call, itertools.islice(self.turn, calls)
        self.clock.start()
        for inputs in several:
            call(*inputs)
        self._wait()
        return self.clock.stop()

    def _wait(self) -> None:
        if self.prepared.wait is not None:
            self.prepared.wait()

    def _answer(self, result: Any) -> tuple[np.ndarray, ...]:
        return tuple(np.array(array) for array in self.prepared.answer(result))


def _status(name: str) -> int | None:
    """A figure of /proc/self/status in bytes. (`ru_maxrss` would begin with what the parent has held.)"""
    status = Path("/proc/self/status")
    found = re.search(rf"{name}:\s*(\d+) kB", status.read_text()) if status.exists() else None
    return int(found[1]) * 1024 if found else None


def peak_bytes() -> int:
    """The most memory that this process has held so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return _status("VmHWM") or (peak if sys.platform == "darwin" else peak * 1024)


def resident_bytes() -> int:
    """The memory that this process holds now; where that cannot be read, the most so far."""
    return _status("VmRSS") or peak_bytes()


def limit_memory() -> None:
    """A compiler that wants more than most of the machine fails alone, instead of taking others with it."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    resource.setrlimit(resource.RLIMIT_DATA, (int(total * _MEMORY_SHARE), resource.RLIM_INFINITY))


def serve(pipe: Connection) -> None:
    """Answers requests until there are no more."""
    task = pipe.recv()
    if task.size != "gpu":  # CUDA maps more than there is
        limit_memory()
    worker = Worker(task)
    while request := pipe.recv():
        name, *arguments = request
        try:
            reply = (True, getattr(worker, name)(*arguments))
        except Exception as error:
            traceback.print_exc()
            reply = (False, f"{type(error).__name__}: {error}")
        pipe.send(reply)


if __name__ == "__main__":
    try:
        serve(Connection(int(sys.argv[1])))
    except (EOFError, KeyboardInterrupt):
        os._exit(1)  # whoever asked is gone
