"""Convolutions as XLA has them. The first argument is the module `jax`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Value = Any
Ints = Sequence[int]


def conv(
    jax: Any,
    x: Value,
    w: Value,
    strides: Ints,
    dilation: Ints,
    spread: Ints,
    low: Ints,
    size: Ints,
    groups: int,
    precision: str,
) -> Value:
    """A convolution with so many places along each axis; widths of padding may be negative."""
    if 0 in (*size, x.shape[0], x.shape[-1], w.shape[-1]):
        return jax.numpy.zeros((x.shape[0], *size, w.shape[-1]), x.dtype)
    widths = []
    for n, window, stride, gap, factor, before, places in zip(
        x.shape[1:-1], w.shape[:-2], strides, dilation, spread, low, size, strict=True
    ):
        extent = (n - 1) * factor + 1 if n else 0
        widths.append((before, (places - 1) * stride + (window - 1) * gap + 1 - extent - before))
    axes = "HWD"[: len(size)]
    return jax.lax.conv_general_dilated(
        x, w, strides, widths, spread, dilation, (f"N{axes}C", f"{axes}IO", f"N{axes}C"), groups, precision=precision
    )


def conv_weights(
    jax: Any,
    x: Value,
    ct: Value,
    window: Ints,
    strides: Ints,
    dilation: Ints,
    spread: Ints,
    low: Ints,
    size: Ints,
    groups: int,
    precision: str,
) -> Value:
    """The transpose of a convolution in its weights, as JAX makes it."""
    shape = (*window, x.shape[-1] // groups, ct.shape[-1])
    if 0 in (*ct.shape, x.shape[-1]):
        return jax.numpy.zeros(shape, x.dtype)

    def forward(w: Value) -> Value:
        return conv(jax, x, w, strides, dilation, spread, low, size, groups, precision)

    (result,) = jax.linear_transpose(forward, jax.ShapeDtypeStruct(shape, x.dtype))(ct)
    return result


KERNELS = {function.__name__: function for function in (conv, conv_weights)}
