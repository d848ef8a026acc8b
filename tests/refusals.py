"""Ops that a backend has no kernel for: what it runs of the op table, and of a random graph, without them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from random_graphs import Case

from graphc.conformance.table import Row, S
from graphc.conformance.values import operands, placeholders
from graphc.errors import UnsupportedError
from graphc.ir.graph import Graph
from graphc.ir.opdef import OPS, Kind
from graphc.ir.tensor import Tensor
from graphc.ir.walk import toposort
from graphc.session.standalone import compile_function

_Plan = TypeVar("_Plan")
_REASON = "no kernel"
_NEEDED = (Kind.ELEMENTWISE, Kind.REDUCTION, Kind.LAYOUT)


def lacking(error: UnsupportedError) -> set[str]:
    """The ops that a backend has refused for want of a kernel; none of them may be one that fuses.

    Raises:
        UnsupportedError: it has given another reason.
    """
    found = dict(line.split(": ", 1) for line in (error.got or "").splitlines())
    if set(found.values()) != {_REASON} or any(OPS[name].kind in _NEEDED for name in found):
        raise error
    return set(found)


def rows_that_run(rows: Iterable[Row], backend: object) -> list[Row]:
    """The rows whose first call a backend has kernels for."""
    return [row for row in rows if not row.samples or _runs_first(row, row.samples[0], backend)]


def _runs_first(row: Row, sample: S, backend: object) -> bool:
    return runs(row, operands(row, sample, row.dtypes[0]), sample.kwargs, backend)


def runs(row: Row, arrays: Sequence[np.ndarray], kwargs: Mapping[str, Any], backend: object) -> bool:
    """Whether a backend has kernels for a call of a row."""
    inputs = placeholders(arrays)
    try:
        compile_function([row.function(*inputs, **kwargs)], inputs, backend=backend)  # type: ignore[arg-type]
    except UnsupportedError as error:
        return not lacking(error)
    return True


def runnable(case: Case, compile: Callable[[Graph], _Plan]) -> tuple[Case, _Plan] | None:
    """A case without the outputs that need what a backend lacks, compiled; `None` if nothing is left."""
    graph = case.graph
    try:
        return case, compile(graph)
    except UnsupportedError as error:
        missing = lacking(error)
    results = [node for node in graph.results if _does_without(missing, node)]
    updates = [(variable, value) for variable, value in graph.updates if _does_without(missing, value)]
    left = case._replace(graph=Graph(graph.parameters, results, updates, graph.name))
    if not results or len(left.graph.outputs) == len(graph.outputs):  # what a composite is made of is lacking
        return None
    return runnable(left, compile)


def _does_without(missing: set[str], output: Tensor) -> bool:
    return not any(node.op.name in missing for node in toposort([output]))
