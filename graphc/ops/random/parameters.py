"""Parameters of distributions: numbers, or tensors that broadcast to the shape that is drawn."""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np

from graphc.errors import ArgumentError, ShapeError
from graphc.ir import dims
from graphc.ir.dims import Shape
from graphc.ir.dtype import DType
from graphc.ir.tensor import Tensor
from graphc.ops.define import TensorLike, as_shape, as_tensor, convert
from graphc.ops.layout import broadcast_to

_LARGEST = sys.float_info.max
_NUMBERS = (bool, int, float, np.number)


def number(value: object, what: str, expected: str, low: float = -math.inf, high: float = math.inf) -> float | None:
    """A parameter that is one number, held to [low, high]; `None` for a tensor, an array or a list.

    Raises:
        ArgumentError: it is out of range, NaN or no number.
    """
    if isinstance(value, (Tensor, np.ndarray, list, tuple)):
        return None
    found = float(value) if isinstance(value, _NUMBERS) else math.nan
    if not low <= found <= high:
        fix = "pass such a number, or a tensor of them; what a tensor holds is not checked"
        raise ArgumentError(f"{what} is out of range", expected=expected, got=repr(value), fix=fix)
    return found


def result_shape(shape: Any, *parameters: Tensor) -> Shape:
    """The shape that is drawn: as given, or else that to which the parameters broadcast."""
    return dims.broadcast([node.shape for node in parameters]) if shape is None else as_shape(shape)


def fitted(value: TensorLike, dtype: DType, shape: Shape) -> Tensor:
    """A parameter in a dtype, broadcast to the shape that is drawn unless it is one number.

    Raises:
        ShapeError: it does not broadcast to that.
    """
    node = convert(value if isinstance(value, (bool, int, float)) else as_tensor(value), dtype)
    return spread(node, shape) if node.ndim else node


def spread(value: Tensor, shape: Shape) -> Tensor:
    """A parameter, broadcast to the shape that is drawn.

    Raises:
        ShapeError: it does not broadcast to that.
    """
    try:
        return broadcast_to(value, shape)
    except ShapeError:
        raise ShapeError(
            "a parameter does not broadcast to the shape that is drawn",
            expected=f"a shape that broadcasts to {dims.shape_text(shape)}",
            got=str(value.type),
            fix="draw the shape of the parameter, or give the parameter another one with gc.reshape",
        ) from None


def part(value: TensorLike, neutral: float, dtype: DType, shape: Shape) -> Tensor | None:
    """A parameter as a tensor; `None` for the number that changes nothing."""
    return None if isinstance(value, (int, float)) and value == neutral else fitted(value, dtype, shape)


def moved(standard: Tensor, loc: Tensor | None, scale: Tensor | None) -> Tensor:
    """loc + scale · x."""
    scaled = standard if scale is None else scale * standard
    return scaled if loc is None else loc + scaled


def given(*parts: Tensor | None) -> list[Tensor]:
    """Those that there are."""
    return [part for part in parts if part is not None]


def require_finite(what: str, value: object) -> None:
    """Holds a number to being finite."""
    number(value, what, "a finite number", -_LARGEST, _LARGEST)


def require_scale(what: str, value: object) -> None:
    """Holds a number to being a scale."""
    number(value, what, "a number that is neither negative nor infinite", 0.0, _LARGEST)


def full_size(value: Tensor, dtype: DType, shape: Shape) -> Tensor:
    """A parameter with as many elements as are drawn."""
    return spread(convert(value, dtype), shape)
