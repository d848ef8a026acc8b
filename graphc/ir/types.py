"""The type of a value: a dtype and a shape, or a flat tuple of those."""

from __future__ import annotations

from typing import NamedTuple

from graphc.ir.dims import Dim, Shape, product
from graphc.ir.dtype import DType


class TensorType(NamedTuple):
    """Element type and shape of a tensor."""

    dtype: DType
    shape: Shape

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> Dim:
        """Number of elements."""
        return product(self.shape)

    @property
    def nbytes(self) -> Dim:
        """Bytes of the elements, stored contiguously."""
        return self.size * self.dtype.itemsize

    def __str__(self) -> str:
        return f"{self.dtype}[{', '.join(map(str, self.shape))}]"


class TupleType(NamedTuple):
    """The type of a node with several results, which only `project` reads."""

    elements: tuple[TensorType, ...]

    def __str__(self) -> str:
        return "(" + ", ".join(map(str, self.elements)) + ")"


NodeType = TensorType | TupleType


def compatible(first: TensorType, second: TensorType) -> bool:
    """The same dtype and rank, and no size that differs for sure (a guard may equate two symbols)."""
    if first.dtype is not second.dtype or first.ndim != second.ndim:
        return False
    pairs = zip(first.shape, second.shape, strict=True)
    return all(a == b or not isinstance(a - b, int) for a, b in pairs)
