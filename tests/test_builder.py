"""The builder: declared shapes and values, and what optimisers take from a graph."""

from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.errors import ArgumentError, DTypeError, GraphcError, ShapeError, UpdateError
from graphc.ir import dims
from graphc.ir.graph import Graph as ClosedGraph
from graphc.ir.text import parse_graph, print_graph


def test_none_is_a_size_of_its_own() -> None:
    """Also where the names of placeholders look alike once they are part of a symbol."""
    with gc.Graph() as graph:
        for name in ("a-b", "a.b", "a_b", "a_b", "aé", "aè", "aé"):
            gc.placeholder(name, shape=(None, None))
        gc.placeholder("last", shape=("_last_0", None, None))
        gc.placeholder("last_0", shape=(None,))
    shapes = [node.shape for node in graph.placeholders.values()]
    assert len({size for shape in shapes for size in shape}) == sum(map(len, shapes))


def test_declared_sizes_survive_the_text_form() -> None:
    with gc.Graph() as graph:
        x = gc.placeholder("x-é", shape=(None, "n", 3))
        y = gc.placeholder("y", shape=(x.shape[1], 2 * x.shape[1], "min", "match"))
    recorded = ClosedGraph(tuple(graph.placeholders.values()), [gc.sum(x) + gc.sum(y)])
    parsed = parse_graph(print_graph(recorded))
    assert [node.shape for node in parsed.parameters] == [x.shape, y.shape]


@pytest.mark.parametrize("name", ["in", "None", "größe", "ﬁ", "2x", "a b", "", "n+1", "*"])
def test_symbols_that_do_not_survive_it_are_refused(name: str) -> None:
    with gc.Graph() as graph, pytest.raises(ArgumentError, match="cannot name a symbolic size") as caught:
        gc.placeholder("x", shape=(name, 3))
    assert not graph.names
    if (fix := caught.value.fix or "").startswith("call it"):
        with gc.Graph():
            shape = gc.placeholder("x", shape=(fix.split("'")[1],)).shape
        assert dims.symbol_name(shape[0])


VALUES = [
    (1.5, gc.int32), ([1.0, 2.5], gc.int64), (np.float64(0.5), gc.uint8), (300, gc.int8), (-1, gc.uint8),
    (np.array([300]), gc.int8), (np.array([0.5]), gc.int32), (np.array([np.nan]), gc.int32),
    (np.array([1e39]), gc.float32), (np.array([2]), gc.bool), (np.array([-1]), gc.uint64), (2**70, gc.int64),
]  # fmt: skip


@pytest.mark.parametrize(("value", "dtype"), VALUES, ids=str)
def test_a_declared_value_loses_nothing_but_digits_of_a_float(value: Any, dtype: gc.DType) -> None:
    with gc.Graph() as graph:
        with pytest.raises(DTypeError, match="does not fit into"):
            gc.constant(value, dtype=dtype)
        with pytest.raises(DTypeError, match="does not fit into"):
            gc.Variable(value, dtype=dtype)
    assert not graph.names


def test_declared_values_that_fit_are_taken() -> None:
    for value, dtype, expected in (
        (2.0, gc.int32, 2), (np.array([0.1]), gc.float32, [np.float32(0.1)]), (np.array([255]), gc.uint8, [255]),
        (np.array([np.inf, np.nan]), gc.float32, [np.inf, np.nan]), (np.array([7]), gc.float64, [7.0]),
        (np.array([1.0, 0.0]), gc.bool, [True, False]),
    ):  # fmt: skip
        node = gc.constant(value, dtype=dtype)
        assert node.dtype is dtype
        np.testing.assert_array_equal(gc.evaluate(node), expected)


def test_no_dtype_is_the_default_and_never_numpys_float64() -> None:
    assert gc.zeros((2,), dtype=None).dtype is gc.ones((2,), dtype=None).dtype is gc.float32
    with pytest.raises(DTypeError, match="no such dtype"):
        gc.ones((2,)).astype(None)
    with gc.Graph(), pytest.raises(DTypeError, match="no such dtype"):
        gc.placeholder("x", dtype=None)


def test_numbers_that_are_no_sizes_are_not_truncated() -> None:
    x = gc.ones((2, 3))
    for call in (
        lambda: gc.pad(x, 1.5), lambda: gc.one_hot([0], 2.5), lambda: gc.one_hot([0], -1), lambda: gc.dim_value(2.5),
        lambda: gc.eye(2.5), lambda: gc.eye(-1), lambda: gc.zeros(2.5), lambda: x[:1.5], lambda: gc.arange("3"),
        lambda: gc.arange(1e30), lambda: gc.dim_value("n"), lambda: gc.permute_dims(x, 0),
    ):  # fmt: skip
        with pytest.raises(GraphcError) as caught:
            call()
        assert isinstance(caught.value, (ArgumentError, ShapeError))


# --- optimisers ---------------------------------------------------------------------------------------------------


def test_an_optimiser_that_refuses_leaves_the_graph_alone() -> None:
    with gc.Graph() as graph:
        w, b = gc.Variable([1.0, 2.0], name="w"), gc.Variable(0.0, name="b")
    with gc.Graph("other"):
        v = gc.Variable(1.0, name="v")
    slope = gc.gradients(gc.sum(w * w) * b, [w, b])
    wrong: list[Any] = [
        [(slope[0], w), (slope[0], b)], [(slope[0], w), (None, b)], [(w, slope[0])], [slope[0]], [w], w,
        [(slope[0], w), (slope[0], w)], [(slope[0].astype(gc.float64), w)], [(np.ones(2, np.float32), w)],
        [(slope[0], w), (gc.gradients(v * v, v), v)], [], {},
    ]  # fmt: skip
    for pairs in wrong:
        for optimizer in (gc.optim.Adam(), gc.optim.SGD(0.1, momentum=0.9)):
            with pytest.raises(GraphcError):
                optimizer.apply(pairs)
            with pytest.raises(UpdateError, match="before the optimiser is used"):
                _ = optimizer.learning_rate
    assert list(graph.names) == ["w", "b"]


def test_variables_of_integers_are_not_moved() -> None:
    with gc.Graph() as graph:
        w, count = gc.Variable(3.0, name="w"), gc.Variable(0, name="count")
        train = gc.optim.SGD(0.5).minimize(w * w)
        both = gc.group(train, gc.assign_add(count, 1))
    with gc.Session(graph) as session:
        session.run(both)
        assert session.value(w) == 0.0
        assert session.value(count) == 1


@pytest.mark.parametrize(
    "make",
    [
        lambda: gc.optim.SGD("0.1"), lambda: gc.optim.SGD(None), lambda: gc.optim.SGD(float("nan")),
        lambda: gc.optim.SGD(True), lambda: gc.optim.SGD(0.1, momentum=1.0), lambda: gc.optim.SGD(0.1, nesterov=True),
        lambda: gc.optim.Adam(beta1="0.9"), lambda: gc.optim.Adam(beta2=1), lambda: gc.optim.Adam(epsilon=0.0),
    ],
)  # fmt: skip
def test_parameters_of_optimisers_are_checked(make: Any) -> None:
    with pytest.raises(ArgumentError) as caught:
        make()
    assert caught.value.expected
    assert caught.value.fix
