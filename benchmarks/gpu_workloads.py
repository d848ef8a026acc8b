"""What the GPU benchmarks compute: each in NumPy, and as graphc, jax and torch write it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import graphc as gc

ROWS, COLUMNS = 16384, 8192  # 512 MiB of float32: several times the second-level cache


class Workload(NamedTuple):
    """A function of one array that stays on the device.

    Attributes:
        title: for the table.
        graphc, jax, torch, numpy: array → array; jax and torch are given their module first.
        moved: how often the bytes of the array cross the memory bus at least: reads and writes.
    """

    title: str
    graphc: Callable[[Any], Any]
    jax: Callable[[Any, Any], Any]
    torch: Callable[[Any, Any], Any]
    numpy: Callable[[Any], Any]
    moved: float


def array(rows: int = ROWS, columns: int = COLUMNS) -> np.ndarray:
    """The same numbers for everybody: random, as zeros would hide mistakes and run faster."""
    return np.random.default_rng(0).standard_normal((rows, columns), np.float32)


def _gelu_chain_graphc(x: Any) -> Any:
    return gc.nn.gelu(x * 1.5 + 0.5) * x


def _gelu_chain_jax(jax: Any, x: Any) -> Any:
    return jax.nn.gelu(x * 1.5 + 0.5, approximate=False) * x


def _gelu_chain_torch(torch: Any, x: Any) -> Any:
    return torch.nn.functional.gelu(x * 1.5 + 0.5) * x


def _gelu_chain_numpy(x: Any) -> Any:
    z = x * 1.5 + 0.5
    return z * (1 + np.vectorize(math.erf)(z / math.sqrt(2))) / 2 * x


def _layer_norm_graphc(x: Any) -> Any:
    centred = x - gc.mean(x, axis=-1, keepdims=True)
    return centred * gc.rsqrt(gc.mean(centred * centred, axis=-1, keepdims=True) + 1e-5)


def _layer_norm_jax(jax: Any, x: Any) -> Any:
    centred = x - x.mean(-1, keepdims=True)
    return centred * jax.lax.rsqrt((centred * centred).mean(-1, keepdims=True) + 1e-5)


def _layer_norm_numpy(x: Any) -> Any:
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)


def _softmax_numpy(x: Any) -> Any:
    powers = np.exp(x - x.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


WORKLOADS = {
    "copy": Workload(
        "copy and scale: x · 2",
        lambda x: x * 2.0,
        lambda jax, x: x * 2.0,
        lambda torch, x: x * 2.0,
        lambda x: x * 2,
        2,
    ),
    "gelu": Workload(
        "gelu(1.5·x + 0.5) · x", _gelu_chain_graphc, _gelu_chain_jax, _gelu_chain_torch, _gelu_chain_numpy, 2
    ),
    "softmax": Workload(
        "softmax over rows",
        lambda x: gc.nn.softmax(x, axis=-1),
        lambda jax, x: jax.nn.softmax(x, axis=-1),
        lambda torch, x: torch.softmax(x, -1),
        _softmax_numpy,
        2,
    ),
    "layer_norm": Workload(
        "layer norm over rows",
        _layer_norm_graphc,
        _layer_norm_jax,
        lambda torch, x: torch.nn.functional.layer_norm(x, x.shape[-1:], eps=1e-5),
        _layer_norm_numpy,
        2,
    ),
    "sum_rows": Workload(
        "sum over rows",
        lambda x: gc.sum(x, axis=-1),
        lambda jax, x: x.sum(-1),
        lambda torch, x: x.sum(-1),
        lambda x: x.sum(-1),
        1,
    ),
    "sum_columns": Workload(
        "sum over columns",
        lambda x: gc.sum(x, axis=0),
        lambda jax, x: x.sum(0),
        lambda torch, x: x.sum(0),
        lambda x: x.sum(0),
        1,
    ),
    "sum_all": Workload(
        "sum over everything",
        lambda x: gc.sum(x),
        lambda jax, x: x.sum(),
        lambda torch, x: x.sum(),
        lambda x: x.sum(),
        1,
    ),
    "transpose": Workload(
        "transpose",
        lambda x: gc.permute_dims(x, (1, 0)),
        lambda jax, x: x.T + 0.0,
        lambda torch, x: x.T.contiguous(),
        lambda x: x.T,
        2,
    ),
}
"""Each reads the array once and writes its result once, at best."""
