"""What all optimisers share: which variables, which gradients, one update."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NoReturn

import numpy as np

from graphc.builder.gradients import gradients, not_connected
from graphc.builder.graph import Graph, Variable, current_graph, name_scope
from graphc.builder.update import Update, fitting
from graphc.errors import (
    ArgumentError,
    DTypeError,
    GraphMismatchError,
    NotConnectedError,
    ShapeError,
    StaticGraphError,
    UpdateError,
)
from graphc.init import zeros
from graphc.ir.dtype import FLOAT, INTEGER, float64
from graphc.ir.tensor import Tensor, VariableNode, common_owner
from graphc.ir.types import compatible

Assignments = list[tuple[VariableNode, Tensor]]


class Optimizer:
    """Base class: a subclass gives `_begin`, called once per update, and `_step`, called per variable.

    An optimiser belongs to the graph in which it is used first: its learning rate is a variable there.

    Args:
        learning_rate: the initial value of a non-trainable float64 variable, which can be assigned without recompiling.
        name: scope of the optimiser's own variables.
    """

    def __init__(self, learning_rate: float, name: str) -> None:
        fix = "0.1 to 0.0001 are usual; one that changes is assigned: session.assign({optimizer.learning_rate: rate})"
        require_number(f"{name}: learning_rate", learning_rate, lambda rate: rate >= 0, "a number >= 0", fix)
        self.name = name
        self.initial_learning_rate = float(learning_rate)
        self._learning_rate: Variable | None = None

    @property
    def learning_rate(self) -> Variable:
        """The variable that holds η; `session.assign({optimizer.learning_rate: rate})` changes it.

        Raises:
            UpdateError: neither `minimize` nor `apply` has made it yet.
        """
        if self._learning_rate is None:
            raise UpdateError(
                f"{self.name}: there is no learning rate before the optimiser is used",
                expected="a call of optimizer.minimize or optimizer.apply first: it makes the variable",
                got=f"an optimiser that no update comes from; it will start with {self.initial_learning_rate}",
                fix="train = optimizer.minimize(loss), then optimizer.learning_rate",
            )
        return self._learning_rate

    @learning_rate.setter
    def learning_rate(self, rate: object) -> NoReturn:
        raise StaticGraphError(
            f"{self.name}: the learning rate cannot be set by an attribute: what is compiled would not notice",
            expected="a new value for the variable optimizer.learning_rate, in a session",
            got=f"{self.name}.learning_rate = {rate!r}",
            fix="session.assign({optimizer.learning_rate: rate}); the first value: optimizer = gc.optim.SGD(rate)",
        )

    def __setattr__(self, name: str, value: object) -> None:
        if name in vars(self) and not name.startswith("_") and self._learning_rate is not None:
            raise StaticGraphError(
                f"{self.name}: {name} cannot be set any more: the updates that there are would not notice",
                expected="values that are set before the first minimize or apply",
                got=f"{self.name}.{name} = {value!r}",
                fix=f"pass it when the optimiser is made: gc.optim.{type(self).__name__}(…, {name}=…)",
            )
        super().__setattr__(name, value)

    def minimize(self, loss: Tensor, variables: VariableNode | Iterable[VariableNode] | None = None) -> Update:
        """One step that lowers a scalar loss.

        Args:
            loss: a scalar.
            variables: one, or several; by default all trainable variables of the graph that the loss depends on.

        Raises:
            NotConnectedError: the loss does not depend on a variable that was named, or on none at all.
            UpdateError: something else than a variable is named.
            DTypeError: the loss, or a variable that is named, is no float.
            GraphMismatchError: the optimiser belongs to another graph.
        """
        _require_loss(self.name, loss)
        wanted = _several(self.name, _trainable(_graph_of(loss)) if variables is None else variables)
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
                fix=_INTEGERS.format(", ".join(integers))
                if (integers := _integers(_graph_of(loss)))
                else "compute the loss from variables, through floating-point operations",
            )
        return self.apply(pairs)

    def apply(self, gradients: Mapping[VariableNode, Tensor] | Iterable[tuple[Tensor, VariableNode]]) -> Update:
        """One step along gradients that are given: variable → gradient, or pairs (gradient, variable).

        Raises:
            UpdateError: something else is given, or a variable twice.
            ShapeError, DTypeError: a gradient has another type than its variable.
            GraphMismatchError: the variables belong to two graphs, or the optimiser to another one.
        """
        if isinstance(gradients, Mapping):
            pairs = [(gradient, variable) for variable, gradient in gradients.items()]
        else:
            pairs = list(gradients)
        _require_fitting(self.name, pairs)  # before anything is added to the graph
        graph = _graph_of(*(variable for _, variable in pairs))
        self._require_same(graph)
        with graph, name_scope(self.name):
            if self._learning_rate is None:
                # float64, or training in float64 would go by a rate that is off by 1e-8.
                self._learning_rate = Variable(
                    self.initial_learning_rate, dtype=float64, name="learning_rate", trainable=False
                )
            assignments = self._begin()
            for gradient, variable in pairs:
                assignments += self._step(variable, gradient)
        return Update([(variable, fitting(variable, value)) for variable, value in assignments])

    def _require_same(self, graph: Graph) -> None:
        """Holds the optimiser for one of this graph: `learning_rate` could not stand for two variables."""
        rate = self._learning_rate
        if rate is not None and rate.owner is not None and rate.owner is not graph:
            raise GraphMismatchError(
                f"{self.name}: this optimiser belongs to another graph, {rate.owner.name!r}",
                expected="one optimiser for each graph: its learning rate is a variable there",
                got=f"variables of the graph {graph.name!r}",
                fix=f"make one for this graph, too: gc.optim.{type(self).__name__}({self.initial_learning_rate})",
            )

    def _begin(self) -> Assignments:
        """What is updated once per step."""
        return []

    def _step(self, variable: VariableNode, gradient: Tensor) -> Assignments:
        """The new values of a variable and of what the optimiser keeps for it."""
        raise NotImplementedError

    def _rate(self) -> Tensor:
        """The learning rate of this run, a float64 scalar."""
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
    return [
        variable
        for variable in graph.variables.values()
        if variable.trainable and variable.dtype.kind in ("float", "complex")
    ]


_OTHERS = "keep {} in float32 and compute with .astype of it, or declare it with trainable=False"
_INTEGERS = "only float variables are trained: declare {} with numbers such as 1.0, or dtype=gc.float32"


def _integers(graph: Graph) -> list[str]:
    """The variables that would be trained if they held floats."""
    return [
        repr(name) for name, variable in graph.variables.items() if variable.trainable and variable.dtype in INTEGER
    ]


def _several(optimizer: str, variables: VariableNode | Iterable[VariableNode]) -> list[VariableNode]:
    """What `variables=` names, as a list."""
    given: list[Any] = [variables] if isinstance(variables, (str, Tensor)) else _listed(optimizer, variables)
    for variable in given:
        if not isinstance(variable, VariableNode):
            named = isinstance(variable, str)
            raise UpdateError(
                f"{optimizer}: only variables can be trained",
                expected="variables= a gc.Variable, or a list of those",
                got=repr(variable),
                fix=f"graph.variables[{variable!r}] is the variable of that name" if named else "name the variables",
            )
        if variable.dtype not in FLOAT:
            raise DTypeError(
                f"{optimizer}: the variable {variable.name!r} cannot be trained",
                expected="variables of float32 or float64",
                got=repr(variable),
                fix=(_INTEGERS if variable.dtype in INTEGER else _OTHERS).format(repr(variable.name)),
            )
    return given


def _listed(optimizer: str, variables: object) -> list[Any]:
    if not isinstance(variables, Iterable):
        raise UpdateError(
            f"{optimizer}: these are no variables",
            expected="variables= a gc.Variable, or a list of those",
            got=repr(variables),
            fix="leave variables= out for all trainable ones",
        )
    return list(variables)


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
    if loss.dtype not in FLOAT:
        integers = _integers(_graph_of(loss))
        raise DTypeError(
            f"{optimizer}: the loss must be a float",
            expected="float32 or float64: only real numbers have gradients",
            got=repr(loss),
            fix=_INTEGERS.format(", ".join(integers)) if integers else "compute it in floating point",
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
