"""Modified Bessel functions, scaled. Evaluated in float64 and rounded once."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphc.ir.dtype import FLOAT
from graphc.ir.opdef import Trait, public
from graphc.ir.tensor import Tensor
from graphc.ops.arithmetic import sign
from graphc.ops.comparison import where
from graphc.ops.define import TensorLike, elementwise, record
from graphc.ops.special import polynomial
from graphc.ops.structure import stop_gradient

# Up to 8 the power series (DLMF 10.25.2), whose terms are positive; beyond, of exp(-x) √x I(x) in 1/x, the Chebyshev
# series of Moshier's Cephes (i0.c, i1.c, release 2.8, 2000), the last coefficients first.
_TERMS = 32
_ZERO_NEAR = tuple(1.0 / math.factorial(k) ** 2 for k in range(_TERMS))
_ONE_NEAR = tuple(0.5 / (math.factorial(k) * math.factorial(k + 1)) for k in range(_TERMS))
_ZERO_FAR = (
    -7.23318048787475395456e-18, -4.83050448594418207126e-18, 4.46562142029675999901e-17, 3.46122286769746109310e-17,
    -2.82762398051658348494e-16, -3.42548561967721913462e-16, 1.77256013305652638360e-15, 3.81168066935262242075e-15,
    -9.55484669882830764870e-15, -4.15056934728722208663e-14, 1.54008621752140982691e-14, 3.85277838274214270114e-13,
    7.18012445138366623367e-13, -1.79417853150680611778e-12, -1.32158118404477131188e-11, -3.14991652796324136454e-11,
    1.18891471078464383424e-11, 4.94060238822496958910e-10, 3.39623202570838634515e-9, 2.26666899049817806459e-8,
    2.04891858946906374183e-7, 2.89137052083475648297e-6, 6.88975834691682398426e-5, 3.36911647825569408990e-3,
    8.04490411014108831608e-1,
)  # fmt: skip
_ONE_FAR = (
    7.51729631084210481353e-18, 4.41434832307170791151e-18, -4.65030536848935832153e-17, -3.20952592199342395980e-17,
    2.96262899764595013876e-16, 3.30820231092092828324e-16, -1.88035477551078244854e-15, -3.81440307243700780478e-15,
    1.04202769841288027642e-14, 4.27244001671195135429e-14, -2.10154184277266431302e-14, -4.08355111109219731823e-13,
    -7.19855177624590851209e-13, 2.03562854414708950722e-12, 1.41258074366137813316e-11, 3.25260358301548823856e-11,
    -1.89749581235054123450e-11, -5.58974346219658380687e-10, -3.83538038596423702205e-9, -2.63146884688951950684e-8,
    -2.51223623787020892529e-7, -3.88256480887769039346e-6, -1.10588938762623716291e-4, -9.76109749136146840777e-3,
    7.78576235018280120474e-1,
)  # fmt: skip


def _chebyshev(coefficients: tuple[float, ...], x: Any) -> Any:
    """A Chebyshev series, half of its last coefficient included, by Clenshaw's recurrence."""
    before: Any = 0.0
    last: Any = 0.0
    value: Any = coefficients[0]
    for coefficient in coefficients[1:]:
        before, last, value = last, value, x * value - last + coefficient
    return 0.5 * (value - before)


def _scaled(xp: Any, size: Any, near: tuple[float, ...], far: tuple[float, ...]) -> tuple[Any, Any]:
    """Both series, where each is used and at its border elsewhere."""
    beyond, within = xp.maximum(size, 8.0), xp.minimum(size, 8.0)
    return (
        xp.exp(-within) * polynomial(near, 0.25 * within * within),
        _chebyshev(far, 32.0 / beyond - 2.0) / xp.sqrt(beyond),
    )


def _i0e(xp: Any, x: Any) -> Any:
    size = xp.abs(xp.astype(x, np.float64))
    near, far = _scaled(xp, size, _ZERO_NEAR, _ZERO_FAR)
    return xp.astype(xp.where(size <= 8.0, near, far), x.dtype)


def _i1e(xp: Any, x: Any) -> Any:
    wide = xp.astype(x, np.float64)
    size = xp.abs(wide)
    near, far = _scaled(xp, size, _ONE_NEAR, _ONE_FAR)
    return xp.astype(xp.where(size <= 8.0, near * wide, xp.where(wide < 0, -far, far)), x.dtype)


I0E = elementwise(
    "i0e",
    1,
    FLOAT,
    (lambda ct, node: ct * (i1e(node.inputs[0]) - stop_gradient(sign(node.inputs[0])) * node),),
    array_fn=_i0e,
    traits=[Trait.INEXACT],
)


@public
def i0e(x: TensorLike, /) -> Tensor:
    """exp(-|x|) · I₀(x), the modified Bessel function of order 0, scaled. The gradient at 0 is 0."""
    return record(I0E, x)


def _i1e_vjp(ct: Tensor, node: Tensor) -> Tensor:
    """I₁′(x) = I₀(x) - I₁(x) / x, whose quotient is 1/2 at 0."""
    (x,) = node.inputs
    share = where(x == 0, 0.5, node / where(x == 0, 1.0, x))
    return ct * (i0e(x) - share - stop_gradient(sign(x)) * node)


I1E = elementwise("i1e", 1, FLOAT, (_i1e_vjp,), array_fn=_i1e, traits=[Trait.INEXACT])


@public
def i1e(x: TensorLike, /) -> Tensor:
    """exp(-|x|) · I₁(x), the modified Bessel function of order 1, scaled."""
    return record(I1E, x)
