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


def _quotient(xp: Any, p: tuple[float, ...], q: tuple[float, ...], z: Any) -> Any:
    numerator, denominator = xp.full_like(z, p[-1]), xp.full_like(z, q[-1])
    for coefficient in p[-2::-1]:
        numerator = numerator * z + coefficient
    for coefficient in q[-2::-1]:
        denominator = denominator * z + coefficient
    return numerator / denominator


def _erf(xp: Any, x: Any) -> Any:
    if x.dtype != np.float32:  # wider numbers, too: tests evaluate ops in extended precision
        return xp.astype(_erf_double(xp, xp.astype(x, np.float64)), x.dtype)
    wide = xp.clip(xp.astype(x, np.float64), -4.0, 4.0)
    return xp.astype(wide * _quotient(xp, SINGLE_P, SINGLE_Q, wide * wide), x.dtype)


def _erf_double(xp: Any, x: Any) -> Any:
    """A region without elements is not computed."""
    wide = xp.asarray(x)
    size = xp.abs(wide)
    result = wide + wide * _quotient(xp, _NEAR_P, _NEAR_Q, xp.minimum(wide * wide, 1.0))
    middle, far = (size >= 0.84375) & (size < 1.25), size >= 1.25
    if xp.any(middle):
        value = _AT_ONE + _quotient(xp, _MIDDLE_P, _MIDDLE_Q, size - 1.0)
        result = xp.where(middle, xp.copysign(value, wide), result)
    if xp.any(far):
        # Beyond 6, 1 - erf is below half an ulp; the limit also keeps inf · 0 out of the quotient.
        limited = xp.clip(size, 1.25, 6.0)
        s = 1.0 / (limited * limited)
        tail = _quotient(xp, _TAIL_P, _TAIL_Q, s)
        ratio = xp.where(size >= 1 / 0.35, tail, _quotient(xp, _FAR_P, _FAR_Q, s))
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
