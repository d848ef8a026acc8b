"""Rows of what moves elements."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from graphc.conformance.table import ALL, FLOATS, INTS, D, E, Row, S, inf, layout, nan
from graphc.errors import GraphcError, ShapeError
from graphc.ir.opdef import FUNCTIONS


def out_of_range() -> Iterator[E]:
    """Floats that no integer of a dtype is: the nearest limit, and 0 for NaN."""
    floats = [-inf, inf, nan, -1e30, 1e30, 200.75, -1.5, -0.5, -129, 2.0**31, -(2.0**31), 2.0**63]
    for kind in INTS:
        low, high = int(np.iinfo(kind).min), int(np.iinfo(kind).max)
        wanted = [min(max(int(number), low), high) for number in floats[3:]]
        for dtype in FLOATS:
            exact = np.array([low, high, 0, *wanted], kind)
            yield E([floats], exact, dtype, gives=kind, **{"dtype": kind})


ROWS = (
    Row("astype", tuple(S((2, 3), dtype=dtype) for dtype in ALL), lambda x, dtype: x.astype(dtype),
        (E([[1.9, -1.9, -0.0]], [1, -1, 0], gives="int32", dtype="int32"),
         E([[nan, 0.0, -0.0, 0.5]], [True, False, False, True], gives="bool", dtype="bool"),
         E([[300, -1]], [44, 255], "int64", gives="uint8", dtype="uint8"),
         E([[1e300, -1e-300]], [inf, -0.0], "float64", gives="float32", dtype="float32"),
         E([[2**24 + 1]], [2**24], "int64", gives="float32", dtype="float32"),
         E([[True]], [1.0], "bool", gives="float64", dtype="float64"), *out_of_range()), dtypes=ALL, domains=(D(0, 4),),
        gradient=(0,), call=lambda x, dtype: FUNCTIONS["astype"](x, dtype), result=lambda dtype: None),
    layout("reshape", np.reshape,
           (S((2, 3), shape=(3, 2)), S((2, 3), shape=-1), S((2, 0), shape=(0, 5)), S((1,), shape=()),
            S((), shape=(1, 1)), S((4, 3), shape=(2, -1, 3))), E([[1, 2, 3]], ShapeError, shape=(2, 2)),
           E([[1, 2, 3]], ShapeError, shape=(2, -1)), E([[]], ShapeError, shape=(0, -1))),
    layout("permute_dims", lambda x, axes=None: np.transpose(x, axes),
           (S((2, 3, 4)), S((2, 3, 4), axes=(1, 2, 0)), S((2, 3), axes=(-1, 0)), S(()),
            S((0, 2), axes=(1, 0))), E([[[1, 2]]], ShapeError, axes=(0, 0)),
           E([[[1, 2]]], ShapeError, axes=(0, 2))),
    layout("matrix_transpose", lambda x: np.swapaxes(x, -1, -2), (S((2, 3)), S((2, 3, 4)), S((0, 2))),
           E([[1]], ShapeError)),
    layout("broadcast_to", np.broadcast_to,
           (S((3,), shape=(2, 3)), S((), shape=(2, 2)), S((2, 1), shape=(4, 2, 3)), S((1,), shape=(0,)),
            S((3,), shape=(3,))), E([[1, 2]], ShapeError, shape=(3,)), E([[1]], ShapeError, shape=())),
    layout("expand_dims", np.expand_dims,
           (S((3,), axis=0), S((3,), axis=-1), S((), axis=(0, 1)), S((2, 3), axis=(0, -1)), S((0,), axis=1)),
           E([[1]], ShapeError, axis=2), E([[1]], ShapeError, axis=(0, 0))),
    layout("squeeze", np.squeeze,
           (S((1, 3), axis=0), S((3, 1), axis=-1), S((1, 1), axis=(0, 1)), S((0, 1), axis=1)),
           E([[1, 2]], ShapeError, axis=0)),
    layout("concat",
           lambda *x, axis=0: np.concatenate([a.ravel() for a in x] if axis is None else x, axis=axis),
           (S((2,), (3,)), S((2, 1), (2, 3), axis=1), S((2, 2), (1, 2), (0, 2), axis=-2),
            S((2,), (2, 2), axis=None), S((2,))), E([[1, 2], [[1, 2]]], ShapeError),
           E([[[1, 2]], [[1]]], ShapeError), E([1.0, 2.0], ShapeError), call=lambda *x,
           **kw: FUNCTIONS["concat"](x, **kw), gradient=(0, 1)),
    layout("stack", lambda *x, axis=0: np.stack(x, axis),
           (S((2,), (2,)), S((2, 3), (2, 3), axis=1), S((), (), axis=-1), S((0,), (0,), axis=-1)),
           E([[1, 2], [1]], ShapeError), call=lambda *x, **kw: FUNCTIONS["stack"](x, **kw), gradient=(0, 1)),
    layout("pad", lambda x, value=0, *, pad_width, mode="constant":
           np.pad(x, pad_width, constant_values=value) if mode == "constant" else np.pad(x, pad_width, mode),
           (S((3,), (), pad_width=1), S((2, 3), (), pad_width=(1, 2)),
            S((2, 3), (), pad_width=((0, 1), (2, 0))), S((0,), (), pad_width=1), S((2,), pad_width=0),
            S((3,), pad_width=2, mode="reflect"), S((2, 3), pad_width=((0, 0), (4, 7)), mode="reflect"),
            S((2, 3), pad_width=((0, 0), (5, 8)), mode="symmetric"), S((1,), pad_width=2, mode="reflect"),
            S((2, 3), pad_width=((1, 2), (0, 0)), mode="edge"), S((3,), pad_width=(4, 5), mode="wrap")),
           E([[1, 2], nan], [nan, 1, 2, nan], pad_width=1), E([[1]], GraphcError, pad_width=-1),
           E([[1]], GraphcError, pad_width=((1, 1), (1, 1))),
           E([[1]], GraphcError, pad_width=1, mode="mirror"), E([[]], ShapeError, pad_width=1, mode="edge"),
           E([np.ones((0, 2))], np.ones((0, 4)), pad_width=((0, 0), (1, 1)), mode="wrap"),
           call=lambda x, value=0, *, pad_width, mode="constant":
           FUNCTIONS["pad"](x, pad_width, mode, constant_values=value), gradient=(0, 1)),

)  # fmt: skip
