"""Rows of constants and of what makes tensors."""

from __future__ import annotations

import numpy as np

from graphc.conformance.table import NUMBERS, ONE, E, Row, S, inf, layout, made, nan, one_of
from graphc.errors import DTypeError, GraphcError, ShapeError
from graphc.ir.opdef import FUNCTIONS

ROWS = (
    layout("placeholder", np.copy, ONE[:4], E([[-0.0, nan]], [-0.0, nan]), call=lambda x: x, dtypes=NUMBERS),
    Row("variable", elsewhere="a session keeps its value: the tests of sessions"),
    Row("parameter", elsewhere="a region's, which no graph holds: the tests of fusion"),
    Row("fused", elsewhere="made by the fuse pass: the tests of fusion", covers=("fused_checked",)),
    Row("copy", elsewhere="a step of plans that no graph holds: the tests of plans"),
    Row("checked_indices", elsewhere="a step of plans that no graph holds: half of scatter_add"),
    Row("add_at", elsewhere="a step of plans that no graph holds: half of scatter_add"),
    made("constant", (), None, E([], [-0.0, nan], gives="float64", value=np.array([-0.0, nan])),
         E([], [1, 2], gives="uint8", value=np.array([1, 2], "uint8")),
         call=lambda value: FUNCTIONS["asarray"](value)),
    made("dim_value", (), None, E([], 7, gives="int64", dim=7),
         E([], 7.0, gives="float32", dim=7, dtype="float32"), call=lambda dim,
         dtype="int64": FUNCTIONS["dim_value"](dim, dtype)),
    made("iota", (), None, E([], [0, 1, 2], gives="int64", size=3), E([], [], gives="int64", size=0),
         call=one_of("iota", None)),
    layout("asarray", np.copy, ONE[:3], E([], [1, 2], gives="int64", value=[1, 2]),
           E([], [1, 2.5], gives="float32", value=[1, 2.5]),
           E([], 2.5, gives="float32", value=np.float64(2.5)), E([], 3, gives="int8", value=np.int8(3)),
           E([], True, gives="bool", value=True), E([], [], gives="float32", value=[]),
           E([], DTypeError, value=300, dtype="int8"), E([], DTypeError, value=np.int64(300), dtype="int8"),
           E([], DTypeError, value=1e39), E([], inf, gives="float32", value=inf),
           E([], DTypeError, value=nan, dtype="int64"), E([], DTypeError, value="text"),
           E([], DTypeError, value=1.5, dtype="int64"), E([], [1, 2], gives="int8", value=[1.0, 2.0], dtype="int8"),
           E([], ShapeError, value=[[1], [1, 2]]), E([], DTypeError, value=1j, dtype="float32"), call=lambda x=None,
           value=None, dtype=None: FUNCTIONS["asarray"](value if x is None else x, dtype=dtype)),
    made("full", (S(shape=(2, 3), fill_value=2.5), S(shape=(), fill_value=-0.0)), lambda **kw: np.full(**kw),
         E([], [7, 7], gives="int64", shape=2, fill_value=7),
         E([], np.ones((0, 2)), gives="int8", shape=(0, 2), fill_value=1, dtype="int8"),
         E([], GraphcError, shape=(-1,), fill_value=0), dtypes=("float32",), call=lambda shape, fill_value,
         dtype=None: FUNCTIONS["full"](shape, fill_value, dtype=dtype)),
    made("zeros", (S(shape=(2, 3)), S(shape=0)), lambda shape: np.zeros(shape), dtypes=("float32",)),
    made("ones", (S(shape=(2, 3)), S(shape=())), lambda shape: np.ones(shape), dtypes=("float32",)),
    layout("full_like", np.full_like, (S((2, 3), fill_value=3), S((), fill_value=1), S((0,), fill_value=1)),
           gradient=()),
    layout("zeros_like", np.zeros_like, ONE[:4], gradient=()),
    layout("ones_like", np.ones_like, ONE[:4], gradient=()),
    made("arange", (), None, E([], [0, 1, 2], gives="int64", args=(3,)),
         E([], [3, 1], gives="int64", args=(3, 0, -2)), E([], [], gives="int64", args=(3, 0)),
         E([], [0, 0.25, 0.5, 0.75], gives="float32", args=(0, 1, 0.25)), E([], GraphcError, args=(0, 1, 0)),
         call=lambda args: FUNCTIONS["arange"](*args)),
    made("eye", (), None, E([], [[1, 0], [0, 1]], gives="float32", args=(2,)),
         E([], [[0, 1, 0], [0, 0, 1]], gives="int8", args=(2, 3), k=1, dtype="int8"), call=lambda args,
         **kw: FUNCTIONS["eye"](*args, **kw)),
)  # fmt: skip
