"""Rows of complex numbers and their parts. What they give for complex numbers is the business of `Row.also`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphc.conformance.table import COMPLEX, LOOSE, NUMBERS, ONE, E, Row, floating, inf, nan, real


def angle(x: Any) -> Any:
    return np.arctan2(np.imag(x), np.real(x))


ROWS = (
    Row("real", ONE, np.real, (E([[-0.0, nan, inf]], [-0.0, nan, inf]),), dtypes=NUMBERS, also=COMPLEX, result=real,
        gradient=(0,)),
    Row("imag", ONE, np.imag, (E([[-0.0, nan, inf]], [0.0, 0.0, 0.0]),), dtypes=NUMBERS, also=COMPLEX, result=real),
    Row("conj", ONE, np.conj, (E([[-0.0, nan, inf]], [-0.0, nan, inf]),), dtypes=NUMBERS, also=COMPLEX, gradient=(0,)),
    Row("angle", ONE, angle,
        (E([[-2, -0.0, 0.0, 3, inf, nan]], [math.pi, math.pi, 0.0, 0.0, 0.0, nan]),
         E([[-1]], [math.pi], "int32")),
        dtypes=LOOSE, also=COMPLEX, operand=floating, result=real, tolerance="elementary", gradient=(0,)),
    Row("complex", elsewhere="its result is complex, whatever it takes: tests/test_complex.py"),
)  # fmt: skip
