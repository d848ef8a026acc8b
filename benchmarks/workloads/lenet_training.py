"""A training step of LeNet-5 (LeCun et al., 1998), with relu and the largest of 2×2 pixels, on 28×28: SGD, batch 64."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.workload import Problem

NAME, TITLE, GROUP = "lenet_training", "training step, LeNet-5, batch 64, SGD", "compute"
SUITES = {"smoke", "cpu", "gpu"}
STEP = True
RATE = 0.05


def make(rng: np.random.Generator, size: str) -> Problem:
    batch, side, first, second, dense = (8, 12, 3, 4, (20, 16)) if size == "smoke" else (64, 28, 6, 16, (120, 84))
    batches = [(rng.random((batch, side, side, 1), np.float32), rng.integers(0, 10, batch)) for _ in range(8)]
    small = (side // 2 - 4) // 2
    sizes = (small * small * second, *dense, 10)
    shapes = {"k1": (5, 5, 1, first), "c1": (first,), "k2": (5, 5, first, second), "c2": (second,)}
    for layer in range(3):
        shapes |= {f"w{layer}": (sizes[layer], sizes[layer + 1]), f"b{layer}": (sizes[layer + 1],)}
    state = {
        name: rng.standard_normal(shape, np.float32)
        * np.float32(np.sqrt(2 / np.prod(shape[:-1])) if len(shape) > 1 else 0)
        for name, shape in shapes.items()
    }
    images = 2 * batch * 25 * first * (2 * side * side + 3 * second * (2 * small) ** 2)  # x needs no gradient
    products = 6 * batch * sum(a * b for a, b in itertools.pairwise(sizes))
    moved = 4 * batches[0][0].size + 8 * batch + 2 * 4 * sum(array.size for array in state.values())
    return Problem(batches, state, flops=images + products, nbytes=moved, rtol=1e-3)


# --- in NumPy -------------------------------------------------------------------------------------------------


def _below(x: Any, height: int, width: int) -> list[Any]:
    """What is below each position of a window of 5×5, at so many places."""
    return [x[:, i : i + height, j : j + width] for i in range(5) for j in range(5)]


class _Sums:
    """A convolution as a sum of products, one per position of the window."""

    def forward(self, x: Any, k: Any) -> Any:
        self.parts = _below(x, x.shape[1] - 4, x.shape[2] - 4)
        return sum(part @ w for part, w in zip(self.parts, k.reshape(25, *k.shape[2:]), strict=True))

    def to_weights(self, ct: Any, k: Any) -> Any:
        return np.stack([np.tensordot(part, ct, (range(3), range(3))) for part in self.parts]).reshape(k.shape)


class _Columns:
    """A convolution as one product."""

    def forward(self, x: Any, k: Any) -> Any:
        parts = _below(x, x.shape[1] - 4, x.shape[2] - 4)
        self.columns = np.concatenate(parts, axis=-1).reshape(-1, 25 * x.shape[-1])
        return (self.columns @ k.reshape(-1, k.shape[-1])).reshape(*parts[0].shape[:3], k.shape[-1])

    def to_weights(self, ct: Any, k: Any) -> Any:
        return (self.columns.T @ ct.reshape(-1, ct.shape[-1])).reshape(k.shape)


def _to_images(ct: Any, k: Any) -> Any:
    """The cotangents of the pixels: each place gives its window, times its own, back."""
    batch, height, width, _ = ct.shape
    dx = np.zeros((batch, height + 4, width + 4, k.shape[2]), ct.dtype)
    for part, w in zip(_below(dx, height, width), k.reshape(25, *k.shape[2:]), strict=True):
        part += ct @ w.T
    return dx


def _pool(x: Any) -> Any:
    return np.maximum(np.maximum(x[:, ::2, ::2], x[:, ::2, 1::2]), np.maximum(x[:, 1::2, ::2], x[:, 1::2, 1::2]))


def _unpool(ct: Any, x: Any, y: Any) -> Any:
    dx = np.empty_like(x)
    for i in range(2):
        for j in range(2):  # pixels that tie are 0 behind relu: there the slope is 0
            np.multiply(ct, (x[:, i::2, j::2] == y) & (y > 0), out=dx[:, i::2, j::2])
    return dx


def _loss_and_gradients(p: Any, x: Any, y: Any, kind: Callable[[], Any]) -> tuple[Any, dict[str, Any]]:
    rows, one, two = np.arange(len(y)), kind(), kind()
    padded = np.pad(x, ((0, 0), (2, 2), (2, 2), (0, 0)))
    h1 = np.maximum(one.forward(padded, p["k1"]) + p["c1"], 0)
    p1 = _pool(h1)
    h2 = np.maximum(two.forward(p1, p["k2"]) + p["c2"], 0)
    p2 = _pool(h2)
    layers = [p2.reshape(len(x), -1)]
    for layer in range(2):
        layers.append(np.maximum(layers[-1] @ p[f"w{layer}"] + p[f"b{layer}"], 0))
    logits = layers[-1] @ p["w2"] + p["b2"]
    logs = logits - logits.max(1, keepdims=True)
    logs -= np.log(np.exp(logs).sum(1, keepdims=True))
    d = np.exp(logs)
    d[rows, y] -= 1
    d /= len(y)
    g = {}
    for layer in (2, 1, 0):
        g[f"w{layer}"], g[f"b{layer}"] = layers[layer].T @ d, d.sum(0)
        d = (d @ p[f"w{layer}"].T) * (layers[layer] > 0)
    d = _unpool(d.reshape(p2.shape), h2, p2)
    g["k2"], g["c2"] = two.to_weights(d, p["k2"]), d.sum((0, 1, 2))
    d = _unpool(_to_images(d, p["k2"]), h1, p1)
    g["k1"], g["c1"] = one.to_weights(d, p["k1"]), d.sum((0, 1, 2))
    return -logs[rows, y].mean(), g


def reference(state: Any, batches: Any) -> list[float]:
    losses, weights = [], dict(state)
    for x, y in batches:
        loss, gradients = _loss_and_gradients(weights, x, y, _Sums)
        losses.append(float(loss))
        weights = {name: w - RATE * gradients[name] for name, w in weights.items()}
    return losses


def numpy(np: Any, state: Any) -> Callable[..., Any]:
    def step(x: Any, y: Any) -> Any:
        loss, gradients = _loss_and_gradients(state, x, y, _Columns)
        for name, w in state.items():
            np.multiply(gradients[name], np.float32(RATE), gradients[name])
            np.subtract(w, gradients[name], w)
        return loss

    return step


# --- in libraries ---------------------------------------------------------------------------------------------


def graphc(gc: Any, state: Any, x: Any, y: Any) -> Any:
    nn = gc.nn
    h = nn.max_pool(nn.relu(nn.conv(x, state["k1"]) + state["c1"]), 2)
    h = nn.max_pool(nn.relu(nn.conv(h, state["k2"], padding="VALID") + state["c2"]), 2)
    h = gc.reshape(h, (h.shape[0], -1))
    for layer in range(2):
        h = nn.relu(h @ state[f"w{layer}"] + state[f"b{layer}"])
    loss = gc.losses.softmax_cross_entropy(h @ state["w2"] + state["b2"], y, reduction="mean")
    return loss, gc.optim.SGD(RATE).minimize(loss)


def torch(torch: Any, state: Any) -> Callable[..., Any]:
    sgd, f = torch.optim.SGD(state.values(), RATE), torch.nn.functional

    def forward(x: Any) -> Any:
        h = x.permute(0, 3, 1, 2)
        for name, padding in (("1", 2), ("2", 0)):
            k = state["k" + name].permute(3, 2, 0, 1)
            h = f.max_pool2d(torch.relu(torch.conv2d(h, k, state["c" + name], padding=padding)), 2)
        h = h.permute(0, 2, 3, 1).flatten(1)
        for layer in range(2):
            h = torch.relu(torch.addmm(state[f"b{layer}"], h, state[f"w{layer}"]))
        return torch.addmm(state["b2"], h, state["w2"])

    def step(x: Any, y: Any) -> Any:
        loss = f.cross_entropy(forward(x), y)
        sgd.zero_grad()
        loss.backward()
        sgd.step()
        return loss.detach()

    return step


def jax(jax: Any, state: Any) -> Any:
    lax, relu = jax.lax, jax.nn.relu

    def layer_of(h: Any, k: Any, c: Any, padding: str) -> Any:
        h = relu(lax.conv_general_dilated(h, k, (1, 1), padding, dimension_numbers=("NHWC", "HWIO", "NHWC")) + c)
        return lax.reduce_window(h, -jax.numpy.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")

    def loss_of(p: Any, x: Any, y: Any) -> Any:
        h = layer_of(layer_of(x, p["k1"], p["c1"], "SAME"), p["k2"], p["c2"], "VALID")
        h = h.reshape(len(h), -1)
        for layer in range(2):
            h = relu(h @ p[f"w{layer}"] + p[f"b{layer}"])
        logs = jax.nn.log_softmax(h @ p["w2"] + p["b2"])
        return -jax.numpy.mean(jax.numpy.take_along_axis(logs, y[:, None], axis=1))

    def step(p: Any, x: Any, y: Any) -> Any:
        loss, gradients = jax.value_and_grad(loss_of)(p, x, y)
        return jax.tree.map(lambda w, g: w - RATE * g, p, gradients), loss

    return state, step
