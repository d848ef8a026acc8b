"""Powers and logarithms to other bases, roots, and sums of exponentials and of squares."""

from __future__ import annotations

import math
from collections.abc import Callable

from graphc.ir.dtype import FLOAT, INEXACT
from graphc.ir.opdef import Trait, public
from graphc.ir.tensor import Tensor
from graphc.ops.comparison import where
from graphc.ops.define import TensorLike, elementwise, record
from graphc.ops.exponential import sigmoid

_INEXACT = (Trait.INEXACT,)

EXP2 = elementwise("exp2", 1, FLOAT, (lambda ct, node: ct * (node * math.log(2.0)),), traits=_INEXACT)


@public
def exp2(x: TensorLike, /) -> Tensor:
    """2 to the power of x."""
    return record(EXP2, x)


LOG2 = elementwise("log2", 1, INEXACT, (lambda ct, node: ct / (node.inputs[0] * math.log(2.0)),), traits=_INEXACT)


@public
def log2(x: TensorLike, /) -> Tensor:
    """The logarithm to the base 2; -inf at 0, NaN below."""
    return record(LOG2, x)


LOG10 = elementwise("log10", 1, INEXACT, (lambda ct, node: ct / (node.inputs[0] * math.log(10.0)),), traits=_INEXACT)


@public
def log10(x: TensorLike, /) -> Tensor:
    """The logarithm to the base 10; -inf at 0, NaN below."""
    return record(LOG10, x)


def _share(first: int) -> Callable[[Tensor, Tensor], Tensor]:
    """exp(x1) / (exp(x1) + exp(x2)), which overflows nowhere."""
    return lambda ct, node: ct * sigmoid(node.inputs[first] - node.inputs[1 - first])


LOGADDEXP = elementwise("logaddexp", 2, FLOAT, (_share(0), _share(1)), traits=_INEXACT)


@public
def logaddexp(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """log(exp(x1) + exp(x2)), without overflow."""
    return record(LOGADDEXP, x1, x2)


CBRT = elementwise("cbrt", 1, FLOAT, (lambda ct, node: ct / (node * node * 3.0),), traits=_INEXACT)


@public
def cbrt(x: TensorLike, /) -> Tensor:
    """The real cube root, that of negative numbers too. The gradient at 0 is infinite."""
    return record(CBRT, x)


def _leg_vjp(leg: int) -> Callable[[Tensor, Tensor], Tensor]:
    def vjp(ct: Tensor, node: Tensor) -> Tensor:
        return ct * (node.inputs[leg] / where(node == 0, 1.0, node))

    return vjp


HYPOT = elementwise("hypot", 2, FLOAT, (_leg_vjp(0), _leg_vjp(1)), traits=_INEXACT)


@public
def hypot(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """sqrt(x1² + x2²), without overflow; inf beside a NaN is inf. The gradient at the origin is 0."""
    return record(HYPOT, x1, x2)
