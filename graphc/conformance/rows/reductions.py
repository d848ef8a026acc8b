"""Rows of reductions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphc.conformance.table import (
    ALL,
    AXES,
    COMPLEX,
    EMPTY,
    LOOSE,
    MIN8,
    D,
    E,
    Oracle,
    Row,
    S,
    accumulator,
    boolean,
    extreme,
    floating,
    inf,
    nan,
    reduce,
)
from graphc.errors import ShapeError


def logsumexp(x: Any, axis: Any = None, keepdims: Any = False) -> Any:
    return np.log(np.sum(np.exp(x), axis=axis, keepdims=keepdims))


def positions(name: str, oracle: Oracle, *edges: E) -> Row:
    calls = (
        S((3,)), S((2, 3), axis=0), S((2, 3), axis=-1, keepdims=True), S((2, 3)), S((0, 3), axis=1), S(()),
        S((2, 3), keepdims=True),
    )  # fmt: skip
    return Row(name, calls, oracle, edges, dtypes=ALL, result=lambda dtype: "int64")


ROWS = (
    reduce("sum", np.sum, E([[]], 0.0), E([[-0.0, -0.0]], 0.0), E([[-0.0]], 0.0), E([[-0.0]], [0.0], axis=()),
           E([[inf, -inf]], nan), E([[nan, 1]], nan), E([[100, 100]], 200, "int8"),
           E([[255, 255]], 510, "uint8"), E([[True, True]], 2, "bool"),
           E([[2**63 - 1, 1]], -(2**63), "int64"), E([[100, 100]], -56, "int8", gives="int8", dtype="int8"),
           E([[1, 2]], 3.0, "int8", gives="float32", dtype="float32"), operand=accumulator, tolerance="sum",
           also=COMPLEX),
    reduce("prod", np.prod, E([[]], 1.0), E([[0, inf]], nan), E([[nan, 0]], nan), E([[-0.0, 5]], -0.0),
           E([[100, 100]], 10000, "int8"), E([[16, 16]], 256, "uint8"), E([[True, False]], 0, "bool"),
           E([[2**62, 4]], 0, "int64"), operand=accumulator, tolerance="sum", domains=(D(-1.5, 1.5),), also=COMPLEX),
    extreme("min", np.min, E([[nan, 1]], nan), E([[1, nan]], nan), E([[inf, inf]], inf),
            E([[3, MIN8]], MIN8, "int8")),
    extreme("max", np.max, E([[nan, 1]], nan), E([[1, nan]], nan), E([[-inf, -inf]], -inf),
            E([[3, 255]], 255, "uint8")),
    Row("any", AXES + EMPTY, lambda x, **kw: np.any(x != 0, **kw),
        (E([[]], False), E([[nan]], True), E([[0.0, -0.0]], False)), dtypes=("bool", "int8", "float32"),
        result=boolean),
    Row("all", AXES + EMPTY, lambda x, **kw: np.all(x != 0, **kw),
        (E([[]], True), E([[nan, 1]], True), E([[1, -0.0]], False)), dtypes=("bool", "int8", "float32"),
        result=boolean),
    positions("argmin", np.argmin, E([[2, 1, 1]], 1), E([[1, nan, 0, nan]], 1), E([[-inf, 1]], 0),
              E([[]], ShapeError), E([[True, False, False]], 1, "bool"),
              E([np.ones((2, 0))], ShapeError, axis=1)),
    positions("argmax", np.argmax, E([[1, 2, 2]], 1), E([[1, nan, 9, nan]], 1), E([[-0.0, 0.0]], 0),
              E([[]], ShapeError), E([[False, True, True]], 1, "bool"), E([np.ones((2, 0))], [], axis=0)),
    reduce("mean", np.mean, E([[]], nan), E([[inf, -inf]], nan), E([[1, 2]], 1.5, "int32"),
           E([[True, False]], 0.5, "bool"), dtypes=LOOSE, operand=floating, tolerance="sum", also=COMPLEX),
    reduce("var", lambda x, correction=0, **kw: np.var(x, ddof=correction, **kw), E([[]], nan), E([[1]], 0.0),
           E([[1]], nan, correction=1), E([[1, 2]], inf, correction=2), E([[1, 2]], inf, correction=3),
           E([[1, 3]], 2.0, "int32", correction=1), E([[inf, 1]], nan), dtypes=LOOSE, operand=floating,
           tolerance="sum"),
    reduce("std", lambda x, correction=0, **kw: np.std(x, ddof=correction, **kw), E([[]], nan),
           E([[1, 1]], 0.0), E([[1, 3]], 1.0), dtypes=LOOSE, operand=floating, tolerance="sum", gradient=()),
    Row("logsumexp", AXES[:-1], logsumexp,
        (E([[-inf, -inf]], -inf), E([[inf, 0]], inf), E([[inf, -inf]], inf), E([[nan, inf]], nan),
         E([[1000, 1000]], 1000 + math.log(2)), E([[-1000, -1000]], -1000 + math.log(2)), E([[]], ShapeError),
         E([np.ones((2, 0))], ShapeError, axis=1)), dtypes=LOOSE, operand=floating, tolerance="softmax",
        gradient=(0,)),

)  # fmt: skip
