"""The one table of tolerances. A test that fails here has found something: look for the cause, do not widen.

Every comparison first demands equal dtypes, shapes, NaN masks and infinities, and equal signs of zeros that
are expected as zeros. Only then may finite numbers differ, by `ulps · eps · (|expected| + floor)`.
"""

from typing import Any, NamedTuple

import numpy as np


class Tolerance(NamedTuple):
    """How far finite numbers may be off, in units of the last place.

    Attributes:
        ulps: units of eps, relative to the expected number plus the floor.
        floor: what the error is measured against where the expected number is small; 0 for a relative bound.
        why: where the figure comes from.
    """

    ulps: float
    floor: float
    why: str


VALUES = {
    "exact": Tolerance(0, 0, "IEEE 754 rounds it correctly, or nothing is computed: the same bits"),
    "elementary": Tolerance(4, 0, "NumPy promises 4 ulp for its vector loops of exp, log, sin, tanh, …"),
    "shifted": Tolerance(4, 1, "elementary; near a root the error is that of the 1 + y in it"),
    "sum": Tolerance(16, 4, "γₙ·Σ|terms| for n ≤ 16 terms, which are at most 4"),
    "softmax": Tolerance(8, 1, "exp of a rounded difference, n ≤ 8 terms, a quotient or logarithm"),
    "pow": Tolerance(8, 0, "NumPy's pow is worse than 4 ulp on some machines"),
}

XLA = {
    "divide": Tolerance(1.5, 0, "x / c becomes x · (1/c), rounded twice: not exact even where the quotient is"),
    "multiply": Tolerance(1, 0, "as IEEE 754 has it; but x · astype(a bool) is a choice of x or 0, so that ∞ · 0 is 0"),
    "log1p": Tolerance(4, 1, "in float64 it is log(1 + x) but for small x: the error is that of the 1 + x in it"),
}
"""op → how XLA rounds on a CPU, where that is worse than NumPy; measured on 400,000 numbers in each of several ranges.
Its exp, expm1, log, tanh, logistic, erf, rsqrt, sin, cos and pow are within the 4 ulp of `elementary`."""

# Between the reference interpreter and a backend that promises its bits, for ops whose oracle allows more.
SAME_BITS = VALUES["exact"]

# Central differences in float64 with step h: rounding eps/h and truncation h²·f‴, balanced at h = eps^(1/3),
# make some 4e-11 of the terms that cancel and of f‴, which is at most 100 times those in the table's domains.
STEP = float(np.finfo(np.float64).eps) ** (1 / 3)
DIFFERENCES = {1: 1e-8, 2: 1e-8}

# Two formulas of one gradient, in float64: some ten roundings, amplified by exp(x - y) at |x| ≤ 1000.
SAME_GRADIENT = 1e-12


def after_steps(steps: int) -> Tolerance:
    """Of a weight near 1 after so many small steps of an optimiser, computed by two formulas."""
    return Tolerance(2 * steps, 1, "either formula rounds the weight once per step; a small step's own error is less")


def assert_close(got: Any, expected: Any, tolerance: Tolerance, context: str = "", signs: bool = True) -> None:
    """Compares two arrays as the head of this file says; `signs=False` where a 0 may come of rounding."""
    got, expected = np.asarray(got), np.asarray(expected)
    what = f"{context}: got {got!r}, expected {expected!r}"
    assert got.dtype == expected.dtype, what
    assert got.shape == expected.shape, what
    if got.dtype.kind != "f":
        assert np.array_equal(got, expected), what
        return
    assert np.array_equal(np.isnan(got), np.isnan(expected)), f"NaN in other places: {what}"
    finite = np.isfinite(expected)
    rest = ~finite & ~np.isnan(expected)
    assert np.array_equal(got[rest], expected[rest]), f"infinities differ: {what}"
    assert np.isfinite(got[finite]).all(), f"not finite: {what}"
    zero = expected == 0
    if signs:
        assert np.array_equal(np.signbit(got[zero]), np.signbit(expected[zero])), f"signs of zeros: {what}"
    wide = np.longdouble
    info = np.finfo(got.dtype)
    error = np.abs(got[finite].astype(wide) - expected[finite].astype(wide))
    scale = np.abs(expected[finite].astype(wide)) + tolerance.floor
    # Below the smallest normal number there are fewer bits: there the unit is the smallest subnormal one.
    allowed = tolerance.ulps * np.maximum(info.eps * scale, info.smallest_subnormal)
    worst = (error / np.where(scale > 0, info.eps * scale, info.smallest_subnormal)).max(initial=0)
    assert (error <= allowed).all(), f"off by {float(worst):.3g} units, {tolerance.ulps} allowed: {what}"


# Large graphs whose terms and factors are all positive, so that relative errors add up and nothing cancels: each
# operation and its share of the gradient (1 - t·t, two products, a sum) round at most that often.
ROUNDINGS_PER_OPERATION = 4
