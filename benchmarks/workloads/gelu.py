"""A chain of elementwise operations, gelu(1.5·x + 0.5)·x: beyond the last-level cache, and inside of it."""

from __future__ import annotations

from functools import cache, partial
from math import erf, sqrt
from typing import Any

import numpy as np

from benchmarks.workload import Problem, Workload

# erf x is nearly x·P(x²)/Q(x²) for |x| < 4: the polynomials of Eigen and XLA, a few ulp off in float32.
_P = (
    *(-2.72614225801306e-10, 2.77068142495902e-08, -2.10102402082508e-06, -5.69250639462346e-05),
    *(-7.34990630326855e-04, -2.95459980854025e-03, -1.60960333262415e-02),
)
_Q = (
    *(-1.45660718464996e-05, -2.13374055278905e-04, -1.68282697438203e-03, -7.37332916720468e-03),
    -1.42647390514189e-02,
)
_BLOCK = 16384  # elements: the block's arrays stay in the second-level cache


def _make(elements: int, rng: np.random.Generator, size: str) -> Problem:
    count = min(elements, 40_000) if size == "smoke" else elements
    inputs = [(rng.standard_normal(count, np.float32),) for _ in range(2)]
    return Problem(inputs, flops=8 * count, nbytes=8 * count)  # a function such as erf counts as one operation


def reference(x: Any) -> Any:
    z = 1.5 * x + 0.5
    return z * 0.5 * (1 + _erf(z / sqrt(2))) * x


def _erf(x: np.ndarray) -> np.ndarray:
    return np.fromiter(map(erf, x.data), float, x.size)


@cache
def _buffers(np: Any) -> Any:
    return [np.empty(_BLOCK, np.float32) for _ in range(3)]


def numpy(np: Any, x: Any) -> Any:
    result = np.empty_like(x)
    for start in range(0, x.size, _BLOCK):
        part, out = x[start : start + _BLOCK], result[start : start + _BLOCK]
        u, square, q = (buffer[: part.size] for buffer in _buffers(np))
        np.multiply(part, 1.5 / sqrt(2), u)
        np.add(u, 0.5 / sqrt(2), u)
        np.multiply(u, part, out)
        np.clip(u, -4, 4, u)
        np.multiply(u, u, square)
        np.multiply(u, _polynomial(np, _P, square, np.multiply(square, _P[0], q)), u)
        np.divide(u, _polynomial(np, _Q, square, np.multiply(square, _Q[0], q)), u)
        np.add(u, 1, u)
        np.multiply(out, u, out)
        np.multiply(out, sqrt(0.5), out)
    return result


def _polynomial(np: Any, coefficients: Any, x: Any, out: Any) -> Any:
    """Horner's rule; out is x times the first coefficient."""
    for coefficient in coefficients[1:-1]:
        np.add(out, coefficient, out)
        np.multiply(out, x, out)
    return np.add(out, coefficients[-1], out)


def graphc(gc: Any, x: Any) -> Any:
    return gc.nn.gelu(1.5 * x + 0.5) * x


def torch(torch: Any, x: Any) -> Any:
    return torch.nn.functional.gelu(1.5 * x + 0.5) * x


def jax(jax: Any, x: Any) -> Any:
    return jax.nn.gelu(1.5 * x + 0.5, approximate=False) * x


def onnx(b: Any, x: Any) -> Any:
    return b.Mul(b.Gelu(b.Add(b.Mul(1.5, x), 0.5)), x)


def pytensor(pytensor: Any, x: Any) -> Any:
    z = 1.5 * x + 0.5
    return z * 0.5 * (1 + pytensor.tensor.erf(z * sqrt(0.5))) * x


def tinygrad(tinygrad: Any, x: Any) -> Any:
    z = 1.5 * x + 0.5
    return z * 0.5 * (1 + (z * sqrt(0.5)).erf()) * x


FUNCTIONS = {f.__name__: f for f in (numpy, graphc, torch, jax, onnx, pytensor, tinygrad)}
WORKLOADS = [
    Workload(
        name=f"gelu_{label}",
        title=f"gelu chain, {label.upper().replace('K', 'k')} elements",
        group="memory",
        suites=frozenset(suites),
        make=partial(_make, elements),
        reference=reference,
        functions=FUNCTIONS,
        series=("gelu chain, elements", elements),
    )
    for label, elements, suites in [("400k", 400_000, {"smoke", "cpu"}), ("16m", 16_000_000, {"cpu", "gpu"})]
]
