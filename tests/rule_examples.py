"""One example per rewrite rule: the graph before and after it, built from leaves that the caller chooses.

`test_rules.py` checks structure and numbers; a fuzzer plants `example.before(*leaves)` into random graphs.
"""

import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import graphc as gc
from graphc.ir.opdef import OPS, Trait
from graphc.ir.tensor import Tensor, apply
from graphc.ops.activation import log_softmax, relu, softmax, softplus
from graphc.ops.slicing import SLICE

FLOATS = ("float32", "float64")
INTS = ("int8", "int32", "int64", "uint8", "uint32")
NUMBERS = FLOATS + INTS


class Example(NamedTuple):
    """What a rule does.

    Attributes:
        before: leaves → a tensor that the rule rewrites.
        after: leaves → what it becomes if the rule runs alone, or with its companions.
        dtypes: what a leaf `"x"` may be.
        leaves: `"x"`: any shape, the same for all of them; `"scalar"`: of the dtype of x, without axes;
            `"bool"`: a bool of the shape of x.
        rank: the least number of axes of the leaves, whose sizes are at least 1.
        companions: rules that must run beside it.
        planted: as `before`, where that would not survive until its turn in the pipeline.
        truth: for `stable`: arrays in float64 → the value.
        gain: for `stable`: an array on which the graph before is useless, and the graph after is right.
        floor: for `stable`: the size of intermediate values, against which errors are measured, too.
        magnitude: for `reorder`: leaves → Σ|terms|; by default `before` of absolute values.
    """

    before: Callable[..., Tensor]
    after: Callable[..., Tensor]
    dtypes: tuple[str, ...] = FLOATS
    leaves: tuple[str, ...] = ("x",)
    rank: int = 0
    companions: tuple[str, ...] = ()
    planted: Callable[..., Tensor] | None = None
    truth: Callable[[Any], Any] | None = None
    gain: tuple[float, ...] = ()
    floor: float = 0.0
    magnitude: Callable[..., Tensor] | None = None

    def kinds(self, dtype: str) -> list[tuple[str, bool]]:
        """Dtype of every leaf, and whether it is a scalar."""
        return [("bool" if leaf == "bool" else dtype, leaf == "scalar") for leaf in self.leaves]


XY, XS, CXY = ("x", "x"), ("x", "scalar"), ("bool", "x", "x")


def _sort(name: str, dtypes: tuple[str, ...], constant: Any) -> tuple[str, Example]:
    function = getattr(gc, name)
    return f"sort_{name}", Example(lambda x: function(constant, x), lambda x: function(x, constant), dtypes)


def _implied(name: str, dtypes: tuple[str, ...]) -> tuple[str, Example]:
    function = getattr(gc, name)
    example = Example(
        lambda x, s: function(x, gc.broadcast_to(s, x.shape)), lambda x, s: function(x, s), dtypes, XS, rank=1
    )
    return f"implied_broadcast_{name}", example


def _idempotent(name: str) -> tuple[str, Example]:
    function = relu if name == "relu" else getattr(gc, name)
    dtypes = {"abs": NUMBERS, "relu": NUMBERS, "sign": (*FLOATS, "int8", "int64")}.get(name, FLOATS)
    return f"idempotent_{name}", Example(lambda x: function(function(x)), function, dtypes)


def _permuted(x: Tensor) -> Tensor:
    return gc.permute_dims(gc.permute_dims(x), [*range(1, x.ndim), 0])


def _permuted_once(x: Tensor) -> Tensor:
    reverse = list(range(x.ndim))[::-1]
    return gc.permute_dims(x, [*reverse[1:], reverse[0]])


def _full_slice(x: Tensor) -> Tensor:
    return apply(SLICE, (x,), starts=(0,) * x.ndim, lengths=x.shape, steps=(1,) * x.ndim)


def _quotient(x: Tensor) -> Tensor:
    powers = gc.exp(x)
    return powers / gc.sum(powers, axis=-1, keepdims=True)


_ROWS = np.array([0, 0])


def _scatter_step(w: Tensor, c: Tensor) -> Tensor:
    rows = gc.take(w, _ROWS, axis=0)
    return w - gc.scatter_add(gc.zeros_like(w), _ROWS, rows, axis=0) * c


def _scattered(w: Tensor, c: Tensor) -> Tensor:
    return gc.scatter_add(w, _ROWS, -(gc.take(w, _ROWS, axis=0) * c), axis=0)


def _plus_zero(x: Tensor) -> Tensor:
    return x + 0.0 if x.dtype.kind == "float" else x


def _shifted(x: Any) -> tuple[Any, Any]:
    powers = np.exp(x - x.max(axis=-1, keepdims=True))
    return powers, powers.sum(axis=-1, keepdims=True)


def _log_softmax(x: Any) -> Any:
    return x - x.max(axis=-1, keepdims=True) - np.log(_shifted(x)[1])


def _softmax(x: Any) -> Any:
    powers, total = _shifted(x)
    return powers / total


def _logsumexp(x: Any) -> Any:
    return x.max(axis=-1) + np.log(_shifted(x)[1][..., 0])


_COMMUTATIVE = {
    "add": (NUMBERS, 3),
    "multiply": (NUMBERS, 3),
    "equal": (NUMBERS, 3),
    "not_equal": (NUMBERS, 3),
    "minimum": (NUMBERS, 3),
    "maximum": (NUMBERS, 3),
    "bitwise_and": (INTS, 3),
    "bitwise_or": (INTS, 3),
    "bitwise_xor": (INTS, 3),
    "logical_and": (("bool",), True),
    "logical_or": (("bool",), False),
    "logical_xor": (("bool",), True),
}
_BINARY = {
    "divide": FLOATS,
    **dict.fromkeys(("add", "subtract", "multiply", "minimum", "maximum", "equal", "less", "less_equal"), NUMBERS),
    "pow": FLOATS,
}

CANONICAL_EXAMPLES: dict[str, Example] = {
    **dict(_sort(op.name, *_COMMUTATIVE[op.name]) for op in OPS.values() if Trait.COMMUTATIVE in op.traits),
    **dict(itertools.starmap(_implied, _BINARY.items())),
    "subtract_constant": Example(lambda x: x - 1.5, lambda x: x + (-1.5)),
    "divide_by_power_of_two": Example(lambda x: x / -8.0, lambda x: x * -0.125),
    "greater_as_less": Example(lambda x, y: x > y, lambda x, y: y < x, NUMBERS, XY),
    "greater_equal_as_less_equal": Example(lambda x, y: x >= y, lambda x, y: y <= x, NUMBERS, XY),
    "double_negative": Example(lambda x: gc.negative(-x), lambda x: x, NUMBERS),
    "multiply_minus_one": Example(lambda x: x * -1, lambda x: -x, (*FLOATS, "int8", "int64")),
    "subtract_negative": Example(lambda x, y: x - (-y), lambda x, y: x + y, NUMBERS, XY),
    "add_negative": Example(lambda x, y: x + (-y), lambda x, y: x - y, NUMBERS, XY),
    "negated_factor": Example(lambda x, y: (-x) * y, lambda x, y: -(x * y), NUMBERS, XY),
    "merge_reshapes": Example(
        lambda x: gc.reshape(gc.expand_dims(x, 0), (-1, 1)), lambda x: gc.reshape(x, (-1, 1)), NUMBERS
    ),
    "merge_permutations": Example(_permuted, _permuted_once, NUMBERS, rank=2),
    "merge_broadcasts": Example(
        lambda x: gc.broadcast_to(gc.broadcast_to(x, (2, *x.shape)), (3, 2, *x.shape)),
        lambda x: gc.broadcast_to(x, (3, 2, *x.shape)),
        NUMBERS,
    ),
    "merge_slices": Example(lambda x: x[..., ::-1][..., ::-1], _full_slice, NUMBERS, rank=1),
    "drop_slice": Example(
        lambda x: x[..., ::-1][..., ::-1], lambda x: x, NUMBERS, rank=1, companions=("merge_slices",)
    ),
}

STABLE_EXAMPLES: dict[str, Example] = {
    "log_of_softmax": Example(
        lambda x: gc.log(softmax(x)), log_softmax, rank=1, truth=_log_softmax, gain=(0.0, 200.0), floor=200.0
    ),
    "softmax_of_quotient": Example(_quotient, softmax, rank=1, truth=_softmax, gain=(0.0, 200.0), floor=1.0),
    "logsumexp_of_sum": Example(
        lambda x: gc.log(gc.sum(gc.exp(x), axis=-1)),
        lambda x: gc.logsumexp(x, axis=-1),
        rank=1,
        truth=_logsumexp,
        gain=(200.0, 200.0),
        floor=1.0,
    ),
    "log_of_sigmoid": Example(
        lambda x: gc.log(gc.sigmoid(x)),
        lambda x: -softplus(-x),
        truth=lambda x: -np.logaddexp(0, -x),
        gain=(-200.0,),
    ),
    "log_of_sigmoid_complement": Example(
        lambda x: gc.log(1.0 - gc.sigmoid(x)),
        lambda x: -softplus(x),
        truth=lambda x: -np.logaddexp(0, x),
        gain=(200.0,),
    ),
    "log_of_one_plus": Example(lambda x: gc.log(x + 1.0), gc.log1p, truth=np.log1p, gain=(1e-10,)),
    "exp_minus_one": Example(
        lambda x: gc.exp(x) - 1.0, gc.expm1, companions=("subtract_constant",), truth=np.expm1, gain=(1e-10,)
    ),
    "log_of_exp": Example(lambda x: gc.log(gc.exp(x)), lambda x: x, truth=lambda x: x, gain=(200.0,)),
    "softplus_of_log1p_exp": Example(
        lambda x: gc.log1p(gc.exp(x)), softplus, truth=lambda x: np.logaddexp(0, x), gain=(200.0,)
    ),
    "sigmoid_of_quotient": Example(
        lambda x: 1.0 / (gc.exp(-x) + 1.0), gc.sigmoid, truth=lambda x: np.exp(-np.logaddexp(0, -x))
    ),
    "root_of_square": Example(lambda x: gc.sqrt(x * x), gc.abs, truth=np.abs, gain=(1e30,)),
}

SIMPLIFY_EXAMPLES: dict[str, Example] = {
    **dict(_idempotent(op.name) for op in OPS.values() if Trait.IDEMPOTENT in op.traits),
    "multiply_one": Example(lambda x: x * 1, lambda x: x, NUMBERS),
    # Canonicalisation makes x · 1 of x / 1: only a 1 that folding finds comes this far.
    "divide_one": Example(lambda x: x / 1.0, lambda x: x, planted=lambda x: x / (gc.sign(gc.asarray(5.0)))),
    "add_negative_zero": Example(lambda x: x + (-0.0), lambda x: x),
    "add_zero": Example(lambda x: x + 0, lambda x: x, INTS),
    "subtract_zero": Example(lambda x: x - 0, lambda x: x, INTS),
    "multiply_zero": Example(lambda x: x * 0, lambda x: gc.zeros_like(x), INTS),
    "subtract_self": Example(lambda x: x - x, lambda x: gc.zeros_like(x), INTS),
    "pow_one": Example(lambda x: x**1, lambda x: x, NUMBERS),
    "pow_two": Example(lambda x: x**2, lambda x: x * x, NUMBERS),
    "reciprocal_root": Example(lambda x: 1.0 / gc.sqrt(x), gc.rsqrt),
    "pow_half": Example(lambda x: x**0.5, gc.sqrt),
    "abs_of_negative": Example(lambda x: abs(-x), abs, (*FLOATS, "int8", "int64")),
    "minimum_self": Example(lambda x: gc.minimum(x, x), lambda x: x, NUMBERS),
    "maximum_self": Example(lambda x: gc.maximum(x, x), lambda x: x, NUMBERS),
    "where_same": Example(lambda c, x: gc.where(c, x, x), lambda c, x: x, (*NUMBERS, "bool"), ("bool", "x")),
    "where_true": Example(lambda x, y: gc.where(True, x, y), lambda x, y: x, (*NUMBERS, "bool"), XY),
    "where_false": Example(lambda x, y: gc.where(False, x, y), lambda x, y: y, (*NUMBERS, "bool"), XY),
    "double_not": Example(lambda x: gc.logical_not(gc.logical_not(x)), lambda x: x, ("bool",)),
    "not_equal_of_not": Example(lambda x, y: gc.logical_not(x == y), lambda x, y: x != y, (*NUMBERS, "bool"), XY),
    "and_true": Example(lambda x: gc.logical_and(x, True), lambda x: x, ("bool",)),
    "or_false": Example(lambda x: gc.logical_or(x, False), lambda x: x, ("bool",)),
    "xor_true": Example(lambda x: gc.logical_xor(x, True), gc.logical_not, ("bool",)),
    "stop_gradient": Example(gc.stop_gradient, lambda x: x, (*NUMBERS, "bool")),
    "sum_over_nothing": Example(lambda x: gc.sum(x, axis=()), _plus_zero, (*FLOATS, "int64", "uint64")),
    "sum_of_single_elements": Example(
        lambda x: gc.sum(gc.expand_dims(x, 0), axis=0),
        lambda x: _plus_zero(gc.reshape(gc.expand_dims(x, 0), x.shape)),
        (*FLOATS, "int64", "uint64"),
    ),
    "merge_sums": Example(
        lambda x: gc.sum(gc.sum(x, axis=0), axis=-1),
        lambda x: gc.sum(x, axis=(0, x.ndim - 1)),
        (*FLOATS, "int64"),
        rank=2,
    ),
    "scatter_into_variable": Example(
        _scatter_step,
        _scattered,
        leaves=XS,
        rank=1,
        magnitude=lambda w, c: _scatter_step(abs(w), -abs(c)),
    ),
    "multiply_by_reciprocal": Example(lambda x: x / 3.0, lambda x: x * (1.0 / 3.0)),
}

EXAMPLES: dict[str, Example] = {**CANONICAL_EXAMPLES, **STABLE_EXAMPLES, **SIMPLIFY_EXAMPLES}
