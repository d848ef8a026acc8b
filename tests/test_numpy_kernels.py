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
