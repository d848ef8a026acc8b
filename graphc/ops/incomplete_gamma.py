"""The incomplete gamma functions, regularised. Evaluated in float64 and rounded once."""

from __future__ import annotations

import math
from typing import Any, NoReturn

import numpy as np

from graphc.errors import GradientNotImplementedError
from graphc.ir.dtype import FLOAT
from graphc.ir.opdef import Trait, public
from graphc.ir.tensor import Tensor
from graphc.ops.define import TensorLike, elementwise, record
from graphc.ops.exponential import exp, log
from graphc.ops.gamma import lgamma, log_gamma_near_one
from graphc.ops.special import polynomial

# x^a e^-x / Γ(a + 1) is taken by parts that keep their digits: DLMF 5.11.3 for Γ from 10 on, and below that Γ(1 + b)
# and the factors between. The series is DLMF 8.7.1, that for small a and x 8.7.3, the continued fraction 8.9.2 by the
# method of Lentz, as in Press et al., Numerical Recipes, chapter 6.2.
_STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156)
_MOST = 20_000
"""Terms at most: some √a are needed where x is near a."""
_EPS = 2.0**-54


def _log1p_less(xp: Any, m: Any) -> Any:
    """log(1 + m) - m, by the series of an inverse hyperbolic tangent where m is small."""
    s = xp.clip(m, -0.5, 0.5)
    s = s / (2.0 + s)
    square = s * s
    series = polynomial(tuple(1.0 / (2 * k + 3) for k in range(16)), square)
    near = 2.0 * s * square * series - 2.0 * square / (1.0 - s)
    return xp.where(xp.abs(m) < 0.5, near, xp.log1p(m) - m)


def _factor(xp: Any, a: Any, x: Any) -> Any:
    """x^a e^-x / Γ(a + 1)."""
    large = xp.maximum(a, 10.0)
    tail = polynomial(_STIRLING, 1.0 / (large * large)) / large
    far = xp.exp(large * _log1p_less(xp, (x - large) / large) - tail) / xp.sqrt(2.0 * math.pi * large)
    small = xp.minimum(a, 10.0)
    whole = xp.floor(small)
    b = small - whole
    product = xp.exp(log_gamma_near_one(xp, b))
    for k in range(1, 11):
        product = product * xp.where(whole >= k, b + float(k), 1.0)
    return xp.where(a < 10.0, xp.power(x, small) * xp.exp(-x) / product, far)


def _series(xp: Any, a: Any, x: Any) -> Any:
    term = total = xp.ones_like(x)
    for k in range(1, _MOST):
        term = term * (x / (a + float(k)))
        total = total + term
        if not (term > _EPS * total).any():
            break
    return total


def _fraction(xp: Any, a: Any, x: Any) -> Any:
    b = x + 1.0 - a
    c, d = xp.full_like(x, 1e300), 1.0 / b
    value = d
    going = value == value
    for k in range(1, _MOST):
        numerator = -float(k) * (float(k) - a)
        b = b + 2.0
        d = 1.0 / (numerator * d + b)
        c = b + numerator / c
        value = xp.where(going, value * (c * d), value)
        going = going & (xp.abs(c * d - 1.0) > 4.0 * _EPS)  # those that stand still would drift by rounding
        if not going.any():
            break
    return value


def _small_upper(xp: Any, a: Any, x: Any) -> Any:
    """1 - P where a and x are small, and P may be near 1."""
    power = a * xp.log(x) - log_gamma_near_one(xp, a)
    term, total = xp.ones_like(x), xp.zeros_like(x)
    for n in range(1, 30):
        term = term * (-x / float(n))
        total = total + term / (a + float(n))
    return -xp.expm1(power) - a * xp.exp(power) * total


def _parts(xp: Any, a: Any, x: Any) -> tuple[Any, Any, Any]:
    """The lower and the upper function, and where they are defined."""
    usual = (a > 0) & (x > 0) & (a < math.inf) & (x < math.inf)
    a, x = xp.where(usual, a, 1.0), xp.where(usual, x, 1.0)
    factor = _factor(xp, a, x)
    low = x < a + 1.0
    lower = factor * _series(xp, xp.where(low, a, 1.0), xp.where(low, x, 1.0))
    upper = a * factor * _fraction(xp, xp.where(low, 1.0, a), xp.where(low, 3.0, x))
    small = (a < 1.0) & (x < 1.1)
    exact = _small_upper(xp, xp.where(small, a, 0.5), xp.where(small, x, 0.5))
    return xp.where(low, lower, 1.0 - upper), xp.where(small, exact, xp.where(low, 1.0 - lower, upper)), usual


def _lower(xp: Any, a: Any, x: Any) -> Any:
    return _regularised(xp, a, x, 0)


def _upper(xp: Any, a: Any, x: Any) -> Any:
    return _regularised(xp, a, x, 1)


def _regularised(xp: Any, a: Any, x: Any, which: int) -> Any:
    wide, at = xp.broadcast_arrays(xp.astype(a, np.float64), xp.astype(x, np.float64))
    *both, usual = _parts(xp, wide, at)
    ends = (0.0, 1.0)
    nothing = (wide > 0) & (at == 0) | (wide == math.inf) & (at >= 0) & (at < math.inf)
    all_of_it = ((wide > 0) & (wide < math.inf) & (at == math.inf)) | (wide == 0) & (at > 0)
    limit = xp.where(nothing, ends[which], xp.where(all_of_it, ends[1 - which], math.nan))
    return xp.astype(xp.where(usual, both[which], limit), x.dtype)


def _no_slope(ct: Tensor, node: Tensor) -> NoReturn:
    raise GradientNotImplementedError(
        f"the gradient of {node.op.name} in its first operand is not implemented",
        expected="a gradient in x",
        got=repr(node),
        fix="hold a constant with gc.stop_gradient(a)",
        origins=node.origins,
    )


def _density(node: Tensor) -> Tensor:
    a, x = node.inputs
    return exp((a - 1.0) * log(x) - x - lgamma(a))


GAMMAINC = elementwise(
    "gammainc", 2, FLOAT, (_no_slope, lambda ct, node: ct * _density(node)), array_fn=_lower, traits=[Trait.INEXACT]
)


@public
def gammainc(a: TensorLike, x: TensorLike, /) -> Tensor:
    """The regularised lower incomplete gamma function, 1/Γ(a) · ∫₀ˣ t^(a-1) e^-t dt; NaN for negative numbers.

    It has a gradient in x, and none in a yet.
    """
    return record(GAMMAINC, a, x)


GAMMAINCC = elementwise(
    "gammaincc", 2, FLOAT, (_no_slope, lambda ct, node: -(ct * _density(node))), array_fn=_upper, traits=[Trait.INEXACT]
)


@public
def gammaincc(a: TensorLike, x: TensorLike, /) -> Tensor:
    """1 - gammainc(a, x), accurate where that is near 1. It has a gradient in x, and none in a yet."""
    return record(GAMMAINCC, a, x)
