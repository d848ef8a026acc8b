"""The one table of tolerances. A test that fails here has found something: look for the cause, do not widen.

Every comparison first demands equal dtypes, shapes, NaN masks and infinities, and equal signs of zeros that
are expected as zeros. Only then may finite numbers differ, by `ulps · eps · (|expected| + floor)`.
"""

from collections.abc import Mapping
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
    "normal": Tolerance(8, 0, "Box and Muller: half of the 4 ulp of log, the 4 of cos or sin, and a product"),
    "quantile": Tolerance(32, 0, "quotients of polynomials of degree 7, of a probability that erfc rounds"),
    "gamma": Tolerance(32, 1, "some ten roundings, logarithms and exponentials of 4 ulp among them"),
    "factors": Tolerance(64, 4, "backward stable: n·κ units of ‖x‖ ≤ 4, for n ≤ 4 and matrices with κ ≤ 16"),
    "pow": Tolerance(8, 0, "NumPy's pow is worse than 4 ulp on some machines"),
}

XLA = {
    "divide": Tolerance(1.5, 0, "x / c becomes x · (1/c), rounded twice: not exact even where the quotient is"),
    "multiply": Tolerance(1, 0, "as IEEE 754 has it; but x · astype(a bool) is a choice of x or 0, so that ∞ · 0 is 0"),
    **dict.fromkeys(
        ("gammainc", "gammaincc"), Tolerance(16, 1, "the exponential of a logarithm that is rounded, and is some tens")
    ),
}
"""op → how XLA rounds on a CPU, where that is worse than NumPy; measured on 400,000 numbers in each of several ranges.
Its exp, expm1, log, tanh, logistic, erf, rsqrt, sin, cos and pow are within the 4 ulp of `elementary`."""


class Exceptions(NamedTuple):
    """Where a backend's answers are not the law's, as docs/semantics.md says. The kit expects exactly these.

    Attributes:
        accuracy: op → how it rounds, where that is worse than its row.
        flushes_subnormals: arithmetic takes subnormal numbers for zeros, and gives zeros for them.
    """

    accuracy: Mapping[str, Tolerance]
    flushes_subnormals: bool


NO_EXCEPTIONS = Exceptions({}, False)
EXCEPTIONS = {"jax": Exceptions(XLA, flushes_subnormals=True)}
"""By backend. One that is not here has none."""

_PRODUCT = Tolerance(4, 0, "two products and their sum in each part, measured against the size of the number")
_QUOTIENT = Tolerance(8, 0, "Smith's formula, or another that divides by |z|²: a product, a sum, a quotient more")
COMPLEX = {
    "abs": Tolerance(4, 0, "the root of a sum of squares, scaled against overflow in one of several ways"),
    "divide": _QUOTIENT,
    "multiply": _PRODUCT,
    "reciprocal": _QUOTIENT,
    "outer": _PRODUCT,
    "sign": Tolerance(8, 0, "a quotient by the size"),
    "sqrt": Tolerance(4, 0, "the root of a size, and a quotient"),
    "square": _PRODUCT,
}
"""op → how it rounds complex numbers, where it rounds real ones correctly."""


def tolerance_for(row: str, key: str, dtype: str) -> Tolerance:
    """That of a row's key; for complex numbers that of the op, where it has one."""
    return COMPLEX.get(row, VALUES[key]) if dtype.startswith("complex") else VALUES[key]


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
    if got.dtype.kind == "c":
        _assert_complex_close(got, expected, tolerance, what, signs)
        return
    if got.dtype.kind not in "fV":
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
    error = np.abs(_wide(got[finite]) - _wide(expected[finite]))
    _assert_within(error, np.abs(_wide(expected[finite])), tolerance, got.dtype, what)


def _wide(array: np.ndarray) -> np.ndarray:
    """In extended precision; what is only stored goes by way of float32, as it does everywhere."""
    return (array.astype(np.float32) if array.dtype.itemsize < 4 else array).astype(np.longdouble)


def _assert_within(error: np.ndarray, size: np.ndarray, tolerance: Tolerance, dtype: np.dtype[Any], what: str) -> None:
    info = _limits(dtype)
    eps, smallest = np.longdouble(info.eps), np.longdouble(info.smallest_subnormal)
    scale = size + tolerance.floor
    # Below the smallest normal number there are fewer bits: there the unit is the smallest subnormal one.
    allowed = tolerance.ulps * np.maximum(eps * scale, smallest)
    worst = (error / np.where(scale > 0, eps * scale, smallest)).max(initial=0)
    assert (error <= allowed).all(), f"off by {float(worst):.3g} units, {tolerance.ulps} allowed: {what}"


def _limits(dtype: np.dtype[Any]) -> Any:
    if dtype.kind != "V":
        return np.finfo(dtype)
    import ml_dtypes

    limits: Any = ml_dtypes.finfo
    return limits(dtype)


def _assert_complex_close(got: np.ndarray, expected: np.ndarray, tolerance: Tolerance, what: str, signs: bool) -> None:
    """Parts have NaNs and infinities in the same places. Errors are measured against the size: a part may cancel."""
    if not tolerance.ulps:
        assert_close(got.real, expected.real, tolerance, f"real parts: {what}", signs)
        assert_close(got.imag, expected.imag, tolerance, f"imaginary parts: {what}", signs)
        return
    for mine, wanted in ((got.real, expected.real), (got.imag, expected.imag)):
        assert np.array_equal(np.isnan(mine), np.isnan(wanted)), f"NaN in other places: {what}"
        rest = np.isinf(wanted)
        assert np.array_equal(np.isinf(mine), rest), f"infinities in other places: {what}"
        assert np.array_equal(mine[rest], wanted[rest]), f"infinities differ: {what}"
    finite = np.isfinite(expected)
    mine, wanted = got[finite].astype(np.clongdouble), expected[finite].astype(np.clongdouble)
    _assert_within(np.abs(mine - wanted), np.abs(wanted), tolerance, got.real.dtype, what)


# Large graphs whose terms and factors are all positive, so that relative errors add up and nothing cancels: each
# operation and its share of the gradient (1 - t·t, two products, a sum) round at most that often.
ROUNDINGS_PER_OPERATION = 4
