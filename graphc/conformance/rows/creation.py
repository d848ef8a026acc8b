"""Rows of numbers at even distances, grids and triangles, and of what other libraries hold."""

from __future__ import annotations

import numpy as np

from graphc.conformance.table import ONE, E, S, inf, layout, made, nan
from graphc.errors import ArgumentError, DTypeError, GraphcError, ShapeError
from graphc.ir.opdef import FUNCTIONS

_TRIANGLES = (S((3, 3)), S((2, 3), k=1), S((3, 2), k=-1), S((2, 2, 3)), S((2, 0)), S((2, 2), k=5))

ROWS = (
    made("empty", (S(shape=(2, 3)), S(shape=0)), np.zeros, E([], [0, 0], gives="int8", shape=2, dtype="int8"),
         dtypes=("float32",)),
    layout("empty_like", np.zeros_like, ONE[:4], gradient=()),
    made("linspace",
         (S(start=0, stop=1, num=5), S(start=2.5, stop=-1, num=4, endpoint=False), S(start=1, stop=2, num=0),
          S(start=0.1, stop=0.7, num=7)), np.linspace, E([], [3], gives="float32", start=3, stop=9, num=1),
         E([], [0, 2, 5], gives="int64", start=0, stop=5, num=3, dtype="int64"),
         E([], [-1, -1, 0], gives="int8", start=-1, stop=0, num=3, dtype="int8"),
         E([], [0, 0.5], gives="float64", start=0, stop=1, num=2, endpoint=False, dtype="float64"),
         E([], [nan, inf, inf], gives="float32", start=0, stop=inf, num=3),
         E([], ArgumentError, start=0, stop=1, num=-1), E([], ArgumentError, start=0, stop=1, num=2.0),
         E([], ArgumentError, start="0", stop=1, num=2),
         E([], DTypeError, start=0, stop=300, num=2, dtype="int8"), E([], DTypeError, start=0, stop=1e39, num=2),
         dtypes=("float32",), call=lambda start, stop, num, **kw: FUNCTIONS["linspace"](start, stop, num, **kw)),
    layout("meshgrid", lambda *x, indexing="xy": np.stack(np.meshgrid(*x, indexing=indexing)),
           (S((2,), (3,)), S((2,), (3,), indexing="ij"), S((2,), (3,), (2,)), S((3,)), S((), (2,)), S((0,), (2,))),
           E([[1, 2], [3]], ArgumentError, indexing="yx"), E([[[1, 2]]], ShapeError), gradient=(0, 1, 2),
           call=lambda *x, **kw: FUNCTIONS["stack"](FUNCTIONS["meshgrid"](*x, **kw))),
    layout("tril", np.tril, _TRIANGLES, E([[[nan, inf], [inf, nan]]], [[nan, 0], [inf, nan]]), E([[1, 2]], ShapeError)),
    layout("triu", np.triu, _TRIANGLES, E([[[nan, inf], [inf, nan]]], [[nan, inf], [0, nan]]), E([[1, 2]], ShapeError)),
    made("from_dlpack", (), None, E([], [1, 2.5], gives="float64", x=np.array([1, 2.5])),
         E([], [[1], [2]], gives="int8", x=np.array([[1, 5], [2, 5]], "int8")[:, :1]), E([], GraphcError, x=[1, 2]),
         call=lambda x: FUNCTIONS["from_dlpack"](x)),
)  # fmt: skip
