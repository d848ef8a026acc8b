"""Discrete Fourier transforms: one axis at a time, in the precision of what is transformed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.errors import ArgumentError
from graphc.ir import dims
from graphc.ir.device import require_undecided
from graphc.ir.dims import Dim
from graphc.ir.dtype import COMPLEX, FLOAT, as_dtype, complex_dtype, float32, real_dtype
from graphc.ir.opdef import Kind, Trait, public
from graphc.ir.tensor import Tensor, apply
from graphc.ir.types import TensorType
from graphc.ops.complex import conj, real
from graphc.ops.define import (
    TensorLike,
    as_shape,
    as_tensor,
    constant_node,
    convert,
    define,
    float_operand,
    inexact_operand,
    normalise_axes,
    normalise_axis,
    require_nonempty,
)
from graphc.ops.layout import concat
from graphc.ops.sources import zeros

Attrs = Mapping[str, Any]

_ADJOINT = {"backward": "forward", "ortho": "ortho", "forward": "backward"}
"""Where the factor 1/n stands: with the inverse, halved between both, with the transform. → that of the adjoint."""
_TRAITS = (Trait.INEXACT, Trait.OWN_CONJUGATE)


def _transform(name: str) -> Callable[..., Any]:
    """NumPy's function; nothing is made of nothing, which other libraries refuse."""

    def array_fn(xp: Any, x: Any, axis: int, norm: str) -> Any:
        return x if 0 in x.shape else getattr(xp.fft, name)(x, axis=axis, norm=norm)

    return array_fn


def _same_type(types: tuple[TensorType, ...], attrs: Attrs) -> TensorType:
    require_nonempty(types[0].shape[attrs["axis"]], "a Fourier transform")
    return types[0]


def _adjoint(ct: Tensor, node: Tensor) -> Tensor:
    """The conjugate of the symmetric matrix of the transform: the other transform, with the same factor."""
    other = IFFT if node.op is FFT else FFT
    return apply(other, (ct,), axis=node.attrs["axis"], norm=_ADJOINT[node.attrs["norm"]])


FFT = define(
    "fft", Kind.CONTRACTION, _same_type, (_adjoint,), dtypes=COMPLEX, array_fn=_transform("fft"), traits=_TRAITS
)
IFFT = define(
    "ifft", Kind.CONTRACTION, _same_type, (_adjoint,), dtypes=COMPLEX, array_fn=_transform("ifft"), traits=_TRAITS
)


def _half(size: Dim) -> Dim:
    """How many of the frequencies of real numbers are told apart."""
    return dims.floordiv(size, 2) + 1


def _half_type(types: tuple[TensorType, ...], attrs: Attrs) -> TensorType:
    (operand,), axis = types, attrs["axis"]
    size = operand.shape[axis]
    require_nonempty(size, "a Fourier transform")
    return TensorType(complex_dtype(operand.dtype), _with_size(operand.shape, axis, _half(size)))


def _with_size(shape: Sequence[Dim], axis: int, size: Dim) -> tuple[Dim, ...]:
    return (*shape[:axis], size, *shape[axis + 1 :])


def _rfft(xp: Any, x: Any, axis: int, norm: str) -> Any:
    if 0 in x.shape:
        shape = _with_size(x.shape, axis, x.shape[axis] // 2 + 1)
        return xp.zeros(shape, complex_dtype(as_dtype(x.dtype)).numpy)
    return xp.fft.rfft(x, axis=axis, norm=norm)


def _rfft_vjp(ct: Tensor, node: Tensor) -> Tensor:
    """The adjoint of the whole transform, of which the other half has no cotangent."""
    size, axis = node.inputs[0].shape[node.attrs["axis"]], node.attrs["axis"]
    whole = apply(IFFT, (_sized(ct, axis, size),), axis=axis, norm=_ADJOINT[node.attrs["norm"]])
    return real(whole)


RFFT = define("rfft", Kind.CONTRACTION, _half_type, (_rfft_vjp,), dtypes=FLOAT, array_fn=_rfft, traits=_TRAITS)


def _real_type(types: tuple[TensorType, ...], attrs: Attrs) -> TensorType:
    (operand,) = types
    require_nonempty(attrs["n"], "a Fourier transform")
    return TensorType(real_dtype(operand.dtype), _with_size(operand.shape, attrs["axis"], attrs["n"]))


def _irfft(xp: Any, x: Any, axis: int, norm: str, n: int) -> Any:
    if 0 in x.shape:
        return xp.zeros(_with_size(x.shape, axis, n), real_dtype(as_dtype(x.dtype)).numpy)
    return xp.fft.irfft(x, n, axis=axis, norm=norm)


def _irfft_vjp(ct: Tensor, node: Tensor) -> Tensor:
    """The frequencies between the first and the middle stand for two each."""
    axis, n = node.attrs["axis"], node.attrs["n"]
    half = apply(RFFT, (ct,), axis=axis, norm=_ADJOINT[node.attrs["norm"]])
    middle = dims.floordiv(n + 1, 2)
    ends = [_part(half, axis, slice(0, 1)), _part(half, axis, slice(middle, None))]
    return concat([ends[0], _part(half, axis, slice(1, middle)) * 2.0, ends[1]], axis=axis)


IRFFT = define("irfft", Kind.CONTRACTION, _real_type, (_irfft_vjp,), dtypes=COMPLEX, array_fn=_irfft, traits=_TRAITS)


# --- operands -----------------------------------------------------------------------------------------------


def _part(x: Tensor, axis: int, part: slice) -> Tensor:
    return x[(slice(None),) * axis + (part,)]


def _sized(x: Tensor, axis: int, size: Dim) -> Tensor:
    """Cut to a size along an axis, or filled up with zeros."""
    own = x.shape[axis]
    if own == size:
        return x
    kept = _part(x, axis, slice(0, size))
    missing = size - kept.shape[axis]
    if missing == 0:
        return kept
    return concat([kept, zeros(_with_size(x.shape, axis, missing), dtype=x.dtype)], axis=axis)


def _complex_operand(x: TensorLike) -> Tensor:
    node = inexact_operand(x)
    return convert(node, complex_dtype(node.dtype))


def _size(n: Any, what: str = "n") -> Dim:
    (size,) = as_shape(n)
    if size == 0:
        raise ArgumentError(
            f"{what} must be positive: a Fourier transform over nothing has no value",
            expected="an int >= 1, or None for the size of the axis",
            got=repr(n),
            fix="leave it out, or give the number of points",
        )
    return size


def _require_norm(norm: object) -> None:
    if norm not in _ADJOINT:
        raise ArgumentError(
            f"there is no norm {norm!r}",
            expected='"backward", "ortho" or "forward"',
            got=repr(norm),
            fix='"backward" puts the factor 1/n into the inverse, "forward" elsewhere, "ortho" its root into both',
        )


def _along(op: Any, x: Tensor, axis: int, norm: str, n: Any) -> Tensor:
    """A transform along one axis, cut or filled up to n points."""
    size = x.shape[axis] if n is None else _size(n)
    return apply(op, (_sized(x, axis, size),), axis=axis, norm=norm)


def _to_real(x: Tensor, axis: int, norm: str, n: Any) -> Tensor:
    size = (x.shape[axis] - 1) * 2 if n is None else _size(n)
    half = _half(size) if n is not None else x.shape[axis]
    return apply(IRFFT, (_sized(x, axis, half),), axis=axis, norm=norm, n=size)


def _axes_and_sizes(x: Tensor, s: Any, axes: Any) -> list[tuple[int, Any]]:
    """The axes of a transform along several, and the number of points along each; `None` for the size of the axis."""
    if axes is None:
        order = list(range(x.ndim)) if s is None else list(range(x.ndim))[x.ndim - len(s) :]
    else:
        order = [normalise_axis(axis, x.ndim) for axis in axes]
    sizes = [None] * len(order) if s is None else list(s)
    if len(sizes) != len(order):
        raise ArgumentError(
            "s and axes differ in length",
            expected=f"a number of points for each of {len(order)} axes",
            got=f"s={s!r}, axes={axes!r}",
            fix="name as many axes as sizes, or leave one of the two out",
        )
    return list(zip(order, sizes, strict=True))


# --- along one axis -----------------------------------------------------------------------------------------


@public
def fft(x: TensorLike, /, *, n: Dim | None = None, axis: int = -1, norm: str = "backward") -> Tensor:
    """The discrete Fourier transform along an axis: Σⱼ xⱼ exp(-2πi jk/n). float32 and complex64 give complex64.

    Args:
        x: numbers; real ones become complex.
        n: points: x is cut, or filled up with zeros; by default all there are.
        axis: an int.
        norm: "backward": the factor 1/n is in the inverse; "forward": in the transform; "ortho": its root in both.
    """
    _require_norm(norm)
    node = _complex_operand(x)
    return _along(FFT, node, normalise_axis(axis, node.ndim), norm, n)


@public
def ifft(x: TensorLike, /, *, n: Dim | None = None, axis: int = -1, norm: str = "backward") -> Tensor:
    """The inverse of `fft` along an axis: Σₖ xₖ exp(2πi jk/n) / n.

    Args:
        x: numbers; real ones become complex.
        n: points: x is cut, or filled up with zeros; by default all there are.
        axis: an int.
        norm: as for `fft`.
    """
    _require_norm(norm)
    node = _complex_operand(x)
    return _along(IFFT, node, normalise_axis(axis, node.ndim), norm, n)


@public
def rfft(x: TensorLike, /, *, n: Dim | None = None, axis: int = -1, norm: str = "backward") -> Tensor:
    """The transform of real numbers along an axis: n // 2 + 1 frequencies, of which the others are conjugates.

    Args:
        x: real numbers.
        n: points: x is cut, or filled up with zeros; by default all there are.
        axis: an int.
        norm: as for `fft`.
    """
    _require_norm(norm)
    node = float_operand(x)
    return _along(RFFT, node, normalise_axis(axis, node.ndim), norm, n)


@public
def irfft(x: TensorLike, /, *, n: Dim | None = None, axis: int = -1, norm: str = "backward") -> Tensor:
    """The inverse of `rfft` along an axis: n real numbers. What is imaginary in the first and the middle is ignored.

    Args:
        x: frequencies from 0 to n // 2.
        n: points of the result; by default 2 · (size - 1), which is even.
        axis: an int.
        norm: as for `fft`.
    """
    _require_norm(norm)
    node = _complex_operand(x)
    return _to_real(node, normalise_axis(axis, node.ndim), norm, n)


@public
def hfft(x: TensorLike, /, *, n: Dim | None = None, axis: int = -1, norm: str = "backward") -> Tensor:
    """The transform of n numbers of which the second half are conjugates of the first: real frequencies.

    Args:
        x: the first n // 2 + 1 of them.
        n: points of the result; by default 2 · (size - 1), which is even.
        axis: an int.
        norm: as for `fft`.
    """
    _require_norm(norm)
    node = conj(_complex_operand(x))
    return _to_real(node, normalise_axis(axis, node.ndim), _ADJOINT[norm], n)


@public
def ihfft(x: TensorLike, /, *, n: Dim | None = None, axis: int = -1, norm: str = "backward") -> Tensor:
    """The inverse of `hfft` along an axis: the first n // 2 + 1 numbers.

    Args:
        x: real frequencies.
        n: points: x is cut, or filled up with zeros; by default all there are.
        axis: an int.
        norm: as for `fft`.
    """
    _require_norm(norm)
    node = float_operand(x)
    return conj(_along(RFFT, node, normalise_axis(axis, node.ndim), _ADJOINT[norm], n))


# --- along several axes -------------------------------------------------------------------------------------


@public
def fftn(
    x: TensorLike, /, *, s: Sequence[Dim] | None = None, axes: Sequence[int] | None = None, norm: str = "backward"
) -> Tensor:
    """The transform along several axes, one after the other.

    Args:
        x: numbers; real ones become complex.
        s: points along each axis: x is cut, or filled up with zeros; by default all there are.
        axes: by default all, or the last ones if s is given.
        norm: as for `fft`, along each axis.
    """
    _require_norm(norm)
    node = _complex_operand(x)
    for axis, n in _axes_and_sizes(node, s, axes)[::-1]:
        node = _along(FFT, node, axis, norm, n)
    return node


@public
def ifftn(
    x: TensorLike, /, *, s: Sequence[Dim] | None = None, axes: Sequence[int] | None = None, norm: str = "backward"
) -> Tensor:
    """The inverse of `fftn`.

    Args:
        x: numbers; real ones become complex.
        s: points along each axis: x is cut, or filled up with zeros; by default all there are.
        axes: by default all, or the last ones if s is given.
        norm: as for `fft`, along each axis.
    """
    _require_norm(norm)
    node = _complex_operand(x)
    for axis, n in _axes_and_sizes(node, s, axes)[::-1]:
        node = _along(IFFT, node, axis, norm, n)
    return node


@public
def rfftn(
    x: TensorLike, /, *, s: Sequence[Dim] | None = None, axes: Sequence[int] | None = None, norm: str = "backward"
) -> Tensor:
    """The transform of real numbers along several axes: `rfft` along the last of them, `fft` along the others.

    Args:
        x: real numbers.
        s: points along each axis: x is cut, or filled up with zeros; by default all there are.
        axes: by default all, or the last ones if s is given.
        norm: as for `fft`, along each axis.
    """
    _require_norm(norm)
    node = float_operand(x)
    *others, (last, n) = _require_axes(_axes_and_sizes(node, s, axes), "rfftn")
    node = _along(RFFT, node, last, norm, n)
    for axis, size in others[::-1]:
        node = _along(FFT, node, axis, norm, size)
    return node


@public
def irfftn(
    x: TensorLike, /, *, s: Sequence[Dim] | None = None, axes: Sequence[int] | None = None, norm: str = "backward"
) -> Tensor:
    """The inverse of `rfftn`: `ifft` along all axes but the last, `irfft` along that.

    Args:
        x: frequencies; along the last axis from 0 to the middle.
        s: points of the result along each axis; along the last 2 · (size - 1) by default.
        axes: by default all, or the last ones if s is given.
        norm: as for `fft`, along each axis.
    """
    _require_norm(norm)
    node = _complex_operand(x)
    *others, (last, n) = _require_axes(_axes_and_sizes(node, s, axes), "irfftn")
    for axis, size in others:
        node = _along(IFFT, node, axis, norm, size)
    return _to_real(node, last, norm, n)


def _require_axes(found: list[tuple[int, Any]], what: str) -> list[tuple[int, Any]]:
    if not found:
        raise ArgumentError(
            f"{what}: there is no axis", expected="at least one", got="none", fix="name one: axes=(-1,), or s=(n,)"
        )
    return found


# --- frequencies --------------------------------------------------------------------------------------------


def _frequencies(function: Callable[..., Any], n: int, d: float, dtype: Any) -> Tensor:
    size = _size(n)
    if isinstance(size, dims.Poly):
        raise ArgumentError(
            "the number of frequencies must be static",
            expected="an int >= 1",
            got=repr(n),
            fix="write the number, or feed the frequencies",
        )
    return constant_node(function(size, d).astype(as_dtype(float32 if dtype is None else dtype).numpy))


@public
def fftfreq(n: int, /, *, d: float = 1.0, dtype: Any = None, device: None = None) -> Tensor:
    """The frequencies of the results of `fft`, in their order: 0, 1, …, -2, -1, divided by n · d.

    Args:
        n: points.
        d: the distance between two of them.
        dtype: float32 by default.
        device: `None`.
    """
    require_undecided(device)
    return _frequencies(np.fft.fftfreq, n, d, dtype)


@public
def rfftfreq(n: int, /, *, d: float = 1.0, dtype: Any = None, device: None = None) -> Tensor:
    """The frequencies of the results of `rfft`: 0, 1, …, n // 2, divided by n · d.

    Args:
        n: points.
        d: the distance between two of them.
        dtype: float32 by default.
        device: `None`.
    """
    require_undecided(device)
    return _frequencies(np.fft.rfftfreq, n, d, dtype)


def _rolled(x: TensorLike, axes: Any, first: Callable[[Dim], Dim]) -> Tensor:
    node = as_tensor(x)
    for axis in normalise_axes(axes, node.ndim):
        start = first(node.shape[axis])
        node = concat([_part(node, axis, slice(start, None)), _part(node, axis, slice(0, start))], axis=axis)
    return node


@public
def fftshift(x: TensorLike, /, *, axes: int | Sequence[int] | None = None) -> Tensor:
    """The halves of each axis exchanged, so that frequency 0 is in the middle.

    Args:
        x: any tensor.
        axes: an int, several, or `None` for all.
    """
    return _rolled(x, axes, lambda size: dims.floordiv(size + 1, 2))


@public
def ifftshift(x: TensorLike, /, *, axes: int | Sequence[int] | None = None) -> Tensor:
    """The inverse of `fftshift`: frequency 0 comes first again.

    Args:
        x: any tensor.
        axes: an int, several, or `None` for all.
    """
    return _rolled(x, axes, lambda size: dims.floordiv(size, 2))
