"""Rows of what is found in data, and of sets."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.conformance.rows.sorting import joined, joined_arrays
from graphc.conformance.table import AXES, EMPTY, E, Row, S, inf, nan, one_of
from graphc.errors import ArgumentError, OutOfRangeError, ShapeError
from graphc.ir.opdef import FUNCTIONS
from graphc.ir.tensor import Tensor

_KINDS = ("float32", "int8", "bool")


def search(x1: Any, x2: Any, side: str = "left") -> Any:
    """How many elements are less, or not greater."""
    before = np.less if side == "left" else np.less_equal
    return np.count_nonzero(before(x1, x2[..., None]), axis=-1)


def _in_sorted(x1: Tensor, x2: Tensor, **kwargs: Any) -> Tensor:
    ordered = x1 if kwargs.keys() & {"sorter", "as_it_is"} else FUNCTIONS["sort"](x1)
    kwargs.pop("as_it_is", None)
    return FUNCTIONS["searchsorted"](ordered, x2, **kwargs)  # type: ignore[no-any-return]


def _sized(values: Any, size: int, fill_value: Any) -> Any:
    """The first of some values, filled up."""
    kept = np.asarray(values)[:size]
    return np.concatenate([kept, np.full(size - len(kept), fill_value, kept.dtype)])


def nonzero(x: Any, size: int, fill_value: Any = 0) -> Any:
    fills = fill_value if isinstance(fill_value, list) else [fill_value] * x.ndim
    found = [_sized(index, size, fill) for index, fill in zip(np.nonzero(x), fills, strict=True)]
    return joined_arrays(found, np.int64)


def unique(*names: str) -> Any:
    """An oracle for the function that gives these."""

    def oracle(x: Any, size: int, fill_value: Any = 0) -> Any:
        found = np.unique_all(x.reshape(-1))
        parts = {
            "values": _sized(found.values, size, fill_value),
            "indices": _sized(found.indices, size, 0),
            "inverse": found.inverse_indices,
            "counts": _sized(found.counts, size, 0),
        }
        return joined_arrays([parts[name] for name in names], x.dtype)

    return oracle


_DISTINCT = (
    S((7,), size=4), S((2, 3), size=8, fill_value=1), S((0,), size=2), S((3,), size=0),
)  # fmt: skip


def _unique(name: str, parts: tuple[str, ...], *edges: E) -> Row:
    def call(x: Tensor, **kwargs: Any) -> Tensor:
        found = FUNCTIONS[name](x, **kwargs)
        return found if isinstance(found, Tensor) else joined(found)

    every = len(parts) == 4
    return Row(
        name, _DISTINCT if every else _DISTINCT[:2], unique(*parts), (*edges, E([[1]], ArgumentError)),
        dtypes=("float32", "int8", "bool") if every else ("float32",), gradient=(0,), call=call,
    )  # fmt: skip


ROWS = (
    Row("searchsorted", (S((5,), (3,)), S((4,), (2, 3), side="right"), S((0,), (2,)), S((3,), ()), S((40,), (7,))),
        search,
        (E([[0.0, 1, nan, nan], [nan, 1, -inf, inf]], [2, 1, 0, 2]),
         E([[0.0, 1, nan, nan], [nan, 1, -inf, inf]], [4, 2, 0, 2], side="right"),
         E([[-0.0, 0.0], [0.0, -0.0]], [0, 0]), E([[-0.0, 0.0], [0.0, -0.0]], [2, 2], side="right"),
         E([[3, 1, 2], [2]], [1], sorter=np.array([1, 2, 0])),
         E([[3, 1], [2]], OutOfRangeError, sorter=np.array([1, 2])),
         E([[[1.0]], [2]], ShapeError, as_it_is=True), E([[1.0], [2]], ArgumentError, side="middle")),
        dtypes=("float32", "uint64", "bool"),
        result=lambda dtype: "int64", call=_in_sorted),
    Row("isin", (S((5,), (3,)), S((2, 3), (2, 2)), S((2,), (0,)), S((), (3,), invert=True), S((0,), (2,))), np.isin,
        (E([[0.0, nan, 1, inf], [nan, -0.0, inf]], [True, False, False, True]),
         E([[nan, 1], [nan]], [True, True], invert=True)), dtypes=_KINDS, result=lambda dtype: "bool"),
    Row("count_nonzero", AXES[:5] + EMPTY[:2], np.count_nonzero,
        (E([[0.0, -0.0, nan, 2]], 2), E([[True, False, True]], 2, "bool")), dtypes=("float32", "int8"),
        result=lambda dtype: "int64"),
    Row("nonzero", (S((7,), size=3), S((3, 4), size=13, fill_value=-1), S((2, 2, 2), size=3, fill_value=[7, 8, 9]),
                    S((0,), size=2), S((3,), size=0), S((2, 0), size=1)), nonzero,
        (E([[0.0, nan, -0.0, 5]], [1, 3, 0], size=3), E([[1.0]], ArgumentError), E([1.0], ShapeError, size=1),
         E([[1.0]], ArgumentError, size=1, fill_value=[1, 2])), dtypes=("int8", "float32", "bool"),
        result=lambda dtype: "int64", call=lambda x, **kw: joined(FUNCTIONS["nonzero"](x, **kw))),
    Row("true_positions", (S((7,), size=3), S((5,), size=9), S((0,), size=2), S((3,), size=0)),
        lambda x, size: _sized(np.nonzero(x)[0], size, len(x)), (E([[False, True]], [1, 2, 2], size=3),),
        dtypes=("bool",), result=lambda dtype: "int64", call=one_of("true_positions", None)),
    Row("argwhere", (S((3, 4), size=6), S((3,), size=5, fill_value=-1)),
        lambda x, size, fill_value=0: nonzero(x, size, fill_value).reshape(x.ndim, size).T,
        (E([[1.0]], ArgumentError), E([[[0.0, 1], [1, 0]]], [[0, 1], [1, 0], [-1, -1]], size=3, fill_value=-1)),
        dtypes=("int8", "bool"), result=lambda dtype: "int64"),
    _unique("unique_values", ("values",), E([[0.0, -0.0, nan, 1, nan]], [0.0, 1, nan, nan, 7], size=5, fill_value=7),
            E([[-0.0, 0.0]], [-0.0], size=1), E([[3, 3, 1]], [1, 3, 9], "uint8", size=3, fill_value=9)),
    _unique("unique_counts", ("values", "counts"), E([[nan, 2, nan, 2]], [2, nan, nan, 0, 2, 1, 1, 0], size=4)),
    _unique("unique_inverse", ("values", "inverse"), E([[nan, 2, nan, 1]], [1, 2, nan, nan, 2, 1, 3, 0], size=4)),
    _unique("unique_all", ("values", "indices", "inverse", "counts"),
            E([[5, 3, 5]], [3, 1, 1, 0, 1, 1], size=1), E([[nan, 0.0]], [0.0, nan, 1, 0, 1, 0, 1, 1], size=2)),
)  # fmt: skip
