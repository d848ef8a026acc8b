"""Losses and metrics: values against formulas in float64, gradients, reductions, extremes."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.conformance.tolerances import SAME_GRADIENT, VALUES, assert_close
from graphc.errors import DTypeError, OutOfRangeError, ShapeError, UnknownNameError

Array = np.ndarray
FLOATS = ["float32", "float64"]
INTEGERS = ["int8", "uint8", "int32", "uint32", "int64", "uint64"]


def run(build: Callable[..., Any], *arrays: Any) -> Any:
    """The results of a function of placeholders, whose first size is symbolic, at some arrays."""
    values = [np.asarray(array) for array in arrays]
    with gc.Graph():
        nodes = [gc.placeholder(f"p{k}", ("n", *v.shape[1:])[: v.ndim], v.dtype.name) for k, v in enumerate(values)]
        return gc.compile(build(*nodes), nodes)(*values)


def log_softmax(logits: Array) -> Array:
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def cross_entropy(logits: Array, labels: Array) -> Array:
    """Of integer labels, in float64."""
    return -np.take_along_axis(log_softmax(logits), labels.astype(np.int64)[..., None], -1)[..., 0]


def softmax_rows(labels: Array, classes: int) -> Array:
    return (labels.astype(np.int64)[..., None] == np.arange(classes)).astype(np.float64)


# --- mean squared error -----------------------------------------------------------------------------------------

P = np.float64([[0.5, -2.0], [3.0, 0.0], [1.0, 4.0]])
T = np.float64([[1.0, -2.0], [0.0, -0.0], [-1.0, 8.0]])
ERRORS = np.float64([[0.25, 0.0], [9.0, 0.0], [4.0, 16.0]])  # all exact in binary


@pytest.mark.parametrize("dtype", FLOATS)
def test_mse(dtype: str) -> None:
    p, t = P.astype(dtype), T.astype(dtype)
    reductions = ["none", "mean", "sum"]
    found = run(lambda p, t: [gc.losses.mse(p, t, reduction=r) for r in reductions] + [gc.losses.mse(p, t)], p, t)
    for value, expected in zip(found, [ERRORS, ERRORS.mean(), ERRORS.sum(), ERRORS], strict=True):
        assert_close(value, expected.astype(dtype), VALUES["sum"], "mse")


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(("reduction", "scale"), [("sum", 2.0), ("mean", 2.0 / 6)])
def test_gradient_of_mse(dtype: str, reduction: str, scale: float) -> None:
    def build(p: gc.Tensor, t: gc.Tensor) -> Any:
        return gc.gradients(gc.losses.mse(p, t, reduction=reduction), [p, t])

    found = run(build, P.astype(dtype), T.astype(dtype))
    for value, sign in zip(found, (1, -1), strict=True):
        assert_close(value, (sign * scale * (P - T)).astype(dtype), VALUES["sum"], reduction, signs=False)


def test_mse_of_what_does_not_match() -> None:
    with gc.Graph():
        p, t = gc.placeholder("p", ("n", 1)), gc.placeholder("t", ("n",))
        with pytest.raises(ShapeError, match="rank"):
            gc.losses.mse(p, t)
        with pytest.raises(UnknownNameError, match="reduction named 'average'"):
            gc.losses.mse(p, p, reduction="average")
        assert gc.losses.mse(p, 0.0 * p).dtype is gc.float32


# --- cross-entropy of integer labels ------------------------------------------------------------------------------

LOGITS = np.random.default_rng(0).normal(scale=3.0, size=(6, 5))
LABELS = np.array([0, 4, 2, 2, 1, 3])


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("label_dtype", INTEGERS)
def test_cross_entropy_values_and_reductions(dtype: str, label_dtype: str) -> None:
    logits, labels = LOGITS.astype(dtype), LABELS.astype(label_dtype)

    def build(x: gc.Tensor, y: gc.Tensor) -> Any:
        return [gc.losses.softmax_cross_entropy(x, y, reduction=r) for r in ("none", "mean", "sum")]

    rows = cross_entropy(logits, labels)
    for value, expected in zip(run(build, logits, labels), [rows, rows.mean(), rows.sum()], strict=True):
        assert_close(value, expected.astype(dtype), VALUES["softmax"], "cross-entropy")


def test_cross_entropy_by_hand() -> None:
    """log(1 + 1), log(1 + 3), log(4/3)."""
    logits = np.float64([[0.0, 0.0], [0.0, np.log(3.0)], [0.0, np.log(3.0)]])
    found = run(gc.losses.softmax_cross_entropy, logits, [0, 0, 1])
    assert_close(found, np.log([2.0, 4.0, 4.0 / 3.0]), VALUES["softmax"])


def test_cross_entropy_over_several_axes() -> None:
    logits = np.random.default_rng(1).normal(size=(2, 3, 4))
    labels = np.array([[0, 1, 2], [3, 3, 0]])
    found = run(gc.losses.softmax_cross_entropy, logits, labels)
    assert_close(found, cross_entropy(logits, labels), VALUES["softmax"])


@pytest.mark.parametrize("dtype", FLOATS)
def test_gradient_of_cross_entropy(dtype: str) -> None:
    """softmax - one-hot, scaled by what comes from above: 1, 1/n, or weights."""
    logits, weights = LOGITS.astype(dtype), np.linspace(-1, 2, 6).astype(dtype)
    expected = np.exp(log_softmax(logits)) - softmax_rows(LABELS, 5)

    def build(x: gc.Tensor, y: gc.Tensor, w: gc.Tensor) -> Any:
        loss = gc.losses.softmax_cross_entropy
        total = [loss(x, y, reduction="sum"), loss(x, y, reduction="mean"), gc.sum(loss(x, y) * w)]
        return [gc.gradients(value, x) for value in total]

    found = run(build, logits, LABELS, weights)
    for value, factor in zip(found, (1.0, 1.0 / 6, weights[:, None].astype(np.float64)), strict=True):
        assert_close(value, (expected * factor).astype(dtype), VALUES["softmax"], "gradient", signs=False)


def test_the_loss_in_parts_has_the_same_value_and_gradient() -> None:
    """Of log_softmax and one-hot rows: another road through the rules."""

    def build(x: gc.Tensor, y: gc.Tensor) -> Any:
        whole = gc.losses.softmax_cross_entropy(x, y, reduction="mean")
        parts = -gc.mean(gc.sum(gc.one_hot(y, 5, dtype=gc.float64) * gc.nn.log_softmax(x), axis=-1))
        naive = -gc.mean(gc.log(gc.sum(gc.one_hot(y, 5, dtype=gc.float64) * gc.nn.softmax(x), axis=-1)))
        return [(value, gc.gradients(value, x)) for value in (whole, parts, naive)]

    (value, gradient), *others = run(build, LOGITS, LABELS)
    for other, its_gradient in others:
        np.testing.assert_allclose(other, value, rtol=SAME_GRADIENT)
        np.testing.assert_allclose(its_gradient, gradient, rtol=0, atol=SAME_GRADIENT)


EXTREMES = np.float64(
    [[1e4, -1e4, 0.0], [-1e4, -1e4, -1e4], [1e4, 1e4, 1e4], [0.0, 1e4, -1e4], [-1e4, 0.0, 1.0], [1e4, 9999.0, 9998.0]]
)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("labels", [[0] * 6, [1] * 6, [2] * 6, [0, 1, 2, 1, 0, 2]])
def test_finite_at_logits_of_ten_thousand(dtype: str, labels: list[int]) -> None:
    """Values, gradients and their gradients, with the digits that are there."""
    logits = EXTREMES.astype(dtype)

    def build(x: gc.Tensor, y: gc.Tensor) -> Any:
        loss = gc.losses.softmax_cross_entropy(x, y)
        gradient = gc.gradients(gc.sum(loss), x)
        return loss, gradient, gc.gradients(gc.sum(gradient * gradient), x)

    loss, gradient, second = run(build, logits, labels)
    expected = np.exp(log_softmax(logits)) - softmax_rows(np.array(labels), 3)
    assert_close(loss, cross_entropy(logits, np.array(labels)).astype(dtype), VALUES["softmax"], signs=False)
    assert_close(gradient, expected.astype(dtype), VALUES["softmax"], signs=False)
    assert np.isfinite(second).all()


@pytest.mark.parametrize("label_dtype", ["int8", "int64", "uint8"])
def test_labels_out_of_range_give_the_log_sum_alone(label_dtype: str) -> None:
    """No class is subtracted, in the value and in the gradient; nothing is read from beside the row."""
    labels = np.array([5, 100, 255 if label_dtype == "uint8" else -1, 0, 1, 4]).astype(label_dtype)
    outside = np.array([True, True, True, False, False, False])

    def build(x: gc.Tensor, y: gc.Tensor) -> Any:
        loss = gc.losses.softmax_cross_entropy(x, y)
        return loss, gc.gradients(gc.sum(loss), x)

    loss, gradient = run(build, LOGITS, labels)
    log_sum = LOGITS.max(axis=-1) + np.log(np.exp(LOGITS - LOGITS.max(axis=-1, keepdims=True)).sum(axis=-1))
    inside = log_sum - LOGITS[np.arange(6), np.where(outside, 0, labels)]
    assert_close(loss, np.where(outside, log_sum, inside), VALUES["softmax"])
    hot = np.where(outside[:, None], 0.0, softmax_rows(labels, 5))
    assert_close(gradient, np.exp(log_softmax(LOGITS)) - hot, VALUES["softmax"], signs=False)


def test_labels_can_be_checked() -> None:
    """Who wants an error for a wrong label gets one from `take`."""
    with gc.Graph() as graph:
        x = gc.placeholder("x", ("n", 5), gc.float64)
        y = gc.placeholder("y", ("n",), gc.int64)
        known = gc.take(gc.arange(5), y)
        loss = gc.losses.softmax_cross_entropy(x, known, reduction="sum")
    with gc.Session(graph) as session:
        assert np.isfinite(session.run(loss, {x: LOGITS, y: LABELS}))
        with pytest.raises(OutOfRangeError):
            session.run(loss, {x: LOGITS, y: LABELS + 1})


@pytest.mark.parametrize("rows", [0, 1])
def test_cross_entropy_of_no_rows_and_of_one(rows: int) -> None:
    def build(x: gc.Tensor, y: gc.Tensor) -> Any:
        loss = gc.losses.softmax_cross_entropy(x, y)
        return loss, gc.sum(loss), gc.gradients(gc.sum(loss), x), gc.mean(loss)

    loss, total, gradient, mean = run(build, LOGITS[:rows], LABELS[:rows])
    assert loss.shape == (rows,)
    assert gradient.shape == (rows, 5)
    assert total == (loss[0] if rows else 0.0)
    assert np.isnan(mean) if not rows else mean == loss[0]


def test_one_class_costs_nothing() -> None:
    def build(x: gc.Tensor, y: gc.Tensor) -> Any:
        loss = gc.losses.softmax_cross_entropy(x, y)
        return loss, gc.gradients(gc.sum(loss), x)

    loss, gradient = run(build, np.float64([[3.0], [-1e4]]), [0, 0])
    np.testing.assert_array_equal(loss, [0.0, 0.0])
    np.testing.assert_array_equal(gradient, [[0.0], [0.0]])


# --- cross-entropy of distributions -----------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", FLOATS)
def test_cross_entropy_of_distributions(dtype: str) -> None:
    logits = LOGITS.astype(dtype)
    soft = np.random.default_rng(2).dirichlet(np.ones(5), size=6).astype(dtype)

    def build(x: gc.Tensor, q: gc.Tensor) -> Any:
        loss = gc.losses.softmax_cross_entropy(x, q)
        return loss, gc.gradients(gc.sum(loss), x)

    loss, gradient = run(build, logits, soft)
    target = soft.astype(np.float64)
    assert_close(loss, -(target * log_softmax(logits)).sum(axis=-1).astype(dtype), VALUES["softmax"])
    expected = np.exp(log_softmax(logits)) * target.sum(axis=-1, keepdims=True) - target
    assert_close(gradient, expected.astype(dtype), VALUES["softmax"], signs=False)


@pytest.mark.parametrize("dtype", FLOATS)
def test_one_hot_distributions_are_labels(dtype: str) -> None:
    """At logits of ±1e4, too: the zeros of the distribution meet no infinities."""
    logits, labels = EXTREMES.astype(dtype), np.array([0, 1, 2, 0, 0, 2])
    rows = softmax_rows(labels, 3).astype(dtype)

    def build(x: gc.Tensor, y: gc.Tensor) -> Any:
        loss = gc.losses.softmax_cross_entropy(x, y)
        return loss, gc.gradients(gc.sum(loss), x)

    for found, expected in zip(run(build, logits, rows), run(build, logits, labels), strict=True):
        assert_close(found, expected, VALUES["softmax"], signs=False)


def test_cross_entropy_of_what_does_not_match() -> None:
    with gc.Graph():
        x, y = gc.placeholder("x", ("n", 5)), gc.placeholder("y", ("n",), gc.int64)
        for labels in (gc.placeholder("y2", ("n", 5), gc.int64), gc.placeholder("y3", (), gc.int64)):
            with pytest.raises(ShapeError):
                gc.losses.softmax_cross_entropy(x, labels)
        with pytest.raises(ShapeError):
            gc.losses.softmax_cross_entropy(x, gc.placeholder("q", ("n",)))
        with pytest.raises((DTypeError, ShapeError)):
            gc.losses.softmax_cross_entropy(x, gc.placeholder("flags", ("n",), gc.bool))
        wide = gc.placeholder("wide", ("n", "classes"))
        with pytest.raises(ShapeError, match="static"):
            gc.losses.softmax_cross_entropy(wide, y)


# --- metrics --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("label_dtype", INTEGERS)
def test_accuracy(label_dtype: str) -> None:
    logits = np.float32([[1, 2, 3], [3, 2, 1], [0, 5, 5], [np.nan, 0, 1]])  # a tie, and a NaN: the first of them wins
    for labels, expected in [([2, 0, 1, 0], 1.0), ([2, 0, 2, 2], 0.5), ([0, 1, 0, 1], 0.0)]:
        found = run(gc.metrics.accuracy, logits, np.array(labels, label_dtype))
        assert found.dtype == np.float32
        assert found == expected
