"""The recording graph: names, placeholders, variables. Other nodes belong to it through their operands."""

from __future__ import annotations

import contextlib
import inspect
import re
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from types import MappingProxyType, TracebackType
from typing import Any, NamedTuple, NoReturn

import numpy as np

from graphc.builder.sizes import declared_shape, static_shape
from graphc.errors import ArgumentError, DTypeError, GraphMismatchError, ShapeError, StaticGraphError, unknown_name
from graphc.ir import dims
from graphc.ir.dtype import STORED_ONLY, DType, as_dtype, complex_dtype, float32
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

    `graph["name"]` is the tensor of that name.

    Args:
        name: for messages and dumps.

    Attributes:
        name: see there.
        placeholders, variables: by name, in the order in which they were recorded.
        names: everything that can be fetched or fed by name: placeholders, variables, named constants; and the keys of
            random ops that are given none, which cannot be fed.
        symbols: the names of the symbolic sizes of its placeholders.
    """

    def __init__(self, name: str = "graph") -> None:
        self.name = name
        self.placeholders: dict[str, Tensor] = {}
        self.variables: dict[str, Variable] = {}
        self.names: dict[str, Tensor] = {}
        self.symbols: set[str] = set()
        self._taken: dict[str, int] = {}
        """Base of a name → n, if the names with the numbers 1 … n are taken."""

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
            fix = "pass the tensor itself: only placeholders, variables and named constants have names"
            raise unknown_name("tensor", name, list(self.names), fix=fix)
        return self.names[name]

    def unique_name(self, wanted: str) -> str:
        """`wanted` inside the open name scopes, with a number added if it is taken.

        Raises:
            ArgumentError: it is not a name.
        """
        _require_name(wanted, nested=True)
        opened = _open.get()
        scope = opened[-1].scope if opened and opened[-1].graph is self else ""
        base = name = scope + wanted
        count = self._taken.get(base, 0)
        while name in self.names:
            count += 1
            name = f"{base}_{count}"
        self._taken[base] = max(count - 1, 0)
        return name

    def __repr__(self) -> str:
        return f"<graphc.Graph {self.name!r}: {len(self.placeholders)} placeholders, {len(self.variables)} variables>"


def _require_name(name: object, *, nested: bool) -> None:
    words = str(name).split("/") if nested else [str(name)]
    if isinstance(name, str) and all(map(_NAME.fullmatch, words)):
        return
    mended = "/".join(re.sub(r"[^\w.\-]", "_", word).lstrip("0123456789-.") or "x" for word in words)
    raise ArgumentError(
        f"{name!r} cannot be a name",
        expected="letters, digits, _, - and ., beginning with a letter" + ("; / separates scopes" if nested else ""),
        got=repr(name),
        fix=f"call it {mended!r}, for example",
    )


def current_graph(what: str) -> Graph:
    """The innermost open graph of this thread.

    Raises:
        GraphMismatchError: none is open.
    """
    opened = _open.get()
    if not opened:
        raise GraphMismatchError(
            f"{what} needs a graph to belong to",
            expected="a line inside of a `with gc.Graph(…):` block",
            got="no open graph; there is no global one",
            fix=f'with gc.Graph("model") as graph: {what}(…); or `with graph:` to go on with one',
        )
    return opened[-1].graph


@contextlib.contextmanager
def name_scope(name: str) -> Iterator[str]:
    """Names that are given inside get `name/` in front."""
    graph = current_graph("name_scope")
    opened = _open.get()
    _require_name(name, nested=False)
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
    given: object = name
    if isinstance(given, (tuple, list)):
        raise ArgumentError(
            "the name of a placeholder comes first",
            expected="a name, then a shape and a dtype",
            got=repr(given),
            fix=f'gc.placeholder("x", shape={given!r})',
        )
    unique = graph.unique_name(name)
    sizes = declared_shape(shape, unique, graph.symbols)
    node = _source(PLACEHOLDER, graph, name=unique, dtype=as_dtype(dtype), shape=sizes)
    graph.symbols.update(dims.symbols(sizes))
    graph.placeholders[unique] = graph.names[unique] = node
    return node


def _source(op: OpDef, graph: Graph, **attrs: Any) -> Tensor:
    return Tensor(op, (), MappingProxyType(attrs), op.infer((), attrs), current_origins(), graph)


def constant(value: TensorLike, *, name: str | None = None, dtype: Any = None) -> Tensor:
    """A tensor with a fixed value, copied and frozen. A named one belongs to the open graph, to be fetched by name.

    Args:
        value: a number, an array, a nested list, or a tensor.
        name: made unique in the graph.
        dtype: by default that of the value; floats are rounded to it, nothing else may be lost.

    Raises:
        GraphMismatchError: a name is given, and no graph is open.
        DTypeError: the value does not fit into the dtype.
    """
    node = as_tensor(value, None if dtype is None else as_dtype(dtype))
    if dtype is not None and node.dtype is not as_dtype(dtype):
        node = as_tensor(_cast(np.asarray(value), as_dtype(dtype)))
    if name is None:
        return node
    graph = current_graph("a named constant")
    unique = graph.unique_name(name)
    named = _source(CONSTANT, graph, value=node.attrs["value"])
    graph.names[unique] = named
    return named


def _cast(array: np.ndarray, dtype: DType) -> np.ndarray:
    """The array in another dtype: floats are rounded, nothing else may be lost."""
    if array.dtype.kind == "c" and dtype.kind != "complex":
        raise DTypeError(
            f"complex numbers do not fit into {dtype}",
            expected=f"real values, or dtype=gc.{complex_dtype(dtype)}",
            got=f"an array of {array.dtype}",
            fix="say which part is meant: array.real, array.imag, np.abs(array)",
        )
    with np.errstate(all="ignore"):
        wide = array.astype(np.float32) if dtype in STORED_ONLY else array
        cast = wide.astype(dtype.numpy)
        lost = cast != array
        if dtype.kind in ("float", "complex"):
            lost = (np.isfinite(cast) != np.isfinite(array)) | (np.isnan(cast) != np.isnan(array))
    if lost.any():
        raise DTypeError(
            f"this array does not fit into {dtype}",
            expected=f"values that {dtype} can hold",
            got=f"{array[lost].flat[0]} in an array of {array.dtype}",
            fix="round or clip it first, with np.rint or np.clip, or choose a wider dtype",
        )
    return cast


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

    def __iadd__(self, other: Any) -> Tensor:
        self._not_in_place("+=", "gc.assign_add({}, …)")

    def __isub__(self, other: Any) -> Tensor:
        self._not_in_place("-=", "gc.assign_sub({}, …)")

    def __imul__(self, other: Any) -> Tensor:
        self._not_in_place("*=", "gc.assign({0}, {0} * …)")

    def __itruediv__(self, other: Any) -> Tensor:
        self._not_in_place("/=", "gc.assign({0}, {0} / …)")

    def _not_in_place(self, operator: str, update: str) -> NoReturn:
        """Python would rebind the name to a tensor, and the variable would never change."""
        raise StaticGraphError(
            f"the variable {self.name!r} cannot be changed by {operator}",
            expected="an update, which a run carries out when it is fetched",
            got=f"{self!r} {operator} …",
            fix=f"update = {update.format(self.name)}, then session.run(update); a new tensor: use another name for it",
        )


def _initial(initial: Any, shape: Any, dtype: Any) -> tuple[Any, TensorType]:
    """The initialiser or frozen array, and the type of the variable."""
    if isinstance(initial, Tensor):
        raise ArgumentError(
            "the initial value of a variable cannot be a tensor",
            expected="a number, an array, a list or an initialiser",
            got=repr(initial),
            fix="pass the array itself, or gc.evaluate(t); later values come from gc.assign(v, t)",
        )
    wanted = None if shape is None else static_shape(shape)
    if callable(initial):
        if wanted is None:
            raise ShapeError(
                "an initialiser needs a shape",
                expected="shape=, a tuple of ints",
                got=f"{initial!r} alone",
                fix="gc.Variable(initial, shape=(inputs, outputs))",
            )
        kind = TensorType(float32 if dtype is None else as_dtype(dtype), wanted)
        _require_initialiser(initial)
        check = getattr(initial, "check", None)
        if check is not None:
            check(wanted, kind.dtype.numpy)
        return initial, kind
    node = constant(initial, dtype=dtype)
    if wanted is not None and wanted != node.shape:
        fills = f"fill the shape with gc.init.constant({initial!r})"
        raise ShapeError(
            "the initial value has another shape than shape= says",
            expected=dims.shape_text(wanted),
            got=dims.shape_text(node.shape),
            fix="leave shape= out, or reshape the value" if node.ndim else fills,
        )
    return node.attrs["value"], node.type


def _require_initialiser(initial: Callable[..., Any]) -> None:
    try:
        inspect.signature(initial).bind("key", "shape", "dtype")
    except TypeError:
        raise ArgumentError(
            "this function is not an initialiser",
            expected="a function of key, shape and dtype, as those that gc.init makes",
            got=getattr(initial, "__qualname__", repr(initial)),
            fix="call the function of gc.init, which makes one: gc.init.zeros()",
        ) from None
    except ValueError:  # written in C, and says nothing of its arguments
        return
