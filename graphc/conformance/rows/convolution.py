"""Rows of convolutions. Oracles are loops over places, windows and groups."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from graphc.conformance.table import FLOATS, E, Row, S, floating, nan
from graphc.errors import ArgumentError, GraphcError, ShapeError
from graphc.ir.opdef import OPS
from graphc.ir.tensor import Tensor, apply


def _each(value: Any, rank: int) -> tuple[int, ...]:
    return tuple(value) if isinstance(value, (tuple, list)) else (value,) * rank


def _widths(padding: Any, sizes: Any, reaches: Any, strides: Any) -> list[tuple[int, int]]:
    """What "SAME" and "VALID" mean, as TensorFlow's documentation has it."""
    if padding == "VALID":
        return [(0, 0)] * len(sizes)
    if padding != "SAME":
        return [(int(low), int(high)) for low, high in padding]
    found = []
    for n, reach, stride in zip(sizes, reaches, strides, strict=True):
        total = max((-(-n // stride) - 1) * stride + reach - n, 0)
        found.append((total // 2, total - total // 2))
    return found


def windows_of(sizes: Any, window: Any, strides: Any, padding: Any, dilation: Any) -> tuple[Any, Any]:
    """The widths of the padding, and for each place the slices of the padded axes below its window."""
    rank = len(sizes)
    strides, dilation = _each(strides, rank), _each(dilation, rank)
    reaches = [(n - 1) * d + 1 for n, d in zip(window, dilation, strict=True)]
    widths = _widths(padding, sizes, reaches, strides)
    counts = [
        (n + sum(pair) - reach) // stride + 1
        for n, pair, reach, stride in zip(sizes, widths, reaches, strides, strict=True)
    ]
    places = {
        place: tuple(
            slice(i * stride, i * stride + reach, d)
            for i, stride, reach, d in zip(place, strides, reaches, dilation, strict=True)
        )
        for place in itertools.product(*map(range, counts))
    }
    return (widths, counts), places


def conv(
    x: Any,
    w: Any,
    strides: Any = 1,
    padding: Any = "SAME",
    dilation: Any = 1,
    groups: int = 1,
    data_format: str = "NHWC",
) -> Any:
    if data_format == "NCHW":
        x, w = np.moveaxis(x, 1, -1), np.moveaxis(w, (1, 0), (-2, -1))
    (widths, counts), places = windows_of(x.shape[1:-1], w.shape[:-2], strides, padding, dilation)
    padded = np.pad(x, [(0, 0), *widths, (0, 0)])
    share, out = w.shape[-2], w.shape[-1] // groups
    y = np.zeros((x.shape[0], *counts, w.shape[-1]), x.dtype)
    for place, below in places.items():
        for group in range(groups):
            part = padded[(slice(None), *below, slice(group * share, (group + 1) * share))]
            own = w[..., group * out : (group + 1) * out]
            y[(slice(None), *place, slice(group * out, (group + 1) * out))] = np.tensordot(part, own, own.ndim - 1)
    return np.moveaxis(y, -1, 1) if data_format == "NCHW" else y


def transposed(
    x: Any, w: Any, strides: Any = 1, padding: Any = "SAME", output_padding: Any = 0, dilation: Any = 1,
    groups: int = 1, data_format: str = "NHWC",
) -> Any:  # fmt: skip
    """Every place lays its window, times its number, onto the positions below it."""
    if data_format == "NCHW":
        x, w = np.moveaxis(x, 1, -1), np.moveaxis(w, (1, 0), (-2, -1))
    rank, window = x.ndim - 2, w.shape[:-2]
    strides_, dilation_, more = _each(strides, rank), _each(dilation, rank), _each(output_padding, rank)
    reaches = [(n - 1) * d + 1 for n, d in zip(window, dilation_, strict=True)]
    full = [(n - 1) * s + r + s + m for n, s, r, m in zip(x.shape[1:-1], strides_, reaches, more, strict=True)]
    out, share = w.shape[-2], w.shape[-1] // groups
    y = np.zeros((x.shape[0], *full, out * groups), x.dtype)
    for place in itertools.product(*map(range, x.shape[1:-1])):
        for offset in itertools.product(*map(range, window)):
            at = tuple(i * s + k * d for i, s, k, d in zip(place, strides_, offset, dilation_, strict=True))
            for group in range(groups):
                columns = slice(group * share, (group + 1) * share)
                given = x[(slice(None), *place, columns)] @ w[(*offset, slice(None), columns)].T
                below: Any = (slice(None), *at, slice(group * out, (group + 1) * out))
                y[below] += given
    cut = []
    for axis, n in enumerate(x.shape[1:-1]):
        if padding == "SAME":
            low, size = max(reaches[axis] - strides_[axis], 0) // 2, n * strides_[axis]
        else:
            low, high = (0, 0) if padding == "VALID" else padding[axis]
            size = (n - 1) * strides_[axis] + reaches[axis] - low - high
        cut.append(slice(low, low + size + more[axis]))
    y = y[(slice(None), *cut)]
    return np.moveaxis(y, -1, 1) if data_format == "NCHW" else y


def weights(x: Any, ct: Any, groups: int = 1, **kwargs: Any) -> Any:
    """What each weight of a convolution meets: it is linear in them, so that ones tell."""
    window = kwargs.pop("window")
    result = np.zeros((*window, x.shape[-1] // groups, ct.shape[-1]), x.dtype)
    for place in np.ndindex(result.shape):
        one = np.zeros_like(result)
        one[place] = 1
        result[place] = np.sum(conv(x, one, groups=groups, **kwargs) * ct)
    return result


def _apply_weights(x: Tensor, ct: Tensor, *, window: Any, strides: Any, padding: Any, groups: int = 1) -> Tensor:
    rank = len(window)
    low = tuple(pair[0] for pair in padding)
    attrs = {"strides": _each(strides, rank), "dilation": (1,) * rank, "spread": (1,) * rank, "low": low}
    return apply(OPS["conv_weights"], (x, ct), window=window, size=ct.shape[1:-1], groups=groups, **attrs)


_ones = np.ones
_line = [[[1.0], [2.0], [3.0]]]
ROWS = (
    Row("conv",
        (S((2, 5, 3), (2, 3, 2), padding="VALID"), S((1, 4, 5, 2), (2, 3, 2, 3), strides=(2, 1)),
         S((2, 2, 4, 3), (2, 1, 2, 2), data_format="NCHW", padding=((1, 0), (0, 2)), groups=2),
         S((1, 7, 4), (2, 1, 4), groups=4, dilation=2), S((1, 2, 3, 2, 1), (2, 2, 2, 1, 2)),
         S((0, 4, 1), (2, 1, 2)), S((1, 6, 2), (2, 2, 1), strides=3), S((1, 9, 2), (2, 2, 2), padding="VALID")), conv,
        (E([_line, [[[1.0]], [[10.0]]]], [[[21], [32]]], padding="VALID"),
         E([_line, [[[1.0]], [[10.0]]]], [[[21], [32], [3]]]),
         E([_line, [[[1.0]], [[10.0]]]], [[[10], [21], [32]]], padding=((1, 0),)),
         E([[[[1.0], [nan], [3.0]]], [[[1.0]], [[10.0]]]], [[[nan], [nan], [3]]]),
         E([_ones((1, 0, 1)), _ones((3, 1, 2))], _ones((1, 0, 2))),
         E([_ones((1, 2, 0)), _ones((1, 0, 2))], np.zeros((1, 2, 2))),
         E([_ones((1, 2, 1)), _ones((3, 1, 1))], ShapeError, padding="VALID"),
         E([_ones((1, 4, 3)), _ones((1, 2, 1))], ShapeError),
         E([_ones((1, 4, 2)), _ones((1, 1, 3))], ShapeError, groups=2),
         E([_ones((1, 4, 2)), _ones((1, 1, 2, 2))], ShapeError), E([_ones((4, 2)), _ones((1, 2))], ShapeError),
         E([_ones((1, 4, 2)), _ones((0, 2, 2))], ShapeError),
         E([_ones((1, 4, 1)), _ones((1, 1, 1))], ArgumentError, padding="FULL"),
         E([_ones((1, 4, 1)), _ones((1, 1, 1))], ArgumentError, strides=0),
         E([_ones((1, 4, 1)), _ones((1, 1, 1))], GraphcError, data_format="NWC")),
        dtypes=(*FLOATS, "int32"), operand=floating, tolerance="sum", gradient=(0, 1)),
    Row("conv_weights",
        (S((2, 5, 2), (2, 4, 3), window=(2,), strides=1, padding=((0, 0),)),
         S((1, 3, 4, 4), (1, 2, 2, 2), window=(2, 2), strides=2, padding=((1, 0), (0, 0)), groups=2)),
        weights, (), tolerance="sum", gradient=(0, 1), call=_apply_weights),
    Row("conv_transpose",
        (S((2, 3, 3), (2, 2, 3), strides=2), S((1, 2, 3, 2), (2, 2, 2, 2), padding="VALID"),
         S((1, 4, 2, 2), (4, 1, 2, 2), data_format="NCHW", groups=2, padding=((1, 0), (0, 1)), dilation=2),
         S((1, 3, 1), (3, 2, 1), strides=2, padding=((1, 1),), output_padding=1), S((0, 3, 1), (2, 1, 1))),
        transposed,
        (E([_line, [[[1.0]], [[10.0]]]], [[[1], [12], [23], [30]]], padding="VALID"),
         E([_line, [[[1.0]], [[10.0]]]], [[[1], [10], [2], [20], [3], [30]]], strides=2),
         E([_ones((1, 4, 3)), _ones((1, 1, 2))], ShapeError), E([_ones((1, 4, 2)), _ones((1, 1, 2))], GraphcError,
           output_padding=1),
         E([_ones((1, 1, 1)), _ones((1, 1, 1))], ShapeError, padding=((2, 2),))),
        tolerance="sum", gradient=(0, 1)),
)  # fmt: skip
