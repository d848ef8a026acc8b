"""Softmax over the rows of a matrix, and the gradient of its argument, given that of its result."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from benchmarks.workload import Problem

NAME, TITLE, GROUP, SUITES = "softmax_gradient", "softmax and its gradient, 8192×2048", "memory", {"cpu", "gpu"}
ROWS = 32  # of a block that stays in the second-level cache


def make(rng: np.random.Generator, size: str) -> Problem:
    shape = (128, 64) if size == "smoke" else (8192, 2048)
    inputs = [(rng.standard_normal(shape, np.float32), rng.standard_normal(shape, np.float32)) for _ in range(2)]
    elements = shape[0] * shape[1]
    return Problem(inputs, flops=9 * elements, nbytes=16 * elements, atol=1e-7)


def reference(x: Any, ct: Any) -> Any:
    powers = np.exp(x - x.max(-1, keepdims=True))
    y = powers / powers.sum(-1, keepdims=True)
    return y, y * (ct - (y * ct).sum(-1, keepdims=True))


@cache
def _column(np: Any) -> Any:
    return np.empty((ROWS, 1), np.float32)


def numpy(np: Any, x: Any, ct: Any) -> Any:
    result, slope = np.empty_like(x), np.empty_like(x)
    for start in range(0, len(x), ROWS):
        rows = slice(start, start + ROWS)
        y, dx, column = result[rows], slope[rows], _column(np)[: len(x[rows])]
        np.max(x[rows], -1, column, True)
        np.subtract(x[rows], column, y)
        np.exp(y, y)
        np.sum(y, -1, None, column, True)
        np.divide(y, column, y)
        np.einsum("ij,ij->i", y, ct[rows], out=column[:, 0])
        np.subtract(ct[rows], column, dx)
        np.multiply(dx, y, dx)
    return result, slope


def graphc(gc: Any, x: Any, ct: Any) -> Any:
    y = gc.nn.softmax(x, axis=-1)
    return y, gc.gradients(y, x, grad_ys=ct)


def torch(torch: Any, x: Any, ct: Any) -> Any:
    y, pull = torch.func.vjp(lambda x: torch.softmax(x, -1), x)
    return y, pull(ct)[0]


def jax(jax: Any, x: Any, ct: Any) -> Any:
    y, pull = jax.vjp(jax.nn.softmax, x)
    return y, pull(ct)[0]


def pytensor(pytensor: Any, x: Any, ct: Any) -> Any:
    y = pytensor.tensor.special.softmax(x, axis=-1)
    return y, pytensor.grad(None, x, known_grads={y: ct})


def tinygrad(tinygrad: Any, x: Any, ct: Any) -> Any:
    y = x.softmax(-1)
    return y, y.gradient(x, gradient=ct)[0]
