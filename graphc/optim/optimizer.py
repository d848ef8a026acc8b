"""What all optimisers share: which variables, which gradients, one update."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from graphc.builder.gradients import gradients
from graphc.builder.graph import Graph, Variable, current_graph, name_scope
from graphc.builder.update import Update, fitting
from graphc.errors import ArgumentError
from graphc.init import zeros
from graphc.ir.tensor import Tensor, VariableNode

Assignments = list[tuple[VariableNode, Tensor]]


class Optimizer:
    """Base class: a subclass gives `_begin`, called once per update, and `_step`, called per variable.

    Args:
        learning_rate: the initial value of a non-trainable variable, which can be assigned without recompiling.
        name: scope of the optimiser's own variables.
    """

    def __init__(self, learning_rate: float, name: str) -> None:
        if not learning_rate >= 0:
            raise ArgumentError(f"{name}: the learning rate must not be negative", got=repr(learning_rate))
        self.name = name
        self.initial_learning_rate = float(learning_rate)
        self.learning_rate: Variable | None = None
        """The variable, once the optimiser is used."""

    def minimize(self, loss: Tensor, variables: Sequence[VariableNode] | None = None) -> Update:
        """One step that lowers a scalar loss.

        Args:
            loss: a scalar.
            variables: by default all trainable variables of the graph that the loss depends on.

        Raises:
            NotConnectedError: the loss does not depend on a variable that was named, or on none at all.
        """
        if variables is not None:
            found = gradients(loss, list(variables))
            return self.apply(list(zip(found, variables, strict=True)))
        graph = _graph_of(loss)
        trainable = [variable for variable in graph.variables.values() if variable.trainable]
        found = gradients(loss, trainable, unconnected="none")
        pairs = [(g, v) for g, v in zip(found, trainable, strict=True) if g is not None]
        if not pairs:
            gradients(loss, trainable[:1])  # raises with the reason
            raise ArgumentError("there is no trainable variable to move", got=repr(graph))
        return self.apply(pairs)

    def apply(self, gradients: Mapping[VariableNode, Tensor] | Iterable[tuple[Tensor, VariableNode]]) -> Update:
        """One step along gradients that are given: variable → gradient, or pairs (gradient, variable)."""
        if isinstance(gradients, Mapping):
            pairs = [(gradient, variable) for variable, gradient in gradients.items()]
        else:
            pairs = list(gradients)
        graph = _graph_of(*(variable for _, variable in pairs))
        with graph, name_scope(self.name):
            if self.learning_rate is None or self.learning_rate.owner is not graph:
                self.learning_rate = Variable(self.initial_learning_rate, name="learning_rate", trainable=False)
            assignments = self._begin()
            for gradient, variable in pairs:
                assignments += self._step(variable, gradient)
        return Update([(variable, fitting(variable, value)) for variable, value in assignments])

    def _begin(self) -> Assignments:
        """What is updated once per step."""
        return []

    def _step(self, variable: VariableNode, gradient: Tensor) -> Assignments:
        """The new values of a variable and of what the optimiser keeps for it."""
        raise NotImplementedError

    def _rate(self, variable: VariableNode) -> Tensor:
        assert self.learning_rate is not None
        return self.learning_rate.astype(variable.dtype)

    def _slot(self, variable: VariableNode, kind: str) -> Variable:
        """A variable of zeros of the same shape, named after what it accompanies."""
        return Variable(
            zeros(),
            shape=variable.shape,
            dtype=variable.dtype,
            name=f"{variable.name}/{kind}",
            trainable=False,
        )


def _graph_of(*nodes: Tensor) -> Graph:
    for node in nodes:
        if isinstance(node.owner, Graph):
            return node.owner
    return current_graph("an optimiser")
