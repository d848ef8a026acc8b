"""Rows of powers and logarithms to other bases, and of roots."""

from __future__ import annotations

import math

import numpy as np

from graphc.conformance.table import COMPLEX, LOOSE, D, E, binary, floating, inf, nan, unary

ROWS = (
    unary("exp2", np.exp2,
          E([[-inf, 0, -0.0, inf, nan, 10, -3, 2000, -2000]], [0.0, 1, 1, inf, nan, 1024, 0.125, inf, 0.0]),
          domains=(D(-4, 4),)),
    unary("log2", np.log2, E([[0.0, -0.0, -1, inf, nan, 1, 8, 0.25]], [-inf, -inf, nan, inf, nan, 0.0, 3, -2]),
          domains=(D(0.2, 4),), also=COMPLEX),
    unary("log10", np.log10, E([[0.0, -0.0, -1, inf, nan, 1, 1000]], [-inf, -inf, nan, inf, nan, 0.0, 3]),
          domains=(D(0.2, 4),), also=COMPLEX),
    unary("cbrt", np.cbrt, E([[0.0, -0.0, -8, 27, inf, -inf, nan]], [0.0, -0.0, -2, 3, inf, -inf, nan]),
          domains=(D(0.2, 4),)),
    binary("logaddexp", np.logaddexp,
           E([[0, -inf, -inf, inf, inf, nan, 1000], [0, -inf, 2, inf, -inf, 1, 1000]],
             [math.log(2), -inf, 2, inf, inf, nan, 1000 + math.log(2)]),
           E([[-1000, 5], [1000, -1000]], [1000, 5]), dtypes=LOOSE, operand=floating, tolerance="shifted"),
    binary("hypot", np.hypot,
           E([[3, 0.0, -inf, nan, nan, -0.0], [-4, 0.0, nan, inf, 1, 0.0]], [5, 0, inf, inf, nan, 0.0]),
           E([[3e38], [3e38]], [inf], "float32"), E([[3e200], [4e200]], [5e200], "float64"),
           E([[3e30], [4e30]], [5e30], "float32"), dtypes=LOOSE, operand=floating, tolerance="elementary"),
)  # fmt: skip
