"""Systems of linear equations, inverses, determinants."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from graphc.errors import ShapeError
from graphc.ir import dims
from graphc.ir.dtype import FLOAT
from graphc.ir.opdef import Kind, Trait, public
from graphc.ir.tensor import Tensor, apply
from graphc.ir.types import TensorType, TupleType
from graphc.ops.comparison import where
from graphc.ops.define import TensorLike, as_tensor, define, float_operand, record
from graphc.ops.layout import expand_dims, matrix_transpose, squeeze
from graphc.ops.linalg import lapack
from graphc.ops.linalg.parts import lower_part, require_square, strictly_lower_part
from graphc.ops.precision import rounded_once
from graphc.ops.reductions import sum as reduce_sum
from graphc.ops.structure import projections

_INEXACT = (Trait.INEXACT,)


def _per_matrix(x: Tensor) -> Tensor:
    """A number for each matrix, with axes of size 1 in place of the matrix."""
    return expand_dims(x, (-2, -1))


# --- systems ----------------------------------------------------------------------------------------------------


def _solve_type(name: str) -> Callable[[tuple[TensorType, ...], Mapping[str, Any]], TensorType]:
    def infer(types: tuple[TensorType, ...], attrs: Mapping[str, Any]) -> TensorType:
        matrix, right = types
        require_square(matrix, name)
        if right.ndim < 2:
            raise ShapeError(
                f"{name}: the right-hand side holds no columns",
                expected="a vector, or columns in the last axis",
                fix="make a number a vector with gc.reshape(b, (1,))",
            )
        dims.require_equal(
            matrix.shape[-1],
            right.shape[-2],
            f"{name}: the right-hand side has another number of rows than the matrix",
            expected="as many rows, not {left} and {right}",
            fix="a right-hand side with one axis is one column; with more, columns stand in the last axis",
        )
        batch = dims.broadcast([matrix.shape[:-2], right.shape[:-2]])
        return TensorType(matrix.dtype, (*batch, *right.shape[-2:]))

    return infer


def _with_columns(x1: TensorLike, x2: TensorLike) -> tuple[Tensor, Tensor, bool]:
    """Both operands with the right-hand side as a matrix, and whether it was a vector."""
    matrix, right = as_tensor(x1), as_tensor(x2)
    is_vector = right.ndim == 1
    return matrix, expand_dims(right, 1) if is_vector else right, is_vector


def _solve_right(ct: Tensor, node: Tensor) -> Tensor:
    return apply(SOLVE, (node.inputs[0].mT, ct))


SOLVE = define(
    "solve",
    Kind.CONTRACTION,
    _solve_type("solve"),
    (lambda ct, node: -(_solve_right(ct, node) @ node.mT), _solve_right),
    dtypes=FLOAT,
    array_fn=lapack.solve,
    traits=_INEXACT,
)


@public
def solve(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """The solutions x of x1 @ x = x2 for square matrices x1, by elimination with pivots.

    A singular matrix, and one with a NaN or an infinity, gives NaN throughout.

    Args:
        x1: floats (…, n, n); integers become float32.
        x2: one column (n,), or columns (…, n, k); leading axes broadcast.

    Raises:
        ShapeError: the matrices are not square, or the numbers of rows differ.
    """
    matrix, right, is_vector = _with_columns(x1, x2)
    result = record(SOLVE, matrix, right)
    return squeeze(result, -1) if is_vector else result


def _triangular_right(ct: Tensor, node: Tensor) -> Tensor:
    attrs = {**node.attrs, "lower": not node.attrs["lower"]}
    return apply(SOLVE_TRIANGULAR, (node.inputs[0].mT, ct), **attrs)


def _triangular_matrix(ct: Tensor, node: Tensor) -> Tensor:
    """Only the triangle that is read has a gradient."""
    whole = -(_triangular_right(ct, node) @ node.mT)
    part = strictly_lower_part if node.attrs["unit_diagonal"] else lower_part
    return part(whole) if node.attrs["lower"] else part(whole.mT).mT


SOLVE_TRIANGULAR = define(
    "solve_triangular",
    Kind.CONTRACTION,
    _solve_type("solve_triangular"),
    (_triangular_matrix, _triangular_right),
    dtypes=FLOAT,
    array_fn=lapack.solve_triangular,
    traits=_INEXACT,
)


@public
def solve_triangular(
    x1: TensorLike,
    x2: TensorLike,
    /,
    *,
    lower: bool = True,
    transpose: bool = False,
    unit_diagonal: bool = False,
) -> Tensor:
    """The solutions x of x1 @ x = x2 for a triangle of x1, by substitution; the rest of x1 is not read.

    A triangle with a zero on its diagonal, and one with a NaN or an infinity, gives NaN throughout.

    Args:
        x1: floats (…, n, n); integers become float32.
        x2: one column (n,), or columns (…, n, k); leading axes broadcast.
        lower: whether the lower triangle is read, or the upper one.
        transpose: whether it is transposed, once it is read.
        unit_diagonal: whether ones are taken for the diagonal, which is not read.

    Raises:
        ShapeError: the matrices are not square, or the numbers of rows differ.
    """
    matrix, right, is_vector = _with_columns(x1, x2)
    if transpose:
        matrix = matrix_transpose(matrix)
    lower = bool(lower) != bool(transpose)
    result = record(SOLVE_TRIANGULAR, matrix, right, lower=lower, unit_diagonal=bool(unit_diagonal))
    return squeeze(result, -1) if is_vector else result


# --- inverses ---------------------------------------------------------------------------------------------------


def _square_type(name: str) -> Callable[[tuple[TensorType, ...], Mapping[str, Any]], TensorType]:
    def infer(types: tuple[TensorType, ...], attrs: Mapping[str, Any]) -> TensorType:
        require_square(types[0], name)
        return types[0]

    return infer


INV = define(
    "inv",
    Kind.CONTRACTION,
    _square_type("inv"),
    (lambda ct, node: -(node.mT @ ct @ node.mT),),
    dtypes=FLOAT,
    array_fn=lapack.inv,
    traits=_INEXACT,
)


@public
def inv(x: TensorLike, /) -> Tensor:
    """The inverses of square matrices. `solve(x, b)` is nearer to x⁻¹ b than `inv(x) @ b`, and costs less.

    A singular matrix, and one with a NaN or an infinity, gives NaN throughout.

    Raises:
        ShapeError: the matrices are not square.
    """
    return record(INV, as_tensor(x))


# --- determinants -----------------------------------------------------------------------------------------------


def _det_type(types: tuple[TensorType, ...], attrs: Mapping[str, Any]) -> TensorType:
    require_square(types[0], "det")
    return TensorType(types[0].dtype, types[0].shape[:-2])


def _cofactor_vjp(ct: Tensor, node: Tensor) -> Tensor:
    """Of det(x) · inv(x)ᵀ by the product rule; NaN where x is singular."""
    weight = _per_matrix(reduce_sum(ct * node, axis=(-2, -1)))
    value = _per_matrix(apply(DET, node.inputs))
    return where(value == 0, math.nan, (weight * node - node @ ct.mT @ node) / value)


COFACTOR = define(
    "cofactor",
    Kind.CONTRACTION,
    _square_type("cofactor"),
    (_cofactor_vjp,),
    dtypes=FLOAT,
    array_fn=lapack.cofactor,
    traits=_INEXACT,
)

DET = define(
    "det",
    Kind.CONTRACTION,
    _det_type,
    (lambda ct, node: _per_matrix(ct) * apply(COFACTOR, node.inputs),),
    dtypes=FLOAT,
    array_fn=lapack.det,
    traits=_INEXACT,
)


@public
def det(x: TensorLike, /) -> Tensor:
    """The determinants of square matrices; 1 of empty ones. `slogdet` is for large ones, whose determinants overflow.

    A matrix with a NaN or an infinity gives NaN. The second derivatives of singular matrices are NaN.

    Raises:
        ShapeError: the matrices are not square.
    """
    return record(DET, as_tensor(x))


class SlogdetResult(NamedTuple):
    """What `slogdet` gives."""

    sign: Tensor
    logabsdet: Tensor


def _slogdet_type(types: tuple[TensorType, ...], attrs: Mapping[str, Any]) -> TupleType:
    number = _det_type(types, attrs)
    return TupleType((number, number))


def _slogdet_vjp(cts: Sequence[Tensor | None], node: Tensor) -> tuple[Tensor | None]:
    """The sign is constant wherever it has a slope."""
    ct = cts[1]
    return (None if ct is None else _per_matrix(ct) * apply(INV, node.inputs).mT,)


SLOGDET = define(
    "slogdet",
    Kind.CONTRACTION,
    _slogdet_type,
    _slogdet_vjp,
    dtypes=FLOAT,
    array_fn=lapack.slogdet,
    traits=_INEXACT,
)


@public
@rounded_once
def slogdet(x: TensorLike, /) -> SlogdetResult:
    """The signs of the determinants of square matrices, and the logarithms of their absolute values.

    Singular matrices give 0 and -inf, empty ones 1 and 0; a matrix with a NaN or an infinity gives NaN twice.

    Raises:
        ShapeError: the matrices are not square.
    """
    return SlogdetResult(*projections(apply(SLOGDET, (float_operand(x),))))
