"""PyTensor in its default mode, which compiles by Numba; results are lent (borrow), a training state is shared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.runner import Prepared, needs
from benchmarks.workload import Problem, Workload

NAME = "PyTensor"
LIBRARY = "pytensor"
available = needs("pytensor")


def environment(threads: int) -> Mapping[str, str]:
    return {"PYTENSOR_FLAGS": "floatX=float32", "NUMBA_NUM_THREADS": str(threads)}


def load() -> str:
    import pytensor
    import pytensor.tensor

    return str(pytensor.__version__)


def prepare(workload: Workload, problem: Problem, threads: int) -> Prepared:
    import pytensor
    import pytensor.tensor as pt

    feeds = [pt.TensorType(array.dtype.name, shape=array.shape)(f"x{at}") for at, array in enumerate(problem.inputs[0])]
    state = {name: pytensor.shared(array, name, shape=array.shape) for name, array in problem.state.items()}
    found = workload.functions[LIBRARY](pytensor, *([state] if state else []), *feeds)
    results, updates = found if workload.step else (found, None)
    lent = [pytensor.Out(value, borrow=True) for value in _several(results)]
    inputs = [pytensor.In(feed, borrow=True) for feed in feeds]
    function = pytensor.function(inputs, lent, updates=updates)
    function.trust_input = True
    return Prepared(function, problem.inputs)


def _several(results: Any) -> list[Any]:
    return list(results) if isinstance(results, tuple | list) else [results]
