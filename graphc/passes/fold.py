"""Constant folding: what depends on constants only is computed now, by the reference interpreter."""

from __future__ import annotations

from collections.abc import Sequence

from graphc import reference
from graphc.ir.dims import Poly
from graphc.ir.graph import Graph
from graphc.ir.ledger import Hit
from graphc.ir.opdef import Kind, Trait
from graphc.ir.tensor import Tensor, inherit, rebuild
from graphc.ir.types import TensorType
from graphc.ir.walk import transform
from graphc.ops.define import constant_node
from graphc.passes.manager import Context

_LARGEST = 1 << 20  # elements: a folded broadcast of a scalar must not become a large constant
_GROWTH = 64  # elements that a result may have for free


class Fold:
    """Replaces nodes whose inputs are all constants by their value.

    Class `close`: the backend might have computed other last bits. Off under `exactness="exact"` unless the
    backend gives the reference's bits.
    """

    name = "fold"

    def run(self, graph: Graph, context: Context) -> Graph:
        """The graph with constants in place of constant expressions."""
        if "close" not in context.options.rule_classes and not context.capabilities.exact:
            return graph

        def visit(node: Tensor, inputs: list[Tensor]) -> Tensor:
            new = rebuild(node, inputs)
            context.ledger.rebuilt(node.id, new.id)
            if context.exhausted or not _foldable(new):
                return new
            with inherit(new.origins):
                (value,) = reference.evaluate([new])
                folded = constant_node(value)
            context.ledger.add(_hit(new, folded))
            return folded

        new = transform(graph.nodes, visit)
        return graph.with_outputs([new[node] for node in graph.outputs])


def _foldable(node: Tensor) -> bool:
    if not node.inputs or node.op.kind is Kind.EFFECT or Trait.CAN_FAIL in node.op.traits:
        return False
    if any(source.op.name != "constant" for source in node.inputs) or not isinstance(node.type, TensorType):
        return False
    if any(not isinstance(size, int) for size in node.shape) or not _is_static(tuple(node.attrs.values())):
        return False
    size = _elements(node.shape)
    largest_input = max(_elements(source.shape) for source in node.inputs)
    return size <= max(largest_input, _GROWTH) and size <= _LARGEST


def _is_static(attr: object) -> bool:
    if isinstance(attr, tuple):
        return all(_is_static(item) for item in attr)
    return not isinstance(attr, Poly)


def _elements(shape: Sequence[object]) -> int:
    total = 1
    for size in shape:
        assert isinstance(size, int)
        total *= size
    return total


def _hit(old: Tensor, new: Tensor) -> Hit:
    sources = ", ".join(source.op.name for source in old.inputs)
    return Hit("fold", "fold", "close", old.id, new.id, f"{old.op.name}({sources})", "constant", old.origins)


FOLD = Fold()
