"""Rows of activation functions that have no op of their own."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphc.conformance.table import D, E, Oracle, Row, inf, nan, unary


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def softplus(x: Any) -> Any:
    return np.log(1 + np.exp(x))


def elu(x: Any, alpha: float = 1.0) -> Any:
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def celu(x: Any, alpha: float = 1.0) -> Any:
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0) / alpha))


def smooth(name: str, oracle: Oracle, *edges: E, **options: Any) -> Row:
    return unary(name, oracle, *edges, **({"tolerance": "shifted"} | options))


ROWS = (
    smooth("log_sigmoid", lambda x: -softplus(-x),
           E([[0, inf, -inf, nan, 1000, -1000]], [-math.log(2), -0.0, -inf, nan, -0.0, -1000])),
    smooth("silu", lambda x: x * sigmoid(x), E([[0.0, -0.0, inf, -inf, nan, 100]], [0.0, -0.0, inf, nan, nan, 100])),
    smooth("leaky_relu", lambda x, negative_slope=0.01: np.where(x > 0, x, x * negative_slope),
           E([[2, -2, 0.0, -0.0, nan, -inf]], [2, -0.02, 0.0, -0.0, nan, -inf])),
    smooth("elu", elu, E([[0.0, -0.0, inf, -inf, nan, 3]], [0.0, -0.0, inf, -1, nan, 3]),
           E([[-inf, 2]], [-0.5, 2], alpha=0.5)),
    smooth("celu", celu, E([[0.0, inf, -inf, nan, 3]], [0.0, inf, -1, nan, 3]), E([[-inf, 2]], [-0.5, 2], alpha=0.5)),
    smooth("selu", lambda x: 1.0507009873554804934193349852946 * elu(x, 1.6732632423543772848170429916717),
           E([[0.0, 1, -inf, nan]], [0.0, 1.0507009873554805, -1.7580993408473766, nan])),
    smooth("relu6", lambda x: np.clip(x, 0, 6), E([[-1, 2, 7, nan, inf, -inf]], [0.0, 2, 6, nan, 6, 0.0]),
           tolerance="exact"),
    smooth("hard_sigmoid", lambda x: np.clip((x + 3) / 6, 0, 1),
           E([[-4, 0, 4, nan, inf, -inf]], [0.0, 0.5, 1, nan, 1, 0.0])),
    smooth("hard_silu", lambda x: x * np.clip((x + 3) / 6, 0, 1),
           E([[-4, 0.0, 4, nan, inf]], [-0.0, 0.0, 4, nan, inf])),
    smooth("hard_tanh", lambda x: np.clip(x, -1, 1), E([[-4, 0.5, 4, nan, inf, -inf]], [-1, 0.5, 1, nan, 1, -1]),
           tolerance="exact"),
    smooth("mish", lambda x: x * np.tanh(softplus(x)), E([[0.0, inf, nan, 100]], [0.0, inf, nan, 100])),
    smooth("softsign", lambda x: x / (1 + np.abs(x)),
           E([[0.0, -0.0, 3, -1, nan, inf]], [0.0, -0.0, 0.75, -0.5, nan, nan])),
    smooth("tanh_shrink", lambda x: x - np.tanh(x), E([[0.0, inf, nan, 100]], [0.0, inf, nan, 99])),
    smooth("soft_shrink", lambda x, limit=0.5: np.sign(x) * np.maximum(np.abs(x) - limit, 0),
           E([[2, -2, 0.25, nan, inf]], [1.5, -1.5, 0.0, nan, inf]), E([[2, -2, 0.25]], [1, -1, 0.0], limit=1.0),
           domains=(D(-2, 2),)),
)  # fmt: skip
