"""What a run leaves behind: a record per workload and runner, with every timing, and the machine; as JSON."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.workload import GROUPS, BenchmarkError

FORMAT = 1


@dataclass
class Record:
    """A runner on a workload. Without figures, `failure` says why there are none.

    Attributes:
        median_s, min_s: seconds a call, over the rounds.
        spread: half of the range between the quartiles of the rounds, as a share of the median.
        first_call_s: seconds from the imported library to the first result: building, compiling and the first call.
        peak_bytes: the most memory that the process held until it was warm; `base_bytes` of it are Python, the library
            and the data.
        floor_s: what the machine needs at least, as it moves memory and multiplies matrices in the same run.
        best_peer: the fastest runner that is not ours.
        ratio_to_best_peer: its median over this one: above 1 is faster than it.
        rounds_s: seconds a call in each round, in order.
        calls: that made one timing.
        stages: seconds of parts of the first call.
    """

    workload: str
    group: str
    runner: str
    title: str = ""
    ours: bool = False
    version: str = ""
    median_s: float | None = None
    min_s: float | None = None
    spread: float | None = None
    first_call_s: float | None = None
    peak_bytes: int | None = None
    base_bytes: int | None = None
    floor_s: float | None = None
    best_peer: str | None = None
    ratio_to_best_peer: float | None = None
    flops: float = 0.0
    nbytes: float = 0.0
    measure: str = "call"
    series: tuple[str, float] | None = None
    rounds_s: list[float] = field(default_factory=list)
    calls: int = 0
    stages: dict[str, float] = field(default_factory=dict)
    failure: str | None = None

    def summarise(self) -> None:
        """Fills in the figures that follow from the timings."""
        self.median_s = statistics.median(self.rounds_s)
        self.min_s = min(self.rounds_s)
        self.spread = spread(self.rounds_s)


def spread(values: Sequence[float]) -> float | None:
    """Half of the range between the quartiles, as a share of the median; None for fewer than three."""
    if len(values) < 3:
        return None
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return (high - low) / 2 / median


@dataclass
class Run:
    """All that a run has found.

    Attributes:
        machine: what it ran on, and what it can do: see `machine.py`.
        options: suite, threads, rounds.
        date: when it began, ISO 8601.
        absent: what could not be measured at all, by name of the runner or workload, and why.
        packages: bytes by package, see `packages.py`.
    """

    records: list[Record]
    machine: dict[str, Any]
    options: dict[str, Any]
    date: str
    absent: dict[str, str] = field(default_factory=dict)
    packages: dict[str, int] = field(default_factory=dict)

    def measured(self) -> list[Record]:
        """The records that have figures."""
        return [record for record in self.records if record.median_s is not None]

    def by_workload(self) -> dict[str, list[Record]]:
        """Records by workload, in the order of the run."""
        found: dict[str, list[Record]] = {}
        for record in self.records:
            found.setdefault(record.workload, []).append(record)
        return found

    def save(self, file: Path) -> None:
        """Writes JSON."""
        content = {**asdict(self), "format": FORMAT}
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def read(file: Path) -> Run:
    """Reads what `Run.save` wrote."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BenchmarkError(f"{file} cannot be read: {error}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise BenchmarkError(f"{file} was not written by `python -m benchmarks run --json`, or by another version")
    known = {field.name for field in fields(Record)}
    records = [Record(**{key: value for key, value in row.items() if key in known}) for row in content["records"]]
    return Run(records, *(content[name] for name in ("machine", "options", "date", "absent", "packages")))


def set_ratios(records: Iterable[Record]) -> None:
    """Fills in the best peer of a workload, and how everybody compares with it."""
    measured = [record for record in records if record.median_s is not None]
    peers = {record.runner: record.median_s for record in measured if not record.ours and record.median_s}
    if not peers:
        return
    best = min(peers, key=lambda name: peers[name])
    for record in measured:
        record.best_peer = best
        record.ratio_to_best_peer = peers[best] / record.median_s if record.median_s else None


def geometric_means(records: Iterable[Record]) -> dict[tuple[str, str], tuple[float, int]]:
    """(group, runner) → the geometric mean of the ratios to the best peer, and of how many workloads."""
    ratios: dict[tuple[str, str], list[float]] = {}
    for record in records:
        if record.ratio_to_best_peer is not None:
            ratios.setdefault((record.group, record.runner), []).append(record.ratio_to_best_peer)
    ordered = sorted(ratios, key=lambda key: GROUPS.index(key[0]))
    return {key: (_geometric_mean(ratios[key]), len(ratios[key])) for key in ordered}


def _geometric_mean(values: Sequence[float]) -> float:
    return math.exp(statistics.fmean(map(math.log, values)))


def floor_seconds(machine: Mapping[str, Any], flops: float, nbytes: float) -> float | None:
    """What a call takes at least: its bytes at the speed of a copy of as many, or its flops at that of a product."""
    rates = machine.get("copy_bytes_per_s") or {}
    bandwidth = bandwidth_at(rates, nbytes) if rates else None
    multiply = machine.get("matmul_flops_per_s")
    bounds = [nbytes / bandwidth] if bandwidth else []
    bounds += [flops / multiply] if multiply else []
    return max(bounds, default=0.0) or None


def bandwidth_at(rates: Mapping[str, float], nbytes: float) -> float:
    """The speed of a copy that touches so many bytes: by logarithms between the sizes that were measured."""
    points = sorted((float(size), rate) for size, rate in rates.items())
    if nbytes <= points[0][0]:
        return points[0][1]
    for (size, rate), (larger, other) in pairwise(points):
        if nbytes <= larger:
            share = math.log(nbytes / size) / math.log(larger / size)
            return math.exp(math.log(rate) * (1 - share) + math.log(other) * share)
    return points[-1][1]
