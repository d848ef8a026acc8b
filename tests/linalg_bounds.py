"""Linear algebra in extended precision for `error_bound`, and how far LAPACK's answers may be off.

The ops read exact numbers only. What they compute is that of a matrix which differs from theirs by some n units of its
norm at most (backward stability: Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., chapters 9 to 19).
Singular values and eigenvalues are off by no more than that (Weyl); of the others the error is that times the condition
number, which is computed. A matrix whose condition number leaves nothing certain is undecided.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.conformance import loops

Array = np.ndarray
UNITS = 32.0
"""What the constants of these theorems come to for the small matrices of the fuzzer."""
_LARGEST = 0.05


class Undecided(Exception):
    """Rounding could change the answer by more than a part of it."""


def _qr(x: Array, mode: str) -> tuple[Array, Array]:
    if mode == "complete" and x.shape[-2] > x.shape[-1]:
        raise Undecided("qr: the columns that fill up Q are any")
    return loops.qr(x)  # type: ignore[no-any-return]


WIDE: dict[str, Callable[..., Any]] = {
    "cholesky": loops.cholesky,
    "cofactor": loops.cofactor,
    "det": loops.det,
    "eigh": loops.eigh,
    "eigvalsh": loops.eigvalsh,
    "inv": loops.inv,
    "pinv": lambda x, rtol: loops.pinv(x),
    "qr": _qr,
    "slogdet": loops.slogdet,
    "solve": loops.solve,
    "solve_triangular": loops.solve_triangular,
    "svd": lambda x, full_matrices: loops.svd(x),
    "svdvals": loops.svdvals,
}
"""op → the same in any precision. Of `pinv`, of matrices of full rank."""
NOT_COMPARED = {
    ("eigh", 1): "the signs of eigenvectors are not specified",
    ("svd", 0): "the signs of singular vectors are not specified",
    ("svd", 2): "the signs of singular vectors are not specified",
}
"""(op, number of the result) → why its numbers are not compared. tests/test_linalg.py says what they must satisfy."""
_OF_NORM = ("eigh", "eigvalsh", "svd", "svdvals")


def errors(op: str, values: Sequence[Array], x: Array, attrs: Mapping[str, Any], eps: float) -> list[Array | None]:
    """A bound for each result, the same for all its elements; `None` where numbers are not compared.

    Args:
        op: the name of the op.
        values: its results in extended precision.
        x: the matrix that it reads, exact.
        attrs: its attributes.
        eps: the spacing at 1 of the dtype that it computes in.

    Raises:
        Undecided: the matrix holds something else than numbers, or is too near to a singular one.
    """
    if op == "solve_triangular":
        x = np.tril(x) if attrs["lower"] else np.triu(x)
        x = np.where(np.eye(x.shape[-1], dtype=bool), 1, x) if attrs["unit_diagonal"] else x
    if not np.isfinite(x).all() or 0 in x.shape:
        raise Undecided(f"{op}: no matrix of numbers")
    share = UNITS * max(x.shape[-2:]) * eps
    norm = np.sqrt((x * x).sum(axis=(-2, -1)).max())
    if op in _OF_NORM:
        return [_like(value, op, at, share * norm) for at, value in enumerate(values)]
    if op == "cofactor":
        return [np.full(values[0].shape, x.shape[-1] * share * norm ** (x.shape[-1] - 1))]
    if op == "cholesky":
        x = np.tril(x) + np.swapaxes(np.tril(x, -1), -1, -2)
    share *= loops.condition(x)
    if not share < _LARGEST:
        raise Undecided(f"{op}: the matrix is nearly singular")
    if op == "slogdet":
        return [np.zeros(values[0].shape), share + eps * np.abs(values[1])]
    return [np.full(value.shape, share * np.abs(value).max(initial=0)) for value in values]


def _like(value: Array, op: str, at: int, error: float) -> Array | None:
    return None if (op, at) in NOT_COMPARED else np.full(value.shape, error)
