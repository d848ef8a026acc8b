"""`.ci/setup demo`: when it tries to install the optional jax extra, with an interpreter that only takes notes."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PYTHON = """#!/bin/sh
echo "$@" >>calls
case "$*" in *jax*) exit {jax} ;; esac
"""


class Checkout:
    """A copy of what the script reads, with a virtual environment that an older pyproject.toml asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / ".ci").mkdir()
        (folder / ".venv" / "bin").mkdir(parents=True)
        for name in (".ci/setup", "pyproject.toml"):
            (folder / name).write_bytes((ROOT / name).read_bytes())
        (folder / ".venv" / ".stamp-demo").write_text("of another pyproject.toml\njax=ok\n", encoding="utf-8")

    def demo(self, *, jax_installs: bool = True, **environment: str) -> tuple[list[str], str]:
        """What pip is asked to install, and what the script says."""
        python = self.folder / ".venv" / "bin" / "python"
        python.write_text(PYTHON.format(jax=0 if jax_installs else 1), encoding="utf-8")
        python.chmod(0o755)
        calls = self.folder / "calls"
        calls.write_text("", encoding="utf-8")
        inherited = {name: value for name, value in os.environ.items() if name != "GRAPHC_DEMO_JAX"}
        command = ["sh", ".ci/setup", "demo"]
        done = subprocess.run(
            command, cwd=self.folder, env=inherited | environment, text=True, capture_output=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        asked = calls.read_text(encoding="utf-8").splitlines()
        return [line.split()[-1] for line in asked if "pip install" in line], done.stdout


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_jax_is_tried_once(checkout: Checkout) -> None:
    assert checkout.demo()[0] == [".", ".[jax]"]
    assert checkout.demo() == ([], "")


def test_the_demo_goes_on_without_jax(checkout: Checkout) -> None:
    installed, said = checkout.demo(jax_installs=False)
    assert installed == [".", ".[jax]"]
    assert "going on without jax" in said
    installed, said = checkout.demo(jax_installs=False)
    assert installed == []
    assert "'make jax' tries again" in said


def test_jax_can_be_left_out_and_tried_later(checkout: Checkout) -> None:
    installed, said = checkout.demo(GRAPHC_DEMO_JAX="0")
    assert installed == ["."]
    assert "jax" not in said
    assert checkout.demo(GRAPHC_DEMO_JAX="0") == ([], "")
    assert checkout.demo()[0] == [".[jax]"]
