"""A run as Markdown, for the documentation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmarks.record import Record, Run, geometric_means
from benchmarks.report import TITLES, absent_lines, machine_lines, over_floor, ratio, seconds, share, size
from benchmarks.workload import GROUPS


def report(run: Run) -> str:
    """All tables, a section per group."""
    parts = ["\n".join(f"- {line}" for line in [*machine_lines(run), *absent_lines(run)])]
    for group in GROUPS:
        rows = [records for records in run.by_workload().values() if records[0].group == group]
        if rows:
            parts += [f"### {TITLES[group][0].upper()}{TITLES[group][1:]}", _group_table(rows)]
    parts += ["### Speed by group", _means_table(run)] if geometric_means(run.records) else []
    parts += ["### Size", _rows(["package", "size"], ([name, size(n)] for name, n in run.packages.items()))]
    return "\n\n".join(parts) + "\n"


def _group_table(workloads: Sequence[Sequence[Record]]) -> str:
    head = ["workload", "runner", "median", "±", "least", "speed", "÷ floor", "first result", "memory"]
    rows = [row for records in workloads for row in _workload_rows(records)]
    return _rows(head, rows)


def _workload_rows(records: Sequence[Record]) -> Iterable[list[str]]:
    title = records[0].title
    for record in sorted(records, key=lambda record: record.median_s or float("inf")):
        name = f"**{record.runner}**" if record.ours else record.runner
        if record.median_s is None:
            yield [title, name, "—", "", "", "", "", (record.failure or "").replace("|", "\\|"), ""]
        else:
            timing = [seconds(record.median_s), share(record.spread), seconds(record.min_s)]
            speed = [ratio(record.ratio_to_best_peer), over_floor(record)]
            yield [title, name, *timing, *speed, seconds(record.first_call_s), size(record.peak_bytes)]
        title = ""


def _means_table(run: Run) -> str:
    means = geometric_means(run.records)
    groups = [group for group in GROUPS if any(key[0] == group for key in means)]
    rows = []
    for runner in dict.fromkeys(record.runner for record in run.measured()):
        cells = [means.get((group, runner)) for group in groups]
        rows.append([runner, *(f"{cell[0]:.2f}× ({cell[1]})" if cell else "" for cell in cells)])
    return _rows(["runner", *groups], rows)


def _rows(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
