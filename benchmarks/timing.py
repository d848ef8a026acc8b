"""Timing of runners side by side: interleaved round by round, so that what else the machine does hits all alike."""

from __future__ import annotations

import gc as garbage
import multiprocessing
import statistics
import time
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from typing import Any, NamedTuple, Protocol

Check = Callable[[Mapping[str, Any]], None]
"""Raises if the answers, by name of the runner, are not the same."""


_REST = 0.06  # seconds in which the threads of OpenBLAS, which wait for work in a loop, go to sleep


class Timing(NamedTuple):
    """Seconds per call of one runner.

    Attributes:
        median, least: over the rounds.
        spread: half of the range between the quartiles, as a share of the median.
    """

    median: float
    least: float
    spread: float


class Runner(Protocol):
    """What is timed. `answer` is compared with that of the others before any clock starts."""

    def answer(self) -> Any: ...

    def __call__(self) -> object: ...


def interleaved(makers: Mapping[str, Callable[[], Runner]], check: Check, rounds: int, calls: int) -> dict[str, Timing]:
    """Times every runner once per round, in an order that turns, each in a process of its own.

    In one process the thread pools of two libraries fight: matrix products of NumPy took thirty times as long beside
    XLA's. For the same reason there is a rest before each timing.

    Args:
        makers: functions at the top of a module, which make a runner.
        check: raises if the answers differ from what they should be.
        rounds: how often each is timed.
        calls: how many calls make one timing.
    """
    context = multiprocessing.get_context("spawn")
    pipes: dict[str, Connection] = {}
    for name, maker in makers.items():
        pipes[name], theirs = context.Pipe()
        context.Process(target=_serve, args=(maker, theirs, calls), daemon=True).start()
    check({name: pipe.recv() for name, pipe in pipes.items()})
    seconds: dict[str, list[float]] = {name: [] for name in pipes}
    names = list(pipes)
    for turn in range(rounds):
        for position in range(len(names)):
            name = names[(turn + position) % len(names)]
            time.sleep(_REST)
            pipes[name].send(True)
            seconds[name].append(pipes[name].recv())
    for pipe in pipes.values():
        pipe.send(False)
    return {name: _summary(values) for name, values in seconds.items()}


def _serve(maker: Callable[[], Runner], pipe: Connection, calls: int) -> None:
    """The process of one runner: an answer, then a timing for every request; garbage collection waits."""
    runner = maker()
    pipe.send(runner.answer())
    _timed(runner, calls)
    garbage.collect()
    garbage.disable()
    while pipe.recv():
        runner()  # what the others left in the caches is not what is timed
        pipe.send(_timed(runner, calls))


def _timed(runner: Callable[[], object], calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        runner()
    return (time.perf_counter() - start) / calls


def _summary(values: list[float]) -> Timing:
    low, median, high = statistics.quantiles(values, n=4)
    return Timing(median, min(values), (high - low) / 2 / median)


def table(timings: Mapping[str, Timing], reference: str, unit: float = 1e3, name: str = "ms") -> str:
    """The timings as lines of Markdown, with the ratio of each median to that of `reference`."""
    lines = [f"| runner | median {name} | least | spread | × {reference} |", "|---|---|---|---|---|"]
    base = timings[reference].median
    for runner, t in timings.items():
        ratio = t.median / base
        lines.append(f"| {runner} | {t.median * unit:.3f} | {t.least * unit:.3f} | ±{t.spread:.0%} | {ratio:.2f} |")
    return "\n".join(lines)
