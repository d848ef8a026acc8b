"""Legalisation: what the backend does not run is decomposed, until it can run every node, or nothing helps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.backend import Capabilities
from graphc.ir.graph import Graph
from graphc.ir.ledger import Hit
from graphc.ir.opdef import Kind, OpDef
from graphc.ir.tensor import Tensor, inherit, rebuild
from graphc.ops.decompositions import DECOMPOSITIONS
from graphc.passes.manager import Context


class Legalize:
    """Class `exact` with respect to the reference interpreter, which decomposes composites in the same way."""

    name = "legalize"

    def run(self, graph: Graph, context: Context) -> Graph:
        """The graph in ops that the backend takes. Parts may be composites again: repeats till none is."""
        while any(_is_foreign(node, context) for node in graph.nodes):
            graph = _expand_once(graph, context)
        return graph


def _is_foreign(node: Tensor, context: Context) -> bool:
    return not _is_known(node.op, context.capabilities) and _decomposition(node.op) is not None


def _is_known(op: OpDef, capabilities: Capabilities) -> bool:
    if op.kind is Kind.COMPOSITE:
        return op.name in capabilities.claims
    return capabilities.ops is None or op.name in capabilities.ops


def _decomposition(op: OpDef) -> Callable[[Tensor], Any] | None:
    return op.decompose or DECOMPOSITIONS.get(op.name)


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
        decompose = _decomposition(node.op)
        assert decompose is not None
        with inherit(node.origins):
            expanded = decompose(rebuilt)
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
