"""Rows of powers, exponentials, logarithms and trigonometry."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.conformance.table import COMPLEX, D, E, binary, inf, nan, unary


def integer_pow(x1: Any, x2: Any) -> Any:
    if x1.dtype.kind in "fc":
        return np.power(x1, x2)
    kind, bits = x1.dtype, x1.dtype.itemsize * 8

    def one(base: int, exponent: int) -> int:
        if exponent < 0:
            return {1: 1, -1: -1 if exponent % 2 else 1}.get(base, 0)
        return int(np.asarray(pow(base, exponent, 2**bits), np.uint64).astype(kind))

    return np.vectorize(lambda a, b: one(int(a), int(b)), otypes=[kind])(x1, x2)


ROWS = (
    unary("exp", np.exp, E([[-inf, 0, -0.0, inf, nan, 1000, -1000]], [0.0, 1, 1, inf, nan, inf, 0.0]),
          domains=(D(-4, 4),), also=COMPLEX),
    unary("expm1", np.expm1, E([[-inf, 0.0, -0.0, inf, nan, 1e-30]], [-1, 0.0, -0.0, inf, nan, 1e-30]), also=COMPLEX),
    unary("log", np.log, E([[0.0, -0.0, -1, inf, nan, 1]], [-inf, -inf, nan, inf, nan, 0.0]),
          domains=(D(0.2, 4),), also=COMPLEX),
    unary("log1p", np.log1p,
          E([[-1, -2, 0.0, -0.0, inf, nan, 1e-30]], [-inf, nan, 0.0, -0.0, inf, nan, 1e-30]),
          domains=(D(-0.8, 3),), also=COMPLEX),
    unary("sqrt", np.sqrt, E([[0.0, -0.0, -1, inf, nan, 4]], [0.0, -0.0, nan, inf, nan, 2]),
          tolerance="exact", domains=(D(0.2, 4),), also=COMPLEX),
    unary("rsqrt", lambda x: 1 / np.sqrt(x),
          E([[0.0, -0.0, -1, inf, nan, 4]], [inf, -inf, nan, 0.0, nan, 0.5]), domains=(D(0.2, 4),), also=COMPLEX),
    binary("pow", integer_pow,
           E([[0, -0.0, 1, nan, -8], [0, 0, nan, 0, 1 / 3]], [1, 1, 1, 1, nan]),
          E([[-inf, -0.0, 4.0], [0.5]], [inf, 0.0, 2.0]), E([-inf, 0.5], inf), E([-0.0, 0.5], 0.0),
           E([[0.0, -0.0, inf], [-1, -1, -1]], [inf, -inf, 0.0]),
           E([[-1, -1, 2, 0.5, 2], [inf, 3, inf, inf, -inf]], [1, -1, inf, 0.0, 0.0]),
           E([[2, 1, -1, -1, 0, 0, -2], [-1, -5, -2, -3, -1, 0, -1]], [0, 1, 1, -1, 0, 1, 0], "int8"),
           E([[2, 2, -2], [7, 8, 7]], [-128, 0, -128], "int8"), E([[2], [64]], [0], "int64"),
           E([[0], [0]], [1], "uint8"), tolerance="pow", domains=(D(0.4, 3), D(-2, 3)), also=COMPLEX),
    unary("sin", np.sin, E([[0.0, -0.0, inf, -inf, nan]], [0.0, -0.0, nan, nan, nan]), domains=(D(-3, 3),),
          also=COMPLEX),
    unary("cos", np.cos, E([[0.0, -0.0, inf, -inf, nan]], [1, 1, nan, nan, nan]), domains=(D(-3, 3),), also=COMPLEX),
    unary("tanh", np.tanh, E([[0.0, -0.0, inf, -inf, nan, 100]], [0.0, -0.0, 1, -1, nan, 1]),
          domains=(D(-3, 3),), also=COMPLEX),
    unary("sigmoid", lambda x: 1 / (1 + np.exp(-x)),
          E([[0, inf, -inf, nan, 1000, -1000]], [0.5, 1, 0.0, nan, 1, 0.0]), domains=(D(-6, 6),)),

)  # fmt: skip
