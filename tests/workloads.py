"""What the benchmarks compute, as graphs that are compiled and not run: `WORKLOADS[name]()` gives graph and fetches."""

from collections.abc import Callable
from typing import Any

import numpy as np
from kernel_bodies import layer_norm

import graphc as gc

WORKLOADS: dict[str, Callable[[], tuple[gc.Graph, list[Any]]]] = {}


def workload(make: Callable[[], list[Any]]) -> Callable[[], list[Any]]:
    """Decorator: records what a function returns in a graph of its own."""

    def recorded() -> tuple[gc.Graph, list[Any]]:
        with gc.Graph(make.__name__) as graph:
            return graph, make()

    WORKLOADS[make.__name__] = recorded
    return make


def _variables(**shapes: tuple[int, ...]) -> list[gc.Variable]:
    return [gc.Variable(np.zeros(shape, np.float32), name=name) for name, shape in shapes.items()]


@workload
def mlp_step_with_adam() -> list[Any]:
    x, y = gc.placeholder("x", ("batch", 784)), gc.placeholder("y", ("batch",), gc.int64)
    w1, b1, w2, b2 = _variables(w1=(784, 256), b1=(256,), w2=(256, 10), b2=(10,))
    loss = gc.losses.softmax_cross_entropy(gc.nn.relu(x @ w1 + b1) @ w2 + b2, y, reduction="mean")
    return [loss, gc.optim.Adam(1e-3).minimize(loss)]


@workload
def two_tower_step() -> list[Any]:
    users, items = (gc.placeholder(name, ("batch",), gc.int64) for name in ("users", "items"))
    bought = gc.placeholder("bought", ("batch",))
    first, second = _variables(first=(100_000, 32), second=(100_000, 32))
    score = gc.sum(gc.take(first, users, axis=0) * gc.take(second, items, axis=0), axis=-1)
    loss = gc.mean(gc.nn.softplus(score) - score * bought)
    return [loss, gc.optim.SGD(0.1).minimize(loss)]


@workload
def layer_norm_and_gradients() -> list[Any]:
    x, ct = gc.placeholder("x", (4096, 1024)), gc.placeholder("ct", (4096, 1024))
    scale, shift = gc.placeholder("scale", (1024,)), gc.placeholder("shift", (1024,))
    y = layer_norm(x, scale, shift)
    return [y, *gc.gradients(gc.sum(y * ct), [x, scale, shift])]


@workload
def softmax_and_gradient() -> list[Any]:
    x, ct = gc.placeholder("x", ("n", 8192)), gc.placeholder("ct", ("n", 8192))
    y = gc.nn.softmax(x)
    return [y, *gc.gradients(gc.sum(y * ct), [x])]


@workload
def gelu_chain() -> list[Any]:
    x = gc.placeholder("x", ("n", 4096))
    y = gc.nn.gelu(x * 1.5 + 0.5) * x
    return [y, gc.nn.gelu(x, approximate=True), *gc.gradients(gc.sum(y), [x])]


@workload
def cross_entropy() -> list[Any]:
    x, y = gc.placeholder("x", ("n", 1000)), gc.placeholder("y", ("n",), gc.int32)
    loss = gc.losses.softmax_cross_entropy(x, y, reduction="mean")
    return [loss, *gc.gradients(loss, [x])]


@workload
def reductions() -> list[Any]:
    x = gc.placeholder("x", (8192, 4096))
    rows = [gc.sum(x, axis=1), gc.argmax(x, axis=1), gc.logsumexp(x, axis=1)]
    return [*rows, gc.sum(x, axis=0), gc.max(x, axis=0), gc.var(x, axis=0), gc.mean(x)]
