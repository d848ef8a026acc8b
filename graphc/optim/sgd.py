"""Stochastic gradient descent."""

from __future__ import annotations

from graphc.errors import ArgumentError
from graphc.ir.tensor import Tensor, VariableNode
from graphc.optim.optimizer import Assignments, Optimizer, require_number


class SGD(Optimizer):
    """w ← w - η·g; with momentum μ: m ← μ·m + g, w ← w - η·m, or w ← w - η·(g + μ·m) after Nesterov.

    The form of Sutskever et al., "On the importance of initialization and momentum" (2013), as in PyTorch.

    Args:
        learning_rate: η at first. `optimizer.learning_rate` is its variable, once `minimize` or `apply` was called;
            `session.assign({optimizer.learning_rate: rate})` changes it, and nothing is compiled again.
        momentum: μ in [0, 1).
        nesterov: look ahead.
        name: scope of the optimiser's variables.
    """

    def __init__(self, learning_rate: float, momentum: float = 0.0, nesterov: bool = False, name: str = "sgd") -> None:
        super().__init__(learning_rate, name)
        fix = "the usual one is 0.9; 0 is none"
        require_number(f"{name}: momentum", momentum, lambda m: 0.0 <= m < 1.0, "a number in [0, 1)", fix)
        if nesterov and not momentum:
            raise ArgumentError(
                f"{name}: nesterov needs a momentum",
                expected="momentum > 0",
                got="momentum=0",
                fix="pass momentum=0.9, for example",
            )
        self.momentum = momentum
        self.nesterov = nesterov

    def _step(self, variable: VariableNode, gradient: Tensor) -> Assignments:
        rate = self._rate().astype(variable.dtype)
        if not self.momentum:
            return [(variable, variable - gradient * rate)]
        slot = self._slot(variable, "momentum")
        velocity = slot * self.momentum + gradient
        direction = gradient + velocity * self.momentum if self.nesterov else velocity
        return [(slot, velocity), (variable, variable - direction * rate)]
