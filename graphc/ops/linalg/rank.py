"""What counts the singular values of a matrix: its rank, and its pseudo-inverse.

The gradient: Golub and Pereyra, The differentiation of pseudo-inverses and nonlinear least squares problems (1973).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from graphc.errors import ArgumentError
from graphc.ir import dims
from graphc.ir.dtype import int64
from graphc.ir.opdef import public
from graphc.ir.tensor import Tensor
from graphc.ir.types import TensorType
from graphc.ops.comparison import greater
from graphc.ops.define import TensorLike, as_tensor, convert, float_operand, record
from graphc.ops.layout import expand_dims
from graphc.ops.linalg import lapack
from graphc.ops.linalg.factoring import define_factors
from graphc.ops.linalg.parts import require_matrix
from graphc.ops.linalg.spectra import svdvals
from graphc.ops.reductions import max as reduce_max
from graphc.ops.reductions import sum as reduce_sum
from graphc.ops.sources import dim_value, zeros


@public
def matrix_rank(x: TensorLike, /, *, rtol: TensorLike | None = None) -> Tensor:
    """How many singular values are above rtol times the largest one, int64; 0 for a matrix with a NaN.

    Args:
        x: floats (…, m, n); integers become float32.
        rtol: a number, or one for each matrix; max(m, n) times the spacing of numbers at 1 by default.

    Raises:
        ShapeError: x has fewer than two axes.
    """
    values = svdvals(float_operand(x))
    rows, columns = as_tensor(x).shape[-2:]
    if values.shape[-1] == 0:
        return zeros(values.shape[:-1], dtype=int64)
    if rtol is None:
        limit = dim_value(dims.maximum(rows, columns), values.dtype) * float(np.finfo(values.dtype.numpy).eps)
    else:
        limit = convert(rtol, values.dtype)
    counts = greater(values, expand_dims(limit, -1) * reduce_max(values, axis=-1, keepdims=True))
    return reduce_sum(convert(counts, int64), axis=-1)


# --- pseudo-inverse ---------------------------------------------------------------------------------------------


def _pinv_type(types: tuple[TensorType, ...], attrs: Mapping[str, Any]) -> TensorType:
    require_matrix(types[0], "pinv")
    *batch, rows, columns = types[0].shape
    return TensorType(types[0].dtype, (*batch, columns, rows))


def _pinv_vjp(ct: Tensor, node: Tensor) -> Tensor:
    """-P ᵀG Pᵀ + (1 - A P) Gᵀ P Pᵀ + Pᵀ P Gᵀ (1 - P A), at constant rank."""
    (x,) = node.inputs
    gram, dual = node @ node.mT, node.mT @ node
    rows, columns = ct.mT @ gram, dual @ ct.mT
    return (rows - x @ (node @ rows)) + (columns - (columns @ node) @ x) - node.mT @ ct @ node.mT


PINV = define_factors("pinv", _pinv_type, (_pinv_vjp,), lapack.pinv)


@public
def pinv(x: TensorLike, /, *, rtol: float | None = None) -> Tensor:
    """The pseudo-inverses (Moore and Penrose) of matrices of any shape.

    A matrix with a NaN or an infinity gives NaN. The gradient takes the rank for constant.

    Args:
        x: floats (…, m, n); integers become float32.
        rtol: singular values up to rtol times the largest count as 0; max(m, n) times the spacing of numbers at 1 by
            default.

    Raises:
        ShapeError: x has fewer than two axes.
        ArgumentError: `rtol` is no number.
    """
    if rtol is not None and (isinstance(rtol, bool) or not isinstance(rtol, (int, float, np.number))):
        expected = "a number >= 0, or None"
        raise ArgumentError("pinv: rtol is no number", expected=expected, got=repr(rtol), fix="rtol=1e-5")
    return record(PINV, as_tensor(x), rtol=None if rtol is None else float(rtol))
