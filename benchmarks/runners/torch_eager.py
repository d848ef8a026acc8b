"""PyTorch as it comes: no graph, one operator after the other, in inference mode where nothing is trained."""

from __future__ import annotations

from functools import partial
from typing import Any

from benchmarks.runner import Prepared, Runner, needs
from benchmarks.torch_arrays import Events, load, mathematics, numpy_of
from benchmarks.workload import Problem, Workload


def _prepare(device: str, workload: Workload, problem: Problem, threads: int) -> Prepared:
    function, inputs = mathematics(workload, problem, threads, device)
    if device == "cpu":
        return Prepared(function, inputs, numpy_of)
    events: Any = Events()
    return Prepared(function, inputs, numpy_of, wait=events.wait, clock=events)


def _runner(name: str, device: str) -> Runner:
    here = "cpu" if device == "cpu" else "gpu"
    return Runner(name, "torch", needs("torch"), partial(load, device), partial(_prepare, device), device=here)


RUNNERS = [_runner("torch eager", "cpu"), _runner("torch eager, GPU", "cuda")]
