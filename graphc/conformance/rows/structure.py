"""Rows of barriers, checks and prints, and of what only plans hold."""

from __future__ import annotations

import numpy as np

from graphc.conformance.table import NUMBERS, ONE, E, inf, layout, nan
from graphc.errors import NumericsError

ROWS = (
    layout("stop_gradient", np.copy, ONE[:3], E([[-0.0, nan]], [-0.0, nan]), gradient=(), dtypes=NUMBERS),
    layout("check_numerics", np.copy, ONE[:4], E([[-0.0, 1]], [-0.0, 1]), E([[nan]], NumericsError),
           E([[-inf]], NumericsError), dtypes=NUMBERS),
    layout("print", np.copy, ONE[:2], dtypes=NUMBERS),
)  # fmt: skip
