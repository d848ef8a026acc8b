"""Convolutions: sums of products under a window that moves over the axes of positions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import reduce
from typing import Any

from graphc.errors import ArgumentError, ShapeError
from graphc.ir import dims
from graphc.ir.dims import Dim, Shape
from graphc.ir.dtype import FLOAT
from graphc.ir.opdef import Kind, Trait, public
from graphc.ir.tensor import Tensor, apply
from graphc.ir.types import TensorType
from graphc.ops.arithmetic import add
from graphc.ops.contraction import matmul
from graphc.ops.define import TensorLike, common_dtype, convert, define, float_operand
from graphc.ops.layout import permute_dims, reshape
from graphc.ops.precision import rounded_once
from graphc.ops.windows import (
    as_given,
    columns,
    grouped,
    is_channels_first,
    pairs_of,
    parts_below,
    per_axis,
    placed,
    static_window,
    ungrouped,
    with_channels_last,
)

Attrs = Mapping[str, Any]


def _conv_type(types: tuple[TensorType, ...], attrs: Attrs) -> TensorType:
    x, w = types
    groups = attrs["groups"]
    if w.ndim != x.ndim:
        raise ShapeError(
            "the weights must have as many axes as what they are applied to",
            expected=f"{x.ndim} axes: the window, the channels that go into a group, the channels that come out",
            fix="weights with channels last are (*window, in // groups, out)",
        )
    reason = "the weights do not fit the channels"
    expected = f"{{left}} channels in {groups} group(s), not {{right}}"
    dims.require_equal(
        x.shape[-1], w.shape[-2] * groups, reason, expected=expected, fix="weights are (*window, in // groups, out)"
    )
    if isinstance(w.shape[-1], int) and w.shape[-1] % groups:
        raise ShapeError(
            "the channels that come out cannot be shared among the groups",
            expected=f"a multiple of {groups}",
            got=str(w.shape[-1]),
            fix="each group makes out // groups channels: change one of the two",
        )
    static_window(w.shape[:-2])
    return TensorType(x.dtype, (x.shape[0], *attrs["size"], w.shape[-1]))


def _conv_parts(node: Tensor) -> Tensor:
    x, w = node.inputs
    window, groups = static_window(w.shape[:-2]), node.attrs["groups"]
    if groups > 1 and x.shape[-1] == w.shape[-1] == groups:  # depthwise: nothing is summed over channels
        flat = reshape(w, (math.prod(window), groups))
        parts = parts_below(x, window, node.attrs, 0.0)
        return reduce(add, (part * flat[k] for k, part in enumerate(parts)))
    if groups == 1 and _is_sum(window, node.attrs["size"]):
        flat = reshape(w, (math.prod(window), *w.shape[-2:]))
        parts = parts_below(x, window, node.attrs, 0.0)
        return reduce(add, (matmul(part, flat[k]) for k, part in enumerate(parts)))
    product = matmul(columns(x, window, node.attrs), grouped(w, groups))
    return ungrouped(product, node.shape)


def _is_sum(window: tuple[int, ...], size: Shape) -> bool:
    """Whether a product per position of the window takes less time than columns: docs/design.md has the measurement."""
    row = size[-1]
    return math.prod(window) > 1 and (not isinstance(row, int) or row >= _ROW)


_ROW = 8


def _to_input(ct: Tensor, w: Tensor, attrs: Attrs, size: Shape) -> Tensor:
    """The adjoint of a convolution in x: one over the cotangents, spread by the strides, with the window turned."""
    window, groups = static_window(w.shape[:-2]), attrs["groups"]
    rank = len(window)
    turned = w[(slice(None, None, -1),) * rank] if math.prod(window) > 1 else w
    if groups > 1:
        apart = reshape(turned, (*window, w.shape[-2], groups, dims.floordiv(w.shape[-1], groups)))
        moved = permute_dims(apart, (*range(rank), rank + 2, rank + 1, rank))
        turned = reshape(moved, (*window, moved.shape[rank], w.shape[-2] * groups))
    else:
        turned = turned.mT
    low = tuple((n - 1) * d - p for n, d, p in zip(window, attrs["dilation"], attrs["low"], strict=True))
    exchanged = {"strides": attrs["spread"], "spread": attrs["strides"], "low": low, "size": tuple(size)}
    return apply(CONV, (ct, turned), **{**attrs, **exchanged})


def _to_weights(ct: Tensor, node: Tensor) -> Tensor:
    x, w = node.inputs
    return apply(CONV_WEIGHTS, (x, ct), window=static_window(w.shape[:-2]), **node.attrs)


CONV = define(
    "conv",
    Kind.COMPOSITE,
    _conv_type,
    (
        lambda ct, node: _to_input(ct, node.inputs[1], node.attrs, node.inputs[0].shape[1:-1]),
        _to_weights,
    ),
    dtypes=FLOAT,
    decompose=_conv_parts,
    traits=[Trait.INEXACT],
)


def _weights_type(types: tuple[TensorType, ...], attrs: Attrs) -> TensorType:
    x, ct = types
    return TensorType(x.dtype, (*attrs["window"], dims.floordiv(x.shape[-1], attrs["groups"]), ct.shape[-1]))


def _weights_parts(node: Tensor) -> Tensor:
    x, ct = node.inputs
    groups = node.attrs["groups"]
    product = matmul(columns(x, node.attrs["window"], node.attrs).mT, grouped(ct, groups))
    return ungrouped(product, node.shape)


def _without_window(attrs: Attrs) -> dict[str, Any]:
    return {name: value for name, value in attrs.items() if name != "window"}


CONV_WEIGHTS = define(
    "conv_weights",
    Kind.COMPOSITE,
    _weights_type,
    (
        lambda v, node: _to_input(node.inputs[1], v, _without_window(node.attrs), node.inputs[0].shape[1:-1]),
        lambda v, node: apply(CONV, (node.inputs[0], v), **_without_window(node.attrs)),
    ),
    dtypes=FLOAT,
    decompose=_weights_parts,
    traits=[Trait.INEXACT],
)
"""The adjoint of `conv` in its weights, of x and the cotangents."""


# --- what users call ------------------------------------------------------------------------------------------


def _operands(what: str, x: TensorLike, w: TensorLike, data_format: Any) -> tuple[Tensor, Tensor]:
    """In one float dtype, with channels last."""
    values, dtype = common_dtype([x, w])
    node, weights = (float_operand(convert(value, dtype)) for value in values)
    node = with_channels_last(node, data_format, what)
    if is_channels_first(data_format) and weights.ndim == node.ndim:
        weights = permute_dims(weights, (*range(2, weights.ndim), 1, 0))
    return node, weights


def _require_groups(groups: Any) -> int:
    (found,) = per_axis([groups], 1, "groups")
    return found


@public
@rounded_once
def conv(
    x: TensorLike,
    w: TensorLike,
    /,
    *,
    strides: Any = 1,
    padding: Any = "SAME",
    dilation: Any = 1,
    groups: int = 1,
    data_format: str = "NHWC",
) -> Tensor:
    """The convolution of machine learning, a correlation, over 1 to 3 axes of positions.

    y[n, i, o] = Σ over k, c of x[n, i · strides + k · dilation - padding, c] · w[k, c, o], with zeros around x.

    Args:
        x: numbers `(batch, *positions, channels)`; integers become float32.
        w: weights `(*window, channels // groups, out)`, the window static.
        strides: distance of the windows, for all axes or each.
        padding: "SAME": ⌈size / stride⌉ places; "VALID": none; or a pair of widths for each axis.
        dilation: distance of the elements in a window, for all axes or each.
        groups: of channels, each of which sees its own alone; as many as channels for a depthwise convolution.
        data_format: "NHWC", or "NCHW": x `(batch, channels, *positions)`, w `(out, channels // groups, *window)`.

    Returns:
        `(batch, *places, out)`, or `(batch, out, *places)`.

    Raises:
        ShapeError: weights and channels do not fit, or the window is larger than what it moves over.
    """
    node, weights = _operands("conv", x, w, data_format)
    rank, groups = node.ndim - 2, _require_groups(groups)
    steps, gaps = per_axis(strides, rank, "strides"), per_axis(dilation, rank, "dilation")
    window = static_window(weights.shape[: max(weights.ndim - 2, 0)])
    reaches = [(n - 1) * d + 1 for n, d in zip(window, gaps, strict=False)]
    if len(reaches) != rank:
        reaches = [1] * rank  # the type says what is wrong
    low, size = placed(node.shape[1:-1], reaches, steps, padding)
    attrs = {"strides": steps, "dilation": gaps, "spread": (1,) * rank, "low": low, "size": size, "groups": groups}
    return as_given(apply(CONV, (node, weights), **attrs), data_format)


@public
@rounded_once
def conv_transpose(
    x: TensorLike,
    w: TensorLike,
    /,
    *,
    strides: Any = 1,
    padding: Any = "SAME",
    output_padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    data_format: str = "NHWC",
) -> Tensor:
    """The transpose (not the inverse) of `conv` with these weights, as its gradient has it: places become positions.

    Args:
        x: numbers `(batch, *places, channels)`; integers become float32.
        w: weights of that conv, `(*window, out // groups, channels)`: what comes out there goes in here.
        strides: of that conv: the result is so much larger.
        padding: of that conv. "SAME": size · stride positions; "VALID" or pairs: (size - 1) · stride + reach - pair.
        output_padding: so many positions more, for all axes or each: several sizes have one number of places.
        dilation: of that conv.
        groups: of that conv.
        data_format: "NHWC", or "NCHW": w `(channels, out // groups, *window)`.

    Returns:
        `(batch, *positions, out)`, or `(batch, out, *positions)`.

    Raises:
        ShapeError: weights and channels do not fit, or padding leaves nothing.
    """
    node, weights = _operands("conv_transpose", x, w, data_format)
    rank, groups = node.ndim - 2, _require_groups(groups)
    steps, gaps = per_axis(strides, rank, "strides"), per_axis(dilation, rank, "dilation")
    more, pairs = per_axis(output_padding, rank, "output_padding", 0), pairs_of(padding, rank)
    window = static_window(weights.shape[: max(weights.ndim - 2, 0)])
    _require_transposed(node, weights, groups)
    if any(extra >= max(step, gap) for extra, step, gap in zip(more, steps, gaps, strict=True)):
        raise ArgumentError(
            "conv_transpose: so much output_padding is no choice between sizes",
            expected="less than the strides or the dilation",
            got=repr(output_padding),
            fix="pad the result with gc.pad",
        )
    low: list[Dim] = []
    size: list[Dim] = []
    for axis, (places, n) in enumerate(zip(node.shape[1:-1], window, strict=True)):
        full = (places - 1) * steps[axis] + (n - 1) * gaps[axis] + 1
        missing = max((n - 1) * gaps[axis] + 1 - steps[axis], 0)
        before, after = (missing // 2, 0) if pairs is None else pairs[axis]
        found = places * steps[axis] if pairs is None else full - before - after
        dims.require_at_least(found, 0, "conv_transpose: the padding is larger than the result")
        low.append(before)
        size.append(found + more[axis])
    attrs = {"strides": steps, "dilation": gaps, "spread": (1,) * rank, "low": tuple(low), "groups": groups}
    return as_given(_to_input(node, weights, attrs, tuple(size)), data_format)


def _require_transposed(x: Tensor, w: Tensor, groups: int) -> None:
    """Held here, as the type of the conv that is recorded would speak of other weights."""
    fits = w.ndim == x.ndim and (w.shape[-1] == x.shape[-1] or not isinstance(w.shape[-1] - x.shape[-1], int))
    shared = not isinstance(w.shape[-1], int) or w.shape[-1] % groups == 0
    if not (fits and shared):
        raise ShapeError(
            "conv_transpose: the weights do not fit the channels",
            expected=f"(*window, out // {groups}, {x.shape[-1]}), the channels a multiple of {groups}",
            got=f"{x.type} and {w.type}, channels last",
            fix="the weights are those of the conv that is transposed: its channels out are the channels here",
        )
