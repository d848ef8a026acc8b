"""The command line: `graphc backends`, `graphc info`, `graphc bench`, `graphc conformance`."""

from __future__ import annotations

import argparse
import importlib.metadata
import io
import os
import platform
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

import graphc
from graphc import benchmark, options
from graphc.conformance import kit
from graphc.errors import GraphcError, unknown_name
from graphc.lowering import registry

_PACKAGES = (
    "numpy", "ml_dtypes", "networkx", "opt_einsum", "safetensors", "rich", "jax", "cupy-cuda13x", "cupy-cuda12x",
    "llvmlite",
)  # fmt: skip
_ABSENT = "not installed"
_DRIVER = Path("/proc/driver/nvidia")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit status."""
    given = _arguments(sys.argv[1:] if argv is None else argv)
    status = 0
    try:
        if given.command == "conformance":
            status, lines = _conformance(given)
        else:
            lines = (
                _bench(given) if given.command == "bench" else {"backends": _backends, "info": _info}[given.command]()
            )
    except GraphcError as error:
        if given.command in ("backends", "info"):
            raise
        sys.stderr.write(f"{error}\n")
        return 1
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # the reason of another package's backend may be any text
    sys.stdout.write("\n".join(lines) + "\n")
    return status


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="graphc", description="A static computation-graph compiler.")
    parser.add_argument("--version", action="version", version=f"graphc {graphc.__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("backends", help="list the backends, whether they can run here, and why")
    commands.add_parser("info", help="versions and machine, for bug reports")
    bench = commands.add_parser("bench", help="time a graph of your own on all backends that can run here")
    bench.add_argument("file", metavar="FILE.py[:NAME]", help="a file that builds a graph, and what of it to fetch")
    bench.add_argument("--backend", action="append", default=[], help="only this one; may be given several times")
    bench.add_argument(
        "--size", action="append", default=[], metavar="NAME=N", type=_size, help="of a symbolic dimension"
    )
    bench.add_argument("--seconds", type=float, default=1.0, help="for the timings of each backend (default: 1)")
    kit = commands.add_parser("conformance", help="hold a backend to the answers that graphc promises")
    kit.add_argument("backend", metavar="NAME", help="as `graphc backends` lists it")
    kit.add_argument(
        "--family", action="append", default=[], help="only this family of ops; may be given several times"
    )
    kit.add_argument("--row", action="append", default=[], help="only this function; may be given several times")
    _require_command(parser, argv, commands.choices)
    return parser.parse_args(argv)


def _require_command(parser: argparse.ArgumentParser, given: Sequence[str], known: Iterable[str]) -> None:
    """Ends with a suggestion if the arguments begin with a word that is no command."""
    if given and not given[0].startswith("-") and given[0] not in known:
        error = unknown_name("command", given[0], list(known))
        parser.error(f"{error.message}: {error.fix if 'did you' in str(error.fix) else error.expected}")


def _backends() -> list[str]:
    """A row per backend; a remedy stands below its reason."""
    rows = [("name", "state", "accelerator", "why")]
    for name in registry.names():
        state, accelerator, reason, remedy = _backend(name)
        rows.append((name, state, accelerator, reason))
        rows += [("", "", "", f"fix: {line}") for line in remedy.splitlines()]
    return _aligned(rows)


def _backend(name: str) -> tuple[str, str, str, str]:
    try:
        found = registry.availability(name)
    except GraphcError as error:
        got = "" if error.got is None or error.got in error.message else f": {error.got}"
        return "broken", "-", " ".join((error.message + got).split()), error.fix or ""
    state = "available" if found.available else "not available"
    accelerator = ("yes" if found.accelerator else "no") if found.available else "-"
    library, _ = registry.EXTRAS.get(name, ("", ""))
    version = _version(library) if found.available and library else _ABSENT
    reason = found.reason if version == _ABSENT else f"{found.reason}; {library} {version}"
    return state, accelerator, reason, found.remedy


def _info() -> list[str]:
    rows = [
        ("graphc", graphc.__version__),
        ("python", sys.version.split()[0]),
        ("platform", platform.platform()),
        ("machine", f"{platform.machine()}, {os.cpu_count()} cores, {_usable_cores()} usable"),
        ("cpu", _cpu()),
        ("gpu", _gpu()),
        *((package, _version(package)) for package in _PACKAGES),
        ("blas", _blas()),
        *(options.settings() or {"settings": "none in the environment"}).items(),
    ]
    return [*_aligned(rows), "", "backends", *_backends()]


def _size(text: str) -> tuple[str, int]:
    name, _, number = text.partition("=")
    if not number.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=NUMBER, as in batch=32")
    return name, int(number)


def _bench(given: argparse.Namespace) -> list[str]:
    """A row per backend, and what was fed."""
    sizes = dict(given.size)
    chosen = benchmark.subject(given.file, sizes)
    table = benchmark.rows(benchmark.time_all(chosen, given.backend, given.seconds))
    width = max(map(len, table))
    whole = [row for row in table if len(row) == width]
    failed = [f"{row[0]}: {row[1]}" for row in table if len(row) != width]
    feeds = ", ".join(f"{node.name} {array.dtype}{array.shape}" for node, array in chosen.feeds.items()) or "nothing"
    free = [name for name in benchmark.symbols(chosen) if name not in sizes]
    asked = [f"--size {name}=N sets {name}, which is 1 here" for name in free]
    notes = [
        "median of 15 rounds; ± is half of the range between their quartiles; a call takes and returns NumPy arrays"
    ]
    return [*_aligned(whole), *failed, "", f"fed: {feeds}", *asked, *notes]


def _conformance(given: argparse.Namespace) -> tuple[int, list[str]]:
    """The scoreboard; the status is 1 if something failed."""
    score = kit.Score()
    for result in kit.run(given.backend, given.family, given.row):
        score.add(result)
    return int(bool(score.failures)), score.lines(lambda result: kit.reproducer(result, given.backend))


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def _usable_cores() -> int:
    """Those that this process may use: containers and batch systems often give a part of the machine."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cpu() -> str:
    [name, *_] = [*_found(r"(?m)^model name\s*: (.+)$", [Path("/proc/cpuinfo")]), platform.processor()]
    return name or "unknown"


def _gpu() -> str:
    """What NVIDIA's driver says of itself and of its GPUs in files: no library is loaded."""
    version = _found(r"NVRM version: .*?  ([\d.]+)  ", [_DRIVER / "version"])
    models = _found(r"(?m)^Model:\s*(.+)$", sorted(_DRIVER.glob("gpus/*/information")))
    return ", ".join([*(f"driver {number}" for number in version), *models]) or "no NVIDIA driver found"


def _found(pattern: str, files: Iterable[Path]) -> list[str]:
    """The first match in each file that can be read."""
    matches = (re.search(pattern, file.read_text(errors="replace")) for file in files if file.is_file())
    return [match[1].strip() for match in matches if match]


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return _ABSENT


def _blas() -> str:
    """The library that multiplies NumPy's matrices: most differences in speed come from it."""
    built = np.show_config(mode="dicts")
    blas = built.get("Build Dependencies", {}).get("blas", {})
    return f"{blas.get('name', 'unknown')} {blas.get('version', '')}".rstrip()


if __name__ == "__main__":
    sys.exit(main())
