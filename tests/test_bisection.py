"""What bisection and the reproducer say to a wrong predicate, to XLA's own algebra, and to calls that fail."""

import runpy
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.errors import ArgumentError, NumericsError, OutOfRangeError
from graphc.reproducer.predicate import embed
from graphc.reproducer.script import RESERVED
from graphc_numpy import emit

Arrays = Sequence[np.ndarray]
Ask = Callable[..., Any]
FACTORS = np.array([1.0, 2.0], np.float32)
both = pytest.mark.parametrize("ask", [gc.bisect, gc.reproduce])


def doubled(**words: Any) -> Any:
    with gc.Graph("doubled"):
        x = gc.placeholder("x", ("n",))
        return gc.compile(x + x, [x], **words)


@pytest.fixture
def swapped(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A call whose answer is wrong: numpy subtracts the wrong way round."""
    row = lambda step, o: [emit.Line("subtract", (o.inputs[1], o.inputs[0], o.output))]  # noqa: E731
    monkeypatch.setitem(emit.ROWS, "subtract", row)
    with gc.Graph("swapped"):
        x = gc.placeholder("x", ("n",))
        y = gc.placeholder("y", ("n",))
        return gc.compile([gc.exp(x - y) * 1e-5, y], [x, y], backend="numpy")


FEEDS = np.array([1, 2, 5], np.float32), np.array([2, 4, 4], np.float32)


# --- predicates -------------------------------------------------------------------------------------------------


@both
def test_a_predicate_that_calls_everything_wrong_is_refused(ask: Ask) -> None:
    with pytest.raises(ArgumentError, match="calls the reference's own answer wrong") as caught:
        ask(doubled(), [1.0, 2.0], is_wrong=lambda c, e: True)
    assert "<lambda> is True" in str(caught.value)


@both
@pytest.mark.parametrize("predicate", [lambda c, e: c[3] > 1, lambda c, e: None, lambda c, e: c[0] != e[0]])
def test_a_predicate_that_cannot_judge_is_refused(ask: Ask, predicate: Any) -> None:
    with pytest.raises(ArgumentError, match="is_wrong cannot judge this answer"):
        ask(doubled(), [1.0, 2.0], is_wrong=predicate)


def needs_both(computed: Arrays, expected: Arrays) -> bool:
    if len(computed) != 2:
        raise ValueError("two results")
    return bool(np.abs(computed[0] - expected[0]).max() > 0 and (computed[1] == expected[1]).all())


def test_a_predicate_may_fail_on_parts(swapped: Any, tmp_path: Path) -> None:
    """Where it fails, nothing is wrong: the node cannot be named, and both results stay in the script."""
    assert gc.bisect(swapped, *FEEDS, is_wrong=needs_both).kind == "plan"
    script = gc.reproduce(swapped, *FEEDS, is_wrong=needs_both)
    assert "raise ValueError('two results')" in script
    assert ends(script, tmp_path) == "the answer is wrong"


def ends(script: str, folder: Path) -> object:
    path = folder / "script.py"
    path.write_text(script)
    with pytest.raises(SystemExit) as caught:
        runpy.run_path(str(path))
    return caught.value.code


def test_the_source_of_a_predicate_stands_in_the_script(swapped: Any, tmp_path: Path) -> None:
    """`differs` would call the answer of this script right, as it does the call's own."""
    least = 1e-9

    def tight(computed: Arrays, expected: Arrays) -> bool:
        scaled = [np.abs(c - e).max() * FACTORS[0] for c, e in zip(computed, expected, strict=True)]
        return any(bool(each > least) for each in scaled)

    for is_wrong in (tight, lambda c, e: bool(np.abs(c[0] - e[0]).max() > least)):
        script = gc.reproduce(swapped, *FEEDS, is_wrong=is_wrong)
        assert "least = 1e-09\n" in script
        assert "differs" not in script
        assert ends(script, tmp_path) == "the answer is wrong"


@pytest.mark.parametrize("known", [FACTORS, (1, 2), "text", np.inf, np, sys])
def test_what_a_predicate_reads_is_written_down(known: Any) -> None:
    other = known
    found = embed(lambda c, e: str(other) != str(c), RESERVED)
    assert found is not None
    assert found.function(str(known), None) is False  # type: ignore[arg-type]


def test_what_cannot_be_written_down() -> None:
    graph, other = 3, object()
    assert embed(lambda c, e: c[0] > graph, RESERVED) is None  # the script has another graph
    assert embed(lambda c, e: c[0] is other, RESERVED) is None
    assert embed(lambda c, e: unknown_name(c), RESERVED) is None  # type: ignore[name-defined]  # noqa: F821
    assert embed(partial(needs_both), RESERVED) is None
    assert embed(eval("lambda c, e: False"), RESERVED) is None


def test_a_script_that_would_pass_is_not_printed(swapped: Any) -> None:
    """Without the source of the predicate, `differs` must do; where it calls the answer right, there is no script."""
    small = partial(lambda c, e: bool(np.abs(c[0] - e[0]).max() > 1e-9))
    assert "import differs as is_wrong" in gc.reproduce(swapped, *FEEDS, is_wrong=small)
    with gc.Graph():
        x = gc.placeholder("x", ("n",))
        y = gc.placeholder("y", ("n",))
        nearly = gc.compile(1e6 + (x - y), [x, y], backend="numpy")
    with pytest.raises(ArgumentError, match="cannot be written into the script, which would pass without it"):
        gc.reproduce(nearly, *FEEDS, is_wrong=small)


# --- verdicts ---------------------------------------------------------------------------------------------------


def test_the_verdict_says_how_close_the_answer_is() -> None:
    text = str(gc.bisect(doubled(), [1.0, 2.0]))
    assert text == (
        "nothing: the answer is that of the reference interpreter, "
        "within 1e-3 of an array's largest element in float32, 1e-6 in float64"
    )
    assert str(gc.bisect(doubled(), [1.0], is_wrong=needs_one)).endswith("interpreter, as far as needs_one tells")


def needs_one(computed: Arrays, expected: Arrays) -> bool:
    return len(computed) != 1


@pytest.mark.requires("jax")
def test_algebra_of_xla_is_a_law_and_no_bug() -> None:
    with gc.Graph():
        x = gc.placeholder("x", ("n",))
        y = (x + 1e8) - 1e8
    step = gc.compile(y, [x], backend="jax")
    culprit = gc.bisect(step, [1.0, 2.0])
    assert (culprit.kind, culprit.name) == ("law", "jax")
    assert 'options=gc.CompileOptions(law="strict")' in culprit.reason
    with pytest.raises(ArgumentError, match="nothing to reproduce") as caught:
        gc.reproduce(step, [1.0, 2.0])
    assert 'gc.CompileOptions(law="strict")' in str(caught.value)
    strict = gc.compile(y, [x], backend="jax", options=gc.CompileOptions(law="strict"))
    assert gc.bisect(strict, [1.0, 2.0]).kind == "nothing"


# --- calls that fail --------------------------------------------------------------------------------------------


def failing(kind: str, backend: str) -> tuple[Any, list[Any]]:
    with gc.Graph():
        x = gc.placeholder("x", ("n",))
        at = gc.placeholder("at", ("m",), gc.int64)
        if kind == "take":
            return gc.compile(gc.take(x, at), [x, at], backend=backend), [[1.0, 2.0], [0, 5]]
        return gc.compile(gc.check_numerics(gc.log(x), "here"), [x], backend=backend), [[1.0, -2.0]]


@both
@pytest.mark.parametrize("backend", ["numpy", pytest.param("jax", marks=pytest.mark.requires("jax"))])
@pytest.mark.parametrize(("kind", "error"), [("take", OutOfRangeError), ("check", NumericsError)])
def test_a_call_that_fails_has_no_answer(ask: Ask, kind: str, error: type[Exception], backend: str) -> None:
    step, feeds = failing(kind, backend)
    with pytest.raises(error) as own:
        step(*feeds)
    with pytest.raises(error) as told:
        ask(step, *feeds)
    assert str(told.value) == f"the call fails, and so does the reference: {own.value}"


def test_an_answer_where_the_reference_fails_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(emit.ROWS, "check_numerics", emit.ROWS["negative"])
    step, feeds = failing("check", "numpy")
    culprit = gc.bisect(step, *feeds)
    assert (culprit.kind, culprit.name, culprit.expected) == ("kernel", "check_numerics", ())
    assert "gives an answer where the reference fails: check_numerics: here" in culprit.reason
    with pytest.raises(ArgumentError, match="nothing to reproduce") as caught:
        gc.reproduce(step, *feeds)
    assert "gc.bisect names who misses the failure" in str(caught.value)


def test_the_reference_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with gc.Graph():
        x = gc.placeholder("x", ("n",))
        step = gc.compile(gc.print(x, "x") * 2, [x], backend="numpy")
    assert gc.bisect(step, [1.0]).kind == "nothing"
    assert capsys.readouterr().out == "x: [1.]\n"
