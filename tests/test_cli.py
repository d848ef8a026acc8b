"""The command line: `graphc backends`, `graphc info`."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc import cli
from graphc.lowering import registry
from graphc.lowering.backend import Availability

SCRIPT = Path(sys.executable).with_name("graphc.exe" if os.name == "nt" else "graphc")
WAYS = {
    "python -m graphc": [sys.executable, "-m", "graphc"],
    "python -m graphc.cli": [sys.executable, "-m", "graphc.cli"],
    "the installed script": [str(SCRIPT)],
}


def run(way: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = WAYS[way]
    if not Path(command[0]).exists():
        pytest.skip(f"{command[0]} is not installed")
    return subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_start_it(way: str) -> None:
    done = run(way, "backends")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"(?m)^numpy +available +NumPy " + re.escape(np.__version__) + "$", done.stdout)
    assert run(way, "--version").stdout == f"graphc {gc.__version__}\n"


def test_info_has_what_a_bug_report_needs(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["info"]) == 0
    lines = capsys.readouterr().out.splitlines()
    found = dict(line.split(maxsplit=1) for line in lines if " " in line)
    assert found["graphc"] == gc.__version__
    assert found["python"] == ".".join(map(str, sys.version_info[:3])) or sys.version.startswith(found["python"])
    assert found["numpy"].startswith((np.__version__, "available"))
    assert f"{os.cpu_count()} cores" in found["machine"]
    assert {"platform", "ml_dtypes", "rich", "jax", "llvmlite", "blas"} <= found.keys()
    assert lines.index("backends") < len(lines) - 1


@pytest.mark.parametrize("arguments", [[], ["backend"], ["info", "--everything"]])
def test_unknown_commands_are_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 2
    assert "usage: graphc" in capsys.readouterr().err


class Absent:
    """A backend whose device is missing."""

    def info(self) -> None: ...

    def availability(self) -> Availability:
        return Availability(False, "there is no such device in this machine")


class Point:
    """An entry point of another package."""

    def __init__(self, factory: Any) -> None:
        self.load = lambda: factory


def test_backends_that_are_absent_or_broken_are_listed_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> None:
        raise ZeroDivisionError("in its own code")

    monkeypatch.setattr(registry, "_entry_points", lambda: {"far": Point(Absent), "rotten": Point(broken)})
    monkeypatch.setattr(registry, "_loaded", {})
    assert cli.main(["backends"]) == 0
    far, rotten = capsys.readouterr().out.splitlines()[-2:]
    assert re.fullmatch(r"far +not available +there is no such device in this machine", far)
    assert re.fullmatch(r"rotten +broken +.*ZeroDivisionError: in its own code", rotten)


def test_listing_imports_no_device_library() -> None:
    script = "import sys; from graphc import cli; cli.main(['backends']); print([*sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert not re.search(r"'(jax|cupy|llvmlite|torch)'", done.stdout)
