"""Special functions: what NumPy has no function for, by formulas over its others."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphc.ir.dtype import FLOAT
from graphc.ir.opdef import Trait, public
from graphc.ir.tensor import Tensor
from graphc.ops.define import TensorLike, elementwise, record
from graphc.ops.exponential import exp

# erf x = x·P(x²)/Q(x²) for float32: the polynomials that Eigen and XLA use. In float64 and rounded once, as here, it is
# off by at most 1.6 ulp and never beyond 1; from 4 on it is 1.
SINGLE_P = (
    -1.60960333262415e-02, -2.95459980854025e-03, -7.34990630326855e-04, -5.69250639462346e-05,
    -2.10102402082508e-06, 2.77068142495902e-08, -2.72614225801306e-10,
)  # fmt: skip
SINGLE_Q = (
    -1.42647390514189e-02, -7.37332916720468e-03, -1.68282697438203e-03, -2.13374055278905e-04,
    -1.45660718464996e-05,
)  # fmt: skip

# The rational approximations of Sun's fdlibm (s_erf.c, 1993) for float64, within 1 ulp there.

_NEAR_P = (
    1.28379167095512558561e-01, -3.25042107247001499370e-01, -2.84817495755985104766e-02,
    -5.77027029648944159157e-03, -2.37630166566501626084e-05,
)  # fmt: skip
_NEAR_Q = (
    1.0, 3.97917223959155352819e-01, 6.50222499887672944485e-02, 5.08130628187576562776e-03,
    1.32494738004321644526e-04, -3.96022827877536812320e-06,
)  # fmt: skip
_AT_ONE = 8.45062911510467529297e-01
_MIDDLE_P = (
    -2.36211856075265944077e-03, 4.14856118683748331666e-01, -3.72207876035701323847e-01,
    3.18346619901161753674e-01, -1.10894694282396677476e-01, 3.54783043256182359371e-02,
    -2.16637559486879084300e-03,
)  # fmt: skip
_MIDDLE_Q = (
    1.0, 1.06420880400844228286e-01, 5.40397917702171048937e-01, 7.18286544141962662868e-02,
    1.26171219808761642112e-01, 1.36370839120290507362e-02, 1.19844998467991074170e-02,
)  # fmt: skip
_FAR_P = (
    -9.86494403484714822705e-03, -6.93858572707181764372e-01, -1.05586262253232909814e01,
    -6.23753324503260060396e01, -1.62396669462573470355e02, -1.84605092906711035994e02,
    -8.12874355063065934246e01, -9.81432934416914548592e00,
)  # fmt: skip
_FAR_Q = (
    1.0, 1.96512716674392571292e01, 1.37657754143519042600e02, 4.34565877475229228821e02,
    6.45387271733267880336e02, 4.29008140027567833386e02, 1.08635005541779435134e02,
    6.57024977031928170135e00, -6.04244152148580987438e-02,
)  # fmt: skip
_TAIL_P = (
    -9.86494292470009928597e-03, -7.99283237680523006574e-01, -1.77579549177547519889e01,
    -1.60636384855821916062e02, -6.37566443368389627722e02, -1.02509513161107724954e03,
    -4.83519191608651397019e02,
)  # fmt: skip
_TAIL_Q = (
    1.0, 3.03380607434824582924e01, 3.25792512996573918826e02, 1.53672958608443695994e03,
    3.19985821950859553908e03, 2.55305040643316442583e03, 4.74528541206955367215e02,
    -2.24409524465858183362e01,
)  # fmt: skip


def polynomial(coefficients: tuple[float, ...], z: Any) -> Any:
    """c₀ + c₁z + c₂z² + …, by Horner's rule."""
    total = z * coefficients[-1] + coefficients[-2]
    for coefficient in coefficients[-3::-1]:
        total = total * z + coefficient
    return total


def _quotient(p: tuple[float, ...], q: tuple[float, ...], z: Any) -> Any:
    return polynomial(p, z) / polynomial(q, z)


def _erf(xp: Any, x: Any) -> Any:
    if x.dtype != np.float32:  # wider numbers, too: tests evaluate ops in extended precision
        return xp.astype(_erf_double(xp, xp.astype(x, np.float64)), x.dtype)
    wide = xp.clip(xp.astype(x, np.float64), -4.0, 4.0)
    return xp.astype(wide * _quotient(SINGLE_P, SINGLE_Q, wide * wide), x.dtype)


def _erf_double(xp: Any, x: Any) -> Any:
    """A region without elements is not computed."""
    wide = xp.asarray(x)
    size = xp.abs(wide)
    result = wide + wide * _quotient(_NEAR_P, _NEAR_Q, xp.minimum(wide * wide, 1.0))
    middle, far = (size >= 0.84375) & (size < 1.25), size >= 1.25
    if xp.any(middle):
        value = _AT_ONE + _quotient(_MIDDLE_P, _MIDDLE_Q, size - 1.0)
        result = xp.where(middle, xp.copysign(value, wide), result)
    if xp.any(far):
        # Beyond 6, 1 - erf is below half an ulp; the limit also keeps inf · 0 out of the quotient.
        limited = xp.clip(size, 1.25, 6.0)
        s = 1.0 / (limited * limited)
        tail = _quotient(_TAIL_P, _TAIL_Q, s)
        ratio = xp.where(size >= 1 / 0.35, tail, _quotient(_FAR_P, _FAR_Q, s))
        value = 1.0 - xp.exp(-limited * limited - 0.5625 + ratio) / limited
        result = xp.where(far, xp.copysign(value, wide), result)
    return result


_TWO_OVER_SQRT_PI = 2.0 / math.sqrt(math.pi)

ERF = elementwise(
    "erf",
    1,
    FLOAT,
    (lambda ct, node: ct * (exp(-(node.inputs[0] * node.inputs[0])) * _TWO_OVER_SQRT_PI),),
    array_fn=_erf,
    traits=[Trait.INEXACT],
)


@public
def erf(x: TensorLike, /) -> Tensor:
    """The error function, 2/√π · ∫₀ˣ exp(-t²) dt."""
    return record(ERF, x)


def _erfc(xp: Any, x: Any) -> Any:
    return xp.astype(_erfc_double(xp, xp.astype(x, np.float64)), x.dtype)


def _erfc_double(xp: Any, wide: Any) -> Any:
    """By the same approximations as `erf`."""
    size = xp.abs(wide)
    share = wide * _quotient(_NEAR_P, _NEAR_Q, xp.minimum(wide * wide, 1.0))
    result = xp.where(wide < 0.25, 1.0 - (wide + share), 0.5 - (share + (wide - 0.5)))
    value = _quotient(_MIDDLE_P, _MIDDLE_Q, xp.minimum(size, 2.0) - 1.0)
    middle = xp.where(wide > 0, (1.0 - _AT_ONE) - value, 1.0 + (_AT_ONE + value))
    result = xp.where(size >= 0.84375, middle, result)
    limited = xp.clip(size, 1.25, 28.0)  # at 28 it is less than any number
    s = 1.0 / (limited * limited)
    ratio = xp.where(size >= 1 / 0.35, _quotient(_TAIL_P, _TAIL_Q, s), _quotient(_FAR_P, _FAR_Q, s))
    # exp(-x²) by a z near x whose square is exact: -x² = -z² + (z - x)(z + x).
    z = xp.floor(limited * 128.0) / 128.0
    # XLA would make one exponential of a product of two, and lose the digits again.
    value = xp.exp(-z * z - 0.5625) * (1.0 + xp.expm1((z - limited) * (z + limited) + ratio)) / limited
    return xp.where(size >= 1.25, xp.where(wide > 0, value, 2.0 - value), result)


ERFC = elementwise(
    "erfc",
    1,
    FLOAT,
    (lambda ct, node: -(ct * (exp(-(node.inputs[0] * node.inputs[0])) * _TWO_OVER_SQRT_PI)),),
    array_fn=_erfc,
    traits=[Trait.INEXACT],
)


@public
def erfc(x: TensorLike, /) -> Tensor:
    """1 - erf(x), accurate where erf(x) is near 1."""
    return record(ERFC, x)


# Quantiles of the normal distribution: Wichura's PPND16 (Algorithm AS 241, Applied Statistics 37, 1988), within 1e-16.

_CENTRAL_P = (
    3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3, 1.3731693765509461125e4,
    4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4, 2.5090809287301226727e3,
)  # fmt: skip
_CENTRAL_Q = (
    1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3, 2.1213794301586595867e4,
    3.9307895800092710610e4, 2.8729085735721942674e4, 5.2264952788528545610e3,
)  # fmt: skip
_OUTER_P = (
    1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0, 3.64784832476320460504e0,
    1.27045825245236838258e0, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4,
)  # fmt: skip
_OUTER_Q = (
    1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1, 1.48103976427480074590e-1,
    1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9,
)  # fmt: skip
_OUTMOST_P = (
    6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0, 2.96560571828504891230e-1,
    2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7,
)  # fmt: skip
_OUTMOST_Q = (
    1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2, 7.86869131145613259100e-4,
    1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15,
)  # fmt: skip


def _erfinv(xp: Any, x: Any) -> Any:
    """In float64: the quantile of (1 + x) / 2, by √2."""
    wide = xp.astype(x, np.float64)
    size = xp.abs(wide)
    q = 0.5 * wide
    central = xp.minimum(size, 0.85)
    result = q * _quotient(_CENTRAL_P, _CENTRAL_Q, 0.180625 - 0.25 * central * central)
    root = xp.sqrt(-xp.log(0.5 - 0.5 * xp.clip(size, 0.85, 1.0 - 2.0**-54)))
    tail = xp.where(
        root <= 5.0,
        _quotient(_OUTER_P, _OUTER_Q, root - 1.6),
        _quotient(_OUTMOST_P, _OUTMOST_Q, root - 5.0),
    )
    tail = tail * math.sqrt(0.5)
    result = result * math.sqrt(0.5)
    # A step of Newton's method takes off what rounding has left: of erf near 0, of erfc in the tails.
    guess = xp.clip(result, -0.84375, 0.84375)
    excess = guess + guess * _quotient(_NEAR_P, _NEAR_Q, guess * guess) - wide
    result = result - xp.where(size < 0.75, excess * xp.exp(guess * guess) / _TWO_OVER_SQRT_PI, 0.0)
    excess = (_erfc_double(xp, tail) - (1.0 - size)) * xp.exp(tail * tail)
    tail = tail + excess / _TWO_OVER_SQRT_PI
    result = xp.where(size > 0.85, xp.where(wide < 0, -tail, tail), result)
    result = xp.where(size == 1.0, wide * math.inf, xp.where(size > 1.0, math.nan, result))
    return xp.astype(result, x.dtype)


ERFINV = elementwise(
    "erfinv",
    1,
    FLOAT,
    (lambda ct, node: ct * (exp(node * node) / _TWO_OVER_SQRT_PI),),
    array_fn=_erfinv,
    traits=[Trait.INEXACT],
)


@public
def erfinv(x: TensorLike, /) -> Tensor:
    """The number whose error function is x; ±inf at ±1, NaN beyond."""
    return record(ERFINV, x)
