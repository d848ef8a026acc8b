"""The ops that appear in plans and not in graphs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphc.ir.opdef import Kind, OpDef, Trait, register
from graphc.ir.types import TensorType


def _as_first(types: tuple[TensorType, ...], attrs: Mapping[str, Any]) -> TensorType:
    return types[0]


COPY = register(OpDef("copy", Kind.STRUCTURE, _as_first, array_fn=lambda xp, x: xp.array(x, copy=True)))

CHECKED_INDICES = register(
    OpDef(
        "checked_indices",
        Kind.INDEXING,
        _as_first,
        traits=frozenset({Trait.CAN_FAIL}),
    )
)
"""A copy of indices into an axis of that size; fails if one is out of range, unless nothing is used (0 elements)."""


ADD_AT = register(OpDef("add_at", Kind.INDEXING, _as_first))
"""`scatter_add` for indices that have been checked: it cannot fail, so a commit may add to a variable in its place."""
