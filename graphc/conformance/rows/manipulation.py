"""Rows of what is moved, repeated and joined by slices, new shapes and gathers."""

from __future__ import annotations

import numpy as np

from graphc.conformance.table import NUMBERS, E, Row, S, layout, nan
from graphc.errors import ArgumentError, DTypeError, GraphcError, ShapeError
from graphc.ir.opdef import FUNCTIONS

_NO_TENSOR = "gives no tensor: the tests of the array API"

ROWS = (
    layout("flip", lambda x, axis=None: np.flip(x, axis),
           (S((5,)), S((2, 3)), S((2, 3), axis=0), S((2, 3, 2), axis=(-1, 0)), S((0, 2), axis=0), S(())),
           E([[-0.0, nan]], [nan, -0.0]), E([[1]], ShapeError, axis=1), E([[[1]]], ShapeError, axis=(0, -2))),
    layout("moveaxis", np.moveaxis,
           (S((2, 3, 4), source=0, destination=-1), S((2, 3, 4), source=(0, 1), destination=(-1, 0)),
            S((2, 3), source=1, destination=1), S((0, 2, 3), source=(2, 0), destination=(0, 1))),
           E([[[1, 2]]], ArgumentError, source=(0, 1), destination=0),
           E([[[1, 2]]], ShapeError, source=(0, -2), destination=(0, 1)),
           E([[[1, 2]]], ShapeError, source=0, destination=2), call=lambda x, source,
           destination: FUNCTIONS["moveaxis"](x, source, destination)),
    layout("swapaxes", np.swapaxes,
           (S((2, 3, 4), axis1=0, axis2=-1), S((2, 3), axis1=1, axis2=1), S((0, 2), axis1=0, axis2=1)),
           E([[1]], ShapeError, axis1=0, axis2=1), call=lambda x, axis1, axis2: FUNCTIONS["swapaxes"](x, axis1, axis2)),
    layout("roll", np.roll,
           (S((5,), shift=2), S((2, 3), shift=-4), S((2, 3), shift=1, axis=1), S((2, 3), shift=(1, -1), axis=(0, 1)),
            S((2, 3, 2), shift=2, axis=(0, -1)), S((0, 2), shift=1, axis=0), S((3,), shift=3), S((), shift=1),
            S((4,), shift=(1, 2), axis=(0, 0))),
           E([[1, 2, 3]], [3, 1, 2], shift=1), E([[1, 2]], ArgumentError, shift=1.5),
           E([[[1, 2]]], ArgumentError, shift=(1, 2, 3), axis=(0, 1)), E([[1, 2]], ShapeError, shift=1, axis=1)),
    layout("tile", lambda x, repetitions: np.tile(x, repetitions),
           (S((3,), repetitions=(2,)), S((2, 3), repetitions=(2, 1)), S((2,), repetitions=(2, 2)),
            S((2, 3), repetitions=(2,)), S((), repetitions=(2,)), S((2,), repetitions=(0,)),
            S((0, 2), repetitions=(2, 2)), S((2,), repetitions=())),
           E([[1, 2]], GraphcError, repetitions=(-1,)), E([[1, 2]], GraphcError, repetitions=(1.5,)),
           call=lambda x, repetitions: FUNCTIONS["tile"](x, repetitions)),
    layout("repeat", lambda x, repeats, axis=None: np.repeat(x, repeats, axis),
           (S((3,), repeats=2), S((2, 3), repeats=2, axis=0), S((2, 3), repeats=3),
            S((2, 3), repeats=(2, 0, 1), axis=-1), S((2,), repeats=0),
            S((0, 2), repeats=2, axis=0), S((2,), repeats=(3,))),
           E([[1, 2, 3]], [1, 1, 3], repeats=np.array([2, 0, 1])), E([[1, 2]], ShapeError, repeats=(1, 2, 3)),
           E([[1, 2]], ArgumentError, repeats=-1), E([[1, 2]], ArgumentError, repeats=(1, -1)),
           E([[1, 2]], [1, 1, 2, 9], repeats=(2, 1), size=4, fill_value=9), E([[1, 2]], [1, 1], repeats=2, size=2),
           E([[]], [0, 0], repeats=1, size=2),
           E([[1, 2]], DTypeError, repeats=(1.0, 2.0)),
           call=lambda x, repeats, **kw: FUNCTIONS["repeat"](x, repeats, **kw)),
    layout("unstack", lambda x, axis=0: np.flip(x, axis), (S((2, 3)), S((2, 3), axis=-1), S((3,)), S((1, 2), axis=1)),
           E([1.0], ShapeError), E([[1, 2]], ShapeError, axis=1), call=lambda x,
           axis=0: FUNCTIONS["stack"](FUNCTIONS["unstack"](x, axis=axis)[::-1], axis=axis)),
    layout("broadcast_arrays", lambda *x: np.stack(np.broadcast_arrays(*x)),
           (S((3,), (2, 3)), S((), (2, 2)), S((2, 1), (1, 3), (3,)), S((0, 3), (1,))),
           E([[1, 2], [1, 2, 3]], ShapeError), gradient=(0, 1),
           call=lambda *x: FUNCTIONS["stack"](FUNCTIONS["broadcast_arrays"](*x))),
    Row("broadcast_shapes", elsewhere=_NO_TENSOR),
    Row("diff", (S((5,)), S((2, 3)), S((2, 3), axis=0), S((5,), n=2), S((3,), n=4), S((4,), n=0), S((0,)),
                 S((2, 3), (2, 1), (2, 2)), S((2, 3), (1, 3), (0, 3), axis=0, n=2)),
        lambda x, *ends, **kw: np.diff(x, **kw, **dict(zip(("prepend", "append"), ends, strict=False))),
        (E([[1, 3, 6]], [2, 3]), E([[1, 3]], [1, 2], prepend=0), E([[3, 1]], [-2, -1], append=0.0),
         E([[0, 1]], [1], "uint8"), E([[1, 0]], [255], "uint8"), E([[1]], ArgumentError, n=-1),
         E([[1]], ArgumentError, n=1.5), E([1.0], ShapeError), E([[True, False]], DTypeError, "bool")),
        dtypes=NUMBERS, gradient=(0, 1, 2), call=lambda x, *ends,
        **kw: FUNCTIONS["diff"](x, **kw, **dict(zip(("prepend", "append"), ends, strict=False)))),
    *(Row(name, elsewhere=_NO_TENSOR) for name in ("can_cast", "finfo", "iinfo", "isdtype", "result_type")),
)  # fmt: skip
