"""Wrong answers become small scripts that stand alone, show the mismatch, and run as they are."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from random_graphs import SIZES, make_case

import graphc as gc
from graphc.errors import ArgumentError
from graphc.ir.key import structural_key
from graphc.reproducer.problem import Change, Problem, node_values
from graphc.reproducer.script import Setting, print_script
from graphc.reproducer.shrinking import shrink
from graphc_numpy import emit

BREAK = """
import runpy, sys
from graphc_numpy import emit
emit.ROWS["subtract"] = lambda step, o: [emit.Line("subtract", (o.inputs[1], o.inputs[0], o.output))]
runpy.run_path(sys.argv[1])
"""


def problem_of(seed: int) -> Problem:
    case = make_case(seed)
    return Problem(case.graph, case.arrays(SIZES), SIZES)


def executed(script: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(script, "script.py", "exec"), names)
    return names


@pytest.mark.parametrize("seed", range(12))
def test_a_script_records_the_same_graph(seed: int) -> None:
    """What a script makes has the keys of what it was printed from: with symbolic sizes, and with static ones."""
    for problem in (problem_of(seed), Change(problem_of(seed), static=True).build()):
        names = executed(print_script(problem, Setting()))
        recorded = names["step"].plan.recorded
        assert [structural_key(node) for node in recorded.outputs] == [
            structural_key(node) for node in problem.graph.outputs
        ]
        assert names["culprit"].kind == "nothing"
        for got, array in zip(names["feeds"], (problem.values[node] for node in problem.graph.parameters), strict=True):
            assert got.dtype == array.dtype
            np.testing.assert_array_equal(got, array)


def test_a_script_says_what_came_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHC_EXACTNESS", "exact")
    assert "CompileOptions(exactness='exact')" in print_script(problem_of(0), Setting(options=gc.CompileOptions()))


def test_a_wrong_kernel_becomes_a_script_of_a_few_lines(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The script fails where the kernel is wrong, showing both answers, and passes where it is right."""
    with monkeypatch.context() as patch:
        swapped = lambda step, o: [emit.Line("subtract", (o.inputs[1], o.inputs[0], o.output))]  # noqa: E731
        patch.setitem(emit.ROWS, "subtract", swapped)
        with gc.Graph("model") as graph:
            x = gc.placeholder("x", ("n", 3))
            w = gc.Variable(np.arange(6, dtype=np.float32).reshape(3, 2), name="w")
            centred = x - gc.mean(x, axis=0)
            results = [gc.exp(centred @ w), gc.sum(gc.square(centred), axis=-1)]
        with gc.Session(graph, backend="numpy") as session:
            step = session.compile(results, [x])
            array = np.array([[1, 2, 3], [4, 5, 7], [6, 9, 8]], np.float32)
            script = gc.reproduce(step, array)
            assert gc.reproduce(step, array) == script  # the same call, the same script
    assert script.count("\n    ") <= 4, script
    path = tmp_path / "script.py"
    path.write_text(script)
    wrong = subprocess.run([sys.executable, "-c", BREAK, str(path)], capture_output=True, text=True, check=False)
    assert wrong.returncode == 1
    assert "the answer is wrong" in wrong.stderr
    assert "kernel subtract" in wrong.stdout
    computed, expected = wrong.stdout.split("expected\n")
    assert computed.removeprefix("computed\n").strip() != expected.split("\nkernel")[0].strip()
    right = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, check=False)
    assert right.returncode == 0, right.stderr
    assert "nothing" in right.stdout


def test_there_must_be_something_to_reproduce() -> None:
    with gc.Graph():
        x = gc.placeholder("x", ("n",))
    with pytest.raises(ArgumentError, match="nothing to reproduce"):
        gc.reproduce(gc.compile(x + x, [x]), np.ones(2, np.float32))
    with pytest.raises(ArgumentError, match="reproduce follows an answer"):
        gc.reproduce(x)  # type: ignore[arg-type]


def has(op: str) -> Callable[[Problem], bool]:
    return lambda problem: any(node.op.name == op for node in problem.graph.nodes)


@pytest.mark.parametrize("seed", range(6))
def test_shrinking_keeps_what_is_wrong_and_nothing_else(seed: int) -> None:
    """If the presence of an op is what is wrong, that op over its leaves is left."""
    problem = problem_of(seed)
    ops = {node.op.name for node in problem.graph.nodes} - {"placeholder", "variable", "constant", "dim_value", "iota"}
    for op in sorted(ops):
        least = shrink(problem, has(op))
        left = [node.op.name for node in least.graph.nodes if node.op.name not in ("placeholder", "constant", "iota")]
        assert op in left
        assert len(left) <= (2 if op == "project" else 1), left
        assert not least.graph.updates
        assert all(not array.any() for array in least.values.values())


def test_shrinking_stops_when_its_budget_is_spent() -> None:
    tried = []

    def wrong(problem: Problem) -> bool:
        tried.append(problem)
        return False

    problem = problem_of(0)
    assert shrink(problem, wrong, budget=10) is problem
    assert len(tried) == 10


def test_a_cut_keeps_the_values_behind_it() -> None:
    problem = problem_of(1)
    values = node_values(problem)
    inner = [node for node in problem.graph.nodes if node.inputs and not isinstance(values[node], tuple)]
    cut = Change(problem, cuts={node: values[node] for node in inner[::3]}).build()
    for mine, theirs in zip(cut.graph.outputs, problem.graph.outputs, strict=True):
        np.testing.assert_array_equal(node_values(cut)[mine], values[theirs])


def test_updates_are_part_of_a_script() -> None:
    with gc.Graph("counter"):
        v = gc.Variable(np.array([1.0, 2.0], np.float32), name="v")
        x = gc.placeholder("x", ("n",))
        graph = gc.Update([(v, v + gc.sum(x))])
    (pair,) = graph.assignments
    closed = type(gc.compile(x, [x]).plan.recorded)([x], [gc.exp(x)], [pair], "counter")
    values = {v: np.array([1.0, 2.0], np.float32), x: np.ones(3, np.float32)}
    names = executed(print_script(Problem(closed, values, {"n": 3}), Setting(allowed=0.0)))
    np.testing.assert_array_equal(names["computed"][1], [4, 5])
    np.testing.assert_array_equal(names["expected"][1], [4, 5])


def test_formulas_of_sizes_and_ops_without_a_function() -> None:
    with gc.Graph("formulas"):
        x = gc.placeholder("x", ("n", "min"))
        rows = gc.reshape(gc.concat([x, x], axis=0)[1:-1:2], (-1,))
        labels = gc.argmax(gc.zeros((3, 4)) + gc.sum(x), axis=-1)
        losses = gc.losses.softmax_cross_entropy(gc.ones((3, 4)), labels)
    closed = gc.compile([rows, losses], [x]).plan.recorded
    script = print_script(
        Problem(closed, {x: np.arange(6, dtype=np.float32).reshape(3, 2)}, {"n": 3, "min": 2}), Setting()
    )
    assert "apply(OPS[" in script
    names = executed(script)
    assert [node.type for node in names["step"].plan.recorded.results] == [node.type for node in closed.results]


@pytest.mark.parametrize("dtype", ["float32", "float64", "int8", "uint64", "bool"])
def test_arrays_are_printed_with_all_their_bits(dtype: str) -> None:
    rng = np.random.default_rng(0)
    array = (
        rng.standard_normal(50).astype(np.float64) * 10.0 ** rng.integers(-30, 30, 50)
        if "f" in dtype
        else rng.integers(0, 99, 50)
    )
    array = array.astype(dtype)
    if "float" in dtype:
        array = np.concatenate([array, np.array([np.nan, np.inf, -np.inf, -0.0], dtype)])
    with gc.Graph():
        node = gc.asarray(array)
    closed = gc.compile([node], []).plan.recorded
    (printed,) = executed(print_script(Problem(closed, {}, {}), Setting()))["computed"]
    assert printed.tobytes() == array.tobytes() or np.array_equal(np.nan_to_num(printed), np.nan_to_num(array))
    assert printed.dtype == array.dtype
