"""What all optimisers share: which variables, which gradients, one update."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from graphc.builder.gradients import gradients, not_connected
from graphc.builder.graph import Graph, Variable, current_graph, name_scope
from graphc.builder.update import Update, fitting
from graphc.errors import (
    ArgumentError,
    DTypeError,
    NotConnectedError,
    ShapeError,
    StaticGraphError,
    UpdateError,
)
from graphc.init import zeros
from graphc.ir.dtype import FLOAT, float64
from graphc.ir.tensor import Tensor, VariableNode, common_owner
from graphc.ir.types import compatible

Assignments = list[tuple[VariableNode, Tensor]]


class Optimizer:
    """Base class: a subclass gives `_begin`, called once per update, and `_step`, called per variable.

    Args:
        learning_rate: the initial value of a non-trainable float64 variable, which can be assigned without recompiling.
        name: scope of the optimiser's own variables.
    """

    def __init__(self, learning_rate: float, name: str) -> None:
        fix = "0.1 to 0.0001 are usual; one that changes is assigned: session.assign({optimizer.learning_rate: rate})"
        require_number(f"{name}: learning_rate", learning_rate, lambda rate: rate >= 0, "a number >= 0", fix)
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
        _require_loss(self.name, loss)
        wanted = _trainable(_graph_of(loss)) if variables is None else list(variables)
        found = list(zip(gradients(loss, wanted, unconnected="none"), wanted, strict=True))
        pairs = [(gradient, variable) for gradient, variable in found if gradient is not None]
        missing = [variable for gradient, variable in found if gradient is None]
        if variables is not None and missing:
            fix = "compute the loss from it, or leave it out of variables="
            raise not_connected(missing[0], [loss], fix, "the loss")
        if not pairs:
            raise NotConnectedError(
                f"{self.name}: the loss depends on no trainable variable",
                expected="a path from one of: " + (", ".join(v.name for v in wanted) or "none, the graph has none"),
                got=repr(loss),
                fix="compute the loss from variables, through floating-point operations",
            )
        return self.apply(pairs)

    def apply(self, gradients: Mapping[VariableNode, Tensor] | Iterable[tuple[Tensor, VariableNode]]) -> Update:
        """One step along gradients that are given: variable → gradient, or pairs (gradient, variable).

        Raises:
            UpdateError: something else is given, or a variable twice.
            ShapeError, DTypeError: a gradient has another type than its variable.
            GraphMismatchError: the variables belong to two graphs.
        """
        if isinstance(gradients, Mapping):
            pairs = [(gradient, variable) for variable, gradient in gradients.items()]
        else:
            pairs = list(gradients)
        _require_fitting(self.name, pairs)  # before anything is added to the graph
        graph = _graph_of(*(variable for _, variable in pairs))
        with graph, name_scope(self.name):
            if self.learning_rate is None or self.learning_rate.owner is not graph:
                # float64, or training in float64 would go by a rate that is off by 1e-8.
                self.learning_rate = Variable(
                    self.initial_learning_rate, dtype=float64, name="learning_rate", trainable=False
                )
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

    def _rate(self) -> Tensor:
        """The learning rate of this run, a float64 scalar."""
        assert self.learning_rate is not None
        return self.learning_rate

    def _slot(self, variable: VariableNode, kind: str) -> Variable:
        """A variable of zeros of the same shape, named after what it accompanies."""
        return Variable(
            zeros(),
            shape=variable.shape,
            dtype=variable.dtype,
            name=f"{variable.name}/{kind}",
            trainable=False,
        )


def require_number(what: str, value: object, fits: Callable[[float], bool], expected: str, fix: str) -> None:
    """Holds an argument for a number in its domain.

    Raises:
        ArgumentError: it is not.
    """
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float, np.integer, np.floating))
        or not fits(float(value))
    ):
        raise ArgumentError(f"{what} is out of its domain", expected=expected, got=repr(value), fix=fix)


def _trainable(graph: Graph) -> list[Variable]:
    return [variable for variable in graph.variables.values() if variable.trainable and variable.dtype in FLOAT]


def _require_loss(optimizer: str, loss: object) -> None:
    if not isinstance(loss, Tensor):
        raise StaticGraphError(
            f"{optimizer}: the loss must be a tensor",
            expected="a tensor, recorded once, outside of the training loop",
            got=f"a {type(loss).__name__}",
            fix="train = optimizer.minimize(loss), then session.run(train, feeds) for every batch",
        )
    if loss.shape:
        raise ShapeError(
            f"{optimizer}: the loss must be a scalar",
            expected="one number to lower",
            got=repr(loss),
            fix='let the loss function reduce it, reduction="mean", or use gc.mean(loss)',
        )


def _require_fitting(optimizer: str, pairs: Sequence[object]) -> None:
    seen: dict[VariableNode, None] = {}
    for pair in pairs:
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise UpdateError(
                f"{optimizer}: this is no pair",
                expected="pairs (gradient, variable), or a dict {variable: gradient}",
                got=repr(pair),
                fix="list(zip(gc.gradients(loss, variables), variables))",
            )
        gradient, variable = pair
        if not isinstance(variable, VariableNode):
            raise UpdateError(
                f"{optimizer}: only variables can be moved",
                expected="pairs (gradient, variable)",
                got=repr(variable),
                fix="put the gradient first, or pass a dict {variable: gradient}",
            )
        if not isinstance(gradient, Tensor):
            raise UpdateError(
                f"{optimizer}: the gradient of {variable.name!r} is no tensor",
                expected=f"a tensor {variable.type}",
                got=repr(gradient),
                fix='leave the variable out, or take its gradient with unconnected="zero"',
            )
        if not compatible(gradient.type, variable.type):
            error = ShapeError if gradient.dtype is variable.dtype else DTypeError
            raise error(
                f"{optimizer}: the gradient of {variable.name!r} has another type than the variable",
                expected=str(variable.type),
                got=repr(gradient),
                fix="give every variable its own gradient: list(zip(gc.gradients(loss, variables), variables))",
            )
        if variable in seen:
            raise UpdateError(
                f"{optimizer}: the variable {variable.name!r} is given twice",
                expected="one gradient per variable",
                got=", ".join(repr(other.name) for other in (*seen, variable)),
                fix="add its gradients up first",
            )
        seen[variable] = None
    if not seen:
        raise UpdateError(
            f"{optimizer}: there is nothing to move",
            expected="at least one pair (gradient, variable)",
            got="none",
            fix="optimizer.minimize(loss) finds the variables by itself",
        )
    common_owner(optimizer, tuple(seen))


def _graph_of(*nodes: Tensor) -> Graph:
    for node in nodes:
        if isinstance(node.owner, Graph):
            return node.owner
    return current_graph("an optimiser")
