"""The logarithm of the gamma function, and its derivatives. Evaluated in float64 and rounded once."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphc.errors import ArgumentError
from graphc.ir.dtype import FLOAT, float64
from graphc.ir.opdef import Kind, Trait, public
from graphc.ir.tensor import Tensor, apply
from graphc.ops.arithmetic import floor, round
from graphc.ops.comparison import equal, isfinite, logical_and, logical_not, where
from graphc.ops.define import TensorLike, convert, define, elementwise, float_operand, record
from graphc.ops.precision import rounded_once
from graphc.ops.special import polynomial
from graphc.ops.structure import stop_gradient
from graphc.ops.trigonometry import tan

# log Γ: the approximations of Sun's fdlibm (e_lgamma_r.c, 1993), within about 1 ulp for x > 0. Near 2, near the minimum
# of Γ, near 1, from 2 to 8, and Stirling's series from 8 on.
_AT_TWO = (
    7.72156649015328655494e-02, 3.22467033424113591611e-01, 6.73523010531292681824e-02, 2.05808084325167332806e-02,
    7.38555086081402883957e-03, 2.89051383673415629091e-03, 1.19270763183362067845e-03, 5.10069792153511336608e-04,
    2.20862790713908385557e-04, 1.08011567247583939954e-04, 2.52144565451257326939e-05, 4.48640949618915160150e-05,
)  # fmt: skip
_LEAST, _AT_LEAST, _AT_LEAST_REST = 1.46163214496836224576e00, -1.21486290535849611461e-01, -3.63867699703950536541e-18
_NEAR_LEAST = (
    4.83836122723810047042e-01, -1.47587722994593911752e-01, 6.46249402391333854778e-02, -3.27885410759859649565e-02,
    1.79706750811820387126e-02, -1.03142241298341437450e-02, 6.10053870246291332635e-03, -3.68452016781138256760e-03,
    2.25964780900612472250e-03, -1.40346469989232843813e-03, 8.81081882437654011382e-04, -5.38595305356740546715e-04,
    3.15632070903625950361e-04, -3.12754168375120860518e-04, 3.35529192635519073543e-04,
)  # fmt: skip
_ONE_P = (
    -7.72156649015328655494e-02, 6.32827064025093366517e-01, 1.45492250137234768737e00, 9.77717527963372745603e-01,
    2.28963728064692451092e-01, 1.33810918536787660377e-02,
)  # fmt: skip
_ONE_Q = (
    1.0, 2.45597793713041134822e00, 2.12848976379893395361e00, 7.69285150456672783825e-01, 1.04222645593369134254e-01,
    3.21709242282423911810e-03,
)  # fmt: skip
_TWO_TO_THREE_P = (
    -7.72156649015328655494e-02, 2.14982415960608852501e-01, 3.25778796408930981787e-01, 1.46350472652464452805e-01,
    2.66422703033638609560e-02, 1.84028451407337715652e-03, 3.19475326584100867617e-05,
)  # fmt: skip
_TWO_TO_THREE_Q = (
    1.0, 1.39200533467621045958e00, 7.21935547567138069525e-01, 1.71933865632803078993e-01, 1.86459191715652901344e-02,
    7.77942496381893596434e-04, 7.32668430744625636189e-06,
)  # fmt: skip
_STIRLING_CONSTANT = 4.18938533204672725052e-01
_STIRLING = (
    8.33333333333329678849e-02, -2.77777777728775536470e-03, 7.93650558643019558500e-04, -5.95187557450339963135e-04,
    8.36339918996282139126e-04, -1.63092934096575273989e-03,
)  # fmt: skip


def _below_two(xp: Any, x: Any) -> Any:
    """log Γ on (0, 2)."""
    low = x < 0.9
    shifted = xp.where(low, x + 1.0, x)
    y = xp.where(low, 1.0 - x, 2.0 - x)
    z = y * y
    at_two = y * polynomial(_AT_TWO[::2], z) + z * polynomial(_AT_TWO[1::2], z) - 0.5 * y
    y = xp.where(low, x - (_LEAST - 1.0), x - _LEAST)
    w = y * y * y
    inner = polynomial(_NEAR_LEAST[1::3], w) + y * polynomial(_NEAR_LEAST[2::3], w)
    near_least = _AT_LEAST + (y * y * polynomial(_NEAR_LEAST[::3], w) - (_AT_LEAST_REST - w * inner))
    y = xp.where(low, x, x - 1.0)
    at_one = y * polynomial(_ONE_P, y) / polynomial(_ONE_Q, y) - 0.5 * y
    found = xp.where(shifted >= 1.7316, at_two, xp.where(shifted >= 1.2316, near_least, at_one))
    return xp.where(low, found - xp.log(xp.where(low, x, 1.0)), found)


def log_gamma_near_one(xp: Any, y: Any) -> Any:
    """log Γ(1 + y) for y from 0 to 1: near 0 as accurate as y is."""
    at_one = y * polynomial(_ONE_P, y) / polynomial(_ONE_Q, y) - 0.5 * y
    return xp.where(y < 0.2, at_one, _below_two(xp, 1.0 + y))


def _from_two_to_eight(xp: Any, x: Any) -> Any:
    """log Γ on [2, 8): that of [2, 3), and the logarithm of what lies between."""
    y = x - xp.floor(x)
    found = 0.5 * y + y * polynomial(_TWO_TO_THREE_P, y) / polynomial(_TWO_TO_THREE_Q, y)
    product: Any = 1.0
    for k in range(2, 7):
        product = product * xp.where(x >= k + 1.0, y + float(k), 1.0)
    return found + xp.log(product)


def _stirling(xp: Any, x: Any) -> Any:
    """log Γ from 8 on."""
    z = 1.0 / x
    rest = _STIRLING_CONSTANT + z * polynomial(_STIRLING, z * z)
    return (x - 0.5) * (xp.log(x) - 1.0) + rest


def _of_size(xp: Any, size: Any) -> Any:
    """log Γ of positive numbers. What is not in a region is moved to its border there."""
    found = xp.where(size < 2.0, _below_two(xp, xp.minimum(size, 2.0)), _stirling(xp, xp.maximum(size, 8.0)))
    middle = (size >= 2.0) & (size < 8.0)
    return xp.where(middle, _from_two_to_eight(xp, xp.clip(size, 2.0, 8.0)), found)


def _lgamma(xp: Any, x: Any) -> Any:
    """Γ(x) Γ(-x) = -π / (x sin πx) brings negative numbers to positive ones."""
    wide = xp.astype(x, np.float64)
    size = xp.abs(wide)
    found = _of_size(xp, size)
    fraction = wide - xp.round(wide)
    reflected = xp.log(math.pi / xp.abs(xp.sin(math.pi * fraction) * wide)) - found
    found = xp.where(wide < 0, reflected, found)
    found = xp.where(size < 2.0**-70, -xp.log(size), found)
    pole = (wide <= 0) & (xp.floor(wide) == wide)
    found = xp.where(pole | (size == math.inf), math.inf, found)
    return xp.astype(xp.where((wide == 1.0) | (wide == 2.0), 0.0, found), x.dtype)


LGAMMA = elementwise(
    "lgamma", 1, FLOAT, (lambda ct, node: ct * digamma(node.inputs[0]),), array_fn=_lgamma, traits=[Trait.INEXACT]
)


@public
def lgamma(x: TensorLike, /) -> Tensor:
    """The logarithm of |Γ(x)|; inf at 0, at negative integers and at ±inf. Its gradient is `digamma`."""
    return record(LGAMMA, x)


@public
@rounded_once
def betaln(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """The logarithm of |B(x1, x2)|: lgamma(x1) + lgamma(x2) - lgamma(x1 + x2), which loses digits of large numbers."""
    first, second = float_operand(x1), float_operand(x2)
    return lgamma(first) + lgamma(second) - lgamma(first + second)


# ψ on [1, 2]: (x - root)(Y + P/Q), the rational approximation of John Maddock (Boost.Math, digamma.hpp, 2006), within
# 2.5e-17; beyond 10 the asymptotic series, whose coefficients are B₂ₖ / 2k.
_PSI_Y = 0.99558162689208984375
_PSI_ROOT = 1569415565.0 / 2.0**30
_PSI_ROOT_REST = 381566830.0 / 2.0**60 + 0.9016312093258695918615325266959189453125e-19
_PSI_SHARE = _PSI_ROOT_REST / (_PSI_ROOT + _PSI_ROOT_REST)
_PSI_P = (
    0.25479851061131551, -0.32555031186804491, -0.65031853770896507, -0.28919126444774784, -0.045251321448739056,
    -0.0020713321167745952,
)  # fmt: skip
_PSI_Q = (
    1.0, 2.0767117023730469, 1.4606242909763515, 0.43593529692665969, 0.054151797245674225, 0.0021284987017821144,
    -0.55789841321675513e-6,
)  # fmt: skip
_BERNOULLI = (
    (1, 6), (-1, 30), (1, 42), (-1, 30), (5, 66), (-691, 2730), (7, 6), (-3617, 510), (43867, 798), (-174611, 330),
    (854513, 138), (-236364091, 2730),
)  # fmt: skip
"""B₂, B₄, … as numerators and denominators: quotients of ints are rounded once."""
_PSI_SERIES = tuple(over / (under * 2 * k) for k, (over, under) in enumerate(_BERNOULLI[:8], start=1))


def _psi(xp: Any, x: Any) -> Any:
    """ψ of positive numbers: by ψ(x + 1) = ψ(x) + 1/x on [1, 2], and by the series from 10 on."""
    low = xp.where(x < 1.0, x + 1.0, xp.minimum(x, 10.0))
    total = xp.where(x < 1.0, -1.0 / x, 0.0)
    for _ in range(8):
        above = low > 2.0
        low = xp.where(above, low - 1.0, low)
        total = xp.where(above, total + 1.0 / low, total)
    # x - root, but for a factor near 1. XLA would add up the two parts of the root if they were taken off in turn.
    near = ((low - _PSI_ROOT) - low * _PSI_SHARE) * (1.0 + _PSI_SHARE)
    y = low - 1.0
    total = total + (near * _PSI_Y + near * (polynomial(_PSI_P, y) / polynomial(_PSI_Q, y)))
    far = xp.maximum(x, 10.0)
    z = 1.0 / (far * far)
    series = xp.log(far) - 0.5 / far - z * polynomial(_PSI_SERIES, z)
    return xp.where(x < 10.0, total, series)


def _digamma(xp: Any, x: Any) -> Any:
    """ψ(x) = ψ(1 - x) - π / tan πx brings negative numbers to positive ones."""
    wide = xp.astype(x, np.float64)
    negative = wide < 0
    found = _psi(xp, xp.where(negative, 1.0 - wide, wide))
    fraction = wide - xp.round(wide)
    found = xp.where(negative, found - math.pi / xp.tan(math.pi * fraction), found)
    found = xp.where(wide == 0, -1.0 / wide, found)
    pole = negative & (xp.floor(wide) == wide)
    return xp.astype(xp.where(pole, math.nan, found), x.dtype)


def _digamma_vjp(ct: Tensor, node: Tensor) -> Tensor:
    return ct * polygamma(1, node.inputs[0])


DIGAMMA = elementwise("digamma", 1, FLOAT, (_digamma_vjp,), array_fn=_digamma, traits=[Trait.INEXACT])


@public
def digamma(x: TensorLike, /) -> Tensor:
    """The derivative of `lgamma`; ∓inf at ±0, NaN at negative integers and at -inf."""
    return record(DIGAMMA, x)


# --- polygamma: n! times a zeta function of Hurwitz, by the formula of Euler and Maclaurin (DLMF 25.11.28) ---------


def _power(x: Tensor, n: int) -> Tensor:
    """x to a power n >= 1, by squaring."""
    result: Tensor | None = None
    while n:
        if n & 1:
            result = x if result is None else result * x
        n >>= 1
        x = x * x if n else x
    assert result is not None
    return result


def _zeta(s: int, x: Tensor) -> Tensor:
    """Σ (x + k)⁻ˢ over k >= 0, for x > 0: some terms, and what Euler and Maclaurin have for the rest."""
    count = 8 + s
    total = 1.0 / _power(x, s)
    for k in range(1, count):
        total = total + 1.0 / _power(x + float(k), s)
    w = x + float(count)
    inverse = 1.0 / w
    square = inverse * inverse
    rising, factors = s, []
    for k, (over, under) in enumerate(_BERNOULLI, start=1):
        factors.append(over * rising / (under * math.factorial(2 * k)))
        rising *= (s + 2 * k - 1) * (s + 2 * k)
    series = polynomial(tuple(factors), square)
    result: Tensor = total + _power(inverse, s - 1) * (1.0 / (s - 1) + inverse * (0.5 + inverse * series))
    return result


def _cotangent_derivative(n: int, c: Tensor) -> Tensor:
    """dⁿ/dxⁿ cot(πx) / πⁿ as a polynomial in c = cot(πx): each derivative is -(1 + c²) times that of the polynomial."""
    factors = [0, 1]
    for _ in range(n):
        slope = [k * a for k, a in enumerate(factors)][1:]
        factors = [-(a + b) for a, b in zip([*slope, 0, 0], [0, 0, *slope], strict=True)]
    parity = (n + 1) % 2
    even: Tensor = polynomial(tuple(map(float, factors[parity::2])), c * c)
    return even * c if parity else even


def _polygamma_parts(node: Tensor) -> Tensor:
    (given,), n = node.inputs, node.attrs["n"]
    x = convert(given, float64)
    sign = 1.0 if n % 2 else -1.0
    below = x < 0
    pole = logical_and(below, equal(floor(x), x))  # -inf, too, which becomes NaN
    found = sign * _zeta(n + 1, where(below, 1.0 - x, x)) * float(math.factorial(n))
    between = logical_and(below, logical_not(pole))
    cotangent = 1.0 / tan(math.pi * where(between, x - stop_gradient(round(x)), 0.25))
    reflected = -sign * found - math.pi ** (n + 1) * _cotangent_derivative(n, cotangent)
    at_pole = where(isfinite(x), math.inf, math.nan) if n % 2 else math.nan
    found = where(pole, at_pole, where(below, reflected, found))
    return convert(found, node.dtype)


def _polygamma_vjp(ct: Tensor, node: Tensor) -> Tensor:
    return ct * apply(node.op, node.inputs, n=node.attrs["n"] + 1)


POLYGAMMA = define(
    "polygamma",
    Kind.COMPOSITE,
    lambda types, attrs: types[0],
    (_polygamma_vjp,),
    dtypes=FLOAT,
    decompose=_polygamma_parts,
    traits=[Trait.INEXACT],
)
_HIGHEST = 20


@public
@rounded_once
def polygamma(n: int, x: TensorLike, /) -> Tensor:
    """The n-th derivative of `digamma`. At negative integers inf if n is odd, else NaN.

    Args:
        n: an int from 0, which is `digamma` itself, to 20.
        x: numbers; integers become float32.

    Raises:
        ArgumentError: n is something else.
    """
    if type(n) is not int or not 0 <= n <= _HIGHEST:
        raise ArgumentError(
            "polygamma takes the number of a derivative",
            expected=f"an int from 0 to {_HIGHEST}",
            got=repr(n),
            fix="pass the number itself, not a tensor: gc.polygamma(1, x)",
        )
    return digamma(x) if n == 0 else apply(POLYGAMMA, (float_operand(x),), n=n)
