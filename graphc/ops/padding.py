"""A border around a tensor: of one value, or of the tensor's own elements."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.errors import ShapeError, unknown_name
from graphc.ir.opdef import public
from graphc.ir.tensor import Tensor
from graphc.ops import layout
from graphc.ops.define import TensorLike, as_tensor
from graphc.ops.gather import take


@public
def pad(x: TensorLike, /, pad_width: Any, mode: str = "constant", *, constant_values: TensorLike = 0) -> Tensor:
    """x with a border.

    Args:
        x: any tensor.
        pad_width: widths before and after: one int for all, one pair for all axes, or a pair per axis.
        mode: `"constant"`; or what the border repeats, along axes of static size: `"edge"`, the first and the last
            elements; `"wrap"`, what stands at the other end; `"reflect"` and `"symmetric"`, what stands at this end,
            backwards, without and with the element at the edge.
        constant_values: a scalar, for `"constant"`.

    Raises:
        ArgumentError: the widths do not fit the axes, or one is negative.
        ShapeError: an axis whose elements are repeated is empty, or its size is not static.
        UnknownNameError: there is no such mode.
    """
    if mode == "constant":
        return layout.pad(x, pad_width, constant_values=constant_values)
    if mode not in _POSITIONS:
        raise unknown_name("mode of pad", mode, ["constant", *_POSITIONS])
    node = as_tensor(x)
    for axis, (before, after) in enumerate(layout.pad_widths(pad_width, node.ndim)):
        if before or after:
            size = _static_size(node, axis, mode)
            node = take(node, _POSITIONS[mode](np.arange(-before, size + after), size), axis=axis)
    return node


def _static_size(x: Tensor, axis: int, mode: str) -> int:
    size = x.shape[axis]
    if not isinstance(size, int) or size == 0:
        lack = "elements" if size == 0 else "static size"
        raise ShapeError(
            f"pad: the mode {mode!r} repeats elements, and axis {axis} has no {lack}",
            expected="an axis with a static size of at least 1",
            got=str(x.type),
            fix='mode="constant" takes every size',
        )
    return size


def _reflected(places: np.ndarray, size: int) -> np.ndarray:
    folded = places % max(2 * (size - 1), 1)
    return np.asarray(np.minimum(folded, 2 * (size - 1) - folded))


def _symmetric(places: np.ndarray, size: int) -> np.ndarray:
    folded = places % (2 * size)
    return np.asarray(np.minimum(folded, 2 * size - 1 - folded))


_POSITIONS: dict[str, Callable[[np.ndarray, int], np.ndarray]] = {
    "edge": lambda places, size: np.clip(places, 0, size - 1),
    "reflect": _reflected,
    "symmetric": _symmetric,
    "wrap": lambda places, size: places % size,
}
"""Mode → the positions of the elements that stand at places before the first, behind the last, and between them."""
