"""Sums over either axis of a matrix."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.workload import Problem, Workload


def _make(rng: np.random.Generator, size: str) -> Problem:
    shape = (128, 64) if size == "smoke" else (8192, 4096)
    inputs = [(rng.standard_normal(shape, np.float32),) for _ in range(2)]
    # Summed one by one, a column is rounded once per row at values up to √rows: some √rows·√rows·2⁻²⁴ together.
    elements = shape[0] * shape[1]
    return Problem(inputs, flops=elements, nbytes=4 * (elements + max(shape)), atol=2**-23 * shape[0])


def _functions(axis: int) -> dict[str, Callable[..., Any]]:
    return {
        "numpy": lambda np, x: np.sum(x, axis),
        "graphc": lambda gc, x: gc.sum(x, axis=axis),
        "torch": lambda torch, x: x.sum(axis),
        "jax": lambda jax, x: x.sum(axis),
        "onnx": lambda b, x: b.ReduceSum(x, [axis], keepdims=0),
        "pytensor": lambda pytensor, x: x.sum(axis),
        "tinygrad": lambda tinygrad, x: x.sum(axis),
    }


WORKLOADS = [
    Workload(
        name=name,
        title=f"{title}, 8192×4096",
        group="memory",
        suites=frozenset({"cpu", "gpu"} | ({"smoke"} if name == "sum_rows" else set())),
        make=_make,
        reference=lambda x, axis=axis: x.sum(axis),
        functions=_functions(axis),
    )
    for name, title, axis in [("sum_rows", "sum over each row", 1), ("sum_columns", "sum over each column", 0)]
]
