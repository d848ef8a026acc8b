"""Order on large arrays, ops with several results in plans, and gradients of running extremes at ties."""

from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.autodiff import vjp
from graphc.conformance.values import placeholders
from graphc.errors import ArgumentError
from graphc.ir.tensor import Tensor
from graphc.reference import evaluate
from graphc_numpy import emit

BACKENDS = ("numpy", pytest.param("jax", marks=pytest.mark.requires("jax")))
each_backend = pytest.mark.parametrize("backend", BACKENDS)
AWKWARD = np.array([np.nan, -np.nan, np.inf, -np.inf, -0.0, 0.0, 1.0, 1.5])


def numbers(kind: str, shape: tuple[int, ...]) -> np.ndarray:
    rng = np.random.default_rng([len(kind), *shape])
    if kind == "awkward":
        return rng.choice(AWKWARD, shape).astype(np.float32)
    return rng.integers(0, 9 if kind == "ties" else 10**6, shape).astype(np.float64)


def largest(row: np.ndarray) -> list[int]:
    """Positions by Python's stable sort: NaN is above all, and −0 is 0."""
    keys = list(zip(np.isnan(row).tolist(), np.where(np.isnan(row), 0, row).tolist(), strict=True))
    return sorted(range(len(row)), key=keys.__getitem__, reverse=True)


@each_backend
@pytest.mark.parametrize("kind", ["awkward", "ties", "distinct"])
@pytest.mark.parametrize("k", [1, 3, 20])
def test_top_k_by_a_partition_is_that_of_a_sort(kind: str, k: int, backend: str) -> None:
    x = numbers(kind, (5, 200))
    expected = [largest(row)[:k] for row in x]
    (node,) = placeholders([x])
    values, positions = gc.compile(list(gc.top_k(node, k)), [node], backend=backend)(x)
    np.testing.assert_array_equal(positions, expected)
    wanted = np.take_along_axis(x, np.array(expected), -1)
    np.testing.assert_array_equal(values, wanted)
    np.testing.assert_array_equal(np.signbit(values[values == 0]), np.signbit(wanted[values == 0]))


@each_backend
@pytest.mark.parametrize("descending", [False, True])
def test_a_sort_is_stable_for_zeros(descending: bool, backend: str) -> None:
    """NumPy's and XLA's fastest sorts are not."""
    x = np.where(np.arange(300) % 3 == 0, np.float32(-0.0), np.float32(0.0)).reshape(3, 100)
    (node,) = placeholders([x])
    found = gc.compile(gc.sort(node, descending=descending), [node], backend=backend)(x)
    assert found.tobytes() == x.tobytes()


@each_backend
def test_one_of_two_results_may_go_unread(backend: str) -> None:
    x = np.float32([[3, 1, 2], [5, 9, 7]])
    with gc.Graph() as graph:
        node, kept = gc.placeholder("x", ("n", 3)), gc.Variable(np.zeros((2, 2), np.int64), name="kept")
        _, positions = gc.top_k(node * 2.0, 2)
        update = gc.assign(kept, positions)
    with gc.Session(graph, backend=backend) as session:
        session.run(update, {node: x})
        assert session.value(kept).tolist() == [[0, 2], [1, 2]]
        step = session.compile(positions + 1, [node])
        assert step(x).tolist() == [[1, 3], [2, 3]]
        assert step(x[:1]).tolist() == [[1, 3]]


def test_a_wrong_kernel_with_two_results_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.float32([3, 1, 2])
    (node,) = placeholders([x])
    right = emit.ROWS["top_k"]
    monkeypatch.setitem(
        emit.ROWS, "top_k", lambda step, o: [*right(step, o), emit.Line("negative", (o.output, o.output))]
    )
    call = gc.compile(list(gc.top_k(node, 2)), [node], backend="numpy")
    culprit = gc.bisect(call, x)
    assert (culprit.kind, culprit.name) == ("kernel", "top_k")
    assert 'apply(OPS["top_k"], ' in gc.reproduce(call, x)


def gradient(function: Any, x: Any) -> list[float]:
    (node,) = placeholders([np.asarray(x, np.float64)])
    y: Tensor = function(node)
    weights = gc.asarray(10.0 ** np.arange(y.size))  # type: ignore[arg-type]
    (found,) = vjp([y], [node], [weights])
    assert found is not None
    (value,) = evaluate([found], {node: np.asarray(x, np.float64)})
    result: list[float] = value.tolist()
    return result


def test_gradients_at_ties() -> None:
    assert gradient(gc.cumulative_max, [1, 3, 3, 2, 5]) == [1, 1110, 0, 0, 10000]
    assert gradient(gc.cumulative_min, [2, 2, 2]) == [111, 0, 0]
    assert gradient(gc.cumulative_max, [1, np.nan, 2]) == [1, 110, 0]
    assert gradient(gc.sort, [2, 1, 2]) == [10, 1, 100]
    assert gradient(lambda x: gc.top_k(x, 2)[0], [5, 7, 5, 7]) == [0, 1, 0, 10]
    assert gradient(gc.cumulative_prod, [0, 2, 3]) == [1 + 20 + 600, 0, 0]
    assert gradient(gc.cumulative_prod, [2, 0, 3]) == [1, 20 + 600, 0]
    assert gradient(gc.cumulative_logsumexp, [-np.inf, 1000.0]) == [1, 10]


@pytest.mark.parametrize(
    "name", ["nonzero", "argwhere", "unique_values", "unique_counts", "unique_inverse", "unique_all"]
)
def test_what_needs_a_size_says_so(name: str) -> None:
    (x,) = placeholders([np.ones(3)])
    with pytest.raises(ArgumentError, match="depends on the data") as caught:
        getattr(gc, name)(x)
    assert "size=10" in str(caught.value)
    assert caught.value.origins.lines[0].function == test_what_needs_a_size_says_so.__name__
