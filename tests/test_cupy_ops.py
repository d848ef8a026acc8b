"""The op table on the cupy backend: values, edges and gradients, in C++ that g++ compiles, and on a GPU."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from cupy_devices import COMPILED, GPU, backend_on
from refusals import rows_that_run, runs
from test_jax_ops import BY_INDICES, GENERATED, SMOOTH, Case, E, edges, failing_edges, gradient_graphs, require_close

import graphc as gc
from graphc.builder.graph import Graph, placeholder
from graphc.conformance.tolerances import SAME_GRADIENT, VALUES
from graphc.conformance.values import operands as random_operands
from graphc.conformance.values import oracle_value, placeholders
from graphc.errors import OutOfRangeError
from graphc.reference import evaluate
from graphc_cupy import CupyBackend
from graphc_cupy.device import CudaDevice

PARTS = 8
each_part = pytest.mark.parametrize("part", range(PARTS))


@pytest.fixture(params=[COMPILED, GPU])
def backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> CupyBackend:
    return backend_on(request.param, monkeypatch)


def value_cases(row: Any, thorough: bool) -> Iterator[Case]:
    """Two samples in the first dtype; if the compiler is fast all of them, and one in each of the others."""
    tolerance = VALUES[row.tolerance]
    for number, dtype in enumerate(row.dtypes[: None if thorough else 1] if row.oracle else ()):
        for sample in (
            row.samples[: None if thorough else 2] if number == 0 else row.samples[number % len(row.samples) :][:1]
        ):
            arrays = random_operands(row, sample, dtype)
            expected = oracle_value(row, sample, arrays, dtype)
            yield Case(f"{row.name} {dtype} {sample}", arrays, sample.kwargs, expected, tolerance, not tolerance.floor)


def edge_cases(row: Any) -> Iterator[Case]:
    for edge, dtype, arrays in edges(row):
        if not edge.raises:
            expected = np.asarray(edge.out).astype(edge.gives or row.result(row.operand(dtype)))
            yield Case(f"{row.name} {dtype} {edge}", arrays, edge.kwargs, expected, VALUES[row.tolerance], True)


@each_part
def test_values_and_edges(backend: CupyBackend, part: int) -> None:
    """Several rows in one program: a compiler starts slowly."""
    on_gpu = isinstance(backend.device(), CudaDevice)
    rows = rows_that_run(GENERATED[part::PARTS], backend)
    every = [(row, case) for row in rows for case in (*value_cases(row, on_gpu), *edge_cases(row))]
    cases = [(row, case) for row, case in every if runs(row, case.arrays, case.kwargs, backend)]
    with Graph("table"):
        inputs = [
            [placeholder(f"x{k}_{i}", array.shape, array.dtype) for i, array in enumerate(case.arrays)]
            for k, (_, case) in enumerate(cases)
        ]
        outputs = [row.function(*mine, **case.kwargs) for mine, (row, case) in zip(inputs, cases, strict=True)]
    call = gc.compile(outputs, [node for mine in inputs for node in mine], backend=backend)
    found = call(*[array for _, case in cases for array in case.arrays])
    require_close(list(found), [case for _, case in cases])


@pytest.mark.parametrize(("row", "edge", "arrays"), list(failing_edges()))
def test_errors(backend: CupyBackend, row: Any, edge: E, arrays: list[np.ndarray]) -> None:
    inputs = placeholders(arrays)
    with pytest.raises(edge.out):
        gc.compile(row.function(*inputs, **edge.kwargs), inputs, backend=backend)(*arrays)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "int32", "uint32", "int64", "uint64"])
def test_indices_of_every_dtype_at_the_limits(backend: CupyBackend, dtype: str) -> None:
    """An axis that is longer than the dtype counts, and indices that are further out than other dtypes count."""
    limits = np.iinfo(dtype)
    with Graph():
        x, i = placeholder("x", (300,)), placeholder("i", (3,), dtype)
        outputs = [use(x, i) for use in BY_INDICES]
    calls = [[gc.compile(output, [x, i], backend=each) for output in outputs] for each in ("numpy", backend)]
    array = np.arange(300, dtype=np.float32)
    for first in {0, 299, 300, -1, -300, -301, limits.min, limits.max}:
        if not limits.min <= first <= limits.max:
            continue
        indices = np.array([first, 0, 1], dtype)
        answers = [[_answer(call, array, indices) for call in several] for several in calls]
        assert answers[0] == answers[1], first


def _answer(call: Any, *arrays: np.ndarray) -> Any:
    try:
        return call(*arrays).tolist()
    except OutOfRangeError as error:
        return error.message


@each_part
def test_gradients(backend: CupyBackend, part: int) -> None:
    """Of several rows at a time, against the reference interpreter."""
    rows = rows_that_run(SMOOTH[part::PARTS], backend)
    with Graph():
        cases = [case for n, row in enumerate(rows) for case in gradient_graphs(row, f"{row.name}{n}")]
    xs = [x for inputs, _, _ in cases for x in inputs]
    arrays = [array for _, given, _ in cases for array in given]
    outputs = [output for _, _, found in cases for output in found]
    expected = evaluate(outputs, dict(zip(xs, arrays, strict=True)))
    for got, want, node in zip(gc.compile(outputs, xs, backend=backend)(*arrays), expected, outputs, strict=True):
        np.testing.assert_allclose(got, want, rtol=SAME_GRADIENT, atol=SAME_GRADIENT, err_msg=repr(node))
