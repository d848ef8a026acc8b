"""Complex numbers: their parts, what is made of parts, and conjugation.

The gradient of a real loss with regard to z is ∂L/∂Re z + i ∂L/∂Im z: the rules of this file say so themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphc.errors import DTypeError
from graphc.ir import dims
from graphc.ir.dtype import COMPLEX, FLOAT, FLOAT8, complex_dtype, float32, names, real_dtype
from graphc.ir.opdef import FUNCTIONS, Kind, Trait, public
from graphc.ir.tensor import Tensor, apply
from graphc.ir.types import TensorType
from graphc.ops.define import TensorLike, as_tensor, common_dtype, convert, define, elementwise
from graphc.ops.precision import rounded_once

_OWN = (Trait.OWN_CONJUGATE,)


def is_complex(node: Tensor) -> bool:
    """Whether it holds complex numbers."""
    return node.dtype.kind == "complex"


REAL = elementwise(
    "real",
    1,
    COMPLEX,
    (lambda ct, node: convert(ct, node.inputs[0].dtype),),
    result=real_dtype,
    array_fn=lambda xp, x: xp.real(x),
    traits=_OWN,
)


@public
def real(x: TensorLike, /) -> Tensor:
    """The real part, in the float dtype of the parts; real numbers are what they are."""
    node = as_tensor(x)
    return apply(REAL, (node,)) if is_complex(node) else node


def _imag_vjp(ct: Tensor, node: Tensor) -> Tensor:
    return complex(0.0, ct)


IMAG = elementwise(
    "imag",
    1,
    COMPLEX,
    (_imag_vjp,),
    result=real_dtype,
    array_fn=lambda xp, x: xp.imag(x),
    traits=_OWN,
)


@public
def imag(x: TensorLike, /) -> Tensor:
    """The imaginary part, in the float dtype of the parts; zeros for real numbers."""
    node = as_tensor(x)
    zeros: Tensor = apply(IMAG, (node,)) if is_complex(node) else FUNCTIONS["zeros_like"](node)
    return zeros


CONJ = elementwise("conj", 1, COMPLEX, (lambda ct, node: conj(ct),), array_fn="conjugate", traits=_OWN)


@public
def conj(x: TensorLike, /) -> Tensor:
    """The complex conjugate; real numbers are what they are."""
    node = as_tensor(x)
    return apply(CONJ, (node,)) if is_complex(node) else node


def _complex_type(types: tuple[TensorType, ...], attrs: Mapping[str, Any]) -> TensorType:
    first, second = types
    if first.dtype not in FLOAT or first.dtype is not second.dtype:
        raise DTypeError("the parts are real numbers of one dtype", expected=names(FLOAT))
    return TensorType(complex_dtype(first.dtype), dims.broadcast([first.shape, second.shape]))


def _complex(xp: Any, re: Any, im: Any) -> Any:
    """Put together, not added: 1j · inf would make a NaN of the real part."""
    parts = xp.broadcast_arrays(re, im)
    return xp.stack(parts, axis=-1).view("c8" if re.dtype.itemsize == 4 else "c16")[..., 0]


FROM_PARTS = define(
    "complex",
    Kind.ELEMENTWISE,
    _complex_type,
    (lambda ct, node: real(ct), lambda ct, node: imag(ct)),
    dtypes=FLOAT,
    array_fn=_complex,
    traits=_OWN,
)


@public
@rounded_once
def complex(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """x1 + i · x2, put together without arithmetic: either may be infinite. float32 gives complex64.

    Args:
        x1: the real part.
        x2: the imaginary part.

    Raises:
        DTypeError: a part is complex itself.
    """
    values, dtype = common_dtype([x1, x2])
    if dtype.kind == "complex" or dtype in FLOAT8:
        raise DTypeError(
            f"complex does not take {dtype}",
            expected="two real parts",
            got=", ".join(repr(value) for value in values),
            fix="of complex numbers x + 1j * y is the sum" if dtype.kind == "complex" else "x.astype(gc.float32)",
        )
    wanted = dtype if dtype in FLOAT else float32
    return apply(FROM_PARTS, [convert(value, wanted) for value in values])


def _angle_vjp(ct: Tensor, node: Tensor) -> Tensor:
    """A step across the line to the origin: i · z / |z|²."""
    re, im = real(node.inputs[0]), imag(node.inputs[0])
    slope = ct / (re * re + im * im)
    return complex(-(im * slope), re * slope)


ANGLE = elementwise(
    "angle",
    1,
    COMPLEX,
    (_angle_vjp,),
    result=real_dtype,
    array_fn=lambda xp, x: xp.arctan2(xp.imag(x), xp.real(x)),
    traits=[Trait.INEXACT, Trait.OWN_CONJUGATE],
)


@public
def angle(x: TensorLike, /) -> Tensor:
    """The argument of a complex number in radians, from -π to π; 0 or π for real numbers, by their sign."""
    node = as_tensor(x)
    if is_complex(node):
        return apply(ANGLE, (node,))
    turned: Tensor = FUNCTIONS["atan2"](0.0, node)
    return turned
