"""Awkward values in every elementwise op and dtype: the reference's answers, and a process that lives."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("backend", ["numpy", pytest.param("jax", marks=pytest.mark.requires("jax"))])
def test_a_process_of_its_own_survives_and_agrees(backend: str) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "backends")])}
    line = [sys.executable, str(ROOT / "tests" / "edge_values.py"), backend]
    done = subprocess.run(line, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    last = done.stdout.splitlines()[-1]
    assert last.endswith(" 0 wrong")
    assert int(last.split()[0]) > 300
