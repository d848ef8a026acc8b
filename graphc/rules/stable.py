"""Stabilisation: replacements nearer to the real value. Gradients are taken of what these rules leave."""

from __future__ import annotations

from graphc.ir import dims
from graphc.ir.tensor import Tensor
from graphc.ops.activation import log_softmax, softmax, softplus
from graphc.ops.arithmetic import abs, negative
from graphc.ops.exponential import expm1, log1p, sigmoid
from graphc.ops.reductions import logsumexp
from graphc.rules.engine import Rule
from graphc.rules.pattern import Match, Op, Scalar, Wildcard

_x = Wildcard("x")
_exp = Op("exp", _x, name="exp")


def _softmax_of_quotient(m: Match) -> Tensor | None:
    """exp(x) / sum(exp(x)) over one axis; exp(x) may already carry a shift, which softmax does not mind."""
    axes = m.total.attrs["axis"]
    if len(axes) != 1 or not m.total.attrs["keepdims"] or not dims.at_least(m.x.shape[axes[0]], 1):
        return None  # over an empty axis the quotient is empty, while softmax has no value
    return softmax(m.x, axis=axes[0])


def _logsumexp_of_sum(m: Match) -> Tensor | None:
    axes = m.total.attrs["axis"]
    if not all(dims.at_least(m.x.shape[axis], 1) for axis in axes):
        return None  # logsumexp has no value over nothing, while log(sum([])) is -inf
    return logsumexp(m.x, axis=axes, keepdims=m.total.attrs["keepdims"])


STABLE: tuple[Rule, ...] = (
    Rule(
        "log_of_softmax",
        "stable",
        "log(softmax(x)) = log_softmax(x)",
        Op("log", Op("softmax", _x, name="inner")),
        lambda m: log_softmax(m.x, axis=m.inner.attrs["axis"]),
    ),
    Rule(
        "softmax_of_quotient",
        "stable",
        "exp(x) / Σ exp(x) = softmax(x), over one axis that is not empty, with keepdims (for x < inf)",
        Op("divide", _exp, Op("sum", Op("exp", _x), name="total")),
        _softmax_of_quotient,
    ),
    Rule(
        "logsumexp_of_sum",
        "stable",
        "log(Σ exp(x)) = logsumexp(x), over axes that are not empty",
        Op("log", Op("sum", _exp, name="total")),
        _logsumexp_of_sum,
    ),
    Rule(
        "log_of_sigmoid",
        "stable",
        "log(sigmoid(x)) = -softplus(-x)",
        Op("log", Op("sigmoid", _x)),
        lambda m: negative(softplus(negative(m.x))),
    ),
    Rule(
        "log_of_sigmoid_complement",
        "stable",
        "log(1 - sigmoid(x)) = -softplus(x)",
        Op("log", Op("subtract", Scalar(1.0), Op("sigmoid", _x))),
        lambda m: negative(softplus(m.x)),
    ),
    Rule(
        "log_of_one_plus",
        "stable",
        "log(x + 1) = log1p(x)",
        Op("log", Op("add", _x, Scalar(1.0))),
        lambda m: log1p(m.x),
    ),
    Rule(
        "exp_minus_one",
        "stable",
        "exp(x) - 1 = expm1(x)",
        Op("add", _exp, Scalar(-1.0)),
        lambda m: expm1(m.x),
    ),
    Rule("log_of_exp", "stable", "log(exp(x)) = x", Op("log", _exp), lambda m: m.x),
    Rule(
        "softplus_of_log1p_exp",
        "stable",
        "log1p(exp(x)) = softplus(x)",
        Op("log1p", _exp),
        lambda m: softplus(m.x),
    ),
    Rule(
        "sigmoid_of_quotient",
        "stable",
        "1 / (exp(-x) + 1) = sigmoid(x)",
        Op("divide", Scalar(1.0), Op("add", Op("exp", Op("negative", _x)), Scalar(1.0))),
        lambda m: sigmoid(m.x),
    ),
    Rule(
        "root_of_square",
        "stable",
        "sqrt(x · x) = |x|, without overflow",
        Op("sqrt", Op("multiply", _x, _x)),
        lambda m: abs(m.x),
    ),
)
