"""The core of ops that every backend must have, and how others are made of it, with the answers of docs/semantics.md.

A backend that states what it runs (`Capabilities.ops`) gets the rest in terms of that. What is neither in the core nor
here nor a composite (`tanh`, `pow`, `sort` …) cannot be made of it with the accuracy that is promised: a backend has
it, or a graph with it is refused, by name.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from graphc.ir.dtype import FLOAT, bool_, int64
from graphc.ir.opdef import OPS
from graphc.ir.tensor import Tensor, apply
from graphc.ops.arithmetic import floor
from graphc.ops.comparison import equal, isnan, less, logical_and, logical_not, logical_or, maximum, where
from graphc.ops.define import convert
from graphc.ops.exponential import exp, sqrt
from graphc.ops.layout import broadcast_to, expand_dims
from graphc.ops.reductions import sum
from graphc.ops.sources import dim_value, zeros

CORE = frozenset(
    {
        "add", "argmax", "astype", "broadcast_to", "concat", "divide", "equal", "exp", "floor", "less", "log",
        "logical_and", "logical_not", "max", "multiply", "negative", "pad", "permute_dims", "reshape", "scatter_add",
        "slice", "sqrt", "sum", "take", "where",
    }
)  # fmt: skip
"""What a backend must have. Their meaning is that of the functions of the same names."""


def _flipped(x: Tensor) -> Tensor:
    """Falls where x rises, and twice gives x again: -x - 1 for integers, whose smallest number has no negative."""
    flipped: Tensor = -x if x.dtype in FLOAT else -x + (-1 if x.dtype.kind == "int" else 2**x.dtype.bits - 1)
    return flipped


def _abs(node: Tensor) -> Tensor:
    (x,) = node.inputs
    size: Tensor = where(x < 0, -x, x)
    return size + 0.0 if x.dtype in FLOAT else size  # |-0| is +0


def _sign(node: Tensor) -> Tensor:
    (x,) = node.inputs
    rest = x + 0.0 if x.dtype in FLOAT else x  # NaN and 0, which has no sign
    return where(less(0, x), convert(1, x.dtype), where(x < 0, convert(-1, x.dtype), rest))


def _round(node: Tensor) -> Tensor:
    """Halves to even. What lies in (-1, 0) and becomes zero becomes -0."""
    (x,) = node.inputs
    low = floor(x)
    part = x - low  # NaN at ±inf, which is below no half
    odd = logical_not(equal(floor(low * 0.5) * 2.0, low))
    result = where(logical_or(less(0.5, part), logical_and(equal(part, 0.5), odd)), low + 1.0, low)
    return where(logical_and(x < 0, equal(result, 0.0)), convert(-0.0, x.dtype), result)


def _min(node: Tensor) -> Tensor:
    return _flipped(apply(OPS["max"], (_flipped(node.inputs[0]),), **node.attrs))


def _any(node: Tensor) -> Tensor:
    count = sum(convert(node.inputs[0], int64), axis=node.attrs["axis"], keepdims=node.attrs["keepdims"])
    return logical_not(equal(count, 0))


def _all(node: Tensor) -> Tensor:
    return logical_not(apply(OPS["any"], (logical_not(node.inputs[0]),), **node.attrs))


def _positions(node: Tensor) -> Tensor:
    """Read from zeros, the indices are checked."""
    (indices,), size = node.inputs, node.attrs["size"]
    if node.attrs["used"] == 0:
        return zeros(node.shape, dtype=int64)
    wide = convert(indices, int64)
    checked = apply(OPS["take"], (zeros((size,), dtype=int64), indices), axis=0)
    return where(wide < 0, wide + dim_value(size), wide) + checked


def _matmul(node: Tensor) -> Tensor:
    """(…, n, k) and (…, k, m): all products at once, summed over k."""
    left, right = node.inputs
    return sum(expand_dims(left, axis=-1) * expand_dims(right, axis=-3), axis=-2, dtype=node.dtype)


DECOMPOSITIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "abs": _abs,
    "all": _all,
    "any": _any,
    "argmin": lambda node: apply(OPS["argmax"], (_flipped(node.inputs[0]),), **node.attrs),
    "bitwise_invert": lambda node: logical_not(node.inputs[0]) if node.dtype is bool_ else _flipped(node.inputs[0]),
    "ceil": lambda node: -floor(-node.inputs[0]),
    "greater": lambda node: less(node.inputs[1], node.inputs[0]),
    "greater_equal": lambda node: logical_or(less(node.inputs[1], node.inputs[0]), equal(*node.inputs)),
    "isfinite": lambda node: less(abs(node.inputs[0]), math.inf),
    "isinf": lambda node: equal(abs(node.inputs[0]), math.inf),
    "isnan": lambda node: logical_not(equal(node.inputs[0], node.inputs[0])),
    "less_equal": lambda node: logical_or(less(*node.inputs), equal(*node.inputs)),
    "logical_or": lambda node: logical_not(logical_and(*map(logical_not, node.inputs))),
    "logical_xor": lambda node: logical_not(equal(*node.inputs)),
    "matmul": _matmul,
    "maximum": lambda node: where(
        logical_or(less(node.inputs[1], node.inputs[0]), _is_nan(node.inputs[0])), *node.inputs
    ),
    "min": _min,
    "minimum": lambda node: where(logical_or(less(*node.inputs), _is_nan(node.inputs[0])), *node.inputs),
    "not_equal": lambda node: logical_not(equal(*node.inputs)),
    "positions": _positions,
    "relu": lambda node: maximum(node.inputs[0], 0),
    "round": _round,
    "rsqrt": lambda node: 1.0 / sqrt(node.inputs[0]),
    "sigmoid": lambda node: 1.0 / (exp(-node.inputs[0]) + 1.0),
    "sign": _sign,
    "stop_gradient": lambda node: node.inputs[0],
    "subtract": lambda node: node.inputs[0] + -node.inputs[1],
    "trunc": lambda node: where(node.inputs[0] < 0, -floor(-node.inputs[0]), floor(node.inputs[0])),
}
"""op → node → the same value in other ops, which may be decomposed in turn."""


def _is_nan(x: Tensor) -> Tensor:
    return isnan(x) if x.dtype in FLOAT else broadcast_to(convert(False, bool_), x.shape)
