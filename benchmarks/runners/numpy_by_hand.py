"""NumPy by hand, as one writes it for speed: buffers that are made once, `out=` everywhere, blocks that fit a cache.

A result is a fresh array, as it is with all other runners: the next call does not change it.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from benchmarks.runner import Prepared, needs
from benchmarks.workload import Problem, Workload

NAME = "NumPy by hand"
LIBRARY = "numpy"
available = needs("numpy")


def load() -> str:
    return np.__version__


def prepare(workload: Workload, problem: Problem, threads: int) -> Prepared:
    function = workload.functions[LIBRARY]
    if workload.step:
        return Prepared(function(np, {name: array.copy() for name, array in problem.state.items()}), problem.inputs)
    return Prepared(partial(function, np, *([problem.state] if problem.state else [])), problem.inputs)
