"""From the start of a process: importing the library; and from there to the loss of the first training step."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks import workload
from benchmarks.workload import FOLDER, Problem, Workload

[_training] = workload.of_module(workload.load(FOLDER / "mlp_training.py"))


def _nothing(rng: np.random.Generator, size: str) -> Problem:
    return Problem([()])


WORKLOADS = [
    Workload(
        name="import",
        title="importing the library, beside NumPy",
        group="compile",
        suites=frozenset({"cpu"}),
        make=_nothing,
        reference=lambda: (),
        functions=dict.fromkeys(("graphc", "torch", "jax", "onnx", "pytensor", "tinygrad"), tuple),
        measure="import",
    ),
    replace(
        _training,
        name="first_training_step",
        title="first training step, MLP 784-256-10, of a fresh process",
        group="compile",
        suites=frozenset({"cpu"}),
        measure="first result",
        file=Path(),
    ),
]
