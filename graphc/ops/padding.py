"""A border around a tensor: of one value, or of the tensor's own elements."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.errors import ShapeError, unknown_name
from graphc.ir.dims import Dim
from graphc.ir.opdef import public
from graphc.ir.tensor import Tensor
from graphc.ops import layout
from graphc.ops.cumulative import count_up
from graphc.ops.define import TensorLike, as_tensor, require_nonempty
from graphc.ops.gather import take
from graphc.ops.sources import dim_value


@public
def pad(x: TensorLike, /, pad_width: Any, mode: str = "constant", *, constant_values: TensorLike = 0) -> Tensor:
    """x with a border.

    Args:
        x: any tensor.
        pad_width: widths before and after: one int for all, one pair for all axes, or a pair per axis.
        mode: `"constant"`; or what the border repeats: `"edge"`, the first and the last elements; `"wrap"`, what
            stands at the other end; `"reflect"` and `"symmetric"`, what stands at this end, backwards, without and
            with the element at the edge.
        constant_values: a scalar, for `"constant"`.

    Raises:
        ArgumentError: the widths do not fit the axes, or one is negative.
        ShapeError: an axis whose elements are repeated is empty.
        UnknownNameError: there is no such mode.
    """
    if mode == "constant":
        return layout.pad(x, pad_width, constant_values=constant_values)
    if mode not in _FOLDED:
        raise unknown_name("mode of pad", mode, ["constant", *_FOLDED])
    node = as_tensor(x)
    for axis, widths in enumerate(layout.pad_widths(pad_width, node.ndim)):
        if any(widths):
            node = take(node, _positions(node.shape[axis], widths, mode), axis=axis)
    return node


def _positions(size: Dim, widths: tuple[int, int], mode: str) -> Any:
    """Which elements stand along an axis of the result. NumPy's functions record nodes where the size is symbolic."""
    try:
        require_nonempty(size, f"pad: a border of the mode {mode!r}")
    except ShapeError as error:
        error.got = "an axis of size 0"
        raise
    before, after = widths
    if isinstance(size, int):
        return _FOLDED[mode](np.arange(-before, size + after), size)
    return _FOLDED[mode](count_up(size + before + after) - before, dim_value(size))


def _reflected(places: Any, size: Any) -> Any:
    turn = 2 * (size - 1)
    folded = places % np.maximum(turn, 1)
    return np.minimum(folded, turn - folded)


def _symmetric(places: Any, size: Any) -> Any:
    folded = places % (2 * size)
    return np.minimum(folded, 2 * size - 1 - folded)


_FOLDED: dict[str, Callable[[Any, Any], Any]] = {
    "edge": lambda places, size: np.clip(places, 0, size - 1),
    "reflect": _reflected,
    "symmetric": _symmetric,
    "wrap": lambda places, size: places % size,
}
"""Mode → positions in an axis of some size for places, which begin before the first and end behind the last element."""
