"""Chains and trees of 1,000 to 100,000 operations with their gradients: until the first result."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from benchmarks.workload import Problem, Workload
from benchmarks.workloads._chains import chain, tree

_KINDS = {"chain": chain, "tree": tree}
_SIZES = (1_000, 10_000, 100_000)


def _make(rng: np.random.Generator, size: str) -> Problem:
    """Four elements: what is measured is the compiler."""
    return Problem([(np.linspace(0.1, 1.0, 4, dtype=np.float32),)], rtol=2e-3, atol=1e-4)


class _Dual:
    """A value with its derivative: forward mode, which shares nothing with what is measured."""

    def __init__(self, value: np.ndarray, slope: np.ndarray) -> None:
        self.value, self.slope = value, slope

    def __mul__(self, other: Any) -> _Dual:
        if isinstance(other, _Dual):
            return _Dual(self.value * other.value, self.slope * other.value + self.value * other.slope)
        return _Dual(self.value * other, self.slope * other)

    def __add__(self, other: float) -> _Dual:
        return _Dual(self.value + other, self.slope)

    def tanh(self) -> _Dual:
        value = np.tanh(self.value)
        return _Dual(value, self.slope * (1.0 - value * value))


def _reference(kind: str, operations: int, x: np.ndarray) -> Any:
    found = _KINDS[kind](_Dual(x, np.ones_like(x)), operations, _Dual.tanh)
    return found.value.sum(), found.slope


def _graphc(kind: str, operations: int, gc: Any, x: Any) -> Any:
    y = gc.sum(_KINDS[kind](x, operations, gc.tanh))
    return y, gc.gradients(y, x)


def _jax(kind: str, operations: int, jax: Any, x: Any) -> Any:
    return jax.value_and_grad(lambda x: _KINDS[kind](x, operations, jax.numpy.tanh).sum())(x)


def _torch(kind: str, operations: int, torch: Any, x: Any) -> Any:
    y, pull = torch.func.vjp(lambda x: _KINDS[kind](x, operations, torch.tanh).sum(), x)
    return y, pull(torch.ones_like(y))[0]


def _pytensor(kind: str, operations: int, pytensor: Any, x: Any) -> Any:
    y = _KINDS[kind](x, operations, pytensor.tensor.tanh).sum()
    return y, pytensor.grad(y, x)


def _workload(kind: str, operations: int) -> Workload:
    libraries = {"graphc": _graphc, "jax": _jax, "torch": _torch, "pytensor": _pytensor}
    return Workload(
        f"{kind}_{operations // 1000}k",
        f"{kind} of {operations:,} operations and its gradient",
        "compile",
        frozenset({"cpu"}),
        _make,
        partial(_reference, kind, operations),
        {name: partial(function, kind, operations) for name, function in libraries.items()},
        measure="first result",
        limit=90 if operations > 10_000 else 20,
        series=(f"first result of a {kind}, by operations", operations),
    )


WORKLOADS = [_workload(kind, operations) for kind in _KINDS for operations in _SIZES]
