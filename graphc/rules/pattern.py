"""Patterns over tensors: data that can be printed, matched, and indexed by the op at the root."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Sequence
from itertools import repeat
from typing import Any, TypeAlias

import numpy as np

from graphc.ir.key import structural_key
from graphc.ir.opdef import OpDef
from graphc.ir.tensor import Tensor


class Wildcard:
    """Matches any tensor, and binds it to a name. The same name twice must meet the same value."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


class Scalar:
    """Matches a constant that consists of one number: `value`, or any if that is `None`, which is bound."""

    __slots__ = ("name", "value")

    def __init__(self, value: float | None = None, name: str = "") -> None:
        self.value = value
        self.name = name


class Op:
    """Matches a node of that op whose inputs match; in either order if commutative. Binds it to `name`."""

    __slots__ = ("inputs", "name", "op")

    def __init__(self, op: str, *inputs: Pattern, name: str = "") -> None:
        self.op = op
        self.inputs = inputs
        self.name = name


Pattern: TypeAlias = Wildcard | Scalar | Op


_KEEPS_NUMBERS = ("broadcast_to", "reshape")  # of one number they make nothing but that number
_FOLDED = 64  # elements: folding makes constants of this size out of a broadcast number
_Bound: TypeAlias = dict[str, Any]
_NODES = "matched nodes"  # cannot be the name of a part of a pattern


class Match(dict[str, Any]):
    """What the names of a pattern were bound to; read as attributes. `root` is the node that matched.

    Attributes:
        nodes: the nodes that `Op`s of the pattern met, the root first.
        opaque: nodes that a replacement may use as a whole, but not look into.
    """

    def __init__(self, bound: _Bound, nodes: tuple[Tensor, ...], opaque: Container[Tensor]) -> None:
        super().__init__(bound)
        self.nodes = nodes
        self.opaque = opaque

    def __getattr__(self, name: str) -> Any:
        return self[name]


def match(pattern: Pattern, node: Tensor, opaque: Container[Tensor] = ()) -> Match | None:
    """The bindings if the node matches. Nodes in `opaque` match only as a whole."""
    bound: _Bound = {"root": node, _NODES: ()}
    if not _match(pattern, node, bound, opaque):
        return None
    nodes = bound.pop(_NODES)
    return Match(bound, nodes, opaque)


def _match(pattern: Pattern, node: Tensor, bound: _Bound, opaque: Container[Tensor]) -> bool:
    """Binds as it goes; what a failure leaves behind is for the caller to drop."""
    if isinstance(pattern, Wildcard):
        known = bound.setdefault(pattern.name, node)
        return known is node or structural_key(known) == structural_key(node)
    if isinstance(pattern, Scalar):
        return _match_scalar(pattern, node, bound, opaque)
    if node.op.name != pattern.op or node in opaque or len(node.inputs) != len(pattern.inputs):
        return False
    bound[_NODES] = (*bound[_NODES], node)
    if pattern.name:
        bound[pattern.name] = node
    if not node.op.commutes:
        return _match_all(pattern.inputs, node.inputs, bound, opaque)
    before = dict(bound)
    if _match_all(pattern.inputs, node.inputs, bound, opaque):
        return True
    bound.clear()
    bound.update(before)
    return _match_all(pattern.inputs, node.inputs[::-1], bound, opaque)


def _match_all(parts: Sequence[Pattern], sources: Sequence[Tensor], bound: _Bound, opaque: Container[Tensor]) -> bool:
    return all(map(_match, parts, sources, repeat(bound), repeat(opaque)))


def _match_scalar(pattern: Scalar, node: Tensor, bound: _Bound, opaque: Container[Tensor]) -> bool:
    value = scalar_value(node, opaque)
    if value is None or (pattern.value is not None and not same_number(value, pattern.value)):
        return False
    if pattern.name:
        bound[pattern.name] = value
    return True


Head: TypeAlias = str | float
"""What can be seen of an input at a glance: its op, or the number that a constant consists of."""


def may_match(pattern: Op, op: OpDef, heads: Sequence[Head]) -> bool:
    """Whether a pattern could match a node of an op over inputs with these heads."""
    if pattern.op != op.name or len(pattern.inputs) != len(heads):
        return False
    orders = [heads, heads[::-1]] if op.commutes else [heads]
    return any(all(map(_may_be, pattern.inputs, order)) for order in orders)


def _may_be(pattern: Pattern, head: Head) -> bool:
    if isinstance(pattern, Op):
        return pattern.op == head
    if isinstance(pattern, Wildcard) or head in _KEEPS_NUMBERS:
        return True
    return head == pattern.value or (pattern.value is None and (head == "constant" or isinstance(head, float)))


def scalar_value(node: Tensor, opaque: Container[Tensor] = ()) -> Any | None:
    """The one real number that a constant, or a broadcast of one, consists of; else `None`. A NumPy scalar."""
    while node.op.name in _KEEPS_NUMBERS and node not in opaque:
        node = node.inputs[0]
    if node.op.name != "constant" or node in opaque or node.dtype.kind == "complex":
        return None
    value: np.ndarray = node.attrs["value"]
    if not value.ndim:
        return value[()]
    if not 1 <= value.size <= _FOLDED:
        return None
    first = value.reshape(-1)[:1]
    return first[0] if value.tobytes() == first.tobytes() * value.size else None


def same_number(value: Any, wanted: float) -> bool:
    """Equal numbers with equal signs: 0.0 is not -0.0."""
    return bool(value == wanted) and (value != 0 or math.copysign(1, value) == math.copysign(1, wanted))


Replace: TypeAlias = Callable[[Match], Tensor | None]
