"""Bugs that were found once, as the fuzzer shrank and printed them: each script must run to its end.

A script of a backend that not every machine has says so in a line `# requires: jax`.
"""

import re
import runpy
from pathlib import Path

import pytest

SCRIPTS = sorted(Path(__file__).with_name("regressions").glob("*.py"))


def _parameter(path: Path) -> object:
    needs = re.findall(r"^# requires: (\w+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return pytest.param(path, marks=[pytest.mark.requires(name) for name in needs], id=path.stem)


@pytest.mark.parametrize("path", [_parameter(path) for path in SCRIPTS])
def test_a_bug_stays_mended(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A script ends with `SystemExit` and both answers if the bug is back."""
    runpy.run_path(str(path))
    assert "expected" in capsys.readouterr().out
