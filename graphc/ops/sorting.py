"""Order: sorting, the largest elements, and the quantiles that are read off sorted elements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphc.errors import ArgumentError
from graphc.ir import dims
from graphc.ir.dims import Dim
from graphc.ir.dtype import BOOL, NUMERIC, float64, int64
from graphc.ir.opdef import Kind, public
from graphc.ir.tensor import Tensor
from graphc.ir.types import TensorType, TupleType
from graphc.ops.along import add_along_axis, take_along_axis
from graphc.ops.arithmetic import floor
from graphc.ops.comparison import isnan, minimum, where
from graphc.ops.define import (
    Axes,
    TensorLike,
    as_shape,
    as_tensor,
    convert,
    define,
    float_operand,
    normalise_axes,
    normalise_axis,
    record,
    reduced_shape,
    require_nonempty,
)
from graphc.ops.gather import take
from graphc.ops.layout import expand_dims, permute_dims, reshape
from graphc.ops.precision import rounded_once
from graphc.ops.sources import dim_value, zeros
from graphc.ops.structure import project, projections

ORDERED = BOOL | NUMERIC
"""Dtypes with an order: NaN is the largest of all, and −0 equals 0."""
_DISCRETE = "its result is discrete"


def _sort(xp: Any, x: Any, axis: int, descending: bool) -> Any:
    """Backwards, a stable order of what was turned around has equal elements as they came."""
    ahead = xp.flip(x, axis=axis) if descending else x
    found = xp.sort(ahead, axis=axis, stable=True)
    return xp.flip(found, axis=axis) if descending else found


def stable_order(xp: Any, x: Any, axis: int, descending: bool) -> Any:
    """The positions of the elements in ascending or descending order; of equal ones, the first comes first."""
    ahead = xp.flip(x, axis=axis) if descending else x
    order = xp.asarray(xp.argsort(ahead, axis=axis, stable=True), dtype=np.int64)
    return xp.flip(x.shape[axis] - 1 - order, axis=axis) if descending else order


def _sort_type(types: tuple[TensorType, ...], attrs: Mapping[str, Any]) -> TensorType:
    return types[0]


def _sort_vjp(ct: Tensor, node: Tensor) -> Tensor:
    """An element is found again at its rank, which is the order of the order."""
    order = argsort(node.inputs[0], **node.attrs)
    return take_along_axis(ct, argsort(order, axis=node.attrs["axis"]), axis=node.attrs["axis"])


SORT = define("sort", Kind.INDEXING, _sort_type, (_sort_vjp,), dtypes=ORDERED, array_fn=_sort)


@public
def sort(x: TensorLike, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Tensor:
    """The elements in order along an axis. NaN counts as the largest; of equal elements, the first comes first.

    Args:
        x: numbers or bools.
        axis: the axis to go along.
        descending: whether the largest come first.
        stable: whether equal elements must keep their order; here they always do.
    """
    node = as_tensor(x)
    return record(SORT, node, axis=normalise_axis(axis, node.ndim), descending=bool(descending))


def _order_type(types: tuple[TensorType, ...], attrs: Mapping[str, Any]) -> TensorType:
    return TensorType(int64, types[0].shape)


ARGSORT = define("argsort", Kind.INDEXING, _order_type, _DISCRETE, dtypes=ORDERED, array_fn=stable_order)


@public
def argsort(x: TensorLike, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Tensor:
    """The positions of the elements in order along an axis, int64: `take_along_axis` with them sorts.

    Args:
        x: numbers or bools.
        axis: the axis to go along.
        descending: whether the largest come first.
        stable: whether equal elements must keep their order; here they always do.
    """
    node = as_tensor(x)
    return record(ARGSORT, node, axis=normalise_axis(axis, node.ndim), descending=bool(descending))


# --- the largest --------------------------------------------------------------------------------------------


def _top_k_type(types: tuple[TensorType, ...], attrs: Mapping[str, Any]) -> TupleType:
    (operand,), k, axis = types, attrs["k"], attrs["axis"]
    fix = "ask for fewer, or fill up with gc.pad first"
    dims.require_at_least(operand.shape[axis], k, f"top_k: an axis of size {operand.shape[axis]} is too short", fix=fix)
    shape = (*operand.shape[:axis], k, *operand.shape[axis + 1 :])
    return TupleType((TensorType(operand.dtype, shape), TensorType(int64, shape)))


def _top_k(xp: Any, x: Any, k: int, axis: int) -> tuple[Any, Any]:
    order = stable_order(xp, x, axis, descending=True)
    positions = order[(slice(None),) * axis + (slice(0, k),)]
    return xp.take_along_axis(x, positions, axis=axis), positions


def _top_k_vjp(cts: Sequence[Tensor | None], node: Tensor) -> list[Tensor | None]:
    (x,), axis, ct = node.inputs, node.attrs["axis"], cts[0]
    return [None if ct is None else add_along_axis(zeros(x.shape, dtype=ct.dtype), project(node, 1), ct, axis=axis)]


TOP_K = define("top_k", Kind.INDEXING, _top_k_type, _top_k_vjp, dtypes=ORDERED, array_fn=_top_k)


@public
@rounded_once
def top_k(x: TensorLike, k: Dim, /, *, axis: int = -1) -> tuple[Tensor, Tensor]:
    """The k largest elements along an axis, the largest first, and their positions, int64.

    NaN counts as the largest; of equal elements, the first comes first.

    Args:
        x: numbers or bools.
        k: how many; the axis must have as many.
        axis: the axis to go along.
    """
    node = as_tensor(x)
    (count,) = as_shape((k,))
    values, positions = projections(record(TOP_K, node, k=count, axis=normalise_axis(axis, node.ndim)))
    return values, positions


# --- quantiles ----------------------------------------------------------------------------------------------


def _shares(what: str, q: Any, most: float) -> np.ndarray:
    """Shares in [0, 1] as float64, of no axis or one.

    Raises:
        ArgumentError: they are none, or not static.
    """
    shares = np.asarray(q, np.float64) if not isinstance(q, Tensor) else np.empty((0, 0))
    if shares.ndim > 1 or not ((shares >= 0) & (shares <= most)).all():
        raise ArgumentError(
            f"{what}: these are no shares",
            expected=f"a number from 0 to {most:g}, or a list of such",
            got=repr(q),
            fix="write numbers, known when the graph is built: gc.quantile(x, 0.95) is gc.percentile(x, 95)",
        )
    return shares / most


def _places(shares: np.ndarray, count: Dim, like: Tensor) -> tuple[TensorLike, TensorLike, TensorLike]:
    """Where among so many sorted elements some shares of them lie: between which two, and how far along."""
    if isinstance(count, int):
        exact = shares * (count - 1)
        low = np.floor(exact)
        high = np.minimum(low + 1, count - 1)
        return low.astype(np.int64), high.astype(np.int64), (exact - low).astype(like.dtype.numpy)
    place = as_tensor(shares) * (dim_value(count, float64) - 1.0)
    below = floor(place)
    first = convert(below, int64)
    return first, minimum(first + 1, dim_value(count) - 1), convert(place - below, like.dtype)


def _flattened(x: Tensor, axes: tuple[int, ...]) -> Tensor:
    """Some axes as one, the last."""
    kept = [axis for axis in range(x.ndim) if axis not in axes]
    moved = permute_dims(x, [*kept, *axes])
    return reshape(moved, (*moved.shape[: len(kept)], dims.product(moved.shape[len(kept) :])))


def _quantiles(what: str, x: TensorLike, shares: np.ndarray, axis: Axes, keepdims: bool) -> Tensor:
    node = float_operand(x)
    axes = normalise_axes(axis, node.ndim)
    flat = _flattened(node, axes)
    require_nonempty(flat.shape[-1], what)
    ordered = sort(flat)
    low, high, part = _places(shares.reshape(-1), flat.shape[-1], node)
    between = take(ordered, low, axis=-1)
    if not isinstance(part, np.ndarray) or part.any():
        weight, upper = as_tensor(part), take(ordered, high, axis=-1)
        # Next to an infinity, 0 times what is not asked for would be NaN.
        between = where(weight == 0.0, between, between * (1.0 - weight) + upper * weight)
    found = where(isnan(expand_dims(ordered[..., -1], -1)), float("nan"), between)  # NaN comes last
    shape = reduced_shape(node.shape, axes, keepdims)
    if shares.ndim == 0:
        return reshape(found, shape)
    last = found.ndim - 1
    return reshape(permute_dims(found, (last, *range(last))), (shares.size, *shape))


@public
@rounded_once
def quantile(x: TensorLike, q: Any, /, *, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """The elements below which a share q of them lies, interpolated linearly; NaN if there is one. Not over empty axes.

    Args:
        x: numbers or bools; integers become float32.
        q: a number in [0, 1], or a list of such, for which the result has a leading axis.
        axis: an int, several, or `None` for all.
        keepdims: whether the reduced axes stay, with size 1.
    """
    return _quantiles("quantile", x, _shares("quantile", q, 1.0), axis, keepdims)


@public
@rounded_once
def percentile(x: TensorLike, q: Any, /, *, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """As `quantile`, with q in percent.

    Args:
        x: numbers or bools; integers become float32.
        q: a number in [0, 100], or a list of such, for which the result has a leading axis.
        axis: an int, several, or `None` for all.
        keepdims: whether the reduced axes stay, with size 1.
    """
    return _quantiles("percentile", x, _shares("percentile", q, 100.0), axis, keepdims)


@public
@rounded_once
def median(x: TensorLike, /, *, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """The element in the middle, or the mean of the two there; NaN if there is a NaN. Not over empty axes.

    Args:
        x: numbers or bools; integers become float32.
        axis: an int, several, or `None` for all.
        keepdims: whether the reduced axes stay, with size 1.
    """
    return _quantiles("median", x, np.asarray(0.5), axis, keepdims)
