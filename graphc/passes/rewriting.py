"""Passes that apply a table of rules."""

from __future__ import annotations

from graphc.ir.graph import Graph
from graphc.passes.manager import Context
from graphc.rules.canonical import CANONICAL
from graphc.rules.engine import Rewriter, Rule
from graphc.rules.simplify import SIMPLIFY
from graphc.rules.stable import STABLE


class RewritePass:
    """Applies rules bottom-up until none matches."""

    def __init__(self, name: str, rules: tuple[Rule, ...]) -> None:
        self.name = name
        self.rules = rules

    def run(self, graph: Graph, context: Context) -> Graph:
        """The graph, rewritten; every hit is in the ledger."""
        limit = None if context.limit is None else max(0, context.limit - len(context.ledger.hits))
        rewriter = Rewriter(
            self.rules,
            stage=self.name,
            allowed=context.options.rule_classes,
            ledger=context.ledger,
            limit=limit,
        )
        return graph.with_outputs(rewriter.run(graph.outputs))


CANONICALISE = RewritePass("canonicalise", CANONICAL)
STABILISE = RewritePass("stabilise", (*CANONICAL, *STABLE))
SIMPLIFY_PASS = RewritePass("simplify", (*SIMPLIFY, *CANONICAL))
