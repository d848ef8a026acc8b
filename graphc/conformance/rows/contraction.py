"""Rows of products of matrices."""

from __future__ import annotations

import numpy as np

from graphc.conformance.table import COMPLEX, NUMBERS, E, Row, S, inf, nan
from graphc.errors import DTypeError, ShapeError

ROWS = (
    Row("matmul",
        (S((2, 3), (3, 4)), S((3,), (3,)), S((2, 3), (3,)), S((3,), (3, 2)), S((3, 1, 2, 3), (2, 3, 2)),
         S((2, 0), (0, 3)), S((0, 2), (2, 3)), S((0, 2, 3), (3, 1)), S((1, 1), (1, 1))), np.matmul,
        (E([[[inf, 0]], [[0], [1]]], [[nan]]), E([[100], [2]], -56, "int8"),
         E([[[1, 2]], [[1, 2]]], ShapeError), E([1.0, [1.0]], ShapeError),
         E([np.ones((2, 0)), np.ones((0, 1))], [[0.0], [0.0]]), E([[True], [True]], DTypeError, "bool")),
        dtypes=NUMBERS, tolerance="sum", gradient=(0, 1), also=COMPLEX),
)  # fmt: skip
