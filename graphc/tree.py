"""Nested dicts, lists and tuples: taken apart into leaves and put together again."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any


def flatten(tree: Any) -> tuple[list[Any], Callable[[Sequence[Any]], Any]]:
    """The leaves of a tree in order, and the function that puts new leaves into the same nesting."""
    leaves: list[Any] = []
    build = _visit(tree, leaves)
    if build is next:
        return leaves, operator.itemgetter(0)  # a leaf
    if type(tree) in (list, tuple) and len(leaves) == len(tree) and all(map(operator.is_, leaves, tree)):
        return leaves, type(tree)  # flat as it is

    def unflatten(values: Sequence[Any]) -> Any:
        return build(iter(values))

    return leaves, unflatten


def _visit(tree: Any, leaves: list[Any]) -> Callable[[Any], Any]:
    if isinstance(tree, dict):
        parts = {key: _visit(value, leaves) for key, value in tree.items()}
        return lambda values: {key: part(values) for key, part in parts.items()}
    if isinstance(tree, (list, tuple)):
        items = [_visit(value, leaves) for value in tree]
        if isinstance(tree, tuple) and hasattr(tree, "_fields"):
            return lambda values: type(tree)(*(item(values) for item in items))
        container = type(tree)
        return lambda values: container(item(values) for item in items)
    leaves.append(tree)
    return next
