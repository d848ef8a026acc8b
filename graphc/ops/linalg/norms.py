"""Norms of vectors and of matrices."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from graphc.errors import ArgumentError, ShapeError
from graphc.ir.opdef import public
from graphc.ir.tensor import Tensor
from graphc.ops.arithmetic import abs
from graphc.ops.comparison import not_equal, where
from graphc.ops.define import Axes, TensorLike, as_tensor, convert, float_operand, normalise_axes
from graphc.ops.exponential import pow, sqrt
from graphc.ops.layout import expand_dims
from graphc.ops.linalg.spectra import svdvals
from graphc.ops.precision import rounded_once
from graphc.ops.reductions import max as reduce_max
from graphc.ops.reductions import min as reduce_min
from graphc.ops.reductions import sum as reduce_sum

_NUMBERS = (int, float)


def _root(total: Tensor, root: Callable[[Tensor], Tensor]) -> Tensor:
    """A root with the gradient 0 at 0, where its own is infinite."""
    is_zero = total == 0
    return where(is_zero, 0.0, root(where(is_zero, 1.0, total)))


def _vector_norm(x: Tensor, axes: tuple[int, ...], keepdims: bool, order: float) -> Tensor:
    kept: dict[str, Any] = {"axis": axes, "keepdims": keepdims}
    if order == math.inf:
        return reduce_max(abs(x), **kept)
    if order == -math.inf:
        return reduce_min(abs(x), **kept)
    if order == 0:
        return reduce_sum(convert(not_equal(x, 0), x.dtype), **kept)
    if order == 1:
        return reduce_sum(abs(x), **kept)
    if order == 2:
        return _root(reduce_sum(x * x, **kept), sqrt)
    return _root(reduce_sum(pow(abs(x), order), **kept), lambda total: pow(total, 1.0 / order))


@public
@rounded_once
def vector_norm(x: TensorLike, /, *, axis: Axes = None, keepdims: bool = False, ord: float = 2) -> Tensor:
    """The norm of order p over axes, (Σ |x|^p)^(1/p). The gradient of the norm of zeros is 0.

    Args:
        x: numbers; integers become float32.
        axis: an int, several, or `None` for all: the norm of the flattened tensor.
        keepdims: whether the axes stay, with size 1.
        ord: p. 2: the length; 1: the sum of absolute values; inf, -inf: the largest, the smallest of them; 0: how many
            are not 0.

    Raises:
        ShapeError: an axis is out of range; or is empty, for an `ord` of ±inf.
        ArgumentError: `ord` is no number.
    """
    if isinstance(ord, bool) or not isinstance(ord, _NUMBERS):
        fix = 'ord=2 is the length; gc.linalg.matrix_norm has ord="fro" and "nuc"'
        raise ArgumentError("vector_norm: ord is no number", expected="an int or a float", got=repr(ord), fix=fix)
    given = as_tensor(x)
    node = float_operand(abs(given) if given.dtype.kind == "complex" else given)
    return _vector_norm(node, normalise_axes(axis, node.ndim), bool(keepdims), ord)


_OF_SINGULAR_VALUES: dict[Any, Callable[..., Tensor]] = {"nuc": reduce_sum, 2: reduce_max, -2: reduce_min}
_OF_SUMS: dict[Any, tuple[Callable[..., Tensor], int]] = {
    1: (reduce_max, -2),
    -1: (reduce_min, -2),
    math.inf: (reduce_max, -1),
    -math.inf: (reduce_min, -1),
}


def _matrix_norm(x: Tensor, order: Any) -> Tensor:
    if order == "fro":
        return _vector_norm(x, (x.ndim - 2, x.ndim - 1), False, 2)
    if order in _OF_SINGULAR_VALUES:
        return _OF_SINGULAR_VALUES[order](svdvals(x), axis=-1)
    extreme, summed = _OF_SUMS[order]
    return extreme(reduce_sum(abs(x), axis=summed), axis=-1)


@public
@rounded_once
def matrix_norm(x: TensorLike, /, *, keepdims: bool = False, ord: float | str | None = "fro") -> Tensor:
    """The norms of the matrices in the last two axes.

    Args:
        x: numbers; integers become float32.
        keepdims: whether the axes stay, with size 1.
        ord: "fro": the root of the sum of squares; "nuc": the sum of the singular values; 2, -2: the largest, the
            smallest of them; 1, -1: the largest, the smallest sum of absolute values of a column; inf, -inf: of a row.

    Raises:
        ShapeError: x has fewer than two axes; or an axis is empty, for norms that choose an extreme.
        ArgumentError: there is no such norm.
    """
    given = as_tensor(x)
    order: Any = "fro" if ord is None else ord
    if isinstance(order, bool) or order not in ("fro", *_OF_SINGULAR_VALUES, *_OF_SUMS):
        raise ArgumentError(
            "matrix_norm: there is no such norm",
            expected="'fro', 'nuc', 1, -1, 2, -2, inf or -inf",
            got=repr(ord),
            fix="norms of any order of the elements: gc.linalg.vector_norm(x, axis=(-2, -1), ord=3)",
        )
    if given.ndim < 2:
        raise ShapeError(
            "matrix_norm: the tensor has no two axes",
            expected="at least 2 axes",
            got=str(given.type),
            fix="of a vector: gc.linalg.vector_norm(x)",
        )
    norm = _matrix_norm(float_operand(given), order)
    return expand_dims(norm, (-2, -1)) if keepdims else norm
