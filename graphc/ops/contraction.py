"""Products of matrices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphc.errors import DTypeError, ShapeError
from graphc.ir import dims
from graphc.ir.dtype import NUMERIC
from graphc.ir.opdef import Kind, Trait, public
from graphc.ir.tensor import Tensor, apply
from graphc.ir.types import TensorType
from graphc.ops.define import TensorLike, common_dtype, convert, define
from graphc.ops.layout import expand_dims, squeeze


def _matmul_type(types: tuple[TensorType, ...], attrs: Mapping[str, Any]) -> TensorType:
    left, right = types
    if left.ndim < 2 or right.ndim < 2:
        raise ShapeError("the op takes matrices or stacks of them")
    if left.dtype is not right.dtype or left.dtype not in NUMERIC:
        raise DTypeError("the operands must be numbers of one dtype")
    reason = f"the inner sizes differ: {left.shape[-1]} and {right.shape[-2]}"
    dims.require_equal(left.shape[-1], right.shape[-2], reason)
    batch = dims.broadcast([left.shape[:-2], right.shape[:-2]])
    return TensorType(left.dtype, (*batch, left.shape[-2], right.shape[-1]))


MATMUL = define(
    "matmul",
    Kind.CONTRACTION,
    _matmul_type,
    (
        lambda ct, node: matmul(ct, node.inputs[1].mT),
        lambda ct, node: matmul(node.inputs[0].mT, ct),
    ),
    dtypes=NUMERIC,
    array_fn="matmul",
    traits=[Trait.INEXACT],
)


@public
def matmul(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """The matrix product over the last two axes; the others broadcast. A vector is a row (x1) or column (x2).

    Raises:
        ShapeError: the inner sizes differ, or an operand is a scalar.
    """
    values, dtype = common_dtype([x1, x2])
    left, right = (convert(value, dtype) for value in values)
    if not left.ndim or not right.ndim:
        raise ShapeError(
            "matmul: an operand is a scalar",
            got=f"{left.type} and {right.type}",
            fix="multiply with * instead",
        )
    from_vector = (left.ndim == 1, right.ndim == 1)
    if from_vector[0]:
        left = expand_dims(left, 0)
    if from_vector[1]:
        right = expand_dims(right, 1)
    product = apply(MATMUL, (left, right))
    dropped = [axis for axis, drop in zip((-2, -1), from_vector, strict=True) if drop]
    return squeeze(product, tuple(dropped)) if dropped else product
