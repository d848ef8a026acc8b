"""Timing of runners side by side: interleaved round by round, so that what else the machine does hits all alike."""

from __future__ import annotations

import gc as garbage
import statistics
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple


class Timing(NamedTuple):
    """Seconds per call of one runner.

    Attributes:
        median, least: over the rounds.
        spread: half of the range between the quartiles, as a share of the median.
    """

    median: float
    least: float
    spread: float


def interleaved(runners: Mapping[str, Callable[[], object]], rounds: int, calls: int = 1) -> dict[str, Timing]:
    """Times every runner once per round, in an order that turns; garbage collection waits.

    Args:
        runners: what is called, without arguments; it must have finished when it returns.
        rounds: how often each is timed.
        calls: how many calls make one timing.
    """
    names = list(runners)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for name in names:
        for _ in range(3):
            runners[name]()
    garbage.collect()
    garbage.disable()
    try:
        for turn in range(rounds):
            for position in range(len(names)):
                name = names[(turn + position) % len(names)]
                seconds[name].append(_timed(runners[name], calls))
    finally:
        garbage.enable()
    return {name: _summary(values) for name, values in seconds.items()}


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
