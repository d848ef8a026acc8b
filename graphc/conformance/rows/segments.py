"""Rows of reductions of segments, and of counts."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.conformance.table import COMPLEX, MAX8, MIN8, D, E, Oracle, Row, S, floating, inf, nan
from graphc.errors import ArgumentError, OutOfRangeError, ShapeError
from graphc.ir.opdef import FUNCTIONS

_NUMBERS = ("float32", "int8")
_CALLS = (
    S((7,), (7,), num=2), S((4, 2), (4,), num=3), S((2, 3), (2, 3), num=2), S((0, 2), (0,), num=2),
)  # fmt: skip


def by_segments(reduce: Callable[..., Any]) -> Oracle:
    """A reduction of the rows of each segment, one after the other."""

    def oracle(data: Any, ids: Any, num: int) -> Any:
        rows = data.reshape(-1, *data.shape[ids.ndim :])
        return np.array([reduce(rows[ids.reshape(-1) % num == number], axis=0) for number in range(num)], data.dtype)

    return oracle


def _largest(rows: Any, axis: int) -> Any:
    low = -math.inf if rows.dtype.kind == "f" else np.iinfo(rows.dtype).min
    return np.max(rows, axis=axis, initial=low)


def _smallest(rows: Any, axis: int) -> Any:
    high = math.inf if rows.dtype.kind == "f" else np.iinfo(rows.dtype).max
    return np.min(rows, axis=axis, initial=high)


def _segment(name: str, oracle: Oracle, *edges: E, **options: Any) -> Row:
    usual: dict[str, Any] = {"dtypes": _NUMBERS, "gradient": (0,), "domains": (D(), D(-2, 2, "int64"))}
    wrong = (
        E([[1, 2], [0, 2]], OutOfRangeError, num=2), E([[1, 2], [0, -3]], OutOfRangeError, num=2),
        E([[1, 2], [0, 0, 0]], ShapeError, num=2), E([[1, 2], [[0, 1]]], ShapeError, num=2),
        E([[1], 0], ShapeError, num=2),
    )  # fmt: skip
    return Row(
        name, _CALLS, oracle, (*wrong, *edges), call=lambda data, ids, num: FUNCTIONS[name](data, ids, num),
        **(usual | options),
    )  # fmt: skip


def _bincount(x: Any, weights: Any, length: int) -> Any:
    return np.array([np.sum(weights[x == number]) for number in range(length)], weights.dtype)


ROWS = (
    _segment("segment_sum", by_segments(np.sum), E([[1, 2, 4], [1, -1, 1]], [0, 7], num=2),
             E([[100, 100], [0, 0]], [-56], "int8", num=1),
             E([[True, True], [0, 0]], [2, 0], "bool", gives="int64", num=2),
             E([[inf, -inf], [0, 0]], [nan], num=1), tolerance="sum", also=COMPLEX),
    _segment("segment_prod", by_segments(np.prod), E([[3, 0, 5], [0, 0, 0]], [0, 1], num=2),
             E([[16, 16], [0, 0]], [0], "uint8", num=1), tolerance="sum"),
    _segment("segment_max", by_segments(_largest), E([[1, 3, nan], [0, 0, 1]], [3, nan, -inf], num=3),
             E([[1, 3], [0, 0]], [3, MIN8], "int8", num=2)),
    _segment("segment_min", by_segments(_smallest), E([[1, 3, nan], [0, 0, 1]], [1, nan, inf], num=3),
             E([[1, 3], [0, 0]], [1, MAX8], "int8", num=2)),
    _segment("segment_mean", by_segments(np.mean), E([[1, 3], [1, 1]], [nan, 2], num=2),
             E([[[1, 2], [2, 4]], [0, 0]], [[1.5, 3]], "int32", num=1), dtypes=("float32", "int32"), operand=floating,
             tolerance="sum", domains=(D(), D(0, 2, "int64"))),
    Row("bincount", (S((5,), (5,), length=4), S((2, 3), (2, 3), length=5), S((0,), (0,), length=2)), _bincount,
        (E([[1, 1, 3]], [0, 2, 0, 1], gives="int64", length=4), E([[-1]], [0, 1], gives="int64", length=2),
         E([[4]], OutOfRangeError, length=4), E([[4]], ArgumentError),
         E([[1, 1], [100, 100]], [0, -56], "int8", length=2)),
        dtypes=_NUMBERS, domains=(D(0, 4, "int64"), D()), tolerance="sum", gradient=(1,),
        call=lambda x, weights=None, **kw: FUNCTIONS["bincount"](x, weights=weights, **kw)),
    Row("histogram", (S((9,), bins=[-1.0, 0.0, 0.5]), S((2, 3), bins=[0, 1, 2, 3]), S((0,), bins=[0.0, 1.0])),
        lambda x, bins: np.histogram(x, bins)[0],
        (E([[-1, 0, 0.5, 1, 1.5, 2, 3, nan, inf]], [2, 3], bins=[0.0, 1.0, 2.0]), E([[1.0]], ArgumentError, bins=[1.0]),
         E([[1.0]], ArgumentError, bins=3)), dtypes=("float32", "int8"), result=lambda dtype: "int64",
        call=lambda x, bins: FUNCTIONS["histogram"](x, bins)[0]),
)  # fmt: skip
