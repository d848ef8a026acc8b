"""Legalisation: composites that the backend does not claim are decomposed, until it can run every node."""

from __future__ import annotations

from graphc.ir.graph import Graph
from graphc.ir.ledger import Hit
from graphc.ir.opdef import Kind
from graphc.ir.tensor import Tensor, inherit, rebuild
from graphc.passes.manager import Context


class Legalize:
    """Class `exact` with respect to the reference interpreter, which decomposes in the same way."""

    name = "legalize"

    def run(self, graph: Graph, context: Context) -> Graph:
        """The graph in ops that the backend takes. Parts may be composites again: repeats till none is."""
        while any(_is_foreign(node, context) for node in graph.nodes):
            graph = _expand_once(graph, context)
        return graph


def _is_foreign(node: Tensor, context: Context) -> bool:
    known = node.op.kind is not Kind.COMPOSITE or node.op.name in context.capabilities.claims
    return not known and node.op.decompose is not None


def _expand_once(graph: Graph, context: Context) -> Graph:
    new: dict[Tensor, Tensor] = {}
    parts: dict[Tensor, tuple[Tensor, ...]] = {}
    for node in graph.nodes:
        if node.op.name == "project" and node.inputs[0] in parts:
            new[node] = parts[node.inputs[0]][node.attrs["index"]]
            continue
        new[node] = rebuilt = rebuild(node, [new[source] for source in node.inputs])
        context.ledger.rebuilt(node.id, rebuilt.id)
        if not _is_foreign(node, context):
            continue
        assert node.op.decompose is not None
        with inherit(node.origins):
            expanded = node.op.decompose(rebuilt)
        if isinstance(expanded, tuple):
            parts[node] = expanded
        else:
            new[node] = expanded
        after = new[node]
        text = f"{len(parts.get(node, (after,)))} part(s)"
        context.ledger.add(
            Hit(
                "legalize",
                f"decompose_{node.op.name}",
                "exact",
                node.id,
                after.id,
                node.op.name,
                text,
                node.origins,
            )
        )
    return graph.with_outputs([new[node] for node in graph.outputs])


LEGALIZE = Legalize()
