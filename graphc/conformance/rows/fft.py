"""Rows of Fourier transforms. What takes or gives complex numbers, which not every backend has, is tested apart."""

from __future__ import annotations

import numpy as np

from graphc.conformance.table import E, Row, S, layout, made
from graphc.errors import ArgumentError, ShapeError
from graphc.ir.opdef import FUNCTIONS

_APART = "it is of complex numbers: tests/test_fft.py"
_SHIFTED = (S((5,)), S((4,)), S((2, 3)), S((2, 3), axes=1), S((3, 2, 4), axes=(0, -1)), S((1,)), S((0, 2)))

ROWS = (
    *(Row(name, elsewhere=_APART) for name in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")),
    *(Row(name, elsewhere=_APART) for name in ("fftn", "ifftn", "rfftn", "irfftn")),
    layout("fftshift", np.fft.fftshift, _SHIFTED, E([[0, 1, 2, -2, -1]], [-2, -1, 0, 1, 2]),
           E([[1]], ShapeError, axes=1)),
    layout("ifftshift", np.fft.ifftshift, _SHIFTED, E([[-2, -1, 0, 1, 2]], [0, 1, 2, -2, -1]),
           E([[1]], ShapeError, axes=1)),
    made("fftfreq", (), None, E([], [0, 1, 2, -2, -1], gives="float32", n=5, d=0.2), E([], [0.0], gives="float32", n=1),
         E([], [0.0, 0.25, -0.5, -0.25], gives="float64", n=4, dtype="float64"), E([], ArgumentError, n=0),
         call=lambda n, **kw: FUNCTIONS["fftfreq"](n, **kw)),
    made("rfftfreq", (), None, E([], [0, 1, 2], gives="float32", n=5, d=0.2), E([], [0.0], gives="float32", n=1),
         E([], [0.0, 0.25, 0.5], gives="float64", n=4, dtype="float64"), E([], ArgumentError, n=0),
         call=lambda n, **kw: FUNCTIONS["rfftfreq"](n, **kw)),
)  # fmt: skip
