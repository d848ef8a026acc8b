"""x[index] and x.at[index] against NumPy, for indices drawn at random; and what graphs they make."""

import random
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest
from seeds import FIRST

import graphc as gc
from graphc.ir.walk import toposort
from graphc.reference import evaluate, solve_sizes

UPDATES = {"add": np.add, "multiply": np.multiply, "min": np.minimum, "max": np.maximum}
BLOCK = 40


class Drawn(NamedTuple):
    """An array and an index into it, as NumPy has them; the same with placeholders, and what is fed to those."""

    array: np.ndarray
    index: tuple[Any, ...]
    x: gc.Tensor
    tensors: tuple[Any, ...]
    feeds: dict[gc.Tensor, np.ndarray]


class _Drawing:
    """An index in the making: entry by entry, over axes of up to 4 elements."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.numbers = np.random.default_rng(seed)
        self.common = tuple(self.rng.randint(1, 3) for _ in range(self.rng.randint(0, 2)))
        self.symbolic = self.rng.random() < 0.4
        self.feeds: dict[gc.Tensor, np.ndarray] = {}

    def placeholder(self, name: str, array: np.ndarray) -> gc.Tensor:
        shape = tuple(f"{name}{k}" if self.symbolic and n > 1 else n for k, n in enumerate(array.shape))
        node = gc.placeholder(name, shape, array.dtype)
        self.feeds[node] = array
        return node

    def integers(self, size: int) -> np.ndarray:
        """Positions along an axis, in a shape that broadcasts to the common one."""
        shape = self.common[self.rng.randint(0, len(self.common)) :]
        shape = tuple(1 if self.rng.random() < 0.2 else n for n in shape)
        return self.numbers.integers(-size, size, shape).astype(self.rng.choice(["int64", "int32", "int8"]))

    def entry(self, size: int) -> tuple[Any, Any]:
        """What picks from an axis, as NumPy takes it and as graphc does."""
        kind = self.rng.choice(["slice", "slice", "int", "array", "list", "tensor", "tensor"])
        if kind == "slice" or not size:
            found = slice(*(self.rng.choice(choice) for choice in ([None, 0, 1, -1], [None, 2, -1], [None, 1, 2, -1])))
            return found, found
        if kind == "int":
            position = self.rng.randrange(-size, size)
            return position, position
        array = self.integers(size)
        if kind == "tensor":
            return array, self.placeholder(f"i{len(self.feeds)}_", array)
        return (array, array) if kind == "array" else (array.tolist(), array.tolist())

    def index(self, shape: Sequence[int]) -> list[tuple[Any, Any]]:
        entries: list[tuple[Any, Any]] = []
        axis, ellipsis_at, seen = 0, self.rng.randrange(6), False
        while axis < len(shape) and (seen or self.rng.random() < 0.9):
            if self.rng.random() < 0.15:
                entries.append((None, None))
            elif axis == ellipsis_at and not seen:
                entries.append((..., ...))
                axis, seen = self.rng.randint(axis, len(shape)), True
            else:
                entries.append(self.entry(shape[axis]))
                axis += 1
        return entries


def drawn(seed: int) -> Drawn:
    """The index of a seed, in the current graph."""
    drawing = _Drawing(seed)
    shape = tuple(drawing.rng.randint(1, 4) for _ in range(drawing.rng.randint(1, 4)))
    array = drawing.numbers.integers(-9, 9, shape).astype(np.float32)
    x = drawing.placeholder("x", array)
    pairs = drawing.index(shape)
    return Drawn(array, tuple(mine for mine, _ in pairs), x, tuple(theirs for _, theirs in pairs), drawing.feeds)


def updated(array: np.ndarray, index: Any, value: np.ndarray, how: str) -> np.ndarray:
    """What NumPy makes of it."""
    result = array.copy()
    if how == "set":
        result[index] = value
    else:
        UPDATES[how].at(result, index, value)
    return result


def compare(seed: int, backend: str) -> None:
    """Reading, and an update, of one drawn index."""
    with gc.Graph():
        case = drawn(seed)
        read = case.array[case.index]
        rng = random.Random(seed)
        how = rng.choice(["set", *UPDATES])
        shape = read.shape if rng.random() < 0.7 else ()
        value = np.random.default_rng(seed).integers(-5, 5, shape).astype(np.float32)
        v = gc.placeholder("v", shape)
        outputs = [case.x[case.tensors], getattr(case.x.at[case.tensors], how)(v)]
    feeds = {**case.feeds, v: value}
    if backend == "reference":
        found = evaluate(outputs, feeds, solve_sizes({node: array.shape for node, array in feeds.items()}))
    else:
        found = list(gc.compile(outputs, list(feeds), backend=backend)(*feeds.values()))
    what = f"seed {seed}: float32{list(case.array.shape)}[{case.index}], {how}"
    np.testing.assert_array_equal(found[0], read, err_msg=what)
    np.testing.assert_array_equal(found[1], updated(case.array, case.index, value, how), err_msg=what)


@pytest.mark.parametrize("block", range(5))
def test_indices_mean_what_they_mean_to_numpy(block: int) -> None:
    for seed in range(FIRST + BLOCK * block, FIRST + BLOCK * (block + 1)):
        compare(seed, "reference" if seed % 4 else "numpy")


@pytest.mark.requires("jax")
def test_indices_mean_the_same_to_xla() -> None:
    for seed in range(FIRST, FIRST + 6):
        compare(seed, "jax")


@pytest.mark.parametrize("backend", ["numpy", pytest.param("jax", marks=pytest.mark.requires("jax"))])
def test_the_last_of_many_that_are_set_stays(backend: str) -> None:
    indices, values = np.arange(20_000) % 7, np.arange(20_000, dtype=np.float32)
    with gc.Graph():
        x, i, v = gc.placeholder("x", (9,)), gc.placeholder("i", ("n",), gc.int64), gc.placeholder("v", ("n",))
        set_there = x.at[i].set(v)
        (gradient,) = gc.gradients(gc.sum(set_there), [v])
    found, slope = gc.compile([set_there, gradient], [x, i, v], backend=backend)(
        np.zeros(9, np.float32), indices, values
    )
    assert found.tolist() == [19999, *range(19993, 19999), 0, 0]
    assert np.flatnonzero(slope).tolist() == list(range(19993, 20000))


# --- what graphs they make ----------------------------------------------------------------------------------------


def ops(*outputs: gc.Tensor) -> list[str]:
    return [node.op.name for node in toposort(outputs) if node.op.name not in ("placeholder", "constant", "variable")]


def test_one_tensor_of_indices_is_a_take() -> None:
    with gc.Graph():
        x, i = gc.placeholder("x", ("n", 4)), gc.placeholder("i", (2, 3), gc.int32)
    assert ops(x[i]) == ["take"]
    assert ops(x[:, i]) == ["take"]
    assert ops(x.at[i].add(1.0)) == ["broadcast_to", "scatter_add"]


def test_known_indices_are_checked_when_they_are_recorded() -> None:
    with gc.Graph():
        x, i = gc.placeholder("x", (5, 4)), gc.placeholder("i", (2,), gc.int32)
    assert "positions" not in ops(x[[0, -1], [1, 2]])
    assert ops(x[i, [1, 2]]).count("positions") == 1
    assert "positions" not in ops(x[np.eye(5, 4, dtype=bool)])


def test_slices_between_indices_move_no_axis() -> None:
    with gc.Graph():
        x, y = gc.placeholder("x", ("n", 8, 16, 4)), gc.placeholder("y", ("n", "m", 4))
        i = gc.placeholder("i", (2,), gc.int64)
    assert "permute_dims" not in ops(x[i, :, i], x.at[i, ..., i].add(1.0))
    assert "permute_dims" in ops(y[i, :, i])  # nobody knows how many positions there are


def test_known_indices_guard_symbolic_sizes() -> None:
    with gc.Graph():
        x = gc.placeholder("x", ("n", 4))
        call = gc.compile(x[[0, -3], [1, 2]], [x], backend="numpy")
    assert call(np.arange(12, dtype=np.float32).reshape(3, 4)).tolist() == [1, 2]
    with pytest.raises(gc.GraphcError, match="an index is out of range for axis 0"):
        call(np.zeros((2, 4), np.float32))


def test_a_table_is_added_to_in_its_place() -> None:
    with gc.Graph("table") as graph:
        table = gc.Variable(np.zeros((10, 2), np.float32), name="table")
        i = gc.placeholder("i", ("n",), gc.int64)
        add = gc.assign(table, table.at[i].add(1.0))
    with gc.Session(graph, backend="numpy") as session:
        step = session.compile([add], [i])
        assert [each.op.name for each in step.plan.plan.steps] == ["checked_indices", "add_at"]
        step(np.array([3, 3, -1]))
        assert session.value(table)[:, 0].tolist() == [0, 0, 0, 2, 0, 0, 0, 0, 0, 1]


def test_an_index_out_of_range_commits_nothing() -> None:
    with gc.Graph("table") as graph:
        table = gc.Variable(np.zeros((3, 2), np.float32), name="table")
        i, j = gc.placeholder("i", ("n",), gc.int64), gc.placeholder("j", ("n",), gc.int64)
        change = gc.assign(table, table.at[i, j].set(1.0))
    with gc.Session(graph, backend="numpy") as session:
        step = session.compile([change], [i, j])
        with pytest.raises(gc.errors.OutOfRangeError, match="axis 1: an index is out of range"):
            step(np.array([0, 1]), np.array([1, 2]))  # one position further would be the next row
        assert not session.value(table).any()
        step(np.array([0, 1]), np.array([1, -2]))
        assert session.value(table).tolist() == [[0, 1], [1, 0], [0, 0]]


def test_parts_say_what_they_are_for() -> None:
    x = gc.ones((2,))
    assert "x.at[index].set(value)" in repr(x.at)
    assert ".set(value)" in repr(x.at[0])
    assert gc.evaluate(x.at[0].get()).tolist() == 1.0
