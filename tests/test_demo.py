"""`make demo`'s script: what it shows, at the widths and encodings of terminals and pipes."""

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
