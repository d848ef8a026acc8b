"""Plots of a run, each as PNG and SVG: speed beside the best peer, the roofline, and how time grows with size."""

from __future__ import annotations

import importlib.util
import itertools
import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from benchmarks.record import Record, Run, bandwidth_at
from benchmarks.report import fastest, ratio, seconds
from benchmarks.workload import GROUPS, BenchmarkError

_INK, _QUIET, _PAPER = "#22262b", "#9aa3ad", "#ffffff"
_FAR_LEFT = 1 / 32  # of the plot of speeds
_FASTER, _SLOWER = "#1a936f", "#d1495b"
_OURS = ("#1b5fc1", "#7a3fd0", "#0f9fb5", "#c2378a")
_STEPS = [0, *(sign * 11 * n for n in range(1, 12) for sign in (-1, 1))]  # points by which a name moves away
_PEERS = ("#e08e1b", "#8c6d46", "#5f6b76", "#b8a13a", "#4b8b5f", "#c97b84", "#8a94c8", "#2b2f36")
_STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "axes.edgecolor": _QUIET,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 13,
    "axes.titleweight": "bold",
    "axes.titlepad": 14,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "grid.color": "#e6e9ec",
    "legend.frameon": False,
    "figure.facecolor": _PAPER,
    "savefig.facecolor": _PAPER,
    "svg.fonttype": "none",
    "svg.hashsalt": "graphc",
}


def require_matplotlib() -> None:
    """Raises before an hour of measuring instead of after it."""
    if importlib.util.find_spec("matplotlib") is None:
        raise BenchmarkError("plots need matplotlib: pip install 'graphc[bench]', or leave --plot out")


def draw(run: Run, folder: Path) -> list[Path]:
    """Writes the plots that the run has figures for; returns the files."""
    require_matplotlib()
    import matplotlib

    folder.mkdir(parents=True, exist_ok=True)
    written = []
    with matplotlib.rc_context({**matplotlib.rcParamsDefault, **_STYLE, "backend": "agg"}):
        for name, plot in _PLOTS.items():
            figure = plot(run)
            if figure is None:
                continue
            for kind in ("png", "svg"):
                written.append(folder / f"{name}.{kind}")
                metadata = {"Date": None} if kind == "svg" else None
                figure.savefig(written[-1], dpi=160, bbox_inches="tight", pad_inches=0.25, metadata=metadata)
    return written


def _figure(width: float, height: float) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    return figure, figure.add_subplot()


def _colours(run: Run) -> dict[str, str]:
    """By runner: strong colours for ours, quieter ones for peers."""
    names = dict.fromkeys((record.runner, record.ours) for record in run.measured())
    ours, peers = ([name for name, own in names if own is which] for which in (True, False))
    pairs = [(name, _OURS[i % len(_OURS)]) for i, name in enumerate(ours)]
    return dict(pairs + [(name, _PEERS[i % len(_PEERS)]) for i, name in enumerate(peers)])


def _footnote(axes: Any, run: Run, offset: float) -> None:
    text = f"{run.machine['cpu']}, {run.options['threads']} threads, {run.date[:10]}"
    axes.annotate(text, (0, 0), (0, offset), "axes fraction", "offset points", color=_QUIET, fontsize=8)


# --- speed beside the best peer ----------------------------------------------------------------------------------


def speeds(run: Run) -> Any:
    """A row per workload, a dot per runner; the fastest peer is at 1."""
    rows = [r for r in _by_group(run) if fastest(r, True) and fastest(r, False)]
    if not rows:
        return None
    places = _places(rows)
    figure, axes = _figure(9.5, 1.9 + 0.36 * max(places))
    colours = _colours(run)
    for records, y in zip(rows, places, strict=True):
        _speed_row(axes, records, y, colours)
    axes.axvline(1, color=_INK, linewidth=1.2, zorder=1)
    highest = max(record.ratio_to_best_peer or 0 for records in rows for record in records)
    axes.set_xscale("log", base=2)
    axes.set_xlim(_FAR_LEFT / 1.25, max(2.0, highest * 1.4))
    axes.xaxis.set_major_formatter(lambda value, position: f"{value:g}×" if value >= 1 else f"1/{1 / value:g}×")
    axes.set_yticks(places, [records[0].title for records in rows])
    axes.set_ylim(max(places) + 0.8, min(places) - 1.3)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    axes.set_axisbelow(True)
    for group in GROUPS:
        tops = [y for records, y in zip(rows, places, strict=True) if records[0].group == group]
        if tops:
            where = (0, min(tops) - 0.75)
            axes.annotate(f"{group} ", where, xycoords=("axes fraction", "data"), ha="right", color=_QUIET, fontsize=9)
    axes.set_title("Speed beside the fastest peer")
    axes.set_xlabel("slower  ◂   the fastest peer is at 1   ▸  faster")
    for name, colour in colours.items():
        own = any(record.ours for record in run.measured() if record.runner == name)
        axes.scatter([], [], s=70 if own else 28, color=colour, label=name)
    axes.legend(loc="upper left", bbox_to_anchor=(1.09, 1), handletextpad=0.2)
    _footnote(axes, run, -48)
    return figure


def _by_group(run: Run) -> list[list[Record]]:
    return sorted(run.by_workload().values(), key=lambda records: GROUPS.index(records[0].group))


def _places(rows: Iterable[list[Record]]) -> list[float]:
    """Heights, with a gap before each group."""
    found: list[float] = []
    last, y = "", 0.0
    for records in rows:
        y += 1.0 if records[0].group == last else 2.0
        last = records[0].group
        found.append(y)
    return found


def _speed_row(axes: Any, records: list[Record], y: float, colours: dict[str, str]) -> None:
    """What is off the scale stands at its edge, as a triangle."""
    best = fastest(records, True)
    for record in records:
        if record.ratio_to_best_peer:
            value = max(record.ratio_to_best_peer, _FAR_LEFT)
            marker = "o" if value == record.ratio_to_best_peer else "<"
            area, layer = (70, 4) if record.ours else (28, 3)
            axes.scatter(value, y, s=area, color=colours[record.runner], marker=marker, zorder=layer, edgecolor=_PAPER)
    if best is None or not best.ratio_to_best_peer:
        return
    value = best.ratio_to_best_peer
    shade = _FASTER if value >= 1 else _SLOWER
    axes.plot([1, max(value, _FAR_LEFT)], [y, y], color=shade, linewidth=8, alpha=0.22, solid_capstyle="butt", zorder=2)
    where = ("axes fraction", "data")
    axes.annotate(ratio(value), (1.07, y), xycoords=where, ha="right", va="center", color=shade, fontweight="bold")


# --- roofline ----------------------------------------------------------------------------------------------------


def roofline(run: Run) -> Any:
    """Flops a second over flops a byte: ours and the fastest peer under what the machine can do."""
    rows = [r for r in run.by_workload().values() if r[0].flops and r[0].nbytes and fastest(r, True)]
    rates = run.machine.get("copy_bytes_per_s")
    roof = run.machine.get("matmul_flops_per_s")
    if not rows or not rates or not roof:
        return None
    figure, axes = _figure(10, 6.2)
    intensities = [records[0].flops / records[0].nbytes for records in rows]
    left, right = min(intensities) / 3, max(max(intensities) * 3, 100.0)
    memory, cache = bandwidth_at(rates, float("inf")), max(rates.values())
    slowest = min(r[0].flops / (one.median_s or 1) for r in rows if (one := fastest(r, True)))
    axes.set(xscale="log", yscale="log", xlim=(left, right), ylim=(slowest / 3e9, roof * 2.5 / 1e9))
    for bandwidth, name, style in ((memory, "memory", "-"), (cache, "cache", (0, (4, 3)))):
        axes.plot([left, roof / bandwidth], [left * bandwidth / 1e9, roof / 1e9], color=_QUIET, linestyle=style)
        _along(axes, f"{name}, {bandwidth / 1e9:.0f} GB/s", left * 1.15, left * 1.15 * bandwidth / 1e9)
    axes.plot([roof / cache, right], [roof / 1e9] * 2, color=_QUIET)
    label = f"matrix product, {roof / 1e9:.0f} GFLOP/s"
    axes.annotate(
        label, (right, roof / 1e9), (0, 5), ha="right", fontsize=8.5, textcoords="offset points", color=_QUIET
    )
    for records in rows:
        _roofline_point(axes, records)
    _label_points(axes, rows)
    axes.scatter([], [], s=60, color=_OURS[0], label="our fastest runner")
    axes.scatter([], [], s=42, facecolor=_PAPER, edgecolor=_PEERS[0], linewidth=1.6, label="the fastest peer")
    axes.legend(loc="lower right")
    axes.set(xlabel="flops per byte that must be moved", ylabel="GFLOP/s")
    axes.set_title("How far from what the machine can do")
    axes.grid(which="major")
    axes.set_axisbelow(True)
    _footnote(axes, run, -44)
    return figure


def _along(axes: Any, text: str, x: float, y: float) -> None:
    """Writes along a line of slope 1."""
    (left, low), (right, high) = axes.transData.transform([(x, y), (x * 2, y * 2)])
    angle = math.degrees(math.atan2(high - low, right - left))
    axes.annotate(text, (x, y), (-3, 5), textcoords="offset points", color=_QUIET, fontsize=8.5, rotation=angle,
                  rotation_mode="anchor", clip_on=True)  # fmt: skip


def _label_points(axes: Any, rows: list[list[Record]]) -> None:
    """Names beside the points of our runners, on no other name or point; a line leads to one that is further off."""
    scale = axes.figure.dpi / 72
    both = [[_rate(records, True), _rate(records, False)] for records in rows]
    places = axes.transData.transform([point for pair in both for point in pair]) / scale
    taken = [(x - 5, y - 5, x + 5, y + 5) for x, y in places]
    ours = places[::2]
    for at in sorted(range(len(rows)), key=lambda i: -ours[i][1]):
        name, (x, y) = rows[at][0].workload, ours[at]
        width, height = 5.0 * len(name), 10
        for step, side in itertools.product(_STEPS, (1, -1)):
            left = x + 9 if side > 0 else x - 9 - width
            box = (left, y + step - height / 2, left + width, y + step + height / 2)
            if not any(_meet(box, other) for other in taken):
                break
        taken.append(box)
        axes.annotate(
            name, both[at][0], (box[0] - x, step), textcoords="offset points", fontsize=8, va="center",
            arrowprops={"arrowstyle": "-", "color": _QUIET, "linewidth": 0.6} if step else None,
        )  # fmt: skip


def _rate(records: list[Record], ours: bool) -> tuple[float, float]:
    """Flops a byte and GFLOP/s of our fastest runner, or the fastest peer if there is one."""
    found = fastest(records, ours) or fastest(records, True)
    seconds_a_call = (found and found.median_s) or math.nan
    return records[0].flops / records[0].nbytes, records[0].flops / seconds_a_call / 1e9


def _meet(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _roofline_point(axes: Any, records: list[Record]) -> None:
    x, ours = _rate(records, True)
    if fastest(records, False):
        _, peer = _rate(records, False)
        axes.plot([x, x], [ours, peer], color=_QUIET, linewidth=1, zorder=2)
        axes.scatter(x, peer, s=42, facecolor=_PAPER, edgecolor=_PEERS[0], linewidth=1.6, zorder=3)
    axes.scatter(x, ours, s=60, color=_OURS[0], zorder=4, edgecolor=_PAPER)


# --- scaling -----------------------------------------------------------------------------------------------------


def scaling(run: Run) -> Any:
    """Time over size, a panel per series, a line per runner."""
    points = [record for record in run.measured() if record.series]
    titles = dict.fromkeys(record.series[0] for record in points if record.series)
    series = {title: [r for r in points if r.series and r.series[0] == title] for title in titles}
    series = {title: records for title, records in series.items() if len({r.workload for r in records}) > 1}
    if not series:
        return None
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.9 * len(series) + 1, 4.6), layout="constrained")
    panels = figure.subplots(1, len(series), squeeze=False)[0]
    colours = _colours(run)
    for axes, (title, records) in zip(panels, series.items(), strict=True):
        for runner in dict.fromkeys(record.runner for record in records):
            _scaling_line(axes, [r for r in records if r.runner == runner], colours[runner])
        axes.set(xscale="log", yscale="log", xlabel="size")
        axes.yaxis.set_major_formatter(lambda value, position: seconds(value))
        axes.set_title(title, fontsize=11)
        axes.grid(which="major")
    handles = {line.get_label(): line for axes in panels for line in axes.get_lines()}
    figure.legend(handles.values(), handles.keys(), loc="outside right upper")
    return figure


def _scaling_line(axes: Any, records: list[Record], colour: str) -> None:
    points = sorted((record.series[1], record.median_s) for record in records if record.series)
    strong = records[0].ours
    width, size = (2.4, 6) if strong else (1.4, 4)
    axes.plot(*zip(*points, strict=True), "o-", color=colour, linewidth=width, markersize=size, label=records[0].runner)


_PLOTS: dict[str, Callable[[Run], Any]] = {"speed": speeds, "roofline": roofline, "scaling": scaling}
