"""A training step of the MLP 784-256-10 at batch 128 with Adam: graphc, NumPy by hand, and jax.jit if it is installed.

`python -m benchmarks.training_step [rounds]`
"""

from __future__ import annotations

import importlib.util
import itertools
import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

import graphc as gc
from benchmarks.timing import interleaved, table

BATCH, INPUTS, HIDDEN, CLASSES = 128, 784, 256, 10
RATE, BETA1, BETA2, EPSILON = 1e-3, 0.9, 0.999, 1e-8
STEPS = 20  # after which all runners must have come to the same loss

Parameters = dict[str, np.ndarray]
Step = Callable[[np.ndarray, np.ndarray], float]


def parameters() -> Parameters:
    """The same start for everybody."""
    rng = np.random.default_rng(0)

    def normal(rows: int, columns: int) -> np.ndarray:
        return np.asarray(rng.standard_normal((rows, columns)) * np.sqrt(2 / rows), np.float32)

    return {
        "w1": normal(INPUTS, HIDDEN),
        "b1": np.zeros(HIDDEN, np.float32),
        "w2": normal(HIDDEN, CLASSES),
        "b2": np.zeros(CLASSES, np.float32),
    }


def batches(count: int = 8) -> list[tuple[np.ndarray, np.ndarray]]:
    """Several batches, so that no cache holds the one that is needed."""
    rng = np.random.default_rng(1)
    return [(rng.random((BATCH, INPUTS), np.float32), rng.integers(0, CLASSES, BATCH)) for _ in range(count)]


def graphc_step(start: Parameters, backend: Any = "numpy", options: gc.CompileOptions | None = None) -> Step:
    """The graph as a user writes it."""
    with gc.Graph("mlp") as graph:
        x = gc.placeholder("x", ("batch", INPUTS))
        y = gc.placeholder("y", ("batch",), gc.int64)
        w1, b1, w2, b2 = (gc.Variable(value, name=name) for name, value in start.items())
        logits = gc.nn.relu(x @ w1 + b1) @ w2 + b2
        loss = gc.losses.softmax_cross_entropy(logits, y, reduction="mean")
        train = gc.optim.Adam(RATE, BETA1, BETA2, EPSILON).minimize(loss)
    step = gc.Session(graph, backend=backend, options=options).compile([loss, train], feeds=[x, y])
    return lambda xb, yb: step(xb, yb)[0]


class ByHand:
    """The same step as one would write it with NumPy for speed: every buffer is made once, every ufunc has `out=`."""

    def __init__(self, start: Parameters) -> None:
        self.parameters = {name: value.copy() for name, value in start.items()}
        self.first = {name: np.zeros_like(value) for name, value in start.items()}
        self.second = {name: np.zeros_like(value) for name, value in start.items()}
        self.gradients = {name: np.empty_like(value) for name, value in start.items()}
        self.scratch = {name: np.empty_like(value) for name, value in start.items()}
        self.hidden = np.empty((BATCH, HIDDEN), np.float32)
        self.slope = np.empty((BATCH, HIDDEN), np.float32)
        self.active = np.empty((BATCH, HIDDEN), bool)
        self.logits = np.empty((BATCH, CLASSES), np.float32)
        self.powers = np.empty((BATCH, CLASSES), np.float32)
        self.column = np.empty((BATCH, 1), np.float32)
        self.rows = np.arange(BATCH)
        self.count = 0

    def __call__(self, x: np.ndarray, y: np.ndarray) -> float:
        loss = self._forward(x, y)
        self._backward(x, y)
        self._update()
        return loss

    def _forward(self, x: np.ndarray, y: np.ndarray) -> float:
        p = self.parameters
        np.matmul(x, p["w1"], self.hidden)
        np.add(self.hidden, p["b1"], self.hidden)
        np.greater(self.hidden, 0, self.active)
        np.maximum(self.hidden, 0, out=self.hidden)
        np.matmul(self.hidden, p["w2"], self.logits)
        np.add(self.logits, p["b2"], self.logits)
        np.max(self.logits, 1, self.column, True)
        np.subtract(self.logits, self.column, self.logits)
        np.exp(self.logits, self.powers)
        np.sum(self.powers, 1, None, self.column, True)
        picked = self.logits[self.rows, y]
        loss = (np.log(self.column[:, 0]) - picked).mean()
        np.divide(self.powers, self.column, self.powers)
        return float(loss)

    def _backward(self, x: np.ndarray, y: np.ndarray) -> None:
        p, g, d = self.parameters, self.gradients, self.powers
        d[self.rows, y] -= 1
        np.multiply(d, np.float32(1 / BATCH), d)
        np.matmul(self.hidden.T, d, g["w2"])
        np.sum(d, 0, None, g["b2"])
        np.matmul(d, p["w2"].T, self.slope)
        np.multiply(self.slope, self.active, self.slope)
        np.matmul(x.T, self.slope, g["w1"])
        np.sum(self.slope, 0, None, g["b1"])

    def _update(self) -> None:
        self.count += 1
        rate = np.float32(RATE / (1 - BETA1**self.count))
        root = np.float32(1 / np.sqrt(1 - BETA2**self.count))
        for name, w in self.parameters.items():
            m, v, g, s = self.first[name], self.second[name], self.gradients[name], self.scratch[name]
            np.multiply(m, np.float32(BETA1), m)
            np.multiply(g, np.float32(1 - BETA1), s)
            np.add(m, s, m)
            np.multiply(v, np.float32(BETA2), v)
            np.multiply(g, g, g)
            np.multiply(g, np.float32(1 - BETA2), g)
            np.add(v, g, v)
            np.sqrt(v, s)
            np.multiply(s, root, s)
            np.add(s, np.float32(EPSILON), s)
            np.divide(m, s, s)
            np.multiply(s, rate, s)
            np.subtract(w, s, w)


def jax_step(start: Parameters) -> Step:
    """jax.jit with the whole state donated; the call waits for its result."""
    import jax
    import jax.numpy as jnp

    def loss_of(p: Any, x: Any, y: Any) -> Any:
        logits = jax.nn.relu(x @ p["w1"] + p["b1"]) @ p["w2"] + p["b2"]
        return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], axis=1))

    def step(state: Any, x: Any, y: Any) -> Any:
        p, first, second, count = state
        loss, gradients = jax.value_and_grad(loss_of)(p, x, y)
        count = count + 1
        rate, root = RATE / (1 - BETA1**count), 1 / jnp.sqrt(1 - BETA2**count)
        first = jax.tree.map(lambda m, g: BETA1 * m + (1 - BETA1) * g, first, gradients)
        second = jax.tree.map(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, second, gradients)
        p = jax.tree.map(lambda w, m, v: w - rate * m / (jnp.sqrt(v) * root + EPSILON), p, first, second)
        return loss, (p, first, second, count)

    compiled = jax.jit(step, donate_argnums=0)
    p = jax.tree.map(jnp.asarray, start)
    held = [(p, jax.tree.map(jnp.zeros_like, p), jax.tree.map(jnp.zeros_like, p), jnp.float32(0))]

    def run(x: np.ndarray, y: np.ndarray) -> float:
        loss, held[0] = compiled(held[0], x, y)
        jax.block_until_ready(held[0])
        return float(loss)

    return run


class Training:
    """A step as a runner: its answer is the losses of the first steps."""

    def __init__(self, step: Step) -> None:
        self.step = step
        self.batches = itertools.cycle(batches())

    def answer(self) -> list[float]:
        return [float(self.step(*next(self.batches))) for _ in range(STEPS)]

    def __call__(self) -> object:
        return self.step(*next(self.batches))


def by_graphc() -> Training:
    return Training(graphc_step(parameters()))


def by_hand() -> Training:
    return Training(ByHand(parameters()))


def by_jax() -> Training:
    return Training(jax_step(parameters()))


def require_same_losses(losses: Mapping[str, Any]) -> None:
    """All have trained the same model."""
    for name, found in losses.items():
        np.testing.assert_allclose(found, losses["NumPy by hand"], rtol=2e-4, err_msg=f"{name} trains another model")


def main(rounds: int = 200) -> str:
    """The table of timings."""
    makers: dict[str, Callable[[], Training]] = {"graphc numpy": by_graphc, "NumPy by hand": by_hand}
    if importlib.util.find_spec("jax"):
        makers["jax.jit, donated"] = by_jax
    return table(interleaved(makers, require_same_losses, rounds, calls=5), "NumPy by hand")


if __name__ == "__main__":
    sys.stdout.write(main(*map(int, sys.argv[1:])) + "\n")
