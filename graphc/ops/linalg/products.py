"""Products of tensors that are made of `matmul`, `multiply` and `sum`."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

from graphc.errors import ArgumentError, ShapeError
from graphc.ir import dims
from graphc.ir.dims import Dim
from graphc.ir.opdef import public
from graphc.ir.tensor import Tensor
from graphc.ops.arithmetic import multiply, subtract
from graphc.ops.complex import conj
from graphc.ops.contraction import matmul
from graphc.ops.define import TensorLike, as_tensor, common_dtype, convert, normalise_axis
from graphc.ops.layout import broadcast_to, expand_dims, permute_dims, reshape, stack
from graphc.ops.linalg.parts import identity
from graphc.ops.linalg.solving import inv
from graphc.ops.precision import rounded_once
from graphc.ops.reductions import sum as reduce_sum


def common_tensors(*operands: TensorLike) -> list[Tensor]:
    """The operands as tensors of one dtype."""
    values, dtype = common_dtype(operands)
    return [convert(value, dtype) for value in values]


def require_same_size(left: Dim, right: Dim, what: str, fix: str) -> None:
    """Raises if two sizes differ for sure; what is undecided is left to the ops that follow.

    Raises:
        ShapeError: they differ.
    """
    if left != right and isinstance(left - right, int):
        raise ShapeError(f"{what}: {left} and {right}", expected="equal sizes", got=f"{left} and {right}", fix=fix)


@public
@rounded_once
def tensordot(x1: TensorLike, x2: TensorLike, /, *, axes: int | Sequence[Sequence[int]] = 2) -> Tensor:
    """The sum of products over pairs of axes; the other axes of x1 come first, then those of x2.

    Args:
        x1: numbers.
        x2: numbers.
        axes: how many of the last axes of x1 meet as many first ones of x2; or two sequences: axes of x1, axes of x2.

    Raises:
        ShapeError: an axis is out of range, or the sizes of a pair differ.
        ArgumentError: `axes` is neither.
    """
    left, right = common_tensors(x1, x2)
    mine, theirs = _paired_axes(axes, left, right)
    for a, b in zip(mine, theirs, strict=True):
        require_same_size(
            left.shape[a],
            right.shape[b],
            f"tensordot: axis {a} of x1 and axis {b} of x2 differ in size",
            "name the axes that belong together: axes=((of x1, …), (of x2, …))",
        )
    rows = [axis for axis in range(left.ndim) if axis not in mine]
    columns = [axis for axis in range(right.ndim) if axis not in theirs]
    shape = [*(left.shape[axis] for axis in rows), *(right.shape[axis] for axis in columns)]
    for a, b in zip(mine, theirs, strict=True):
        dims.require_equal(left.shape[a], right.shape[b], "tensordot: the sizes of a pair of axes differ")
    inner = dims.product(left.shape[axis] for axis in mine)
    first = reshape(permute_dims(left, [*rows, *mine]), (dims.product(left.shape[axis] for axis in rows), inner))
    second = reshape(permute_dims(right, [*theirs, *columns]), (inner, dims.product(shape[len(rows) :])))
    return reshape(matmul(first, second), tuple(shape))


def _paired_axes(axes: Any, left: Tensor, right: Tensor) -> tuple[list[int], list[int]]:
    try:
        count = operator.index(axes)
    except TypeError:
        return _named_axes(axes, left, right)
    if not 0 <= count <= min(left.ndim, right.ndim):
        raise ShapeError(
            f"tensordot: the tensors have no {count} axes to be summed over",
            expected=f"an int from 0 to {min(left.ndim, right.ndim)}",
            got=str(count),
            fix="0 gives the outer product, 1 the matrix product",
        )
    return list(range(left.ndim - count, left.ndim)), list(range(count))


def _named_axes(axes: Any, left: Tensor, right: Tensor) -> tuple[list[int], list[int]]:
    try:
        mine, theirs = ([each] if isinstance(each, int) else list(each) for each in axes)
    except (TypeError, ValueError):
        mine, theirs = [], [0]
    if len(mine) != len(theirs):
        raise ArgumentError(
            "tensordot: the axes do not come in pairs",
            expected="an int, or two sequences of as many axes: ((of x1, …), (of x2, …))",
            got=repr(axes),
            fix="axes=((1,), (0,)) is the matrix product",
        )
    found = [normalise_axis(a, left.ndim) for a in mine], [normalise_axis(b, right.ndim) for b in theirs]
    for each in found:
        if len(set(each)) < len(each):
            raise ShapeError(
                "tensordot: an axis is given twice", expected="every axis once", got=repr(axes), fix="name it once"
            )
    return found


@public
@rounded_once
def vecdot(x1: TensorLike, x2: TensorLike, /, *, axis: int = -1) -> Tensor:
    """The sums of products along one axis of both; the other axes broadcast. Of complex numbers, x1 is conjugated.

    Args:
        x1: numbers.
        x2: numbers.
        axis: of both; a non-negative one counts in each from its first axis.

    Raises:
        ShapeError: the axis is out of range, or its sizes differ.
    """
    left, right = (_axis_last(x, axis) for x in common_tensors(x1, x2))
    require_same_size(
        left.shape[-1], right.shape[-1], "vecdot: the sizes differ", "the axis is not broadcast: repeat it before"
    )
    dims.require_equal(left.shape[-1], right.shape[-1], "vecdot: the sizes differ")
    product = multiply(conj(left), right)
    return reduce_sum(product, axis=-1, dtype=product.dtype)


def _axis_last(x: Tensor, axis: int) -> Tensor:
    at = normalise_axis(axis, x.ndim)
    return permute_dims(x, [*(a for a in range(x.ndim) if a != at), at])


@public
@rounded_once
def outer(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """The products of each element of a vector with each of another: (n,) and (m,) give (n, m).

    Raises:
        ShapeError: an operand is no vector.
    """
    left, right = as_tensor(x1), as_tensor(x2)
    for node in (left, right):
        if node.ndim != 1:
            raise ShapeError(
                "outer: an operand is no vector",
                expected="two tensors with one axis each",
                got=f"{left.type} and {right.type}",
                fix="gc.tensordot(x, y, axes=0) takes any shapes; gc.reshape(x, (-1,)) makes a vector",
            )
    return multiply(expand_dims(left, 1), right)


@public
@rounded_once
def cross(x1: TensorLike, x2: TensorLike, /, *, axis: int = -1) -> Tensor:
    """The cross products of vectors with three elements along an axis; the other axes broadcast.

    Args:
        x1: numbers.
        x2: numbers.
        axis: of both, which has size 3; a non-negative one counts in each from its first axis.

    Raises:
        ShapeError: the axis has another size.
    """
    left, right = (_axis_last(x, axis) for x in common_tensors(x1, x2))
    for node in (left, right):
        reason, fix = "cross: the axis has another size than 3", "put a 0 behind vectors in a plane; or name an axis="
        require_same_size(node.shape[-1], 3, reason, fix)
        dims.require_equal(node.shape[-1], 3, reason, fix=fix)
    (a, b, c), (d, e, f) = ([x[..., i] for i in range(3)] for x in (left, right))
    parts = [subtract(multiply(p, q), multiply(r, s)) for p, q, r, s in ((b, f, c, e), (c, d, a, f), (a, e, b, d))]
    return stack(parts, axis=normalise_axis(axis, parts[0].ndim + 1))


@public
@rounded_once
def kron(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """The Kronecker product: x1 with each element replaced by its product with x2. Missing axes are leading ones."""
    left, right = common_tensors(x1, x2)
    rank = max(left.ndim, right.ndim)
    first, second = ((1,) * (rank - x.ndim) + x.shape for x in (left, right))
    rows = reshape(left, tuple(size for n in first for size in (n, 1)))
    columns = reshape(right, tuple(size for n in second for size in (1, n)))
    return reshape(multiply(rows, columns), tuple(a * b for a, b in zip(first, second, strict=True)))


@public
@rounded_once
def matrix_power(x: TensorLike, n: int, /) -> Tensor:
    """The product of n copies of square matrices; the identity for 0, powers of the inverse below.

    Raises:
        ShapeError: the matrices are not square.
        ArgumentError: n is no int.
    """
    node = as_tensor(x)
    exponent = _as_exponent(n)
    if node.ndim < 2 or (node.shape[-1] != node.shape[-2] and isinstance(node.shape[-1] - node.shape[-2], int)):
        raise ShapeError(
            "matrix_power: the tensor holds no square matrices",
            expected="as many rows as columns in the last two axes",
            got=str(node.type),
            fix="powers element by element: gc.pow(x, n)",
        )
    if exponent < 0:
        node, exponent = inv(node), -exponent
    if exponent == 0:
        return broadcast_to(identity(node.shape[-1], node.dtype), node.shape)
    result: Tensor | None = None
    while exponent:
        if exponent & 1:
            result = node if result is None else matmul(result, node)
        exponent >>= 1
        node = matmul(node, node) if exponent else node
    assert result is not None
    return result


def _as_exponent(n: Any) -> int:
    try:
        return operator.index(n)
    except TypeError:
        raise ArgumentError(
            "matrix_power: the exponent is no int", expected="an int", got=repr(n), fix="write the number"
        ) from None
