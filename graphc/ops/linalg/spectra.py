"""Eigenvalues of symmetric matrices, and singular values.

Gradients: Giles, Collected matrix derivative results (2008) for eigh; Townsend, Differentiating the singular value
decomposition (2016).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from graphc.ir import dims
from graphc.ir.dims import Dim
from graphc.ir.opdef import public
from graphc.ir.tensor import Tensor, apply
from graphc.ir.types import TensorType, TupleType
from graphc.ops.define import TensorLike, as_tensor, record
from graphc.ops.layout import expand_dims
from graphc.ops.linalg import lapack
from graphc.ops.linalg.factoring import Cotangents, define_factors, is_tall, not_unique, of_lower_triangle, results
from graphc.ops.linalg.parts import from_diagonal, identity, leading, require_matrix, require_square
from graphc.ops.precision import rounded_once
from graphc.ops.structure import project, projections

# --- eigenvalues ------------------------------------------------------------------------------------------------


class EighResult(NamedTuple):
    """What `eigh` gives."""

    eigenvalues: Tensor
    eigenvectors: Tensor


def _eigenvalues_type(types: tuple[TensorType, ...], attrs: Mapping[str, Any]) -> TensorType:
    require_square(types[0], "eigvalsh")
    return TensorType(types[0].dtype, types[0].shape[:-1])


def _eigh_type(types: tuple[TensorType, ...], attrs: Mapping[str, Any]) -> TupleType:
    require_square(types[0], "eigh")
    return TupleType((TensorType(types[0].dtype, types[0].shape[:-1]), types[0]))


def _reciprocal_gaps(x: Tensor) -> Tensor:
    """1 / (x_j - x_i), and 0 on the diagonal. Equal numbers give an infinity."""
    one = identity(x.shape[-1], x.dtype)
    return 1.0 / (expand_dims(x, -2) - expand_dims(x, -1) + one) - one


def _eigh_vjp(cts: Cotangents, node: Tensor) -> tuple[Tensor]:
    """V · (diag(w̄) + (Vᵀ · V̄) / (w_j - w_i)) · Vᵀ."""
    values, vectors = projections(node)
    ct_values, ct_vectors = cts
    inner: Tensor | None = None
    if ct_vectors is not None:
        inner = _reciprocal_gaps(values) * (vectors.mT @ ct_vectors)
    if ct_values is not None:
        inner = from_diagonal(ct_values) if inner is None else inner + from_diagonal(ct_values)
    assert inner is not None
    return (of_lower_triangle(vectors @ inner @ vectors.mT),)


EIGH = define_factors("eigh", _eigh_type, _eigh_vjp, lapack.eigh)


@public
@rounded_once
def eigh(x: TensorLike, /) -> EighResult:
    """The eigenvalues of symmetric matrices in rising order, and orthonormal eigenvectors as columns.

    Of x only the lower triangle is read, and has a gradient. The signs of eigenvectors are not specified, and the
    gradient in those of equal eigenvalues is not finite. A matrix with a NaN or an infinity gives NaN.

    Args:
        x: floats (…, n, n); integers become float32.

    Raises:
        ShapeError: the matrices are not square.
    """
    return EighResult(*results(EIGH, x))


def _eigvalsh_vjp(ct: Tensor, node: Tensor) -> Tensor:
    vectors = project(apply(EIGH, node.inputs), 1)
    return of_lower_triangle((vectors * expand_dims(ct, -2)) @ vectors.mT)


EIGVALSH = define_factors("eigvalsh", _eigenvalues_type, (_eigvalsh_vjp,), lapack.eigvalsh)


@public
def eigvalsh(x: TensorLike, /) -> Tensor:
    """The eigenvalues of symmetric matrices in rising order; see `eigh`.

    Raises:
        ShapeError: the matrices are not square.
    """
    return record(EIGVALSH, as_tensor(x))


# --- singular values --------------------------------------------------------------------------------------------


class SVDResult(NamedTuple):
    """What `svd` gives."""

    U: Tensor
    S: Tensor
    Vh: Tensor


def _sizes(operand: TensorType) -> tuple[Dim, Dim, Dim]:
    rows, columns = operand.shape[-2:]
    return rows, columns, dims.minimum(rows, columns)


def _svd_type(types: tuple[TensorType, ...], attrs: Mapping[str, Any]) -> TupleType:
    (operand,) = types
    require_matrix(operand, "svd")
    batch, (rows, columns, rank) = operand.shape[:-2], _sizes(operand)
    left, right = (rows, columns) if attrs["full_matrices"] else (rank, rank)
    shapes = ((*batch, rows, left), (*batch, rank), (*batch, right, columns))
    return TupleType(tuple(TensorType(operand.dtype, shape) for shape in shapes))


def _svd_vjp(cts: Cotangents, node: Tensor) -> tuple[Tensor]:
    """U · (S̄ + F∘(UᵀŪ - ŪᵀU) · S + S · F∘(VᵀV̄ - V̄ᵀV)) · Vᵀ with F = 1 / (s_j² - s_i²), and what leaves the span."""
    rows, columns, rank = _sizes(node.inputs[0].type)
    u, s, vh = projections(node)
    ct_u, ct_s, ct_vh = cts
    if node.attrs["full_matrices"] and rows != columns:
        tall = is_tall(node)
        if (ct_u if tall else ct_vh) is not None:
            raise not_unique(node, "take full_matrices=False")
        u, vh = leading(u, -1, rank), leading(vh, -2, rank)
    inner = None if ct_s is None else from_diagonal(ct_s)
    outside: Tensor | None = None
    if ct_u is not None:
        mine = u.mT @ ct_u
        inner = _added(inner, _reciprocal_gaps(s * s) * (mine - mine.mT) * expand_dims(s, -2))
        if rows != rank:
            outside = ((ct_u - u @ mine) / expand_dims(s, -2)) @ vh
    if ct_vh is not None:
        mine = vh @ ct_vh.mT
        inner = _added(inner, expand_dims(s, -1) * (_reciprocal_gaps(s * s) * (mine - mine.mT)))
        if columns != rank:
            outside = _added(outside, (u / expand_dims(s, -2)) @ (ct_vh - mine.mT @ vh))
    assert inner is not None
    return (_added(outside, u @ inner @ vh),)


def _added(total: Tensor | None, term: Tensor) -> Tensor:
    return term if total is None else total + term


SVD = define_factors("svd", _svd_type, _svd_vjp, lapack.svd)


@public
@rounded_once
def svd(x: TensorLike, /, *, full_matrices: bool = True) -> SVDResult:
    """U and Vh with orthonormal columns and rows, and the singular values S in falling order: x = U @ diag(S) @ Vh.

    The signs of the vectors are not specified. There is no gradient of those that full_matrices adds, and the gradient
    in those of equal singular values, or of 0, is not finite. A matrix with a NaN or an infinity gives NaN.

    Args:
        x: floats (…, m, n); integers become float32.
        full_matrices: whether U is (…, m, m) and Vh (…, n, n), or (…, m, k) and (…, k, n) with the smaller size k.

    Raises:
        ShapeError: x has fewer than two axes.
    """
    return SVDResult(*results(SVD, x, full_matrices=bool(full_matrices)))


def _svdvals_type(types: tuple[TensorType, ...], attrs: Mapping[str, Any]) -> TensorType:
    require_matrix(types[0], "svdvals")
    return TensorType(types[0].dtype, (*types[0].shape[:-2], _sizes(types[0])[2]))


def _svdvals_vjp(ct: Tensor, node: Tensor) -> Tensor:
    u, _, vh = projections(apply(SVD, node.inputs, full_matrices=False))
    return (u * expand_dims(ct, -2)) @ vh


SVDVALS = define_factors("svdvals", _svdvals_type, (_svdvals_vjp,), lapack.svdvals)


@public
def svdvals(x: TensorLike, /) -> Tensor:
    """The singular values of matrices in falling order; see `svd`.

    Raises:
        ShapeError: x has fewer than two axes.
    """
    return record(SVDVALS, as_tensor(x))
