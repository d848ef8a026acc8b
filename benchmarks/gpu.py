"""Everything that needs a GPU, in one call of at most eight minutes: the tests that are marked `gpu`, and the suite.

`PYTHONPATH=.:backends python -m benchmarks.gpu FOLDER [--skip-tests]` writes into FOLDER the log of the tests, the
records as JSON and the tables as Markdown, and prints the tables last. Without the tests the suite has all the time.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

TOTAL_SECONDS, TEST_SECONDS = 470, 270
_LAST_WORKLOAD = 60  # that it may take once it is begun


def run_tests(folder: Path) -> str:
    """The tests that are marked `gpu`; returns the last line of their log."""
    settings = folder / "pytest.ini"  # of its own: this machine's pytest and libraries are not those that are pinned
    settings.write_text("[pytest]\nmarkers =\n    gpu\n    slow\n    fuzz\n    tpu_aot\n", encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-c", str(settings), "--rootdir=.", "-p", "no:cacheprovider"]
    command += ["-m", "gpu", "-q", "--durations=10", "--continue-on-collection-errors", "tests"]
    return run(command, folder / "tests.log", TEST_SECONDS)


def run(command: Sequence[str], log: Path, limit: float) -> str:
    """Runs a command with a log and a limit in seconds; returns the last line of the log."""
    environment = {**os.environ, "GRAPHC_REQUIRE": "gpu", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    with log.open("w", encoding="utf-8") as file:
        try:
            subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, timeout=limit, check=False, env=environment)
        except subprocess.TimeoutExpired:
            file.write(f"\nstopped after {limit:.0f} s\n")
    lines = log.read_text(encoding="utf-8").strip().splitlines()
    return lines[-1] if lines else "it wrote nothing"


def main(argv: list[str] | None = None, suite: Sequence[str] = ("--suite", "gpu")) -> int:
    """Runs everything; returns 1 if nothing could be measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--skip-tests", action="store_true")
    given = parser.parse_args(argv)
    folder = given.folder
    folder.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    tests = "skipped" if given.skip_tests else run_tests(folder)
    left = TOTAL_SECONDS - (time.monotonic() - began)
    command = [sys.executable, "-m", "benchmarks", "run", *suite, "--within", str(left - _LAST_WORKLOAD)]
    command += ["--json", str(folder / "results.json"), "--markdown", str(folder / "results.md")]
    run(command, folder / "benchmarks.log", left)
    sys.stdout.write((folder / "benchmarks.log").read_text(encoding="utf-8"))
    sys.stdout.write(f"\ntests: {tests}\n")
    return int(not (folder / "results.json").exists())


if __name__ == "__main__":
    sys.exit(main())
