"""The closed graph that passes work on. (The recording `gc.Graph` is another class, in `builder`.)"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from graphc.ir.dims import Guard
from graphc.ir.tensor import Tensor, VariableNode
from graphc.ir.walk import toposort


class Graph:
    """Parameters → results, and the new values of variables. Immutable.

    Attributes:
        parameters: the placeholders that are fed, in the order of the feeds.
        results: what is fetched.
        updates: pairs (variable, its new value).
        name: for dumps and messages.
    """

    def __init__(
        self,
        parameters: Sequence[Tensor],
        results: Sequence[Tensor],
        updates: Sequence[tuple[VariableNode, Tensor]] = (),
        name: str = "graph",
    ) -> None:
        self.parameters = tuple(parameters)
        self.results = tuple(results)
        self.updates = tuple(updates)
        self.name = name

    @property
    def outputs(self) -> tuple[Tensor, ...]:
        """Results, then the new values of the variables."""
        return self.results + tuple(value for _, value in self.updates)

    def with_outputs(self, outputs: Sequence[Tensor]) -> Graph:
        """The same graph with other outputs, in the order of `outputs`; itself if they are the same."""
        if list(map(id, outputs)) == list(map(id, self.outputs)):
            return self
        values = outputs[len(self.results) :]
        updates = [(variable, value) for (variable, _), value in zip(self.updates, values, strict=True)]
        return Graph(self.parameters, outputs[: len(self.results)], updates, self.name)

    @cached_property
    def nodes(self) -> tuple[Tensor, ...]:
        """All nodes that the outputs need, inputs before users."""
        return tuple(toposort(self.outputs))

    @property
    def variables(self) -> tuple[VariableNode, ...]:
        """The variables that are read or updated, in order of appearance."""
        read = [node for node in self.nodes if isinstance(node, VariableNode)]
        return tuple(dict.fromkeys(read + [variable for variable, _ in self.updates]))

    @cached_property
    def guards(self) -> tuple[Guard, ...]:
        """Everything that the shapes take for granted about symbolic sizes, without repetition."""
        found: dict[tuple[object, ...], Guard] = {}
        for node in self.nodes:
            for guard in node.guards:
                found.setdefault((guard.left, guard.relation, guard.right), guard)
        return tuple(found.values())

    def __repr__(self) -> str:
        parts = f"{len(self.nodes)} nodes, {len(self.results)} results, {len(self.updates)} updates"
        return f"<Graph {self.name!r}: {parts}>"
