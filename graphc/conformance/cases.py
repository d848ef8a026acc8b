"""What a row asks of a backend, one call at a time: values against the oracle, edges by hand, gradients."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from graphc.autodiff import vjp
from graphc.builder.graph import Graph, placeholder
from graphc.conformance.table import COMPLEX, FLOATS, E, Row, S
from graphc.conformance.tolerances import (
    EXCEPTIONS,
    NO_EXCEPTIONS,
    SAME_GRADIENT,
    VALUES,
    Exceptions,
    Tolerance,
    tolerance_for,
)
from graphc.conformance.values import operands, oracle_value
from graphc.errors import GraphcError
from graphc.ir.dtype import as_dtype
from graphc.ir.tensor import Tensor
from graphc.ops.sources import asarray
from graphc.reference import evaluate

Array = np.ndarray


class Case(NamedTuple):
    """One call and its answer.

    Attributes:
        row: that it is of.
        kind: `"value"`, `"edge"` or `"gradient"`.
        text: dtype and call.
        arrays: the feeds.
        inputs, outputs: placeholders and what is fetched.
        expected: an array per output; or the error when it runs.
        tolerance, signs: as for `assert_close`.
        excused: the exception of the backend that the answer is by; empty for the law itself.
    """

    row: Row
    kind: str
    text: str
    arrays: Sequence[Array]
    inputs: Sequence[Tensor]
    outputs: Sequence[Tensor]
    expected: Sequence[Array] | type[GraphcError]
    tolerance: Tolerance
    signs: bool = True
    excused: str = ""


def cases_of(row: Row, backend: str, dtypes: frozenset[str]) -> list[Case]:
    """All that a row asks of a backend with these dtypes, recorded in one graph."""
    if row.elsewhere:
        return []
    with Graph(row.name):
        return list(_cases(row, EXCEPTIONS.get(backend, NO_EXCEPTIONS), dtypes))


def _cases(row: Row, exceptions: Exceptions, dtypes: frozenset[str]) -> Iterator[Case]:
    if row.oracle is not None:
        for dtype in (*row.dtypes, *row.also):
            for sample in row.samples:
                yield from _value(row, sample, dtype, exceptions)
    for edge in row.edges:
        floats = [dtype for dtype in row.dtypes if dtype in FLOATS]
        for dtype in [edge.dtype] if edge.dtype else floats or [row.dtypes[0]]:
            yield from _edge(row, edge, dtype, exceptions)
    if row.gradient and "float64" in dtypes:
        for sample in row.samples[:3]:
            yield from _gradient(row, sample)


def _value(row: Row, sample: S, dtype: str, exceptions: Exceptions) -> Iterator[Case]:
    arrays = operands(row, sample, dtype)
    inputs = _placeholders(arrays)
    own = None if dtype in COMPLEX else exceptions.accuracy.get(row.name)
    tolerance = own or tolerance_for(row.name, row.tolerance, dtype)
    expected = oracle_value(row, sample, arrays, dtype)
    output = row.function(*inputs, **sample.kwargs)
    excused = f"accuracy of {row.name}" if own else ""
    text = f"{dtype} {sample}"
    yield Case(row, "value", text, arrays, inputs, [output], [expected], tolerance, not tolerance.floor, excused)


def _edge(row: Row, edge: E, dtype: str, exceptions: Exceptions) -> Iterator[Case]:
    """Nothing where the call is refused when it is recorded: that is no backend's business."""
    with np.errstate(over="ignore", invalid="ignore"):
        arrays = [np.asarray(value, row.domain(i).dtype or dtype) for i, value in enumerate(edge.args)]
    inputs = _placeholders(arrays)
    text = f"{dtype} {edge}"
    if edge.raises:
        try:
            output = row.function(*inputs, **edge.kwargs)
        except GraphcError:
            return
        yield Case(row, "edge", text, arrays, inputs, [output], edge.out, VALUES["exact"])
        return
    output = row.function(*inputs, **edge.kwargs)
    gives = edge.gives or row.result(row.operand(dtype))
    with np.errstate(over="ignore", invalid="ignore"):
        expected = np.asarray(edge.out).astype(gives)
    excused = ""
    if exceptions.flushes_subnormals and any(map(_has_subnormals, (*arrays, expected))):
        expected, excused = np.where(_subnormal(expected), 0, expected).astype(expected.dtype), "subnormal numbers"
    yield Case(row, "edge", text, arrays, inputs, [output], [expected], VALUES[row.tolerance], True, excused)


def _placeholders(arrays: Sequence[Array]) -> list[Tensor]:
    """In the current graph, which makes their names unique."""
    return [placeholder(f"x{i}", array.shape, array.dtype) for i, array in enumerate(arrays)]


def _subnormal(array: Array) -> Array:
    return np.asarray((array != 0) & (np.abs(array) < np.finfo(array.dtype).smallest_normal))


def _has_subnormals(array: Array) -> bool:
    return array.dtype.kind == "f" and bool(_subnormal(array).any())


def _gradient(row: Row, sample: S) -> Iterator[Case]:
    """That of a weighted sum, against the reference interpreter, which tests hold to numeric differences."""
    arrays = operands(row, sample, "float64")
    inputs = _placeholders(arrays)
    y = row.function(*inputs, **sample.kwargs)
    if y.dtype is not as_dtype("float64"):
        return
    weights = asarray(np.random.default_rng(3).uniform(0.5, 1.5, y.shape))
    wanted = [inputs[position] for position in row.gradient if position < len(inputs)]
    outputs = [gradient for gradient in vjp([y], wanted, [weights]) if gradient is not None]
    if not outputs:
        return
    expected = [np.asarray(array) for array in evaluate(outputs, dict(zip(inputs, arrays, strict=True)))]
    tolerance = Tolerance(SAME_GRADIENT / float(np.finfo(np.float64).eps), 1, "two formulas of one gradient")
    yield Case(row, "gradient", f"float64 {sample}", arrays, inputs, outputs, expected, tolerance, False)


def is_within(case: Case, dtypes: frozenset[str]) -> bool:
    """Whether a backend with these dtypes has those of the feeds and of the results."""
    return all(node.dtype.name in dtypes for node in (*case.inputs, *case.outputs))
