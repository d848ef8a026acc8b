"""Keys of runs: from where a random op draws that is given no key."""

from __future__ import annotations

from types import MappingProxyType

from graphc.builder.graph import Graph, current_graph
from graphc.errors import GraphMismatchError
from graphc.ir.opdef import public
from graphc.ir.tensor import Owner, Tensor, current_origins
from graphc.ops.random.keys import RUN_KEY


@public
def run_key(what: str, owner: Owner | None = None) -> Tensor:
    """A key that the session feeds, another one at every step, for the op `what`, whose name it makes unique.

    Args:
        what: the name of the op.
        owner: the graph of its operands; by default the open one.

    Raises:
        GraphMismatchError: it has no operands of a graph, and no graph is open.
    """
    try:
        graph = owner if isinstance(owner, Graph) else current_graph(what)
    except GraphMismatchError:
        raise GraphMismatchError(
            f"{what} is given no key, and belongs to no graph whose session could draw one",
            expected="key=, or a line inside of a `with gc.Graph(…):` block",
            got="neither",
            fix=f"{what}(…, key=gc.random.key(0)); the same key gives the same numbers",
        ) from None
    name = graph.unique_name(what)
    attrs = {"name": name}
    node = Tensor(RUN_KEY, (), MappingProxyType(attrs), RUN_KEY.infer((), attrs), current_origins(), graph)
    graph.names[name] = node
    return node
