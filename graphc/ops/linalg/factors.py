"""Matrices as products of triangular and orthogonal ones: Cholesky, QR.

Gradients: Murray, Differentiation of the Cholesky decomposition (2016); Walter and Lehmann, Algorithmic differentiation
of linear algebra functions (2018) for QR.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from graphc.errors import ArgumentError
from graphc.ir import dims
from graphc.ir.opdef import public
from graphc.ir.tensor import Tensor, apply
from graphc.ir.types import TensorType, TupleType
from graphc.ops.define import TensorLike, as_tensor, record
from graphc.ops.layout import concat, matrix_transpose
from graphc.ops.linalg import lapack
from graphc.ops.linalg.factoring import (
    Cotangents,
    define_factors,
    is_tall,
    not_unique,
    of_lower_triangle,
    results,
    zeros_if_none,
)
from graphc.ops.linalg.parts import (
    halved_lower_part,
    leading,
    lower_part,
    require_matrix,
    require_square,
    strictly_lower_part,
)
from graphc.ops.linalg.solving import SOLVE_TRIANGULAR
from graphc.ops.precision import rounded_once
from graphc.ops.structure import projections


def _triangular(matrix: Tensor, right: Tensor, lower: bool) -> Tensor:
    return apply(SOLVE_TRIANGULAR, (matrix, right), lower=lower, unit_diagonal=False)


# --- Cholesky ---------------------------------------------------------------------------------------------------


def _cholesky_type(types: tuple[TensorType, ...], attrs: Mapping[str, Any]) -> TensorType:
    require_square(types[0], "cholesky")
    return types[0]


def _cholesky_vjp(ct: Tensor, node: Tensor) -> Tensor:
    """Lᵀ · Φ(Lᵀ · ct) · L⁻¹ with an inverse in place of the first Lᵀ; see Murray, section 4."""
    upper = node.mT
    half = _triangular(upper, halved_lower_part(upper @ ct), False)
    return of_lower_triangle(_triangular(upper, half.mT, False))


CHOLESKY = define_factors("cholesky", _cholesky_type, (_cholesky_vjp,), lapack.cholesky)


@public
def cholesky(x: TensorLike, /, *, upper: bool = False) -> Tensor:
    """The lower triangular L with L @ L.mT = x of symmetric positive definite matrices, or the upper one, L.mT.

    Of x only the triangle that is asked for is read, and has a gradient. What is not positive definite, or holds a NaN
    or an infinity there, gives NaN in the whole triangle.

    Args:
        x: floats (…, n, n); integers become float32.
        upper: whether the upper factor is wanted.

    Raises:
        ShapeError: the matrices are not square.
    """
    node = as_tensor(x)
    if upper:
        return matrix_transpose(record(CHOLESKY, matrix_transpose(node)))
    return record(CHOLESKY, node)


# --- QR ---------------------------------------------------------------------------------------------------------


class QRResult(NamedTuple):
    """What `qr` gives."""

    Q: Tensor
    R: Tensor


def _qr_type(types: tuple[TensorType, ...], attrs: Mapping[str, Any]) -> TupleType:
    (operand,) = types
    require_matrix(operand, "qr")
    *batch, rows, columns = operand.shape
    inner = rows if attrs["mode"] == "complete" else dims.minimum(rows, columns)
    return TupleType(
        (
            TensorType(operand.dtype, (*batch, rows, inner)),
            TensorType(operand.dtype, (*batch, inner, columns)),
        )
    )


def _qr_vjp(cts: Cotangents, node: Tensor) -> tuple[Tensor]:
    rows, columns = node.inputs[0].shape[-2:]
    q, r = projections(node)
    ct_q, ct_r = cts
    if not is_tall(node):
        return (_wide_qr_vjp(zeros_if_none(ct_q, q), zeros_if_none(ct_r, r), node),)
    if node.attrs["mode"] == "complete" and rows != columns:
        if ct_q is not None:
            raise not_unique(node, 'take mode="reduced"')
        q, r = leading(q, -1, columns), leading(r, -2, columns)
        ct_r = None if ct_r is None else leading(ct_r, -2, columns)
    return (_tall_qr_vjp(zeros_if_none(ct_q, q), zeros_if_none(ct_r, r), q, r),)


def _tall_qr_vjp(ct_q: Tensor, ct_r: Tensor, q: Tensor, r: Tensor) -> Tensor:
    """(Q̄ + Q · C) · R⁻ᵀ, where C has the lower triangle of R · R̄ᵀ - Q̄ᵀ · Q in both triangles."""
    both = r @ ct_r.mT - ct_q.mT @ q
    symmetric = lower_part(both) + strictly_lower_part(both).mT
    return _triangular(r, (ct_q + q @ symmetric).mT, False).mT


def _wide_qr_vjp(ct_q: Tensor, ct_r: Tensor, node: Tensor) -> Tensor:
    """The first columns have a square factor; the others are in R as Qᵀ times what they were."""
    (x,) = node.inputs
    q, r = projections(node)
    rows = x.shape[-2]
    rest, ct_rest = x[..., rows:], ct_r[..., rows:]
    square = _tall_qr_vjp(ct_q + rest @ ct_rest.mT, leading(ct_r, -1, rows), q, leading(r, -1, rows))
    return concat([square, q @ ct_rest], axis=-1)


QR = define_factors("qr", _qr_type, _qr_vjp, lapack.qr)


@public
@rounded_once
def qr(x: TensorLike, /, *, mode: str = "reduced") -> QRResult:
    """Q with orthonormal columns and an upper triangular R whose diagonal is not negative, with Q @ R = x.

    A matrix with a NaN or an infinity gives NaN. There is no gradient of the columns that mode="complete" adds to Q.

    Args:
        x: floats (…, m, n); integers become float32.
        mode: "reduced": Q is (…, m, k) and R (…, k, n) with the smaller size k; "complete": (…, m, m) and (…, m, n).

    Raises:
        ArgumentError: there is no such mode.
        ShapeError: x has fewer than two axes.
    """
    if mode not in ("reduced", "complete"):
        raise ArgumentError(
            "qr: there is no such mode", expected="'reduced' or 'complete'", got=repr(mode), fix='mode="reduced"'
        )
    return QRResult(*results(QR, x, mode=mode))
