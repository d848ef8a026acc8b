"""graphc on every backend that there is. NumPy arrays go in and come out; on a GPU, variables keep them there."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

import graphc as gc
from benchmarks.runner import Prepared, Runner
from benchmarks.workload import Arrays, Problem, Workload
from graphc.lowering import registry
from graphc.tree import flatten

ON_GPU = {"cupy"}


def _available(backend: str) -> str | None:
    found = registry.availability(backend)
    return None if found.available else found.reason


def _load(backend: str) -> str:
    registry.load(backend)
    return gc.__version__


def _environment(threads: int) -> Mapping[str, str]:
    return {"JAX_PLATFORMS": "cpu"}


def _feeds(problem: Problem) -> list[Any]:
    first = problem.inputs[0]
    return [gc.placeholder(f"x{at}", array.shape, array.dtype) for at, array in enumerate(first)]


def _state(problem: Problem) -> list[dict[str, Any]]:
    return [{name: gc.Variable(array, name=name) for name, array in problem.state.items()}] if problem.state else []


def _answer(result: Any) -> Arrays:
    """The arrays in what a call returns; an update's value is None."""
    leaves, _ = flatten(result)
    return tuple(np.asarray(leaf) for leaf in leaves if leaf is not None)


def _prepare(backend: str, workload: Workload, problem: Problem, threads: int) -> Prepared:
    with gc.Graph(workload.name) as graph:
        feeds = _feeds(problem)
        fetches = workload.functions["graphc"](gc, *_state(problem), *feeds)
    session = gc.Session(graph, backend=backend)
    return Prepared(session.compile(fetches, feeds=feeds), problem.inputs, _answer)


def _prepare_on_device(backend: str, workload: Workload, problem: Problem, threads: int) -> Prepared:
    """As peers have it: what goes in lies on the device already, and what comes out stays there."""
    if workload.step:
        return _prepare(backend, workload, problem, threads)
    with gc.Graph(workload.name) as graph:
        sources = [gc.Variable(array, name=f"x{at}") for at, array in enumerate(problem.inputs[0])]
        values, _ = flatten(workload.functions["graphc"](gc, *_state(problem), *sources))
        targets = [gc.Variable(np.zeros(v.shape, v.dtype.numpy), name=f"y{at}") for at, v in enumerate(values)]
        updates = [gc.assign(target, value) for target, value in zip(targets, values, strict=True)]
    session = gc.Session(graph, backend=backend)
    call = session.compile(gc.group(*updates), feeds=[])

    def answer(result: Any) -> Arrays:
        return tuple(session.value(target) for target in targets)

    return Prepared(call, [()], answer, wait=session.choice.backend.synchronize)


def _runner(backend: str) -> Runner:
    on_gpu = backend in ON_GPU
    return Runner(
        name=f"graphc {backend}",
        library="graphc",
        available=partial(_available, backend),
        load=partial(_load, backend),
        prepare=partial(_prepare_on_device if on_gpu else _prepare, backend),
        environment=_environment,
        device="gpu" if on_gpu else "cpu",
    )


RUNNERS = [_runner(name) for name in registry.names()]
