"""x.at[index].set(value) and its like: x with a part of it updated, as a new tensor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.errors import DTypeError, ShapeError
from graphc.ir import dims
from graphc.ir.dtype import LOW, float32, names
from graphc.ir.opdef import OpDef, public
from graphc.ir.tensor import Tensor, apply
from graphc.ops.arithmetic import add, multiply
from graphc.ops.comparison import maximum, minimum
from graphc.ops.define import TensorLike, as_tensor, convert
from graphc.ops.gather import SCATTER_ADD
from graphc.ops.index import Subscript, parse
from graphc.ops.layout import broadcast_to, reshape
from graphc.ops.scatter import SCATTER_MAX, SCATTER_MIN, SCATTER_MULTIPLY, SCATTER_SET
from graphc.ops.slicing import slice_update
from graphc.ops.subscript import Merged, sliced

_SCATTERS: dict[str, OpDef] = {
    "set": SCATTER_SET,
    "add": SCATTER_ADD,
    "multiply": SCATTER_MULTIPLY,
    "min": SCATTER_MIN,
    "max": SCATTER_MAX,
}
_COMBINE: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "set": lambda old, new: new,
    "add": add,
    "multiply": multiply,
    "min": minimum,
    "max": maximum,
}


@public
def update_at(x: TensorLike, index: Any, value: TensorLike, /, *, how: str) -> Tensor:
    """x with the part x[index] updated: `x.at[index].add(value)`, and so on.

    Args:
        x: any tensor.
        index: any that `x[index]` takes.
        value: of a dtype that x can hold, and a shape that broadcasts to that of x[index].
        how: "set", "add", "multiply", "min" or "max". Where indices meet at one element, all of them count, one after
            the other; "set" leaves the last, in row-major order of the indices.

    Raises:
        OutOfRangeError: as `x[index]` does.
        ShapeError: the value does not broadcast to x[index].
        DTypeError: x cannot hold the value.
    """
    node = as_tensor(x)
    if node.dtype in LOW and how != "set":  # computed in float32, and rounded once
        wide = update_at(convert(node, float32), index, convert(_in_dtype(value, node), float32), how=how)
        return convert(wide, node.dtype)
    _require_taken(node, how)
    subscript = parse(node, index)
    new = _fitting(value, node, subscript)
    part = sliced(node, subscript)
    if subscript.gathers:
        merged = Merged(reshape(part, subscript.sliced), subscript)
        values = merged.unplaced(reshape(new, _without_new_axes(subscript, merged)))
        updated = merged.split(apply(_SCATTERS[how], (merged.tensor, merged.indices, values), axis=merged.axis))
    else:
        updated = _COMBINE[how](reshape(part, subscript.shape), new)
    whole = reshape(updated, part.shape)
    return whole if subscript.slices is None else slice_update(node, whole, **subscript.slices)


def _without_new_axes(subscript: Subscript, merged: Merged) -> dims.Shape:
    """The shape of x[index] without the axes that `None` adds."""
    axes = {gather.axis for gather in subscript.gathers}
    kept = [size for axis, size in enumerate(subscript.sliced) if axis not in axes]
    return (*kept[: subscript.place], *merged.indices.shape[: merged.rank], *kept[subscript.place :])


def _in_dtype(value: TensorLike, x: Tensor) -> Tensor:
    """The value in the dtype of x: numbers are converted, tensors must have it."""
    new = convert(value, x.dtype) if not isinstance(value, Tensor) else value
    if new.dtype is not x.dtype:
        raise DTypeError(
            f"an update of {x.dtype} by {new.dtype}",
            expected=f"a value of the dtype of the tensor, {x.dtype}",
            got=str(new.type),
            fix=f"convert it with .astype(gc.{x.dtype})",
        )
    return new


def _fitting(value: TensorLike, x: Tensor, subscript: Subscript) -> Tensor:
    """The value in the dtype of x, and in the shape of what is updated."""
    new = _in_dtype(value, x)
    try:
        return broadcast_to(new, subscript.shape)
    except ShapeError:
        raise ShapeError(
            "the value of an update does not broadcast to what it updates",
            expected=f"a value of shape {dims.shape_text(subscript.shape)}, or one that broadcasts to it",
            got=str(new.type),
            fix="x[index] has the shape that counts; gc.expand_dims and gc.reshape change that of the value",
        ) from None


def _require_taken(x: Tensor, how: str) -> None:
    dtypes = _SCATTERS[how].dtypes
    if x.dtype not in dtypes:
        raise DTypeError(
            f"an update by {how!r} does not take {x.dtype}",
            expected=names(dtypes),
            got=str(x.type),
            fix="combine bools with gc.where, or convert with .astype first",
        )
