"""The command line: `graphc backends`, `graphc info`."""

import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

import graphc as gc
from graphc import cli
from graphc.backend import Capabilities
from graphc.lowering import registry
from graphc.lowering.backend import Availability
from graphc_numpy import NumpyBackend

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
    assert re.search(r"(?m)^numpy +available +no +NumPy " + re.escape(np.__version__) + "$", done.stdout)
    assert run(way, "--version").stdout == f"graphc {gc.__version__}\n"


def test_info_has_what_a_bug_report_needs(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["info"]) == 0
    lines = capsys.readouterr().out.splitlines()
    found = dict(line.split(maxsplit=1) for line in lines if " " in line)
    assert found["graphc"] == gc.__version__
    assert found["python"] == ".".join(map(str, sys.version_info[:3])) or sys.version.startswith(found["python"])
    assert found["numpy"].startswith((np.__version__, "available"))
    assert f"{os.cpu_count()} cores" in found["machine"]
    assert {"platform", "cpu", "gpu", "ml_dtypes", "rich", "jax", "llvmlite", "blas"} <= found.keys()
    assert lines.index("backends") < len(lines) - 1


def test_info_has_the_settings_that_matter_and_no_paths(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setenv("GRAPHC_DUMP", "/home/somebody/dumps")
    monkeypatch.setenv("GRAPHC_TOKEN", "sesame")
    assert cli.main(["info"]) == 0
    text = capsys.readouterr().out
    assert re.search(r"(?m)^OMP_NUM_THREADS +3$", text)
    assert not re.search("somebody|sesame", text)
    assert str(Path(cli.__file__).parents[1]) not in text


def test_the_driver_and_the_gpus_are_read_from_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = tmp_path / "gpus" / "0000:01:00.0"
    gpu.mkdir(parents=True)
    (gpu / "information").write_text("Model: \t\t NVIDIA H200\nIRQ:   98\nGPU UUID: \t GPU-1234\n", encoding="utf-8")
    version = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.82.07  Wed Aug 27 2025\nGCC version: 12\n"
    (tmp_path / "version").write_text(version, encoding="utf-8")
    monkeypatch.setattr(cli, "_DRIVER", tmp_path)
    assert cli._gpu() == "driver 580.82.07, NVIDIA H200"
    monkeypatch.setattr(cli, "_DRIVER", tmp_path / "none")
    assert cli._gpu() == "no NVIDIA driver found"


@pytest.mark.parametrize("arguments", [[], ["backend"], ["info", "--everything"]])
def test_unknown_commands_are_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 2
    assert "usage: graphc" in capsys.readouterr().err


def test_a_misspelt_command_is_guessed(capsys: pytest.CaptureFixture[str]) -> None:
    known = "one of: backends, bench, conformance, info"
    for given, said in (("bakends", "did you mean 'backends'?"), ("train", known)):
        with pytest.raises(SystemExit):
            cli.main([given])
        assert f"there is no command named {given!r}: {said}" in capsys.readouterr().err


def test_info_names_variables_that_are_none_of_ours(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GRAPHC_EXACTNES", "sesame")
    monkeypatch.setenv("GRAPHC_CACHE", "/home/somebody")
    assert cli.main(["info"]) == 0
    text = capsys.readouterr().out
    assert re.search(r"(?m)^GRAPHC_EXACTNES +unknown to graphc; its value is not used$", text)
    assert not re.search("sesame|GRAPHC_CACHE|somebody", text)


@pytest.mark.requires("jax")
def test_the_version_of_jax_is_listed_without_importing_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["backends"]) == 0
    assert re.search(
        rf"(?m)^jax +available +no +runs on JAX's .*; jax {metadata.version('jax')}$", capsys.readouterr().out
    )


class Absent(NumpyBackend):
    """A backend whose device is missing."""

    def info(self) -> Capabilities:
        return super().info()._replace(name="far")

    def availability(self) -> Availability:
        return Availability(False, "there is no such device in this machine", remedy="buy one\nor borrow one")


def broken() -> None:
    raise ZeroDivisionError("in its own code")


def test_backends_that_are_absent_or_broken_are_listed_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    points = {
        name: metadata.EntryPoint(name, f"{__name__}:{factory.__name__}", registry.GROUP)
        for name, factory in {"far": Absent, "rotten": broken}.items()
    }
    monkeypatch.setattr(registry, "_entry_points", lambda: points)
    monkeypatch.setattr(registry, "_loaded", {})
    assert cli.main(["backends"]) == 0
    header, *_, far, buy, borrow, rotten, update = capsys.readouterr().out.splitlines()
    at = header.index("why")
    assert header.split() == ["name", "state", "accelerator", "why"]
    assert re.fullmatch(r"far +not available +- +", far[:at])
    assert far[at:] == "there is no such device in this machine"
    assert (buy, borrow) == (" " * at + "fix: buy one", " " * at + "fix: or borrow one")
    assert re.fullmatch(r"rotten +broken +- +", rotten[:at])
    assert rotten[at:].endswith("'rotten' cannot be loaded: ZeroDivisionError: in its own code")
    assert update[at:] == f"fix: update or remove {__name__}:broken, which provides it"


def test_listing_imports_no_device_library() -> None:
    script = "import sys; from graphc import cli; cli.main(['backends']); print([*sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert not re.search(r"'(jax|jaxlib|cupy|llvmlite|torch)'", done.stdout)
