"""How many units in the last place a function is off, against NumPy's own tables and against mpmath."""

import csv
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from graphc.conformance.values import placeholders
from graphc.ir.opdef import FUNCTIONS as F
from graphc.session.standalone import compile_function

Array = np.ndarray
DIGITS = 160
"""Bits with which mpmath computes."""


class Measured(NamedTuple):
    """A function over some ranges.

    Attributes:
        true: over numbers of mpmath, given the module.
        ranges: of the operands, a pair of limits each.
        floor: what errors are measured against at least; 0 for a relative error.
    """

    true: Callable[..., Any]
    ranges: tuple[tuple[tuple[float, float], ...], ...]
    floor: float = 0.0


def one(*ranges: tuple[float, float]) -> tuple[tuple[tuple[float, float], ...], ...]:
    return tuple((each,) for each in ranges)


_UNIT, _NEAR, _WIDE = (-1.0, 1.0), (-1e-3, 1e-3), (-1e10, 1e10)
_TINY, _LARGE = (1e-30, 1e-20), (1e19, 1e30)
_LOGS = one((1e-30, 1e-20), (0.01, 10.0), (0.9, 1.1), (1e10, 1e30))

FUNCTIONS: dict[str, Measured] = {
    "exp": Measured(lambda mp, x: mp.exp(x), one((-80, 80), _UNIT)),
    "exp2": Measured(lambda mp, x: mp.power(2, x), one((-120, 120), _UNIT)),
    "expm1": Measured(lambda mp, x: mp.expm1(x), one((-10, 80), _UNIT, _NEAR)),
    "log": Measured(lambda mp, x: mp.log(x), _LOGS),
    "log2": Measured(lambda mp, x: mp.log(x, 2), _LOGS),
    "log10": Measured(lambda mp, x: mp.log10(x), _LOGS),
    "log1p": Measured(lambda mp, x: mp.log1p(x), one((-0.99, 10), (-0.1, 0.1), _NEAR, (1e3, 1e10))),
    "rsqrt": Measured(lambda mp, x: 1 / mp.sqrt(x), one((1e-3, 1e3), (1e-30, 1e-20))),
    "cbrt": Measured(lambda mp, x: mp.sign(x) * mp.cbrt(abs(x)), one((-10, 10), (1e-30, 1e-20), (1e10, 1e30))),
    "sin": Measured(lambda mp, x: mp.sin(x), one((-3, 3), (-100, 100), (1e4, 1e5))),
    "cos": Measured(lambda mp, x: mp.cos(x), one((-3, 3), (-100, 100), (1e4, 1e5))),
    "tan": Measured(lambda mp, x: mp.tan(x), one((-1.5, 1.5), (-100, 100), (1e4, 1e5))),
    "asin": Measured(lambda mp, x: mp.asin(x), one(_UNIT, _NEAR, (0.99, 1))),
    "acos": Measured(lambda mp, x: mp.acos(x), one(_UNIT, _NEAR, (0.99, 1))),
    "atan": Measured(lambda mp, x: mp.atan(x), one((-10, 10), _NEAR, (1e3, 1e10))),
    "sinh": Measured(lambda mp, x: mp.sinh(x), one((-80, 80), _UNIT, _NEAR)),
    "cosh": Measured(lambda mp, x: mp.cosh(x), one((-80, 80), _UNIT)),
    "tanh": Measured(lambda mp, x: mp.tanh(x), one((-10, 10), _UNIT, _NEAR)),
    "asinh": Measured(lambda mp, x: mp.asinh(x), one((-10, 10), _NEAR, (-1e10, -1e3), (1e10, 1e30))),
    "acosh": Measured(lambda mp, x: mp.acosh(x), one((1, 1.01), (1, 10), (1e3, 1e10), (1e20, 1e30))),
    "atanh": Measured(lambda mp, x: mp.atanh(x), one(_UNIT, _NEAR, (0.99, 1))),
    "sigmoid": Measured(lambda mp, x: 1 / (1 + mp.exp(-x)), one((-80, 80), _UNIT)),
    "erf": Measured(lambda mp, x: mp.erf(x), one((-4, 4), _UNIT, _NEAR)),
    "erfc": Measured(lambda mp, x: mp.erfc(x), one((-4, 4), (0, 1.5), (1, 9))),
    "erfinv": Measured(lambda mp, x: mp.erfinv(x), one(_UNIT, _NEAR, (0.9, 1), (0.9999, 1))),
    "lgamma": Measured(
        lambda mp, x: mp.re(mp.loggamma(x)),
        one(_TINY, (0, 1), (1, 2), (0.99, 1.01), (2, 8), (8, 1e3), (1e5, 1e9)),
    ),
    "digamma": Measured(lambda mp, x: mp.digamma(x), one(_TINY, (0, 1), (1, 2), (1.46, 1.463), (2, 20), (1e2, 1e9))),
    "i0e": Measured(lambda mp, x: mp.exp(-abs(x)) * mp.besseli(0, x), one((-8, 8), (7, 100), (1e3, 1e4))),
    "i1e": Measured(lambda mp, x: mp.exp(-abs(x)) * mp.besseli(1, x), one((-8, 8), (7, 100), (1e3, 1e4))),
    "atan2": Measured(
        lambda mp, y, x: mp.atan2(y, x), ((_UNIT, _UNIT), ((-1e10, 1e10), _UNIT), (_UNIT, (-1e10, 1e10)))
    ),
    "hypot": Measured(
        lambda mp, x, y: mp.sqrt(x * x + y * y), ((_UNIT, _UNIT), ((1e19, 1e30), (1e19, 1e30)), ((1e-30, 1e-20),) * 2)
    ),
    "pow": Measured(lambda mp, x, y: mp.power(x, y), (((0.01, 20), (-10, 10)), ((0.99, 1.01), (-1e3, 1e3)))),
    "logaddexp": Measured(
        lambda mp, x, y: mp.log(mp.exp(x) + mp.exp(y)), (((-10, 10), (-10, 10)), ((-1e3, 1e3), _UNIT)), 1.0
    ),
}


def operands(measured: Measured, dtype: str, count: int) -> list[list[Array]]:
    """Random operands for each range; beyond three decades they are spread evenly over the exponents."""
    rng = np.random.default_rng(0)
    return [[_spread(rng, *limits, count).astype(dtype) for limits in ranges] for ranges in measured.ranges]


def _spread(rng: np.random.Generator, low: float, high: float, count: int) -> Array:
    near, far = sorted((abs(low), abs(high)))
    if low * high > 0 and far / near > 1e3:
        return np.asarray(np.sign(low) * np.exp(rng.uniform(np.log(near), np.log(far), count)))
    return rng.uniform(low, high, count)


def computed(name: str, arrays: list[Array], backend: str) -> Array:
    """A function's values by a backend."""
    xs = placeholders(arrays)
    return np.asarray(compile_function(F[name](*xs), xs, backend=backend)(*arrays))


def true_values(name: str, arrays: list[Array]) -> list[Any]:
    """The same by mpmath."""
    import mpmath

    with mpmath.workprec(DIGITS):
        return [
            FUNCTIONS[name].true(mpmath.mp, *map(mpmath.mpf, map(float, numbers)))
            for numbers in zip(*arrays, strict=True)
        ]


def worst(got: Array, true: list[Any], floor: float = 0.0) -> float:
    """The largest distance, in units in the last place of the true value, where that is a normal number."""
    import mpmath

    info = np.finfo(got.dtype)
    found = 0.0
    with mpmath.workprec(DIGITS):
        for value, wanted in zip(got, true, strict=True):
            size = max(abs(wanted), mpmath.mpf(floor))
            if size < float(info.smallest_normal) or size > float(info.max):
                continue
            unit = mpmath.ldexp(1, int(mpmath.floor(mpmath.log(size, 2))) - info.nmant)
            found = max(found, float(abs(mpmath.mpf(float(value)) - wanted) / unit))
    return found


def measure(name: str, dtype: str, backend: str, count: int) -> float:
    """The largest error over all ranges."""
    measured = FUNCTIONS[name]
    cases = operands(measured, dtype, count)
    arrays = [np.concatenate(parts) for parts in zip(*cases, strict=True)]
    return worst(computed(name, arrays, backend), _known(name, dtype, count), measured.floor)


@functools.cache
def _known(name: str, dtype: str, count: int) -> list[Any]:
    cases = operands(FUNCTIONS[name], dtype, count)
    return true_values(name, [np.concatenate(parts) for parts in zip(*cases, strict=True)])


# --- NumPy's tables -----------------------------------------------------------------------------------------

TABLES = {
    path.stem.rpartition("-")[2]: path
    for path in sorted((Path(np.__file__).parent / "_core" / "tests" / "data").glob("umath-validation-set-*.csv"))
}
"""NumPy's name of a function → its table of operands and right results as bits. Not in every wheel."""


def table(name: str, dtype: str) -> tuple[Array, Array]:
    """Operands and results of a table in one dtype."""
    bits = np.uint32 if dtype == "float32" else np.uint64
    with TABLES[name].open(encoding="utf-8") as file:
        rows = [row for row in csv.reader(file) if row and row[0] == f"np.{dtype}"]
    operands, results = (np.array([int(row[k], 16) for row in rows], bits).view(dtype) for k in (1, 2))
    return operands, results


def distance(got: Array, wanted: Array) -> Array:
    """In units in the last place, over all numbers in their order; 0 between NaNs, and between zeros."""
    first, second = (_ordered(array) for array in (got, wanted))
    return np.where((np.isnan(got) & np.isnan(wanted)) | (got == wanted), 0, np.abs(first - second))


def _ordered(array: Array) -> Array:
    """Numbers as integers in the same order, as floats: 64 bits have no wider integer."""
    bits = array.view(np.int32 if array.itemsize == 4 else np.int64)
    lowest = np.iinfo(bits.dtype).min
    return np.where(bits < 0, lowest - bits.astype(np.longdouble), bits.astype(np.longdouble))
