"""The fuzzer's reports: their scripts are run before they are printed, and say what they need."""

from pathlib import Path

import numpy as np
import pytest
from configurations import CONFIGURATIONS
from error_bound import Wide
from random_checks import cases
from wrong_cases import _differences, _script, report, why_not_shown

import graphc as gc
from graphc.ir.graph import Graph
from graphc.reproducer.problem import Problem
from graphc_numpy import emit

SWAPPED = lambda step, o: [emit.Line("subtract", (o.inputs[1], o.inputs[0], o.output))]  # noqa: E731


def difference() -> Problem:
    with gc.Graph("difference"):
        x, y = gc.placeholder("x", ()), gc.placeholder("y", ())
        graph = Graph([x, y], [x - y], (), "difference")
    return Problem(graph, {x: np.array(0, np.float32), y: np.array(1, np.float32)}, {})


@pytest.mark.parametrize("configuration", CONFIGURATIONS, ids=lambda c: c.name)
def test_a_script_says_what_it_takes_of_the_tests(configuration: object) -> None:
    script = _script(difference(), configuration, "A difference")  # type: ignore[arg-type]
    note = script[: script.index("import")].replace("\n# ", " ")
    for module in ("small_groups", "kernel_backend", "host_device"):
        assert (
            (f"from {module} import" in script) == (module in note) == (module in note and "PYTHONPATH=tests" in note)
        )


def test_a_script_is_run_before_it_is_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "script.py"
    path.write_text(_script(difference(), CONFIGURATIONS[0], "A difference"))
    assert "gives the right answer" in why_not_shown(path)
    monkeypatch.setitem(emit.ROWS, "subtract", SWAPPED)
    assert why_not_shown(path) == ""
    path.write_text("1 / 0")
    assert why_not_shown(path) == "it fails with ZeroDivisionError: division by zero"


def test_what_depends_on_more_than_the_graph_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    ((case, found),) = cases([3])
    text = str(report(case, found[:1], "numpy", AssertionError("only now and then")))
    assert "it does not show the mismatch: run by itself, it gives the right answer" in text
    assert not capsys.readouterr().out


def test_differences_of_a_leaf_without_axes() -> None:
    with gc.Graph():
        x = gc.placeholder("x", ())
        y = x * x
    problem = Problem(Graph([x], [y], (), "square"), {x: np.array(3, np.float32)}, {})
    np.testing.assert_allclose(_differences(problem, y, x).astype(Wide), 6, 1e-6)
