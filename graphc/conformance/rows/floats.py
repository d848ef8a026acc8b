"""Rows of signs, neighbours, shifts and closeness."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.conformance.table import (
    COMPLEX,
    FLOATS,
    INTS,
    LOOSE,
    MIN8,
    ONE,
    TWO,
    D,
    E,
    Row,
    S,
    boolean,
    floating,
    inf,
    nan,
    same,
    unary,
)
from graphc.errors import DTypeError


def shifted(towards: Callable[[int, int], int]) -> Callable[..., Any]:
    """A shift of whole numbers, modulo the width. A bit that is shifted out by too far a distance was the sign's."""

    def one(x: int, by: int, kind: np.dtype[Any]) -> int:
        bits = kind.itemsize * 8
        far = (-1 if x < 0 else 0) if towards(4, 1) == 2 else 0
        value = towards(x, by) if 0 <= by < bits else far
        return int(np.asarray(value % 2**bits, np.uint64).astype(kind))

    return lambda x, y: np.vectorize(lambda a, b: one(int(a), int(b), x.dtype), otypes=[x.dtype])(x, y)


def shift(name: str, towards: Callable[[int, int], int], *edges: E) -> Row:
    return Row(name, TWO, shifted(towards), edges, dtypes=INTS, domains=(D(-9, 9), D(-2, 10)))


LARGEST32, LARGEST64 = (float(np.finfo(kind).max) for kind in FLOATS)

ROWS = (
    unary("reciprocal", lambda x: 1 / x, E([[0.0, -0.0, inf, -inf, nan, 4]], [inf, -inf, 0.0, -0.0, nan, 0.25]),
          tolerance="exact", domains=(D(0.4, 3),), also=COMPLEX),
    Row("copysign", TWO, np.copysign,
        (E([[1, -0.0, inf, 3, nan], [-0.0, 2, -inf, 0.0, 1]], [-1, 0.0, -inf, 3, nan]),),
        dtypes=LOOSE, operand=floating, gradient=(0,)),
    Row("nextafter", TWO, np.nextafter,
        (E([[0.0, 0.0, nan, 1, -inf], [0.0, -0.0, 1, nan, -inf]], [0.0, -0.0, nan, nan, -inf]),
         E([[1, 1, inf, 2], [2, 0, 0, 2]], [1 + 2**-23, 1 - 2**-24, LARGEST32, 2], "float32"),
         E([[1, 1], [inf, -inf]], [1 + 2**-52, 1 - 2**-53], "float64"),
         E([[3.4028234663852886e38], [inf]], [inf], "float32")), dtypes=LOOSE, operand=floating),
    Row("signbit", ONE, np.signbit, (E([[0.0, -0.0, -1, inf, -inf]], [False, True, True, False, True]),), dtypes=LOOSE,
        operand=floating, result=boolean),
    shift("bitwise_left_shift", lambda x, by: x << by,
          E([[1, 1, 3, -1, 5, 7], [6, 7, 7, 1, 8, -1]], [64, MIN8, MIN8, -2, 0, 0], "int8"),
          E([[1, 255], [7, 1]], [128, 254], "uint8"), E([[1, -1, 1], [63, 63, 64]], [-(2**63), -(2**63), 0], "int64"),
          E([[1], [2**63]], [0], "uint64"), E([[1.0], [1.0]], DTypeError, "float32")),
    shift("bitwise_right_shift", lambda x, by: x >> by,
          E([[-7, 7, -1, 5, -5, -5, 5], [1, 1, 7, 8, 8, -1, -3]], [-4, 3, -1, 0, -1, -1, 0], "int8"),
          E([[255, 255, 128], [1, 8, 7]], [127, 0, 1], "uint8"),
          E([[-(2**63), -1], [63, 64]], [-1, -1], "int64"), E([[2**64 - 1, 1], [63, 64]], [1, 0], "uint64"),
          E([[True], [True]], DTypeError, "bool")),
    Row("isclose", (*TWO[:6], S((3,), (3,), rtol=0.5), S((3,), (1,), rtol=0.0, atol=1.0)), np.isclose,
        (E([[1, inf, inf, -inf, nan, 1], [1 + 1e-6, inf, 1, inf, nan, inf]], [True, True, False, False, False, False]),
         E([[nan, 1], [nan, nan]], [True, False], equal_nan=True),
         E([[2**53 - 1, 5], [2**53, 6]], [True, False], "int64")), dtypes=(*FLOATS, "int32", "bool"), result=boolean),
    Row("allclose", (S((3,), (3,)), S((0,), (0,)), S((2, 3), (3,), atol=5.0)), np.allclose,
        (E([[1, inf], [1 + 1e-6, inf]], True), E([[nan], [nan]], False), E([[nan], [nan]], True, equal_nan=True)),
        dtypes=(*FLOATS, "int32"), result=boolean),
    Row("nan_to_num", (*ONE, S((3,), nan=1.5)), lambda x, **kw: np.nan_to_num(x, **kw),
        (E([[nan, inf, -inf, -0.0]], [0.0, LARGEST32, -LARGEST32, -0.0], "float32"),
         E([[inf, -inf]], [LARGEST64, -LARGEST64], "float64"),
         E([[nan, inf, -inf]], [7, 8, -9], nan=7.0, posinf=8.0, neginf=-9.0), E([[1, 2]], [1, 2], "int8")),
        dtypes=(*FLOATS, "int32", "bool"), operand=same, gradient=(0,)),
)  # fmt: skip
