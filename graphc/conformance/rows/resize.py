"""The row of resizing. The oracle sums over all pixels, each with the weight of its distance."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.conformance.table import FLOATS, E, Row, S, floating, nan
from graphc.errors import ArgumentError, ShapeError
from graphc.ir.opdef import FUNCTIONS


def _weight(distance: float, method: str) -> float:
    t = abs(distance)
    if method == "linear":
        return max(1 - t, 0)
    if t >= 2:
        return 0
    return 1.5 * t**3 - 2.5 * t**2 + 1 if t < 1 else -0.5 * t**3 + 2.5 * t**2 - 4 * t + 2


def resize(x: Any, size: Any, method: str = "linear", antialias: bool = True, data_format: str = "NHWC") -> Any:
    if data_format == "NCHW":
        x = np.moveaxis(x, 1, -1)
    size = tuple(size) if isinstance(size, (tuple, list)) else (size,) * (x.ndim - 2)
    for axis, new in enumerate(size, start=1):
        old = x.shape[axis]
        table = np.zeros((new, old))
        for j in range(new):
            middle = (j + 0.5) * old / new
            if method == "nearest":
                table[j, int(middle)] = 1
                continue
            width = max(old / new, 1) if antialias else 1
            row = np.array([_weight((i + 0.5 - middle) / width, method) for i in range(old)])
            table[j] = row / row.sum()
        x = np.moveaxis(np.tensordot(table, x, (1, axis)), 0, axis)
    return np.moveaxis(x, -1, 1) if data_format == "NCHW" else x


_image = [[[1.0], [2.0], [nan], [4.0]]]
ROWS = (
    Row("resize",
        (S((2, 3, 2), size=5), S((1, 4, 5, 1), size=(3, 2)), S((1, 4, 1), size=3, antialias=False),
         S((1, 2, 4, 3), size=(2, 5), method="cubic", data_format="NCHW"), S((1, 5, 1), size=2, method="cubic"),
         S((1, 3, 1), size=7, method="nearest"), S((0, 3, 1), size=2), S((1, 2, 1), size=2)), resize,
        (E([[[[1.0], [3.0]]]], [[[1], [1.5], [2.5], [3]]], size=4),
         E([[[[1.0], [2.0], [3.0], [6.0]]]], [[[2], [6]]], size=2, method="nearest"),
         E([_image], [[[1], [1], [2], [2], [nan], [nan], [4], [4]]], size=8, method="nearest"),
         E([[[[0.0], [8.0], [0.0], [8.0]]]], [[[4], [4]]], size=2, antialias=False),
         E([[[[1.0], [5.0]]]], [[[3]]], size=1), E([np.ones((1, 0, 1))], ShapeError, size=2),
         E([np.ones((1, 3, 1))], ArgumentError, size=0), E([np.ones((1, 3, 1))], ArgumentError, size=(2, 2)),
         E([np.ones((1, 3, 1))], ArgumentError, size=2, method="lanczos"), E([np.ones((3, 1))], ShapeError, size=2)),
        dtypes=FLOATS, operand=floating, tolerance="sum", gradient=(0,),
        call=lambda x, size, **kw: FUNCTIONS["resize"](x, size, **kw)),
)  # fmt: skip
