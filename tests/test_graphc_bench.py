"""`graphc bench`: a user's own graph on all backends."""

import re
from pathlib import Path

import numpy as np
import pytest

from graphc import benchmark, cli
from graphc.errors import ArgumentError

SOURCE = """
import graphc as gc
with gc.Graph("mine") as graph:
    x = gc.placeholder("x", ("batch", 6))
    y = gc.placeholder("y", ("batch",), gc.int64)
    w = gc.Variable(gc.init.glorot_uniform(), shape=(6, 3), name="w")
    loss = gc.losses.softmax_cross_entropy(x @ w, y, reduction="mean")
    fetches = [loss, gc.optim.SGD(0.1).minimize(loss)]

def both():
    return {"loss": loss, "logits": x @ w}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(SOURCE, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["", ":loss", ":both"])
def test_a_graph_is_timed(file: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["bench", f"{file}{name}", "--backend", "numpy", "--size", "batch=4", "--seconds", "0.01"]
    assert cli.main(arguments) == 0
    header, row, *rest = capsys.readouterr().out.splitlines()
    assert header.split()[:3] == ["backend", "median", "±"]
    assert re.match(r"numpy +[\d.]+ [µm]?s +\d+ % ", row)
    assert "fed: x float32(4, 6), y int64(4,)" in rest


def test_sizes_that_nobody_gives_are_one_and_are_said(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bench", str(file), "--backend", "numpy", "--seconds", "0.01"]) == 0
    assert "--size batch=N sets batch, which is 1 here" in capsys.readouterr().out


def test_feeds_of_the_file_are_fed(file: Path) -> None:
    file.write_text(SOURCE + "import numpy as np\nfeeds = {'x': np.full((2, 6), 3, np.float32), y: [1, 2]}\n")
    chosen = benchmark.subject(str(file), {})
    fed = {node.name: array.tolist() for node, array in chosen.feeds.items()}
    assert fed == {"x": [[3.0] * 6] * 2, "y": [1, 2]}


def test_what_fails_on_a_backend_is_a_line(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(SOURCE + "feeds = {'x': [[1.0, 2.0]]}\n")
    assert cli.main(["bench", str(file), "--backend", "numpy"]) == 0
    assert re.search(r"(?m)^numpy: .*'x'", capsys.readouterr().out)


@pytest.mark.parametrize("name", [":los", ":gc"])
def test_names_that_cannot_be_timed(file: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bench", f"{file}{name}"]) == 1
    assert re.search(r"has no 'los'|nothing that can be timed|cannot be fetched", capsys.readouterr().err)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="no such file"):
        benchmark.subject(str(tmp_path / "none.py"), {})


def test_all_timings_are_seconds(file: Path) -> None:
    [timing] = benchmark.time_all(benchmark.subject(str(file), {"batch": 3}), ["numpy"], 0.01)
    assert 0 < timing.least <= timing.median
    assert timing.compiled > 0
    assert timing.peak_bytes >= 0
    assert np.isfinite(timing.spread)
