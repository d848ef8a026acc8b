"""Algebraic simplification: identities that leave less to compute."""

from __future__ import annotations

import numpy as np

from graphc.ir.opdef import OPS, Trait
from graphc.ir.tensor import Tensor
from graphc.ops.arithmetic import abs, add, multiply, negative
from graphc.ops.comparison import logical_not
from graphc.ops.define import constant_node
from graphc.ops.exponential import rsqrt, sqrt
from graphc.ops.gather import scatter_add
from graphc.ops.layout import reshape
from graphc.ops.reductions import sum as reduce_sum
from graphc.rules.engine import Rule
from graphc.rules.pattern import Match, Op, Scalar, Wildcard

_x, _y, _c = Wildcard("x"), Wildcard("y"), Wildcard("c")


def _is_integer(node: Tensor) -> bool:
    return node.dtype.kind in ("int", "uint")


def _if_integer(m: Match) -> Tensor | None:
    return m.x if _is_integer(m.root) else None


def _zero_if_integer(m: Match) -> Tensor | None:
    zero = constant_node(np.zeros((), m.root.dtype.numpy))
    return zero if _is_integer(m.root) else None


def _merge_sums(m: Match) -> Tensor | None:
    inner, outer = m.inner.attrs, m.root.attrs
    if inner["keepdims"] != outer["keepdims"]:
        return None
    if inner["keepdims"]:
        axes = {*inner["axis"], *outer["axis"]}
    else:
        kept = [axis for axis in range(m.x.ndim) if axis not in inner["axis"]]
        axes = {*inner["axis"], *(kept[axis] for axis in outer["axis"])}
    return reduce_sum(m.x, axis=sorted(axes), dtype=m.x.dtype, keepdims=outer["keepdims"])


def _sum_of_single_elements(m: Match) -> Tensor | None:
    if any(m.x.shape[axis] != 1 for axis in m.root.attrs["axis"]):
        return None
    return _as_sum(reshape(m.x, m.root.shape))


def _sum_over_nothing(m: Match) -> Tensor | None:
    return _as_sum(m.x) if not m.root.attrs["axis"] else None


def _as_sum(x: Tensor) -> Tensor:
    """A sum starts at +0, which makes +0 of -0."""
    return add(x, 0.0) if x.dtype.kind == "float" else x


def _scatter_into(m: Match) -> Tensor | None:
    """Touches only the rows that i names, where the left side touches the whole table."""
    if m.c.ndim or m.w.shape != m.root.shape:
        return None
    return scatter_add(m.w, m.i, negative(multiply(m.v, m.c)), axis=m.scatter.attrs["axis"])


def _multiply_by_reciprocal(m: Match) -> Tensor:
    with np.errstate(all="ignore"):
        return multiply(m.x, constant_node(np.asarray(1.0 / m.c, m.root.dtype.numpy)))


def _idempotent_rules() -> tuple[Rule, ...]:
    names = sorted(op.name for op in OPS.values() if Trait.IDEMPOTENT in op.traits)
    return tuple(
        Rule(
            f"idempotent_{name}",
            "exact",
            f"{name}({name}(x)) = {name}(x)",
            Op(name, Op(name, _x, name="inner")),
            lambda m: m.inner,
        )
        for name in names
    )


_scatter = Op("scatter_add", Scalar(0.0), Wildcard("i"), Wildcard("v"), name="scatter")

MULTIPLY_ONE = Rule("multiply_one", "exact", "x · 1 = x", Op("multiply", _x, Scalar(1.0)), lambda m: m.x)

SIMPLIFY: tuple[Rule, ...] = (
    *_idempotent_rules(),
    MULTIPLY_ONE,
    Rule("divide_one", "exact", "x / 1 = x", Op("divide", _x, Scalar(1.0)), lambda m: m.x),
    Rule("add_negative_zero", "exact", "x + (-0) = x", Op("add", _x, Scalar(-0.0)), lambda m: m.x),
    Rule("add_zero", "exact", "x + 0 = x, for integers (-0 + 0 is +0)", Op("add", _x, Scalar(0.0)), _if_integer),
    Rule("subtract_zero", "exact", "x - 0 = x", Op("subtract", _x, Scalar(0.0)), lambda m: m.x),
    Rule(
        "multiply_zero",
        "exact",
        "x · 0 = 0, for integers (NaN · 0 is NaN)",
        Op("multiply", _x, Scalar(0.0)),
        _zero_if_integer,
    ),
    Rule("subtract_self", "exact", "x - x = 0, for integers", Op("subtract", _x, _x), _zero_if_integer),
    Rule("pow_one", "exact", "x^1 = x", Op("pow", _x, Scalar(1.0)), lambda m: m.x),
    Rule("pow_two", "close", "x^2 = x · x", Op("pow", _x, Scalar(2.0)), lambda m: multiply(m.x, m.x), ulps=1),
    Rule(
        "reciprocal_root",
        "close",
        "1 / sqrt(x) = rsqrt(x)",
        Op("divide", Scalar(1.0), Op("sqrt", _x)),
        lambda m: rsqrt(m.x),
        ulps=1,
    ),
    Rule(
        "pow_half",
        "fast",
        "x^0.5 = sqrt(x), but for -0 and -inf",
        Op("pow", _x, Scalar(0.5)),
        lambda m: sqrt(m.x),
    ),
    Rule(
        "abs_of_negative",
        "exact",
        "|-x| = |x|, for signed numbers (unsigned ones wrap around)",
        Op("abs", Op("negative", _x)),
        lambda m: None if m.root.dtype.kind == "uint" else abs(m.x),
    ),
    Rule("minimum_self", "exact", "min(x, x) = x", Op("minimum", _x, _x), lambda m: m.x),
    Rule("maximum_self", "exact", "max(x, x) = x", Op("maximum", _x, _x), lambda m: m.x),
    Rule("where_same", "exact", "where(c, x, x) = x", Op("where", _c, _x, _x), lambda m: m.x, complex_too=True),
    Rule("where_true", "exact", "where(true, x, y) = x", Op("where", Scalar(True), _x, _y), lambda m: m.x),
    Rule("where_false", "exact", "where(false, x, y) = y", Op("where", Scalar(False), _x, _y), lambda m: m.y),
    Rule(
        "double_not",
        "exact",
        "not not x = x",
        Op("logical_not", Op("logical_not", _x)),
        lambda m: m.x,
    ),
    Rule(
        "not_equal_of_not",
        "exact",
        "not (x == y) = (x != y)",
        Op("logical_not", Op("equal", _x, _y)),
        lambda m: m.x != m.y,
        complex_too=True,
    ),
    Rule("and_true", "exact", "x and true = x", Op("logical_and", _x, Scalar(True)), lambda m: m.x),
    Rule("or_false", "exact", "x or false = x", Op("logical_or", _x, Scalar(False)), lambda m: m.x),
    Rule(
        "xor_true",
        "exact",
        "x xor true = not x",
        Op("logical_xor", _x, Scalar(True)),
        lambda m: logical_not(m.x),
    ),
    Rule(
        "stop_gradient",
        "exact",
        "stop_gradient(x) = x, once gradients are taken",
        Op("stop_gradient", _x),
        lambda m: m.x,
        complex_too=True,
    ),
    Rule(
        "sum_over_nothing",
        "exact",
        "a sum over no axes is x + 0",
        Op("sum", _x),
        _sum_over_nothing,
    ),
    Rule(
        "sum_of_single_elements",
        "exact",
        "a sum over axes of size 1 is a reshape of x, + 0",
        Op("sum", _x),
        _sum_of_single_elements,
    ),
    Rule(
        "merge_sums",
        "reorder",
        "Σ Σ x = Σ x over both sets of axes",
        Op("sum", Op("sum", _x, name="inner")),
        _merge_sums,
    ),
    Rule(
        "scatter_into_variable",
        "reorder",
        "w - c · scatter_add(0, i, v) = scatter_add(w, i, -(c · v)), for a scalar c",
        Op("subtract", Wildcard("w"), Op("multiply", _scatter, _c)),
        _scatter_into,
    ),
    Rule(
        "multiply_by_reciprocal",
        "fast",
        "x / c = x · (1 / c) for a constant c",
        Op("divide", _x, Scalar(name="c")),
        _multiply_by_reciprocal,
    ),
)
