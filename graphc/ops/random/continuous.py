"""Distributions of real numbers. All but uniforms are drawn in float64 and rounded once to their dtype.

So a dtype changes a value by its rounding only, and tails are as long in float32 as in float64. Gradients flow through
the parameters by which a standard variable is moved and scaled.
"""

from __future__ import annotations

import math
from typing import Any

from graphc.errors import ArgumentError
from graphc.ir.dims import Shape
from graphc.ir.dtype import DType, float32, float64
from graphc.ir.tensor import Tensor, apply
from graphc.ops.arithmetic import floor, negative
from graphc.ops.define import TensorLike, convert
from graphc.ops.exponential import log, log1p
from graphc.ops.random.keys import drawn_from
from graphc.ops.random.parameters import fitted, given, moved, number, part, require_finite, require_scale, result_shape
from graphc.ops.random.public import public
from graphc.ops.random.streams import NORMAL, TRUNCATED, UNIFORM, float_dtype, stream


@public
def uniform(
    shape: Any = (),
    *,
    dtype: Any = float32,
    low: TensorLike = 0.0,
    high: TensorLike = 1.0,
    key: TensorLike | None = None,
) -> Tensor:
    """Numbers in [low, high), evenly spread: low + (high - low) · u, where u is what `graphc.philox.uniform` gives.

    u is a multiple of 2**-24 in float32, of 2**-53 in float64. Rounding the product and the sum may give `high` itself.

    Args:
        shape: ints or dims; an int for one axis.
        dtype: of a float kind.
        low: the lower limit, a number or a tensor that broadcasts to the shape.
        high: the upper one, not below it.
        key: where randomness comes from; by default the session's seed, the op's name and the step.

    Raises:
        ArgumentError: numbers whose order is wrong, or that are not finite.
        ShapeError: a limit does not broadcast to the shape.
        DTypeError: the dtype is of another kind.
    """
    found, sizes = float_dtype(dtype, "gc.random.uniform"), _shape(shape)
    for limit in (low, high):
        require_finite("gc.random.uniform: a limit", limit)
    first, last = (number(limit, "", "") for limit in (low, high))
    if first is not None and last is not None and first > last:
        raise ArgumentError(
            "gc.random.uniform: the limits are in the wrong order",
            expected="low <= high",
            got=f"low={low!r}, high={high!r}",
            fix="exchange the two",
        )
    if (first, last) == (0.0, 1.0):
        return stream(UNIFORM, drawn_from(key, "uniform"), sizes, found)
    start = fitted(low, found, sizes)
    width = (
        convert(last - first, found) if first is not None and last is not None else fitted(high, found, sizes) - start
    )
    return start + width * stream(UNIFORM, drawn_from(key, "uniform", start, width), sizes, found)


def _shape(shape: Any) -> Shape:
    return result_shape(() if shape is None else shape)


@public
def normal(
    shape: Any = (),
    *,
    dtype: Any = float32,
    mean: TensorLike = 0.0,
    stddev: TensorLike = 1.0,
    key: TensorLike | None = None,
) -> Tensor:
    """Normal numbers: mean + stddev · z, where z is what `graphc.philox.normal` gives, at most 8.6 in magnitude.

    Args:
        shape: ints or dims; an int for one axis.
        dtype: of a float kind.
        mean: a number, or a tensor that broadcasts to the shape.
        stddev: the standard deviation, not negative, likewise.
        key: where randomness comes from; by default the session's seed, the op's name and the step.

    Raises:
        ArgumentError: a number is not finite, or `stddev` is negative.
        ShapeError: a parameter does not broadcast to the shape.
        DTypeError: the dtype is of another kind.
    """
    found, sizes = float_dtype(dtype, "gc.random.normal"), _shape(shape)
    require_finite("gc.random.normal: mean", mean)
    require_scale("gc.random.normal: stddev", stddev)
    loc, scale = part(mean, 0.0, found, sizes), part(stddev, 1.0, found, sizes)
    return moved(stream(NORMAL, drawn_from(key, "normal", *given(loc, scale)), sizes, found), loc, scale)


@public
def truncated_normal(
    shape: Any = (),
    *,
    dtype: Any = float32,
    mean: TensorLike = 0.0,
    stddev: TensorLike = 1.0,
    low: float = -2.0,
    high: float = 2.0,
    key: TensorLike | None = None,
) -> Tensor:
    """Normal numbers within mean + stddev · [low, high], as if others were drawn again.

    They come from uniforms by the quantile function, and are not those of `gc.init.truncated_normal`.

    Args:
        shape: ints or dims; an int for one axis.
        dtype: of a float kind.
        mean: of the normal before the cut, a number or a tensor that broadcasts to the shape.
        stddev: its standard deviation, likewise.
        low: the lower limit in standard deviations, a number; -inf for none.
        high: the upper limit, above it.
        key: where randomness comes from; by default the session's seed, the op's name and the step.

    Raises:
        ArgumentError: limits between which there is nothing; a number is not finite, or `stddev` is negative.
        ShapeError: a parameter does not broadcast to the shape.
        DTypeError: the dtype is of another kind.
    """
    found, sizes = float_dtype(dtype, "gc.random.truncated_normal"), _shape(shape)
    require_finite("gc.random.truncated_normal: mean", mean)
    require_scale("gc.random.truncated_normal: stddev", stddev)
    limits = [number(limit, "gc.random.truncated_normal: a limit", "a number, static") for limit in (low, high)]
    if None in limits or not _has_mass(float(low), float(high)):
        raise ArgumentError(
            "gc.random.truncated_normal: there is nothing between the limits",
            expected="numbers low < high, in standard deviations, no further than 37 from the mean",
            got=f"low={low!r}, high={high!r}",
            fix="limits of the values themselves become (limit - mean) / stddev",
        )
    loc, scale = part(mean, 0.0, found, sizes), part(stddev, 1.0, found, sizes)
    source = drawn_from(key, "truncated_normal", *given(loc, scale))
    standard = apply(TRUNCATED, (source,), shape=sizes, low=float(low), high=float(high))
    return moved(convert(standard, found), loc, scale)


def _has_mass(low: float, high: float) -> bool:
    """Whether a normal is between the limits with a probability that float64 can hold."""
    if not low < high:
        return False
    near = min(abs(low), abs(high)) if low * high > 0 else 0.0
    return 0.5 * math.erfc(near * math.sqrt(0.5)) > 1e-300


@public
def exponential(
    shape: Any = (), *, dtype: Any = float32, scale: TensorLike = 1.0, key: TensorLike | None = None
) -> Tensor:
    """Exponential numbers of the mean `scale`: -scale · log(1 - u).

    Args:
        shape: ints or dims; an int for one axis.
        dtype: of a float kind.
        scale: the mean, 1 / rate: a number that is not negative, or a tensor that broadcasts to the shape.
        key: where randomness comes from; by default the session's seed, the op's name and the step.

    Raises:
        ArgumentError: the scale is negative or not finite.
        ShapeError: the scale does not broadcast to the shape.
        DTypeError: the dtype is of another kind.
    """
    found, sizes = float_dtype(dtype, "gc.random.exponential"), _shape(shape)
    require_scale("gc.random.exponential: scale", scale)
    factor = part(scale, 1.0, found, sizes)
    source = drawn_from(key, "exponential", *given(factor))
    u = stream(UNIFORM, source, sizes, float64)
    return moved(convert(negative(log1p(negative(u))), found), None, factor)


@public
def gumbel(
    shape: Any = (),
    *,
    dtype: Any = float32,
    loc: TensorLike = 0.0,
    scale: TensorLike = 1.0,
    key: TensorLike | None = None,
) -> Tensor:
    """Gumbel numbers, the extremes of exponential tails: loc - scale · log(-log u), from -3.6 to 36.7 times the scale.

    Args:
        shape: ints or dims; an int for one axis.
        dtype: of a float kind.
        loc: the most likely value, a number or a tensor that broadcasts to the shape.
        scale: not negative, likewise.
        key: where randomness comes from; by default the session's seed, the op's name and the step.

    Raises:
        ArgumentError: a number is not finite, or the scale is negative.
        ShapeError: a parameter does not broadcast to the shape.
        DTypeError: the dtype is of another kind.
    """
    found, sizes = float_dtype(dtype, "gc.random.gumbel"), _shape(shape)
    require_finite("gc.random.gumbel: loc", loc)
    require_scale("gc.random.gumbel: scale", scale)
    place, factor = part(loc, 0.0, found, sizes), part(scale, 1.0, found, sizes)
    source = drawn_from(key, "gumbel", *given(place, factor))
    return moved(standard_gumbel(source, sizes, found), place, factor)


def standard_gumbel(key: Tensor, shape: Shape, dtype: DType) -> Tensor:
    """Of uniforms (2k + 1) · 2**-53, which are neither 0 nor 1."""
    u = floor(stream(UNIFORM, key, shape, float64) * 2.0**52) * 2.0**-52 + 2.0**-53
    return convert(negative(log(negative(log(u)))), dtype)
