"""An MLP of three hidden layers of 64 at batch 1: microseconds a call, and where they go.

`python -m benchmarks.small_mlp [rounds]`
"""

from __future__ import annotations

import importlib.util
import itertools
import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

import graphc as gc
from benchmarks.timing import interleaved, table

WIDTHS = (64, 64, 64, 64, 10)
CALLS = 2000

Layers = list[tuple[np.ndarray, np.ndarray]]


def layers() -> Layers:
    rng = np.random.default_rng(0)
    pairs = itertools.pairwise(WIDTHS)
    return [(np.asarray(rng.standard_normal(p) / 8, np.float32), np.zeros(p[1], np.float32)) for p in pairs]


def sample() -> np.ndarray:
    return np.asarray(np.random.default_rng(1).standard_normal((1, WIDTHS[0])), np.float32)


class Calls:
    """A function of the sample as a runner."""

    def __init__(self, function: Callable[[np.ndarray], Any]) -> None:
        self.function = function
        self.x = sample()

    def answer(self) -> np.ndarray:
        return np.asarray(self.function(self.x))

    def __call__(self) -> object:
        return self.function(self.x)


def executable() -> gc.Executable:
    """The graph, compiled; the weights are variables."""
    with gc.Graph("small") as graph:
        x = gc.placeholder("x", ("batch", WIDTHS[0]))
        h = x
        for position, (w, b) in enumerate(layers()):
            h = h @ gc.Variable(w, name=f"w{position}") + gc.Variable(b, name=f"b{position}")
            h = h if position == len(WIDTHS) - 2 else gc.nn.relu(h)
    return gc.Session(graph, backend="numpy").compile(h, feeds=[x])


def by_graphc() -> Calls:
    return Calls(executable())


def by_plan() -> Calls:
    """The emitted function alone: no look at the feeds, no lock, no choice of a binding."""
    step = executable()
    plan = step.plan.plan
    values, sizes = step.leaves(sample())
    by_name = {node.name: array for node, array in values.items()}
    call, _ = step.plan.program.bind(sizes, [by_name[plan.slots[i].name] for i in plan.state], list)
    return Calls(lambda x: call(x)[0])


def by_hand() -> Calls:
    """NumPy with preallocated buffers; the result is fresh."""
    weights = layers()
    buffers = [np.empty((1, width), np.float32) for width in WIDTHS[1:-1]]

    def run(x: np.ndarray) -> np.ndarray:
        h = x
        for (w, b), out in zip(weights[:-1], buffers, strict=True):
            np.matmul(h, w, out)
            np.add(out, b, out)
            h = np.maximum(out, 0, out=out)
        w, b = weights[-1]
        result = np.empty((1, WIDTHS[-1]), np.float32)
        np.matmul(h, w, result)
        return np.add(result, b, result)

    return Calls(run)


def by_jax() -> Calls:
    import jax

    weights = jax.device_put(layers())

    def forward(weights: Any, x: Any) -> Any:
        for w, b in weights[:-1]:
            x = jax.nn.relu(x @ w + b)
        w, b = weights[-1]
        return x @ w + b

    compiled = jax.jit(forward)
    return Calls(lambda x: np.asarray(compiled(weights, x)))


def require_same(answers: Mapping[str, Any]) -> None:
    for name, found in answers.items():
        np.testing.assert_allclose(found, answers["NumPy by hand"], rtol=1e-5, atol=1e-6, err_msg=name)


def main(rounds: int = 30) -> str:
    """The table of timings."""
    makers: dict[str, Callable[[], Calls]] = {
        "graphc numpy": by_graphc,
        "graphc numpy, emitted function alone": by_plan,
        "NumPy by hand": by_hand,
    }
    if importlib.util.find_spec("jax"):
        makers["jax.jit"] = by_jax
    return table(interleaved(makers, require_same, rounds, CALLS), "NumPy by hand", 1e6, "µs")


if __name__ == "__main__":
    sys.stdout.write(main(*map(int, sys.argv[1:])) + "\n")
