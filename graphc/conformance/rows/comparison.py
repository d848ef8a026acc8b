"""Rows of comparison, logic, bits and choice."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.conformance.table import (
    ALL,
    BITS,
    COMPLEX,
    LOOSE,
    MAX8,
    MIN8,
    MOVED,
    ONE,
    TWO,
    D,
    E,
    Oracle,
    Row,
    S,
    binary,
    boolean,
    floating,
    inf,
    nan,
)
from graphc.errors import DTypeError

_flag = D(0, 2, "bool")


def comparison(name: str, oracle: Oracle, *edges: E, **options: Any) -> Row:
    return binary(name, oracle, *edges, **({"result": boolean, "gradient": ()} | options))


def as_bool(function: Any) -> Any:
    return lambda *arrays: function(*(array != 0 for array in arrays))


def logic(name: str, oracle: Oracle, *edges: E) -> Row:
    return Row(name, TWO, as_bool(oracle), edges, dtypes=("bool", "int8", "float32"), result=boolean)


def bits(name: str, oracle: Oracle, *edges: E) -> Row:
    return Row(name, TWO, oracle, edges, dtypes=BITS)


ROWS = (
    comparison("equal", np.equal, E([[nan, 0.0, inf, 1], [nan, -0.0, inf, 2]], [False, True, True, False]),
        E([[True], [False]], [False], "bool"), dtypes=ALL, also=COMPLEX),
    comparison("not_equal", np.not_equal, E([[nan, 0.0, inf], [nan, -0.0, inf]], [True, False, False]),
        dtypes=ALL, also=COMPLEX),
    comparison("less", np.less, E([[nan, 1, -0.0, -inf], [1, nan, 0.0, inf]], [False, False, False, True])),
    comparison("less_equal", np.less_equal,
        E([[nan, 1, 0.0, inf], [1, nan, -0.0, inf]], [False, False, True, True])),
    comparison("greater", np.greater, E([[nan, 1, 0.0, inf], [1, nan, -0.0, 1]], [False, False, False, True]),
        E([[255], [1]], [True], "uint8")),
    comparison("greater_equal", np.greater_equal, E([[nan, 1, -0.0], [1, nan, 0.0]], [False, False, True])),
    logic("logical_and", np.logical_and, E([[nan, 0.0, -0.0, 2], [1, 1, 1, 3]], [True, False, False, True])),
    logic("logical_or", np.logical_or, E([[nan, 0.0, -0.0], [0, 0, 3]], [True, False, True])),
    logic("logical_xor", np.logical_xor, E([[1, 2, 0], [2, 0, 0]], [False, True, False], "int8")),
    Row("logical_not", ONE, as_bool(np.logical_not), (E([[nan, 0.0, -0.0, 2]], [False, True, True, False]),),
        dtypes=("bool", "int8", "float32"), result=boolean),
    bits("bitwise_and", np.bitwise_and, E([[-1, 6], [5, 3]], [5, 2], "int8"),
         E([[1.0], [1.0]], DTypeError, "float32")),
    bits("bitwise_or", np.bitwise_or, E([[-128, 6], [1, 3]], [-127, 7], "int8"),
         E([[1.0], [1.0]], DTypeError, "float32")),
    bits("bitwise_xor", np.bitwise_xor, E([[-1, 6], [5, 3]], [-6, 5], "int8"),
         E([[True], [True]], [False], "bool")),
    Row("bitwise_invert", ONE, np.invert,
        (E([[0, -128]], [-1, 127], "int8"), E([[0]], [255], "uint8"),
         E([[True, False]], [False, True], "bool")), dtypes=BITS),
    Row("isnan", ONE, np.isnan, (E([[nan, inf, 0]], [True, False, False]), E([[1]], [False], "int8")),
        dtypes=LOOSE, operand=floating, result=boolean, also=COMPLEX),
    Row("isfinite", ONE, np.isfinite, (E([[nan, inf, -inf, 0]], [False, False, False, True]),), dtypes=LOOSE,
        operand=floating, result=boolean, also=COMPLEX),
    Row("isinf", ONE, np.isinf, (E([[nan, inf, -inf, 0]], [False, True, True, False]),), dtypes=LOOSE,
        operand=floating, result=boolean, also=COMPLEX),
    Row("where",
        (S((), (), ()), S((3,), (3,), (3,)), S((2, 1), (3,), ()), S((), (2, 3), (1,)), S((0,), (1,), (0,))),
        np.where,
        (E([[True, False, True], [1, nan, -0.0], [nan, 2, 5]], [1, 2, -0.0]),
         E([[True, False], [inf, inf], [0.0, 0.0]], [inf, 0.0])), dtypes=ALL, domains=(_flag, D(), D()),
        gradient=(1, 2), also=(*COMPLEX, *MOVED[:2])),
    binary("minimum", np.minimum, E([[nan, 1, -inf, 2], [1, nan, inf, 2]], [nan, nan, -inf, 2]),
           E([[MIN8], [MAX8]], [MIN8], "int8")),
    binary("maximum", np.maximum, E([[nan, 1, -inf, 2], [1, nan, inf, 2]], [nan, nan, inf, 2]),
           E([[255], [1]], [255], "uint8")),
    Row("clip",
        (S((3,), min=-0.5, max=0.75), S((2, 3), min=0), S((2, 3), max=1), S((3,)), S((0,), min=0, max=1),
         S((2, 3), (3,), (2, 1))),
        lambda x, a=None, b=None, **kw: np.clip(x, kw.get("min", a), kw.get("max", b)),
        (E([[nan, -inf, inf, 0.5]], [nan, 0, 1, 0.5], min=0.0, max=1.0),
         E([[0, 5, 10]], [3, 3, 3], min=7, max=3),
         E([[1, 5]], [1, 3], "int8", gives="float32", min=0.5, max=3),
         E([[1]], DTypeError, "int8", min=-1000)), domains=(D(-2, 2), D(-1.3, -0.6), D(0.6, 1.3)),
        gradient=(0, 1, 2)),
)  # fmt: skip
