"""The ops: a contiguous block per op, its record and its public function. Importing it fills the table."""

from graphc.ops import (
    activation,
    arithmetic,
    comparison,
    contraction,
    define,
    exponential,
    fused,
    indexing,
    layout,
    reductions,
    sources,
    special,
    structure,
)

__all__ = [
    "activation",
    "arithmetic",
    "comparison",
    "contraction",
    "define",
    "exponential",
    "fused",
    "indexing",
    "layout",
    "reductions",
    "sources",
    "special",
    "structure",
]
