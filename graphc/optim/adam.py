"""Adam."""

from __future__ import annotations

from graphc.builder.graph import Variable
from graphc.ir.dtype import float64, int64
from graphc.ir.tensor import Tensor, VariableNode
from graphc.ops.exponential import pow, sqrt
from graphc.optim.optimizer import Assignments, Optimizer, require_number


class Adam(Optimizer):
    """m ← β₁·m + (1-β₁)·g, v ← β₂·v + (1-β₂)·g², w ← w - η·m̂ / (√v̂ + ε), with m̂ = m/(1-β₁ᵗ), v̂ = v/(1-β₂ᵗ).

    Kingma and Ba, "Adam: a method for stochastic optimization" (2015), algorithm 1: ε stands outside of the root. The
    corrections are two scalars, computed in float64.

    Args:
        learning_rate: η at first. `optimizer.learning_rate` is its variable, once `minimize` or `apply` was called;
            `session.assign({optimizer.learning_rate: rate})` changes it, and nothing is compiled again.
        beta1, beta2: β₁ and β₂ in [0, 1).
        epsilon: ε > 0.
        name: scope of the optimiser's variables.
    """

    def __init__(
        self,
        learning_rate: float = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        name: str = "adam",
    ) -> None:
        super().__init__(learning_rate, name)
        for beta, value in (("beta1", beta1), ("beta2", beta2)):
            fix = "the usual ones are beta1=0.9, beta2=0.999"
            require_number(f"{name}: {beta}", value, lambda b: 0.0 <= b < 1.0, "a number in [0, 1)", fix)
        require_number(f"{name}: epsilon", epsilon, lambda e: e > 0, "a number > 0", "the usual one is 1e-8")
        self.beta1, self.beta2, self.epsilon = beta1, beta2, epsilon
        self._corrections: tuple[Tensor, Tensor]

    def _begin(self) -> Assignments:
        count = Variable(0, dtype=int64, name="step", trainable=False)
        next_count = count + 1
        exponent = next_count.astype(float64)
        self._corrections = (1.0 - pow(self.beta1, exponent), sqrt(1.0 - pow(self.beta2, exponent)))
        return [(count, next_count)]

    def _step(self, variable: VariableNode, gradient: Tensor) -> Assignments:
        first, second = self._slot(variable, "m"), self._slot(variable, "v")
        m = first * self.beta1 + gradient * (1.0 - self.beta1)
        v = second * self.beta2 + gradient * gradient * (1.0 - self.beta2)
        mean_correction, root_correction = self._corrections
        rate = (self._rate() / mean_correction).astype(variable.dtype)
        root = sqrt(v) * (1.0 / root_correction).astype(variable.dtype) + self.epsilon
        return [(first, m), (second, v), (variable, variable - m / root * rate)]
