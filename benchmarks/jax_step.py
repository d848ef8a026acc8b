"""The training step of `training_step` on the jax backend, beside `jax.jit` with the state donated, written by hand.

`python -m benchmarks.jax_step [rounds]`
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

import graphc as gc
from benchmarks.timing import interleaved, table
from benchmarks.training_step import Training, by_jax, graphc_step, parameters

_BY_HAND = "jax.jit, donated"


def by_graphc() -> Training:
    return Training(graphc_step(parameters(), "jax"))


def by_graphc_strict() -> Training:
    """Without XLA's algebraic simplifier: what `law="strict"` costs."""
    return Training(graphc_step(parameters(), "jax", gc.CompileOptions(law="strict")))


def require_same_losses(losses: Mapping[str, Any]) -> None:
    """All have trained the same model."""
    for name, found in losses.items():
        np.testing.assert_allclose(found, losses[_BY_HAND], rtol=2e-4, err_msg=f"{name} trains another model")


def main(rounds: int = 200) -> str:
    """The table of timings."""
    if importlib.util.find_spec("jax") is None:
        return "jax is not installed"
    makers = {"graphc jax": by_graphc, 'graphc jax, law="strict"': by_graphc_strict, _BY_HAND: by_jax}
    return table(interleaved(makers, require_same_losses, rounds, calls=10), _BY_HAND)


if __name__ == "__main__":
    sys.stdout.write(main(*map(int, sys.argv[1:])) + "\n")
