"""Which rules a graph all but matched: the pattern fits, the proviso or the chosen exactness does not."""

from __future__ import annotations

from typing import NamedTuple

from graphc.errors import Origins
from graphc.ir.graph import Graph
from graphc.ir.tensor import Tensor, inherit
from graphc.options import CompileOptions
from graphc.rules.engine import Rule
from graphc.rules.pattern import Wildcard, match
from graphc.rules.simplify import SIMPLIFY
from graphc.rules.stable import STABLE


class Declined(NamedTuple):
    """A rule that was not applied, and why."""

    rule: str
    why: str
    origins: Origins

    def __str__(self) -> str:
        return f"{self.rule}: {self.why}  {self.origins}"


def declined_rules(graph: Graph, options: CompileOptions) -> list[Declined]:
    """The rules whose pattern matches an optimised graph, each with the reason why it stayed out."""
    by_op: dict[str, list[Rule]] = {}
    for rule in (*STABLE, *SIMPLIFY):
        if not all(isinstance(part, Wildcard) for part in rule.pattern.inputs):
            by_op.setdefault(rule.pattern.op, []).append(rule)
    found = []
    for node in graph.nodes:
        for rule in by_op.get(node.op.name, ()):
            declined = _declined(rule, node, options)
            if declined is not None:
                found.append(declined)
    return found


def _declined(rule: Rule, node: Tensor, options: CompileOptions) -> Declined | None:
    bindings = match(rule.pattern, node)
    if bindings is None or not rule.covers(bindings):
        return None
    with inherit(node.origins):
        applies = rule.replace(bindings) is not None
    if not applies:
        return Declined(rule.name, f"its proviso does not hold: {rule.identity}", node.origins)
    if rule.exactness not in options.rule_classes:
        return Declined(rule.name, f"its class {rule.exactness!r} is not allowed: {rule.identity}", node.origins)
    return None
