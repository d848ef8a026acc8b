"""Dead code. What no output reaches is not part of a graph at all; this drops outputs that do nothing."""

from __future__ import annotations

from graphc.ir.graph import Graph
from graphc.ir.ledger import Hit
from graphc.passes.manager import Context


class Dce:
    """Drops updates that give a variable the value it has. Class `exact`."""

    name = "dce"

    def run(self, graph: Graph, context: Context) -> Graph:
        """The graph without idle updates."""
        if context.exhausted:
            return graph
        kept = [(variable, value) for variable, value in graph.updates if value is not variable]
        for variable, value in graph.updates:
            if value is variable:
                hit = Hit("dce", "dce", "exact", variable.id, variable.id, "update", "nothing", variable.origins)
                context.ledger.add(hit)
        return Graph(graph.parameters, graph.results, kept, graph.name)


DCE = Dce()
