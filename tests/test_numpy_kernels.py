"""Kernels of the numpy backend that are not one call of NumPy."""

import numpy as np
import pytest

import graphc as gc


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint16", "int32", "int64", "float32", "float64"])
@pytest.mark.parametrize("shape", [(), (7,), (3, 7)])
def test_where_with_a_zero_keeps_every_bit(dtype: str, shape: tuple[int, ...]) -> None:
    """NumPy gets it as a mask over bits: payloads of NaN, signs of zero and all integers stay what they are."""
    rng = np.random.default_rng(7)
    values = np.frombuffer(rng.bytes(7 * np.dtype(dtype).itemsize), dtype) if dtype != "bool" else rng.random(7) < 0.5
    if dtype.startswith("float"):
        values = np.array([np.nan, -np.nan, -0.0, 0.0, np.inf, -1.5, 5e-324], dtype)
    x = np.broadcast_to(values, shape) if shape else values[2]
    for columns in {(), shape, (*shape[:-1], 1) if shape else ()}:
        condition = rng.random(columns) < 0.5
        with gc.Graph():
            c, node = gc.placeholder("c", columns, gc.bool), gc.placeholder("x", shape, dtype)
            zero = gc.zeros((), dtype=dtype)
            outputs = [
                gc.where(c, node, zero),
                gc.where(c, zero, node),
                gc.where(c, node, gc.zeros(shape, dtype=dtype)),
            ]
        found = gc.compile(outputs, [c, node], backend="numpy")(np.array(condition), np.array(x, dtype))
        null = np.zeros((), dtype)
        expected = [np.where(condition, x, null), np.where(condition, null, x), np.where(condition, x, null)]
        for mine, wanted in zip(found, expected, strict=True):
            assert mine.tobytes() == np.broadcast_to(wanted, mine.shape).astype(dtype).tobytes()


def test_where_with_a_negative_zero() -> None:
    condition, x = np.array([True, False]), np.float32([1, 1])
    with gc.Graph():
        c, node = gc.placeholder("c", (2,), gc.bool), gc.placeholder("x", (2,))
        y = gc.where(c, node, np.float32(-0.0))
    assert np.signbit(gc.compile(y, [c, node], backend="numpy")(condition, x)).tolist() == [False, True]


def test_floats_become_integers_before_the_commit() -> None:
    """What is out of range is mended by Python code, in which a signal could be handled."""
    with gc.Graph() as graph:
        v, w = gc.Variable(np.zeros(4, np.int32), name="v"), gc.Variable(np.ones(4, np.float32), name="w")
        x = gc.placeholder("x", (4,))
        updates = [gc.assign(v, (w * x).astype(gc.int32)), gc.assign(w, w * 2.0)]
    session = gc.Session(graph, backend="numpy")
    step = session.compile(updates, feeds=[x])
    plan = step.plan.plan
    names = [each.op.name for each in plan.steps]
    assert names.index("astype") < plan.commit
    step(np.float32([1e30, -1e30, np.nan, 7.9]))
    assert session.value(v).tolist() == [2**31 - 1, -(2**31), 0, 7]


@pytest.mark.parametrize("name", ["erfc", "erfinv", "lgamma", "digamma", "i0e", "i1e"])
def test_special_functions_in_blocks(name: str) -> None:
    """More than a block of elements, in another order in memory, and none."""
    square = np.linspace(-0.99, 0.99, 10_000).reshape(100, 100)
    function = getattr(gc, name)
    for array in (square, square.T, square[::2, ::-3], square[:0]):
        with gc.Graph():
            x = gc.placeholder("x", array.shape, gc.float64)
        found = gc.compile(function(x), [x], backend="numpy")(array)
        rows = [gc.compile(function(gc.asarray(row)), [], backend="numpy")() for row in array[:3]]
        np.testing.assert_array_equal(found[:3], np.reshape(rows, found[:3].shape))
