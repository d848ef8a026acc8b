"""The largest of every 2×2 pixels, and the gradient of the images, given that of the result."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.workload import Problem

NAME, TITLE, GROUP = "max_pool_gradient", "max-pool 2×2 and its gradient, 32×112×112×32", "memory"
SUITES = {"smoke", "cpu", "gpu"}


def make(rng: np.random.Generator, size: str) -> Problem:
    batch, side, channels = (2, 8, 4) if size == "smoke" else (32, 112, 32)
    inputs = []
    for _ in range(2):
        count = batch * side * side * channels
        x = rng.permutation(count).astype(np.float32).reshape(batch, side, side, channels)  # no ties: libraries differ
        inputs.append((x, rng.standard_normal((batch, side // 2, side // 2, channels), np.float32)))
    return Problem(inputs, flops=3 * count, nbytes=4 * (2 * count + 2 * (count // 4)))


def _below(x: Any) -> list[Any]:
    return [x[:, i::2, j::2] for i in range(2) for j in range(2)]


def reference(x: Any, ct: Any) -> Any:
    y, dx = np.max(_below(x), axis=0), np.zeros_like(x)
    for part, slope in zip(_below(x), _below(dx), strict=True):
        slope[...] = np.where(part == y, ct, 0)
    return y, dx


def numpy(np: Any, x: Any, ct: Any) -> Any:
    first, second, third, fourth = _below(x)
    y, other, dx = np.maximum(first, second), np.maximum(third, fourth), np.empty_like(x)
    np.maximum(y, other, out=y)
    for part, slope in zip(_below(x), _below(dx), strict=True):
        np.multiply(part == y, ct, slope)
    return y, dx


def graphc(gc: Any, x: Any, ct: Any) -> Any:
    y = gc.nn.max_pool(x, 2)
    return y, gc.gradients(y, x, grad_ys=ct)


def torch(torch: Any, x: Any, ct: Any) -> Any:
    def pool(x: Any) -> Any:
        return torch.nn.functional.max_pool2d(x.permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1)

    y, pull = torch.func.vjp(pool, x)
    return y, pull(ct)[0]


def jax(jax: Any, x: Any, ct: Any) -> Any:
    def pool(x: Any) -> Any:
        return jax.lax.reduce_window(x, -jax.numpy.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")

    y, pull = jax.vjp(pool, x)
    return y, pull(ct)[0]
