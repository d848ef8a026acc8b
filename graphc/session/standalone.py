"""Running what has no variables, without a session: `gc.compile` and `gc.evaluate`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.builder.update import Update
from graphc.compiler import compile_graph
from graphc.errors import ArgumentError, FeedError, FetchError
from graphc.ir.graph import Graph
from graphc.ir.tensor import Tensor
from graphc.ir.walk import toposort
from graphc.lowering import registry
from graphc.lowering.backend import Backend
from graphc.options import CompileOptions, resolve_options
from graphc.session import lookup
from graphc.session.executable import Executable
from graphc.session.run_keys import run_keys, with_run_keys
from graphc.session.state import State
from graphc.tree import flatten


def compile_function(
    outputs: Any,
    inputs: Sequence[Tensor] = (),
    backend: str | Backend = "auto",
    options: CompileOptions | None = None,
) -> Executable:
    """`gc.compile`: an executable without a session, for a graph without variables.

    Args:
        outputs: tensors, nested at will.
        inputs: placeholders, in the order of the arguments.
        backend: a name, `"auto"`, or a backend object.
        options: of the compilation.

    Raises:
        ArgumentError: the graph has variables, or random ops without a key.
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
    parameters = lookup.several(inputs)
    for node in parameters:
        _require_placeholder(node)
    lookup.reject_repeated(parameters)
    name = next((leaf.owner.name for leaf in leaves if leaf.owner is not None), "graph")
    graph = with_run_keys(Graph(parameters, leaves, (), name))
    if graph.variables:
        raise ArgumentError(
            "a graph with variables needs a session",
            expected="outputs of placeholders and constants only",
            got="outputs of the variables " + ", ".join(variable.name for variable in graph.variables),
            fix="a session holds their values: gc.Session(graph).compile(outputs, feeds)",
        )
    _require_keys(graph)
    choice = registry.choose(backend)
    plan = compile_graph(graph, choice, resolve_options(options))
    no_variables = State(choice.backend, None, f"{name!r} on {choice.name}")
    return Executable(plan, no_variables, unflatten, list(range(len(leaves))))


def _require_keys(graph: Graph) -> None:
    """Holds every random op to having a key: without a session there is no seed, and no step that would change it."""
    drawn = run_keys(graph)
    if drawn:
        raise ArgumentError(
            "random numbers without a key need a session: they depend on its seed and step",
            expected="key= for each random op, or a session",
            got="no key for " + ", ".join(repr(node.name) for node in drawn),
            fix="gc.random.normal(…, key=k) with k = gc.random.key(0), always the same numbers, or with a placeholder "
            "of uint32[2]; or gc.Session(graph).compile(outputs, feeds)",
            origins=drawn[0].origins,
        )


def _require_placeholder(node: object) -> None:
    if not isinstance(node, Tensor) or node.op.name != "placeholder":
        raise FeedError(
            "an input must be a placeholder",
            expected="placeholders, in the order of the arguments",
            got=repr(node),
            fix="make it with gc.placeholder; what is computed from placeholders needs no feed",
        )


def evaluate(tensor: Any) -> Any:
    """The value of tensors that need no feeds and no variables, computed at once: for exploring.

    Args:
        tensor: a tensor, or tensors nested at will.

    Raises:
        FeedError: a tensor depends on a placeholder.
        ArgumentError: a tensor depends on a variable.
        FetchError: something is no tensor.
    """
    leaves, _ = flatten(tensor)
    for leaf in leaves:
        if not isinstance(leaf, Tensor):
            raise FetchError(
                "gc.evaluate: this is not a tensor",
                expected="tensors, nested at will",
                got=repr(leaf),
                fix="names and updates are fetched with session.run"
                if isinstance(leaf, (str, Update))
                else "leave it out: what is no tensor has its value already",
            )
    for node in toposort(leaves):
        if node.op.name in ("placeholder", "variable"):
            error = FeedError if node.op.name == "placeholder" else ArgumentError
            raise error(
                f"gc.evaluate: the value depends on the {node.op.name} {node.name!r}",
                expected="tensors of constants only",
                got=repr(node),
                fix="open a session: session.run(t, feeds={…})",
            )
    return compile_function(tensor, backend="numpy")()
