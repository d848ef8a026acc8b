"""What the middle of the compiler may know about a backend. (The protocol is in `lowering/backend.py`.)"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from graphc.ir.dims import Dim
from graphc.ir.dtype import ANY, BOOL, NUMERIC, DType
from graphc.ir.opdef import OpDef
from graphc.ir.types import TensorType


class FusionLimits(NamedTuple):
    """How large a group of fused nodes may become.

    Attributes:
        least: computed nodes below which a group is not worth its while; `"single"` lifts that.
        elements: of the space below which, where static, a group is not worth its while.
        nodes: computed nodes.
        inputs: arrays that it reads.
        row: elements over which a value is reduced and then used with each of them again, where static.
    """

    least: int = 2
    elements: int = 0
    nodes: int = 64
    inputs: int = 24
    row: int = 1 << 16


class Capabilities(NamedTuple):
    """A backend as data.

    Attributes:
        name: as a user writes it, for example `"numpy"`.
        granularity: `"step"`: it runs the plan step by step in an arena; `"graph"`: it takes the whole graph.
        dtypes: what it can store and compute.
        ops: what it runs besides; at least the core (`ops/decompositions.py`). Others come decomposed, if that can be.
            `None`: whatever has an array function.
        claims: composites that it runs whole.
        views: layout ops that cost nothing: the result is a view of the operand.
        overwrites: op → positions of the operands whose memory the result may take over, element by element.
        atomic: ops that run as C code only: nothing can interrupt them or make them fail, so they may be part
            of a commit. If `add_at` is one, `scatter_add` comes as `checked_indices` and `add_at` (`plan/ops.py`).
        enters_python: (op, attributes, types of the operands) → whether a step of an `atomic` op runs Python code
            all the same: it is then in no commit and in no group.
        own_algebra: a compiler below it may use algebra that changes bits, unless `law="strict"` forbids that.
        exact: same bits as the reference interpreter, so that constants may be folded without a change.
        fuses: what it takes into groups of one node (`ops.fused`); nothing by default. `"elementwise"`: elementwise
            ops over one space; `"layout"`: reads of operands under an index map; `"reduction"`: reductions at the
            end, and elementwise ops after them; `"row"`: reduced values that are used in the full space again;
            `"gather"`: `take`; `"single"`: groups of one node, too.
        separate: ops that it takes into no group all the same.
        fusion_limits: how large its groups may become.
        takes_over: attributes of a `fused` node → for each result, the positions of the operands whose memory it may
            take over.
        scratch: (op, attributes, types of the operands, {position of a result: position of the operand whose memory it
            takes over}) → bytes of the arena that the step needs while it runs, beside its results.
    """

    name: str
    granularity: str = "step"
    dtypes: frozenset[DType] = BOOL | NUMERIC
    ops: frozenset[str] | None = None
    claims: frozenset[str] = frozenset()
    views: frozenset[str] = frozenset()
    overwrites: Mapping[str, tuple[int, ...]] = MappingProxyType({})
    atomic: frozenset[str] = frozenset()
    enters_python: Callable[[OpDef, Mapping[str, Any], Sequence[TensorType]], bool] | None = None
    own_algebra: bool = False
    exact: bool = False
    fuses: frozenset[str] = frozenset()
    separate: frozenset[str] = frozenset()
    fusion_limits: FusionLimits = FusionLimits()
    takes_over: Callable[[Mapping[str, Any]], Sequence[Sequence[int]]] | None = None
    scratch: Callable[[OpDef, Mapping[str, Any], Sequence[TensorType], Mapping[int, int]], Dim] | None = None

    def is_interrupted(self, op: OpDef, attrs: Mapping[str, Any], types: Sequence[TensorType]) -> bool:
        """What `enters_python` says."""
        return self.enters_python is not None and self.enters_python(op, attrs, types)


REFERENCE = Capabilities("reference", granularity="graph", dtypes=ANY, exact=True)
