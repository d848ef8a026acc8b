"""Rows of trigonometric and hyperbolic functions."""

from __future__ import annotations

import math

import numpy as np

from graphc.conformance.table import COMPLEX, LOOSE, D, E, binary, floating, inf, nan, unary

pi = math.pi

ROWS = (
    unary("tan", np.tan, E([[0.0, -0.0, inf, -inf, nan]], [0.0, -0.0, nan, nan, nan]), domains=(D(-1.3, 1.3),),
          also=COMPLEX),
    unary("asin", np.arcsin, E([[0.0, -0.0, 1, -1, 1.5, -inf, nan]], [0.0, -0.0, pi / 2, -pi / 2, nan, nan, nan]),
          domains=(D(-0.9, 0.9),), also=COMPLEX),
    unary("acos", np.arccos, E([[0.0, 1, -1, 1.5, -inf, nan]], [pi / 2, 0.0, pi, nan, nan, nan]),
          domains=(D(-0.9, 0.9),), also=COMPLEX),
    unary("atan", np.arctan, E([[0.0, -0.0, inf, -inf, nan, 1]], [0.0, -0.0, pi / 2, -pi / 2, nan, pi / 4]),
          also=COMPLEX),
    binary("atan2", np.arctan2,
           E([[0.0, -0.0, 0.0, -0.0, 1, -1, 0.0, nan], [1, 1, -1, -1, 0.0, -0.0, 0.0, 1]],
             [0.0, -0.0, pi, -pi, pi / 2, -pi / 2, 0.0, nan]),
           E([[0.0, -0.0, inf, inf, -inf, 3, -3], [-0.0, -0.0, inf, -inf, inf, inf, -inf]],
             [pi, -pi, pi / 4, 3 * pi / 4, -pi / 4, 0.0, -pi]),
           dtypes=LOOSE, operand=floating, tolerance="elementary"),
    unary("sinh", np.sinh, E([[0.0, -0.0, inf, -inf, nan, 1000, -1000]], [0.0, -0.0, inf, -inf, nan, inf, -inf]),
          also=COMPLEX),
    unary("cosh", np.cosh, E([[0.0, -0.0, inf, -inf, nan, 1000, -1000]], [1, 1, inf, inf, nan, inf, inf]),
          also=COMPLEX),
    unary("asinh", np.arcsinh, E([[0.0, -0.0, inf, -inf, nan, 1e-30]], [0.0, -0.0, inf, -inf, nan, 1e-30]),
          also=COMPLEX),
    unary("acosh", np.arccosh, E([[1, 0.5, -1, inf, -inf, nan]], [0.0, nan, nan, inf, nan, nan]), domains=(D(1.2, 5),),
          also=COMPLEX),
    unary("atanh", np.arctanh, E([[0.0, -0.0, 1, -1, 1.5, inf, nan]], [0.0, -0.0, inf, -inf, nan, nan, nan]),
          domains=(D(-0.9, 0.9),), also=COMPLEX),
    unary("deg2rad", np.deg2rad, E([[180, -90, inf, nan]], [pi, -pi / 2, inf, nan]), domains=(D(-200, 200),)),
    unary("rad2deg", np.rad2deg, E([[pi, -0.0, inf, nan]], [180, -0.0, inf, nan])),
)  # fmt: skip
