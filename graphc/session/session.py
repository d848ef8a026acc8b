"""The session: a graph, the state of its variables, and the plans that run on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphc import philox
from graphc.builder.graph import Graph
from graphc.builder.update import Update, reject_double
from graphc.compiler import compile_graph
from graphc.errors import ArgumentError, FeedError, SessionError
from graphc.ir.graph import Graph as ClosedGraph
from graphc.ir.tensor import Tensor, VariableNode
from graphc.lowering import registry
from graphc.lowering.backend import Backend
from graphc.options import CompileOptions, resolve_options
from graphc.session import lookup
from graphc.session.executable import Executable
from graphc.session.feeds import as_array
from graphc.session.run_keys import with_run_keys
from graphc.session.state import Snapshot, State
from graphc.tree import flatten


class Session:
    """Holds the variables of a graph and runs compiled plans on them.

    Args:
        graph: what is run; it may grow later.
        backend: a name, `"auto"`, or a backend object.
        seed: of initialisers and of random ops without a key, from 0 to 2**64 - 1; the same one gives the same numbers.
        options: of all compilations.

    Attributes:
        graph, options: see there.
        choice: the backend, and why it was taken.
        state: the variables.

    Raises:
        UnknownNameError, BackendError: the backend does not exist or is not available.
    """

    def __init__(
        self,
        graph: Graph,
        backend: str | Backend = "auto",
        seed: int = 0,
        options: CompileOptions | None = None,
    ) -> None:
        if not isinstance(graph, Graph):
            raise ArgumentError(
                "a session runs a graph",
                expected="a gc.Graph",
                got=repr(graph),
                fix="with gc.Graph() as graph: …, then gc.Session(graph)",
            )
        self.graph = graph
        self.choice = registry.choose(backend)
        self.options = resolve_options(options)
        try:
            key = philox.key(seed)
        except (TypeError, ValueError):
            raise ArgumentError(
                "this cannot be a seed",
                expected="an int from 0 to 2**64 - 1",
                got=repr(seed),
                fix="pass such an int, or leave seed= out for 0",
            ) from None
        self.state = State(self.choice.backend, key, f"{graph.name!r} on {self.choice.name}")
        self._cache: dict[Any, Executable] = {}
        self.state.initialise(graph.variables.values())

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
        given = lookup.feed_values(self.graph, feeds or {})
        leaves, unflatten = flatten(fetches)
        fetched = [lookup.fetch(self.graph, leaf) for leaf in leaves]
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
        self.state.require_open()
        parameters = [lookup.placeholder(self.graph, feed) for feed in lookup.several(feeds)]
        lookup.reject_repeated(parameters)
        leaves, unflatten = flatten(fetches)
        resolved = [lookup.fetch(self.graph, leaf) for leaf in leaves]
        results = [leaf for leaf in resolved if isinstance(leaf, Tensor)]
        pairs = dict.fromkeys(pair for leaf in resolved if isinstance(leaf, Update) for pair in leaf.assignments)
        reject_double(tuple(pairs))
        graph = with_run_keys(ClosedGraph(parameters, results, tuple(pairs), self.graph.name))
        lookup.require_own(self.graph, graph)
        self.state.initialise(graph.variables)
        plan = compile_graph(graph, self.choice, self.options)
        numbers = iter(range(len(results)))
        positions = [next(numbers) if isinstance(leaf, Tensor) else None for leaf in resolved]
        return Executable(plan, self.state, unflatten, positions)

    # --- state ------------------------------------------------------------------------------------------------

    def assign(self, values: Mapping[VariableNode | str, Any]) -> None:
        """Sets variables at once: all of them, or none if one value does not fit.

        Raises:
            FeedError: a value has another dtype or shape than its variable.
        """
        self.state.require_open()
        if not isinstance(values, Mapping):
            raise ArgumentError(
                "session.assign takes a dict",
                expected="{variable or name: value}",
                got=f"a {type(values).__name__}",
                fix="session.assign({w: array}); gc.assign(w, tensor) is the operation of a graph",
            )
        checked: dict[VariableNode, np.ndarray] = {}
        for wanted, value in values.items():
            node = lookup.variable(self.graph, wanted)
            if node in checked:
                raise FeedError(
                    f"the variable {node.name!r} is given twice",
                    expected="one value per variable",
                    got="one for the variable and one for its name",
                    fix="drop one of the two",
                )
            checked[node] = as_array(node, value)
        self.state.initialise(checked)
        self.state.write({node.name: array for node, array in checked.items()})

    def value(self, variable: VariableNode | str) -> np.ndarray:
        """A fresh copy of the value of a variable."""
        self.state.require_open()
        node = lookup.variable(self.graph, variable)
        self.state.initialise([node])
        return self.state.value(node.name)

    def snapshot(self) -> Snapshot:
        """Copies of all variables, and the step."""
        self.state.require_open()
        self.state.initialise(self.graph.variables.values())
        return self.state.snapshot()

    def restore(self, snapshot: Snapshot) -> None:
        """Sets the variables and the step to those of a snapshot: all, or none if one does not fit.

        A session that has lost its state (`StateLostError`) goes on from there.

        Raises:
            FeedError: a value does not fit.
            ArgumentError: the snapshot has variables that the graph lacks, or lacks some of the graph, or is none.
        """
        self.state.require_not_ended()
        if not isinstance(getattr(snapshot, "step", None), (int, np.integer)):
            raise ArgumentError(
                "this is not a snapshot",
                expected="a gc.Snapshot: values by name, and a step",
                got=f"a {type(snapshot).__name__}",
                fix="session.snapshot() gives one; session.assign sets single variables",
            )
        strange = [name for name in snapshot.values if name not in self.graph.variables]
        if strange:
            raise ArgumentError(
                "the snapshot has variables that the graph lacks: " + ", ".join(map(repr, strange)),
                expected="values for " + (", ".join(self.graph.variables) or "no variables"),
                got="values for " + ", ".join(map(str, snapshot.values)),
                fix="restore it to a session of the graph that it was taken of; "
                "session.assign({name: snapshot.values[name]}) sets single variables",
            )
        nodes = [lookup.variable(self.graph, name) for name in snapshot.values]
        arrays = {node.name: as_array(node, snapshot.values[node.name]) for node in nodes}
        missing = [name for name in self.graph.variables if name not in arrays]
        if missing:
            raise ArgumentError(
                "the snapshot lacks variables of the graph: " + ", ".join(map(repr, missing)),
                expected="a value for each of: " + ", ".join(self.graph.variables),
                got="values for " + (", ".join(arrays) or "nothing"),
                fix="session.assign(snapshot.values) sets these alone, and leaves the others and the step as they are",
            )
        self.state.initialise(nodes)
        self.state.restore(nodes, arrays, int(snapshot.step))

    @property
    def step(self) -> int:
        """How many runs with updates, or with random numbers of no key, have been committed."""
        return self.state.step

    # --- life -------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Frees the variables. Closing twice is no error; arrays that were returned stay valid."""
        self.state.close()
        self._cache.clear()

    def __enter__(self) -> Session:
        self.state.require_open()
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
        return repr(self.state)
