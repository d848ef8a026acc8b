"""Rows of complex numbers and their parts. What they give for complex numbers is the business of `Row.also`."""

from __future__ import annotations

import numpy as np

from graphc.conformance.table import COMPLEX, NUMBERS, ONE, E, Row, inf, nan, real

ROWS = (
    Row("real", ONE, np.real, (E([[-0.0, nan, inf]], [-0.0, nan, inf]),), dtypes=NUMBERS, also=COMPLEX, result=real,
        gradient=(0,)),
    Row("imag", ONE, np.imag, (E([[-0.0, nan, inf]], [0.0, 0.0, 0.0]),), dtypes=NUMBERS, also=COMPLEX, result=real),
    Row("conj", ONE, np.conj, (E([[-0.0, nan, inf]], [-0.0, nan, inf]),), dtypes=NUMBERS, also=COMPLEX, gradient=(0,)),
    Row("complex", elsewhere="its result is complex, whatever it takes: tests/test_complex.py"),
)  # fmt: skip
