"""Rows of reading and writing parts of a tensor."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.conformance.table import INTS, MAX8, MIN8, NUMBERS, D, E, Row, S, layout, nan
from graphc.errors import DTypeError, GraphcError, OutOfRangeError, ShapeError
from graphc.ir.opdef import FUNCTIONS
from graphc.ops.indexing import slice_update

_index = D(-2, 2, "int64")


def scatter_add(x: Any, indices: Any, values: Any, axis: Any = 0) -> Any:
    result = np.moveaxis(x.copy(), axis, 0)
    shape = x.shape[:axis] + indices.shape + x.shape[axis + 1 :]
    values = np.moveaxis(np.broadcast_to(values, shape), range(axis, axis + indices.ndim), range(indices.ndim))
    for place in np.ndindex(indices.shape):
        result[indices[place]] += values[place]
    return np.moveaxis(result, 0, axis)


def replace_slice(x: Any, part: Any, starts: Any, lengths: Any, steps: Any) -> Any:
    result = x.copy()
    for place in np.ndindex(part.shape):
        result[tuple(s + p * k for s, p, k in zip(starts, place, steps, strict=True))] = part[place]
    return result


ROWS = (
    layout("getitem", lambda x, index: x[index],
           (S((5,), index=slice(1, 4)), S((5,), index=slice(None, None, -2)), S((5,), index=-1),
            S((2, 3), index=(slice(None), 0)), S((2, 3), index=(..., None, 1)),
            S((5,), index=slice(-100, 100)), S((5,), index=slice(3, 1)), S((5,), index=slice(4, None, -3)),
            S((2, 3, 4), index=(1, ..., slice(0, 4, 2))), S((0, 2), index=slice(0, 5)), S((3,), index=None),
            S((), index=())), E([[1, 2]], OutOfRangeError, index=2), E([[1, 2]], OutOfRangeError, index=-3),
           E([[1, 2]], OutOfRangeError, index=(0, 0)), E([[1, 2]], GraphcError, index=True),
           E([[1, 2]], GraphcError, index=slice(0, 2, 0)),
           E([[-0.0, nan]], [nan, -0.0], index=slice(None, None, -1)), covers=("slice",)),
    layout("slice_update", replace_slice,
           (S((5,), (2,), starts=(1,), lengths=(2,), steps=(2,)),
            S((2, 3), (2, 1), starts=(0, 2), lengths=(2, 1), steps=(1, 1)),
            S((4,), (3,), starts=(3,), lengths=(3,), steps=(-1,)),
            S((3,), (0,), starts=(0,), lengths=(0,), steps=(1,))),
           E([[1, 2], [3, 4]], ShapeError, starts=(0,), lengths=(1,), steps=(1,)), call=slice_update,
           gradient=(0, 1)),
    layout("take", lambda x, i, axis=None: np.take(x, i, axis),
           (S((3,), (2,)), S((4, 2), (2, 3), axis=0), S((2, 3), (), axis=-1), S((3, 2), (0,), axis=1)),
           E([[1, 2, 3], [-1, -3, 0]], [3, 1, 1]), E([[1, 2], [2]], OutOfRangeError),
           E([[1, 2], [-3]], OutOfRangeError), E([[], [0]], OutOfRangeError), E([[[1, 2]], [0]], GraphcError),
           E([[], np.ones((0, 2))], np.ones((0, 2))), E([np.ones((0, 3)), [5]], np.ones((0, 1)), axis=1),
           E([np.ones((3, 0)), [5]], np.ones((1, 0)), axis=0), E([np.ones((3, 0)), [0]], OutOfRangeError, axis=1),
           domains=(D(), _index)),
    Row("scatter_add",
        (S((4,), (3,), (3,)), S((3, 2), (2,), (2, 2)), S((2, 3), (), (2,), axis=1), S((3, 2), (4,), ()),
         S((3,), (0,), (0,)), S((2, 3), (2, 2), (2, 2, 2), axis=-1)),
        lambda x, i, v, axis=0: scatter_add(x, i, v, axis % x.ndim),
        (E([[0, 0, 0], [1, 1, -1], [1, 2, 4]], [0, 3, 4]), E([[0], [1], [1]], OutOfRangeError),
         E([[0], [-2], [1]], OutOfRangeError), E([[MAX8], [0], [1]], [MIN8], "int8"),
         E([np.ones((0, 3)), [5], np.ones((0, 1))], np.ones((0, 3)), axis=1)), dtypes=NUMBERS,
        domains=(D(), _index, D()), tolerance="sum", gradient=(0, 2)),
    Row("one_hot", (S((3,), depth=3), S((2, 2), depth=2), S((), depth=4), S((0,), depth=2), S((2,), depth=0)),
        lambda i, depth: i[..., None] == np.arange(depth),
        (E([[-1, 3, 1]], [[0, 0, 0], [0, 0, 0], [0, 1, 0]], "int64", depth=3),
         E([[-1]], [[0] * 300], "int8", depth=300), E([[255]], [[0] * 255 + [1]], "uint8", depth=256),
         E([[1]], [[False, True]], "int32", gives="bool", depth=2, dtype="bool"),
         E([[1.0]], DTypeError, "float32", depth=2)), dtypes=INTS, result=lambda dtype: "float32",
        domains=(D(0, 4),), call=lambda i, depth, **kw: FUNCTIONS["one_hot"](i, depth, **kw)),
)  # fmt: skip
