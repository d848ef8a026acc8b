"""Rows of special functions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphc.conformance.table import FLOATS, LOOSE, TWO, D, E, Row, S, binary, floating, inf, nan, unary
from graphc.errors import ArgumentError
from graphc.ir.opdef import FUNCTIONS


def erf(x: Any) -> Any:
    """Its Taylor series in a wide type: good for |x| ≤ 3."""
    x = np.asarray(x)
    total, term = np.zeros_like(x), x.copy()
    for n in range(80):
        total = total + term / (2 * n + 1)
        term = -term * x * x / (n + 1)
    return total * 2 / np.sqrt(np.asarray(np.pi, x.dtype))


def erfinv(x: Any) -> Any:
    """Newton's method on the Taylor series."""
    root = np.zeros_like(x)
    for _ in range(60):
        root = root + (x - erf(root)) * np.exp(root * root) * (np.sqrt(np.asarray(np.pi, x.dtype)) / 2)
    return root


_SHIFT = 30
_STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360)


def log_gamma(x: Any) -> Any:
    """Stirling's series at x + 30, and the logarithms between: good for x > 0 that is not near 1 or 2."""
    w = x + _SHIFT
    tail = sum(c / w ** (2 * k + 1) for k, c in enumerate(_STIRLING))
    start = (w - 0.5) * np.log(w) - w + np.log(2 * np.asarray(np.pi, x.dtype)) / 2 + tail
    return start - sum(np.log(x + k) for k in range(_SHIFT))


def psi(x: Any) -> Any:
    """The derivative of that."""
    w = x + _SHIFT
    tail = sum(-(2 * k + 1) * c / w ** (2 * k + 2) for k, c in enumerate(_STIRLING))
    return np.log(w) - 1 / (2 * w) + tail - sum(1 / (x + k) for k in range(_SHIFT))


def polygamma(x: Any, n: int) -> Any:
    """A sum of 2,000 terms, and the integral of the others with two corrections."""
    s, w = n + 1, x + 2000
    total = sum(1 / (x + k) ** s for k in range(2000)) + w ** (1 - s) / n + w**-s / 2 + s * w ** (-s - 1) / 12
    return (-1) ** s * math.factorial(n) * total


def bessel(x: Any, order: int) -> Any:
    """The mean of exp(x cos t) cos(order · t) over a circle, by the trapezoidal rule."""
    angles = [np.asarray(2 * k + 1, x.dtype) * np.asarray(np.pi, x.dtype) / 80 for k in range(80)]
    return sum(np.exp(x * np.cos(t) - np.abs(x)) * np.cos(order * t) for t in angles) / 80


NO_BOOL = (*FLOATS, "int32", "uint8")  # false and true are out of their domains


def incomplete_gamma(a: Any, x: Any) -> Any:
    """Its power series, with Γ(a + 1) out of Stirling's."""
    term = total = np.ones_like(x)
    for k in range(1, 120):
        term = term * x / (a + k)
        total = total + term
    return np.exp(a * np.log(x) - x - log_gamma(a + 1)) * total


OF_TWO: dict[str, Any] = {
    "dtypes": NO_BOOL, "operand": floating, "tolerance": "shifted", "domains": (D(1.3, 6), D(0.5, 8)), "gradient": (1,),
}  # fmt: skip

ROWS = (
    unary("erf", erf, E([[0.0, -0.0, inf, -inf, nan, 10]], [0.0, -0.0, 1, -1, nan, 1]),
          domains=(D(-2.5, 2.5),)),
    unary("erfc", lambda x: 1 - erf(x), E([[0.0, -0.0, inf, -inf, nan, -10, 40]], [1, 1, 0.0, 2, nan, 2, 0.0]),
          E([[3, 9]], [2.20904969985854413727e-5, 4.13703174651381184e-37]),
          E([[26]], [5.66319240885614e-296], "float64"), domains=(D(-2, 1.5),)),
    unary("erfinv", erfinv, E([[0.0, -0.0, 1, -1, 1.5, -inf, nan]], [0.0, -0.0, inf, -inf, nan, nan, nan]),
          E([[1 - 2**-24]], [3.832506856900711], "float32"), E([[1 - 2**-53]], [5.863584748755168], "float64"),
          dtypes=NO_BOOL, domains=(D(-0.9, 0.9),)),
    unary("lgamma", log_gamma,
          E([[1, 2, 0.0, -0.0, -1, -2, inf, -inf, nan]], [0.0, 0.0, inf, inf, inf, inf, inf, inf, nan]),
          E([[0.5, -0.5, 1e-30, 11]],
            [0.57236494292470008707, 1.2655121234846454, 69.07755278982137, 15.104412573075516]),
          dtypes=NO_BOOL, domains=(D(2.3, 6),)),
    Row("betaln", TWO[:4], lambda x, y: log_gamma(x) + log_gamma(y) - log_gamma(x + y),
        (E([[1, 2, nan, 0.0], [1, 3, 1, 1]], [0.0, -math.log(12), nan, inf]),), dtypes=LOOSE, operand=floating,
        tolerance="sum", domains=(D(2.3, 6),), gradient=(0, 1)),
    binary("gammainc", incomplete_gamma,
           E([[1, 0, 1, -1, 1, inf, 2, inf, nan, 0], [0.0, 1, inf, 1, -1, 1, nan, inf, 1, 0]],
             [0.0, 1, 1, nan, nan, 0.0, nan, nan, nan, nan]),
           E([[1, 0.5, 20], [2, 0.25, 5]], [0.8646647167633873, 0.5204998778130465, 3.45213582091446e-07]),
           **OF_TWO),
    binary("gammaincc", lambda a, x: 1 - incomplete_gamma(a, x),
           E([[1, 0, 1, -1, 1, inf, 2, inf, nan, 0], [0.0, 1, inf, 1, -1, 1, nan, inf, 1, 0]],
             [1, 0.0, 0.0, nan, nan, 1, nan, nan, nan, nan]),
           E([[1, 0.5, 2], [2, 0.25, 30]], [0.1353352832366127, 0.4795001221869535, 2.90086312034045e-12]), **OF_TWO),
    unary("digamma", psi,
          E([[0.0, -0.0, -1, -2, inf, -inf, nan]], [-inf, inf, nan, nan, inf, nan, nan]),
          E([[1, 0.5, -0.25, 1e30]],
            [-0.57721566490153286061, -1.9635100260214235, 2.9141391202135278, 69.07755278982137]),
          dtypes=NO_BOOL, domains=(D(1.8, 6),)),
    Row("polygamma", (S((5,), n=1), S((2, 3), n=2), S((), n=3), S((0,), n=1)), polygamma,
        (E([[1, 0.5, -0.5, 0.0, -2, inf, -inf, nan]],
           [math.pi**2 / 6, math.pi**2 / 2, 8.934802200544679, inf, inf, 0.0, nan, nan], n=1),
         E([[1, -3, 0.0, -0.0]], [-2.4041138063191886, nan, -inf, inf], n=2),
         E([[1.0]], [-0.57721566490153286061], n=0), E([[1.0]], ArgumentError, n=-1), E([[1.0]], ArgumentError, n=1.5)),
        dtypes=LOOSE, operand=floating, tolerance="elementary", domains=(D(0.3, 4),), gradient=(0,),
        call=lambda x, n: FUNCTIONS["polygamma"](n, x)),
    unary("i0e", lambda x: bessel(x, 0),
          E([[0.0, -0.0, inf, -inf, nan, 100]], [1, 1, 0.0, 0.0, nan, 0.03994437929909668]),
          domains=(D(0.5, 7),)),
    unary("i1e", lambda x: bessel(x, 1),
          E([[0.0, -0.0, inf, -inf, nan, -100]], [0.0, -0.0, 0.0, -0.0, nan, -0.03974415302513025]),
          dtypes=NO_BOOL, domains=(D(0.5, 7),)),
)  # fmt: skip
