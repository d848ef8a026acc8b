"""Walks over the DAG. All of them are iterative: a chain of 100,000 nodes is nothing special."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING, Any

from graphc.ir.tensor import Tensor

if TYPE_CHECKING:
    from graphc.ir.graph import Graph


def toposort(outputs: Iterable[Tensor], leaves: Collection[Tensor] = frozenset()) -> list[Tensor]:
    """All nodes that the outputs need, inputs before users; the walk does not look into `leaves`."""
    order: list[Tensor] = []
    seen: set[Tensor] = set()
    stack = list(outputs)[::-1]
    while stack:
        node = stack[-1]
        if node in seen:
            stack.pop()
            continue
        pending = () if node in leaves else [i for i in node.inputs if i not in seen]
        if pending:
            stack.extend(reversed(pending))
            continue
        seen.add(node)
        order.append(node)
        stack.pop()
    return order


def regions(node: Tensor) -> tuple[Graph, ...]:
    """The closed graphs that a node holds in its attributes."""
    from_attrs: list[Any] = [value for value in node.attrs.values() if hasattr(value, "parameters")]
    return tuple(from_attrs)


def transform(order: Iterable[Tensor], visit: Callable[[Tensor, list[Tensor]], Tensor]) -> dict[Tensor, Tensor]:
    """Bottom-up: `visit(node, new inputs)` for every node of a sorted graph; returns old → new."""
    new: dict[Tensor, Tensor] = {}
    for node in order:
        new[node] = visit(node, [new[i] for i in node.inputs])
    return new


def users(order: Iterable[Tensor]) -> dict[Tensor, list[Tensor]]:
    """Who reads each node, among the nodes of `order`; once per reading."""
    found: dict[Tensor, list[Tensor]] = {}
    for node in order:
        found.setdefault(node, [])
        for source in node.inputs:
            found.setdefault(source, []).append(node)
    return found
