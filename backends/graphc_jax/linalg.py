"""Systems of equations and determinants over `jax.lax.linalg`. The first argument is the module `jax`.

A matrix with a zero among its pivots gives NaN throughout, as docs/semantics.md has it: XLA's own answers differ
with the right-hand side. The other ops of linear algebra are over functions that `jax.numpy` shares with NumPy.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Value = Any


def _finite(jax: Any, x: Value) -> Value:
    return jax.numpy.isfinite(x).all(axis=(-2, -1), keepdims=True)


def _identity(jax: Any, x: Value) -> Value:
    return jax.numpy.eye(x.shape[-1], dtype=x.dtype)


def _diagonal(jax: Any, x: Value) -> Value:
    return jax.numpy.diagonal(x, axis1=-2, axis2=-1)


def _factors(jax: Any, x: Value) -> tuple[Value, Value, Value, Value]:
    """L and U in one matrix, pivots, permutation, and whether the matrix is finite and has no zero pivot."""
    ok = _finite(jax, x)
    lu, pivots, permutation = jax.lax.linalg.lu(jax.numpy.where(ok, x, _identity(jax, x)))
    return lu, pivots, permutation, ok & (_diagonal(jax, lu) != 0).all(axis=-1)[..., None, None]


def _substituted(jax: Any, a: Value, b: Value, **options: bool) -> Value:
    """Both with the batch to which they broadcast."""
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    a, b = (jax.numpy.broadcast_to(each, (*batch, *each.shape[-2:])) for each in (a, b))
    return jax.lax.linalg.triangular_solve(a, b, left_side=True, **options)


def solve(jax: Any, a: Value, b: Value) -> Value:
    """inv(a) @ b by elimination with pivots."""
    shape = (*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), *b.shape[-2:])
    if 0 in shape:
        return jax.numpy.zeros(shape, b.dtype)
    lu, _, permutation, ok = _factors(jax, a)
    lu = jax.numpy.where(ok, lu, _identity(jax, a))
    rows = jax.numpy.broadcast_to(permutation[..., None], (*shape[:-1], 1))
    x = jax.numpy.take_along_axis(jax.numpy.broadcast_to(b, shape), rows, axis=-2)
    x = _substituted(jax, lu, x, lower=True, unit_diagonal=True)
    return jax.numpy.where(ok, _substituted(jax, lu, x, lower=False), math.nan)


def inv(jax: Any, x: Value) -> Value:
    """The inverses."""
    return x if 0 in x.shape else solve(jax, x, _identity(jax, x))


def solve_triangular(jax: Any, a: Value, b: Value, lower: bool, unit_diagonal: bool) -> Value:
    """inv(a) @ b for a triangle of a."""
    shape = (*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), *b.shape[-2:])
    if 0 in shape:
        return jax.numpy.zeros(shape, b.dtype)
    triangle = jax.numpy.tril(a, -unit_diagonal) if lower else jax.numpy.triu(a, unit_diagonal)
    ok = _finite(jax, triangle)
    if not unit_diagonal:
        ok = ok & (_diagonal(jax, a) != 0).all(axis=-1)[..., None, None]
    clean = jax.numpy.where(ok, triangle, _identity(jax, a))
    x = _substituted(jax, clean, b, lower=lower, unit_diagonal=unit_diagonal)
    return jax.numpy.where(ok, x, math.nan)


def _parity(jax: Any, x: Value, pivots: Value) -> Value:
    """The sign of the permutation."""
    moved = (pivots != jax.numpy.arange(x.shape[-1], dtype=pivots.dtype)).sum(axis=-1)
    return jax.numpy.where(moved % 2 == 1, x.dtype.type(-1), x.dtype.type(1))


def det(jax: Any, x: Value) -> Value:
    """The determinants."""
    if 0 in x.shape:
        return jax.numpy.ones(x.shape[:-2], x.dtype)
    lu, pivots, _, _ = _factors(jax, x)
    value = _diagonal(jax, lu).prod(axis=-1) * _parity(jax, x, pivots)
    value = jax.numpy.where(value == 0, 0, value)
    return jax.numpy.where(_finite(jax, x)[..., 0, 0], value, math.nan)


def slogdet(jax: Any, x: Value) -> tuple[Value, Value]:
    """The signs and the logarithms of the absolute values of the determinants."""
    if 0 in x.shape:
        return jax.numpy.ones(x.shape[:-2], x.dtype), jax.numpy.zeros(x.shape[:-2], x.dtype)
    lu, pivots, _, _ = _factors(jax, x)
    diagonal = _diagonal(jax, lu)
    ok = _finite(jax, x)[..., 0, 0]
    sign = jax.numpy.sign(diagonal).prod(axis=-1) * _parity(jax, x, pivots)
    log = jax.numpy.log(abs(diagonal)).sum(axis=-1)
    sign = jax.numpy.where(sign == 0, 0, sign)
    return jax.numpy.where(ok, sign, math.nan), jax.numpy.where(ok, log, math.nan)


KERNELS = {function.__name__: function for function in (det, inv, slogdet, solve, solve_triangular)}
"""What emitted code can name, each without its first argument."""
