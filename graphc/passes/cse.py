"""Common subexpressions: of several nodes with one structural key, the first stays."""

from __future__ import annotations

from graphc.ir.graph import Graph
from graphc.ir.key import structural_key
from graphc.ir.ledger import Hit
from graphc.ir.opdef import Kind
from graphc.ir.tensor import Tensor, rebuild
from graphc.ir.walk import transform
from graphc.passes.manager import Context


class Cse:
    """Class `exact`. Effects (prints, checks) are kept apart; sources of one name are one already."""

    name = "cse"

    def run(self, graph: Graph, context: Context) -> Graph:
        """The graph with every value computed once."""
        first: dict[bytes, Tensor] = {}

        def visit(node: Tensor, inputs: list[Tensor]) -> Tensor:
            new = rebuild(node, inputs)
            if new.op.kind is Kind.EFFECT:
                return new
            kept = first.setdefault(structural_key(new), new)
            if kept is not new:
                text = new.op.name
                context.ledger.add(Hit("cse", "cse", "exact", node.id, kept.id, text, f"{text} (shared)", node.origins))
            return kept

        new = transform(graph.outputs, visit)
        return graph.with_outputs([new[node] for node in graph.outputs])


CSE = Cse()
