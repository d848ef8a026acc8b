"""tinygrad with TinyJit on its CPU device, which needs clang: `CC` names it, if it is not on the path.

Kernels are those of its heuristics: its search for better ones (BEAM) takes minutes for a workload.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from functools import partial
from typing import Any

from benchmarks.runner import Prepared, needs
from benchmarks.workload import Arrays, Problem, Workload

NAME = "tinygrad"
LIBRARY = "tinygrad"
_WARM_UP = 3  # calls: TinyJit records the second one and replays from the third on


def available() -> str | None:
    compiler = os.environ.get("CC", "clang")
    if shutil.which(compiler) is None:
        return needs("tinygrad")() or f"its CPU device compiles with {compiler}, which is not installed"
    return needs("tinygrad")()


def environment(threads: int) -> Mapping[str, str]:
    return {"DEV": "CPU", "CPU_COUNT": str(threads), "TRAINING": "1"}  # without which optimisers refuse to step


def load() -> str:
    from importlib.metadata import version

    import tinygrad  # noqa: F401

    return version("tinygrad")


def prepare(workload: Workload, problem: Problem, threads: int) -> Prepared:
    import tinygrad
    from tinygrad import Device, Tensor

    inputs = [tuple(Tensor(array).realize() for array in arrays) for arrays in problem.inputs]
    state = {name: Tensor(array).realize() for name, array in problem.state.items()}
    function = workload.functions[LIBRARY]
    compiled = _step(tinygrad, function, state) if workload.step else _forward(tinygrad, function, state)
    synchronize = Device[Device.DEFAULT].synchronize

    def call(*arrays: Any) -> Any:
        result = compiled(*arrays)
        synchronize()
        return result

    if not workload.step:
        for arrays in [inputs[0]] * _WARM_UP:
            call(*arrays)
    return Prepared(call, inputs, _answer)


def _forward(tinygrad: Any, function: Any, state: Any) -> Any:
    mathematics = partial(function, tinygrad, *([state] if state else []))

    def forward(*arrays: Any) -> tuple[Any, ...]:
        found = mathematics(*arrays)
        several = found if isinstance(found, tuple | list) else (found,)
        return tuple(tensor.contiguous().realize() for tensor in several)

    return tinygrad.TinyJit(forward)


def _step(tinygrad: Any, function: Any, state: Any) -> Any:
    step = function(tinygrad, state)

    def train(*batch: Any) -> Any:
        return step(*batch).realize()

    return tinygrad.TinyJit(train)


def _answer(result: Any) -> Arrays:
    several = result if isinstance(result, tuple) else (result,)
    return tuple(tensor.numpy() for tensor in several)
