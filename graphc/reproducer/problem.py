"""A call that goes wrong, and how to record it anew with some differences."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from graphc import reference
from graphc.builder.graph import Graph as Recording
from graphc.builder.graph import Variable, placeholder
from graphc.ir import dims
from graphc.ir.graph import Graph
from graphc.ir.tensor import Tensor, VariableNode, apply, inherit
from graphc.ops.define import constant_node

Outputs = tuple[Sequence[Tensor], Sequence[tuple[VariableNode, Tensor]]]
"""Results, and updates."""


class Problem(NamedTuple):
    """A call: a graph, and values for what it reads.

    Attributes:
        graph: parameters, results, updates.
        values: an array for every parameter and variable.
        sizes: of the symbols in its shapes.
    """

    graph: Graph
    values: Mapping[Tensor, np.ndarray]
    sizes: Mapping[str, int]


class Change:
    """A problem with some differences, recorded anew.

    Args:
        problem: stays as it is.
        outputs: other results and updates.
        cuts: nodes that become placeholders with these values.
        instead: nodes in whose place an earlier one of the graph stands.
        values: other values of leaves, of any shape.
        static: whether sizes replace the symbols.
        attr: changes an attribute: (name, value) → value.
    """

    def __init__(
        self,
        problem: Problem,
        *,
        outputs: Outputs | None = None,
        cuts: Mapping[Tensor, np.ndarray] | None = None,
        instead: Mapping[Tensor, Tensor] | None = None,
        values: Mapping[Tensor, np.ndarray] | None = None,
        static: bool = False,
        attr: Callable[[str, Any], Any] = lambda name, value: value,
    ) -> None:
        self.problem = problem
        self.outputs = outputs or (problem.graph.results, problem.graph.updates)
        self.cuts = cuts or {}
        self.instead = instead or {}
        self.values = {**problem.values, **(values or {}), **self.cuts}
        self.sizes = problem.sizes if static else {}
        self.symbolic = bool(problem.sizes) and not static
        self.attr = attr
        self.new: dict[Tensor, Tensor] = {}
        self.arrays: dict[Tensor, np.ndarray] = {}

    def build(self) -> Problem:
        """The new problem.

        Raises:
            GraphcError: some op does not take what it would get.
        """
        graph = self.problem.graph
        results, updates = self.outputs
        with Recording(graph.name):
            for node in self._needed([*results, *(part for pair in updates for part in pair)]):
                self.new[node] = self._copy(node)
        parameters = [node for node in self.arrays if not isinstance(node, VariableNode)]
        pairs = []
        for variable, value in updates:
            mine = self.new[variable]
            assert isinstance(mine, VariableNode)
            pairs.append((mine, self._found(value)))
        new = Graph(parameters, [self._found(node) for node in results], pairs, graph.name)
        return Problem(new, self.arrays, self.problem.sizes if self.symbolic else {})

    def _needed(self, outputs: Iterable[Tensor]) -> list[Tensor]:
        """What the outputs need, in the order of the graph; where sizes are symbolic, all that they are told from."""
        graph = self.problem.graph
        order = list(dict.fromkeys((*graph.parameters, *graph.variables, *graph.nodes)))
        needed = {self._target(node) for node in outputs}
        if self.symbolic:
            needed |= {node for node in graph.parameters if any(dims.symbol_name(size) for size in node.shape)}
        for node in reversed(order):
            if node in needed and node not in self.cuts:
                needed |= {self._target(source) for source in node.inputs}
        return [node for node in order if node in needed]

    def _target(self, node: Tensor) -> Tensor:
        while node in self.instead:
            node = self.instead[node]
        return node

    def _found(self, node: Tensor) -> Tensor:
        return self.new[self._target(node)]

    def _copy(self, node: Tensor) -> Tensor:
        with inherit(node.origins):
            if node in self.cuts or node.op.name in ("placeholder", "run_key", "variable"):
                return self._leaf(node)
            if node.op.name == "constant":
                return constant_node(node.attrs["value"])
            given = node.attrs if self.symbolic else reference.bind_attrs(node.attrs, self.sizes)
            attrs = {name: self.attr(name, value) for name, value in given.items()}
            if node.op.name == "dim_value" and isinstance(attrs["dim"], int):
                return constant_node(np.asarray(attrs["dim"], node.dtype.numpy))
            return apply(node.op, [self._found(source) for source in node.inputs], **attrs)

    def _leaf(self, node: Tensor) -> Tensor:
        array = self.values[node]
        if isinstance(node, VariableNode) and node not in self.cuts:
            new: Tensor = Variable(array, name=node.name)
        else:
            shape = node.shape if self.symbolic and node not in self.cuts else array.shape
            new = placeholder(node.name or f"x{len(self.new)}", shape, node.dtype)
        self.arrays[new] = array
        return new


def node_values(problem: Problem) -> dict[Tensor, Any]:
    """The value of every node, by the reference interpreter.

    Raises:
        GraphcError: a node has none.
    """
    found: dict[Tensor, Any] = {}
    reference.evaluate(problem.graph.outputs, problem.values, problem.sizes, found.__setitem__)
    return found
