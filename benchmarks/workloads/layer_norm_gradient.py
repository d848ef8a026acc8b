"""Layer norm over the rows of a matrix, and the gradients of its arguments, given that of its result."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from benchmarks.workload import Problem
from benchmarks.workloads import layer_norm

NAME, TITLE, GROUP = "layer_norm_gradient", "layer norm and its gradients, 8192×2048", "memory"
SUITES = {"cpu", "gpu"}
EPSILON = layer_norm.EPSILON
ROWS = 32  # of a block that stays in the second-level cache


def make(rng: np.random.Generator, size: str) -> Problem:
    rows, columns = (128, 64) if size == "smoke" else (8192, 2048)
    shapes = [(rows, columns), (columns,), (columns,), (rows, columns)]
    inputs = [tuple(rng.standard_normal(shape, np.float32) for shape in shapes) for _ in range(2)]
    # The gradients of scale and shift are sums over all rows, whose terms are near 1.
    return Problem(inputs, flops=18 * rows * columns, nbytes=16 * (rows + 1) * columns, atol=2e-6 * rows)


def reference(x: Any, scale: Any, shift: Any, ct: Any) -> Any:
    root = np.sqrt(x.var(-1, keepdims=True) + EPSILON)
    unit, slope = (x - x.mean(-1, keepdims=True)) / root, ct * scale
    dx = (slope - slope.mean(-1, keepdims=True) - unit * (slope * unit).mean(-1, keepdims=True)) / root
    return unit * scale + shift, dx, (ct * unit).sum(0), ct.sum(0)


@cache
def _buffers(np: Any, columns: int) -> Any:
    return [np.empty((ROWS, columns), np.float32) for _ in range(2)] + [np.empty((ROWS, 1), np.float32)]


def numpy(np: Any, x: Any, scale: Any, shift: Any, ct: Any) -> Any:
    rows, columns = x.shape
    y, dx = np.empty_like(x), np.empty_like(x)
    dscale = np.zeros(columns, np.float32)
    for start in range(0, rows, ROWS):
        at = slice(start, start + ROWS)
        out, slope, weight = y[at], dx[at], ct[at]
        unit, product, root = (buffer[: len(out)] for buffer in _buffers(np, columns))
        np.mean(x[at], -1, None, root, True)
        np.subtract(x[at], root, unit)
        np.einsum("ij,ij->i", unit, unit, out=root[:, 0])
        np.divide(root, columns, root)
        np.add(root, EPSILON, root)
        np.sqrt(root, root)
        np.divide(unit, root, unit)
        np.multiply(unit, scale, out)
        np.add(out, shift, out)
        np.multiply(weight, unit, product)
        dscale += product.sum(0)
        np.multiply(weight, scale, slope)
        share = np.einsum("ij,ij->i", slope, unit)[:, None] / np.float32(columns)
        np.subtract(slope, slope.mean(-1, keepdims=True), slope)
        np.multiply(unit, share, unit)
        np.subtract(slope, unit, slope)
        np.divide(slope, root, slope)
    return y, dx, dscale, ct.sum(0)


def graphc(gc: Any, x: Any, scale: Any, shift: Any, ct: Any) -> Any:
    y = layer_norm.graphc(gc, x, scale, shift)
    return y, *gc.gradients(y, [x, scale, shift], grad_ys=ct)


def torch(torch: Any, x: Any, scale: Any, shift: Any, ct: Any) -> Any:
    y, pull = torch.func.vjp(lambda *a: layer_norm.torch(torch, *a), x, scale, shift)
    return y, *pull(ct)


def jax(jax: Any, x: Any, scale: Any, shift: Any, ct: Any) -> Any:
    y, pull = jax.vjp(lambda *a: layer_norm.jax(jax, *a), x, scale, shift)
    return y, *pull(ct)


def pytensor(pytensor: Any, x: Any, scale: Any, shift: Any, ct: Any) -> Any:
    y = layer_norm.pytensor(pytensor, x, scale, shift)
    return y, *pytensor.grad(None, [x, scale, shift], known_grads={y: ct})


def tinygrad(tinygrad: Any, x: Any, scale: Any, shift: Any, ct: Any) -> Any:
    y = layer_norm.tinygrad(tinygrad, x, scale, shift)
    return y, *y.gradient(x, scale, shift, gradient=ct)
