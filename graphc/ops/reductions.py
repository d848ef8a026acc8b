"""Reductions over axes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from graphc.errors import ArgumentError, DTypeError, GradientNotImplementedError
from graphc.ir import dims
from graphc.ir.dtype import ARITHMETIC, BOOL, FLOAT, LOW, NUMERIC, DType, as_dtype, bool_, int64, names, uint64
from graphc.ir.opdef import Kind, Trait, public
from graphc.ir.tensor import Tensor, apply
from graphc.ir.types import TensorType
from graphc.ops.comparison import maximum, where
from graphc.ops.define import (
    Axes,
    TensorLike,
    as_tensor,
    bool_operand,
    convert,
    define,
    float_operand,
    inexact_operand,
    normalise_axes,
    normalise_axis,
    reduced_shape,
    reduction,
    require_nonempty,
)
from graphc.ops.exponential import exp, log, sqrt
from graphc.ops.layout import broadcast_to, concat, permute_dims, reshape
from graphc.ops.precision import rounded_once
from graphc.ops.sources import dim_value
from graphc.ops.structure import stop_gradient

_DISCRETE = "its result is discrete"


def keep_axes(value: Tensor, node: Tensor) -> Tensor:
    """The result of a reduction, or a cotangent of it, with the reduced axes as size 1."""
    shape = reduced_shape(node.inputs[0].shape, node.attrs["axis"], keepdims=True)
    return value if value.shape == shape else reshape(value, shape)


def _accumulator(dtype: DType) -> DType:
    """The array API: sums of small integers are taken in the default integer."""
    if dtype.kind == "uint":
        return uint64
    return dtype if dtype.kind in ("float", "complex") else int64


def summand(x: TensorLike, dtype: Any) -> Tensor:
    """The operand of a sum or product, in the dtype that they are taken in."""
    node = as_tensor(x)
    return convert(node, _accumulator(node.dtype) if dtype is None else as_dtype(dtype))


def _in_own_dtype(name: str) -> Callable[..., Any]:
    """NumPy's function, kept from taking small integers to int64: the public function has done that."""

    def array_fn(xp: Any, x: Any, axis: Any, keepdims: bool) -> Any:
        return getattr(xp, name)(x, axis=axis, dtype=x.dtype, keepdims=keepdims)

    return array_fn


SUM = reduction(
    "sum",
    ARITHMETIC,
    (lambda ct, node: broadcast_to(keep_axes(ct, node), node.inputs[0].shape),),
    array_fn=_in_own_dtype("sum"),
    traits=[Trait.OWN_CONJUGATE],
)


@public
@rounded_once
def sum(x: TensorLike, /, *, axis: Axes = None, dtype: Any = None, keepdims: bool = False) -> Tensor:
    """The sum over axes; 0 over none. Integers and bools are summed in int64 or uint64.

    The order of summation is the backend's: the error is bounded by γₙ·Σ|terms|.

    Args:
        x: numbers or bools.
        axis: an int, several, or `None` for all.
        dtype: of the terms and the result.
        keepdims: whether the reduced axes stay, with size 1.
    """
    if dtype is not None and as_dtype(dtype) in LOW:
        return sum(convert(as_tensor(x), as_dtype(dtype)), axis=axis, keepdims=keepdims)
    node = summand(x, dtype)
    return apply(SUM, (node,), axis=normalise_axes(axis, node.ndim), keepdims=bool(keepdims))


def _product_of_others(x: Tensor) -> Tensor:
    """Along the last axis, the product of all elements but one's own: a tree, as 0 cannot be divided out."""
    length = x.shape[-1]
    assert isinstance(length, int)
    batch = x.shape[:-1]
    if length <= 1:
        return broadcast_to(convert(1.0, x.dtype), x.shape)
    if length % 2:
        x = concat([x, broadcast_to(convert(1.0, x.dtype), (*batch, 1))], axis=-1)
    left, right = x[..., 0::2], x[..., 1::2]
    others = _product_of_others(left * right)
    pairs = concat([reshape(others * right, (*others.shape, 1)), reshape(others * left, (*others.shape, 1))], axis=-1)
    return reshape(pairs, x.shape)[..., :length]


def _prod_vjp(ct: Tensor, node: Tensor) -> Tensor:
    from_permuted, permuted = _axes_last(node)
    if not isinstance(permuted.shape[-1], int):
        raise GradientNotImplementedError(
            "the gradient of prod over an axis of symbolic size is not implemented",
            expected="axes of static sizes",
            got=f"{node.inputs[0]!r}, over {permuted.shape[-1]} elements each",
            fix="make the axes static; or, for positive x, gc.exp(gc.sum(gc.log(x), axis=axis))",
            origins=node.origins,
        )
    return broadcast_to(keep_axes(ct, node), node.inputs[0].shape) * from_permuted(_product_of_others(permuted))


def _axes_last(node: Tensor) -> tuple[Callable[[Tensor], Tensor], Tensor]:
    """The operand with the reduced axes flattened into the last one, and the way back."""
    (x,), axes = node.inputs, node.attrs["axis"]
    kept = [axis for axis in range(x.ndim) if axis not in axes]
    order = [*kept, *axes]
    moved = permute_dims(x, order)
    flat = reshape(moved, (*moved.shape[: len(kept)], dims.product(moved.shape[len(kept) :])))
    inverse = [order.index(axis) for axis in range(x.ndim)]

    def back(value: Tensor) -> Tensor:
        return permute_dims(reshape(value, moved.shape), inverse)

    return back, flat


PROD = reduction("prod", ARITHMETIC, (_prod_vjp,), array_fn=_in_own_dtype("prod"))


@public
@rounded_once
def prod(x: TensorLike, /, *, axis: Axes = None, dtype: Any = None, keepdims: bool = False) -> Tensor:
    """The product over axes; 1 over none. Integers and bools are multiplied in int64 or uint64.

    Args:
        x: numbers or bools.
        axis: an int, several, or `None` for all.
        dtype: of the terms and the result.
        keepdims: whether the reduced axes stay, with size 1.
    """
    if dtype is not None and as_dtype(dtype) in LOW:
        return prod(convert(as_tensor(x), as_dtype(dtype)), axis=axis, keepdims=keepdims)
    node = summand(x, dtype)
    return apply(PROD, (node,), axis=normalise_axes(axis, node.ndim), keepdims=bool(keepdims))


def _extreme_vjp(ct: Tensor, node: Tensor) -> Tensor:
    attained = convert(node.inputs[0] == keep_axes(node, node), ct.dtype)
    ties = sum(attained, axis=node.attrs["axis"], keepdims=True)
    return keep_axes(ct, node) * attained / ties


MIN = reduction("min", NUMERIC, (_extreme_vjp,), nonempty=True)


def _ordered(x: TensorLike, name: str, instead: str) -> Tensor:
    node = as_tensor(x)
    if node.dtype is not bool_:
        return node
    raise DTypeError(
        f"{name} does not take bool",
        expected=names(NUMERIC),
        got=repr(node),
        fix=f"gc.{instead}(x, axis=axis) is the {name} of truth values; of numbers: x.astype(gc.int64)",
    )


@public
@rounded_once
def min(x: TensorLike, /, *, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """The smallest element over axes, NaN if there is one. Ties share the gradient. Not over empty axes.

    Args:
        x: numbers.
        axis: an int, several, or `None` for all.
        keepdims: whether the reduced axes stay, with size 1.
    """
    node = _ordered(x, "min", "all")
    return apply(MIN, (node,), axis=normalise_axes(axis, node.ndim), keepdims=bool(keepdims))


MAX = reduction("max", NUMERIC, (_extreme_vjp,), nonempty=True)


@public
@rounded_once
def max(x: TensorLike, /, *, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """The largest element over axes, NaN if there is one. Ties share the gradient. Not over empty axes.

    Args:
        x: numbers.
        axis: an int, several, or `None` for all.
        keepdims: whether the reduced axes stay, with size 1.
    """
    node = _ordered(x, "max", "any")
    return apply(MAX, (node,), axis=normalise_axes(axis, node.ndim), keepdims=bool(keepdims))


ANY = reduction("any", BOOL, _DISCRETE)


@public
def any(x: TensorLike, /, *, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """Whether some element is true (non-zero); False over none.

    Args:
        x: bools or numbers.
        axis: an int, several, or `None` for all.
        keepdims: whether the reduced axes stay, with size 1.
    """
    node = bool_operand(x)
    return apply(ANY, (node,), axis=normalise_axes(axis, node.ndim), keepdims=bool(keepdims))


ALL = reduction("all", BOOL, _DISCRETE)


@public
def all(x: TensorLike, /, *, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """Whether all elements are true (non-zero); True over none.

    Args:
        x: bools or numbers.
        axis: an int, several, or `None` for all.
        keepdims: whether the reduced axes stay, with size 1.
    """
    node = bool_operand(x)
    return apply(ALL, (node,), axis=normalise_axes(axis, node.ndim), keepdims=bool(keepdims))


def _position_type(types: tuple[TensorType, ...], attrs: Mapping[str, Any]) -> TensorType:
    (operand,), axis = types, attrs["axis"]
    require_nonempty(operand.shape[axis], "the position of an extreme")
    return TensorType(int64, reduced_shape(operand.shape, (axis,), keepdims=False))


ARGMIN = define("argmin", Kind.REDUCTION, _position_type, _DISCRETE, dtypes=NUMERIC, array_fn="argmin")
ARGMAX = define("argmax", Kind.REDUCTION, _position_type, _DISCRETE, dtypes=NUMERIC, array_fn="argmax")


_NO_ORDER = "complex numbers have no order: take gc.abs(x) or gc.real(x); what is float8 with x.astype(gc.float32)"


def _position(op: Any, x: TensorLike, axis: Any, keepdims: bool) -> Tensor:
    node = as_tensor(x)
    if node.dtype is bool_:
        node = convert(node, int64)
    if node.dtype not in op.dtypes:
        what = f"{op.name} does not take {node.dtype}"
        raise DTypeError(what, expected=names(op.dtypes), got=repr(node), fix=_NO_ORDER)
    rank = node.ndim
    if axis is None:
        position = apply(op, (reshape(node, (node.size,)),), axis=0)
        return reshape(position, (1,) * rank) if keepdims else position
    if isinstance(axis, (tuple, list)):
        raise ArgumentError(
            f"{op.name} finds positions along one axis",
            expected="an int, or None for the position in the flattened tensor",
            got=repr(axis),
            fix=f"gc.reshape(x, …) joins several axes into one; gc.{op.name}(x) goes over all of them",
        )
    axis = normalise_axis(axis, rank)
    position = apply(op, (node,), axis=axis)
    return reshape(position, reduced_shape(node.shape, (axis,), keepdims=True)) if keepdims else position


@public
@rounded_once
def argmin(x: TensorLike, /, *, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """The position of the first smallest element (the first NaN, if any), int64; `None` flattens first.

    Args:
        x: numbers or bools.
        axis: an int, or `None` to flatten x first.
        keepdims: whether the reduced axis stays, with size 1.
    """
    return _position(ARGMIN, x, axis, keepdims)


@public
@rounded_once
def argmax(x: TensorLike, /, *, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """The position of the first largest element (the first NaN, if any), int64; `None` flattens first.

    Args:
        x: numbers or bools.
        axis: an int, or `None` to flatten x first.
        keepdims: whether the reduced axis stays, with size 1.
    """
    return _position(ARGMAX, x, axis, keepdims)


@public
@rounded_once
def mean(x: TensorLike, /, *, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """The arithmetic mean over axes; NaN over none. Integers become float32.

    Args:
        x: numbers or bools.
        axis: an int, several, or `None` for all.
        keepdims: whether the reduced axes stay, with size 1.
    """
    node = inexact_operand(x)
    axes = normalise_axes(axis, node.ndim)
    count = dims.product(node.shape[a] for a in axes)
    return sum(node, axis=axes, keepdims=keepdims) / dim_value(count, node.dtype)


@public
@rounded_once
def var(x: TensorLike, /, *, axis: Axes = None, correction: float = 0.0, keepdims: bool = False) -> Tensor:
    """The variance over axes, Σ(x - mean)² / max(n - correction, 0), in two passes.

    Args:
        x: numbers or bools; integers become float32.
        axis: an int, several, or `None` for all.
        correction: 0 for the variance of a population, 1 for that of a sample.
        keepdims: whether the reduced axes stay, with size 1.
    """
    node = float_operand(x)
    axes = normalise_axes(axis, node.ndim)
    centred = node - mean(node, axis=axes, keepdims=True)
    count = dim_value(dims.product(node.shape[a] for a in axes), node.dtype)
    if correction:
        count = maximum(count - correction, 0.0)
    return sum(centred * centred, axis=axes, keepdims=keepdims) / count


@public
@rounded_once
def std(x: TensorLike, /, *, axis: Axes = None, correction: float = 0.0, keepdims: bool = False) -> Tensor:
    """The standard deviation over axes, sqrt(var).

    Args:
        x: numbers or bools; integers become float32.
        axis: an int, several, or `None` for all.
        correction: see `var`.
        keepdims: whether the reduced axes stay, with size 1.
    """
    return sqrt(var(x, axis=axis, correction=correction, keepdims=keepdims))


def _logsumexp_type(types: tuple[TensorType, ...], attrs: Mapping[str, Any]) -> TensorType:
    (operand,) = types
    for axis in attrs["axis"]:
        require_nonempty(operand.shape[axis], "logsumexp")
    return TensorType(operand.dtype, reduced_shape(operand.shape, attrs["axis"], attrs["keepdims"]))


def logsumexp_terms(x: Tensor, axes: Axes) -> tuple[Tensor, Tensor]:
    """Two terms with the sum logsumexp(x), of size 1 along the axes: the peak, and log Σ exp(x - peak).

    Apart, because x - peak loses nothing where x is large, while x - logsumexp(x) does. The sum does not depend on what
    is taken for the peak: to differentiation it is a constant, and the other term has the whole gradient.
    """
    peak = max(x, axis=axes, keepdims=True)
    # An infinite peak would make inf - inf; 0 in its place leaves the infinity in the sum.
    shift = stop_gradient(where(abs(peak) == float("inf"), 0.0, peak))
    return shift, log(sum(exp(x - shift), axis=axes, keepdims=True))


def _logsumexp_vjp(ct: Tensor, node: Tensor) -> Tensor:
    shift, rest = logsumexp_terms(node.inputs[0], node.attrs["axis"])
    return keep_axes(ct, node) * exp((node.inputs[0] - shift) - rest)


def _logsumexp_parts(node: Tensor) -> Tensor:
    shift, rest = logsumexp_terms(node.inputs[0], node.attrs["axis"])
    total = rest + shift
    return total if node.attrs["keepdims"] else reshape(total, node.shape)


LOGSUMEXP = define(
    "logsumexp",
    Kind.COMPOSITE,
    _logsumexp_type,
    (_logsumexp_vjp,),
    dtypes=FLOAT,
    decompose=_logsumexp_parts,
    traits=[Trait.INEXACT],
)


@public
@rounded_once
def logsumexp(x: TensorLike, /, *, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """log Σ exp(x) over axes, without overflow. Not over empty axes.

    Args:
        x: numbers; integers become float32.
        axis: an int, several, or `None` for all.
        keepdims: whether the reduced axes stay, with size 1.
    """
    node = float_operand(x)
    return apply(LOGSUMEXP, (node,), axis=normalise_axes(axis, node.ndim), keepdims=bool(keepdims))
