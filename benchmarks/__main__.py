"""Measures graphc beside other libraries: `python -m benchmarks run`, `compare`, `show`, `list`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks import compare, markdown, plots, record, report
from benchmarks import run as running
from benchmarks import runner as runners
from benchmarks import workload as workloads
from benchmarks.harness import SUITES
from benchmarks.workload import BenchmarkError

_EXAMPLES = """\
python -m benchmarks run --suite smoke                   does everything work? under a minute
python -m benchmarks run --json a.json --plot plots      the whole suite for CPUs, some 25 minutes
python -m benchmarks run --workload 'gemm-*' --runner 'graphc*' --runner 'torch*'
python -m benchmarks run --workload mine.py              your own workload, with all runners
python -m benchmarks compare a.json b.json               what changed, and what is noise
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="measure")
    run.add_argument("--suite", choices=SUITES, default="cpu", help="cpu (the default), gpu, or smoke: small and quick")
    several: dict[str, Any] = {"nargs": "+", "action": "extend", "default": [], "metavar": "NAME"}
    run.add_argument("--workload", **several, help="names, patterns such as 'gemm-*', or a file of yours")
    run.add_argument("--runner", **several, help="names, patterns, or a file of yours, which joins the others")
    run.add_argument("--threads", type=_positive, help="of every runner; default: one per core")
    run.add_argument(
        "--rounds", type=_positive, help="timings of each runner; default: up to 25, as many as fit into 12 s"
    )
    run.add_argument("--within", type=float, metavar="S", help="begin no workload after S seconds")
    run.add_argument("--json", type=Path, metavar="FILE", help="write everything that was measured")
    run.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables")
    run.add_argument("--plot", type=Path, metavar="DIR", help="write plots as PNG and SVG; needs matplotlib")
    show = commands.add_parser("show", help="the tables, and with --plot the plots, of a run")
    show.add_argument("file", type=Path)
    show.add_argument("--markdown", type=Path, metavar="FILE")
    show.add_argument("--plot", type=Path, metavar="DIR")
    comparing = commands.add_parser("compare", help="two runs; the status is 1 if something is slower or fails now")
    comparing.add_argument("before", type=Path)
    comparing.add_argument("after", type=Path)
    comparing.add_argument("--all", action="store_true", help="show what has not changed, too")
    commands.add_parser("list", help="workloads and runners, and which can run here")
    return parser


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("it must be 1 or more")
    return value


def main(argv: Sequence[str] | None = None, console: Console | None = None) -> int:
    """Runs one command; returns the exit status."""
    given = _parser().parse_args(argv)
    console = console or report.console()
    commands = {"run": _run, "show": _show, "compare": _compare, "list": _list}
    try:
        return commands[given.command](given, console)
    except BenchmarkError as error:
        console.print(str(error), style="red", soft_wrap=True, markup=False, highlight=False)
        return 2
    except KeyboardInterrupt:
        console.print("stopped")
        return 130


def _run(given: argparse.Namespace, console: Console) -> int:
    if given.plot:
        plots.require_matplotlib()
    selection = running.Selection(given.suite, given.workload, given.runner, given.threads, given.rounds, given.within)
    with report.Terminal(console) as terminal:
        result = running.run(selection, terminal, lambda found: found.save(given.json) if given.json else None)
    report.print_summary(console, result)
    _write(given, result)
    return int(not result.measured())


def _show(given: argparse.Namespace, console: Console) -> int:
    result = record.read(given.file)
    report.print_all(console, result)
    _write(given, result)
    return 0


def _write(given: argparse.Namespace, result: record.Run) -> None:
    if given.markdown:
        given.markdown.write_text(markdown.report(result), encoding="utf-8")
    if given.plot:
        plots.draw(result, given.plot)


def _compare(given: argparse.Namespace, console: Console) -> int:
    found = compare.compare(record.read(given.before), record.read(given.after))
    compare.print_comparison(console, found, given.all)
    return int(any(row.verdict in ("slower", "failed") for row in found.rows))


def _list(given: argparse.Namespace, console: Console) -> int:
    console.print("[bold]workloads[/]")
    for workload in workloads.discover().values():
        suites = " ".join(suite for suite in SUITES if suite in workload.suites)
        console.print(
            f"  {workload.name:24} {workload.group:9} {suites:14} {workload.title}", highlight=False, markup=False
        )
    for name, reason in workloads.AWAITED.items():
        console.print(f"  {name:24} missing: {reason}", highlight=False, markup=False)
    console.print("[bold]runners[/]")
    for runner in runners.discover().values():
        state = runner.available() or "can run here"
        console.print(f"  {runner.name:24} {runner.device:9} {state}", highlight=False, markup=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
