"""The session: the values of the variables, and everything that runs on them."""

from __future__ import annotations

import operator
import os
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from graphc import philox
from graphc.builder.graph import Graph as RecordingGraph
from graphc.builder.update import Update, reject_double
from graphc.compiler import CompiledPlan, compile_graph
from graphc.errors import (
    ArgumentError,
    FeedError,
    FetchError,
    GraphMismatchError,
    SessionError,
    ShapeError,
    UnknownFeedError,
    unknown_name,
)
from graphc.ir import dims
from graphc.ir.graph import Graph
from graphc.ir.tensor import Tensor, VariableNode
from graphc.ir.walk import toposort
from graphc.lowering import registry
from graphc.lowering.backend import Backend
from graphc.options import CompileOptions, default_options
from graphc.session.executable import Executable
from graphc.session.feeds import as_array
from graphc.session.lock import ReadWriteLock
from graphc.tree import flatten


class Snapshot(NamedTuple):
    """The state of a session at one moment: values by variable name, and the step."""

    values: Mapping[str, np.ndarray]
    step: int


_sessions: weakref.WeakSet[Session] = weakref.WeakSet()


def _after_fork() -> None:
    for session in list(_sessions):
        session.lock.reset()  # threads that held it do not live here
        session._lost = "it was opened by the parent process; open one after the fork"


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def choose_backend(backend: str | Backend) -> registry.Choice:
    """The backend for a name, or one that is given as an object."""
    if isinstance(backend, str):
        return registry.choose(backend)
    if not hasattr(backend, "info"):
        raise ArgumentError(
            "this is not a backend",
            expected="a name, or an object that implements graphc.lowering.backend.Backend",
            got=repr(backend),
            fix='backend="auto" takes the best that there is; `graphc backends` lists them',
        )
    return registry.Choice(backend.info().name, backend, "given as an object")


class Session:
    """Holds the variables of a graph and runs compiled plans on them.

    Args:
        graph: what is run; it may grow later.
        backend: a name, `"auto"`, or a backend object.
        seed: of the initialisers and of random operations.
        options: of all compilations.

    Raises:
        UnknownNameError, BackendError: the backend does not exist or is not available.
    """

    def __init__(
        self,
        graph: RecordingGraph,
        backend: str | Backend = "auto",
        seed: int = 0,
        options: CompileOptions | None = None,
    ) -> None:
        if not isinstance(graph, RecordingGraph):
            raise ArgumentError(
                "a session runs a graph",
                expected="a gc.Graph",
                got=repr(graph),
                fix="with gc.Graph() as graph: …, then gc.Session(graph)",
            )
        self.graph = graph
        self.choice = choose_backend(backend)
        self.options = _options(options)
        self.lock = ReadWriteLock()
        try:
            self._key = philox.key(seed)
        except (TypeError, ValueError):
            raise ArgumentError(
                "this cannot be a seed",
                expected="an int from 0 to 2**64 - 1",
                got=repr(seed),
                fix="pass such an int, or leave seed= out for 0",
            ) from None
        self._arrays: dict[str, Any] = {}
        self._step = np.zeros((), np.int64)
        self._cache: dict[Any, Executable] = {}
        self._lost = ""
        self._initialise(graph.variables.values())
        _sessions.add(self)

    # --- running ----------------------------------------------------------------------------------------------

    def run(self, fetches: Any, feeds: Mapping[Tensor | str, Any] | None = None) -> Any:
        """The values of the fetches, in their nesting; compiled at the first use of these fetches and feeds.

        Args:
            fetches: a tensor, variable, update, name, or nested dicts, lists, tuples of those.
            feeds: values by placeholder or name.

        Raises:
            FetchError, UnknownNameError: a fetch is nothing of this graph.
            FeedError: a feed is missing, unknown, given twice or does not fit.
        """
        given = self._feed_values(feeds or {})
        leaves, unflatten = flatten(fetches)
        fetched = [self._fetch(leaf) for leaf in leaves]
        # Neither the nesting nor the names are part of what is compiled. Tensors stand as their numbers, which are
        # never used again: they compare elementwise. Updates are kept by the key, and compare by identity.
        fed = sorted(given, key=lambda node: node.id)
        key = (
            tuple([leaf.id if isinstance(leaf, Tensor) else leaf for leaf in fetched]),
            tuple([node.id for node in fed]),
        )
        executable = self._cache.get(key)
        if executable is None:
            executable = self._cache[key] = self.compile(fetched, fed)
        return unflatten(executable(*[given[node] for node in fed]))

    def compile(self, fetches: Any, feeds: Sequence[Tensor | str] = ()) -> Executable:
        """The fetches as an executable that takes the feeds in this order.

        Raises:
            FetchError, UnknownNameError, FeedError: as in `run`.
            UpdateError: two updates of one variable.
        """
        self.require_open()
        parameters = [self._placeholder(feed) for feed in _several(feeds)]
        _reject_repeated(parameters)
        leaves, unflatten = flatten(fetches)
        resolved = [self._fetch(leaf) for leaf in leaves]
        results = [leaf for leaf in resolved if isinstance(leaf, Tensor)]
        pairs = dict.fromkeys(pair for leaf in resolved if isinstance(leaf, Update) for pair in leaf.assignments)
        reject_double(tuple(pairs))
        graph = Graph(parameters, results, tuple(pairs), self.graph.name)
        self._require_own(graph)
        self._initialise(graph.variables)
        plan = compile_graph(graph, self.choice, self.options)
        numbers = iter(range(len(results)))
        positions = [next(numbers) if isinstance(leaf, Tensor) else None for leaf in resolved]
        return Executable(plan, self, unflatten, positions)

    def _fetch(self, leaf: Any) -> Tensor | Update:
        if isinstance(leaf, (Tensor, Update)):
            return leaf
        if isinstance(leaf, str):
            return self.graph[leaf]
        raise FetchError(
            "this cannot be fetched",
            expected="a tensor, a variable, an update, a name, or a nested structure of those",
            got=repr(leaf),
            fix="leave it out: what is no tensor is known without a run",
        )

    def _placeholder(self, feed: object) -> Tensor:
        known = self.graph.placeholders
        if isinstance(feed, str):
            if feed not in known:
                raise unknown_name("placeholder", feed, list(known), error=UnknownFeedError)
            return known[feed]
        if isinstance(feed, Tensor) and feed.op.name == "placeholder" and known.get(feed.name or "") is feed:
            return feed
        fix = "feed the placeholders that it is computed from"
        if isinstance(feed, Tensor) and feed.op.name == "placeholder":
            fix = "it belongs to another graph: open a session on that one, or feed the placeholder of this one"
        if isinstance(feed, VariableNode):
            fix = "set a variable with session.assign({variable: value})"
        raise FeedError(
            "only a placeholder of this graph can be fed",
            expected="one of: " + (", ".join(known) or "this graph has none"),
            got=repr(feed),
            fix=fix,
        )

    def _feed_values(self, feeds: Mapping[Tensor | str, Any]) -> dict[Tensor, Any]:
        if not isinstance(feeds, Mapping):
            raise FeedError(
                "the feeds of a run are a dict",
                expected="{placeholder or name: value}",
                got=f"a {type(feeds).__name__}",
                fix="feeds={x: array}; an executable of session.compile(…, feeds=[x]) takes arrays alone",
            )
        given: dict[Tensor, Any] = {}
        for feed, value in feeds.items():
            node = self._placeholder(feed)
            if node in given:
                raise _given_twice(node)
            given[node] = value
        return given

    def _require_own(self, graph: Graph) -> None:
        for node in (*graph.outputs, *graph.variables):
            if node.owner is not None and node.owner is not self.graph:
                raise FetchError(
                    f"a fetch belongs to another graph, {node.owner.name!r}",
                    expected=f"tensors of this session's graph, {self.graph.name!r}",
                    got=repr(node),
                    fix="open a session on the graph in which it was recorded",
                )

    # --- state ------------------------------------------------------------------------------------------------

    def _initialise(self, variables: Iterable[VariableNode]) -> None:
        """Gives a value to every variable that has none: the key is folded from the session's seed and the name."""
        new = [variable for variable in variables if variable.name not in self._arrays]
        fresh: dict[str, Any] = {}
        pairs = []
        for variable in new:
            value = variable.initial
            if callable(value):
                key = philox.fold_in(self._key, variable.name)
                value = value(key, variable.shape, variable.dtype.numpy)
            fresh[variable.name] = target = self.choice.backend.allocate(variable.type)
            pairs.append((target, _initial_value(variable, value)))
        self.choice.backend.to_device(pairs)
        for name, array in fresh.items():
            self._arrays.setdefault(name, array)

    def assign(self, values: Mapping[VariableNode | str, Any]) -> None:
        """Sets variables at once: all of them, or none if one value does not fit.

        Raises:
            FeedError: a value has another dtype or shape than its variable.
        """
        self.require_open()
        if not isinstance(values, Mapping):
            raise ArgumentError(
                "session.assign takes a dict",
                expected="{variable or name: value}",
                got=f"a {type(values).__name__}",
                fix="session.assign({w: array}); gc.assign(w, tensor) is the operation of a graph",
            )
        checked = {}
        for variable, value in values.items():
            node = self._variable(variable)
            if node.name in checked:
                raise FeedError(
                    f"the variable {node.name!r} is given twice",
                    expected="one value per variable",
                    got="one for the variable and one for its name",
                    fix="drop one of the two",
                )
            checked[node.name] = (node, as_array(node, value))
        self._initialise(node for node, _ in checked.values())
        self.lock.exclusive(self._write, {name: array for name, (_, array) in checked.items()})

    def value(self, variable: VariableNode | str) -> np.ndarray:
        """A fresh copy of the value of a variable."""
        self.require_open()
        node = self._variable(variable)
        self._initialise([node])
        return self.lock.shared(self._read, [node.name])[node.name]

    def snapshot(self) -> Snapshot:
        """Copies of all variables, and the step."""
        self.require_open()
        self._initialise(self.graph.variables.values())
        return self.lock.shared(lambda: Snapshot(self._read(list(self._arrays)), self.step))

    def restore(self, snapshot: Snapshot) -> None:
        """Sets the variables and the step to those of a snapshot: all, or none if one does not fit.

        Raises:
            UnknownNameError: the snapshot names a variable that the graph lacks.
            FeedError: a value does not fit.
        """
        self.require_open()
        if not isinstance(getattr(snapshot, "step", None), (int, np.integer)):
            raise ArgumentError(
                "this is not a snapshot",
                expected="a gc.Snapshot: values by name, and a step",
                got=f"a {type(snapshot).__name__}",
                fix="session.snapshot() gives one; session.assign sets single variables",
            )
        checked = {}
        for name, value in snapshot.values.items():
            node = self._variable(name)
            self._initialise([node])
            checked[name] = as_array(node, value)
        step = partial(operator.setitem, self._step, ..., int(snapshot.step))
        self.lock.exclusive(self._write, checked, step)

    def _read(self, names: Iterable[str]) -> dict[str, np.ndarray]:
        self.require_open()
        return {name: self.choice.backend.to_host(self._arrays[name]) for name in names}

    def _write(self, values: Mapping[str, np.ndarray], committed: Callable[[], object] | None = None) -> None:
        self.require_open()
        self.choice.backend.to_device([(self._arrays[name], value) for name, value in values.items()], committed)

    def _variable(self, variable: VariableNode | str) -> VariableNode:
        known = self.graph.variables
        if isinstance(variable, str):
            if variable not in known:
                raise unknown_name("variable", variable, list(known))
            return known[variable]
        if not isinstance(variable, VariableNode):
            raise ArgumentError(
                "this is not a variable",
                expected="a gc.Variable or its name",
                got=repr(variable),
                fix="fetch the value of another tensor with session.run",
            )
        if known.get(variable.name) is not variable:
            raise GraphMismatchError(
                f"the variable {variable.name!r} belongs to another graph",
                expected="one of: " + (", ".join(known) or "this graph has none"),
                got=repr(variable),
                fix="open a session on its graph, or name the variable of this one",
            )
        return variable

    @property
    def step(self) -> int:
        """How many runs with updates have been committed."""
        return int(self._step)

    # --- what executables ask -------------------------------------------------------------------------------------

    def arrays(self, names: Sequence[str]) -> list[Any]:
        """The device arrays of some variables."""
        return [self._arrays[name] for name in names]

    def committed(self) -> Callable[[], object]:
        """What a commit calls last: it counts the run."""
        return partial(np.add, self._step, 1, self._step)

    def require_open(self) -> None:
        """Holds the session for usable.

        Raises:
            SessionError: it is closed, or belongs to a parent process.
        """
        if self._lost:
            raise SessionError(
                f"this session cannot be used: {self._lost}",
                expected="an open session of this process",
                got=repr(self),
                fix="open one, `with gc.Session(graph) as session:`, and run inside of that block",
            )

    # --- life -------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Frees the variables. Closing twice is no error; arrays that were returned stay valid."""
        self.lock.exclusive(self._close)

    def _close(self) -> None:
        self._lost = self._lost or "it is closed"
        self._arrays.clear()
        self._cache.clear()

    def __enter__(self) -> Session:
        self.require_open()
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __reduce__(self) -> Any:
        raise SessionError(
            "a session cannot be pickled",
            expected="the state alone",
            got=repr(self),
            fix="pickle session.snapshot(), and give it to session.restore of another one",
        )

    def __repr__(self) -> str:
        state = self._lost or f"{len(self._arrays)} variables, step {self.step}"
        return f"<graphc.Session of {self.graph.name!r} on {self.choice.name}: {state}>"


def _initial_value(variable: VariableNode, value: Any) -> np.ndarray:
    array = np.asarray(value, variable.dtype.numpy)
    if array.shape != variable.shape:
        raise ShapeError(
            f"the initialiser of {variable.name!r} gives another shape",
            expected=dims.shape_text(variable.shape),
            got=dims.shape_text(array.shape),
            fix="an initialiser returns an array of the shape that it is asked for: f(key, shape, dtype)",
            origins=variable.origins,
        )
    return array


def _reject_repeated(parameters: Sequence[Tensor]) -> None:
    seen: set[Tensor] = set()
    for node in parameters:
        if node in seen:
            raise _given_twice(node)
        seen.add(node)


def _given_twice(node: Tensor) -> FeedError:
    return FeedError(
        f"the feed for {node.name!r} is given twice",
        expected="every placeholder once",
        got=f"{node.name!r} again, as a tensor or by its name",
        fix="drop one of the two",
    )


def _options(options: CompileOptions | None) -> CompileOptions:
    if options is not None and not isinstance(options, CompileOptions):
        raise ArgumentError(
            "these are no options",
            expected="gc.CompileOptions, or None for the defaults",
            got=repr(options),
            fix='gc.CompileOptions(exactness="fast"), for example',
        )
    return default_options() if options is None else options


def _several(feeds: Iterable[Any]) -> list[Any]:
    if isinstance(feeds, (str, Tensor)) or not isinstance(feeds, Iterable):
        raise FeedError(
            "the feeds of an executable are a list",
            expected="placeholders or names, in the order of the arguments",
            got=repr(feeds),
            fix="put them into a list: feeds=[x]",
        )
    return list(feeds)


def _require_placeholder(node: object) -> None:
    if not isinstance(node, Tensor) or node.op.name != "placeholder":
        raise FeedError(
            "an input must be a placeholder",
            expected="placeholders, in the order of the arguments",
            got=repr(node),
            fix="make it with gc.placeholder; what is computed from placeholders needs no feed",
        )


class _Stateless:
    """The state of a graph without variables."""

    def __init__(self) -> None:
        self.lock = ReadWriteLock()

    def arrays(self, names: Sequence[str]) -> list[Any]:
        return []

    def committed(self) -> Callable[[], object]:
        return list

    def require_open(self) -> None:
        pass


def compile_function(
    outputs: Any,
    inputs: Sequence[Tensor] = (),
    backend: str | Backend = "auto",
    options: CompileOptions | None = None,
) -> Executable:
    """`gc.compile`: an executable without a session, for a graph without variables.

    Raises:
        ArgumentError: the graph has variables.
        FeedError: an input is no placeholder, or a needed one is missing.
    """
    leaves, unflatten = flatten(outputs)
    for leaf in leaves:
        if not isinstance(leaf, Tensor):
            raise FetchError(
                "this is not a tensor",
                expected="tensors, nested at will",
                got=repr(leaf),
                fix="names and updates need a session: gc.Session(graph).compile(…)",
            )
    inputs = _several(inputs)
    for node in inputs:
        _require_placeholder(node)
    _reject_repeated(inputs)
    graph = Graph(inputs, leaves, (), _owner_name(leaves))
    if graph.variables:
        raise ArgumentError(
            "a graph with variables needs a session",
            expected="outputs of placeholders and constants only",
            got="outputs of the variables " + ", ".join(variable.name for variable in graph.variables),
            fix="a session holds their values: gc.Session(graph).compile(outputs, feeds)",
        )
    plan = compile_graph(graph, choose_backend(backend), _options(options))
    return Executable(plan, _Stateless(), unflatten, list(range(len(leaves))))


def _owner_name(leaves: Sequence[Tensor]) -> str:
    return next((leaf.owner.name for leaf in leaves if leaf.owner is not None), "graph")


def evaluate(tensor: Any) -> Any:
    """The value of tensors that need no feeds and no variables, computed at once: for exploring.

    Raises:
        FeedError: a tensor depends on a placeholder.
        ArgumentError: a tensor depends on a variable.
    """
    leaves, _ = flatten(tensor)
    for node in toposort([leaf for leaf in leaves if isinstance(leaf, Tensor)]):
        if node.op.name in ("placeholder", "variable"):
            error = FeedError if node.op.name == "placeholder" else ArgumentError
            raise error(
                f"gc.evaluate: the value depends on the {node.op.name} {node.name!r}",
                expected="tensors of constants only",
                got=repr(node),
                fix="open a session: session.run(t, feeds={…})",
            )
    return compile_function(tensor, backend="numpy")()


__all__ = ["CompiledPlan", "Session", "Snapshot", "choose_backend", "compile_function", "evaluate"]
