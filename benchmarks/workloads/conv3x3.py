"""A convolution with a window of 3×3 over images, channels last."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.workload import Problem

NAME, TITLE, GROUP, SUITES = "conv3x3", "convolution 3×3, 32×56×56×64 → 64", "compute", {"smoke", "cpu", "gpu"}


def make(rng: np.random.Generator, size: str) -> Problem:
    batch, side, channels = (2, 8, 4) if size == "smoke" else (32, 56, 64)
    inputs = [(rng.standard_normal((batch, side, side, channels), np.float32),) for _ in range(2)]
    w = rng.standard_normal((3, 3, channels, channels), np.float32) / np.float32(3 * np.sqrt(channels))
    elements = batch * side * side * channels
    nbytes = 4 * (2 * elements + w.size)
    return Problem(inputs, {"w": w}, flops=2 * 9 * channels * elements, nbytes=nbytes, rtol=1e-4, atol=1e-4)


def _parts(np: Any, x: Any) -> list[Any]:
    """What is below each position of the window, for all places."""
    _, height, width, _ = x.shape
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    return [padded[:, i : i + height, j : j + width] for i in range(3) for j in range(3)]


def reference(state: Any, x: Any) -> Any:
    return sum(part @ w for part, w in zip(_parts(np, x), state["w"].reshape(9, *state["w"].shape[2:]), strict=True))


def numpy(np: Any, state: Any, x: Any) -> Any:
    w = state["w"]
    columns = np.concatenate(_parts(np, x), axis=-1).reshape(-1, 9 * w.shape[2])
    return (columns @ w.reshape(-1, w.shape[3])).reshape(*x.shape[:3], w.shape[3])


def graphc(gc: Any, state: Any, x: Any) -> Any:
    return gc.nn.conv(x, state["w"])


def torch(torch: Any, state: Any, x: Any) -> Any:
    """Images with channels last in memory are what `permute` makes of them: nothing is copied."""
    w = state["w"].permute(3, 2, 0, 1)
    return torch.conv2d(x.permute(0, 3, 1, 2), w, padding=1).permute(0, 2, 3, 1)


def jax(jax: Any, state: Any, x: Any) -> Any:
    return jax.lax.conv_general_dilated(x, state["w"], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
