"""Softmax over the rows of a matrix."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from benchmarks.workload import Problem

NAME, TITLE, GROUP, SUITES = "softmax", "softmax, 8192×2048", "memory", {"cpu", "gpu"}
SHAPES = {"smoke": (128, 64)}
ROWS = 64  # of a block that stays in the second-level cache


def make(rng: np.random.Generator, size: str) -> Problem:
    shape = SHAPES.get(size, (8192, 2048))
    inputs = [(rng.standard_normal(shape, np.float32),) for _ in range(2)]
    elements = shape[0] * shape[1]
    return Problem(inputs, flops=5 * elements, nbytes=8 * elements, atol=1e-8)


def reference(x: Any) -> Any:
    powers = np.exp(x - x.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


@cache
def _column(np: Any) -> Any:
    return np.empty((ROWS, 1), np.float32)


def numpy(np: Any, x: Any) -> Any:
    result = np.empty_like(x)
    for start in range(0, len(x), ROWS):
        part, out = x[start : start + ROWS], result[start : start + ROWS]
        column = _column(np)[: len(part)]
        np.max(part, -1, column, True)
        np.subtract(part, column, out)
        np.exp(out, out)
        np.sum(out, -1, None, column, True)
        np.divide(out, column, out)
    return result


def graphc(gc: Any, x: Any) -> Any:
    return gc.nn.softmax(x, axis=-1)


def torch(torch: Any, x: Any) -> Any:
    return torch.softmax(x, -1)


def jax(jax: Any, x: Any) -> Any:
    return jax.nn.softmax(x, axis=-1)


def onnx(b: Any, x: Any) -> Any:
    return b.Softmax(x, axis=-1)


def pytensor(pytensor: Any, x: Any) -> Any:
    return pytensor.tensor.special.softmax(x, axis=-1)


def tinygrad(tinygrad: Any, x: Any) -> Any:
    return x.softmax(-1)
