"""What users name, looked up in their graph: fetches, feeds, variables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from graphc.builder.graph import Graph
from graphc.builder.update import Update
from graphc.errors import (
    ArgumentError,
    FeedError,
    FetchError,
    GraphMismatchError,
    UnknownFeedError,
    unknown_name,
)
from graphc.ir.graph import Graph as ClosedGraph
from graphc.ir.tensor import Tensor, VariableNode


def fetch(graph: Graph, leaf: Any) -> Tensor | Update:
    """What a leaf of the fetches stands for.

    Raises:
        UnknownNameError: nothing has that name.
        FetchError: it is neither a tensor nor an update nor a name.
    """
    if isinstance(leaf, (Tensor, Update)):
        return leaf
    if isinstance(leaf, str):
        return graph[leaf]
    raise FetchError(
        "this cannot be fetched",
        expected="a tensor, a variable, an update, a name, or a nested structure of those",
        got=repr(leaf),
        fix="leave it out: what is no tensor is known without a run",
    )


def require_own(graph: Graph, wanted: ClosedGraph) -> None:
    """Holds what is to be compiled for recorded in the graph.

    Raises:
        FetchError: something belongs to another one.
    """
    for node in (*wanted.outputs, *wanted.variables):
        if node.owner is not None and node.owner is not graph:
            raise FetchError(
                f"a fetch belongs to another graph, {node.owner.name!r}",
                expected=f"tensors of this session's graph, {graph.name!r}",
                got=repr(node),
                fix="open a session on the graph in which it was recorded",
            )


def placeholder(graph: Graph, feed: object) -> Tensor:
    """The placeholder for a feed.

    Raises:
        UnknownFeedError: none has that name.
        FeedError: it is something else, or of another graph.
    """
    known = graph.placeholders
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


def feed_values(graph: Graph, feeds: Mapping[Tensor | str, Any]) -> dict[Tensor, Any]:
    """The values by placeholder.

    Raises:
        FeedError: as in `placeholder`; or one is given twice, or these are no feeds at all.
    """
    if not isinstance(feeds, Mapping):
        raise FeedError(
            "the feeds of a run are a dict",
            expected="{placeholder or name: value}",
            got=f"a {type(feeds).__name__}",
            fix="feeds={x: array}; an executable of session.compile(…, feeds=[x]) takes arrays alone",
        )
    given: dict[Tensor, Any] = {}
    for feed, value in feeds.items():
        node = placeholder(graph, feed)
        if node in given:
            raise _given_twice(node)
        given[node] = value
    return given


def several(feeds: Iterable[Any]) -> list[Any]:
    """The feeds of an executable as a list.

    Raises:
        FeedError: they are not several.
    """
    if isinstance(feeds, (str, Tensor)) or not isinstance(feeds, Iterable):
        raise FeedError(
            "the feeds of an executable are a list",
            expected="placeholders or names, in the order of the arguments",
            got=repr(feeds),
            fix="put them into a list: feeds=[x]",
        )
    return list(feeds)


def reject_repeated(parameters: Sequence[Tensor]) -> None:
    """Holds every placeholder for given once.

    Raises:
        FeedError: one is given twice.
    """
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


def variable(graph: Graph, wanted: VariableNode | str) -> VariableNode:
    """The variable itself, or that of a name.

    Raises:
        UnknownNameError: none has that name.
        ArgumentError: it is something else.
        GraphMismatchError: it belongs to another graph.
    """
    known = graph.variables
    if isinstance(wanted, str):
        if wanted not in known:
            raise unknown_name("variable", wanted, list(known))
        return known[wanted]
    if not isinstance(wanted, VariableNode):
        raise ArgumentError(
            "this is not a variable",
            expected="a gc.Variable or its name",
            got=repr(wanted),
            fix="fetch the value of another tensor with session.run",
        )
    if known.get(wanted.name) is not wanted:
        raise GraphMismatchError(
            f"the variable {wanted.name!r} belongs to another graph",
            expected="one of: " + (", ".join(known) or "this graph has none"),
            got=repr(wanted),
            fix="open a session on its graph, or name the variable of this one",
        )
    return wanted
