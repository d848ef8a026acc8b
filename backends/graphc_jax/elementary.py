"""Elementary functions where XLA's own are too coarse: some tens of units in the last place (docs/accuracy.md)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Value = Any
"""An array of JAX, or its stand-in while a function is traced."""

# log(1 + f) for f from √½ - 1 to √2 - 1, as in Sun's fdlibm (s_log1p.c, 1993).
_LOG1P = (
    6.666666666666735130e-01, 3.999999999940941908e-01, 2.857142874366239149e-01, 2.222219843214978396e-01,
    1.818357216161805012e-01, 1.531383769920937332e-01, 1.479819860511658591e-01,
)  # fmt: skip


def log1p(jax: Any, x: Value) -> Value:
    """XLA's in float64 is 120 units off near 0.4."""
    lax = jax.lax
    if x.dtype != np.float64:
        return lax.log1p(x)
    near = (x > math.sqrt(0.5) - 1.0) & (x < math.sqrt(2.0) - 1.0)
    small = lax.select(near, x, lax.full_like(x, 0.25))
    s = small / (2.0 + small)
    z = s * s
    series = lax.full_like(x, 0)
    for coefficient in reversed(_LOG1P):
        series = (series + coefficient) * z
    half = 0.5 * small * small
    return lax.select(near, small - (half - s * (half + series)), lax.log(1.0 + x))


def log(jax: Any, x: Value) -> Value:
    """Of complex numbers by `log1p` where the size is near 1: XLA's in complex128 is 70 units off."""
    lax = jax.lax
    if x.dtype.kind != "c":
        return lax.log(x)
    size, first, second = lax.abs(x), lax.abs(x.real), lax.abs(x.imag)
    near = (size > 0.5) & (size < 2.0)
    large, small = (lax.select(near, side(first, second), lax.full_like(size, 1)) for side in (lax.max, lax.min))
    squared = (large - 1.0) * (large + 1.0) + small * small
    return lax.complex(lax.select(near, 0.5 * log1p(jax, squared), lax.log(size)), lax.atan2(x.imag, x.real))


def log2(jax: Any, x: Value) -> Value:
    """Of complex numbers by `log`."""
    return _scaled(jax, log(jax, x), 1.0 / math.log(2.0)) if x.dtype.kind == "c" else jax.numpy.log2(x)


def log10(jax: Any, x: Value) -> Value:
    """Of complex numbers by `log`."""
    return _scaled(jax, log(jax, x), 1.0 / math.log(10.0)) if x.dtype.kind == "c" else jax.numpy.log10(x)


def _scaled(jax: Any, x: Value, factor: float) -> Value:
    return jax.lax.complex(x.real * factor, x.imag * factor)


def atanh(jax: Any, x: Value) -> Value:
    """By log1p(2x / (1 - x)) / 2, of |x|."""
    lax = jax.lax
    if x.dtype != np.float64:
        return lax.atanh(x)
    size = lax.abs(x)
    twice = size + size
    quotient = size / (1.0 - size)
    small = lax.select(size < 0.5, twice + twice * quotient, 2.0 * quotient)
    value = 0.5 * log1p(jax, small)
    return lax.select(size < 2.0**-30, x, lax.select(x < 0, -value, value))


def exp2(jax: Any, x: Value) -> Value:
    """By exp of the fraction; XLA multiplies x by log 2 and rounds that."""
    lax = jax.lax
    info = np.finfo(x.dtype)
    lowest = info.minexp - info.nmant - 2
    limited = lax.clamp(lax.full_like(x, lowest), x, lax.full_like(x, info.maxexp + 1))
    whole = lax.round(limited, lax.RoundingMethod.TO_NEAREST_EVEN)
    half = lax.floor(whole * 0.5)
    value = lax.exp((limited - whole) * math.log(2.0))
    return value * _power_of_two(jax, half) * _power_of_two(jax, whole - half)


def _power_of_two(jax: Any, whole: Value) -> Value:
    """2 to a power that a normal number has, as bits."""
    info = np.finfo(whole.dtype)
    kind = np.int32 if info.bits == 32 else np.int64
    known = jax.lax.select(whole == whole, whole, jax.lax.full_like(whole, 0))
    bits = (known.astype(kind) + (info.maxexp - 1)) << info.nmant
    return jax.lax.bitcast_convert_type(bits, whole.dtype)


def sinh(jax: Any, x: Value) -> Value:
    """By exp, and near 0 by expm1; in float64. XLA rounds x ± log 2."""
    if x.dtype.kind == "c":
        return jax.lax.sinh(x)
    size = jax.lax.abs(x.astype(np.float64))
    less = jax.lax.expm1(jax.lax.min(size, 1.0))
    near = 0.5 * (less + less / (less + 1.0))
    value = jax.lax.select(size < 1.0, near, _half_exp(jax, size) - 0.5 * jax.lax.exp(-size)).astype(x.dtype)
    return jax.lax.select(x == 0, x, jax.lax.select(x < 0, -value, value))


def cosh(jax: Any, x: Value) -> Value:
    """By exp, in float64."""
    if x.dtype.kind == "c":
        return jax.lax.cosh(x)
    size = jax.lax.abs(x.astype(np.float64))
    return (_half_exp(jax, size) + 0.5 * jax.lax.exp(-size)).astype(x.dtype)


def _half_exp(jax: Any, size: Value) -> Value:
    """exp(x) / 2, which overflows later than exp(x) does. From 2 on x - 1 is exact."""
    return jax.lax.select(size < 2.0, 0.5 * jax.lax.exp(size), (0.5 * math.e) * jax.lax.exp(size - 1.0))


def gammainc(jax: Any, a: Value, x: Value) -> Value:
    """In float64: in float32 XLA stops its series some units too early."""
    return _for_infinite_a(jax, jax.lax.igamma(a.astype(np.float64), x.astype(np.float64)), a, x, 0.0)


def gammaincc(jax: Any, a: Value, x: Value) -> Value:
    """As `gammainc`."""
    return _for_infinite_a(jax, jax.lax.igammac(a.astype(np.float64), x.astype(np.float64)), a, x, 1.0)


def _for_infinite_a(jax: Any, value: Value, a: Value, x: Value, limit: float) -> Value:
    """The limit at finite x, and NaN at others."""
    at_limit = jax.lax.full_like(value, limit) + 0.0 * x.astype(np.float64)  # NaN for an infinite x
    at_limit = jax.lax.select(x < 0, jax.lax.full_like(value, math.nan), at_limit)
    return jax.lax.select(a == math.inf, at_limit, value).astype(x.dtype)


ELEMENTARY = (atanh, cosh, exp2, gammainc, gammaincc, log, log1p, log2, log10, sinh)
"""For the table of `kernels`."""
