"""Products of matrices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphc.errors import DTypeError, ShapeError
from graphc.ir import dims
from graphc.ir.dtype import ARITHMETIC, names
from graphc.ir.opdef import Kind, Trait, public
from graphc.ir.tensor import Tensor, apply
from graphc.ir.types import TensorType
from graphc.ops.define import TensorLike, common_dtype, convert, define, require_computed
from graphc.ops.layout import expand_dims, squeeze
from graphc.ops.precision import rounded_once


def _matmul_type(types: tuple[TensorType, ...], attrs: Mapping[str, Any]) -> TensorType:
    left, right = types
    if left.ndim < 2 or right.ndim < 2:
        raise ShapeError("the op takes matrices or stacks of them", expected="at least two axes each")
    if left.dtype is not right.dtype or left.dtype not in ARITHMETIC:
        raise DTypeError(
            "the operands must be numbers of one dtype",
            expected=names(ARITHMETIC),
            fix="convert with .astype",
        )
    _require_inner(left, right)
    dims.require_equal(left.shape[-1], right.shape[-2], "matmul: the inner sizes differ")
    batch = dims.broadcast([left.shape[:-2], right.shape[:-2]])
    return TensorType(left.dtype, (*batch, left.shape[-2], right.shape[-1]))


def _require_inner(left: TensorType, right: TensorType, got: str | None = None) -> None:
    """Raises if the last size of the left operand is not the last but one, or only one, of the right."""
    inner, other = left.shape[-1], right.shape[-2:][0]
    if inner != other and isinstance(inner - other, int):
        raise ShapeError(
            f"matmul: the inner sizes differ: {inner} and {other}",
            expected="(…, n, k) @ (…, k, m), with one k",
            got=got,
            fix=_transposition(left, right),
        )


def _transposition(left: TensorType, right: TensorType) -> str:
    """What would make the inner sizes meet."""
    if right.ndim > 1 and left.shape[-1] == right.shape[-1]:
        return "transpose the right operand: x @ w.mT"
    if left.ndim > 1 and left.shape[-2] == right.shape[-2:][0]:
        return "transpose the left operand: x.mT @ w"
    if left.shape[-2:][0] == right.shape[-1]:
        return "exchange the operands: w @ x"
    return "make the inner sizes equal: the weights of a layer have the shape (inputs, outputs)"


MATMUL = define(
    "matmul",
    Kind.CONTRACTION,
    _matmul_type,
    (
        lambda ct, node: ct @ node.inputs[1].mT,
        lambda ct, node: node.inputs[0].mT @ ct,
    ),
    dtypes=ARITHMETIC,
    array_fn="matmul",
    traits=[Trait.INEXACT],
)


@public
@rounded_once
def matmul(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """The matrix product over the last two axes; the others broadcast. A vector is a row (x1) or column (x2).

    Raises:
        ShapeError: the inner sizes differ, or an operand is a scalar.
    """
    values, dtype = common_dtype([x1, x2])
    require_computed("matmul", dtype)
    left, right = (convert(value, dtype) for value in values)
    if not left.ndim or not right.ndim:
        raise ShapeError(
            "matmul: an operand is a scalar",
            expected="vectors, matrices, or stacks of matrices",
            got=f"{left.type} and {right.type}",
            fix="multiply by a scalar with *",
        )
    from_vector = (left.ndim == 1, right.ndim == 1)
    if any(from_vector):
        _require_inner(left.type, right.type, f"{left.type} @ {right.type}")  # before they look like matrices
    if from_vector[0]:
        left = expand_dims(left, 0)
    if from_vector[1]:
        right = expand_dims(right, 1)
    product = apply(MATMUL, (left, right))
    dropped = [axis for axis, drop in zip((-2, -1), from_vector, strict=True) if drop]
    return squeeze(product, tuple(dropped)) if dropped else product
