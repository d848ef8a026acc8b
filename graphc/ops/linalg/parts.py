"""Parts of matrices: triangles, diagonals, the identity; what the functions of linear algebra ask of their operands."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from graphc.errors import ArgumentError, DTypeError, ShapeError
from graphc.ir import dims
from graphc.ir.dims import Dim
from graphc.ir.dtype import FLOAT, DType, bool_, names
from graphc.ir.opdef import OPS, public
from graphc.ir.tensor import Tensor, apply
from graphc.ir.types import TensorType
from graphc.ops.comparison import logical_and, where
from graphc.ops.define import TensorLike, as_tensor, constant_node, convert
from graphc.ops.layout import broadcast_to, concat, reshape
from graphc.ops.precision import rounded_once
from graphc.ops.reductions import sum as reduce_sum
from graphc.ops.sources import ones, zeros

# --- operands ---------------------------------------------------------------------------------------------------


def require_matrix(operand: TensorType, name: str) -> None:
    """Holds an operand for floats with two axes at least.

    Raises:
        DTypeError, ShapeError: it is something else.
    """
    if operand.dtype not in FLOAT:
        fix = "convert with .astype first"
        raise DTypeError(f"{name} does not take {operand.dtype}", expected=names(FLOAT), fix=fix)
    if operand.ndim < 2:
        raise ShapeError(
            f"{name} takes matrices or stacks of them",
            expected="at least two axes",
            fix="make a vector a row with x[None, :], or a column with x[:, None]",
        )


def require_square(operand: TensorType, name: str) -> None:
    """Holds an operand for a stack of square matrices; leaves a guard where sizes are undecided."""
    require_matrix(operand, name)
    rows, columns = operand.shape[-2:]
    dims.require_equal(
        rows,
        columns,
        f"{name}: the matrix is not square",
        expected="as many rows as columns, not {left} and {right}",
        fix="x @ x.mT and x.mT @ x are square; gc.linalg.pinv and gc.linalg.svd take any matrix",
    )


# --- masks ------------------------------------------------------------------------------------------------------


def upper_mask(size: Dim) -> Tensor:
    """Whether an element of a square matrix is on or above the diagonal."""
    if isinstance(size, int):
        return constant_node(np.triu(np.ones((size, size), np.bool_)))
    # Rows of n zeros and n + 1 ones, read again with a length that is one more: each begins one element further.
    length = 2 * size + 1
    rows = broadcast_to(concat([zeros((size,), dtype=bool_), ones((size + 1,), dtype=bool_)]), (size + 2, length))
    flat = _part(reshape(rows, ((size + 2) * length,)), 0, 0, (size + 1) * (length + 1))
    sheared = reshape(flat, (size + 1, length + 1))
    return _part(_part(sheared, 0, 1, size), 1, 0, size)[::-1]


def identity_mask(size: Dim) -> Tensor:
    """Whether an element of a square matrix is on the diagonal."""
    if isinstance(size, int):
        return constant_node(np.eye(size, dtype=np.bool_))
    upper = upper_mask(size)
    return logical_and(upper, upper.mT)


def identity(size: Dim, dtype: DType) -> Tensor:
    """The identity matrix."""
    return convert(identity_mask(size), dtype)


def lower_part(x: Tensor) -> Tensor:
    """A square matrix with zeros above the diagonal."""
    return where(upper_mask(x.shape[-1]).mT, x, 0.0)


def strictly_lower_part(x: Tensor) -> Tensor:
    """A square matrix with zeros on and above the diagonal."""
    return where(upper_mask(x.shape[-1]), 0.0, x)


def halved_lower_part(x: Tensor) -> Tensor:
    """The lower triangle with half of the diagonal: Φ in the formulas of Murray (2016)."""
    return 0.5 * (lower_part(x) + strictly_lower_part(x))


def from_diagonal(x: Tensor) -> Tensor:
    """Matrices with these diagonals and zeros elsewhere."""
    return where(identity_mask(x.shape[-1]), reshape(x, (*x.shape[:-1], 1, x.shape[-1])), 0.0)


# --- diagonals --------------------------------------------------------------------------------------------------


def _part(x: Tensor, axis: int, start: Dim, length: Dim) -> Tensor:
    """`length` elements along one axis, all of which are there: no bound needs to be clamped."""
    starts = tuple(start if a == axis else 0 for a in range(x.ndim))
    lengths = tuple(length if a == axis else size for a, size in enumerate(x.shape))
    return x if lengths == x.shape else apply(OPS["slice"], (x,), starts=starts, lengths=lengths, steps=(1,) * x.ndim)


def leading(x: Tensor, axis: int, length: Dim) -> Tensor:
    """The first elements along an axis that is not shorter."""
    return _part(x, axis % x.ndim, 0, length)


@public
def diagonal(x: TensorLike, /, *, offset: int = 0) -> Tensor:
    """The diagonals of the matrices in the last two axes, along a new last axis.

    Args:
        x: any tensor with two axes at least.
        offset: 0 for the main diagonal, positive above, negative below.

    Raises:
        ShapeError: x has fewer axes.
        ArgumentError: the offset is no int.
    """
    node = as_tensor(x)
    if node.ndim < 2:
        raise ShapeError(
            "diagonal: the tensor has no two axes",
            expected="at least 2 axes",
            got=str(node.type),
            fix="a matrix with x on its diagonal: x[..., None] * gc.eye(n)",
        )
    shift = _as_offset(offset)
    node = node[..., shift:] if shift >= 0 else node[..., -shift:, :]
    rows, columns = node.shape[-2:]
    size = dims.minimum(rows, columns)
    return _main_diagonal(leading(leading(node, -1, size), -2, size))


def _as_offset(offset: Any) -> int:
    try:
        return operator.index(offset)
    except TypeError:
        raise ArgumentError(
            "diagonal: the offset is no int",
            expected="an int: 0 is the main diagonal, positive above, negative below",
            got=repr(offset),
            fix="write the number",
        ) from None


def _main_diagonal(x: Tensor) -> Tensor:
    """Of square matrices. Element i is at i·(n + 1) of a flat one: in column 0 of rows of length n + 1."""
    batch, size = x.shape[:-2], x.shape[-1]
    flat = reshape(x, (*batch, size * size))
    if isinstance(size, int):
        return flat[..., :: size + 1]
    tail = broadcast_to(zeros((), dtype=x.dtype), (*batch, size))
    return reshape(concat([flat, tail], axis=-1), (*batch, size, size + 1))[..., 0]


@public
@rounded_once
def trace(x: TensorLike, /, *, offset: int = 0, dtype: Any = None) -> Tensor:
    """The sums along the diagonals of the matrices in the last two axes. Small integers are summed in int64 or uint64.

    Args:
        x: numbers, with two axes at least.
        offset: 0 for the main diagonal, positive above, negative below.
        dtype: of the terms and the result.
    """
    return reduce_sum(diagonal(x, offset=offset), axis=-1, dtype=dtype)
