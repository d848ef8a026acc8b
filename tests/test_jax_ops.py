"""The op table on the jax backend: values, edges and gradients. XLA compiles slowly, so a row is one program."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import graphc as gc
from graphc.autodiff import vjp
from graphc.builder.graph import Graph, placeholder
from graphc.conformance.rows import ROWS
from graphc.conformance.table import FLOATS, E
from graphc.conformance.tolerances import SAME_GRADIENT, VALUES, XLA, Tolerance, assert_close
from graphc.conformance.values import operands as random_operands
from graphc.conformance.values import oracle_value, placeholders
from graphc.ir.dtype import as_dtype
from graphc.reference import evaluate

pytestmark = pytest.mark.requires("jax")

GENERATED = [row for row in ROWS if not row.elsewhere]
DENORMAL = 1e-45
STRICT = gc.CompileOptions(law="strict")


class Case(NamedTuple):
    """One call of a row: operands, keyword arguments, and the answer."""

    name: str
    arrays: list[np.ndarray]
    kwargs: dict[str, Any]
    expected: np.ndarray
    tolerance: Tolerance
    signs: bool


def value_cases(row: Any) -> Iterator[Case]:
    """All samples in the first dtype, every other one in the others."""
    tolerance = XLA.get(row.name, VALUES[row.tolerance])
    for number, dtype in enumerate(row.dtypes if row.oracle else ()):
        for sample in row.samples if number == 0 else row.samples[number % 2 :: 2]:
            arrays = random_operands(row, sample, dtype)
            expected = oracle_value(row, sample, arrays, dtype)
            yield Case(f"{dtype} {sample}", arrays, sample.kwargs, expected, tolerance, not tolerance.floor)


def edges(row: Any) -> Iterator[tuple[E, str, list[np.ndarray]]]:
    for edge in row.edges:
        floats = [dtype for dtype in row.dtypes if dtype in FLOATS]
        for dtype in [edge.dtype] if edge.dtype else floats or [row.dtypes[0]]:
            with np.errstate(over="ignore"):
                yield edge, dtype, [np.asarray(v, row.domain(i).dtype or dtype) for i, v in enumerate(edge.args)]


def edge_cases(row: Any) -> Iterator[Case]:
    for edge, dtype, arrays in edges(row):
        if edge.raises or any((array == np.float32(DENORMAL)).any() for array in arrays):
            continue
        gives = edge.gives or row.result(row.operand(dtype))
        expected = np.asarray(edge.out).astype(gives)
        yield Case(f"{dtype} {edge}", arrays, edge.kwargs, expected, VALUES[row.tolerance], True)


def computed(row: Any, cases: list[Case], options: gc.CompileOptions | None = None) -> list[np.ndarray]:
    """All cases by one program."""
    with Graph(row.name):
        inputs = [
            [placeholder(f"x{k}_{i}", array.shape, array.dtype) for i, array in enumerate(case.arrays)]
            for k, case in enumerate(cases)
        ]
        outputs = [row.function(*mine, **case.kwargs) for mine, case in zip(inputs, cases, strict=True)]
    call = gc.compile(outputs, [node for mine in inputs for node in mine], backend="jax", options=options)
    return list(call(*[array for case in cases for array in case.arrays]))


def require_close(found: list[np.ndarray], cases: list[Case]) -> None:
    wrong = []
    for case, got in zip(cases, found, strict=True):
        try:
            assert_close(got, case.expected, case.tolerance, case.name, signs=case.signs)
        except AssertionError as error:
            wrong.append(str(error).split("\nassert")[0])
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("row", GENERATED, ids=lambda row: row.name)
def test_values_and_edges(row: Any, capsys: pytest.CaptureFixture[str]) -> None:
    cases = [*value_cases(row), *edge_cases(row)]
    require_close(computed(row, cases), cases)


CHECKED = {
    "add_along_axis", "check_numerics", "positions", "scatter_add", "scatter_max", "scatter_min", "scatter_multiply",
    "scatter_set", "take", "take_along_axis", "take_last", "update_at",
}  # fmt: skip


def failing_edges() -> Iterator[Any]:
    """What fails when it runs; errors of recording are no backend's business."""
    for row in GENERATED:
        for number, (edge, dtype, arrays) in enumerate(edges(row)):
            if edge.raises and row.name in CHECKED:
                yield pytest.param(row, edge, arrays, id=f"{row.name}-{number}-{dtype}")


@pytest.mark.parametrize(("row", "edge", "arrays"), list(failing_edges()))
def test_errors_are_those_of_numpy(row: Any, edge: E, arrays: list[np.ndarray]) -> None:
    def run(backend: str) -> None:
        inputs = placeholders(arrays)
        gc.compile(row.function(*inputs, **edge.kwargs), inputs, backend=backend)(*arrays)

    messages = []
    for backend in ("numpy", "jax"):
        with pytest.raises(edge.out) as caught:
            run(backend)
        messages.append(str(caught.value))
    assert messages[0] == messages[1]


BY_INDICES: tuple[Callable[[gc.Tensor, gc.Tensor], gc.Tensor], ...] = (
    gc.take,
    lambda x, i: gc.scatter_add(x, i, 1.0),
    gc.take_along_axis,
    lambda x, i: gc.reshape(x, (300, 1))[i, [0, -1, 0]],
    lambda x, i: x.at[i].set([1.0, 2.0, 3.0]),
)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "int32", "uint32", "int64", "uint64"])
def test_indices_of_every_dtype_at_the_limits(dtype: str) -> None:
    """An axis that is longer than the dtype counts, and indices that are further out than other dtypes count."""
    limits = np.iinfo(dtype)
    with Graph():
        x, i = placeholder("x", (300,)), placeholder("i", (3,), dtype)
        outputs = [use(x, i) for use in BY_INDICES]
    calls = {name: gc.compile(outputs, [x, i], backend=name) for name in ("numpy", "jax")}
    array = np.arange(300, dtype=np.float32)
    for first in {0, 299, 300, -1, -300, -301, limits.min, limits.max}:
        if not limits.min <= first <= limits.max:
            continue
        indices = np.array([first, 0, 1], dtype)
        answers = []
        for call in calls.values():
            try:
                answers.append([value.tolist() for value in call(array, indices)])
            except gc.errors.OutOfRangeError as error:
                answers.append(str(error))
        assert answers[0] == answers[1], first


# --- gradients ----------------------------------------------------------------------------------------------

SMOOTH = [row for row in GENERATED if row.gradient]


def gradient_graphs(row: Any, mark: str) -> Iterator[tuple[list[Any], list[np.ndarray], list[Any]]]:
    """Placeholders, arrays, and the gradients of a row's first samples in float64, in the current graph."""
    for number, sample in enumerate(row.samples[:3]):
        arrays = random_operands(row, sample, "float64")
        xs = [placeholder(f"{mark}_{number}_{i}", a.shape, a.dtype) for i, a in enumerate(arrays)]
        y = row.function(*xs, **sample.kwargs)
        if y.dtype is as_dtype("float64"):
            weights = gc.asarray(np.random.default_rng(3).uniform(0.5, 1.5, y.shape))
            wanted = [xs[i] for i in row.gradient if i < len(xs)]
            yield xs, arrays, [g for g in vjp([y], wanted, [weights]) if g is not None]


@pytest.mark.parametrize("part", range(6))
def test_gradients(part: int) -> None:
    """Of all rows, several at a time, against the reference interpreter."""
    with Graph():
        cases = [case for n, row in enumerate(SMOOTH[part::6]) for case in gradient_graphs(row, f"{row.name}{n}")]
    xs = [x for inputs, _, _ in cases for x in inputs]
    arrays = [array for _, given, _ in cases for array in given]
    outputs = [output for _, _, found in cases for output in found]
    expected = evaluate(outputs, dict(zip(xs, arrays, strict=True)))
    for got, want, node in zip(gc.compile(outputs, xs, backend="jax")(*arrays), expected, outputs, strict=True):
        np.testing.assert_allclose(got, want, rtol=SAME_GRADIENT, atol=SAME_GRADIENT, err_msg=repr(node))


# --- where XLA has a law of its own -------------------------------------------------------------------------


class Deviation(NamedTuple):
    """A case in which XLA answers otherwise than docs/semantics.md demands.

    Attributes:
        function: of the operands.
        operands: as float32.
        numpy, xla, strict: the answers: the right one, and those of XLA under either law.
    """

    function: Callable[..., Any]
    operands: list[list[float]]
    numpy: list[float]
    xla: list[float]
    strict: list[float]


CLOSE = 1 + 2.0**-12
EXCEPTIONS = {
    "subnormal numbers": Deviation(lambda x: x + x, [[DENORMAL]], [2.8e-45], [0.0], [0.0]),
    "a sum or product with constants": Deviation(
        lambda x: (x + 1e8) - 1e8, [[1.0, 2.0, 3.0]], [0.0, 0.0, 0.0], [1.0, 2.0, 3.0], [0.0, 0.0, 0.0]
    ),
    "division by a constant, or by what is broadcast": Deviation(
        lambda x: x / 3.0, [[5.0]], [1.6666666269302368], [1.6666667461395264], [1.6666666269302368]
    ),
    "a product in a sum": Deviation(
        lambda x, y: x * y - 1.0, [[CLOSE], [CLOSE]], [2.0**-11], [2.0**-11 + 2.0**-24], [2.0**-11 + 2.0**-24]
    ),
    "a product with a bool as a number": Deviation(
        lambda x: x * gc.astype(x < 0, gc.float32),
        [[np.inf, np.nan, 2.0, -np.inf]],
        [np.nan, np.nan, 0.0, -np.inf],
        [0.0, 0.0, 0.0, -np.inf],
        [np.nan, np.nan, 0.0, -np.inf],
    ),
}
"""The table of docs/semantics.md, in its order."""


@pytest.mark.parametrize("title", EXCEPTIONS)
def test_exceptions_are_what_they_are_said_to_be(title: str) -> None:
    case = EXCEPTIONS[title]
    arrays = [np.float32(operand) for operand in case.operands]
    xs = placeholders(arrays)
    output = case.function(*xs)
    for backend, options, expected in (
        ("numpy", None, case.numpy), ("jax", None, case.xla), ("jax", STRICT, case.strict)
    ):  # fmt: skip
        found = gc.compile(output, xs, backend=backend, options=options)(*arrays)
        if title != "a product in a sum" or found.tolist() != case.numpy:  # a CPU may have no such instruction
            np.testing.assert_array_equal(found, np.float32(expected))


def test_the_documented_exceptions_are_those_that_are_tested() -> None:
    text = (Path(__file__).parents[1] / "docs" / "semantics.md").read_text(encoding="utf-8")
    section = text.partition("## Exceptions of the jax backend")[2].partition("\n## ")[0]
    titles = re.findall(r"(?m)^\| ([^|]+?) \|", section)[1:]
    assert [title for title in titles if not title.startswith("-")] == list(EXCEPTIONS)


def test_division_is_exact_under_the_strict_law() -> None:
    row = next(row for row in ROWS if row.name == "divide")
    cases = [case._replace(tolerance=VALUES["exact"]) for case in value_cases(row)]
    require_close(computed(row, cases, STRICT), cases)


@pytest.mark.parametrize(("wide", "narrow"), [("int64", "int32"), ("int64", "int8"), ("int32", "int16")])
@pytest.mark.parametrize("shape", [(), (4,), (4, 6)])
def test_an_absolute_value_that_is_narrowed_and_masked(wide: str, narrow: str, shape: tuple[int, ...]) -> None:
    """Seed 20263596 of the fuzzer: compiled as it stands there, this kills the process with jaxlib 0.10."""
    limits = np.iinfo(wide)
    numbers = np.resize(np.array([limits.min, -5, 0, 7, limits.max], wide), shape)
    mask = np.resize(np.array([3, -1, 12], narrow), shape)
    with gc.Graph():
        x, y = gc.placeholder("x", shape, wide), gc.placeholder("y", shape, narrow)
        wide_value = gc.abs(x)
        value = gc.astype(wide_value, narrow)
        outputs = [gc.bitwise_and(value, y), gc.bitwise_or(value, y), wide_value]
    both, either, _ = gc.compile(outputs, [x, y], backend="jax")(numbers, mask)
    np.testing.assert_array_equal(both, np.abs(numbers).astype(narrow) & mask)
    np.testing.assert_array_equal(either, np.abs(numbers).astype(narrow) | mask)
