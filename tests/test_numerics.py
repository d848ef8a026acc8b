"""`check_numerics`: a run that fails commits nothing, and tells which line made the first value that is not finite."""

from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc import reference
from graphc.errors import NumericsError


def fails(fetches: Any, graph: gc.Graph, feeds: dict[str, Any] | None = None) -> NumericsError:
    with gc.Session(graph) as session, pytest.raises(NumericsError) as caught:
        session.run(fetches, feeds or {})
    return caught.value


def made_by(error: NumericsError) -> str:
    return error.origins.lines[0].text


def test_the_first_nan_is_found_behind_others() -> None:
    with gc.Graph() as graph:
        x = gc.placeholder("x", shape=("n",))
    fine = gc.exp(x)
    roots = gc.sqrt(x)
    mixed = gc.stack([fine, roots * 2.0])
    checked = gc.check_numerics(gc.sum(mixed, axis=0))
    error = fails(checked, graph, {"x": np.array([4.0, -2.25], np.float32)})
    assert made_by(error) == "roots = gc.sqrt(x)"
    assert len(error.origins.lines) == 2
    assert "sqrt(-2.25) = nan at [1]" in str(error)
    assert "1 NaN, 0 infinite at the check" in str(error)


def test_an_infinity_that_a_nan_is_made_of_is_shown() -> None:
    with gc.Graph() as graph:
        x = gc.placeholder("x")
    big = gc.exp(x)
    difference = big - big * 2.0
    error = fails(gc.check_numerics(difference, "difference"), graph, {"x": np.float32(100.0)})
    assert made_by(error) == "difference = big - big * 2.0"
    assert "check_numerics: difference: 1 of 1" in error.message
    assert "subtract(inf, inf) = nan" in str(error)


def test_infinities_that_do_no_harm_are_not_blamed() -> None:
    with gc.Graph() as graph:
        x = gc.placeholder("x", shape=("n",))
    masked = gc.where(x > 0.0, x, float("-inf"))
    shares = gc.nn.softmax(masked)
    logs = gc.log(x)
    error = fails(gc.check_numerics(shares + logs), graph, {"x": np.array([-1.0, 2.0], np.float32)})
    assert made_by(error) == "logs = gc.log(x)"


def test_reductions_and_products_are_named_without_operands() -> None:
    with gc.Graph() as graph:
        x = gc.placeholder("x", shape=(2, 2))
    total = gc.sum(x)
    error = fails(gc.check_numerics(total), graph, {"x": np.full((2, 2), 3e38, np.float32)})
    assert made_by(error) == "total = gc.sum(x)"
    assert "inf from sum" in str(error)
    product = x @ x
    error = fails(gc.check_numerics(product), graph, {"x": np.full((2, 2), 3e38, np.float32)})
    assert made_by(error) == "product = x @ x"
    assert "inf from matmul at [0, 0]" in str(error)


def test_a_gradient_is_blamed_on_the_line_that_it_is_of() -> None:
    with gc.Graph() as graph:
        w = gc.Variable([0.0, 1.0], name="w")
        loss = gc.sum(gc.sqrt(w))
        (slope,) = gc.gradients(loss, [w])
        checked = gc.check_numerics(slope, "slope")
    error = fails([checked, gc.assign(w, checked)], graph)
    assert made_by(error) == "loss = gc.sum(gc.sqrt(w))"
    assert "inf" in str(error.got)


def test_the_failed_check_of_several_is_followed() -> None:
    with gc.Graph() as graph:
        x = gc.placeholder("x", shape=("n",))
    checks = [gc.check_numerics(f(x)) for f in (gc.exp, gc.log, gc.abs)]
    error = fails(checks, graph, {"x": np.array([-1.0], np.float32)})
    assert "log(-1.0) = nan" in str(error)


def test_the_state_stays_and_nothing_is_printed_twice(capsys: pytest.CaptureFixture[str]) -> None:
    with gc.Graph() as graph:
        x = gc.placeholder("x")
        w = gc.Variable(1.0, name="w")
        new = gc.check_numerics(gc.print(w * x, "new w"))
        step = gc.assign(w, new)
    with gc.Session(graph) as session:
        session.run(step, {"x": 2.0})
        with pytest.raises(NumericsError, match="feed for 'x'"):
            session.run(step, {"x": float("nan")})
        assert (session.value(w), session.step) == (2.0, 1)
        session.run(step, {"x": 3.0})
        assert (session.value(w), session.step) == (6.0, 2)
    assert capsys.readouterr().out.split("new w: ")[1:] == ["2.0\n", "nan\n", "6.0\n"]


def test_without_a_session_the_line_is_told_too() -> None:
    negative = gc.asarray([1.0, -1.0])
    logs = gc.log(negative)
    with pytest.raises(NumericsError, match="the first NaN is a constant") as caught:
        gc.evaluate(gc.check_numerics(logs))
    assert "logs = gc.log(negative)" in str(caught.value)
    assert len(caught.value.origins.lines) == 2


def test_prints_stand_after_their_labels(capsys: pytest.CaptureFixture[str]) -> None:
    for backend in (gc.evaluate, lambda t: reference.evaluate([t], {}, {})):
        backend(gc.print(gc.asarray(12.0), "total"))
        backend(gc.print(gc.asarray(12.0)))
        assert capsys.readouterr().out == "total: 12.0\n12.0\n"
