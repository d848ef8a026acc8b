"""The tensor: what the user holds and the node of the graph are one class."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from graphc.errors import (
    GraphcError,
    GraphMismatchError,
    Origins,
    ShapeError,
    StaticGraphError,
    user_origins,
)
from graphc.ir.at import At
from graphc.ir.device import require_undecided
from graphc.ir.dims import Dim, Guard, Shape, take_guards
from graphc.ir.dtype import DType
from graphc.ir.foreign import array_namespace, numpy_function, numpy_ufunc, unknown_attribute
from graphc.ir.opdef import FUNCTIONS, OpDef
from graphc.ir.types import NodeType, TensorType, TupleType


class Owner(Protocol):
    """The recording graph that a tensor belongs to, as far as the IR needs it."""

    @property
    def name(self) -> str: ...


NO_ATTRS: Mapping[str, Any] = MappingProxyType({})
_next_id = itertools.count(1).__next__
_inherited: ContextVar[Origins | None] = ContextVar("graphc_inherited_origins", default=None)


class _Inheritance:
    """A context manager in few words: rewriting enters one for each rule that matches."""

    __slots__ = ("_origins", "_token")

    def __init__(self, origins: Origins) -> None:
        self._origins = origins

    def __enter__(self) -> None:
        self._token = _inherited.set(self._origins)

    def __exit__(self, *error: object) -> None:
        _inherited.reset(self._token)


def inherit(origins: Origins) -> _Inheritance:
    """Nodes that are made inside take these origins instead of the user's current line."""
    return _Inheritance(origins)


def current_origins() -> Origins:
    """The origins that a node made here and now would get."""
    inherited = _inherited.get()
    return user_origins() if inherited is None else inherited


class Tensor:
    """A node of a graph and its value-to-be. Immutable; hash and equality are identity, `==` records a node.

    Attributes:
        op: the record of the operation.
        inputs: the tensors it reads.
        attrs: its static attributes, read-only.
        type: dtype and shape of the value.
        origins: the user's lines that it comes from.
        owner: the graph that it was recorded in; `None` for what depends on constants only.
        guards: what its shape takes for granted about symbolic sizes.
        id: a number that no other tensor of this process ever has.
    """

    __slots__ = (
        "__weakref__", "_key", "attrs", "guards", "id", "inputs", "op", "origins", "owner", "type",
    )  # fmt: skip

    op: OpDef
    inputs: tuple[Tensor, ...]
    attrs: Mapping[str, Any]
    type: TensorType
    origins: Origins
    owner: Owner | None
    guards: tuple[Guard, ...]
    id: int
    _key: bytes | None

    def __init__(
        self,
        op: OpDef,
        inputs: tuple[Tensor, ...],
        attrs: Mapping[str, Any],
        type: NodeType,
        origins: Origins,
        owner: Owner | None,
        guards: tuple[Guard, ...] = (),
    ) -> None:
        put = object.__setattr__
        put(self, "op", op)
        put(self, "inputs", inputs)
        put(self, "attrs", attrs)
        put(self, "type", type)
        put(self, "origins", origins)
        put(self, "owner", owner)
        put(self, "guards", guards)
        put(self, "id", _next_id())
        put(self, "_key", None)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise StaticGraphError(
            f"a tensor is immutable: {name!r} cannot be set",
            expected="a new tensor",
            got=f"an attempt to change {self!r}",
            fix="make one, for example with gc.reshape or .astype; a new value of a variable: gc.assign(v, value)",
        )

    def __delattr__(self, name: str) -> NoReturn:
        self.__setattr__(name, None)

    def __setitem__(self, index: object, value: object) -> NoReturn:
        raise StaticGraphError(
            "a tensor is immutable: its elements cannot be set",
            expected="a new tensor",
            got=f"an attempt to change {self!r}",
            fix="t.at[index].set(value) is t with a part replaced; a new value of a variable: gc.assign(v, value)",
        )

    if not TYPE_CHECKING:  # for a type checker, every attribute would exist

        def __getattr__(self, name: str) -> NoReturn:
            if name.startswith("_"):  # protocols that ask whether there is such a thing
                raise AttributeError(name)
            raise unknown_attribute(type(self), name)

    def __copy__(self) -> Tensor:
        return self

    def __deepcopy__(self, memo: object) -> Tensor:
        return self

    def __reduce__(self) -> NoReturn:
        raise StaticGraphError(
            "a tensor cannot be pickled",
            expected="values, or a graph as text",
            got=repr(self),
            fix="pickle what session.run(t) gives, or session.snapshot()",
        )

    # --- what a user asks -------------------------------------------------------------------

    @property
    def dtype(self) -> DType:
        """Element type."""
        return self.type.dtype

    @property
    def shape(self) -> Shape:
        """Sizes of the axes: ints, or symbolic dims."""
        return self.type.shape

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.type.shape)

    @property
    def size(self) -> Dim:
        """Number of elements."""
        return self.type.size

    @property
    def name(self) -> str | None:
        """The name of a placeholder, a variable or a named constant."""
        return self.attrs.get("name")

    @property
    def T(self) -> Tensor:
        """The transpose of a matrix."""
        if self.ndim != 2:
            raise ShapeError(
                ".T is for matrices only",
                expected="2 axes",
                got=str(self.type),
                fix="exchange the last two with .mT, any with gc.permute_dims; a vector is a column as x[:, None]",
            )
        return self.mT

    @property
    def mT(self) -> Tensor:
        """The last two axes exchanged."""
        return _call("matrix_transpose", self)

    @property
    def at(self) -> At:
        """Updates of a part: `x.at[index].set(value)`, `.add`, `.multiply`, `.min` and `.max` give a new tensor."""
        return At(self)

    @property
    def device(self) -> None:
        """`None`: a tensor is nowhere before it runs. A session or a plan decides where it does."""

    def to_device(self, device: None, /, *, stream: None = None) -> Tensor:
        """The tensor itself, for `None`, the only device that tensors have."""
        require_undecided(device, "to_device:")
        require_undecided(stream, "to_device, stream=:")
        return self

    def __array_namespace__(self, /, *, api_version: str | None = None) -> Any:
        """The module `graphc`, whose functions are those of the array API."""
        return array_namespace(api_version)

    def astype(self, dtype: Any) -> Tensor:
        """The elements converted to another dtype."""
        return _call("astype", self, dtype)

    def __repr__(self) -> str:
        label = f" {self.name!r}" if self.name else ""
        op = self.op.name
        if op == "project":  # nobody wrote that: it is a result of an op that has several
            op = f"{self.inputs[0].op.name}[{self.attrs['index']}]"
        return f"<graphc.Tensor {op}{label} {self.type} from {self.origins}>"

    def _no_value(self, so: str, expected: str, fix: str) -> NoReturn:
        raise StaticGraphError(
            f"a tensor has no value before the graph runs, so {so}", expected=expected, got=repr(self), fix=fix
        )

    def __bool__(self) -> NoReturn:
        fix = f"choose elements with gc.where(condition, x, y), join conditions with & and |, or {_FETCH}"
        if self.op.name in ("equal", "not_equal"):  # also what `in` and list.index ask for
            fix = "ask with `is` whether it is the same tensor; choose equal elements with gc.where(x == y, …)"
        self._no_value("it is neither true nor false", "True or False", fix)

    def __float__(self) -> NoReturn:
        fix = f"compute with gc.sqrt and its like instead of math.sqrt, or {_FETCH}"
        self._no_value("float() cannot convert it", "a number", fix)

    def __complex__(self) -> NoReturn:
        self._no_value("complex() cannot convert it", "a number", _FETCH)

    def __int__(self) -> NoReturn:
        self._no_value("int() cannot convert it", "a number", _FETCH)

    def __index__(self) -> NoReturn:
        fix = f"x[t] takes positions that are computed, or {_FETCH}"
        self._no_value("it cannot serve as a Python integer", "an int", fix)

    def __array__(self, dtype: Any = None, copy: Any = None) -> NoReturn:
        self._no_value("it cannot become an array", "an array or a number", _FETCH)

    def __dlpack__(self, **options: Any) -> NoReturn:
        self._no_value("it cannot be handed to another library", "an array", _FETCH)

    def __dlpack_device__(self) -> NoReturn:
        self._no_value("it is on no device", "an array", _FETCH)

    def __format__(self, spec: str) -> str:
        if spec:
            self._no_value(f"it cannot be written as {spec!r}", "a number", _FETCH)
        return str(self)

    def __len__(self) -> int:
        if not self.shape:
            raise StaticGraphError(
                "a scalar has no length", expected="a tensor with axes", got=repr(self), fix="use it as one number"
            )
        if not isinstance(self.shape[0], int):
            raise StaticGraphError(
                f"this tensor has no static length: it is {self.shape[0]}, known when the graph runs",
                expected="a tensor whose first size is a number",
                got=repr(self),
                fix="work on the whole axis at once: functions take axis=, gc.dim_value(t.shape[0]) is its size",
            )
        return self.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        return (self[position] for position in range(len(self)))

    # --- operators: looked up by name, so that the IR imports no op ------------------------------

    def __getitem__(self, index: Any) -> Tensor:
        return _call("getitem", self, index)

    def __add__(self, other: Any) -> Tensor:
        return _call("add", self, other)

    def __radd__(self, other: Any) -> Tensor:
        return _call("add", other, self)

    def __sub__(self, other: Any) -> Tensor:
        return _call("subtract", self, other)

    def __rsub__(self, other: Any) -> Tensor:
        return _call("subtract", other, self)

    def __mul__(self, other: Any) -> Tensor:
        return _call("multiply", self, other)

    def __rmul__(self, other: Any) -> Tensor:
        return _call("multiply", other, self)

    def __truediv__(self, other: Any) -> Tensor:
        return _call("divide", self, other)

    def __rtruediv__(self, other: Any) -> Tensor:
        return _call("divide", other, self)

    def __floordiv__(self, other: Any) -> Tensor:
        return _call("floor_divide", self, other)

    def __rfloordiv__(self, other: Any) -> Tensor:
        return _call("floor_divide", other, self)

    def __mod__(self, other: Any) -> Tensor:
        return _call("remainder", self, other)

    def __rmod__(self, other: Any) -> Tensor:
        return _call("remainder", other, self)

    def __pow__(self, other: Any) -> Tensor:
        return _call("pow", self, other)

    def __rpow__(self, other: Any) -> Tensor:
        return _call("pow", other, self)

    def __matmul__(self, other: Any) -> Tensor:
        return _call("matmul", self, other)

    def __rmatmul__(self, other: Any) -> Tensor:
        return _call("matmul", other, self)

    def __neg__(self) -> Tensor:
        return _call("negative", self)

    def __pos__(self) -> Tensor:
        return self

    def __abs__(self) -> Tensor:
        return _call("abs", self)

    def __invert__(self) -> Tensor:
        return _call("bitwise_invert", self)

    def __and__(self, other: Any) -> Tensor:
        return _call("bitwise_and", self, other)

    def __rand__(self, other: Any) -> Tensor:
        return _call("bitwise_and", other, self)

    def __or__(self, other: Any) -> Tensor:
        return _call("bitwise_or", self, other)

    def __ror__(self, other: Any) -> Tensor:
        return _call("bitwise_or", other, self)

    def __xor__(self, other: Any) -> Tensor:
        return _call("bitwise_xor", self, other)

    def __rxor__(self, other: Any) -> Tensor:
        return _call("bitwise_xor", other, self)

    def __lshift__(self, other: Any) -> Tensor:
        return _call("bitwise_left_shift", self, other)

    def __rlshift__(self, other: Any) -> Tensor:
        return _call("bitwise_left_shift", other, self)

    def __rshift__(self, other: Any) -> Tensor:
        return _call("bitwise_right_shift", self, other)

    def __rrshift__(self, other: Any) -> Tensor:
        return _call("bitwise_right_shift", other, self)

    def __eq__(self, other: object) -> Tensor:  # type: ignore[override]
        return _call("equal", self, other)

    def __ne__(self, other: object) -> Tensor:  # type: ignore[override]
        return _call("not_equal", self, other)

    def __lt__(self, other: Any) -> Tensor:
        return _call("less", self, other)

    def __le__(self, other: Any) -> Tensor:
        return _call("less_equal", self, other)

    def __gt__(self, other: Any) -> Tensor:
        return _call("greater", self, other)

    def __ge__(self, other: Any) -> Tensor:
        return _call("greater_equal", self, other)

    __hash__ = object.__hash__

    # --- NumPy's protocols: np.exp(t) records a node ------------------------------------------------

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Tensor:
        result: Tensor = numpy_ufunc(ufunc, method, kwargs)(*inputs)
        return result

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return numpy_function(function)(*args, **kwargs)


_FETCH = "fetch the value: session.run(t), or gc.evaluate(t) if t needs neither feeds nor variables"


def _call(name: str, *args: Any) -> Tensor:
    result: Tensor = FUNCTIONS[name](*args)
    return result


def apply(op: OpDef, inputs: Sequence[Tensor], **attrs: Any) -> Tensor:
    """Records a node: checks owners, computes the type, finds the user's line.

    Raises:
        GraphMismatchError: the inputs belong to two graphs.
        ShapeError, DTypeError: from `op.infer`, completed with the types and the user's line.
    """
    inputs = tuple(inputs)
    origins = current_origins()
    try:
        owner = common_owner(op.name, inputs)
        inferred = op.infer(tuple([node.type for node in inputs]), attrs)
    except GraphMismatchError:
        raise
    except GraphcError as error:
        raise _completed(error, op, inputs, origins) from None
    finally:
        guards = take_guards(origins)  # also on an error: they must not reach the next node
    return Tensor(
        op,
        inputs,
        MappingProxyType(attrs) if attrs else NO_ATTRS,
        inferred,
        origins,
        owner,
        guards,
    )


def rebuild(node: Tensor, inputs: Sequence[Tensor]) -> Tensor:
    """The same operation on other inputs; the node itself if they are the same.

    The type is inferred again only where an input's type changed.
    """
    if list(map(id, inputs)) == list(map(id, node.inputs)):
        return node
    inputs = tuple(inputs)
    if [new.type for new in inputs] == [old.type for old in node.inputs]:
        return Tensor(node.op, inputs, node.attrs, node.type, node.origins, node.owner, node.guards)
    with inherit(node.origins):
        return apply(node.op, inputs, **node.attrs)


def common_owner(what: str, inputs: Sequence[Tensor]) -> Owner | None:
    """The one graph that the inputs belong to, `None` if they are all constants."""
    owner: Owner | None = None
    for node in inputs:
        if node.owner is owner or node.owner is None:
            continue
        if owner is not None:
            raise GraphMismatchError(
                f"{what}: the operands belong to two graphs, {owner.name!r} and {node.owner.name!r}",
                expected=f"tensors of the graph {owner.name!r}",
                got=f"a tensor of the graph {node.owner.name!r}: {node!r}",
                fix="build both operands in one graph, or feed the value of one into the other",
            )
        owner = node.owner
    return owner


def _completed(error: GraphcError, op: OpDef, inputs: Sequence[Tensor], origins: Origins) -> GraphcError:
    if not error.message.startswith(op.name):
        error.message = f"{op.name}: {error.message}"
    if error.got is None:
        error.got = ", ".join(f"{node.name or f'operand {i + 1}'}: {node.type}" for i, node in enumerate(inputs))
    error.origins = origins
    return error


def tuple_elements(node: Tensor) -> tuple[TensorType, ...]:
    """The types of the results of a node: one for most ops."""
    kind: NodeType = node.type
    return kind.elements if isinstance(kind, TupleType) else (kind,)


class VariableNode(Tensor):
    """A source whose value a session keeps between runs; users make one with `gc.Variable`.

    Attributes:
        initial: array, or initialiser `f(key, shape, dtype) -> array`; `None` if it was read from text.
        trainable: whether optimisers move it by default.
    """

    __slots__ = ("initial", "trainable")

    initial: Any
    trainable: bool

    def __init__(self, op: OpDef, attrs: Mapping[str, Any], owner: Owner | None, initial: Any, trainable: bool) -> None:
        kind = op.infer((), attrs)
        super().__init__(op, (), MappingProxyType(dict(attrs)), kind, current_origins(), owner)
        object.__setattr__(self, "initial", initial)
        object.__setattr__(self, "trainable", trainable)

    @property
    def name(self) -> str:
        """The name, unique in its graph."""
        name: str = self.attrs["name"]
        return name
