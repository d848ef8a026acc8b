"""Rows of arithmetic and rounding."""

from __future__ import annotations

import numpy as np

from graphc.conformance.table import (
    COMPLEX,
    LOOSE,
    MAX8,
    MIN8,
    NUMBERS,
    ONE,
    SIGNED,
    D,
    E,
    Oracle,
    Row,
    binary,
    floating,
    inf,
    nan,
    real,
    same,
    unary,
)
from graphc.errors import DTypeError


def rounding(name: str, oracle: Oracle, *edges: E) -> Row:
    return Row(name, ONE, oracle, edges, dtypes=NUMBERS, domains=(D(-3, 3),))


ROWS = (
    binary("add", np.add, E([[inf, nan, -0.0, -0.0], [-inf, 1, -0.0, 0.0]], [nan, nan, -0.0, 0.0]),
           E([[1e-45], [1e-45]], [2.8e-45], "float32"),
           E([[MAX8, MIN8], [1, -1]], [MIN8, MAX8], "int8"), E([[255], [1]], [0], "uint8"),
           E([[2**63 - 1], [1]], [-(2**63)], "int64"), E([[True], [True]], DTypeError, "bool"), also=COMPLEX),
    binary("subtract", np.subtract, E([[inf, 0.0, -0.0, nan], [inf, 0.0, 0.0, 0]], [nan, 0.0, -0.0, nan]),
           E([[MIN8], [1]], [MAX8], "int8"), E([[0], [1]], [255], "uint8"),
           E([[True], [True]], DTypeError, "bool"), also=COMPLEX),
    binary("multiply", np.multiply, E([[inf, -0.0, -1, nan], [0, 3, 0.0, 0]], [nan, -0.0, -0.0, nan]),
           E([[64, MIN8], [2, -1]], [MIN8, MIN8], "int8"), E([[16], [16]], [0], "uint8"),
           E([[2**62], [4]], [0], "int64"), also=COMPLEX),
    binary("divide", np.divide,
           E([[1, -1, 0, nan, 1, 1], [0, 0, 0, 1, -0.0, inf]], [inf, -inf, nan, nan, -inf, 0.0]),
           E([[1, 0, -3], [0, 0, 2]], [inf, nan, -1.5], "int32"), dtypes=LOOSE, operand=floating,
           domains=(D(), D(0.5, 3)), also=COMPLEX),
    binary("floor_divide", np.floor_divide,
           E([[7, -7, 7, -7, 0, -0.0], [2, 2, -2, -2, 5, 3]], [3, -4, -4, 3, 0, -0.0]),
           E([[1, -1, 0, inf, -inf], [0, 0, 0, 1, 1]], [inf, -inf, nan, nan, nan]),
           E([[1, -1, nan], [inf, inf, 1]], [0, -1, nan]),
           E([[1.0], [0.1]], [9.0], "float64"), E([[7, -7, 7, -7], [2, 2, -2, -2]], [3, -4, -4, 3], "int32"),
           E([[5, -5, 0], [0, 0, 0]], [0, 0, 0], "int64"), E([[MIN8], [-1]], [MIN8], "int8"),
           E([[-(2**63)], [-1]], [-(2**63)], "int64"), E([[9], [0]], [0], "uint8"), gradient=(),
           domains=(D(-9, 9), D(1, 4))),
    binary("remainder", np.remainder,
           E([[7, -7, 7, -7, 3, -3, 0.0], [2, 2, -2, -2, -3, 3, -3]], [1, 1, -1, -1, -0.0, 0.0, -0.0]),
           E([[1, 0, inf, 1, -1, nan], [0, 0, 1, inf, inf, 1]], [nan, nan, nan, 1, inf, nan]),
           E([[7, -7, 7, -7], [2, 2, -2, -2]], [1, 1, -1, -1], "int32"),
           E([[5, -5, 0], [0, 0, 0]], [0, 0, 0], "int64"), E([[MIN8], [-1]], [0], "int8"),
           E([[-(2**63)], [-1]], [0], "int64"), E([[9], [0]], [0], "uint8"),
           domains=(D(3.6, 4.2), D(1.1, 1.15))),
    unary("negative", np.negative, E([[0.0, -0.0, inf, nan]], [-0.0, 0.0, -inf, nan]),
          E([[MIN8]], [MIN8], "int8"), E([[1, 0]], [255, 0], "uint8"), E([[True]], DTypeError, "bool"),
          dtypes=NUMBERS, operand=same, tolerance="exact", also=COMPLEX),
    unary("positive", np.copy, E([[-0.0, nan]], [-0.0, nan]), dtypes=NUMBERS, operand=same,
          tolerance="exact", also=COMPLEX),
    unary("abs", np.abs, E([[-0.0, -inf, nan, -2]], [0.0, inf, nan, 2]), E([[MIN8]], [MIN8], "int8"),
          E([[True]], DTypeError, "bool"), dtypes=NUMBERS, operand=same, tolerance="exact", also=COMPLEX, result=real),
    unary("sign", np.sign, E([[-0.0, 0.0, -inf, 5, nan]], [0.0, 0.0, -1, 1, nan]),
          E([[MIN8, 0, 3]], [-1, 0, 1], "int8"), dtypes=SIGNED, operand=same, tolerance="exact", gradient=(),
          also=COMPLEX),
    unary("square", np.square, E([[-inf, nan, -0.0]], [inf, nan, 0.0]), E([[16]], [0], "int8"),
          dtypes=NUMBERS, operand=same, tolerance="exact", also=COMPLEX),
    rounding("floor", np.floor, E([[-0.5, -0.0, 1.5, inf, nan]], [-1, -0.0, 1, inf, nan]),
             E([[5]], [5], "uint8")),
    rounding("ceil", np.ceil, E([[-0.5, -0.0, 1.5, -inf, nan]], [-0.0, -0.0, 2, -inf, nan]),
             E([[-5]], [-5], "int8")),
    rounding("trunc", np.trunc, E([[-0.5, -1.5, 1.5, inf, nan]], [-0.0, -1, 1, inf, nan])),
    rounding("round", np.rint,
             E([[0.5, 1.5, 2.5, -0.5, -1.5, -0.2, inf, nan]], [0, 2, 2, -0.0, -2, -0.0, inf, nan])),
)  # fmt: skip
