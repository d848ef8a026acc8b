"""Rows of reading and writing parts of a tensor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.conformance.table import (
    COMPLEX,
    FLOATS,
    INTS,
    MAX8,
    MIN8,
    MOVED,
    NUMBERS,
    D,
    E,
    Row,
    S,
    layout,
    nan,
    one_of,
)
from graphc.errors import DTypeError, GraphcError, OutOfRangeError, ShapeError
from graphc.ir.opdef import FUNCTIONS
from graphc.ops.slicing import slice_update

_index = D(-2, 2, "int64")
_SOME = (*FLOATS, "int8", "int64", "uint8")  # XLA compiles updates slowly


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


def scatter(update: Any) -> Any:
    """A loop in row-major order of the indices: `update` of what is there and what comes."""

    def oracle(x: Any, indices: Any, values: Any, axis: Any = 0) -> Any:
        result = np.moveaxis(x.copy(), axis, 0)
        values = np.moveaxis(values, range(axis, axis + indices.ndim), range(indices.ndim))
        for place in np.ndindex(indices.shape):
            result[indices[place]] = update(result[indices[place]], values[place])
        return np.moveaxis(result, 0, axis)

    return oracle


def take_last(x: Any, indices: Any, axis: Any) -> Any:
    taken = np.moveaxis(np.take(x, indices, axis), range(axis, axis + indices.ndim), range(indices.ndim))
    flat = [int(i) % x.shape[axis] for i in indices.ravel()]
    for number, place in enumerate(np.ndindex(indices.shape)):
        if flat[number] in flat[number + 1 :]:
            taken[place] = 0
    return np.moveaxis(taken, range(indices.ndim), range(axis, axis + indices.ndim))


def add_along_axis(x: Any, indices: Any, values: Any, axis: Any) -> Any:
    result = x.copy()
    for place in np.ndindex(indices.shape):
        result[(*place[:axis], indices[place], *place[axis + 1 :])] += values[place]
    return result


FORMS: dict[str, Callable[..., Any]] = {
    "i": lambda *i: i[0],
    "i, j": lambda *i: i,
    ":, i": lambda *i: (slice(None), *i),
    "i, :, j": lambda *i: (i[0], slice(None), i[1]),
    ":, i, :, j": lambda *i: (slice(None), i[0], slice(None), i[1]),
    "0, :, i": lambda *i: (0, slice(None), *i),
    "1:, None, i, 1": lambda *i: (slice(1, None), None, i[0], 1),
    "::-1, i, j": lambda *i: (slice(None, None, -1), *i),
    "i, ..., [1, -1]": lambda *i: (i[0], ..., [1, -1]),
    ":, mask": lambda *i: (slice(None), np.array([True, False, True])),
}
"""Indices that hold tensors, as one writes them."""


def read(x: Any, *indices: Any, form: str) -> Any:
    return x[FORMS[form](*indices)]


def updated_at(x: Any, value: Any, *indices: Any, form: str, how: str) -> Any:
    """NumPy's answer on arrays; `x.at` on tensors."""
    index = FORMS[form](*indices)
    if not isinstance(x, np.ndarray):
        return getattr(x.at[index], how)(value)
    result = x.copy()
    if how == "set":
        result[index] = value
    else:
        {"add": np.add, "multiply": np.multiply, "min": np.minimum, "max": np.maximum}[how].at(result, index, value)
    return result


_SCATTERED = (
    S((4,), (3,), (3,), axis=0), S((3, 2), (2,), (2, 2), axis=0), S((2, 3), (2, 2), (2, 2, 2), axis=1),
    S((2, 3), (), (2,), axis=1), S((3,), (0,), (0,), axis=0), S((2, 3, 2), (5,), (2, 5, 2), axis=1),
)  # fmt: skip


def scattering(name: str, oracle: Any, *edges: E, **options: Any) -> Row:
    """An update at positions along an axis."""
    wrong = (E([[0], [1], [1]], OutOfRangeError, axis=0), E([[0], [-2], [1]], OutOfRangeError, axis=0),
             E([np.ones((0, 3)), [5], np.ones((0, 1))], np.ones((0, 3)), axis=1))  # fmt: skip
    usual: dict[str, Any] = {"dtypes": _SOME, "domains": (D(), _index, D()), "gradient": (0, 2)}
    return Row(name, _SCATTERED, scatter(oracle), (*wrong, *edges), call=one_of(name, None), **(usual | options))


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
        domains=(D(), _index, D()), tolerance="sum", gradient=(0, 2), also=COMPLEX),
    layout("take_along_axis", np.take_along_axis,
           (S((2, 3), (2, 2), axis=1), S((4,), (3,), axis=-1), S((3, 2), (4, 2), axis=0),
            S((2, 3, 2), (1, 2, 2), axis=1), S((1, 3), (2, 2), axis=1), S((2, 3), (2, 0), axis=-1)),
           E([[[1, 2], [3, 4]], [[1], [-2]]], [[2], [3]]), E([[1, 2], [2]], OutOfRangeError),
           E([[1, 2], [-3]], OutOfRangeError), E([[], [0]], OutOfRangeError), E([[[1, 2]], [0]], ShapeError),
           E([[[1, 2], [3, 4]], [[0], [0], [0]]], ShapeError), E([[-0.0, nan], [1, 0]], [nan, -0.0]),
           E([np.ones((0, 3)), np.full((0, 1), 5)], np.ones((0, 1))), domains=(D(), _index)),
    Row("add_along_axis",
        (S((2, 3), (2, 2), (2, 2), axis=1), S((4,), (3,), (3,), axis=0), S((2, 4, 2), (2, 5, 2), (2, 5, 2), axis=1),
         S((3, 2), (0, 2), (0, 2), axis=0)), add_along_axis,
        (E([[0, 0, 0], [1, 1, -1], [1, 2, 4]], [0, 3, 4], axis=0), E([[0], [1], [1]], OutOfRangeError, axis=0),
         E([[MAX8], [0], [1]], [MIN8], "int8", axis=0)), dtypes=_SOME, domains=(D(), _index, D()), tolerance="sum",
        also=COMPLEX, gradient=(0, 2), call=one_of("add_along_axis", None)),
    layout("positions", read,
           (S((3, 4), (2,), (2,), form="i, j"), S((2, 3, 4), (2, 1), (3,), form=":, i"), S((2, 3, 2), (3,), form="i"),
            S((2, 2, 3), (2,), (), form="i, :, j"), S((2, 3, 2, 4), (2,), (2, 2), form=":, i, :, j"),
            S((2, 3, 2), (2, 2), form="0, :, i"), S((3, 2, 2), (2,), form="1:, None, i, 1"),
            S((2, 2, 3), (0,), (1,), form="::-1, i, j"), S((2, 3, 4), (2,), form="i, ..., [1, -1]"),
            S((2, 3), form=":, mask")),
           E([np.arange(6).reshape(2, 3), [1, -2], [-1, 0]], [5, 0], form="i, j"),
           E([np.ones((2, 3)), [0, 2], [0, 0]], OutOfRangeError, form="i, j"),
           E([np.ones((2, 3)), [0], [-4]], OutOfRangeError, form="i, j"),
           E([np.ones((2, 3)), [[0]], [0, 3]], OutOfRangeError, form="i, j"),
           E([np.ones((2, 3, 0)), [7], [9]], np.ones((1, 0)), form="i, j"),
           E([np.ones((2, 3)), [1, 0], [1, 0, 1]], ShapeError, form="i, j"),
           E([np.ones((2, 2))], ShapeError, form=":, mask"),
           E([np.ones((2, 2)), [0], [0], [0]], GraphcError, form="i, j"),
           dtypes=(*_SOME, "bool"), domains=(D(), _index, _index, _index), call=read),
    scattering("scatter_set", lambda old, new: new, E([[0, 0], [1, -1, 1], [1, 2, 4]], [0, 4], axis=0),
               E([[1], [0], [nan]], [nan], axis=0), dtypes=(*_SOME, "bool"), also=MOVED),
    scattering("scatter_multiply", np.multiply, E([[2, 3], [1, -1], [5, 7]], [2, 105], axis=0),
               E([[MAX8], [0], [2]], [-2], "int8", axis=0), tolerance="sum", also=COMPLEX),
    scattering("scatter_min", np.minimum, E([[2, 3], [1, -1], [5, 1]], [2, 1], axis=0),
               E([[1, 1], [0], [nan]], [nan, 1], axis=0)),
    scattering("scatter_max", np.maximum, E([[2, 3], [1, -1], [5, 1]], [2, 5], axis=0),
               E([[nan, 1], [0], [3]], [nan, 1], axis=0)),
    layout("take_last", take_last,
           (S((3,), (4,), axis=0), S((4, 2), (2, 3), axis=0), S((2, 3), (), axis=1), S((3, 2), (0,), axis=1)),
           E([[5, 6], [1, -1, 0]], [0, 6, 5], axis=0), E([[1], [1]], OutOfRangeError, axis=0),
           domains=(D(), _index), call=one_of("take_last", None)),
    Row("update_at",
        (S((3, 4), (2,), (2,), (2,), form="i, j", how="add"), S((3, 2), (), (4,), form="i", how="set"),
         S((2, 3, 2, 4), (2, 2, 2), (2,), (2,), form=":, i, :, j", how="max"),
         S((3, 2, 2), (2,), (2,), form="1:, None, i, 1", how="min"), S((2, 3), (2, 1), form=":, mask", how="multiply"),
         S((2, 2, 3), (2, 1), (1,), (1,), form="::-1, i, j", how="set")), updated_at,
        (E([[0, 0, 0], [1, 2, 4], [1, -2, 1]], [0, 7, 0], form="i", how="add"),
         E([[0, 0, 0], [1, 2, 4], [1, -2, 1]], [0, 4, 0], form="i", how="set"),
         E([[0, 0], 1, [2]], OutOfRangeError, form="i", how="set"),
         E([[0, 0], [1, 2, 3], [0, 1]], ShapeError, form="i", how="set")), dtypes=_SOME,
        domains=(D(), D(), _index, _index), tolerance="sum", gradient=(0, 1), call=updated_at),
    Row("one_hot", (S((3,), depth=3), S((2, 2), depth=2), S((), depth=4), S((0,), depth=2), S((2,), depth=0)),
        lambda i, depth: i[..., None] == np.arange(depth),
        (E([[-1, 3, 1]], [[0, 0, 0], [0, 0, 0], [0, 1, 0]], "int64", depth=3),
         E([[-1]], [[0] * 300], "int8", depth=300), E([[255]], [[0] * 255 + [1]], "uint8", depth=256),
         E([[1]], [[False, True]], "int32", gives="bool", depth=2, dtype="bool"),
         E([[1.0]], DTypeError, "float32", depth=2)), dtypes=INTS, result=lambda dtype: "float32",
        domains=(D(0, 4),), call=lambda i, depth, **kw: FUNCTIONS["one_hot"](i, depth, **kw)),
)  # fmt: skip
