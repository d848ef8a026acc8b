"""A classifier of three hidden layers of 64 for one sample: what counts is what a call costs, not the mathematics."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np

from benchmarks.workload import Problem

NAME, TITLE, GROUP = "mlp_batch_1", "MLP 64-64-64-64-10, one sample", "dispatch"
SUITES = {"smoke", "cpu", "gpu"}
WIDTHS = (64, 64, 64, 64, 10)
LAYERS = len(WIDTHS) - 1


def make(rng: np.random.Generator, size: str) -> Problem:
    inputs = [(rng.standard_normal((1, WIDTHS[0]), np.float32),) for _ in range(8)]
    state = {}
    for at, shape in enumerate(pairwise(WIDTHS)):
        state[f"w{at}"] = rng.standard_normal(shape, np.float32) / np.float32(8)
        state[f"b{at}"] = rng.standard_normal(shape[1], np.float32)
    weights = sum(array.size for array in state.values())
    return Problem(inputs, state, flops=2 * weights, nbytes=4 * (weights + WIDTHS[0] + WIDTHS[-1]))


def reference(state: Any, x: Any) -> Any:
    for at in range(LAYERS):
        x = x @ state[f"w{at}"] + state[f"b{at}"]
        x = np.maximum(x, 0) if at < LAYERS - 1 else x
    powers = np.exp(x - x.max())
    return powers / powers.sum()


@cache
def _hidden(np: Any) -> Any:
    return [np.empty((1, width), np.float32) for width in WIDTHS[1:-1]]


def numpy(np: Any, state: Any, x: Any) -> Any:
    for at, out in enumerate(_hidden(np)):
        np.matmul(x, state[f"w{at}"], out)
        np.add(out, state[f"b{at}"], out)
        x = np.maximum(out, 0, out=out)
    result = np.matmul(x, state["w3"])
    np.add(result, state["b3"], result)
    np.subtract(result, np.maximum.reduce(result, 1, None, None, True), result)
    np.exp(result, result)
    return np.divide(result, np.add.reduce(result, 1, None, None, True), result)


def _forward(state: Any, x: Any, relu: Any) -> Any:
    for at in range(LAYERS):
        x = x @ state[f"w{at}"] + state[f"b{at}"]
        x = relu(x) if at < LAYERS - 1 else x
    return x


def graphc(gc: Any, state: Any, x: Any) -> Any:
    return gc.nn.softmax(_forward(state, x, gc.nn.relu))


def torch(torch: Any, state: Any, x: Any) -> Any:
    for at in range(LAYERS):
        x = torch.addmm(state[f"b{at}"], x, state[f"w{at}"])
        x = torch.relu_(x) if at < LAYERS - 1 else x
    return torch.softmax(x, -1)


def jax(jax: Any, state: Any, x: Any) -> Any:
    return jax.nn.softmax(_forward(state, x, jax.nn.relu))


def onnx(b: Any, state: Any, x: Any) -> Any:
    for at in range(LAYERS):
        x = b.Gemm(x, state[f"w{at}"], state[f"b{at}"])
        x = b.Relu(x) if at < LAYERS - 1 else x
    return b.Softmax(x, axis=-1)


def pytensor(pytensor: Any, state: Any, x: Any) -> Any:
    pt = pytensor.tensor
    return pt.special.softmax(_forward(state, x, lambda h: pt.maximum(h, 0)), axis=-1)


def tinygrad(tinygrad: Any, state: Any, x: Any) -> Any:
    return _forward(state, x, lambda h: h.relu()).softmax(-1)
