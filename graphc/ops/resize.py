"""Images of another size: every new pixel is a weighted mean of those near its place."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np

from graphc.errors import ArgumentError, ShapeError
from graphc.ir.opdef import public
from graphc.ir.tensor import Tensor
from graphc.ops.arithmetic import add
from graphc.ops.define import TensorLike, as_tensor, convert, float_operand
from graphc.ops.gather import take
from graphc.ops.layout import reshape
from graphc.ops.precision import rounded_once
from graphc.ops.windows import as_given, per_axis, with_channels_last


def _triangle(x: np.ndarray) -> np.ndarray:
    return np.asarray(np.maximum(1 - np.abs(x), 0))


def _keys(x: np.ndarray) -> np.ndarray:
    """Keys, Cubic convolution interpolation for digital image processing, 1981, with a = -1/2."""
    x = np.abs(x)
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


_KERNELS: dict[str, tuple[float, Callable[[np.ndarray], np.ndarray]]] = {
    "linear": (1.0, _triangle),
    "cubic": (2.0, _keys),
}
METHODS = ("nearest", *_KERNELS)


def _taps(old: int, new: int, method: str, antialias: bool) -> tuple[np.ndarray, np.ndarray]:
    """Positions and weights, (taps, new): pixel i covers [i, i + 1), so that the middle of j is at (j + ½) · old / new.

    What lies outside is left out, and the others' weights are made to add up to 1.
    """
    scale = old / new
    middle = (np.arange(new) + 0.5) * scale
    if method == "nearest":
        return np.minimum(np.floor(middle), old - 1).astype(np.int64)[None], np.ones((1, new))
    support, kernel = _KERNELS[method]
    width = max(scale, 1.0) if antialias else 1.0
    first = np.ceil(middle - 0.5 - support * width).astype(np.int64)
    places = first + np.arange(math.floor(2 * support * width) + 1)[:, None]
    weights = np.where((places >= 0) & (places < old), kernel((places + 0.5 - middle) / width), 0.0)
    used = np.any(weights != 0, axis=1)
    return np.clip(places, 0, old - 1)[used], (weights / weights.sum(axis=0))[used]


def _along(x: Tensor, axis: int, new: int, method: str, antialias: bool) -> Tensor:
    old = x.shape[axis]
    assert isinstance(old, int)
    if old == new:
        return x
    places, weights = _taps(old, new, method, antialias)
    parts = [take(x, as_tensor(place), axis=axis) for place in places]
    if method == "nearest":
        return parts[0]
    column = (new, *(1,) * (x.ndim - axis - 1))
    factors = [convert(as_tensor(weight), x.dtype) for weight in weights]
    return reduce(add, (part * reshape(factor, column) for part, factor in zip(parts, factors, strict=True)))


@public
@rounded_once
def resize(
    x: TensorLike, size: Any, /, *, method: str = "linear", antialias: bool = True, data_format: str = "NHWC"
) -> Tensor:
    """Images at another size. The middle of pixel j is at j + ½ (half-pixel centres, corners are not aligned).

    Args:
        x: numbers `(batch, *positions, channels)` with static positions; integers become float32 unless nearest.
        size: new sizes of the positions, one for all axes or one each.
        method: "nearest"; "linear": the two pixels that are near along each axis; "cubic": four, by Keys with a = -1/2.
        antialias: whether pixels that become fewer are means over all that they replace; not for "nearest".
        data_format: "NHWC", or "NCHW" for `(batch, channels, *positions)`.

    Returns:
        `(batch, *size, channels)`, or `(batch, channels, *size)`.

    Raises:
        ArgumentError: there is no such method.
        ShapeError: the positions are symbolic, or there are none.
    """
    if method not in METHODS:
        raise ArgumentError(
            "resize knows no such method",
            expected="one of: " + ", ".join(map(repr, METHODS)),
            got=repr(method),
            fix="'linear' is called bilinear elsewhere, 'cubic' bicubic",
        )
    node = as_tensor(x) if method == "nearest" else float_operand(x)
    node = with_channels_last(node, data_format, "resize")
    target = per_axis(size, node.ndim - 2, "size")
    for old in node.shape[1:-1]:
        if not isinstance(old, int) or old < 1:
            raise ShapeError(
                "resize must know how many pixels there are",
                expected="static sizes >= 1",
                got=str(node.type),
                fix="declare the positions with numbers; the batch and the channels may be symbolic",
            )
    for axis, new in enumerate(target, start=1):
        node = _along(node, axis, new, method, bool(antialias))
    return as_given(node, data_format)
