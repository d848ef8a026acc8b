"""Learning from end to end: a regression, the network of TensorFlow's tutorials, and real handwritten digits."""

import ast
import gzip
import hashlib
import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.conformance.tolerances import SAME_GRADIENT

EXAMPLES = Path(__file__).parents[1] / "examples"


# --- linear regression ------------------------------------------------------------------------------------------

COEFFICIENTS, INTERCEPT = np.array([2.0, -3.5, 0.25, 0.0]), 1.5


def regression(dtype: str, optimizer: gc.optim.Optimizer) -> tuple[gc.Graph, gc.Update, gc.Tensor]:
    with gc.Graph("regression") as graph:
        x = gc.placeholder("x", ("n", 4), dtype)
        y = gc.placeholder("y", ("n",), dtype)
        w = gc.Variable(gc.init.zeros(), shape=(4,), dtype=dtype, name="w")
        b = gc.Variable(gc.init.zeros(), shape=(), dtype=dtype, name="b")
        loss = gc.losses.mse(x @ w + b, y, reduction="mean")
        train = optimizer.minimize(loss)
    return graph, train, loss


@pytest.mark.parametrize("optimizer", [gc.optim.SGD(0.1), gc.optim.SGD(0.02, 0.9), gc.optim.SGD(0.02, 0.9, True)])
def test_a_regression_recovers_its_coefficients(optimizer: gc.optim.Optimizer) -> None:
    inputs = np.random.default_rng(0).normal(size=(200, 4))
    targets = inputs @ COEFFICIENTS + INTERCEPT
    graph, train, loss = regression("float64", optimizer)
    with gc.Session(graph) as session:
        feeds = {"x": inputs, "y": targets}
        for _ in range(800):
            session.run(train, feeds)
        np.testing.assert_allclose(session.value("w"), COEFFICIENTS, atol=1e-10)
        np.testing.assert_allclose(session.value("b"), INTERCEPT, atol=1e-10)
        assert session.run(loss, feeds) < 1e-20


def test_a_regression_on_noisy_batches_finds_the_least_squares() -> None:
    """In float32, on batches of different sizes, with a learning rate that falls."""
    rng = np.random.default_rng(1)
    inputs = rng.normal(size=(512, 4)).astype(np.float32)
    targets = (inputs @ COEFFICIENTS + INTERCEPT + rng.normal(scale=0.1, size=512)).astype(np.float32)
    design = np.column_stack([inputs, np.ones(512)]).astype(np.float64)
    best, *_ = np.linalg.lstsq(design, targets.astype(np.float64), rcond=None)
    optimizer = gc.optim.Adam(0.3)
    graph, train, _ = regression("float32", optimizer)
    with gc.Session(graph) as session:
        step = session.compile(train, ["x", "y"])
        for epoch in range(100):
            session.assign({optimizer.learning_rate: 0.3 * 0.95**epoch})
            order, start = rng.permutation(512), 0
            for size in (1, 3, 60, 64, 128, 256):
                chosen = order[start : start + size]
                start += size
                step(inputs[chosen], targets[chosen])
        found = np.append(session.value("w"), session.value("b"))
    np.testing.assert_allclose(found, best, atol=0.01)


# --- two layers of sigmoids ----------------------------------------------------------------------------------------


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


class NumpyNetwork:
    """10 → 5 → 1 with sigmoids, mean squared error and gradient descent; the chain rule by hand."""

    def __init__(self, weights: dict[str, np.ndarray]) -> None:
        self.weights = {name: value.copy() for name, value in weights.items()}

    def step(self, x: np.ndarray, y: np.ndarray, rate: float) -> float:
        w = self.weights
        hidden = sigmoid(x @ w["w1"] + w["b1"])
        output = sigmoid(hidden @ w["w2"] + w["b2"])
        error = output - y
        d_output = 2 / error.size * error * output * (1 - output)
        d_hidden = d_output @ w["w2"].T * hidden * (1 - hidden)
        gradients = {"w1": x.T @ d_hidden, "b1": d_hidden.sum(0), "w2": hidden.T @ d_output, "b2": d_output.sum(0)}
        self.weights = {name: value - rate * gradients[name] for name, value in w.items()}
        return float((error**2).mean())


def test_the_network_of_the_tutorials_learns() -> None:
    """100 random inputs of 10 numbers: the loss falls to next to nothing, and on the way NumPy's by hand is met."""
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(100, 10))
    targets = (inputs[:, :1] * inputs[:, 1:2] > 0).astype(np.float64)  # no linear function of the inputs
    with gc.Graph("tutorial") as graph:
        x = gc.placeholder("x", ("n", 10), gc.float64)
        y = gc.placeholder("y", ("n", 1), gc.float64)
        w1 = gc.Variable(gc.init.glorot_uniform(), shape=(10, 5), dtype=gc.float64, name="w1")
        b1 = gc.Variable(gc.init.zeros(), shape=(5,), dtype=gc.float64, name="b1")
        w2 = gc.Variable(gc.init.glorot_uniform(), shape=(5, 1), dtype=gc.float64, name="w2")
        b2 = gc.Variable(gc.init.zeros(), shape=(1,), dtype=gc.float64, name="b2")
        output = gc.nn.sigmoid(gc.nn.sigmoid(x @ w1 + b1) @ w2 + b2)
        loss = gc.losses.mse(output, y, reduction="mean")
        train = gc.optim.SGD(4.0).minimize(loss)
    with gc.Session(graph, seed=0) as session:
        by_hand = NumpyNetwork({name: session.value(name) for name in ("w1", "b1", "w2", "b2")})
        step = session.compile([loss, train], [x, y])
        losses = []
        for number in range(3000):
            losses.append(float(step(inputs, targets)[0]))
            if number < 200:
                np.testing.assert_allclose(losses[-1], by_hand.step(inputs, targets, 4.0), rtol=SAME_GRADIENT)
        assert losses[0] > 0.2
        assert losses[-1] < 0.02
        right = (session.run(output, {x: inputs}) > 0.5) == (targets > 0.5)
        assert right.mean() >= 0.98


# --- digits ------------------------------------------------------------------------------------------------------

SEEDS = (0, 1, 2, 3, 4)


@pytest.fixture(scope="module")
def digits() -> ModuleType:
    """`examples/train_digits.py` as a module."""
    spec = importlib.util.spec_from_file_location("train_digits", EXAMPLES / "train_digits.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_split_of_the_digits(digits: ModuleType) -> None:
    """1,437 rows to train on and 360 to test, by a permutation that is always the same, and none in both."""
    images, labels, test_images, test_labels = digits.load_digits()
    assert (images.shape, labels.shape) == ((1437, 64), (1437,))
    assert (test_images.shape, test_labels.shape) == ((360, 64), (360,))
    assert (images.dtype, labels.dtype) == (np.float32, np.int64)
    assert images.min() == 0.0
    assert images.max() == 1.0
    whole = np.concatenate([np.column_stack(part) for part in [(images * 16, labels), (test_images * 16, test_labels)]])
    with gzip.open(EXAMPLES / "data" / "digits.csv.gz", "rt") as file:
        rows = np.loadtxt(file, delimiter=",")
    assert len(np.unique(rows, axis=0)) == 1797  # so that no picture can be on both sides
    np.testing.assert_array_equal(whole[np.lexsort(whole.T)], rows[np.lexsort(rows.T)])
    digest = hashlib.sha256(test_labels.astype("<i8").tobytes() + test_images.astype("<f4").tobytes()).hexdigest()
    assert digest == "aa322d0a65cd29b04824aa38a3b66731bfb9b2c691e540fa6e61b9f2047f4c90"
    for again, first in zip(digits.load_digits(), (images, labels, test_images, test_labels), strict=True):
        np.testing.assert_array_equal(again, first)


def test_digits_are_learnt(digits: ModuleType) -> None:
    """The mean of five named seeds on rows that training never saw."""
    accuracies = [digits.train(seed) for seed in SEEDS]
    assert np.mean(accuracies) >= 0.97, accuracies


def test_training_is_the_same_bit_by_bit_when_repeated(digits: ModuleType) -> None:
    def weights(seed: int) -> dict[str, Any]:
        images, labels, *_ = digits.load_digits()
        graph, t = digits.build()
        with gc.Session(graph, seed=seed) as session:
            step = session.compile([t["loss"], t["train"]], feeds=[t["x"], t["y"]])
            losses = [step(images[k : k + 32], labels[k : k + 32])[0] for k in range(0, 640, 32)]
            return {"losses": np.stack(losses), **session.snapshot().values}

    first, again, other = weights(3), weights(3), weights(4)
    for name, value in first.items():
        np.testing.assert_array_equal(value, again[name])
    assert not np.array_equal(first["losses"], other["losses"])


def test_the_script_is_short() -> None:
    """Below sixty lines as ruff formats them, docstrings and blank lines included, and it stands alone."""
    path = EXAMPLES / "train_digits.py"
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) < 60
    check = [sys.executable, "-m", "ruff", "format", "--check", str(path)]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    imported = {
        alias.name.partition(".")[0]
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    assert imported <= {"gzip", "numpy", "graphc"}
