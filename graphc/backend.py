"""What the middle of the compiler may know about a backend. (The protocol is in `lowering/backend.py`.)"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from graphc.ir.dtype import ANY, DType


class Capabilities(NamedTuple):
    """A backend as data.

    Attributes:
        name: as a user writes it, for example `"numpy"`.
        granularity: `"step"`: it runs the plan step by step in an arena; `"graph"`: it takes the whole graph.
        dtypes: what it can store and compute.
        claims: composites that it runs whole.
        views: layout ops that cost nothing: the result is a view of the operand.
        overwrites: op → positions of the operands whose memory the result may take over, element by element.
        atomic: ops that run as C code only: nothing can interrupt them or make them fail, so they may be part
            of a commit.
        exact: same bits as the reference interpreter, so that constants may be folded without a change.
    """

    name: str
    granularity: str = "step"
    dtypes: frozenset[DType] = ANY
    claims: frozenset[str] = frozenset()
    views: frozenset[str] = frozenset()
    overwrites: Mapping[str, tuple[int, ...]] = MappingProxyType({})
    atomic: frozenset[str] = frozenset()
    exact: bool = False


REFERENCE = Capabilities("reference", granularity="graph", exact=True)
