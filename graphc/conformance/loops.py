"""Linear algebra by plain loops, in any precision of NumPy's: the oracle of the ops that call LAPACK.

LAPACK knows no `longdouble`. These are other algorithms than its own: elimination and Gram and Schmidt's, both as in
textbooks, and Jacobi's rotations for eigenvalues (Golub and Van Loan, Matrix Computations, 4th ed., 8.5) and singular
values (Hestenes' one-sided form, 8.6.3). They converge for every matrix, and are slow. The last two axes hold one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray
_SWEEPS = 40


def stacked(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of matrices as one of stacks, which broadcast; its keyword arguments are the same for all."""

    def over_stack(*stacks: Array, **options: Any) -> Any:
        batch = np.broadcast_shapes(*(stack.shape[:-2] for stack in stacks))
        spread = [np.broadcast_to(stack, batch + stack.shape[-2:]) for stack in stacks]
        found = [function(*(stack[at] for stack in spread), **options) for at in np.ndindex(batch)]
        if not found:
            raise ValueError("an empty stack has no first matrix to tell the shapes of the results")
        if isinstance(found[0], tuple):
            return tuple(np.stack(each).reshape(batch + each[0].shape) for each in zip(*found, strict=True))
        return np.stack(found).reshape(batch + np.shape(found[0]))

    return over_stack


def _eliminated(a: Array, b: Array) -> tuple[Array, Array, int]:
    """An upper triangle, the right-hand side that belongs to it, and the sign of the exchanges of rows."""
    a, b, sign = a.copy(), b.copy(), 1
    for k in range(len(a)):
        pivot = k + int(np.argmax(np.abs(a[k:, k])))
        if pivot != k:
            a[[k, pivot]], b[[k, pivot]], sign = a[[pivot, k]], b[[pivot, k]], -sign
        for row in range(k + 1, len(a)):
            factor = a[row, k] / a[k, k] if a[k, k] else a.dtype.type(0)
            a[row], b[row] = a[row] - factor * a[k], b[row] - factor * b[k]
    return a, b, sign


@stacked
def solve(a: Array, b: Array) -> Array:
    """The solutions of a @ x = b; NaN if a is singular."""
    upper, right, _ = _eliminated(a, b)
    return solve_upper(upper, right)


def solve_upper(upper: Array, right: Array) -> Array:
    """Backward substitution; NaN for a zero on the diagonal."""
    x = np.array(right)
    if not np.diagonal(upper).all():
        return np.full_like(x, np.nan)
    for row in range(len(upper) - 1, -1, -1):
        x[row] = (x[row] - upper[row, row + 1 :] @ x[row + 1 :]) / upper[row, row]
    return x


@stacked
def solve_triangular(a: Array, b: Array, lower: bool, unit_diagonal: bool) -> Array:
    """The solutions for one triangle of a."""
    if unit_diagonal:
        a = a - np.diag(np.diagonal(a)) + np.eye(len(a), dtype=a.dtype)
    if lower:
        return solve_upper(np.tril(a)[::-1, ::-1], b[::-1])[::-1]
    return solve_upper(np.triu(a), b)


def inv(x: Array) -> Array:
    """The inverses; NaN of singular matrices."""
    return np.asarray(solve(x, np.eye(x.shape[-1], dtype=x.dtype)))


@stacked
def det(x: Array) -> Array:
    """The determinants."""
    upper, _, sign = _eliminated(x, x[:, :0])
    return np.asarray(sign * np.prod(np.diagonal(upper), dtype=x.dtype))


@stacked
def cofactor(x: Array) -> Array:
    """The cofactors, each a determinant."""
    size = len(x)
    minors = [[np.delete(np.delete(x, i, 0), j, 1) for j in range(size)] for i in range(size)]
    return np.array([[(-1) ** (i + j) * det(minors[i][j]) for j in range(size)] for i in range(size)], x.dtype)


def slogdet(x: Array) -> tuple[Array, Array]:
    """The signs and the logarithms of the absolute values of the determinants."""
    value = det(x)
    return np.sign(value), np.log(np.abs(value))


@stacked
def cholesky(x: Array) -> Array:
    """The lower factor, of the lower triangle; NaN in the triangle if there is none."""
    factor = np.zeros_like(x)
    for i in range(len(x)):
        for j in range(i + 1):
            rest = x[i, j] - factor[i, :j] @ factor[j, :j]
            if i == j and not rest > 0:
                return np.tril(np.full_like(x, np.nan))
            factor[i, j] = np.sqrt(rest) if i == j else rest / factor[j, j]
    return factor


@stacked
def qr(x: Array) -> tuple[Array, Array]:
    """The reduced factors of a matrix of full rank. Each vector is made orthogonal twice: twice is enough (Kahan)."""
    rank = min(x.shape)
    q, r = np.zeros((len(x), rank), x.dtype), np.zeros((rank, x.shape[1]), x.dtype)
    for j in range(x.shape[1]):
        rest = x[:, j]
        for _ in range(2):
            shares = q[:, : min(j, rank)].T @ rest
            r[: min(j, rank), j] += shares
            rest = rest - q[:, : min(j, rank)] @ shares
        if j < rank:
            r[j, j] = np.sqrt(rest @ rest)
            q[:, j] = rest / r[j, j]
    return q, r


def _rotation(a: Any, b: Any, c: Any) -> tuple[Any, Any]:
    """Cosine and sine of the rotation that makes [[a, c], [c, b]] diagonal."""
    tau = (b - a) / (2 * c)
    tangent = (1 if tau >= 0 else -1) / (np.abs(tau) + np.sqrt(1 + tau * tau))
    cosine = 1 / np.sqrt(1 + tangent * tangent)
    return cosine, cosine * tangent


def _rotate(columns: Array, p: int, q: int, cosine: Any, sine: Any) -> None:
    first = cosine * columns[:, p] - sine * columns[:, q]
    columns[:, q] = sine * columns[:, p] + cosine * columns[:, q]
    columns[:, p] = first


@stacked
def eigh(x: Array) -> tuple[Array, Array]:
    """The eigenvalues in rising order and the eigenvectors, of the lower triangle."""
    a = np.tril(x) + np.tril(x, -1).T
    vectors = np.eye(len(a), dtype=a.dtype)
    for _ in range(_SWEEPS):
        for p in range(len(a)):
            for q in range(p + 1, len(a)):
                if a[p, q]:
                    turn = _rotation(a[p, p], a[q, q], a[p, q])
                    _rotate(a, p, q, *turn)
                    _rotate(a.T, p, q, *turn)
                    a[p, q] = a[q, p] = 0
                    _rotate(vectors, p, q, *turn)
    order = np.argsort(np.diagonal(a))
    return np.diagonal(a)[order], vectors[:, order]


@stacked
def svd(x: Array) -> tuple[Array, Array, Array]:
    """U, S, Vᵀ, reduced, of a matrix of full rank; S alone is right for every matrix."""
    if len(x) < x.shape[1]:
        u, s, vh = svd(x.T)
        return vh.T, s, u.T
    columns, vectors = x.copy(), np.eye(x.shape[1], dtype=x.dtype)
    for _ in range(_SWEEPS):
        for p in range(x.shape[1]):
            for q in range(p + 1, x.shape[1]):
                inner = columns[:, p] @ columns[:, q]
                if inner:
                    turn = _rotation(columns[:, p] @ columns[:, p], columns[:, q] @ columns[:, q], inner)
                    _rotate(columns, p, q, *turn)
                    _rotate(vectors, p, q, *turn)
    s = np.sqrt((columns * columns).sum(axis=0))
    order = np.argsort(-s)
    u = columns[:, order] / np.where(s[order] > 0, s[order], 1)
    return u, s[order], vectors[:, order].T


def svdvals(x: Array) -> Array:
    """The singular values in falling order."""
    return np.asarray(svd(x)[1])


def eigvalsh(x: Array) -> Array:
    """The eigenvalues in rising order."""
    return np.asarray(eigh(x)[0])


def pinv(x: Array) -> Array:
    """The pseudo-inverses of matrices of full rank, by the normal equations."""
    transposed = x.swapaxes(-1, -2)
    if x.shape[-2] >= x.shape[-1]:
        return np.asarray(solve(transposed @ x, transposed))
    return np.asarray(np.swapaxes(solve(x @ transposed, x), -1, -2))


def condition(x: Array) -> float:
    """The largest ratio of the largest to the smallest singular value of a stack's matrices; inf for singular ones."""
    values = svdvals(x)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.where(values[..., -1] > 0, values[..., 0] / values[..., -1], math.inf)
    return float(ratios.max())
