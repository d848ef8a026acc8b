"""A training step of a deep residual MLP: 16 blocks of h + relu(h·A + a)·B + b, width 128, batch 64, gradient descent.

A step rather than a forward pass, as depth is felt there: every block's activations are kept for the way back, and the
graph has a thousand nodes with 64 weights to update.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.workload import Problem

NAME, TITLE, GROUP = "residual_mlp", "training step, residual MLP, 16 blocks of 128, batch 64, SGD", "compute"
SUITES = {"cpu", "gpu"}
STEP = True
BLOCKS, RATE = 16, 0.05


def make(rng: np.random.Generator, size: str) -> Problem:
    batch, width = (8, 16) if size == "smoke" else (64, 128)
    batches = [tuple(rng.standard_normal((batch, width), np.float32) for _ in range(2)) for _ in range(4)]
    state = {}
    for at in range(BLOCKS):
        state[f"A{at}"] = rng.standard_normal((width, width), np.float32) * np.float32(np.sqrt(2 / width))
        state[f"a{at}"] = np.zeros(width, np.float32)
        state[f"B{at}"] = rng.standard_normal((width, width), np.float32) * np.float32(0.1 / np.sqrt(width))
        state[f"b{at}"] = np.zeros(width, np.float32)
    weights = sum(array.size for array in state.values())
    products = 2 * batch * width * width * (6 * BLOCKS - 1)  # the batch needs no gradient
    return Problem(batches, state, products + 2 * weights, 8 * (weights + batch * width), rtol=1e-4)


def _forward(state: Any, h: Any, relu: Any) -> Any:
    for at in range(BLOCKS):
        h = h + relu(h @ state[f"A{at}"] + state[f"a{at}"]) @ state[f"B{at}"] + state[f"b{at}"]
    return h


def reference(state: Any, batches: Any) -> list[float]:
    state, losses = dict(state), []
    for x, y in batches:
        kept = [x]
        for at in range(BLOCKS):
            inner = np.maximum(kept[-1] @ state[f"A{at}"] + state[f"a{at}"], 0)
            kept += [inner, kept[-1] + inner @ state[f"B{at}"] + state[f"b{at}"]]
        losses.append(float(((kept[-1] - y) ** 2).mean()))
        slope = 2 * (kept[-1] - y) / y.size
        for at in reversed(range(BLOCKS)):
            h, inner = kept[2 * at : 2 * at + 2]
            behind = (slope @ state[f"B{at}"].T) * (inner > 0)
            gradients = {"B": inner.T @ slope, "b": slope.sum(0), "A": h.T @ behind, "a": behind.sum(0)}
            slope = slope + behind @ state[f"A{at}"].T
            state |= {f"{name}{at}": state[f"{name}{at}"] - RATE * g for name, g in gradients.items()}
    return losses


class _ByHand:
    """The step with buffers that are made once."""

    def __init__(self, np: Any, state: Any) -> None:
        self.np = np
        self.blocks = [[state[f"{name}{at}"] for name in "AaBb"] for at in range(BLOCKS)]
        self.matrix, self.vector = np.empty_like(state["A0"]), np.empty_like(state["a0"])
        self.kept: list[Any] = []

    def __call__(self, x: Any, y: Any) -> Any:
        np = self.np
        if not self.kept:
            self.kept = [np.empty_like(x) for _ in range(2 * BLOCKS)]
            self.slope, self.behind, self.product = (np.empty_like(x) for _ in range(3))
        h = x
        for at, (A, a, B, b) in enumerate(self.blocks):
            inner, out = self.kept[2 * at : 2 * at + 2]
            np.matmul(h, A, inner)
            np.add(inner, a, inner)
            np.maximum(inner, 0, out=inner)
            np.matmul(inner, B, out)
            np.add(out, b, out)
            h = np.add(out, h, out)
        np.subtract(h, y, self.slope)
        loss = np.vdot(self.slope, self.slope) / y.size
        np.multiply(self.slope, np.float32(2 / y.size), self.slope)
        self._backward(x)
        return loss

    def _backward(self, x: Any) -> None:
        np, slope, behind, product = self.np, self.slope, self.behind, self.product
        for at in reversed(range(BLOCKS)):
            A, a, B, b = self.blocks[at]
            h, inner = self.kept[2 * at - 1] if at else x, self.kept[2 * at]
            np.matmul(slope, B.T, behind)
            np.multiply(behind, np.greater(inner, 0), behind)
            if at:
                np.matmul(behind, A.T, product)
            self._descend(B, np.matmul(inner.T, slope, self.matrix))
            self._descend(b, np.sum(slope, 0, None, self.vector))
            self._descend(A, np.matmul(h.T, behind, self.matrix))
            self._descend(a, np.sum(behind, 0, None, self.vector))
            np.add(slope, product, slope)

    def _descend(self, weight: Any, gradient: Any) -> None:
        self.np.multiply(gradient, RATE, gradient)
        self.np.subtract(weight, gradient, weight)


def numpy(np: Any, state: Any) -> Callable[..., Any]:
    return _ByHand(np, state)


def graphc(gc: Any, state: Any, x: Any, y: Any) -> Any:
    loss = gc.losses.mse(_forward(state, x, gc.nn.relu), y, reduction="mean")
    return loss, gc.optim.SGD(RATE).minimize(loss)


def torch(torch: Any, state: Any) -> Callable[..., Any]:
    sgd = torch.optim.SGD(state.values(), RATE, fused=True)

    def step(h: Any, y: Any) -> Any:
        for at in range(BLOCKS):
            inner = torch.relu(torch.addmm(state[f"a{at}"], h, state[f"A{at}"]))
            h = h + torch.addmm(state[f"b{at}"], inner, state[f"B{at}"])
        loss = torch.nn.functional.mse_loss(h, y)
        sgd.zero_grad()
        loss.backward()
        sgd.step()
        return loss.detach()

    return step


def jax(jax: Any, state: Any) -> Any:
    def loss_of(state: Any, x: Any, y: Any) -> Any:
        return ((_forward(state, x, jax.nn.relu) - y) ** 2).mean()

    def step(state: Any, x: Any, y: Any) -> Any:
        loss, gradients = jax.value_and_grad(loss_of)(state, x, y)
        return jax.tree.map(lambda w, g: w - RATE * g, state, gradients), loss

    return state, step


def pytensor(pytensor: Any, state: Any, x: Any, y: Any) -> Any:
    pt = pytensor.tensor
    loss = ((_forward(state, x, lambda h: pt.maximum(h, 0)) - y) ** 2).mean(dtype="float32")
    gradients = pytensor.grad(loss, list(state.values()))
    return loss, {w: w - RATE * g for w, g in zip(state.values(), gradients, strict=True)}


def tinygrad(tinygrad: Any, state: Any) -> Callable[..., Any]:
    sgd = tinygrad.nn.optim.SGD(list(state.values()), lr=RATE)

    def step(x: Any, y: Any) -> Any:
        loss = ((_forward(state, x, lambda h: h.relu()) - y) ** 2).mean()
        sgd.zero_grad()
        loss.backward()
        return loss.realize(*sgd.schedule_step())

    return step
