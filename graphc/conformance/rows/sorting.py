"""Rows of sorting, and of what is read off sorted elements."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.conformance.table import AXES, MIN8, E, Row, S, floating, inf, nan
from graphc.errors import ArgumentError, ShapeError
from graphc.ir.opdef import FUNCTIONS
from graphc.ir.tensor import Tensor

_DTYPES = ("float32", "float64", "int8", "uint64", "bool")
_CALLS = (
    S((5,)), S((2, 3), axis=0), S((2, 9), descending=True), S((2, 3, 2), axis=-2), S((0, 3), axis=1), S((3, 0)),
    S((4, 2), axis=0, descending=True),
)  # fmt: skip


def joined(results: Any) -> Tensor:
    """All results of a function in a row, in the dtype of the first."""
    parts = [FUNCTIONS["reshape"](FUNCTIONS["astype"](part, results[0].dtype), (-1,)) for part in results]
    return FUNCTIONS["concat"](parts)  # type: ignore[no-any-return]


def joined_arrays(results: Any, dtype: Any) -> Any:
    """The same of arrays."""
    return np.concatenate([np.asarray(part).astype(dtype).reshape(-1) for part in results])


def by_rows(function: Callable[[list[Any]], Any], x: Any, axis: int, count: int, dtype: Any) -> Any:
    """A function of the elements along an axis that gives so many."""
    moved = np.moveaxis(x, axis, -1)
    result = np.empty((*moved.shape[:-1], count), dtype)
    for place in np.ndindex(moved.shape[:-1]):
        result[place] = function(list(moved[place]))
    return np.moveaxis(result, -1, axis)


def order(x: Any, axis: int = -1, descending: bool = False) -> Any:
    """Python's sort is stable either way."""

    def positions(row: list[Any]) -> list[int]:
        return sorted(range(len(row)), key=row.__getitem__, reverse=descending)

    return by_rows(positions, x, axis, x.shape[axis], np.int64)


def sort(x: Any, axis: int = -1, descending: bool = False) -> Any:
    return by_rows(lambda row: sorted(row, reverse=descending), x, axis, x.shape[axis], x.dtype)


def top_k(x: Any, k: int, axis: int = -1) -> Any:
    found = np.take(order(x, axis, True), range(k), axis)
    return joined_arrays((np.take_along_axis(x, found, axis), found), x.dtype)


_QUANTILES = (
    S((5,), q=0.3), S((4,), q=[0.0, 0.5, 1.0]), S((2, 3, 2), q=0.25, axis=(0, 2)), S((2, 3), q=[0.9], axis=1),
    S((2, 3), q=0.75, keepdims=True), S((), q=0.5), S((3, 2), q=[], axis=0),
)  # fmt: skip

ROWS = (
    Row("sort", _CALLS, sort,
        (E([[3, nan, -0.0, 0.0, -inf, nan, inf]], [-inf, -0.0, 0.0, 3, inf, nan, nan]),
         E([[0.0, -0.0, nan, 1, -0.0]], [nan, 1, 0.0, -0.0, -0.0], descending=True),
         E([[3, MIN8, 1]], [MIN8, 1, 3], "int8"), E([[True, False]], [False, True], "bool"),
         E([[2, 1]], [1, 2], stable=False), E([1.0], ShapeError), E([[1.0]], ShapeError, axis=1)),
        dtypes=_DTYPES, gradient=(0,)),
    Row("argsort", _CALLS, order,
        (E([[3, nan, -0.0, 0.0, -inf, nan]], [4, 2, 3, 0, 1, 5]),
         E([[0.0, -0.0, nan, 0.0]], [2, 0, 1, 3], descending=True),
         E([[1, 1, 0]], [2, 0, 1], "uint64"), E([[1, 0, 1]], [0, 2, 1], "uint64", descending=True),
         E([1.0], ShapeError)), dtypes=_DTYPES, result=lambda dtype: "int64"),
    Row("top_k", (S((5,), k=2), S((20,), k=2), S((2, 20), k=1, axis=-1), S((9, 2), k=3, axis=0), S((3,), k=0),
                  S((4,), k=4)), top_k,
        (E([[1, 3, 3, nan, 0.0]], [nan, 3, 3, 3, 1, 2], k=3), E([[-0.0, 0.0, -1]], [-0.0, 0.0, 0, 1], k=2),
         E([[2] + [5] * 40], [5, 5, 1, 2], k=2), E([[nan] * 3 + [0.0] * 37], [nan, 0], k=1),
         E([[-0.0] * 20 + [0.0] * 20], [-0.0, 0.0], k=1),
         E([[1, 2]], ShapeError, k=3), E([[1, 2]], ArgumentError, k=-1), E([1.0], ShapeError, k=1)),
        dtypes=("float32", "int8", "bool"),
        gradient=(0,), call=lambda x, k, **kw: joined(FUNCTIONS["top_k"](x, k, **kw))),
    Row("quantile", _QUANTILES, lambda x, q, **kw: np.quantile(x, q, **kw),
        (E([[1, nan]], nan, q=0.5), E([[-inf, 1, inf]], [-inf, 1, inf], q=[0, 0.5, 1]), E([[1, inf]], inf, q=0.5),
         E([[inf, inf]], inf, q=0.3), E([[-inf, inf]], nan, q=0.5), E([[1, 3]], 2.5, "int32", q=0.75),
         E([[]], ShapeError, q=0.5), E([[1]], ArgumentError, q=1.5), E([[1]], ArgumentError, q=[[0.5]]),
         E([[1]], ArgumentError, q=nan)), dtypes=("float32", "float64", "int32"), operand=floating,
        tolerance="sum", gradient=(0,),
        call=lambda x, q, **kw: FUNCTIONS["quantile"](x, q, **kw)),
    Row("percentile", (S((5,), q=30), S((2, 3), q=[0, 100], axis=1)), lambda x, q, **kw: np.percentile(x, q, **kw),
        (E([[1, 2]], 1.5, q=50), E([[1]], ArgumentError, q=101)), dtypes=("float32",), tolerance="sum",
        gradient=(0,), call=lambda x, q, **kw: FUNCTIONS["percentile"](x, q, **kw)),
    Row("median", AXES[:6], np.median,
        (E([[3, 1, 2]], 2), E([[4, 1, 2, 3]], 2.5), E([[1, nan, 2]], nan), E([[-inf, 1, inf]], 1), E([[]], ShapeError),
         E([[-0.0]], -0.0)), dtypes=("float32", "bool"), operand=floating, tolerance="sum", gradient=(0,)),
)  # fmt: skip
