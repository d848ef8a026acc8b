"""Rows of running sums, products and extremes."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.conformance.table import MAX8, D, E, Oracle, Row, S, accumulator, floating, inf, nan, one_of
from graphc.errors import DTypeError, ShapeError

_DTYPES = ("float32", "float64", "int8", "bool")
_CALLS = (S((5,)), S((2, 3), axis=0), S((2, 4, 2), axis=-2), S((2, 0), axis=1), S((0, 3), axis=1), S((1,), axis=-1))


def prefixes(reduce: Callable[..., Any]) -> Oracle:
    """A reduction of the first element, the first two, …"""

    def oracle(x: Any, axis: int = 0, include_initial: bool = False) -> Any:
        rows = np.moveaxis(x, axis, 0)
        found = [reduce(rows[:count], axis=0, dtype=x.dtype) for count in range(not include_initial, len(rows) + 1)]
        return np.moveaxis(np.array(found, x.dtype).reshape(len(found), *rows.shape[1:]), 0, axis)

    return oracle


def extremes(reduce: Callable[..., Any]) -> Oracle:
    return prefixes(lambda rows, axis, dtype: reduce(rows, axis=axis))


def logsumexp(rows: Any, axis: int, dtype: Any) -> Any:
    return np.log(np.sum(np.exp(rows), axis=axis))


def recurrence(factors: Any, terms: Any, axis: int, reverse: bool) -> Any:
    result, rows = np.moveaxis(terms.copy(), axis, 0), np.moveaxis(factors, axis, 0)
    places = range(len(rows))[::-1] if reverse else range(len(rows))
    for before, place in itertools.pairwise(places):
        result[place] += rows[place] * result[before]
    return np.moveaxis(result, 0, axis)


def _running(name: str, oracle: Oracle, *edges: E, **options: Any) -> Row:
    usual: dict[str, Any] = {"dtypes": _DTYPES, "gradient": (0,)}
    wrong = (E([1.0], ShapeError), E([np.ones((2, 2))], ShapeError), E([[1.0]], ShapeError, axis=1))
    return Row(name, _CALLS, oracle, (*wrong, *edges), **(usual | options))


ROWS = (
    _running("cumulative_sum", prefixes(np.sum), E([[-0.0, -0.0, 1]], [0.0, 0.0, 1]),
             E([[inf, 1, -inf, 1]], [inf, inf, nan, nan]), E([[1, nan, 1]], [1, nan, nan]),
             E([[100, 100]], [100, 200], "int8"), E([[100, 100]], [100, -56], "int8", gives="int8", dtype="int8"),
             E([[True, True]], [1, 2], "bool"), E([[2**63 - 1, 1]], [2**63 - 1, -(2**63)], "int64"),
             E([[1, 2]], [0, 1, 3], include_initial=True), E([[]], [0], include_initial=True),
             E([[[1], [2]]], [[0, 1], [0, 2]], "int64", axis=1, include_initial=True), operand=accumulator,
             tolerance="sum", also=("complex64", "complex128")),
    _running("cumulative_prod", prefixes(np.prod), E([[2, 0, 3]], [2, 0, 0]), E([[0, inf, 1]], [0, nan, nan]),
             E([[-0.0, 5]], [-0.0, -0.0]), E([[16, 16]], [16, 256], "uint8"), E([[2**62, 4]], [2**62, 0], "int64"),
             E([[2, 3]], [1, 2, 6], include_initial=True), operand=accumulator, tolerance="sum",
             also=("complex64", "complex128"), domains=(D(-1.5, 1.5),)),
    _running("cumulative_max", extremes(np.max), E([[1, nan, 2]], [1, nan, nan]), E([[-inf, -inf]], [-inf, -inf]),
             E([[3, MAX8, 1]], [3, MAX8, MAX8], "int8"), E([[True]], DTypeError, "bool"),
             dtypes=("float32", "int8", "uint64")),
    _running("cumulative_min", extremes(np.min), E([[1, nan, 0]], [1, nan, nan]),
             E([[inf, -inf, 0]], [inf, -inf, -inf]), E([[3, 255, 1]], [3, 3, 1], "uint8"),
             dtypes=("float32", "int8", "uint64")),
    _running("cumulative_logsumexp", prefixes(logsumexp), E([[-inf, -inf, 0]], [-inf, -inf, 0.0]),
             E([[0, inf, -inf]], [0.0, inf, inf]), E([[1000, nan, 1]], [1000, nan, nan]),
             E([[1000, 1000]], [1000, 1000 + np.log(2)]), E([[-1000, -1000]], [-1000, -1000 + np.log(2)]),
             dtypes=("float32", "float64", "uint8"), operand=floating, tolerance="softmax"),
    Row("linear_recurrence",
        (S((5,), (5,), axis=0, reverse=False), S((5,), (5,), axis=0, reverse=True),
         S((2, 3), (2, 3), axis=1, reverse=False), S((4, 2), (4, 2), axis=0, reverse=True),
         S((0,), (0,), axis=0, reverse=False), S((1,), (1,), axis=0, reverse=True)), recurrence,
        (E([[nan, 2, 3], [1, 1, 1]], [1, 3, 10], axis=0, reverse=False),
         E([[2, 3, nan], [1, 1, 1]], [9, 4, 1], axis=0, reverse=True),
         E([[0, inf, 0], [1, 1, 1]], [1, inf, nan], axis=0, reverse=False)), tolerance="sum", gradient=(0, 1),
        call=one_of("linear_recurrence", None)),
)  # fmt: skip
