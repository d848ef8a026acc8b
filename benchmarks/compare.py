"""Two runs: what changed, and what is noise.

A change is called one if the ratio of the medians, freed from the drift of the machine, is beyond 5 % and beyond three
standard errors. The drift is that of the unchanged peers on the same workload, which took their turns at the same time.
The errors have two parts: how far a median strays when the rounds of a run are drawn anew (a bootstrap), and how far
unchanged peers stray from their common drift. The second sees what no spread within a run can: another
layout of memory, another neighbour on the machine.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from benchmarks.record import Record, Run
from benchmarks.report import seconds

LEAST_CHANGE = 0.05  # what is smaller is never called a change
LEAST_CHANGE_ALONE = 0.10  # without peers that tell drift from change
_ERRORS = 3.0
_FEW = 0.1  # the error of fewer than three timings, which tell nothing of their spread: changes from a half on are seen
_FEWEST_CONTROLS = 3
_DRAWS = 1000
_NORMAL = 1.4826  # the median distance of a normal distribution → its standard deviation

Key = tuple[str, str]


@dataclass(frozen=True)
class Row:
    """A runner on a workload, in both runs.

    Attributes:
        change: time after over time before, freed from drift; above 1 is slower.
        least: the smallest change, as a share, that could have been seen.
        verdict: slower, faster, noise; for what only one run has: new, gone, failed; for a peer whose version has not
            changed: control.
    """

    before: Record | None
    after: Record | None
    change: float | None
    least: float | None
    verdict: str

    @property
    def record(self) -> Record:
        """The newer of the two."""
        found = self.after or self.before
        assert found is not None
        return found


@dataclass(frozen=True)
class Comparison:
    """Two runs beside each other.

    Attributes:
        drift: by how much unchanged peers took longer in the second run, at the median.
        stray: standard deviation of that from peer to peer on one workload; None: too few of them.
        warnings: why the runs might not be comparable.
    """

    rows: list[Row]
    drift: float
    stray: float | None
    warnings: list[str]

    @property
    def verdict(self) -> str:
        """ "noise", or how many changes there are."""
        counts = {word: sum(row.verdict == word for row in self.rows) for word in ("slower", "faster", "failed")}
        return ", ".join(f"{count} {word}" for word, count in counts.items() if count) or "noise"


def compare(before: Run, after: Run) -> Comparison:
    """Tells change from noise."""
    old, new = _by_key(before), _by_key(after)
    both = [key for key in old if key in new and old[key].median_s and new[key].median_s]
    controls = [key for key in both if _is_control(old[key], new[key])]
    raw = {key: math.log((new[key].median_s or 1.0) / (old[key].median_s or 1.0)) for key in both}
    drift = statistics.median([raw[key] for key in controls]) if controls else 0.0
    drifts = {workload: _drift([raw[key] for key in controls if key[0] == workload], drift) for workload, _ in both}
    stray = _stray({key: raw[key] for key in controls}, drift)
    rows = []
    for key in dict.fromkeys([*old, *new]):
        if key in raw:
            rows.append(_judged(old[key], new[key], raw[key] - drifts[key[0]], stray, key in controls))
        else:
            rows.append(_unpaired(old.get(key), new.get(key)))
    return Comparison(rows, math.exp(drift) - 1, stray, _warnings(before, after, stray))


def _drift(controls: Sequence[float], overall: float) -> float:
    """Of a workload: that of its own controls, or of all if they are few."""
    return statistics.median(controls) if len(controls) >= _FEWEST_CONTROLS else overall


def _stray(controls: Mapping[Key, float], overall: float) -> float | None:
    """Robust standard deviation of each control from what the others predict, as they do for what is judged."""
    if len(controls) < _FEWEST_CONTROLS:
        return None
    residuals = []
    for key, value in controls.items():
        others = [other for name, other in controls.items() if name[0] == key[0] and name != key]
        residuals.append(value - (statistics.median(others) if len(others) > 1 else overall))
    return _NORMAL * statistics.median(map(abs, residuals))


def _by_key(run: Run) -> dict[Key, Record]:
    return {(record.workload, record.runner): record for record in run.records}


def _is_control(before: Record, after: Record) -> bool:
    """A peer that is the same in both runs."""
    return not after.ours and before.version == after.version


def _judged(before: Record, after: Record, change: float, stray: float | None, control: bool) -> Row:
    errors = [_error(before.rounds_s), _error(after.rounds_s), stray or 0.0]
    smallest = LEAST_CHANGE if stray is not None else LEAST_CHANGE_ALONE
    least = max(math.log1p(smallest), _ERRORS * math.hypot(*errors))
    verdict = "noise" if abs(change) <= least else "slower" if change > 0 else "faster"
    return Row(before, after, math.exp(change), math.exp(least) - 1, "control" if control else verdict)


def _error(rounds: Sequence[float]) -> float:
    """The standard error of the logarithm of the median: from drawing the rounds anew, with the same draws always."""
    if len(rounds) < 3:
        return _FEW
    values = np.asarray(rounds)
    picks = np.random.default_rng(0).integers(len(values), size=(_DRAWS, len(values)))
    return float(np.std(np.log(np.median(values[picks], axis=1))))


def _unpaired(before: Record | None, after: Record | None) -> Row:
    if before is None or after is None:
        return Row(before, after, None, None, "new" if before is None else "gone")
    if before.median_s is None and after.median_s is None:
        return Row(before, after, None, None, "none")
    return Row(before, after, None, None, "failed" if after.median_s is None else "new")


def _warnings(before: Run, after: Run, stray: float | None) -> list[str]:
    sides = [{**run.machine, **run.options} for run in (before, after)]
    names = ("cpu", "cores", "gpu", "python", "numpy", "size", "threads")
    pairs = [(name, *(side.get(name) for side in sides)) for name in names]
    found = [f"{name} was {was} and is {now}" for name, was, now in pairs if was != now]
    if stray is None:
        found.append("fewer than three timings of unchanged peers: a drift of the machine looks like a change")
    return found


def print_comparison(console: Console, comparison: Comparison, every: bool = False) -> None:
    """The changes (with `every` all rows), and the verdict last."""
    for warning in comparison.warnings:
        console.print(f"careful: {warning}", style="yellow", soft_wrap=True, markup=False, highlight=False)
    shown = [row for row in comparison.rows if every or row.verdict not in ("noise", "control", "none")]
    if shown:
        console.print(_table(shown))
    if comparison.stray is not None:
        text = f"{comparison.drift:+.1%} and strayed from each other by ±{comparison.stray:.1%}"
        console.print(f"Unchanged peers, the control, moved by {text}: what is here is freed from the first.")
    compared = sum(row.change is not None and row.verdict != "control" for row in comparison.rows)
    blind = [row.least for row in comparison.rows if row.least is not None and row.verdict != "control"]
    if blind:
        text = (
            f"half of them would have been seen from {statistics.median(blind):.0%} on, the worst from {max(blind):.0%}"
        )
        console.print(f"{compared} timings compared; {text}.", highlight=False)
    console.print(f"[bold]{comparison.verdict}[/]")


def _table(rows: Iterable[Row]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("workload", "runner"):
        table.add_column(heading, no_wrap=True)
    for heading in ("before", "after", "time", "seen from"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("verdict")
    styles = {"slower": "red", "failed": "red", "faster": "green"}
    for row in rows:
        times = [seconds(record.median_s) if record else "" for record in (row.before, row.after)]
        change = f"{row.change - 1:+.0%}" if row.change is not None else ""
        least = f"±{row.least:.0%}" if row.least is not None else ""
        verdict = Text(row.verdict, style=styles.get(row.verdict, ""))
        if row.verdict == "failed" and row.after:
            verdict.append(f": {row.after.failure}")
        table.add_row(row.record.workload, row.record.runner, *times, change, least, verdict)
    return table
