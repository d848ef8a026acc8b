"""Ops that move elements about without computing: views where the backend has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphc.errors import ArgumentError, ShapeError
from graphc.ir import dims
from graphc.ir.dims import Dim, Shape
from graphc.ir.opdef import Kind, public
from graphc.ir.tensor import Tensor, apply
from graphc.ir.types import TensorType, compatible
from graphc.ops.define import (
    Axes,
    TensorLike,
    as_shape,
    as_tensor,
    common_dtype,
    convert,
    define,
    normalise_axes,
    normalise_axis,
)

_STATIC = (int, np.integer)


def _reshape_type(types: tuple[TensorType, ...], attrs: Mapping[str, Any]) -> TensorType:
    (operand,) = types
    shape: Shape = attrs["shape"]
    if operand.size != (size := dims.product(shape)):
        change = f"{dims.shape_text(operand.shape)} cannot become {dims.shape_text(shape)}"
        reason = f"the shape {change}: other number of elements"
        expected = "as many elements as before: {left}, not {right}"
        fix = "let graphc find one size: -1; rows of (batch, …) become vectors with (x.shape[0], -1)"
        dims.require_equal(operand.size, size, reason, expected=expected, fix=fix)
    return TensorType(operand.dtype, shape)


RESHAPE = define(
    "reshape",
    Kind.LAYOUT,
    _reshape_type,
    (lambda ct, node: reshape(ct, node.inputs[0].shape),),
    array_fn=lambda xp, x, shape: xp.reshape(x, shape),
)


@public
def reshape(x: TensorLike, /, shape: Any, *, copy: bool | None = None) -> Tensor:
    """The same elements in row-major order in another shape; one entry may be -1.

    Args:
        x: any tensor.
        shape: ints or dims; an int for one axis.
        copy: makes no difference, as a tensor never changes.

    Raises:
        ShapeError: the numbers of elements differ.
    """
    node = as_tensor(x)
    target = _complete_shape(node, shape if isinstance(shape, (tuple, list)) else (shape,))
    return node if target == node.shape else apply(RESHAPE, (node,), shape=target)


def _complete_shape(node: Tensor, shape: Sequence[Any]) -> Shape:
    """Fills in the entry that is -1."""
    unknown = [axis for axis, size in enumerate(shape) if isinstance(size, _STATIC) and size == -1]
    if not unknown:
        return as_shape(tuple(shape))
    if len(unknown) > 1:
        raise ShapeError(
            "reshape: only one size can be -1", expected="at most one -1", got=repr(tuple(shape)), fix="name the others"
        )
    known = as_shape(tuple(size for axis, size in enumerate(shape) if axis != unknown[0]))
    rest = dims.product(known)
    if rest == 0:
        raise ShapeError(
            "reshape: -1 beside a size of 0 has no value",
            expected="sizes that the -1 follows from",
            got=repr(tuple(shape)),
            fix="name the size",
        )
    if isinstance(node.size, int) and isinstance(rest, int) and node.size % rest:
        raise ShapeError(
            f"reshape: no size fits in place of -1: {node.size} elements are no multiple of {rest}",
            expected=f"sizes whose product divides {node.size}",
            got=f"{dims.shape_text(node.shape)} to {dims.shape_text(tuple(shape))}",
            fix="change the other sizes, or pad the tensor with gc.pad",
        )
    return (*known[: unknown[0]], dims.floordiv(node.size, rest), *known[unknown[0] :])


def _permuted_type(types: tuple[TensorType, ...], attrs: Mapping[str, Any]) -> TensorType:
    (operand,), axes = types, attrs["axes"]
    if sorted(axes) != list(range(operand.ndim)):
        raise ShapeError(
            f"the axes {axes} do not name every axis once",
            expected=f"each of 0 … {operand.ndim - 1} once",
            fix="leave axes= out to reverse them all; .mT exchanges the last two",
        )
    return TensorType(operand.dtype, tuple(operand.shape[axis] for axis in axes))


def _permute_back(ct: Tensor, node: Tensor) -> Tensor:
    axes = node.attrs["axes"]
    return permute_dims(ct, [axes.index(axis) for axis in range(len(axes))])


PERMUTE_DIMS = define(
    "permute_dims",
    Kind.LAYOUT,
    _permuted_type,
    (_permute_back,),
    array_fn=lambda xp, x, axes: xp.permute_dims(x, axes),
)


@public
def permute_dims(x: TensorLike, /, axes: Sequence[int] | None = None) -> Tensor:
    """The axes in another order: axis i of the result is axis `axes[i]` of x; reversed for `None`.

    Args:
        x: a tensor.
        axes: each axis of x once; negative ones count from the end.
    """
    node = as_tensor(x)
    given = range(node.ndim)[::-1] if axes is None else axes if isinstance(axes, (tuple, list, range)) else (axes,)
    order = tuple(normalise_axis(axis, node.ndim) for axis in given)
    return node if order == tuple(range(node.ndim)) else apply(PERMUTE_DIMS, (node,), axes=order)


@public
def matrix_transpose(x: TensorLike, /) -> Tensor:
    """The last two axes exchanged."""
    node = as_tensor(x)
    if node.ndim < 2:
        raise ShapeError(
            "matrix_transpose: the tensor has no two axes",
            expected="at least 2 axes",
            got=str(node.type),
            fix="make a vector a row with x[None, :], or a column with x[:, None]",
        )
    order = list(range(node.ndim))
    order[-2], order[-1] = order[-1], order[-2]
    return permute_dims(node, order)


def _broadcast_type(types: tuple[TensorType, ...], attrs: Mapping[str, Any]) -> TensorType:
    (operand,), shape = types, attrs["shape"]
    reason = f"the shape {dims.shape_text(operand.shape)} does not broadcast to {dims.shape_text(shape)}"
    expected = "sizes that are 1 or those of the target, counted from the last axis; not {left} for {right}"
    fix = "change the shape with gc.expand_dims or gc.reshape first"
    if operand.ndim > len(shape):
        raise ShapeError(reason, expected=f"at most {len(shape)} axes", fix=fix)
    for mine, target in zip(operand.shape, shape[len(shape) - operand.ndim :], strict=True):
        if mine != 1:
            dims.require_equal(mine, target, reason, expected=expected, fix=fix)
    return TensorType(operand.dtype, shape)


BROADCAST_TO = define(
    "broadcast_to",
    Kind.LAYOUT,
    _broadcast_type,
    (lambda ct, node: ct,),  # the engine sums it back to the operand's shape
    array_fn=lambda xp, x, shape: xp.broadcast_to(x, shape),
)


@public
def broadcast_to(x: TensorLike, /, shape: Any) -> Tensor:
    """The elements repeated along axes of size 1 and along new leading axes."""
    node, target = as_tensor(x), as_shape(shape)
    return node if target == node.shape else apply(BROADCAST_TO, (node,), shape=target)


@public
def expand_dims(x: TensorLike, /, axis: int | Sequence[int]) -> Tensor:
    """New axes of size 1 at the positions `axis` of the result.

    Args:
        x: a tensor.
        axis: an int or several; negative ones count from the end of the result.
    """
    node = as_tensor(x)
    count = len(axis) if isinstance(axis, (tuple, list)) else 1
    axes = normalise_axes(axis, node.ndim + count)
    sizes = iter(node.shape)
    return reshape(node, tuple(1 if a in axes else next(sizes) for a in range(node.ndim + count)))


@public
def squeeze(x: TensorLike, /, axis: Axes) -> Tensor:
    """Without the named axes, which must have size 1.

    Raises:
        ShapeError: an axis has another size.
    """
    node = as_tensor(x)
    axes = normalise_axes(axis, node.ndim)
    for a in axes:
        size = node.shape[a]
        if isinstance(size, int) and size != 1:
            raise ShapeError(
                f"squeeze: axis {a} has size {size}",
                expected="an axis of size 1",
                got=str(node.type),
                fix="pick one element of the axis by indexing, or reduce it with gc.sum, gc.mean, gc.max",
            )
    return reshape(node, tuple(size for a, size in enumerate(node.shape) if a not in axes))


# --- joining ----------------------------------------------------------------------------------------------


def _concat_type(types: tuple[TensorType, ...], attrs: Mapping[str, Any]) -> TensorType:
    axis, first = attrs["axis"], types[0]
    total: Dim = 0
    shape = list(first.shape)
    for operand in types:
        if operand.ndim != first.ndim:
            raise ShapeError(
                "tensors with different numbers of axes cannot be joined",
                expected=f"{first.ndim} axes each, as the first has",
                fix="add an axis with gc.expand_dims, or join along a new one with gc.stack",
            )
        for a, size in enumerate(operand.shape):
            if a != axis:
                reason = f"tensors whose sizes differ along axis {a} cannot be joined along axis {axis}"
                fix = f"join along the axis that differs: axis={a}; or slice or pad them to one size"
                shape[a] = dims.require_equal(shape[a], size, reason, fix=fix)
        total = total + operand.shape[axis]
    shape[axis] = total
    return TensorType(first.dtype, tuple(shape))


def _split_cotangent(cts: Sequence[Tensor | None], node: Tensor) -> list[Tensor | None]:
    (ct,), axis = cts, node.attrs["axis"]
    assert ct is not None
    parts: list[Tensor | None] = []
    start: Dim = 0
    for operand in node.inputs:
        stop = start + operand.shape[axis]
        parts.append(ct[(slice(None),) * axis + (slice(start, stop),)])
        start = stop
    return parts


CONCAT = define(
    "concat",
    Kind.LAYOUT,
    _concat_type,
    _split_cotangent,
    array_fn=lambda xp, *arrays, axis: xp.concat(arrays, axis=axis),
)


def _operands(what: str, arrays: Any) -> list[Tensor]:
    """The tensors of a list, in one dtype."""
    if not isinstance(arrays, (list, tuple)) or not arrays:
        raise ArgumentError(
            f"{what} takes a list of tensors",
            expected="at least one tensor, in a list or tuple",
            got=repr(arrays),
            fix=f"gc.{what}([a, b], axis=0)",
        )
    values, dtype = common_dtype(arrays)
    return [convert(value, dtype) for value in values]


@public
def concat(arrays: Sequence[TensorLike], /, *, axis: int | None = 0) -> Tensor:
    """Tensors joined along an existing axis; flattened first if `axis` is `None`.

    Args:
        arrays: a list of tensors that agree in all other sizes.
        axis: an int, or `None`.
    """
    nodes = _operands("concat", arrays)
    if axis is None:
        nodes, axis = [reshape(node, (-1,)) for node in nodes], 0
    axis = normalise_axis(axis, nodes[0].ndim)
    return nodes[0] if len(nodes) == 1 else apply(CONCAT, nodes, axis=axis)


@public
def stack(arrays: Sequence[TensorLike], /, *, axis: int = 0) -> Tensor:
    """Tensors of one shape joined along a new axis.

    Args:
        arrays: a list of tensors of one shape.
        axis: position of the new axis in the result.
    """
    nodes = _operands("stack", arrays)
    for node in nodes:
        if not compatible(node.type, nodes[0].type):
            raise ShapeError(
                "stack: the tensors differ in shape",
                expected=f"tensors of one shape, as the first: {nodes[0].type}",
                got=str(node.type),
                fix="bring them to one shape first, or join them along an existing axis with gc.concat",
            )
    axis = normalise_axis(axis, nodes[0].ndim + 1)
    return concat([expand_dims(node, axis) for node in nodes], axis=axis)


def _pad_type(types: tuple[TensorType, ...], attrs: Mapping[str, Any]) -> TensorType:
    (operand, value), widths = types, attrs["pad_width"]
    if len(widths) != operand.ndim or value.ndim or value.dtype is not operand.dtype:
        raise ShapeError("one pair of widths per axis and a scalar are needed", got=repr(widths))
    return TensorType(
        operand.dtype,
        tuple(size + before + after for size, (before, after) in zip(operand.shape, widths, strict=True)),
    )


def _inner(ct: Tensor, node: Tensor) -> Tensor:
    widths, shape = node.attrs["pad_width"], node.inputs[0].shape
    return ct[tuple(slice(before, before + size) for (before, _), size in zip(widths, shape, strict=True))]


def _pad(xp: Any, x: Any, value: Any, pad_width: Any) -> Any:
    return xp.pad(x, pad_width, constant_values=value)


def _border(ct: Tensor, node: Tensor) -> Tensor:
    inner = node.inputs[0]
    return ct * (1.0 - pad(broadcast_to(convert(1.0, ct.dtype), inner.shape), node.attrs["pad_width"]))


PAD = define("pad", Kind.LAYOUT, _pad_type, (_inner, _border), array_fn=_pad)


def pad(x: TensorLike, /, pad_width: Any, *, constant_values: TensorLike = 0) -> Tensor:
    """x with a border of one value; `gc.pad` knows others, too."""
    node = as_tensor(x)
    widths = pad_widths(pad_width, node.ndim)
    return apply(PAD, (node, convert(constant_values, node.dtype)), pad_width=widths)


def pad_widths(pad_width: Any, rank: int) -> tuple[tuple[int, int], ...]:
    """The widths before and after each axis, of what a user may give for them.

    Raises:
        ArgumentError: they do not fit the axes, or one is negative.
    """
    try:
        widths_given = np.asarray(pad_width)
        pairs = np.broadcast_to(widths_given.astype(np.int64, casting="safe"), (rank, 2)).tolist()
    except (TypeError, ValueError):
        raise ArgumentError(
            "pad: the widths do not fit the axes",
            expected=f"an int, a pair (before, after), or {rank} pairs",
            got=repr(pad_width),
            fix="give a pair per axis, (0, 0) for those that keep their size",
        ) from None
    if any(width < 0 for pair in pairs for width in pair):
        raise ArgumentError(
            "pad: a width cannot be negative", expected="ints >= 0", got=repr(pad_width), fix="take a slice to crop"
        )
    return tuple((int(before), int(after)) for before, after in pairs)
