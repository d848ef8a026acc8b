"""The record of an op, and the two tables: ops by name, public functions by name."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from graphc.errors import InternalError, unknown_name
from graphc.ir.dtype import ANY, DType
from graphc.ir.types import NodeType, TensorType

if TYPE_CHECKING:
    from graphc.ir.tensor import Tensor


class Kind(enum.Enum):
    """What a backend or a pass may assume about how an op touches its elements."""

    SOURCE = "source"
    ELEMENTWISE = "elementwise"
    REDUCTION = "reduction"
    CONTRACTION = "contraction"
    LAYOUT = "layout"
    INDEXING = "indexing"
    COMPOSITE = "composite"
    STRUCTURE = "structure"
    EFFECT = "effect"


class Trait(enum.Enum):
    """A property that rules, folding and planning rely on."""

    COMMUTATIVE = "commutative"  # f(x, y) = f(y, x), bit for bit, of real numbers
    IDEMPOTENT = "idempotent"  # f(f(x)) = f(x) for one real operand
    INEXACT = "inexact"  # libraries differ in the last bits
    CAN_FAIL = "can fail"  # may raise when it runs: never part of a commit, never folded
    OWN_CONJUGATE = "own conjugate"  # its vjp says all about complex numbers; others are of holomorphic functions

    __hash__ = object.__hash__  # members are singletons; the hash of the enum module is slow


Infer = Callable[[tuple[TensorType, ...], Mapping[str, Any]], NodeType]
VjpOfInput = Callable[["Tensor", "Tensor"], "Tensor"]
"""(cotangent of the result, node) → cotangent of one input."""
VjpOfNode = Callable[[Sequence["Tensor | None"], "Tensor"], Sequence["Tensor | None"]]
"""(cotangents of the results, node) → cotangents of all inputs, `None` where there is none."""


@dataclass(frozen=True, eq=False, slots=True)
class OpDef:
    """Everything that is known about an op, apart from what devices do with it.

    Attributes:
        name: stable: it stands in saved files.
        kind: see `Kind`.
        dtypes: what its data operands may be.
        infer: types of the inputs and attributes → type of the result; raises `ShapeError`, `DTypeError`.
        vjp: per input a function or `None` (no gradient flows there); or one function of all cotangents; or a
            sentence that says why there is no gradient; or `None`: not implemented.
        array_fn: name of a function of NumPy, or `f(xp, *inputs, **attrs)` over a NumPy-like namespace.
        decompose: node → the same value in simpler ops.
        traits: see `Trait`.
        version: raised when the meaning of the attributes changes.
        upgrade: attributes of an older version → attributes of this one.
    """

    name: str
    kind: Kind
    infer: Infer
    dtypes: frozenset[DType] = ANY
    vjp: tuple[VjpOfInput | None, ...] | VjpOfNode | str | None = None
    array_fn: str | Callable[..., Any] | None = None
    decompose: Callable[[Tensor], Any] | None = None
    traits: frozenset[Trait] = frozenset()
    version: int = 1
    upgrade: Callable[[int, dict[str, Any]], dict[str, Any]] | None = None

    @property
    def commutes(self) -> bool:
        """Whether the order of the operands makes no difference."""
        return Trait.COMMUTATIVE in self.traits

    def __repr__(self) -> str:
        return f"OpDef({self.name})"


OPS: dict[str, OpDef] = {}
FUNCTIONS: dict[str, Callable[..., Any]] = {}

_F = TypeVar("_F", bound=Callable[..., Any])


def register(op: OpDef) -> OpDef:
    """Puts an op into the table. Its name must be new."""
    if op.name in OPS:
        raise InternalError(f"there are two ops named {op.name!r}")
    OPS[op.name] = op
    return op


def public(function: _F) -> _F:
    """Decorator: puts a function into the table in which tensors look up their operators."""
    FUNCTIONS[function.__name__] = function
    return function


def lookup(name: str) -> OpDef:
    """The op of that name.

    Raises:
        UnknownNameError: there is none.
    """
    if name not in OPS:
        raise unknown_name("op", name, list(OPS), listing="graphc.ir.opdef.OPS")
    return OPS[name]
