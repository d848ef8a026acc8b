"""The recording graph: names, placeholders, variables. Other nodes belong to it through their operands."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from types import MappingProxyType, TracebackType
from typing import Any, NamedTuple

import numpy as np

from graphc.errors import ArgumentError, GraphMismatchError, ShapeError, unknown_name
from graphc.ir import dims
from graphc.ir.dims import Dim, Shape
from graphc.ir.dtype import as_dtype, float32
from graphc.ir.opdef import OpDef
from graphc.ir.tensor import Tensor, VariableNode, current_origins
from graphc.ir.types import TensorType
from graphc.ops.define import CONSTANT, TensorLike, as_tensor
from graphc.ops.sources import PLACEHOLDER, VARIABLE

_NAME = re.compile(r"[A-Za-z_][\w.\-]*")


class _Recording(NamedTuple):
    """What `with` has opened on this thread."""

    graph: Graph
    scope: str


_open: ContextVar[tuple[_Recording, ...]] = ContextVar("graphc_open_graphs", default=())


class Graph:
    """A graph under construction; use it as `with gc.Graph("name"):`. It only grows.

    Sources (placeholders, variables, named constants) are recorded in the innermost open graph; every other operation
    belongs to the graph of its operands.

    Args:
        name: for messages and dumps.
    """

    def __init__(self, name: str = "graph") -> None:
        self.name = name
        self.placeholders: dict[str, Tensor] = {}
        self.variables: dict[str, Variable] = {}
        self.names: dict[str, Tensor] = {}
        """Everything that can be fetched or fed by name."""

    def __enter__(self) -> Graph:
        _open.set((*_open.get(), _Recording(self, "")))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _open.set(_open.get()[:-1])

    def __getitem__(self, name: str) -> Tensor:
        """The tensor of that name.

        Raises:
            UnknownNameError: there is none.
        """
        if name not in self.names:
            raise unknown_name("tensor", name, list(self.names))
        return self.names[name]

    def unique_name(self, wanted: str) -> str:
        """`wanted` inside the open name scopes, with a number added if it is taken.

        Raises:
            ArgumentError: it is not a name.
        """
        for part in wanted.split("/"):
            if not _NAME.fullmatch(part):
                raise ArgumentError(
                    "this is not a name",
                    expected="letters, digits, _ - and ., beginning with a letter; / separates scopes",
                    got=repr(wanted),
                )
        opened = _open.get()
        scope = opened[-1].scope if opened and opened[-1].graph is self else ""
        base = name = scope + wanted
        count = 0
        while name in self.names:
            count += 1
            name = f"{base}_{count}"
        return name

    def __repr__(self) -> str:
        return f"<graphc.Graph {self.name!r}: {len(self.placeholders)} placeholders, {len(self.variables)} variables>"


def current_graph(what: str) -> Graph:
    """The innermost open graph of this thread.

    Raises:
        GraphMismatchError: none is open.
    """
    opened = _open.get()
    if not opened:
        raise GraphMismatchError(
            f"{what} needs a graph to belong to",
            expected="an open graph: there is no global one",
            fix=f'with gc.Graph("name"): {what}(…)',
        )
    return opened[-1].graph


@contextlib.contextmanager
def name_scope(name: str) -> Iterator[str]:
    """Names that are given inside get `name/` in front."""
    graph = current_graph("name_scope")
    opened = _open.get()
    if not _NAME.fullmatch(name):
        raise ArgumentError("this is not a name for a scope", got=repr(name))
    scope = f"{opened[-1].scope}{name}/"
    _open.set((*opened, _Recording(graph, scope)))
    try:
        yield scope
    finally:
        _open.set(opened)


def placeholder(name: str, shape: Any = (), dtype: Any = float32) -> Tensor:
    """A tensor whose value is fed at every run.

    Args:
        name: made unique in the graph.
        shape: ints, names of symbolic sizes (equal names are equal sizes in one graph), dims of other tensors, or
            `None` for a size of its own.
        dtype: element type.

    Raises:
        GraphMismatchError: no graph is open.
        ArgumentError: an entry of the shape is no size.
    """
    graph = current_graph("gc.placeholder")
    unique = graph.unique_name(name)
    entries = shape if isinstance(shape, (tuple, list)) else (shape,)
    sizes = tuple(_size(entry, unique, axis) for axis, entry in enumerate(entries))
    node = _source(PLACEHOLDER, graph, name=unique, dtype=as_dtype(dtype), shape=sizes)
    graph.placeholders[unique] = graph.names[unique] = node
    return node


def _size(entry: Any, name: str, axis: int) -> Dim:
    if isinstance(entry, dims.Poly):
        return entry
    if entry is None:
        return dims.symbol("_" + re.sub(r"\W", "_", name) + f"_{axis}")
    if isinstance(entry, str):
        if not entry.isidentifier():
            raise ArgumentError("a symbolic size is named by an identifier", got=repr(entry))
        return dims.symbol(entry)
    if isinstance(entry, (int, np.integer)) and not isinstance(entry, bool) and entry >= 0:
        return int(entry)
    raise ArgumentError("this is not a size", expected="an int >= 0, a name, a dim, or None", got=repr(entry))


def _source(op: OpDef, graph: Graph, **attrs: Any) -> Tensor:
    return Tensor(op, (), MappingProxyType(attrs), op.infer((), attrs), current_origins(), graph)


def constant(value: TensorLike, *, name: str | None = None, dtype: Any = None) -> Tensor:
    """A tensor with a fixed value, copied and frozen. A named one belongs to the open graph, to be fetched by name.

    Raises:
        GraphMismatchError: a name is given, and no graph is open.
        DTypeError: the value does not fit into the dtype.
    """
    node = as_tensor(value, None if dtype is None else as_dtype(dtype))
    if dtype is not None and node.dtype is not as_dtype(dtype):
        node = as_tensor(np.asarray(value).astype(as_dtype(dtype).numpy))
    if name is None:
        return node
    graph = current_graph("a named constant")
    unique = graph.unique_name(name)
    named = _source(CONSTANT, graph, value=node.attrs["value"])
    graph.names[unique] = named
    return named


class Variable(VariableNode):
    """A tensor whose value a session keeps; updates change it, all together at the end of a run.

    Args:
        initial: a number, an array, a nested list, or an initialiser of `gc.init` together with a shape.
        shape: needed with an initialiser; static.
        dtype: by default that of the value, or float32.
        name: made unique in the graph; it chooses the random numbers of the initialiser.
        trainable: whether optimisers move it unless told otherwise.

    Raises:
        GraphMismatchError: no graph is open.
        ShapeError: an initialiser without a static shape, or a value of another shape.
    """

    __slots__ = ()

    def __init__(
        self,
        initial: Any,
        *,
        shape: Any = None,
        dtype: Any = None,
        name: str | None = None,
        trainable: bool = True,
    ) -> None:
        graph = current_graph("gc.Variable")
        value, kind = _initial(initial, shape, dtype)
        unique = graph.unique_name(name or "variable")
        attrs = {"name": unique, "dtype": kind.dtype, "shape": kind.shape}
        super().__init__(VARIABLE, attrs, graph, value, bool(trainable))
        graph.variables[unique] = graph.names[unique] = self


def _initial(initial: Any, shape: Any, dtype: Any) -> tuple[Any, TensorType]:
    """The initialiser or frozen array, and the type of the variable."""
    if isinstance(initial, Tensor):
        raise ArgumentError(
            "the initial value of a variable cannot be a tensor",
            expected="a number, an array, a list or an initialiser",
            got=repr(initial),
            fix="pass the array itself, or update the variable with gc.assign",
        )
    wanted = None if shape is None else _static(shape)
    if callable(initial):
        if wanted is None:
            raise ShapeError("an initialiser needs a shape", got=repr(initial), fix="gc.Variable(initial, shape=(…))")
        kind = TensorType(float32 if dtype is None else as_dtype(dtype), wanted)
        check = getattr(initial, "check", None)
        if check is not None:
            check(wanted, kind.dtype.numpy)
        return initial, kind
    node = constant(initial, dtype=dtype)
    if wanted is not None and wanted != node.shape:
        raise ShapeError("the initial value has another shape", expected=str(wanted), got=str(node.shape))
    return node.attrs["value"], node.type


def _static(shape: Any) -> Shape:
    entries: Sequence[Any] = shape if isinstance(shape, (tuple, list)) else (shape,)
    if not all(isinstance(entry, (int, np.integer)) and entry >= 0 for entry in entries):
        raise ShapeError("the shape of a variable is static", expected="ints >= 0", got=repr(shape))
    return tuple(int(entry) for entry in entries)
