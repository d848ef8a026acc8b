"""Rows of activations, softmax and cross-entropy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphc.conformance.rows.special import erf
from graphc.conformance.table import LOOSE, NUMBERS, ONE, D, E, Row, S, floating, inf, nan, one_of, same, unary
from graphc.errors import ShapeError
from graphc.ops.activation import softmax_cross_entropy

_label = D(0, 3, "int64")


def softmax(x: Any, axis: Any = -1) -> Any:
    return np.exp(x) / np.sum(np.exp(x), axis=axis, keepdims=True)


def cross_entropy(logits: Any, labels: Any) -> Any:
    rows = logits.reshape(-1, logits.shape[-1])
    chosen = rows[np.arange(len(rows)), labels.ravel()].reshape(labels.shape)
    return np.log(np.exp(logits).sum(-1)) - chosen


def cross_entropy_grad(ct: Any, logits: Any, labels: Any, shift: Any, rest: Any) -> Any:
    hot = np.eye(logits.shape[-1])[labels]
    return ct[..., None] * (np.exp(logits - shift[..., None] - rest[..., None]) - hot)


def gelu(x: Any, approximate: Any = False) -> Any:
    if approximate:
        return x / 2 * (1 + np.tanh(np.sqrt(2 / np.asarray(np.pi, x.dtype)) * (x + 0.044715 * x**3)))
    return x / 2 * (1 + erf(x / np.sqrt(np.asarray(2, x.dtype))))


ROWS = (
    unary("relu", lambda x: np.where(x > 0, x, np.zeros_like(x)),
          E([[-1, 2, nan, inf, -inf]], [0.0, 2, nan, inf, 0.0]), E([[-5, 5]], [0, 5], "int8"), dtypes=NUMBERS,
          operand=same, tolerance="exact"),
    Row("gelu", (*ONE, S((5,), approximate=True)), gelu,
        (E([[0.0, inf, -inf, nan, 100, -100]], [0, inf, nan, nan, 100, -0.0]),
         E([[0.0, inf, -inf, nan, 100]], [0, inf, nan, nan, 100], approximate=True)), dtypes=LOOSE,
        operand=floating, tolerance="shifted", domains=(D(-3, 3),), gradient=(0,)),
    unary("softplus", lambda x: np.log(1 + np.exp(x)),
          E([[0, inf, -inf, nan, 1000, -1000]], [math.log(2), inf, 0.0, nan, 1000, 0.0]), domains=(D(-6, 6),),
          tolerance="shifted"),
    Row("softmax", (S((3,)), S((2, 3), axis=0), S((2, 3, 2), axis=1), S((0, 3)), S((2, 1))), softmax,
        (E([[1000, 1000]], [0.5, 0.5]), E([[0, -inf]], [1, 0.0]), E([[inf, 0]], [nan, nan]),
         E([[-inf, -inf]], [nan, nan]), E([[nan, 0]], [nan, nan]), E([[]], ShapeError), E([1.0], ShapeError)),
        dtypes=LOOSE, operand=floating, tolerance="softmax", gradient=(0,)),
    Row("log_softmax", (S((3,)), S((2, 3), axis=0), S((2, 3, 2), axis=1), S((0, 3)), S((2, 1))),
        lambda x, axis=-1: np.log(softmax(x, axis)),
        (E([[10000, 10001]], [-1.3132616875182228, -0.31326168751822286]), E([[0, 200]], [-200, 0.0]),
         E([[0, -inf]], [0.0, -inf]), E([[-inf, -inf]], [nan, nan]), E([[inf, 0]], [nan, nan]),
         E([[nan, 0]], [nan, nan]), E([[]], ShapeError)), dtypes=LOOSE, operand=floating, tolerance="softmax",
        gradient=(0,)),
    Row("softmax_cross_entropy", (S((3,), ()), S((2, 3), (2,)), S((2, 2, 3), (2, 2)), S((0, 3), (0,))),
        cross_entropy,
        (E([[[1e4, -1e4]], [0]], [0.0]), E([[[1e4, -1e4]], [1]], [2e4]),
         E([[[1e4, 1e4 + 1]], [0]], [1.3132616875182228]), E([[[0.0, 0.0]], [2]], [math.log(2)]),
         E([[[0.0, 0.0]], [-1]], [math.log(2)]), E([[[0.0, -inf]], [1]], [inf]),
         E([[[0.0, -inf]], [0]], [0.0]), E([[[-inf, -inf]], [0]], [nan]), E([[[nan, 0.0]], [1]], [nan]),
         E([np.ones((1, 0)), [0]], ShapeError), E([[1.0, 2.0], [0]], ShapeError)), domains=(D(), _label),
        tolerance="softmax", gradient=(0,), call=softmax_cross_entropy, covers=("project",)),
    Row("softmax_cross_entropy_grad",
        (S((), (3,), (), (), ()), S((2,), (2, 3), (2,), (2,), (2,)), S((0,), (0, 3), (0,), (0,), (0,))),
        cross_entropy_grad,
        (E([[1.0], [[0.0, 0.0]], [1], [0.0], [math.log(2)]], [[0.5, -0.5]]),
         E([[1.0], [[0.0, 0.0]], [2], [0.0], [math.log(2)]], [[0.5, 0.5]]),
         E([[1.0], [[1e4, 1e4 - 1]], [1], [1e4], [math.log(1 + math.exp(-1))]],
           [[0.7310585786300049, -0.7310585786300049]])), domains=(D(), D(), _label, D(0, 1), D(1, 2)),
        tolerance="softmax", gradient=(0, 1, 3, 4), call=one_of("softmax_cross_entropy_grad", None)),
)  # fmt: skip
