"""Rows of pooling. Oracles are loops over places."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.conformance.rows.convolution import windows_of
from graphc.conformance.table import FLOATS, E, Row, S, floating, inf, nan
from graphc.errors import ArgumentError, DTypeError, GraphcError, ShapeError
from graphc.ir.opdef import FUNCTIONS


def _pooled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Of what is below each window and is no padding."""

    def pool(x: Any, window: Any, strides: Any = None, padding: Any = "VALID", data_format: str = "NHWC") -> Any:
        if data_format == "NCHW":
            x = np.moveaxis(x, 1, -1)
        rank = x.ndim - 2
        window = tuple(window) if isinstance(window, (tuple, list)) else (window,) * rank
        (widths, counts), places = windows_of(x.shape[1:-1], window, strides or window, padding, 1)
        padded = np.pad(x, [(0, 0), *widths, (0, 0)])
        inside = np.pad(np.ones(x.shape[1:-1], bool), widths)
        y = np.zeros((x.shape[0], *counts, x.shape[-1]), x.dtype)
        for place, below in places.items():
            at: Any = (slice(None), *place)
            y[at] = function(padded[(slice(None), *below)][:, inside[below]], axis=1)
        return np.moveaxis(y, -1, 1) if data_format == "NCHW" else y

    return pool


def _adapted(function: Callable[..., Any]) -> Callable[..., Any]:
    """Place i of n has what lies between i / n and (i + 1) / n of the axis, and what is cut by these."""

    def pool(x: Any, size: Any, data_format: str = "NHWC") -> Any:
        if data_format == "NCHW":
            x = np.moveaxis(x, 1, -1)
        rank = x.ndim - 2
        size = tuple(size) if isinstance(size, (tuple, list)) else (size,) * rank
        y = np.zeros((x.shape[0], *size, x.shape[-1]), x.dtype)
        for place in itertools.product(*map(range, size)):
            cut = [
                slice(int(np.floor(i * n / m)), int(np.ceil((i + 1) * n / m)))
                for i, m, n in zip(place, size, x.shape[1:-1], strict=True)
            ]
            at: Any = (slice(None), *place)
            y[at] = function(x[(slice(None), *cut)], axis=tuple(range(1, rank + 1)))
        return np.moveaxis(y, -1, 1) if data_format == "NCHW" else y

    return pool


def _global(function: Callable[..., Any]) -> Callable[..., Any]:
    def pool(x: Any, data_format: str = "NHWC") -> Any:
        axes = range(2, x.ndim) if data_format == "NCHW" else range(1, x.ndim - 1)
        return function(x, axis=tuple(axes))

    return pool


_WINDOWS = (
    S((2, 5, 2), window=2), S((1, 4, 5, 1), window=(2, 3), strides=(2, 1), padding="SAME"),
    S((1, 2, 4, 3), window=2, strides=1, padding=((1, 0), (0, 1)), data_format="NCHW"),
    S((1, 2, 4, 3, 1), window=(1, 2, 2)), S((0, 4, 1), window=2), S((1, 5, 2), window=2, padding="SAME"),
)  # fmt: skip
_SIZES = (
    S((2, 4, 3), size=2), S((1, 5, 4, 1), size=(3, 2)), S((1, 2, 3, 3), size=1, data_format="NCHW"),
    S((1, 2, 1), size=3),
)  # fmt: skip
_ALL = (S((2, 3, 2)), S((1, 2, 3, 2)), S((1, 2, 3, 2), data_format="NCHW"), S((0, 2, 1)))
_ones = np.ones
_WRONG = (
    E([_ones((1, 2, 1))], ShapeError, window=3),
    E([_ones((2, 1))], ShapeError, window=1),
    E([_ones((1, 4, 1))], ArgumentError, window=0),
    E([_ones((1, 4, 4, 1))], ArgumentError, window=(2,)),
    E([_ones((1, 4, 1))], ArgumentError, window=2, padding=((2, 0),)),
    E([_ones((1, 4, 1))], GraphcError, window=2, data_format="NLC"),
)


def _line(*numbers: Any) -> list[list[list[Any]]]:
    return [[[number] for number in numbers]]


ROWS = (
    Row("max_pool", _WINDOWS, _pooled(np.max),
        (E([_line(1, nan, 3, 2)], _line(nan, 3), window=2), E([_line(-inf, -inf, inf, 2)], _line(-inf, inf), window=2),
         E([_line(-5, -7, -3)], _line(-5, -3), window=2, padding="SAME"),
         E([_line(-128, -7, -3)], _line(-128, -7, -3), "int8", window=2, strides=1, padding=((1, 0),)),
         E([_line(3, 255, 7)], _line(255), "uint8", window=2), E([_line(True)], DTypeError, "bool", window=1), *_WRONG),
        dtypes=(*FLOATS, "int8", "uint8", "int64"), gradient=(0,),
        call=lambda x, window, **kw: FUNCTIONS["max_pool"](x, window, **kw)),
    Row("avg_pool", _WINDOWS, _pooled(np.mean),
        (E([_line(1, nan, 3, 2)], _line(nan, 2.5), window=2), E([_line(inf, 1, -inf, 2)], _line(inf, -inf), window=2),
         E([_line(4, 6, 3)], _line(5, 3), window=2, padding="SAME"),
         E([_line(4, 6)], _line(4, 5), window=2, strides=1, padding=((1, 0),)),
         E([_line(1, 2)], _line(1.5), "int32", window=2), *_WRONG),
        dtypes=(*FLOATS, "int32"), operand=floating, tolerance="sum", gradient=(0,),
        call=lambda x, window, **kw: FUNCTIONS["avg_pool"](x, window, **kw)),
    Row("adaptive_max_pool", _SIZES, _adapted(np.max),
        (E([_line(1, nan, 3)], _line(nan, nan), size=2), E([_ones((1, 0, 2))], ShapeError, size=2),
         E([_ones((1, 4, 2))], ArgumentError, size=0)), dtypes=(*FLOATS, "int32"), gradient=(0,),
        call=lambda x, size, **kw: FUNCTIONS["adaptive_max_pool"](x, size, **kw)),
    Row("adaptive_avg_pool", _SIZES, _adapted(np.mean),
        (E([_line(1, 2, 6)], _line(1.5, 4), size=2), E([_ones((1, 0, 2))], ShapeError, size=2)),
        dtypes=(*FLOATS, "int32"), operand=floating, tolerance="sum", gradient=(0,),
        call=lambda x, size, **kw: FUNCTIONS["adaptive_avg_pool"](x, size, **kw)),
    Row("global_max_pool", _ALL, _global(np.max),
        (E([_line(1, nan)], [[nan]]), E([_ones((1, 0, 2))], ShapeError), E([_ones((1, 2))], ShapeError)),
        dtypes=(*FLOATS, "int32"), gradient=(0,)),
    Row("global_avg_pool", _ALL, _global(np.mean),
        (E([_line(1, 2)], [[1.5]]), E([_ones((1, 0, 2))], [[nan, nan]]), E([_ones((1, 2))], ShapeError)),
        dtypes=(*FLOATS, "int32"), operand=floating, tolerance="sum", gradient=(0,)),
)  # fmt: skip
