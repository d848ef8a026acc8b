"""`make demo`'s script: what it shows, at the widths and encodings of terminals and pipes."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

DEMO = Path(__file__).parents[1] / "examples" / "demo.py"


@pytest.mark.parametrize(("width", "encoding"), [(80, "utf-8"), (150, "utf-8"), (80, "ascii")])
def test_demo(width: int, encoding: str) -> None:
    environment = {**os.environ, "COLUMNS": str(width), "PYTHONIOENCODING": encoding}
    command = [sys.executable, "-W", "error", str(DEMO)]
    done = subprocess.run(command, env=environment, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr.decode()
    text = done.stdout.decode(encoding)
    lines = text.splitlines()
    assert max(map(len, lines)) <= width
    for passed in ("canonicalise", "simplify", "cse", "legalize"):
        assert re.search(rf"(?m)^{passed} +\d+ +\d+ +\d+ +\d+\.\d", text)
    assert re.search(r"(?m)^cse +exact +\d+ +\S*train_digits.py:\d+", text)
    assert re.search(r"compiled once, for any batch size, in \d+", text)
    assert re.search(r"(?m)^ +1024 +[\d,]+ KiB +[\d,]+ KiB", text)
    epochs = re.findall(r"(?m)^epoch +(\d+) +loss (\S+) +held-out accuracy (\S+)%", text)
    assert [int(number) for number, _, _ in epochs] == list(range(1, len(epochs) + 1))
    assert float(epochs[-1][1]) < float(epochs[0][1]) / 10
    assert float(epochs[-1][2]) > 95
    (captions,) = [line for line in lines if "(it is" in line][:1]
    above = lines[lines.index(captions) - 8 : lines.index(captions)]
    assert all(set(line) <= set(" .:*#" if encoding == "ascii" else " ░▒▓█") for line in above)
    assert captions.count("(it is") == 4
    other = text.partition("the same graph on the jax backend")[2]
    if importlib.util.find_spec("jax") is None:
        assert "jax is not installed" in other
        return
    assert float(re.search(r"differ by (\S+) at most", other)[1]) < 1e-3
    losses = re.findall(r"(?m)^(?:numpy|jax) +\d+\.\d+ ms per training step, loss (\d\.\d+)", other)
    assert len(losses) == 2
    assert float(losses[0]) == pytest.approx(float(losses[1]), rel=1e-3)


def test_demo_without_jax(tmp_path: Path) -> None:
    """It says so, and goes on."""
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['jax'] = None  # cannot be imported\n")
    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "COLUMNS": "80", "PYTHONIOENCODING": "utf-8", "PYTHONPATH": path}
    command = [sys.executable, "-W", "error", str(DEMO)]
    done = subprocess.run(command, env=environment, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr.decode()
    end = done.stdout.decode().partition("the same graph on the jax backend")[2]
    assert "jax is not installed" in end
    assert "s in all." in end
