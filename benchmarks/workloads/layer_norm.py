"""Layer norm over the rows of a matrix, with scale and shift."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from benchmarks.workload import Problem

NAME, TITLE, GROUP, SUITES = "layer_norm", "layer norm, 8192×2048", "memory", {"cpu", "gpu"}
EPSILON = 1e-5
ROWS = 64  # of a block that stays in the second-level cache


def make(rng: np.random.Generator, size: str) -> Problem:
    shape = (128, 64) if size == "smoke" else (8192, 2048)
    inputs = [tuple(rng.standard_normal(s, np.float32) for s in (shape, shape[1], shape[1])) for _ in range(2)]
    elements = shape[0] * shape[1]
    return Problem(inputs, flops=7 * elements, nbytes=8 * elements + 8 * shape[1])


def reference(x: Any, scale: Any, shift: Any) -> Any:
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + EPSILON) * scale + shift


@cache
def _column(np: Any) -> Any:
    return np.empty((ROWS, 1), np.float32)


def numpy(np: Any, x: Any, scale: Any, shift: Any) -> Any:
    result = np.empty_like(x)
    for start in range(0, len(x), ROWS):
        part, out = x[start : start + ROWS], result[start : start + ROWS]
        column = _column(np)[: len(part)]
        np.mean(part, -1, None, column, True)
        np.subtract(part, column, out)
        np.einsum("ij,ij->i", out, out, out=column[:, 0])
        np.divide(column, x.shape[1], column)
        np.add(column, EPSILON, column)
        np.sqrt(column, column)
        np.divide(out, column, out)
        np.multiply(out, scale, out)
        np.add(out, shift, out)
    return result


def graphc(gc: Any, x: Any, scale: Any, shift: Any) -> Any:
    centred = x - gc.mean(x, axis=-1, keepdims=True)
    return centred * gc.rsqrt(gc.mean(centred * centred, axis=-1, keepdims=True) + EPSILON) * scale + shift


def torch(torch: Any, x: Any, scale: Any, shift: Any) -> Any:
    return torch.nn.functional.layer_norm(x, x.shape[-1:], scale, shift, EPSILON)


def jax(jax: Any, x: Any, scale: Any, shift: Any) -> Any:
    return jax.nn.standardize(x, axis=-1, epsilon=EPSILON) * scale + shift


def onnx(b: Any, x: Any, scale: Any, shift: Any) -> Any:
    return b.LayerNormalization(x, scale, shift, axis=-1, epsilon=EPSILON)


def pytensor(pytensor: Any, x: Any, scale: Any, shift: Any) -> Any:
    centred = x - x.mean(-1, keepdims=True)
    return centred / pytensor.tensor.sqrt((centred * centred).mean(-1, keepdims=True) + EPSILON) * scale + shift


def tinygrad(tinygrad: Any, x: Any, scale: Any, shift: Any) -> Any:
    return x.layernorm(-1, EPSILON) * scale + shift
