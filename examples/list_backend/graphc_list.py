"""A backend over plain Python lists: it has the core of ops and no more, and graphc makes the rest of them.

A value is a list of numbers in row-major order, with its shape and dtype. `pip install .` here, and then
`graphc conformance list`, or `gc.Session(graph, backend="list")`.
"""

import ctypes
import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import reduce
from typing import Any

import numpy as np

from graphc.errors import OutOfRangeError
from graphc.ir.types import TensorType
from graphc.lowering.stepwise import StepwiseBackend


def offsets(shape: Sequence[int], strides: Iterable[int], start: int = 0) -> list[int]:
    """Where the elements of a strided array stand, in row-major order."""
    found = [start]
    for size, stride in zip(shape, strides, strict=True):
        found = [offset + i * stride for offset in found for i in range(size)]
    return found


class Value:
    def __init__(self, data: list[Any], shape: Sequence[int], dtype: Any) -> None:
        self.data, self.shape, self.dtype = data, tuple(shape), dtype
        self.strides = [math.prod(self.shape[axis + 1 :]) for axis in range(len(self.shape))]

    def spread(self, shape: Sequence[int]) -> list[Any]:
        steps = [stride if size > 1 else 0 for size, stride in zip(self.shape, self.strides, strict=True)]
        return self.strided(shape, [0] * (len(shape) - len(steps)) + steps)

    def strided(self, shape: Sequence[int], strides: Iterable[int], start: int = 0) -> list[Any]:
        return [self.data[offset] for offset in offsets(shape, strides, start)]

    def along(self, axes: Sequence[int]) -> list[int]:
        """Where the elements stand that differ in the index on these axes alone."""
        return offsets([self.shape[axis] for axis in axes], [self.strides[axis] for axis in axes])


def stored(number: Any, dtype: Any) -> Any:
    """A number as that dtype has it: rounded, or modulo its range."""
    if dtype.kind == "f":
        return ctypes.c_float(number).value if dtype.itemsize == 4 else float(number)
    if dtype.kind == "b":
        return bool(number)
    wrapped = int(number) % 2 ** (8 * dtype.itemsize)
    return wrapped - 2 ** (8 * dtype.itemsize) if wrapped > np.iinfo(dtype).max else wrapped


def converted(number: Any, dtype: Any) -> Any:
    """Floats become integers towards zero and within the range; NaN becomes 0."""
    if dtype.kind in "iu" and isinstance(number, float):
        limits = np.iinfo(dtype)
        return 0 if number != number else int(max(min(number, limits.max), limits.min))
    return stored(number, dtype)


def divide(x: float, y: float) -> float:
    if y:
        return x / y
    return math.nan if x == 0 or x != x else math.copysign(math.inf, x) * math.copysign(1, y)


ELEMENTWISE: dict[str, Callable[..., Any]] = {
    "add": operator.add, "multiply": operator.mul, "divide": divide, "negative": operator.neg,
    "floor": lambda x: float(math.floor(x)) if isinstance(x, float) and x and math.isfinite(x) else x,
    "exp": lambda x: math.inf if x > 709.78 else math.exp(x), "equal": operator.eq, "less": operator.lt,
    "log": lambda x: math.log(x) if x > 0 else -math.inf if x == 0 else math.nan,
    "sqrt": lambda x: math.nan if x < 0 else math.sqrt(x), "logical_and": lambda x, y: x and y,
    "logical_not": operator.not_, "where": lambda condition, x, y: x if condition else y,
}  # fmt: skip
FOLDS: dict[str, Callable[[list[Any]], Any]] = {
    "sum": sum,
    "max": lambda row: reduce(lambda x, y: y if x == x and (y > x or y != y) else x, row),
    "argmax": lambda row: next((i for i, x in enumerate(row) if x != x), row.index(max(row))),
}


def concat(parts: Sequence[Value], axis: int) -> list[Any]:
    """Their slices along the axis, in turn, for each index on the axes before it."""
    pairs = [(part.data, math.prod(part.shape[axis:])) for part in parts]
    return [x for i in range(math.prod(parts[0].shape[:axis])) for data, n in pairs for x in data[i * n : (i + 1) * n]]


def pad(x: Value, border: Any, widths: Sequence[Any], shape: Sequence[int]) -> list[Any]:
    result = Value([border] * math.prod(shape), shape, x.dtype)
    start = sum(before * stride for (before, _), stride in zip(widths, result.strides, strict=True))
    for offset, number in zip(offsets(x.shape, result.strides, start), x.data, strict=True):
        result.data[offset] = number
    return result.data


def gathered(x: Value, indices: list[int], axis: int, count: int) -> list[int]:
    """Where the elements stand in x that `take` gives, if it gives any."""
    size, inner = x.shape[axis], math.prod(x.shape[axis + 1 :])
    if count and not all(-size <= i < size for i in indices):
        raise OutOfRangeError("an index is out of range", expected=f"from {-size} to {size - 1}", got=str(indices))
    rows = [o * size + i % size for o in range(math.prod(x.shape[:axis])) for i in indices] if count else []
    return [row * inner + k for row in rows for k in range(inner)]


def scatter_add(x: Value, indices: Value, values: Value, axis: int) -> list[Any]:
    data = list(x.data)
    for offset, number in zip(gathered(x, indices.data, axis, len(values.data)), values.data, strict=True):
        data[offset] = stored(data[offset] + number, x.dtype)
    return data


def elements(op: str, inputs: Sequence[Value], attrs: Mapping[str, Any], shape: Any, dtype: Any) -> list[Any]:
    x, axis = inputs[0], attrs.get("axis", 0)
    if op in ELEMENTWISE:
        return [stored(n, dtype) for n in map(ELEMENTWISE[op], *[value.spread(shape) for value in inputs])]
    if op in FOLDS:
        axes = axis if isinstance(axis, tuple) else (axis,)
        starts, rows = x.along([a for a in range(len(x.shape)) if a not in axes]), x.along(axes)
        return [stored(FOLDS[op]([x.data[start + at] for at in rows]), dtype) for start in starts]
    if op == "slice":
        steps, starts = (list(map(operator.mul, attrs[name], x.strides)) for name in ("steps", "starts"))
        return x.strided(shape, steps, sum(starts))
    moves: dict[str, Callable[[], list[Any]]] = {
        "astype": lambda: [converted(number, dtype) for number in x.data],
        "broadcast_to": lambda: x.spread(shape),
        "concat": lambda: concat(inputs, axis),
        "pad": lambda: pad(x, inputs[1].data[0], attrs["pad_width"], shape),
        "permute_dims": lambda: x.strided(shape, [x.strides[axis] for axis in attrs["axes"]]),
        "reshape": lambda: x.data,
        "scatter_add": lambda: scatter_add(x, inputs[1], inputs[2], axis),
        "take": lambda: [x.data[at] for at in gathered(x, inputs[1].data, axis, math.prod(shape))],
    }
    return moves[op]()


class ListBackend(StepwiseBackend):
    name, reason = "list", "Python's own numbers"

    def from_array(self, array: np.ndarray) -> Value:
        return Value(array.ravel().tolist(), array.shape, array.dtype)

    def to_array(self, value: Value) -> np.ndarray:
        return np.array(value.data, value.dtype).reshape(value.shape)

    def compute(self, op: str, inputs: Sequence[Value], attrs: Mapping[str, Any], kind: TensorType) -> Value:
        shape: Any = kind.shape
        return Value(elements(op, inputs, attrs, shape, kind.dtype.numpy), shape, kind.dtype.numpy)
