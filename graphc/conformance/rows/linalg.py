"""Rows of linear algebra. Factors are compared by what does not depend on signs that are not specified."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.conformance import loops
from graphc.conformance.table import (
    COMPLEX,
    FLOATS,
    LOOSE,
    D,
    E,
    Row,
    S,
    accumulator,
    floating,
    inf,
    layout,
    nan,
    one_of,
    real,
)
from graphc.errors import ArgumentError, DTypeError, ShapeError
from graphc.ir.opdef import FUNCTIONS as F
from graphc.ir.tensor import Tensor
from graphc.ops.linalg.parts import from_diagonal, upper_mask
from graphc.ops.precision import rounded_once
from graphc.ops.reductions import sum as reduce_sum

Array = np.ndarray
FEW = (*FLOATS, "int32", "uint8")
SINGULAR = [[1.0, 2], [2, 4]]
BROKEN = ([[[nan, 0.0], [0, 1]]], [[[1.0, 0], [inf, 1]]])
"""Matrices with a NaN or an infinity in the lower triangle."""

# --- well-conditioned matrices out of random ones ---------------------------------------------------------------


def _call(name: str, combine: Callable[..., Tensor] | None = None) -> Callable[..., Tensor]:
    """The function, of a matrix with `shift` added to its diagonal (and that much more to each further element)."""

    @rounded_once
    def call(x: Tensor, *rest: Tensor, shift: float = 0.0, steps: float = 0.0, **kwargs: Any) -> Tensor:
        if shift or steps:
            x = x + _diagonal_like(x, shift, steps)
        made = F[name](x, *rest, **kwargs)
        return made if combine is None else combine(*made)

    return call


def _diagonal_like(x: Tensor, shift: float, steps: float) -> Tensor:
    rows, columns = x.shape[-2:]
    numbers = reduce_sum(upper_mask(rows + columns).astype(x.dtype), axis=0)
    return from_diagonal(shift + steps * numbers)[:rows, :columns]


def _oracle(function: Callable[..., Any], combine: Callable[..., Array] | None = None) -> Callable[..., Array]:
    def of_shifted(x: Array, *rest: Array, shift: float = 0.0, steps: float = 0.0, **kwargs: Any) -> Array:
        if shift or steps:
            rows, columns = x.shape[-2:]
            numbers = np.arange(1, rows + columns + 1)
            x = x + np.diag(shift + steps * numbers).astype(x.dtype)[:rows, :columns]
        made = function(x, *rest, **kwargs)
        return np.asarray(made) if combine is None else combine(*made)

    return of_shifted


def _flat(*parts: Tensor) -> Tensor:
    return F["concat"]([F["reshape"](part, (-1,)) for part in parts])  # type: ignore[no-any-return]


def _joined(*parts: Array) -> Array:
    return np.concatenate([np.asarray(part).reshape(-1) for part in parts])


def _of_eigenvectors(values: Tensor, vectors: Tensor) -> Tensor:
    waves = F["sin"](values)[..., None, :]
    return _flat(values, (vectors * waves) @ vectors.mT)


def _of_eigenvector_arrays(values: Array, vectors: Array) -> Array:
    return _joined(values, (vectors * np.sin(values)[..., None, :]) @ vectors.swapaxes(-1, -2))


def _of_singular_vectors(u: Tensor, s: Tensor, vh: Tensor) -> Tensor:
    return _flat(s, (u * F["sin"](s)[..., None, :]) @ vh, (u * s[..., None, :]) @ u.mT)


def _of_singular_vector_arrays(u: Array, s: Array, vh: Array) -> Array:
    return _joined(s, (u * np.sin(s)[..., None, :]) @ vh, (u * s[..., None, :]) @ u.swapaxes(-1, -2))


def _squares(**kwargs: Any) -> tuple[S, ...]:
    return tuple(S(shape, **kwargs) for shape in ((2, 2), (2, 3, 3), (1, 1), (2, 0, 0)))


def _factor(
    name: str,
    oracle: Callable[..., Any],
    samples: tuple[S, ...],
    *edges: E,
    combine: Callable[..., Array] | None = None,
    **options: Any,
) -> Row:
    usual: dict[str, Any] = {
        "dtypes": FLOATS, "domains": (D(-0.5, 0.5),), "tolerance": "factors", "gradient": (0,), "call": _call(name),
    }  # fmt: skip
    return Row(name, samples, _oracle(oracle, combine), edges, **(usual | options))


_NOT_SQUARE = (E([np.ones((2, 3))], ShapeError), E([np.ones(2)], ShapeError))
_BAD_SYSTEMS = (
    E([np.ones((2, 3)), np.ones(2)], ShapeError), E([np.eye(2), np.ones(3)], ShapeError),
    E([np.eye(2), np.ones(())], ShapeError),
)  # fmt: skip
_SYSTEMS = (
    S((3, 3), (3, 2), shift=3.0), S((2, 2), (2,), shift=3.0), S((2, 2, 2), (3, 1, 2, 1), shift=3.0),
    S((0, 0), (0, 3), shift=3.0),
)  # fmt: skip


def _with_columns(function: Callable[..., Any]) -> Callable[..., Array]:
    def of_columns(a: Array, b: Array, **kwargs: Any) -> Array:
        found = np.asarray(function(a, b[:, None] if b.ndim == 1 else b, **kwargs))
        return found[..., 0] if b.ndim == 1 else found

    return of_columns


def _triangular_oracle(
    a: Array, b: Array, lower: bool = True, transpose: bool = False, unit_diagonal: bool = False
) -> Array:
    a = a.swapaxes(-1, -2) if transpose else a
    return np.asarray(loops.solve_triangular(a, b, lower=lower != transpose, unit_diagonal=unit_diagonal))


def _matrix_norm_oracle(x: Array, ord: Any = "fro", keepdims: bool = False) -> Array:
    extremes: dict[Any, Any] = {"nuc": np.sum, 2: np.max, -2: np.min}
    if ord not in extremes:
        return np.asarray(np.linalg.matrix_norm(x, ord=ord, keepdims=keepdims))
    found = extremes[ord](loops.svdvals(x), axis=-1)
    return np.asarray(found[..., None, None] if keepdims else found)


def _power_oracle(x: Array, n: int) -> Array:
    return np.asarray(np.linalg.matrix_power(loops.inv(x) if n < 0 else x, abs(n)))


def _einsum(*operands: Tensor, text: str) -> Tensor:
    return F["einsum"](text, *operands)  # type: ignore[no-any-return]


_FACTORS = (
    _factor("cholesky", loops.cholesky, _squares(shift=3.0),
        E([[[4.0, 9], [2, 5]]], [[2.0, 0], [1, 2]]), E([[[4.0, 2], [9, 5]]], [[2.0, 1], [0, 2]], upper=True),
        E([[[4.0, nan], [2, 5]]], [[2.0, 0], [1, 2]]), E([SINGULAR], [[nan, 0], [nan, nan]]),
        E([[[[1.0, 0], [0, -1]], [[1, 0], [0, 4]]]], [[[nan, 0], [nan, nan]], [[1, 0], [0, 2]]]),
        *(E(broken, [[nan, 0], [nan, nan]]) for broken in BROKEN), E([[[0.0]]], [[nan]]), E([[[4]]], [[2.0]], "int32",
        gives="float32"), *_NOT_SQUARE),
    _factor("qr", loops.qr, tuple(S(shape, shift=3.0) for shape in
        ((3, 2), (2, 3), (2, 3, 3), (1, 1), (0, 3), (3, 0))),
        E([[[3.0, 0], [4, 5]]], [0.6, -0.8, 0.8, 0.6, 5, 4, 0, 3]), E([[[-2.0]]], [-1, 2]),
        E([[[nan, 0.0], [0, 1]]], [nan, nan, nan, nan, nan, nan, 0, nan]), E([np.ones(3)], ShapeError),
        E([np.eye(2)], ArgumentError, mode="full"),
        call=_call("qr", _flat), combine=_joined),
    _factor("eigh", loops.eigh, _squares(steps=3.0),
        E([[[2.0, 9], [0, 1]]], [1, 2, math.sin(2), 0, 0, math.sin(1)]), E(BROKEN[0], [nan] * 6), *_NOT_SQUARE,
        call=_call("eigh", _of_eigenvectors), combine=_of_eigenvector_arrays),
    _factor("eigvalsh", loops.eigvalsh, _squares(steps=3.0),
        E([[[0.0, 9], [1, 0]]], [-1, 1]), E([[[5.0]]], [5]), E(BROKEN[1], [nan, nan]), *_NOT_SQUARE),
    _factor("svd", lambda x, full_matrices: loops.svd(x), tuple(S(shape, full_matrices=False) for shape in
        ((3, 2), (2, 3), (2, 3, 3), (1, 1), (0, 3), (3, 0))),
        E([[[0.0, 2], [-1, 0]]], [2, 1, 0, math.sin(2), -math.sin(1), 0, 2, 0, 0, 1]), E(BROKEN[0], [nan] * 10),
        E([np.ones(3)], ShapeError),
        call=_call("svd", _of_singular_vectors), combine=_of_singular_vector_arrays, domains=(D(),)),
    _factor("svdvals", loops.svdvals, (S((3, 2)), S((2, 3)), S((3, 3)), S((2, 3, 2)), S((1, 1)), S((0, 3))),
        E([SINGULAR], [5, 0]), E([[[-3.0]]], [3]), E(BROKEN[0], [nan, nan]), E([np.ones(3)], ShapeError),
        domains=(D(),)),
    Row("matrix_rank", (S((3, 2)), S((2, 3, 3)), S((2, 0, 3))), np.linalg.matrix_rank,
        (E([SINGULAR], 1), E([np.zeros((2, 2))], 0), E([np.diag([1.0, 1e-3])], 1, rtol=1e-2), E(BROKEN[0], 0),
         E([np.stack([np.eye(2), np.zeros((2, 2))])], [2, 0]), E([np.ones(3)], ShapeError)),
        result=lambda dtype: "int64"),
    _factor("pinv", loops.pinv, (S((3, 2)), S((2, 3)), S((2, 2, 2)), S((1, 1)), S((0, 3)), S((2, 3, 0))),
        E([SINGULAR], [[0.04, 0.08], [0.08, 0.16]]), E([np.zeros((2, 3))], np.zeros((3, 2))),
        E([np.diag([2.0, 1e-3])], [[0.5, 0], [0, 0]], rtol=1e-2), E(BROKEN[0], np.full((2, 2), nan)),
        E([np.ones(3)], ShapeError), E([np.eye(2)], ArgumentError, rtol="small"), domains=(D(),)),
)  # fmt: skip

_SOLVING = (
    _factor("solve", _with_columns(loops.solve), _SYSTEMS,
        E([SINGULAR, [1.0, 2]], [nan, nan]), E([[[2.0, 0], [0, 4]], [2.0, 2]], [1, 0.5]),
        E([[[0.0, 1], [1, 0]], [2.0, 3]], [3, 2]), E([BROKEN[0][0], [1.0, 1]], [nan, nan]),
        E([np.stack([np.zeros((2, 2)), np.eye(2)]), [[1.0], [2]]], [[[nan], [nan]], [[1], [2]]]),
        E([[[2]], [1]], [0.5], "int32", gives="float32"), *_BAD_SYSTEMS, gradient=(0, 1)),
    _factor("solve_triangular", _with_columns(_triangular_oracle),
        (S((3, 3), (3, 2), shift=3.0), S((2, 3, 3), (3,), shift=3.0, lower=False), S((2, 2), (2, 2), shift=3.0,
         transpose=True), S((3, 3), (3, 1), shift=3.0, unit_diagonal=True, lower=False),
         S((2, 2), (3, 2, 1), shift=3.0, lower=False, transpose=True), S((0, 0), (0, 3))),
        E([[[2.0, nan], [1, 4]], [2.0, 5]], [1, 1]), E([[[nan, 0.0], [1, inf]], [2.0, 5]], [2, 3], unit_diagonal=True),
        E([[[0.0, 0], [1, 4]], [0.0, 5]], [nan, nan]), E([[[1.0, 0], [inf, 1]], [1.0, 1]], [nan, nan]),
        *_BAD_SYSTEMS, gradient=(0, 1)),
    _factor("inv", loops.inv, _squares(shift=3.0),
        E([SINGULAR], np.full((2, 2), nan)), E([[[2.0, 0], [0, 4]]], [[0.5, 0], [0, 0.25]]),
        E([np.stack([np.zeros((2, 2)), np.eye(2)])], [np.full((2, 2), nan), np.eye(2)]),
        E(BROKEN[0], np.full((2, 2), nan)), *_NOT_SQUARE),
    _factor("det", loops.det, _squares(shift=3.0),
        E([SINGULAR], 0), E([[[0.0, 1], [1, 0]]], -1), E([np.zeros((0, 0))], 1), E([[[5.0]]], 5),
        E(BROKEN[1], nan), *_NOT_SQUARE),
    _factor("slogdet", loops.slogdet, _squares(shift=3.0),
        E([SINGULAR], [0, -inf]), E([[[0.0, 1], [1, 0]]], [-1, 0]), E([np.zeros((0, 0))], [1, 0]),
        E(BROKEN[0], [nan, nan]), *_NOT_SQUARE, call=_call("slogdet", _flat), combine=_joined),
    _factor("cofactor", loops.cofactor, (S((2, 2)), S((3, 3)), S((2, 3, 3)), S((1, 1))),
        E([SINGULAR], [[4.0, -2], [-2, 1]]), E([[[2.0]]], [[1]]), call=one_of("cofactor", None), domains=(D(),)),
)  # fmt: skip

_NORMS = (
    Row("vector_norm", (S((3,)), S((2, 3), axis=0, ord=1), S((2, 3, 2), axis=(0, 2), keepdims=True), S((2, 3), ord=inf),
        S((2, 3), axis=1, ord=-inf), S((2, 3), axis=-1, ord=3), S((3,), ord=1.5), S((0, 3), axis=0), S(())),
        np.linalg.vector_norm,
        (E([[3.0, 0, -4]], 2, ord=0), E([[3.0, -4]], 5), E([[0.0, 0]], 0), E([[nan, 1.0]], nan), E([[inf, 1.0]], inf),
         E([[nan, 1.0]], nan, ord=inf), E([[]], 0), E([[]], ShapeError, ord=inf), E([[1.0]], ShapeError, axis=1),
         E([[1.0]], ArgumentError, ord="fro"), E([[3, 4]], 5, "int32", gives="float32")),
        dtypes=LOOSE, operand=floating, tolerance="sum", gradient=(0,), also=COMPLEX, result=real),
    Row("matrix_norm", (S((2, 3), ord="nuc"), S((2, 3)), S((2, 2, 3), ord=1), S((3, 2), ord=-1, keepdims=True),
        S((2, 3), ord=inf), S((2, 3), ord=-inf), S((2, 3), ord=2, keepdims=True), S((2, 2), ord=-2)),
        _matrix_norm_oracle,
        (E([[[3.0, 0], [0, -4]]], 5), E([[[3.0, 0], [0, -4]]], 7, ord="nuc"), E([np.zeros((2, 0))], 0),
         E([np.zeros((2, 0))], 0, ord="nuc"), E([np.zeros((0, 2))], ShapeError, ord=2), E([[1.0]], ShapeError),
         E([[[1.0]]], ArgumentError, ord=3), E(BROKEN[0], nan, ord=2), E([np.zeros((2, 2))], 0)),
        dtypes=LOOSE, operand=floating, tolerance="factors", gradient=(0,)),
)  # fmt: skip

_PRODUCTS = (
    layout("diagonal", lambda x, offset=0: np.linalg.diagonal(x, offset=offset),
        (S((3, 3)), S((2, 3, 4), offset=1), S((3, 2), offset=-1), S((2, 3), offset=5), S((2, 4, 2)), S((0, 3)),
         S((2, 0, 0))),
        E([[1.0]], ShapeError), E([np.eye(2)], ArgumentError, offset=0.5), E([np.zeros((2, 2))], [], offset=-3)),
    Row("trace", (S((3, 3)), S((2, 3, 4), offset=1), S((3, 2), offset=-1), S((0, 3))),
        lambda x, offset=0: np.linalg.trace(x, offset=offset), (E([[1.0]], ShapeError), E([[[100, 0], [0, 100]]], 200,
        "int8"), E([[[True]]], 1, "bool", gives="int64")),
        dtypes=FEW, result=accumulator, tolerance="sum", gradient=(0,), also=COMPLEX),
    Row("tensordot", (S((2, 3), (3, 4), axes=1), S((2, 3, 4), (3, 4, 2)), S((2,), (3,), axes=0),
        S((2, 3, 4), (4, 2, 3), axes=((0, 2), (1, 0))), S((2, 3), (3, 2), axes=((-1,), (0,))),
         S((2, 0), (0, 3), axes=1)),
        np.tensordot,
        (E([np.ones((2, 3)), np.ones((2, 3))], ShapeError, axes=1), E([[1.0], [1.0]], ShapeError, axes=2),
         E([[1.0], [1.0]], ArgumentError, axes=((0,), ())), E([[1.0], [1.0]], ShapeError, axes=((1,), (0,))),
         E([np.eye(2), np.eye(2)], ShapeError, axes=((0, 0), (0, 1))), E([[100], [2]], -56, "int8", axes=1)),
        dtypes=FEW, tolerance="sum", gradient=(0, 1)),
    Row("vecdot", (S((3,), (3,)), S((2, 3), (3,)), S((2, 1, 3), (4, 3)), S((3, 2), (3, 2), axis=0), S((2, 0), (0,))),
        np.vecdot,
        (E([[1.0, 2], [3.0]], ShapeError), E([[1.0, 2], [1.0]], ShapeError), E([1.0, [1.0]], ShapeError),
         E([[100], [2]], -56, "int8")),
        dtypes=FEW, tolerance="sum", gradient=(0, 1), also=COMPLEX),
    Row("outer", (S((2,), (3,)), S((1,), (2,)), S((0,), (2,))), np.outer,
        (E([1.0, [1.0]], ShapeError), E([[100], [2]], [[-56]], "int8")), dtypes=FEW, gradient=(0, 1), also=COMPLEX),
    Row("cross", (S((3,), (3,)), S((2, 3), (3,)), S((3, 2), (3, 2), axis=0), S((2, 1, 3), (4, 3))), np.linalg.cross,
        (E([[1.0, 0, 0], [0.0, 1, 0]], [0, 0, 1]), E([[1.0, 2], [1.0, 2]], ShapeError), E([[1, 0, 0], [0, 1, 0]],
         [0, 0, 1], "uint8")),
        dtypes=FEW, tolerance="sum", gradient=(0, 1)),
    Row("kron", (S((2,), (3,)), S((2, 2), (2, 3)), S((2,), (2, 2)), S((), (2,)), S((2, 0), (1, 2))), np.kron,
        (E([[100], [2]], [-56], "int8"),), dtypes=FEW, gradient=(0, 1)),
    Row("matrix_power", (S((2, 2), n=3), S((2, 3, 3), n=2), S((2, 2), n=1)), _power_oracle,
        (E([[[2.0, 0], [0, 4]]], [[0.25, 0], [0, 0.0625]], n=-2),
         E([[[2.0, nan], [0, 4]]], [[1, 0], [0, 1]], n=0),
         E([np.ones((2, 3))], ShapeError, n=2),
         E([np.eye(2)], ArgumentError, n=0.5), E([[[1, 1], [1, 0]]], [[89, 55], [55, 34]], "int32", n=10),
         E([SINGULAR], np.full((2, 2), nan), n=-1)),
        dtypes=FEW, tolerance="sum", gradient=(0,), domains=(D(-1, 1),),
        call=lambda x, n: F["matrix_power"](x, n)),
    Row("einsum",
        (S((2, 3), (3, 4), text="ij,jk->ik"), S((2, 4), (4, 2), (2, 3), text="ij,jk,kl->il"), S((3, 3), text="ii"),
         S((3, 3), text="ii->i"), S((2, 3), text="ij->ji"), S((2, 3, 4), (4, 2), text="...j,jk"),
         S((2, 3), (2, 3), text="ij,ij->i"), S((3,), (2,), text="i,j->ji"),
         S((2, 2, 3), (2, 3, 2), text="bij,bjk->bki"),
         S((1, 3), (2, 3), text="ij,ij->j"), S((2, 3, 3), (3,), text="ijj,j->i"), S((), (3,), text=",i->i"),
         S((0, 3), (3, 2), text="ij,jk->ik")),
        lambda *arrays, text: np.einsum(text, *arrays),
        (E([[1.0, 2], [3.0, 4]], 11, text="i,i"), E([[1.0]], ArgumentError, text="i->j"),
         E([[1.0]], ArgumentError, text="i->ii"), E([[1.0]], ArgumentError, text="i,j"),
         E([[1.0]], ShapeError, text="ij"), E([[1.0, 2], [1.0, 2, 3]], ShapeError, text="i,i->i"),
         E([[1.0]], ArgumentError, text="$->"), E([[1.0]], ArgumentError, text="i->i->i"),
         E([np.ones((2, 3))], ShapeError, text="ii"), E([np.ones((2, 3))], ArgumentError, text="...i->i"),
         E([[True]], DTypeError, "bool", text="i->"), E([[100], [2]], -56, "int8", text="i,i")),
        dtypes=FEW, tolerance="sum", gradient=(0, 1, 2), call=_einsum),
)  # fmt: skip

ROWS = (*_PRODUCTS, *_NORMS, *_SOLVING, *_FACTORS)
