"""Chains and balanced trees of 1,000 to 100,000 operations: what each stage of a compilation costs per node.

    python -m benchmarks.scale                    # about five minutes
    python -m benchmarks.scale --sizes 1000 10000 --rounds 1

Every case runs in processes of its own, in turn, and the least time of its rounds counts. A case is built,
differentiated, compiled on the numpy backend and run; its value and gradient are held to plain NumPy before any time
is reported. No rule and no common subexpression can make these graphs smaller.
"""

from __future__ import annotations

import argparse
import gc as collector
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import numpy as np

import graphc as gc
from graphc.ir.graph import Graph

SIZES = (1_000, 10_000, 100_000)
_WIDTH = 4  # elements of a tensor: what is measured is the compiler

Array = np.ndarray[Any, np.dtype[np.float64]]


def weights(count: int) -> list[float]:
    """Numbers around 1, all different, whose product stays within the range of floats."""
    return [float(w) for w in np.exp(np.random.default_rng(0).uniform(-0.1, 0.1, count))]


def chain(x: Any, operations: int, tanh: Any) -> Any:
    """t = tanh(t · wᵢ), over and over."""
    for w in weights(operations // 2):
        x = tanh(x * w)
    return x


def tree(x: Any, operations: int, tanh: Any) -> Any:
    """Pairs tanh(a · b + c) of pairs, down to leaves x · wᵢ."""
    numbers = iter(weights(operations))
    level = [x * next(numbers) for _ in range(operations // 4)]
    while len(level) > 1:
        odd = level[len(level) & ~1 :]
        level = [tanh(a * b + next(numbers)) for a, b in zip(level[::2], level[1::2], strict=False)] + odd
    return level[0]


KINDS = {"chain": chain, "tree": tree}


class Dual:
    """A value with its derivative, in plain NumPy: forward mode, which shares nothing with what is measured."""

    def __init__(self, value: Array, slope: Array) -> None:
        self.value = value
        self.slope = slope

    def __mul__(self, other: Dual | float) -> Dual:
        if isinstance(other, Dual):
            return Dual(self.value * other.value, self.slope * other.value + self.value * other.slope)
        return Dual(self.value * other, self.slope * other)

    def __add__(self, other: float) -> Dual:
        return Dual(self.value + other, self.slope)

    def tanh(self) -> Dual:
        """The hyperbolic tangent."""
        value = np.tanh(self.value)
        return Dual(value, self.slope * (1.0 - value * value))


class Clock:
    """Seconds by name of a stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[stage] = time.perf_counter() - start


def measure(kind: str, operations: int) -> dict[str, Any]:
    """Seconds by stage, numbers of nodes, and peak memory of this process in MiB."""
    clock = Clock()
    data = np.linspace(0.1, 1.0, _WIDTH)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    collector.collect()
    with clock("build"):
        with gc.Graph(kind):
            x = gc.placeholder("x", (_WIDTH,), gc.float64)
        y = gc.sum(KINDS[kind](x, operations, gc.tanh))
    recorded = len(Graph([x], [y]).nodes)
    with clock("differentiate"):
        gradient = gc.gradients(y, x)
    total = len(Graph([x], [y, gradient]).nodes)
    with clock("compile"):
        run = gc.compile([y, gradient], [x])
    clock.seconds.update({f"  {stage.name}": stage.seconds for stage in run.plan.stages})
    with clock("first run"):
        value, slope = run(data)
    with clock("second run"):
        run(data)
    expected = KINDS[kind](Dual(data, np.ones(_WIDTH)), operations, Dual.tanh)
    np.testing.assert_allclose(value, expected.value.sum(), rtol=1e-9)
    np.testing.assert_allclose(slope, expected.slope, rtol=1e-9)
    steps = len(run.plan.plan.steps)
    assert steps >= 2 * operations, "something made the graph smaller"
    with clock("free"):
        del x, y, gradient, run
    peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    return {"seconds": clock.seconds, "recorded": recorded, "nodes": total, "steps": steps, "mib": peak}


def warm_up() -> None:
    """Loads every module and fills every cache that does not depend on the size."""
    for kind in KINDS:
        measure(kind, 200)


def in_fresh_process(kind: str, operations: int) -> dict[str, Any]:
    """`measure` in a process that has done nothing else."""
    command = [sys.executable, "-m", "benchmarks.scale", "--one", kind, str(operations)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    result: dict[str, Any] = json.loads(output)
    return result


def merged(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """The least seconds of each stage."""
    best = {stage: min(r["seconds"][stage] for r in rounds) for stage in rounds[0]["seconds"]}
    best["total"] = sum(seconds for stage, seconds in best.items() if not stage.startswith(" "))
    return {**rounds[0], "seconds": best, "mib": min(r["mib"] for r in rounds)}


def report(kind: str, results: dict[int, dict[str, Any]]) -> None:
    """A table: a row per stage, seconds per size, microseconds per node, ratios between the sizes."""
    sizes = list(results)
    pairs = list(pairwise(sizes))
    print(f"\n{kind}")
    heads = [f"{size:>12,}" for size in sizes] + [f"{f'µs/node {size:,}':>17}" for size in sizes]
    print(f"{'operations':15}" + "".join(heads) + "".join(f"{f'×{b / a:g} is':>10}" for a, b in pairs))
    for label in ("recorded", "nodes", "steps"):
        print(f"{label:15}" + "".join(f"{results[size][label]:>12,}" for size in sizes))
    for stage in results[sizes[0]]["seconds"]:
        # What is built are the recorded nodes; all later stages see those of the gradient, too.
        per = "recorded" if stage == "build" else "nodes"
        seconds = {size: results[size]["seconds"][stage] for size in sizes}
        row = [f"{seconds[size]:>11.3f}s" for size in sizes]
        row += [f"{seconds[size] / results[size][per] * 1e6:>17.2f}" for size in sizes]
        row += [f"{seconds[b] / seconds[a]:>10.1f}" for a, b in pairs]
        print(f"{stage:15}" + "".join(row))
    rates = [f"{results[size]['recorded'] / results[size]['seconds']['build']:>12,.0f}" for size in sizes]
    print(f"{'nodes/s built':15}" + "".join(rates))
    print(f"{'peak memory':15}" + "".join(f"{results[size]['mib']:>8.0f} MiB" for size in sizes))


def main() -> None:
    """Runs what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", nargs=2, metavar=("KIND", "OPERATIONS"), help="one measurement, as JSON")
    options = parser.parse_args()
    if options.one:
        warm_up()
        print(json.dumps(measure(options.one[0], int(options.one[1]))))
        return
    cases = [(kind, size) for kind in KINDS for size in options.sizes]
    rounds: dict[tuple[str, int], list[dict[str, Any]]] = {case: [] for case in cases}
    for _ in range(options.rounds):
        for case in cases:
            rounds[case].append(in_fresh_process(*case))
    for kind in KINDS:
        report(kind, {size: merged(rounds[kind, size]) for size in options.sizes})


if __name__ == "__main__":
    main()
