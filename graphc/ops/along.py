"""take_along_axis, which reads a position of its own for each element along an axis, and its transpose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphc.errors import ShapeError
from graphc.ir import dims
from graphc.ir.dims import Dim
from graphc.ir.dtype import ARITHMETIC
from graphc.ir.opdef import Kind, Trait, public
from graphc.ir.tensor import Tensor, apply
from graphc.ir.types import TensorType
from graphc.ops.define import TensorLike, as_tensor, define, index_operand, normalise_axis
from graphc.ops.gather import require_integers
from graphc.ops.layout import broadcast_to
from graphc.ops.precision import kept_by_first
from graphc.ops.sources import zeros


def _require_along(operand: TensorType, indices: TensorType, axis: int) -> None:
    """Holds two types for equal in all axes but one."""
    if operand.ndim != indices.ndim:
        raise ShapeError("x and the indices have different numbers of axes")
    for number, (mine, other) in enumerate(zip(operand.shape, indices.shape, strict=True)):
        if number != axis:
            dims.require_equal(mine, other, f"x and the indices differ along axis {number}")


def _along_type(types: tuple[TensorType, ...], attrs: Mapping[str, Any]) -> TensorType:
    operand, indices = types
    require_integers("take_along_axis", indices)
    _require_along(operand, indices, attrs["axis"])
    return TensorType(operand.dtype, indices.shape)


def _take_along_vjp(ct: Tensor, node: Tensor) -> Tensor:
    x, indices = node.inputs
    return add_along_axis(zeros(x.shape, dtype=ct.dtype), indices, ct, axis=node.attrs["axis"])


def _take_along(xp: Any, x: Any, indices: Any, axis: int) -> Any:
    if 0 in indices.shape:
        return xp.zeros(indices.shape, x.dtype)
    return xp.take_along_axis(x, indices, axis=axis)


TAKE_ALONG_AXIS = define(
    "take_along_axis",
    Kind.INDEXING,
    _along_type,
    (_take_along_vjp, None),
    array_fn=_take_along,
    traits=[Trait.CAN_FAIL, Trait.OWN_CONJUGATE],
)


@public
def take_along_axis(x: TensorLike, indices: TensorLike, /, *, axis: int = -1) -> Tensor:
    """The elements of x at positions along an axis, with positions of its own for each place on the other axes.

    Args:
        x: any tensor.
        indices: integers with as many axes as x, such as `argsort` gives; the other axes broadcast with those of x.
            Negative positions count from the end.
        axis: the axis that the positions count along.

    Raises:
        OutOfRangeError: when it runs, if a position is out of range.
    """
    node, positions = as_tensor(x), index_operand(indices, "take_along_axis")
    if node.ndim != positions.ndim:
        raise ShapeError(
            "take_along_axis: x and the indices have different numbers of axes",
            expected=f"indices with {node.ndim} axes, as x has",
            got=f"x: {node.type}, indices: {positions.type}",
            fix="give the indices an axis: gc.expand_dims(indices, axis); whole slices: gc.take(x, indices, axis=0)",
        )
    axis = normalise_axis(axis, node.ndim)
    others = tuple(_common_size(*pair, axis=number) for number, pair in _pairs(node, positions) if number != axis)
    shapes = [(*others[:axis], each.shape[axis], *others[axis:]) for each in (node, positions)]
    return apply(TAKE_ALONG_AXIS, (broadcast_to(node, shapes[0]), broadcast_to(positions, shapes[1])), axis=axis)


def _pairs(node: Tensor, positions: Tensor) -> list[tuple[int, tuple[Dim, Dim]]]:
    return list(enumerate(zip(node.shape, positions.shape, strict=True)))


def _common_size(mine: Dim, other: Dim, *, axis: int) -> Dim:
    """The size that two broadcast to; whether two symbols are equal is left to `broadcast_to`.

    Raises:
        ShapeError: they are numbers of which neither is 1, and differ.
    """
    if isinstance(mine - other, int) and mine != other and 1 not in (mine, other):
        raise ShapeError(
            f"take_along_axis: x and the indices differ along axis {axis}",
            expected="sizes that are equal or 1 on each axis but the one that the positions count along",
            got=f"{mine} and {other}",
            fix="give the indices the sizes of x there, or 1; whole slices: gc.take(x, indices, axis=0)",
        )
    return other if mine == 1 else mine


def _added_along_type(types: tuple[TensorType, ...], attrs: Mapping[str, Any]) -> TensorType:
    operand, indices, values = types
    require_integers("add_along_axis", indices)
    _require_along(operand, indices, attrs["axis"])
    if values.ndim != indices.ndim or values.dtype is not operand.dtype:
        raise ShapeError("one value of the dtype of x per index is needed")
    for mine, other in zip(values.shape, indices.shape, strict=True):
        dims.require_equal(mine, other, "one value per index is needed")
    return operand


def along_axis(xp: Any, indices: Any, axis: int) -> tuple[Any, ...]:
    """An index for each axis of the array that `take_along_axis` reads with these indices."""
    rank = indices.ndim
    places = [
        xp.reshape(xp.arange(size), tuple(-1 if other == number else 1 for other in range(rank)))
        for number, size in enumerate(indices.shape)
    ]
    return (*places[:axis], indices, *places[axis + 1 :])


def _add_along(xp: Any, x: Any, indices: Any, values: Any, axis: int) -> Any:
    result = xp.array(x, copy=True)
    if values.size:
        xp.add.at(result, along_axis(xp, indices, axis), values)
    return result


ADD_ALONG_AXIS = define(
    "add_along_axis",
    Kind.INDEXING,
    _added_along_type,
    (
        lambda ct, node: ct,
        None,
        lambda ct, node: take_along_axis(ct, node.inputs[1], axis=node.attrs["axis"]),
    ),
    dtypes=ARITHMETIC,
    array_fn=_add_along,
    traits=[Trait.CAN_FAIL, Trait.OWN_CONJUGATE],
)


@kept_by_first
def add_along_axis(x: Tensor, indices: Tensor, values: Tensor, *, axis: int) -> Tensor:
    """x with values added where `take_along_axis(x, indices, axis=axis)` reads."""
    return apply(ADD_ALONG_AXIS, (x, indices, values), axis=axis)
