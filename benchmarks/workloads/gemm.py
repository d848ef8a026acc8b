"""Matrix products: small, medium, large, skinny (all of the time goes into reading one matrix), batched."""

from __future__ import annotations

from functools import partial
from math import prod
from typing import Any

import numpy as np

from benchmarks.workload import Problem, Workload

Shape = tuple[int, ...]


def _product(library: Any, a: Any, b: Any) -> Any:
    return a @ b


def onnx(builder: Any, a: Any, b: Any) -> Any:
    return builder.MatMul(a, b)


FUNCTIONS = dict.fromkeys(("numpy", "graphc", "torch", "jax", "pytensor", "tinygrad"), _product) | {"onnx": onnx}


def _make(first: Shape, second: Shape, rng: np.random.Generator, size: str) -> Problem:
    if size == "smoke":
        first, second = (tuple(min(n, 48) for n in shape) for shape in (first, second))
    inner, elements = first[-1], prod(first) + prod(second)
    copies = max(1, min(8, 2**24 // elements))
    inputs = [(rng.standard_normal(first, np.float32), rng.standard_normal(second, np.float32)) for _ in range(copies)]
    results = prod(first[:-1]) * second[-1]
    # Each number is a sum of `inner` terms near 1, in whatever order.
    return Problem(inputs, flops=2 * inner * results, nbytes=4 * (elements + results), atol=1e-6 * inner)


def _workload(name: str, title: str, group: str, suites: set[str], first: Shape, second: Shape) -> Workload:
    square = ("matrix product n×n, n", first[0]) if first == second and len(first) == 2 else None
    make = partial(_make, first, second)
    return Workload(name, title, group, frozenset(suites), make, np.matmul, FUNCTIONS, series=square)


def _square(n: int, group: str, suites: set[str]) -> Workload:
    return _workload(f"gemm_{n}", f"matrix product, {n}×{n}", group, suites, (n, n), (n, n))


_ALL = {"cpu", "gpu"}
WORKLOADS = [
    _square(64, "dispatch", _ALL),
    _square(512, "compute", _ALL),
    _square(2048, "compute", _ALL),
    _workload("gemm_skinny", "matrix product, 4096×4096 by 4096×8", "memory", _ALL, (4096, 4096), (4096, 8)),
    _workload("gemm_batched", "matrix product, 64 of 128×128", "compute", _ALL, (64, 128, 128), (64, 128, 128)),
]
