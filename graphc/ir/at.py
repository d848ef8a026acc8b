"""x.at[index]: a part of a tensor, for updates that give a new tensor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphc.ir.opdef import FUNCTIONS

if TYPE_CHECKING:
    from graphc.ir.tensor import Tensor


class At:
    """`x.at`, which is indexed as x is."""

    __slots__ = ("_tensor",)

    def __init__(self, tensor: Tensor) -> None:
        self._tensor = tensor

    def __getitem__(self, index: Any) -> Part:
        return Part(self._tensor, index)

    def __repr__(self) -> str:
        return f"<x.at of {self._tensor!r}: x.at[index].set(value) is x with x[index] replaced>"


class Part:
    """`x.at[index]`: each method gives x with that part updated, and changes nothing.

    The value must have the dtype of x, or be a number, and broadcast to x[index]. Where the indices name an element
    several times, all updates of it count; `set` leaves the last.
    """

    __slots__ = ("_index", "_tensor")

    def __init__(self, tensor: Tensor, index: Any) -> None:
        self._tensor = tensor
        self._index = index

    def get(self) -> Tensor:
        """x[index]."""
        return self._tensor[self._index]

    def set(self, value: Any) -> Tensor:
        """With the value in place of the part."""
        return self._updated(value, "set")

    def add(self, value: Any) -> Tensor:
        """With the value added."""
        return self._updated(value, "add")

    def multiply(self, value: Any) -> Tensor:
        """With the part multiplied by the value."""
        return self._updated(value, "multiply")

    def min(self, value: Any) -> Tensor:
        """With the smaller of the part and the value."""
        return self._updated(value, "min")

    def max(self, value: Any) -> Tensor:
        """With the larger of the part and the value."""
        return self._updated(value, "max")

    def _updated(self, value: Any, how: str) -> Tensor:
        result: Tensor = FUNCTIONS["update_at"](self._tensor, self._index, value, how=how)
        return result

    def __repr__(self) -> str:
        return f"<a part of {self._tensor!r}: .set(value), .add(value) and its like give the tensor with it updated>"
