"""The oracle of random graphs calls a value ambiguous where the sign of a zero decides that is not specified."""

from collections.abc import Callable

import numpy as np
import pytest
from error_bound import NUMPY, Ambiguous, bounded_values, decided_values, exact
from random_checks import CHECKS, Tally, cases

import graphc as gc
from graphc.conformance.tolerances import XLA
from graphc.ir.tensor import Tensor

ZEROS = np.array([0.0, -0.0], np.float32)
DECIDES: dict[str, Callable[[Tensor], Tensor]] = {
    "a quotient by the smallest": lambda x: -0.75 / gc.min(x),
    "a quotient by the largest": lambda x: 1.0 / gc.max(x),
    "a quotient by relu": lambda x: 1.0 / gc.nn.relu(x),
    "a quotient by minimum": lambda x: 1.0 / gc.minimum(x, 0.0),
    "a quotient by clip": lambda x: 1.0 / gc.clip(x, 0.0, 1.0),
    "a reciprocal root": lambda x: gc.rsqrt(gc.max(x)),
    "a power": lambda x: gc.pow(gc.max(x), -1.0),
    "a quotient rounded down": lambda x: 1.0 // gc.max(x),
    "behind a product": lambda x: 1.0 / (2.0 * gc.max(x)),
    "behind a difference": lambda x: 1.0 / (gc.max(x) - gc.max(x)),
    "behind a sum with a zero": lambda x: 1.0 / (gc.max(x) + x[1]),
    "behind a product of several": lambda x: 1.0 / gc.prod(gc.stack([gc.max(x), gc.min(x)])),
    "moved": lambda x: 1.0 / gc.reshape(gc.broadcast_to(gc.max(x), (2, 3)), (3, 2))[::2],
    "chosen": lambda x: 1.0 / gc.where(x == 0, gc.max(x), 1.0),
    "a product of matrices": lambda x: 1.0 / (x[1:] @ gc.ones((1, 1))),
}
DECIDED: dict[str, tuple[Callable[[Tensor], Tensor], float]] = {
    "its size": (lambda x: 1.0 / gc.abs(gc.max(x)), np.inf),
    "a sum with +0": (lambda x: 1.0 / (gc.max(x) + 0.0), np.inf),
    "a sum": (lambda x: 1.0 / gc.sum(gc.max(x) + x), np.inf),
    "a sum with a number": (lambda x: 1.0 / (gc.max(x) + 2.0), 0.5),
    "a logarithm": (lambda x: gc.log(gc.max(x)), -np.inf),
    "a comparison": (lambda x: gc.astype(gc.max(x) < 0, "float32"), 0.0),
    "one zero alone": (lambda x: 1.0 / gc.max(x[1:]), -np.inf),
    "zeros of one sign": (lambda x: 1.0 / gc.maximum(x[1:], -0.0), -np.inf),
    "a minimum below": (lambda x: 1.0 / gc.minimum(x, -2.0), -0.5),
}


def bounded(function: Callable[[Tensor], Tensor]) -> np.ndarray:
    with gc.Graph():
        x = gc.placeholder("x", (2,))
        y = function(x)
    return bounded_values([y], {x: exact(ZEROS)}, {})[0].value


@pytest.mark.parametrize("name", DECIDES)
def test_a_sign_that_is_not_specified_decides_nothing(name: str) -> None:
    with pytest.raises(Ambiguous, match="a zero whose sign is not specified"):
        bounded(DECIDES[name])


@pytest.mark.parametrize("name", DECIDED)
def test_what_does_not_depend_on_the_sign_is_decided(name: str) -> None:
    function, expected = DECIDED[name]
    np.testing.assert_array_equal(bounded(function), expected)


@pytest.mark.parametrize("seed", [451164554, 451042521, 451210852])
def test_seeds_that_once_raised_a_false_alarm(seed: int) -> None:
    for case, found in cases([seed]):
        for name in ("reference", "gradients"):
            CHECKS[name](case, found, Tally.empty())


def test_a_product_that_may_be_a_choice_is_undecided_on_xla_alone() -> None:
    with gc.Graph():
        x = gc.placeholder("x", (2,))
        y = x * gc.astype(x == 0, "float32")
    for array, decided in ((np.float32([np.inf, 0]), False), (np.float32([2, 0]), True)):
        for accuracy in (NUMPY, XLA):
            (found,) = decided_values([y], {x: exact(array)}, {}, accuracy)
            assert (found is not None) == (decided or accuracy is NUMPY)
