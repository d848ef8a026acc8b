"""What the ops of linear algebra compute, over the functions that NumPy's `linalg` and `jax.numpy`'s share.

A matrix that holds a NaN or an infinity where it is read, and one that has no such factors or no inverse, gives NaN:
nothing raises. NumPy raises for a whole stack of which one matrix is singular; then they are taken one by one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Array = Any
"""An array of NumPy or of JAX."""
_BLOCK = 32  # rows: below, a Python loop over rows costs less than products of halves


def finite(xp: Any, x: Array) -> Array:
    """Whether all elements of a matrix are finite, with its axes as size 1."""
    return xp.isfinite(x).all(axis=(-2, -1), keepdims=True)


def patiently(function: Callable[..., Any], *stacks: Array) -> tuple[Array, ...]:
    """The results of a function of stacks of matrices; NaN for each matrix for which NumPy raises."""
    try:
        return _several(function(*stacks))
    except np.linalg.LinAlgError:
        batch = np.broadcast_shapes(*(stack.shape[:-2] for stack in stacks))
    harmless = [np.eye(*stack.shape[-2:], dtype=stack.dtype) for stack in stacks]
    failed = tuple(np.full_like(result, np.nan) for result in _several(function(*harmless)))
    spread = [np.broadcast_to(stack, batch + stack.shape[-2:]) for stack in stacks]
    found = [_one(function, [stack[at] for stack in spread], failed) for at in np.ndindex(batch)]
    return tuple(
        np.stack([each[number] for each in found]).reshape(batch + failed[number].shape)
        for number in range(len(failed))
    )


def _one(function: Callable[..., Any], matrices: list[Array], failed: tuple[Array, ...]) -> tuple[Array, ...]:
    try:
        return _several(function(*matrices))
    except np.linalg.LinAlgError:
        return failed


def _several(result: Any) -> tuple[Array, ...]:
    return tuple(result) if isinstance(result, tuple) else (result,)


def _transposed(xp: Any, x: Array) -> Array:
    return xp.swapaxes(x, -2, -1)


def _from_lower(xp: Any, x: Array) -> Array:
    """The symmetric matrix with the same lower triangle."""
    return xp.tril(x) + _transposed(xp, xp.tril(x, -1))


def _identity_like(xp: Any, x: Array) -> Array:
    return xp.eye(x.shape[-2], x.shape[-1], dtype=x.dtype)


# --- factors ----------------------------------------------------------------------------------------------------


def cholesky(xp: Any, x: Array) -> Array:
    """The lower factor of what the lower triangle stands for."""
    if 0 in x.shape:
        return x
    whole = _from_lower(xp, x)
    ok = finite(xp, whole)
    (factor,) = patiently(xp.linalg.cholesky, xp.where(ok, whole, _identity_like(xp, x)))
    ok = ok & finite(xp, factor)
    return xp.where(ok, factor, xp.tril(xp.full_like(x, np.nan)))


def qr(xp: Any, x: Array, mode: str) -> tuple[Array, Array]:
    """Q and R, whose diagonal is not negative."""
    rows, columns = x.shape[-2:]
    inner = rows if mode == "complete" else min(rows, columns)
    if 0 in x.shape:
        eye = xp.broadcast_to(xp.eye(rows, inner, dtype=x.dtype), (*x.shape[:-2], rows, inner))
        return eye, xp.zeros((*x.shape[:-2], inner, columns), x.dtype)
    ok = finite(xp, x)
    q, r = patiently(lambda a: xp.linalg.qr(a, mode=mode), xp.where(ok, x, _identity_like(xp, x)))
    pivots = xp.diagonal(r, axis1=-2, axis2=-1)
    extra = xp.ones((*x.shape[:-2], inner - pivots.shape[-1]), x.dtype)
    signs = xp.concat([xp.where(pivots < 0, -extra.dtype.type(1), extra.dtype.type(1)), extra], axis=-1)
    q, r = q * signs[..., None, :], xp.triu(r * signs[..., :, None])
    return xp.where(ok, q, np.nan), xp.where(ok, r, xp.triu(xp.full_like(r, np.nan)))


def svd(xp: Any, x: Array, full_matrices: bool) -> tuple[Array, Array, Array]:
    """U, S, Vᵀ."""
    rows, columns = x.shape[-2:]
    batch, rank = x.shape[:-2], min(rows, columns)
    if 0 in x.shape:
        left, right = (rows, columns) if full_matrices else (rank, rank)
        u, vh = xp.eye(rows, left, dtype=x.dtype), xp.eye(right, columns, dtype=x.dtype)
        spread = (xp.broadcast_to(each, (*batch, *each.shape)) for each in (u, vh))
        u, vh = spread
        return u, xp.zeros((*batch, rank), x.dtype), vh
    ok = finite(xp, x)
    clean = xp.where(ok, x, _identity_like(xp, x))
    u, s, vh = patiently(lambda a: xp.linalg.svd(a, full_matrices=full_matrices), clean)
    return xp.where(ok, u, np.nan), xp.where(ok[..., 0], s, np.nan), xp.where(ok, vh, np.nan)


def svdvals(xp: Any, x: Array) -> Array:
    """The singular values alone."""
    if 0 in x.shape:
        return xp.zeros((*x.shape[:-2], min(x.shape[-2:])), x.dtype)
    ok = finite(xp, x)
    clean = xp.where(ok, x, _identity_like(xp, x))
    (s,) = patiently(lambda a: xp.linalg.svd(a, compute_uv=False), clean)
    return xp.where(ok[..., 0], s, np.nan)


def eigh(xp: Any, x: Array) -> tuple[Array, Array]:
    """The eigenvalues and eigenvectors of what the lower triangle stands for."""
    if 0 in x.shape:
        return xp.zeros(x.shape[:-1], x.dtype), x
    whole = _from_lower(xp, x)
    ok = finite(xp, whole)
    values, vectors = patiently(xp.linalg.eigh, xp.where(ok, whole, _identity_like(xp, x)))
    return xp.where(ok[..., 0], values, np.nan), xp.where(ok, vectors, np.nan)


def eigvalsh(xp: Any, x: Array) -> Array:
    """The eigenvalues alone."""
    if 0 in x.shape:
        return xp.zeros(x.shape[:-1], x.dtype)
    whole = _from_lower(xp, x)
    ok = finite(xp, whole)
    (values,) = patiently(xp.linalg.eigvalsh, xp.where(ok, whole, _identity_like(xp, x)))
    return xp.where(ok[..., 0], values, np.nan)


def pinv(xp: Any, x: Array, rtol: float | None) -> Array:
    """V · diag(1 / s) · Uᵀ over the singular values that count."""
    rows, columns = x.shape[-2:]
    if 0 in x.shape:
        return xp.zeros((*x.shape[:-2], columns, rows), x.dtype)
    tolerance = max(rows, columns) * np.finfo(x.dtype).eps if rtol is None else rtol
    u, s, vh = svd(xp, x, False)
    counts = s > x.dtype.type(tolerance) * s[..., :1]
    inverse = xp.where(xp.isnan(s), np.nan, xp.where(counts, 1 / xp.where(counts, s, 1), 0))
    return _transposed(xp, vh) @ (inverse[..., :, None] * _transposed(xp, u))


# --- solving ----------------------------------------------------------------------------------------------------


def solve(xp: Any, a: Array, b: Array) -> Array:
    """inv(a) @ b."""
    shape = (*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), *b.shape[-2:])
    if 0 in shape:
        return xp.zeros(shape, b.dtype)
    ok = finite(xp, a)
    (x,) = patiently(xp.linalg.solve, xp.where(ok, a, _identity_like(xp, a)), b)
    return xp.where(ok, x, np.nan)


def inv(xp: Any, x: Array) -> Array:
    """The inverses."""
    if 0 in x.shape:
        return x
    ok = finite(xp, x)
    (inverse,) = patiently(xp.linalg.inv, xp.where(ok, x, _identity_like(xp, x)))
    return xp.where(ok, inverse, np.nan)


def det(xp: Any, x: Array) -> Array:
    """The determinants."""
    ok = finite(xp, x)
    value = xp.linalg.det(xp.where(ok, x, _identity_like(xp, x)))
    return xp.where(ok[..., 0, 0], xp.where(value == 0, x.dtype.type(0), value), np.nan)


def slogdet(xp: Any, x: Array) -> tuple[Array, Array]:
    """The signs and the logarithms of the absolute values of the determinants."""
    ok = finite(xp, x)
    sign, log = xp.linalg.slogdet(xp.where(ok, x, _identity_like(xp, x)))
    ok = ok[..., 0, 0]
    return xp.where(ok, sign, np.nan), xp.where(ok, log, np.nan)


def cofactor(xp: Any, x: Array) -> Array:
    """det(x) · inv(x)ᵀ, which singular matrices have, too: det(U) · det(V) · U · diag(products of the other s) · Vᵀ."""
    if 0 in x.shape:
        return x
    u, s, vh = svd(xp, x, True)
    own = xp.eye(s.shape[-1], dtype=bool)
    others = xp.prod(xp.where(own, s.dtype.type(1), s[..., None, :]), axis=-1)
    sign = xp.sign(det(xp, u) * det(xp, vh))
    return (u * (sign[..., None] * others)[..., None, :]) @ vh


def solve_triangular(xp: Any, a: Array, b: Array, lower: bool, unit_diagonal: bool) -> Array:
    """inv(a) @ b for a triangle of a, by substitution; with NumPy."""
    shape = (*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), *b.shape[-2:])
    if 0 in shape:
        return xp.zeros(shape, b.dtype)
    triangle = xp.tril(a, -unit_diagonal) if lower else xp.triu(a, unit_diagonal)
    ok = finite(xp, triangle)
    if not unit_diagonal:
        ok = ok & (xp.diagonal(a, axis1=-2, axis2=-1) != 0).all(axis=-1)[..., None, None]
    clean = xp.where(ok, triangle, _identity_like(xp, a))
    b = xp.broadcast_to(b, shape)
    x = _forward(clean, b, unit_diagonal) if lower else _forward(_turned(clean), b[..., ::-1, :], unit_diagonal)
    return xp.where(ok, x if lower else x[..., ::-1, :], np.nan)


def _turned(x: Array) -> Array:
    """An upper triangle as a lower one: both axes in reverse."""
    return x[..., ::-1, ::-1]


def _forward(a: Array, b: Array, unit_diagonal: bool) -> Array:
    """Forward substitution: row by row in blocks, by products of matrices between them."""
    size = a.shape[-1]
    if size > _BLOCK:
        half = size // 2
        top = _forward(a[..., :half, :half], b[..., :half, :], unit_diagonal)
        rest = b[..., half:, :] - a[..., half:, :half] @ top
        return np.concat([top, _forward(a[..., half:, half:], rest, unit_diagonal)], axis=-2)
    x = np.array(b)
    for row in range(size):
        x[..., row, :] -= (a[..., row : row + 1, :row] @ x[..., :row, :])[..., 0, :]
        if not unit_diagonal:
            x[..., row, :] /= a[..., row, row, None]
    return x
