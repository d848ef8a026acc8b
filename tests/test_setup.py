"""`.ci/setup`: what it installs when, and what it goes on without, with an interpreter that only takes notes."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# Fails for what it is asked to install if that matches one of the patterns.
PYTHON = """#!/bin/sh
echo "$@" >>calls
case "$*" in {fails}) echo "pip: no such wheel" >&2; exit 1 ;; esac
"""
NOTHING, JAX, NVRTC, BOTH = "nothing", "*jax*", "*nvrtc*", "*jax*|*nvrtc*"
ALL = ".[test,jax,nvrtc]"


class Checkout:
    """A copy of what the script reads, with a virtual environment that an older pyproject.toml asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / ".ci").mkdir()
        (folder / ".venv" / "bin").mkdir(parents=True)
        for name in (".ci/setup", "pyproject.toml"):
            (folder / name).write_bytes((ROOT / name).read_bytes())
        for name in ("demo", "test", "jax", "nvrtc"):
            (folder / ".venv" / f".stamp-{name}").write_text("of another pyproject.toml\nok\n", encoding="utf-8")

    def setup(self, target: str, fails: str = NOTHING, status: int = 0, **environment: str) -> tuple[list[str], str]:
        """What pip is asked to install, and what the script says."""
        python = self.folder / ".venv" / "bin" / "python"
        python.write_text(PYTHON.format(fails=fails), encoding="utf-8")
        python.chmod(0o755)
        calls = self.folder / "calls"
        calls.write_text("", encoding="utf-8")
        ours = ("GRAPHC_DEMO_JAX", "GRAPHC_REQUIRE")
        inherited = {name: value for name, value in os.environ.items() if name not in ours}
        command = ["sh", ".ci/setup", target]
        done = subprocess.run(
            command, cwd=self.folder, env=inherited | environment, text=True, capture_output=True, timeout=60
        )
        assert done.returncode == status, done.stderr
        asked = calls.read_text(encoding="utf-8").splitlines()
        return [line.split()[-1] for line in asked if "pip install" in line], done.stdout + done.stderr


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


# --- demo ----------------------------------------------------------------------------------------------------------


def test_the_demo_tries_jax_once(checkout: Checkout) -> None:
    assert checkout.setup("demo")[0] == [".", ".[jax]"]
    assert checkout.setup("demo") == ([], "")


def test_the_demo_goes_on_without_jax(checkout: Checkout) -> None:
    installed, said = checkout.setup("demo", fails=JAX)
    assert installed == [".", ".[jax]"]
    assert "going on without jax" in said
    installed, said = checkout.setup("demo", fails=JAX)
    assert installed == []
    assert "'make jax' tries again" in said
    assert checkout.setup("jax")[0] == [".[jax]"]
    assert checkout.setup("demo") == ([], "")


def test_jax_can_be_left_out_and_tried_later(checkout: Checkout) -> None:
    installed, said = checkout.setup("demo", GRAPHC_DEMO_JAX="0")
    assert installed == ["."]
    assert "jax" not in said
    assert checkout.setup("demo", GRAPHC_DEMO_JAX="0") == ([], "")
    assert checkout.setup("demo")[0] == [".[jax]"]


# --- test ----------------------------------------------------------------------------------------------------------


def test_the_tests_get_all_in_one_run_of_pip(checkout: Checkout) -> None:
    installed, said = checkout.setup("test")
    assert installed == [ALL]
    assert "up to 233 MB" in said
    assert checkout.setup("test") == ([], "")
    assert checkout.setup("demo") == ([], "")


@pytest.mark.parametrize(("fails", "missing"), [(JAX, ["jax"]), (NVRTC, ["nvrtc"]), (BOTH, ["jax", "nvrtc"])])
def test_the_tests_go_on_without_what_cannot_be_installed(fails: str, missing: list[str], checkout: Checkout) -> None:
    installed, said = checkout.setup("test", fails=fails)
    assert installed == [ALL, ".[test]", ".[jax]", ".[nvrtc]"]
    for extra in ("jax", "nvrtc"):
        assert (f"going on without {extra}, which could not be installed" in said) == (extra in missing)
    for extra in missing:
        assert "no such wheel" in (checkout.folder / ".venv" / f"{extra}.log").read_text(encoding="utf-8")
    installed, said = checkout.setup("test", fails=fails)
    assert installed == []
    for extra in ("jax", "nvrtc"):
        assert (f"{extra} is not installed: tests that need it are skipped" in said) == (extra in missing)
    for extra in missing:
        assert checkout.setup(extra)[0] == [f".[{extra}]"]
    assert checkout.setup("test") == ([], "")


def test_what_is_required_must_be_installed(checkout: Checkout) -> None:
    """Also where an earlier run, which did not require it, went on without it."""
    for _ in range(2):
        installed, said = checkout.setup("test", fails=NVRTC, status=1, GRAPHC_REQUIRE="numpy, nvrtc")
        assert installed == [ALL, ".[test]", ".[jax]", ".[nvrtc]"]
        assert "pip: no such wheel" in said
        assert "could not install graphc[nvrtc], which GRAPHC_REQUIRE names" in said
        checkout.setup("test", fails=NVRTC)
    installed, said = checkout.setup("test", fails=NVRTC, GRAPHC_REQUIRE="numpy,jax")
    assert installed == []
    assert checkout.setup("test", GRAPHC_REQUIRE="nvrtc")[0] == [ALL]
    assert checkout.setup("test", GRAPHC_REQUIRE="nvrtc") == ([], "")


def test_no_tests_without_their_tools(checkout: Checkout) -> None:
    installed, said = checkout.setup("test", fails="*test*", status=1)
    assert installed == [ALL, ".[test]"]
    assert "could not install graphc[test]" in said
    assert checkout.setup("test")[0] == [ALL]


def test_the_sizes_that_are_told_add_up() -> None:
    """The README tells the same as the script."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    script = (ROOT / ".ci" / "setup").read_text(encoding="utf-8")
    [line] = [line for line in script.splitlines() if line.startswith("base_mb=")]
    sizes = dict(part.split("=") for part in line.split())
    assert f"{sizes['jax_mb']} MB" in readme
    total = sum(int(sizes[f"{name}_mb"]) for name in ("base", "test", "jax", "nvrtc"))
    assert f"{total} MB" in readme
