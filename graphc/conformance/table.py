"""What a row of the op table says, and the kinds of rows that many ops share. The rows stand in `rows/`."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.errors import GraphcError, ShapeError
from graphc.ir.opdef import FUNCTIONS, OPS
from graphc.ir.tensor import Tensor, apply
from graphc.ops.structure import projections

nan, inf = math.nan, math.inf
FLOATS = ("float32", "float64")
INTS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
NUMBERS = FLOATS + INTS
ALL = (*NUMBERS, "bool")
COMPLEX = ("complex64", "complex128")
LOW = ("float16", "bfloat16")  # computed with as float32
FLOAT8 = ("float8_e4m3fn", "float8_e5m2")  # stored
EVERY = (*ALL, *LOW, *FLOAT8, *COMPLEX)
MOVED = ("bfloat16", "float8_e4m3fn", "complex64")  # of those that are no plain numbers, for what only moves elements
SIGNED = (*FLOATS, "int8", "int16", "int32", "int64")
BITS = (*INTS, "bool")
LOOSE = (*FLOATS, "int32", "uint8", "bool")  # for functions that take floats only: the others become float32
MIN8, MAX8 = -128, 127

Oracle = Callable[..., Any]


def same(dtype: str) -> str:
    """The dtype itself."""
    return dtype


def floating(dtype: str) -> str:
    """Floats and complex numbers stay; the others become float32."""
    return dtype if dtype in FLOATS + COMPLEX else "float32"


def accumulator(dtype: str) -> str:
    """What sums are taken in."""
    return dtype if dtype in FLOATS + COMPLEX else "uint64" if dtype.startswith("u") else "int64"


def real(dtype: str) -> str:
    """That of the parts of complex numbers."""
    return {"complex64": "float32", "complex128": "float64"}.get(dtype, dtype)


def boolean(dtype: str) -> str:
    """bool, whatever the operands are."""
    return "bool"


@dataclass(frozen=True)
class D:
    """The domain of an operand: where values are smooth and finite. `dtype` if it is not the row's."""

    low: float = -2.0
    high: float = 2.0
    dtype: str | None = None


class S:
    """Shapes of the operands and keyword arguments of one call."""

    def __init__(self, *shapes: tuple[int, ...], **kwargs: Any) -> None:
        self.shapes, self.kwargs = shapes, kwargs

    def __repr__(self) -> str:
        return f"S({', '.join(map(repr, self.shapes))}, {self.kwargs})"


class E:
    """One edge case, by hand: operands, and the expected result or error.

    Args:
        args: operands, converted to `dtype` or to that of the domain; without either, to both float dtypes.
        out: the expected value; or an error class.
        dtype: of the operands.
        gives: dtype of the result, if not the row's rule.
        kwargs: keyword arguments of the call.
    """

    def __init__(
        self, args: Any, out: Any, dtype: str | None = None, /, gives: str | None = None, **kwargs: Any
    ) -> None:
        self.args, self.out, self.dtype, self.gives, self.kwargs = args, out, dtype, gives, kwargs
        self.raises = isinstance(out, type) and issubclass(out, GraphcError)

    def __repr__(self) -> str:
        return f"E({self.args}, {self.out}, {self.dtype}, {self.kwargs})"


@dataclass(frozen=True)
class Row:
    """What is known about a function or op, so that anything can be held to it.

    Attributes:
        name: of the public function, or of the op if that has none.
        samples: calls with random values.
        oracle: `f(*arrays, **kwargs)` over NumPy arrays; `None`: edges only.
        edges: calls with values by hand.
        dtypes: that its data operands may have.
        also: further ones, complex or only stored, which not every backend has. (What takes float32 takes `LOW`, too.)
        operand: dtype given → dtype in which it computes.
        result: dtype in which it computes → dtype of the result; `None`: that of the oracle.
        domains: per operand; a single one is for all.
        tolerance: a key of `tolerances.VALUES`. If not `exact`, the oracle is evaluated in a wider dtype.
        gradient: positions of the operands that have one.
        call: `f(*tensors, **kwargs)`; by default the public function.
        covers: further ops that the row's tests exercise.
        elsewhere: why there is nothing to generate, and where it is tested instead.
    """

    name: str
    samples: tuple[S, ...] = ()
    oracle: Oracle | None = None
    edges: tuple[E, ...] = ()
    dtypes: tuple[str, ...] = FLOATS
    also: tuple[str, ...] = ()
    operand: Callable[[str], str] = same
    result: Callable[[str], str | None] = same
    domains: tuple[D, ...] = (D(),)
    tolerance: str = "exact"
    gradient: tuple[int, ...] = ()
    call: Callable[..., Any] | None = None
    covers: tuple[str, ...] = ()
    elsewhere: str = ""

    @property
    def function(self) -> Callable[..., Any]:
        """What records a call."""
        return self.call or FUNCTIONS[self.name]

    def domain(self, position: int) -> D:
        """That of an operand."""
        return self.domains[position] if len(self.domains) > 1 else self.domains[0]


ONE = tuple(map(S, [(), (3,), (1, 1), (2, 0), (2, 3, 2), (37,)]))
TWO = (
    S((), ()), S((3,), (3,)), S((2, 3), (3,)), S((), (2, 2)), S((2, 1), (1, 3)), S((0, 3), (3,)),
    S((2, 0), (1,)), S((3, 1, 2), (2, 1)), S((37,), (1,)),
)  # fmt: skip
AXES = (
    S((3,)), S(()), S((2, 3), axis=0), S((2, 3), axis=-1), S((2, 3, 2), axis=(0, 2)),
    S((2, 3, 2), axis=(-1, 1)),
    S((2, 3), axis=1, keepdims=True), S((2, 3, 2), keepdims=True), S((1, 4), axis=0), S((0, 3), axis=1),
)  # fmt: skip
EMPTY = (S((0,)), S((2, 0), axis=1), S((3, 0, 2), axis=1, keepdims=True), S((2, 3), axis=()))


def unary(name: str, oracle: Oracle, *edges: E, **options: Any) -> Row:
    """An elementwise function of one float."""
    usual: dict[str, Any] = {
        "dtypes": LOOSE,
        "operand": floating,
        "tolerance": "elementary",
        "gradient": (0,),
    }
    return Row(name, ONE, oracle, edges, **(usual | options))


def binary(name: str, oracle: Oracle, *edges: E, **options: Any) -> Row:
    """An elementwise function of two operands."""
    usual: dict[str, Any] = {"dtypes": NUMBERS, "gradient": (0, 1)}
    return Row(name, TWO, oracle, edges, **(usual | options))


def reduce(name: str, oracle: Oracle, *edges: E, **options: Any) -> Row:
    """A reduction that has a value over nothing."""
    usual: dict[str, Any] = {"dtypes": NUMBERS, "gradient": (0,)}
    return Row(name, AXES + EMPTY, oracle, edges, **(usual | options))


def extreme(name: str, oracle: Oracle, *edges: E) -> Row:
    """A reduction that has no value over nothing."""
    empty = (E([[]], ShapeError), E([np.ones((2, 0))], ShapeError, axis=1), E([np.ones((2, 0))], [], axis=0))
    return Row(name, (*AXES, S((2, 3), axis=())), oracle, (*empty, *edges), dtypes=NUMBERS, gradient=(0,))


def layout(name: str, oracle: Oracle, samples: tuple[S, ...], *edges: E, **options: Any) -> Row:
    """Elements are moved and nothing is computed."""
    usual: dict[str, Any] = {"dtypes": ALL, "also": MOVED, "gradient": (0,)}
    return Row(name, samples, oracle, edges, **(usual | options))


def made(name: str, samples: tuple[S, ...], oracle: Oracle | None, *edges: E, **options: Any) -> Row:
    """A source: a function of static arguments, whose result's dtype the edges state."""
    return Row(name, samples, oracle, edges, **options)


def one_of(op: str, index: int | None = 0) -> Callable[..., Tensor]:
    """Calls an op that has no function, and picks one of its results."""

    def call(*tensors: Tensor, **attrs: Any) -> Tensor:
        node = apply(OPS[op], tensors, **attrs)
        return node if index is None else projections(node)[index]

    return call
