"""A training step of an MLP 784-256-10 at batch 128: cross-entropy, its gradient, Adam.

Where we write the correction 1 - βᵗ in float32, it is -expm1(t·log β): 1 - 0.999 is off by 1e-5 there. An optimiser
that comes with a library may compute it so all the same, which twenty steps make 3e-4 of a loss.
"""

from __future__ import annotations

from collections.abc import Callable
from math import log
from typing import Any

import numpy as np

from benchmarks.workload import Problem

NAME, TITLE, GROUP = "mlp_training", "training step, MLP 784-256-10, batch 128, Adam", "compute"
SUITES = {"smoke", "cpu", "gpu"}
STEP = True
RATE, BETA1, BETA2, EPSILON = 1e-3, 0.9, 0.999, 1e-8


def make(rng: np.random.Generator, size: str) -> Problem:
    batch, inputs, hidden, classes = (16, 32, 24, 10) if size == "smoke" else (128, 784, 256, 10)
    batches = [(rng.random((batch, inputs), np.float32), rng.integers(0, classes, batch)) for _ in range(8)]
    shapes = {"w1": (inputs, hidden), "b1": (hidden,), "w2": (hidden, classes), "b2": (classes,)}
    state = {
        name: rng.standard_normal(shape, np.float32) * np.float32(np.sqrt(2 / shape[0]) if len(shape) > 1 else 0)
        for name, shape in shapes.items()
    }
    weights = sum(array.size for array in state.values())
    products = 2 * batch * hidden * (2 * inputs + 3 * classes)  # x needs no gradient
    moved = 4 * batches[0][0].size + 8 * batch + 6 * 4 * weights  # w, m and v are read and written
    return Problem(batches, state, flops=products + 12 * weights, nbytes=moved, rtol=1e-3)


def reference(state: Any, batches: Any) -> list[float]:
    losses = []
    weights = dict(state)
    first, second = ({name: np.zeros_like(w) for name, w in state.items()} for _ in range(2))
    for count, (x, y) in enumerate(batches, start=1):
        loss, gradients = _loss_and_gradients(weights, x, y)
        losses.append(loss)
        for name, g in gradients.items():
            first[name] = BETA1 * first[name] + (1 - BETA1) * g
            second[name] = BETA2 * second[name] + (1 - BETA2) * g * g
            root = np.sqrt(second[name] / (1 - BETA2**count)) + EPSILON
            weights[name] = weights[name] - RATE * first[name] / (1 - BETA1**count) / root
    return losses


def _loss_and_gradients(p: Any, x: Any, y: Any) -> tuple[float, dict[str, np.ndarray]]:
    rows, hidden = np.arange(len(y)), np.maximum(x @ p["w1"] + p["b1"], 0)
    logits = hidden @ p["w2"] + p["b2"]
    logs = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    d = np.exp(logs)
    d[rows, y] -= 1
    d /= len(y)
    slope = (d @ p["w2"].T) * (hidden > 0)
    gradients = {"w1": x.T @ slope, "b1": slope.sum(0), "w2": hidden.T @ d, "b2": d.sum(0)}
    return float(-logs[rows, y].mean()), gradients


class _ByHand:
    """The step with buffers that are made once."""

    def __init__(self, np: Any, state: Any) -> None:
        self.np, self.p, self.count = np, state, 0
        self.first, self.second = ({name: np.zeros_like(w) for name, w in state.items()} for _ in range(2))
        self.gradients, self.scratch = ({name: np.empty_like(w) for name, w in state.items()} for _ in range(2))
        self.made = False

    def _make(self, batch: int) -> None:
        hidden, classes = self.p["w2"].shape
        shapes = [(batch, hidden), (batch, hidden), (batch, classes), (batch, classes), (batch, 1)]
        self.buffers = [self.np.empty(shape, self.np.float32) for shape in shapes]
        self.rows, self.made = self.np.arange(batch), True

    def __call__(self, x: Any, y: Any) -> Any:
        if not self.made:
            self._make(len(x))
        loss = self._differentiate(x, y)
        self._update()
        return loss

    def _differentiate(self, x: Any, y: Any) -> Any:
        np, p, g, rows = self.np, self.p, self.gradients, self.rows
        hidden, slope, logits, d, column = self.buffers
        np.matmul(x, p["w1"], hidden)
        np.add(hidden, p["b1"], hidden)
        np.maximum(hidden, 0, out=hidden)
        np.matmul(hidden, p["w2"], logits)
        np.add(logits, p["b2"], logits)
        np.max(logits, 1, column, True)
        np.subtract(logits, column, logits)
        np.exp(logits, d)
        np.sum(d, 1, None, column, True)
        loss = (np.log(column[:, 0]) - logits[rows, y]).mean()
        np.divide(d, column, d)
        d[rows, y] -= 1
        np.multiply(d, np.float32(1 / len(y)), d)
        np.matmul(hidden.T, d, g["w2"])
        np.sum(d, 0, None, g["b2"])
        np.matmul(d, p["w2"].T, slope)
        np.multiply(slope, np.greater(hidden, 0), slope)
        np.matmul(x.T, slope, g["w1"])
        np.sum(slope, 0, None, g["b1"])
        return loss

    def _update(self) -> None:
        np, self.count = self.np, self.count + 1
        rate = np.float32(RATE / (1 - BETA1**self.count))
        root = np.float32(1 / np.sqrt(1 - BETA2**self.count))
        for name, w in self.p.items():
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


def numpy(np: Any, state: Any) -> Callable[..., Any]:
    return _ByHand(np, state)


def graphc(gc: Any, state: Any, x: Any, y: Any) -> Any:
    logits = gc.nn.relu(x @ state["w1"] + state["b1"]) @ state["w2"] + state["b2"]
    loss = gc.losses.softmax_cross_entropy(logits, y, reduction="mean")
    return loss, gc.optim.Adam(RATE, BETA1, BETA2, EPSILON).minimize(loss)


def torch(torch: Any, state: Any) -> Callable[..., Any]:
    adam = torch.optim.Adam(state.values(), RATE, (BETA1, BETA2), EPSILON, fused=True)

    def step(x: Any, y: Any) -> Any:
        hidden = torch.relu(torch.addmm(state["b1"], x, state["w1"]))
        loss = torch.nn.functional.cross_entropy(torch.addmm(state["b2"], hidden, state["w2"]), y)
        adam.zero_grad()
        loss.backward()
        adam.step()
        return loss.detach()

    return step


def jax(jax: Any, state: Any) -> Any:
    jnp, tree = jax.numpy, jax.tree

    def loss_of(p: Any, x: Any, y: Any) -> Any:
        logs = jax.nn.log_softmax(jax.nn.relu(x @ p["w1"] + p["b1"]) @ p["w2"] + p["b2"])
        return -jnp.mean(jnp.take_along_axis(logs, y[:, None], axis=1))

    def step(carried: Any, x: Any, y: Any) -> Any:
        p, first, second, count = carried
        loss, gradients = jax.value_and_grad(loss_of)(p, x, y)
        count = count + 1
        rate, root = -RATE / jnp.expm1(count * log(BETA1)), 1 / jnp.sqrt(-jnp.expm1(count * log(BETA2)))
        first = tree.map(lambda m, g: BETA1 * m + (1 - BETA1) * g, first, gradients)
        second = tree.map(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, second, gradients)
        p = tree.map(lambda w, m, v: w - rate * m / (jnp.sqrt(v) * root + EPSILON), p, first, second)
        return (p, first, second, count), loss

    return (state, tree.map(jnp.zeros_like, state), tree.map(jnp.zeros_like, state), jnp.float32(0)), step


def pytensor(pytensor: Any, state: Any, x: Any, y: Any) -> Any:
    pt = pytensor.tensor
    logits = pt.maximum(x @ state["w1"] + state["b1"], 0) @ state["w2"] + state["b2"]
    loss = -pt.special.log_softmax(logits, axis=-1)[pt.arange(y.shape[0]), y].mean(dtype="float32")
    count = pytensor.shared(np.float32(0), "count")
    rate, root = -RATE / pt.expm1((count + 1) * log(BETA1)), 1 / pt.sqrt(-pt.expm1((count + 1) * log(BETA2)))
    updates = {count: count + 1}
    for w, g in zip(state.values(), pytensor.grad(loss, list(state.values())), strict=True):
        m, v = (pytensor.shared(np.zeros(w.type.shape, np.float32), shape=w.type.shape) for _ in range(2))
        updates[m] = BETA1 * m + (1 - BETA1) * g
        updates[v] = BETA2 * v + (1 - BETA2) * g * g
        updates[w] = w - rate * updates[m] / (pt.sqrt(updates[v]) * root + EPSILON)
    return loss, updates


def tinygrad(tinygrad: Any, state: Any) -> Callable[..., Any]:
    adam = tinygrad.nn.optim.Adam(list(state.values()), lr=RATE, b1=BETA1, b2=BETA2, eps=EPSILON)

    def step(x: Any, y: Any) -> Any:
        logits = (x @ state["w1"] + state["b1"]).relu() @ state["w2"] + state["b2"]
        loss = logits.sparse_categorical_crossentropy(y)
        adam.zero_grad()
        loss.backward()
        return loss.realize(*adam.schedule_step())

    return step
