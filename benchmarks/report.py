"""What a run has found, for the terminal and as Markdown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from rich.console import Console, Group
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from benchmarks.record import Record, Run, geometric_means
from benchmarks.workload import GROUPS, Workload

_UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))
_BYTES = ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))
_NEAR = 0.05  # a ratio within this of 1 is neither praised nor blamed

LEGEND = """\
median    half of the timings were faster; a timing is the mean of calls that follow each other
±         half of the range between the quartiles of the timings, as a share of the median: less than that is noise
speed     time of the fastest peer ÷ time of this runner: 2.00× is twice as fast as that peer; ours are in bold
÷ floor   median ÷ what this machine needs at least to move the bytes or multiply the numbers, measured in this run;
          below 1 where data stays in a cache, or is read only
first     from the imported library to the first result: building, compiling, first call
memory    the most that the process held, Python, library and data included"""

TITLES = {
    "dispatch": "dispatch: small arrays, where the cost of a call counts",
    "memory": "memory: large arrays, where moving them counts",
    "compute": "compute: matrix products",
    "compile": "compile: until the first result",
}


def seconds(value: float | None) -> str:
    """12.3 ms."""
    if value is None:
        return ""
    scale, unit = next((row for row in _UNITS if abs(value) >= row[0]), _UNITS[-1])
    number = value / scale
    digits = 0 if number >= 100 else 1 if number >= 10 else 2
    return f"{number:.{digits}f} {unit}"


def size(value: float | None) -> str:
    """12 MiB."""
    if value is None:
        return ""
    scale, unit = next((row for row in _BYTES if value >= row[0]), (1, "B"))
    number = value / scale
    return f"{number:.{0 if number >= 10 else 1}f} {unit}"


def share(value: float | None) -> str:
    """±3 %."""
    return "" if value is None else f"±{value * 100:.0f} %"


def ratio(value: float | None) -> str:
    """1.25×."""
    return "" if value is None else f"{value:.2f}×"


def over_floor(record: Record) -> str:
    """How far from the floor the median is."""
    if not record.floor_s or not record.median_s:
        return ""
    times = record.median_s / record.floor_s
    return f"{times:.1f}" if times < 100 else f"{times:,.0f}"


def _verdict(value: float | None) -> str:
    if value is None or abs(value - 1) <= _NEAR:
        return ""
    return "green" if value > 1 else "red"


# --- terminal ----------------------------------------------------------------------------------------------------


def _table(title: str) -> Table:
    """Narrow enough for eighty columns."""
    table = Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.title_style = "bold not italic"
    return table


def console() -> Console:
    """The terminal; what is written to a file or a pipe is wide enough for every column."""
    found = Console()
    return found if found.is_terminal else Console(width=140)


def workload_table(records: Sequence[Record]) -> Table:
    """One workload: a row per runner, the fastest first, failures last."""
    first = records[0]
    floor = f", at least {seconds(first.floor_s)} here" if first.floor_s else ""
    table = _table(f"{escape(first.title)}  [dim]{first.group}{floor}[/]")
    table.add_column("runner", no_wrap=True)
    for heading in ("median", "±", "least", "speed", "÷ floor", "first", "memory"):
        table.add_column(heading, justify="right", no_wrap=True)
    for record in sorted(records, key=lambda record: record.median_s or float("inf")):
        name = Text(record.runner, style="bold" if record.ours else "")
        if record.median_s is None:
            continue
        speed = Text(ratio(record.ratio_to_best_peer), style=_verdict(record.ratio_to_best_peer) if record.ours else "")
        timing = [seconds(record.median_s), share(record.spread), seconds(record.min_s)]
        table.add_row(name, *timing, speed, over_floor(record), seconds(record.first_call_s), size(record.peak_bytes))
    return table


def workload_report(records: Sequence[Record]) -> Group:
    """The table of a workload, and below it why some runners are not in it."""
    failures = [Text(f"   {r.runner}: {r.failure}", style=_style_of(r)) for r in records if r.failure]
    return Group(workload_table(records), *failures)


def _style_of(record: Record) -> str:
    return "dim" if (record.failure or "").startswith("missing") else "yellow"


def summary_table(run: Run) -> Table:
    """A row per workload: our fastest runner beside the fastest peer."""
    table = _table("Our fastest runner beside the fastest peer")
    for heading in ("workload", "ours", "peer"):
        table.add_column(heading, no_wrap=True)
    table.add_column("speed", justify="right")
    table.add_column("slower ◂ 1 ▸ faster", no_wrap=True)
    for group in GROUPS:
        rows = [records for records in run.by_workload().values() if records[0].group == group]
        if not rows:
            continue
        table.add_section()
        table.add_row(Text(group, style="bold cyan"))
        for records in rows:
            table.add_row(*_summary_cells(records))
    return table


def _summary_cells(records: Sequence[Record]) -> list[Any]:
    ours, peer = fastest(records, True), fastest(records, False)
    title = escape(f"  {records[0].title}")
    if ours is None or peer is None:
        return [title, _beside(ours), _beside(peer), "", ""]
    value = ours.ratio_to_best_peer
    return [title, _beside(ours), _beside(peer), Text(ratio(value), style=_verdict(value)), _bar(value or 1.0)]


def _beside(record: Record | None) -> str:
    return f"{record.runner} {seconds(record.median_s)}" if record else "—"


def _bar(value: float) -> Text:
    """To the right of the middle for faster, by doublings."""
    length = max(-9, min(9, round(math.log2(value) * 4)))
    left, right = "█" * max(0, -length), "█" * max(0, length)
    return Text.assemble((left.rjust(9), "red"), ("│", "dim"), (right, "green"))


def fastest(records: Sequence[Record], ours: bool) -> Record | None:
    """The fastest of our runners, or of the peers."""
    measured = [record for record in records if record.ours is ours and record.median_s is not None]
    return min(measured, key=lambda record: record.median_s or 0.0, default=None)


def means_table(run: Run) -> Table:
    """Geometric means of the speeds: a row per runner, a column per group."""
    means = geometric_means(run.records)
    table = _table("Speed, geometric mean over the workloads (how many)")
    table.add_column("runner", no_wrap=True)
    groups = [group for group in GROUPS if any(key[0] == group for key in means)]
    for group in groups:
        table.add_column(group, justify="right")
    for runner in dict.fromkeys(record.runner for record in run.measured()):
        cells = [means.get((group, runner)) for group in groups]
        table.add_row(runner, *(f"{cell[0]:.2f}× ({cell[1]})" if cell else "" for cell in cells))
    return table


def machine_lines(run: Run) -> list[str]:
    """What it ran on, in a few lines."""
    machine, options = run.machine, run.options
    caches = ", ".join(f"{level} {value}" for level, value in machine.get("caches", {}).items())
    rates = machine.get("copy_bytes_per_s", {})
    copies = ", ".join(f"{rate / 1e9:.0f} GB/s at {size(float(nbytes))}" for nbytes, rate in rates.items())
    multiply = machine.get("matmul_flops_per_s")
    lines = [
        f"{machine['cpu']}, {machine['cores']} cores ({caches}); {machine['platform']}, Python {machine['python']}",
        f"graphc {machine.get('commit') or ''}, NumPy {machine['numpy']} with {machine['blas']}; {run.date}",
        f"suite {options['size']}, {options['threads']} threads each, at most {options['rounds']} rounds",
        f"here a copy moves {copies}; a matrix product does {multiply / 1e9:.0f} GFLOP/s" if multiply else "",
        f"GPU: {machine['gpu']}" if machine.get("gpu") else "",
    ]
    return [line for line in lines if line]


def absent_lines(run: Run) -> list[str]:
    """What is not there, a line each."""
    return [f"{name}: {reason}" for name, reason in run.absent.items()]


class Terminal:
    """Follows a run on the terminal: progress below, finished tables above it."""

    def __init__(self, console: Console) -> None:
        self.console = console
        columns = (
            BarColumn(20),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}", markup=False),
        )
        # Nothing is drawn while a clock runs: that would take a core from what is timed.
        self.progress = Progress(*columns, console=console, auto_refresh=False, transient=True)
        self.task = self.progress.add_task("what the machine can do", total=None)
        self.title = ""

    def __enter__(self) -> Terminal:
        self.progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.progress.stop()

    def begin(self, workload: Workload, number: int, count: int) -> None:
        """Before a workload is measured."""
        self.title = workload.title
        self.progress.update(self.task, total=count, completed=number - 1)

    def say(self, text: str) -> None:
        """What is being done."""
        self.progress.update(self.task, description=f"{self.title}: {text}" if self.title else text, refresh=True)

    def end(self, records: Sequence[Record]) -> None:
        """A workload has been measured."""
        self.console.print(workload_report(records))
        self.progress.advance(self.task)


def print_summary(console: Console, run: Run) -> None:
    """What stands below the tables of the workloads."""
    peers = any(not record.ours for record in run.measured())
    if peers and any(record.ours for record in run.measured()):
        console.print(summary_table(run))
    if peers:
        console.print(means_table(run))
    for title, lines in (("Not here", absent_lines(run)), ("Machine", machine_lines(run))):
        if lines:
            console.print(f"[bold]{title}[/]")
            console.print("\n".join(f"  {line}" for line in lines), highlight=False, soft_wrap=True, markup=False)
    console.print("\n[bold]How to read this[/]")
    console.print("\n".join(f"  {line}" for line in LEGEND.split("\n")), style="dim", highlight=False, soft_wrap=True)


def print_all(console: Console, run: Run) -> None:
    """A whole run again, as from its JSON file."""
    for records in run.by_workload().values():
        console.print(workload_report(records))
    print_summary(console, run)
