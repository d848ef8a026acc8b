"""Rows of special functions."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.conformance.table import D, E, inf, nan, unary


def erf(x: Any) -> Any:
    """Its Taylor series in a wide type: good for |x| ≤ 3."""
    x = np.asarray(x)
    total, term = np.zeros_like(x), x.copy()
    for n in range(80):
        total = total + term / (2 * n + 1)
        term = -term * x * x / (n + 1)
    return total * 2 / np.sqrt(np.asarray(np.pi, x.dtype))


ROWS = (
    unary("erf", erf, E([[0.0, -0.0, inf, -inf, nan, 10]], [0.0, -0.0, 1, -1, nan, 1]),
          domains=(D(-2.5, 2.5),)),
)  # fmt: skip
