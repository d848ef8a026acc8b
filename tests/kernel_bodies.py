"""Bodies of fused nodes for tests of printers: every schedule, layout and vector path, with sizes to run them at.

`BODIES[name]` makes a body and its kind of fusion; `SIZES[name]` are the sizes of its symbols.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

import graphc as gc
from graphc.ir import dims
from graphc.ir.dtype import DTYPES
from graphc.ir.graph import Graph
from graphc.ir.tensor import Tensor
from graphc.ops.fused import parameter

N, M, K = dims.symbol("n"), dims.symbol("m"), dims.symbol("k")
Body = tuple[Graph, str]
BODIES: dict[str, Callable[[], Body]] = {}
SIZES: dict[str, tuple[dict[str, int], ...]] = {}

_ROWS = (0, 1, 3, 33)
_LENGTHS = (1, 2, 31, 33, 255, 257, 1000, 4099)


def inputs(*kinds: tuple[str, tuple[Any, ...]]) -> list[Tensor]:
    return [parameter(at, DTYPES[dtype], shape) for at, (dtype, shape) in enumerate(kinds)]


def body(name: str, *sizes: dict[str, int]) -> Callable[[Callable[[], Body]], Callable[[], Body]]:
    """Decorator: puts a body into the tables."""

    def put(make: Callable[[], Body]) -> Callable[[], Body]:
        BODIES[name], SIZES[name] = make, sizes or ({},)
        return make

    return put


def f32(*shape: Any) -> tuple[str, tuple[Any, ...]]:
    return "float32", shape


# --- without reductions -------------------------------------------------------------------------------------------

_COUNTS = tuple({"n": n} for n in (0, 1, 3, 4, 5, 255, 256, 257, 1023, 5000))
_MATRICES = tuple({"n": n, "m": m} for n in (0, 1, 5, 67) for m in (0, 1, 4, 5, 8, 130))


@body("flat tail", *_COUNTS)
def _flat_tail() -> Body:
    x, y = inputs(f32(N), f32(N))
    return Graph([x, y], [x * y + 1.0, x > y]), "elementwise"


@body("flat mixed widths", *_COUNTS)
def _flat_mixed() -> Body:
    x, y, z = inputs(("int8", (N,)), ("float64", (N,)), ("bool", (N,)))
    chosen = gc.where(z, y, x.astype(gc.float64))
    return Graph([x, y, z], [chosen, chosen > 0.0, x + x, chosen.astype(gc.float32)]), "elementwise"


@body("flat bytes", *_COUNTS)
def _flat_bytes() -> Body:
    x, y = inputs(("uint8", (N,)), ("uint8", (N,)))
    return Graph([x, y], [x * y + x, x == y]), "elementwise"


@body("bias, static", *({"n": n} for n in (0, 1, 7, 300)))
def _bias() -> Body:
    x, b = inputs(f32(N, 784), f32(784))
    return Graph([x, b], [gc.nn.relu(x + b)]), "elementwise"


@body("bias, symbolic", *_MATRICES)
def _bias_symbolic() -> Body:
    x, b, c = inputs(f32(N, M), f32(M), f32(N, 1))
    return Graph([x, b, c], [gc.tanh(x + b) * c]), "elementwise"


@body("odd rows", {"n": 0}, {"n": 1}, {"n": 100})
def _odd_rows() -> Body:
    x, b = inputs(f32(N, 10), f32(10))
    y, c = x * 2.0, b
    return Graph([x, b], [y - c]), "elementwise"


@body("transposed", *_MATRICES)
def _transposed() -> Body:
    x, y = inputs(f32(M, N), f32(N, M))
    return Graph([x, y], [gc.permute_dims(x, (1, 0)) - y]), "elementwise"


@body("transposed matrices", *({"n": n, "m": m} for n in (0, 1, 40) for m in (1, 33)))
def _transposed_matrices() -> Body:
    x, y, b = inputs(("float64", (3, M, N)), ("bool", (3, M, N)), ("float64", (M,)))
    turned = gc.permute_dims(gc.where(y, x, 0.5), (0, 2, 1))
    return Graph([x, y, b], [turned + b, gc.permute_dims(y, (0, 2, 1))]), "elementwise"


@body("slices", *({"n": n} for n in (0, 1, 9)))
def _slices() -> Body:
    (x,) = inputs(f32(N, 24))
    return Graph([x], [x[:, 1:9] + x[:, 8:16] * x[:, ::-3]]), "elementwise"


@body("joined", *_MATRICES)
def _joined() -> Body:
    x, y = inputs(f32(N, M), f32(N, 3))
    padded = gc.pad(gc.concat([x, y], axis=1), ((1, 2), (0, 1)), constant_values=0.5)
    return Graph([x, y], [padded * 2.0]), "elementwise"


@body("reshaped", *({"n": n, "m": m} for n in (0, 2, 12) for m in (1, 6)))
def _reshaped() -> Body:
    x, y = inputs(f32(N, M, 4), f32(M))
    return Graph([x, y], [gc.reshape(gc.permute_dims(x, (1, 0, 2)), (M, N * 4)) + gc.expand_dims(y, 1)]), "elementwise"


@body("gathered rows", *({"n": n, "m": m} for n in (0, 1, 50) for m in (3, 40)))
def _gathered() -> Body:
    table, at = inputs(f32(M, 32), ("int64", (N,)))
    return Graph([table, at], [gc.take(table, at, axis=0) * 2.0]), "elementwise"


@body("gathered columns", *({"n": n, "m": m} for n in (0, 3) for m in (3, 40)))
def _gathered_columns() -> Body:
    table, at = inputs(("float64", (7, M)), ("int32", (N,)))
    return Graph([table, at], [gc.take(table, at, axis=1)]), "elementwise"


@body("one point")
def _one_point() -> Body:
    x, y = inputs(f32(), f32(1))
    return Graph([x, y], [x * x, y + gc.expand_dims(x, 0)]), "elementwise"


@body("sizes as values", {"n": 5, "m": 3}, {"n": 0, "m": 1})
def _sizes() -> Body:
    (x,) = inputs(f32(N, M))
    return Graph([x], [x / gc.dim_value(N * N, gc.float32) + gc.dim_value(M, gc.float32)]), "elementwise"


# --- rows ---------------------------------------------------------------------------------------------------------


def softmax(x: Tensor, axis: int | tuple[int, ...] = -1) -> Tensor:
    powers = gc.exp(x - gc.max(x, axis=axis, keepdims=True))
    return powers / gc.sum(powers, axis=axis, keepdims=True)


def layer_norm(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    centred = x - gc.mean(x, axis=-1, keepdims=True)
    spread = gc.mean(centred * centred, axis=-1, keepdims=True)
    return centred * gc.rsqrt(spread + 1e-5) * scale + shift


def _row_bodies(length: Any, sizes: tuple[dict[str, int], ...]) -> None:
    @body(f"softmax, rows of {length}", *sizes)
    def _softmax() -> Body:
        (x,) = inputs(f32(N, length))
        return Graph([x], [softmax(x)]), "row"

    @body(f"several reductions, rows of {length}", *sizes)
    def _several() -> Body:
        x, y = inputs(f32(N, length), ("int32", (N, length)))
        results = [gc.sum(x * 0.5, axis=1), gc.max(x, axis=1), gc.argmax(x, axis=1), gc.prod(y, axis=1, dtype=gc.int32)]
        return Graph([x, y], [*results, gc.any(y > 2, axis=1), gc.all(x > -9.0, axis=1)]), "reduction"


for _length in (1, 3, 10, 31, 33, 100, 784, 1000, 2049, 9000):
    _row_bodies(_length, tuple({"n": n} for n in _ROWS))
_row_bodies(M, tuple({"n": n, "m": m} for n in (0, 3) for m in _LENGTHS))


@body("layer norm", *({"n": n} for n in _ROWS))
def _layer_norm() -> Body:
    x, scale, shift = inputs(f32(N, 768), f32(768), f32(768))
    return Graph([x, scale, shift], [layer_norm(x, scale, shift)]), "row"


@body("doubles, rows", *({"n": n} for n in _ROWS))
def _doubles() -> Body:
    (x,) = inputs(("float64", (N, 300)))
    return Graph([x], [softmax(x), gc.argmin(x, axis=1)]), "row"


@body("two reduced axes apart", *({"n": n, "m": m} for n in (1, 9) for m in (1, 5, 64)))
def _apart() -> Body:
    (x,) = inputs(f32(N, M, 12))
    return Graph([x], [gc.sum(x, axis=(0, 2)), gc.max(x, axis=(0, 2))]), "reduction"


@body("a row of bias and scale", *({"n": n} for n in _ROWS))
def _broadcast_rows() -> Body:
    x, b, c = inputs(f32(N, 4, 25), f32(25), f32(4, 1))
    return Graph([x, b, c], [gc.sum((x + b) * c, axis=(1, 2))]), "reduction"


@body("an empty row is its identity", *({"n": n, "m": m} for n in (0, 1, 300) for m in (0, 5)))
def _empty() -> Body:
    (x,) = inputs(f32(N, M))
    results = [gc.sum(x, axis=1), gc.prod(x, axis=1), gc.any(x > 0, axis=1), gc.all(x > 0, axis=1)]
    return Graph([x], results), "reduction"


@body("losses of labels", *({"n": n} for n in (0, 1, 40)))
def _losses() -> Body:
    x, label, classes = inputs(f32(N, 10), ("int64", (N,)), ("int64", (10,)))
    shifted = x - gc.max(x, axis=1, keepdims=True)
    picked = gc.sum(gc.where(gc.expand_dims(label, 1) == classes, shifted, 0.0), axis=1)
    return Graph([x, label, classes], [gc.log(gc.sum(gc.exp(shifted), axis=1)) - picked]), "reduction"


@body("gathered and summed", *({"n": n} for n in (1, 20)))
def _gathered_sum() -> Body:
    table, at = inputs(f32(30, 16), ("int64", (N, 5)))
    return Graph([table, at], [gc.sum(gc.take(table, at, axis=0), axis=2)]), "reduction"


# --- columns ------------------------------------------------------------------------------------------------------


def _column_bodies(width: Any, sizes: tuple[dict[str, int], ...]) -> None:
    @body(f"columns, {width} wide", *sizes)
    def _columns() -> Body:
        x, b = inputs(f32(N, width), f32(width))
        return Graph([x, b], [gc.sum(x * b, axis=0), gc.max(x, axis=0), gc.argmin(x, axis=0)]), "reduction"


for _width in (2, 3, 33, 200):
    _column_bodies(_width, tuple({"n": n} for n in (1, 7, 129, 1000, 5000)))
_column_bodies(M, tuple({"n": n, "m": m} for n in (1, 300, 3000) for m in (1, 5, 70)))


@body("more reductions than shared memory has room for", {"n": 1, "m": 3}, {"n": 300, "m": 3}, {"n": 300, "m": 40})
def _many_columns() -> Body:
    (x,) = inputs(("float64", (N, M)))
    sums = [gc.sum(x * float(factor), axis=0) for factor in range(1, 13)]
    return Graph([x], [*sums, *(gc.argmax(x * float(factor), axis=0) for factor in (1, -1, 2, -2, 3))]), "reduction"


@body("short columns", {"m": 1}, {"m": 1000}, {"m": 0})
def _short_columns() -> Body:
    (x,) = inputs(f32(100, M))
    return Graph([x], [gc.sum(x, axis=0), gc.min(x, axis=0)]), "reduction"


@body("softmax over columns", *({"n": n, "m": m} for n in (1, 40, 2100) for m in (1, 35)))
def _softmax_columns() -> Body:
    (x,) = inputs(f32(N, M))
    return Graph([x], [softmax(x, axis=0)]), "row"


@body("the middle of three", *({"n": n, "k": k} for n in (0, 1, 4) for k in (1, 3, 50)))
def _middle() -> Body:
    (x,) = inputs(f32(N, 600, K))
    return Graph([x], [gc.sum(x, axis=1), gc.argmax(x, axis=1)]), "reduction"


# --- few long rows ------------------------------------------------------------------------------------------------

_TOTALS = tuple({"n": n} for n in (0, 1, 5, 1023, 5000, 70001))


@body("total", *_TOTALS)
def _total() -> Body:
    x, y = inputs(f32(N), ("int64", (N,)))
    return Graph([x, y], [gc.mean(x * x), gc.sum(y), gc.any(y > 2)]), "reduction"


@body("position of all", *_TOTALS[1:])
def _position() -> Body:
    (x,) = inputs(("float64", (N,)))
    return Graph([x], [gc.argmax(x), gc.min(x)]), "reduction"


@body("softmax over all", *_TOTALS[1:])
def _softmax_all() -> Body:
    (x,) = inputs(f32(N))
    return Graph([x], [softmax(x, axis=0)]), "row"


@body("softmax over all of a matrix", *({"n": n, "m": m} for n in (1, 90) for m in (3, 200)))
def _softmax_matrix() -> Body:
    x, b = inputs(f32(N, M), f32(M))
    return Graph([x, b], [softmax(x + b, axis=(0, 1))]), "row"


@body("a few long rows")
def _few_long() -> Body:
    (x,) = inputs(f32(3, 40001))
    return Graph([x], [softmax(x), gc.argmax(x, axis=1)]), "row"


@body("a few long aligned rows")
def _few_aligned() -> Body:
    (x,) = inputs(f32(2, 40000))
    return Graph([x], [gc.sum(x, axis=1), gc.max(x, axis=1)]), "reduction"


def arrays(graph: Graph, sizes: dict[str, int], seed: int = 0) -> list[np.ndarray]:
    """Numbers with few digits and ties for the parameters, positions in range for indices; some NaN where n is 33."""
    rng = np.random.default_rng([seed, *sizes.values()])
    found = []
    for node in graph.parameters:
        shape = tuple(dims.evaluate(size, sizes) for size in node.shape)
        kind = node.dtype.numpy
        array = np.asarray(rng.integers(0 if kind.kind == "u" else -3, 4, shape))
        if kind.kind == "f":
            array = np.asarray(rng.integers(-64, 65, shape) / 32)
            if sizes.get("n") == 33 and array.ndim > 1:
                array[rng.random(shape) < 0.01] = np.nan
        found.append((array > 0 if kind.kind == "b" else array).astype(kind))
    return found
