"""Running sums, products and extremes along an axis, and the recurrence that their gradients are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from graphc.errors import ShapeError
from graphc.ir.dims import Dim
from graphc.ir.dtype import COMPLEX, FLOAT, INEXACT, NUMERIC, int64
from graphc.ir.opdef import Kind, OpDef, Trait, public
from graphc.ir.tensor import Tensor, apply
from graphc.ir.types import TensorType
from graphc.ops.along import add_along_axis
from graphc.ops.comparison import isnan, logical_and, logical_not, where
from graphc.ops.define import TensorLike, as_tensor, convert, define, normalise_axis, record
from graphc.ops.exponential import exp
from graphc.ops.layout import pad, reshape
from graphc.ops.precision import rounded_once
from graphc.ops.reductions import summand
from graphc.ops.sources import arange, zeros


def _unchanged(types: tuple[TensorType, ...], attrs: Mapping[str, Any]) -> TensorType:
    return types[0]


def _only_axis(axis: int | None, node: Tensor, what: str) -> int:
    """The axis to go along; a vector has but one.

    Raises:
        ShapeError: the tensor is a scalar, or has several axes of which none is named.
    """
    if node.ndim == 0 or (axis is None and node.ndim != 1):
        raise ShapeError(
            f"{what}: " + ("a scalar has no axis to go along" if node.ndim == 0 else "the axis must be named"),
            expected="a tensor with axes, and axis=, unless it is a vector",
            got=str(node.type),
            fix="add an axis with gc.expand_dims" if node.ndim == 0 else f"gc.{what}(x, axis=0) goes from row to row",
        )
    return normalise_axis(0 if axis is None else axis, node.ndim)


def _padded(x: Tensor, axis: int, widths: tuple[int, int], value: float = 0) -> Tensor:
    """x with a border of one value before or after it along an axis."""
    return pad(x, [widths if a == axis else (0, 0) for a in range(x.ndim)], constant_values=value)


def shifted(x: Tensor, axis: int, ahead: bool, value: float = 0) -> Tensor:
    """What stands one place further along an axis, or one place before; a number where there is nothing."""
    moved = slice(1, None) if ahead else slice(None, -1)
    return _padded(x, axis, (0, 1) if ahead else (1, 0), value)[(slice(None),) * axis + (moved,)]


def count_up(size: Dim) -> Tensor:
    """0, 1, … size - 1 as int64, for any size."""
    return arange(size)


# --- h[i] = factors[i] · h[i - 1] + terms[i] ----------------------------------------------------------------


def _recurrence(xp: Any, factors: Any, terms: Any, axis: int, reverse: bool) -> Any:
    """By doubling: when `reach` is 2ᵏ, every value is right as far as 2ᵏ terms go back (Hillis and Steele, 1986)."""
    factor, value = (xp.moveaxis(operand, axis, 0) for operand in (factors, terms))
    if reverse:
        factor, value = xp.flip(factor, axis=0), xp.flip(value, axis=0)
    factor, reach = factor[1:], 1  # of places from `reach` on: the product of so many factors
    while reach < value.shape[0]:
        value = xp.concat([value[:reach], value[reach:] + factor * value[:-reach]], axis=0)
        factor = factor[reach:] * factor[:-reach]
        reach *= 2
    return xp.moveaxis(xp.flip(value, axis=0) if reverse else value, 0, axis)


def _recurrence_vjp(cts: Sequence[Tensor | None], node: Tensor) -> list[Tensor | None]:
    """The adjoint is a recurrence the other way: a cotangent goes back to all that its place was computed from."""
    (ct,), (factors, _), axis, reverse = cts, node.inputs, node.attrs["axis"], node.attrs["reverse"]
    assert ct is not None
    adjoint = recurrence(shifted(factors, axis, ahead=not reverse), ct, axis, not reverse)
    return [adjoint * shifted(node, axis, ahead=reverse), adjoint]


LINEAR_RECURRENCE = define(
    "linear_recurrence",
    Kind.INDEXING,
    _unchanged,
    _recurrence_vjp,
    dtypes=INEXACT,
    array_fn=_recurrence,
    traits=[Trait.INEXACT],
)


def recurrence(factors: Tensor, terms: Tensor, axis: int, reverse: bool) -> Tensor:
    """h[i] = factors[i] · h[i - 1] + terms[i] along an axis, or h[i + 1] in place of h[i - 1]; 0 beyond the end."""
    return apply(LINEAR_RECURRENCE, (factors, terms), axis=axis, reverse=reverse)


# --- sums and products --------------------------------------------------------------------------------------


def _sums(xp: Any, x: Any, axis: int, reverse: bool) -> Any:
    """In the dtype of x: the public function has taken small integers to int64. Sums start at +0, those of -0, too."""
    ahead = xp.flip(x, axis=axis) if reverse else x
    found = xp.cumsum(ahead, axis=axis, dtype=x.dtype) + 0
    return xp.flip(found, axis=axis) if reverse else found


CUMULATIVE_SUM: OpDef = define(
    "cumulative_sum",
    Kind.INDEXING,
    _unchanged,
    (lambda ct, node: apply(CUMULATIVE_SUM, (ct,), axis=node.attrs["axis"], reverse=not node.attrs["reverse"]),),
    dtypes=NUMERIC | COMPLEX,
    array_fn=_sums,
)


@public
@rounded_once
def cumulative_sum(
    x: TensorLike, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Tensor:
    """The sums of the first element, the first two, … along an axis. Integers and bools are summed in int64 or uint64.

    The order of summation is the backend's: the error is bounded by γₙ·Σ|terms|.

    Args:
        x: numbers or bools.
        axis: the axis to go along; needed unless x has one axis.
        dtype: of the terms and the result.
        include_initial: whether the sum of nothing, 0, stands before them.
    """
    node = summand(x, dtype)
    axis = _only_axis(axis, node, "cumulative_sum")
    sums = apply(CUMULATIVE_SUM, (node,), axis=axis, reverse=False)
    return _padded(sums, axis, (1, 0)) if include_initial else sums


def _product_vjp(ct: Tensor, node: Tensor) -> Tensor:
    """The product before a place, times Σ over the places from it on of ct · the product in between: no division."""
    (x,), axis = node.inputs, node.attrs["axis"]
    behind = recurrence(shifted(x, axis, ahead=True), ct, axis, reverse=True)
    return shifted(node, axis, ahead=False, value=1) * behind


CUMULATIVE_PROD = define(
    "cumulative_prod",
    Kind.INDEXING,
    _unchanged,
    (_product_vjp,),
    dtypes=NUMERIC | COMPLEX,
    array_fn=lambda xp, x, axis: xp.cumprod(x, axis=axis, dtype=x.dtype),
)


@public
@rounded_once
def cumulative_prod(
    x: TensorLike, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Tensor:
    """The products of the first element, the first two, … along an axis. Integers and bools become int64 or uint64.

    Args:
        x: numbers or bools.
        axis: the axis to go along; needed unless x has one axis.
        dtype: of the factors and the result.
        include_initial: whether the product of nothing, 1, stands before them.
    """
    node = summand(x, dtype)
    axis = _only_axis(axis, node, "cumulative_prod")
    products = apply(CUMULATIVE_PROD, (node,), axis=axis)
    return _padded(products, axis, (1, 0), 1) if include_initial else products


# --- extremes -----------------------------------------------------------------------------------------------


def _extreme_vjp(ct: Tensor, node: Tensor) -> Tensor:
    """Each place reads the first element that attained the extreme: where it changed last."""
    (x,), axis = node.inputs, node.attrs["axis"]
    before = shifted(node, axis, ahead=False)
    changed = logical_and(node != before, logical_not(isnan(before)))
    places = reshape(count_up(x.shape[axis]), (-1, *(1 for _ in range(axis + 1, x.ndim))))
    owners = apply(CUMULATIVE_MAX, (where(changed, places, convert(0, int64)),), axis=axis)
    return add_along_axis(zeros(x.shape, dtype=ct.dtype), owners, ct, axis=axis)


def _extreme(name: str) -> OpDef:
    def array_fn(xp: Any, x: Any, axis: int) -> Any:
        return getattr(xp, name).accumulate(x, axis=axis)

    return define(
        f"cumulative_{name[:3]}", Kind.INDEXING, _unchanged, (_extreme_vjp,), dtypes=NUMERIC, array_fn=array_fn
    )


CUMULATIVE_MAX = _extreme("maximum")


@public
def cumulative_max(x: TensorLike, /, *, axis: int | None = None) -> Tensor:
    """The largest of the elements so far along an axis; NaN from the first NaN on.

    The gradient goes to the first element that attains it.

    Args:
        x: numbers.
        axis: the axis to go along; needed unless x has one axis.
    """
    node = as_tensor(x)
    return record(CUMULATIVE_MAX, node, axis=_only_axis(axis, node, "cumulative_max"))


CUMULATIVE_MIN = _extreme("minimum")


@public
def cumulative_min(x: TensorLike, /, *, axis: int | None = None) -> Tensor:
    """The smallest of the elements so far along an axis; NaN from the first NaN on.

    The gradient goes to the first element that attains it.

    Args:
        x: numbers.
        axis: the axis to go along; needed unless x has one axis.
    """
    node = as_tensor(x)
    return record(CUMULATIVE_MIN, node, axis=_only_axis(axis, node, "cumulative_min"))


# --- log Σ exp ----------------------------------------------------------------------------------------------


def _difference(x: Tensor, y: Tensor) -> Tensor:
    """x - y ≤ 0, and 0 where both are the same infinity."""
    return where(x >= y, 0.0, x - y)


def _logsumexp_vjp(ct: Tensor, node: Tensor) -> Tensor:
    """exp(x[i]) Σ_{k ≥ i} ct[k] exp(-y[k]), with every exponent at most 0: the sum relative to y[i] is a recurrence."""
    (x,), axis = node.inputs, node.attrs["axis"]
    decay = exp(_difference(node, shifted(node, axis, ahead=True)))
    return exp(_difference(x, node)) * recurrence(decay, ct, axis, reverse=True)


CUMULATIVE_LOGSUMEXP = define(
    "cumulative_logsumexp",
    Kind.INDEXING,
    _unchanged,
    (_logsumexp_vjp,),
    dtypes=FLOAT,
    array_fn=lambda xp, x, axis: xp.logaddexp.accumulate(x, axis=axis),
    traits=[Trait.INEXACT],
)


@public
def cumulative_logsumexp(x: TensorLike, /, *, axis: int | None = None) -> Tensor:
    """log Σ exp of the elements so far along an axis, without overflow.

    Args:
        x: numbers; integers become float32.
        axis: the axis to go along; needed unless x has one axis.
    """
    node = as_tensor(x)
    return record(CUMULATIVE_LOGSUMEXP, node, axis=_only_axis(axis, node, "cumulative_logsumexp"))
