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
        first: dict[tuple[bytes, *tuple[int, ...]], Tensor] = {}

        def visit(node: Tensor, inputs: list[Tensor]) -> Tensor:
            new = rebuild(node, inputs)
            context.ledger.rebuilt(node.id, new.id)
            if new.op.kind is Kind.EFFECT or context.exhausted:
                return new
            # The ids of the inputs keep the readers of two equal effects apart, and with them the effects.
            ids = [source.id for source in new.inputs]
            kept = first.setdefault((structural_key(new), *(sorted(ids) if new.op.commutes else ids)), new)
            if kept is new or kept.type != new.type:  # a guard may call one size by two names
                return new
            text = new.op.name
            context.ledger.add(Hit("cse", "cse", "exact", node.id, kept.id, text, f"{text} (shared)", node.origins))
            return kept

        new = transform(graph.nodes, visit)
        return graph.with_outputs([new[node] for node in graph.outputs])


CSE = Cse()
