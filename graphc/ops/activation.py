"""Activation functions and the softmax family: composites, which a backend may claim whole."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from graphc.errors import DTypeError, ShapeError
from graphc.ir import dims
from graphc.ir.dtype import FLOAT, NUMERIC
from graphc.ir.opdef import Kind, Trait, public
from graphc.ir.tensor import Tensor, apply
from graphc.ir.types import TensorType, TupleType
from graphc.ops.arithmetic import abs
from graphc.ops.comparison import maximum, where
from graphc.ops.define import (
    TensorLike,
    convert,
    define,
    elementwise,
    float_operand,
    index_operand,
    normalise_axis,
    record,
    require_nonempty,
)
from graphc.ops.exponential import exp, log, log1p, sigmoid, tanh
from graphc.ops.gather import one_hot
from graphc.ops.layout import expand_dims, squeeze
from graphc.ops.precision import rounded_once
from graphc.ops.reductions import logsumexp_terms, max, sum
from graphc.ops.special import erf
from graphc.ops.structure import project

RELU = elementwise(
    "relu",
    1,
    NUMERIC,
    (lambda ct, node: where(node.inputs[0] > 0, ct, 0.0),),
    array_fn=lambda xp, x: xp.maximum(x, x.dtype.type(0)),
    traits=[Trait.IDEMPOTENT],
)


@public
def relu(x: TensorLike, /) -> Tensor:
    """max(x, 0); NaN stays NaN. The gradient at 0 is 0."""
    return record(RELU, x)


def _same_type(types: tuple[TensorType, ...], attrs: Mapping[str, Any]) -> TensorType:
    if types[0].dtype not in FLOAT:
        raise DTypeError("a float dtype is needed")
    return types[0]


def _gelu_parts(node: Tensor) -> Tensor:
    (x,) = node.inputs
    if not node.attrs["approximate"]:
        return x * (0.5 * (1.0 + erf(x * math.sqrt(0.5))))
    inner = math.sqrt(2.0 / math.pi) * (x + 0.044715 * (x * x * x))
    return x * (0.5 * (1.0 + tanh(inner)))


GELU = define("gelu", Kind.COMPOSITE, _same_type, None, dtypes=FLOAT, decompose=_gelu_parts, traits=[Trait.INEXACT])


@public
@rounded_once
def gelu(x: TensorLike, /, *, approximate: bool = False) -> Tensor:
    """x · Φ(x) with the normal distribution Φ, or its tanh approximation (Hendrycks and Gimpel, 2016).

    Args:
        x: numbers; integers become float32.
        approximate: whether to take the tanh approximation.
    """
    return apply(GELU, (float_operand(x),), approximate=bool(approximate))


SOFTPLUS = define(
    "softplus",
    Kind.COMPOSITE,
    _same_type,
    (lambda ct, node: ct * sigmoid(node.inputs[0]),),
    dtypes=FLOAT,
    decompose=lambda node: maximum(node.inputs[0], 0.0) + log1p(exp(-abs(node.inputs[0]))),
    traits=[Trait.INEXACT],
)


@public
def softplus(x: TensorLike, /) -> Tensor:
    """log(1 + exp(x)), without overflow."""
    return record(SOFTPLUS, x)


# --- softmax ----------------------------------------------------------------------------------------------


def _softmax_type(types: tuple[TensorType, ...], attrs: Mapping[str, Any]) -> TensorType:
    operand = _same_type(types, attrs)
    require_nonempty(operand.shape[attrs["axis"]], "softmax")
    return operand


def _softmax_parts(node: Tensor) -> Tensor:
    (x,), axis = node.inputs, node.attrs["axis"]
    powers = exp(x - max(x, axis=axis, keepdims=True))
    return powers / sum(powers, axis=axis, keepdims=True)


def _softmax_vjp(ct: Tensor, node: Tensor) -> Tensor:
    return node * (ct - sum(ct * node, axis=node.attrs["axis"], keepdims=True))


SOFTMAX = define(
    "softmax",
    Kind.COMPOSITE,
    _softmax_type,
    (_softmax_vjp,),
    dtypes=FLOAT,
    decompose=_softmax_parts,
    traits=[Trait.INEXACT],
)


@public
@rounded_once
def softmax(x: TensorLike, /, *, axis: int = -1) -> Tensor:
    """exp(x) / Σ exp(x) along an axis, without overflow.

    Args:
        x: numbers; integers become float32.
        axis: the axis of the classes.
    """
    node = float_operand(x)
    return apply(SOFTMAX, (node,), axis=normalise_axis(axis, node.ndim))


def _log_softmax_parts(node: Tensor) -> Tensor:
    (x,), axis = node.inputs, node.attrs["axis"]
    shifted = x - max(x, axis=axis, keepdims=True)  # NaN at an infinite peak, as softmax is
    return shifted - log(sum(exp(shifted), axis=axis, keepdims=True))


LOG_SOFTMAX = define(
    "log_softmax",
    Kind.COMPOSITE,
    _softmax_type,
    (lambda ct, node: ct - exp(node) * sum(ct, axis=node.attrs["axis"], keepdims=True),),
    dtypes=FLOAT,
    decompose=_log_softmax_parts,
    traits=[Trait.INEXACT],
)


@public
@rounded_once
def log_softmax(x: TensorLike, /, *, axis: int = -1) -> Tensor:
    """log(softmax(x)) along an axis, finite for finite x.

    Args:
        x: numbers; integers become float32.
        axis: the axis of the classes.
    """
    node = float_operand(x)
    return apply(LOG_SOFTMAX, (node,), axis=normalise_axis(axis, node.ndim))


# --- cross-entropy with integer labels, along the last axis ------------------------------------------------


def _require_static_classes(logits: TensorType) -> None:
    """What the loss and its gradient are made of needs a number for its one-hot rows."""
    if logits.ndim and not isinstance(logits.shape[-1], int):
        raise ShapeError(
            "the number of classes must be static",
            expected="logits whose last size is a number",
            fix="declare it as a number in the placeholder's shape, or give the variable of the last layer that size",
        )


def _cross_entropy_type(types: tuple[TensorType, ...], attrs: Mapping[str, Any]) -> TupleType:
    logits, labels = types
    if logits.dtype not in FLOAT or labels.dtype.kind not in ("int", "uint"):
        raise DTypeError(
            "float logits and integer labels are needed",
            expected="logits of a float dtype, labels of an integer dtype",
            fix="convert with .astype",
        )
    _require_static_classes(logits)
    if logits.ndim != labels.ndim + 1:
        raise ShapeError(
            "the labels must have one axis less than the logits",
            expected=f"labels of shape {dims.shape_text(logits.shape[:-1])}: one class number per row",
            fix="take class numbers out of one-hot labels with gc.argmax(labels, axis=-1)",
        )
    for mine, other in zip(labels.shape, logits.shape, strict=False):
        dims.require_equal(
            mine,
            other,
            "the labels must have the shape of the logits without their last axis",
            fix="pass one label per row of the logits",
        )
    dims.require_at_least(
        logits.shape[-1], 1, "without classes there is no value", fix="the last axis of the logits counts the classes"
    )
    row = TensorType(logits.dtype, logits.shape[:-1])
    return TupleType((row, row, row))


def _class_mask(labels: Tensor, logits: Tensor) -> Tensor:
    classes = logits.shape[-1]
    assert isinstance(classes, int)
    return one_hot(labels, classes, dtype=bool)


def _cross_entropy_parts(node: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The loss, and the two terms of the log-sum as residuals: one number for both would cost the gradient digits."""
    logits, labels = node.inputs
    shift, rest = (squeeze(term, -1) for term in logsumexp_terms(logits, -1))
    # A choice, not a product with one-hot rows: 0 · inf would be NaN.
    chosen = sum(where(_class_mask(labels, logits), logits, 0.0), axis=-1)
    return rest + (shift - chosen), shift, rest


def _cross_entropy_vjp(cts: Sequence[Tensor | None], node: Tensor) -> tuple[Tensor | None, None]:
    logits, labels = node.inputs
    ct_loss, _, ct_rest = cts
    shift, rest = project(node, 1), project(node, 2)
    total: Tensor | None = None
    if ct_loss is not None:
        total = apply(SOFTMAX_CROSS_ENTROPY_GRAD, (ct_loss, logits, labels, shift, rest))
    if ct_rest is not None:
        from_rest = expand_dims(ct_rest, -1) * _probabilities(logits, shift, rest)
        total = from_rest if total is None else total + from_rest
    return total, None


def _probabilities(logits: Tensor, shift: Tensor, rest: Tensor) -> Tensor:
    return exp((logits - expand_dims(shift, -1)) - expand_dims(rest, -1))


SOFTMAX_CROSS_ENTROPY = define(
    "softmax_cross_entropy",
    Kind.COMPOSITE,
    _cross_entropy_type,
    _cross_entropy_vjp,
    decompose=_cross_entropy_parts,
    traits=[Trait.INEXACT],
)


@rounded_once
def softmax_cross_entropy(logits: TensorLike, labels: TensorLike, /) -> Tensor:
    """logsumexp(logits) - logits[label] along the last axis; only the log-sum for a label out of range.

    Finite for finite logits. A label out of range, a negative one included, is no error: check labels before.

    Args:
        logits: floats `(..., classes)`.
        labels: integers `(...)` from 0 to classes - 1.

    Returns:
        Losses `(...)`.

    Raises:
        ShapeError: the shapes do not fit together, or the number of classes is symbolic.
    """
    node = apply(SOFTMAX_CROSS_ENTROPY, (float_operand(logits), index_operand(labels, "softmax_cross_entropy")))
    return project(node, 0)


def _cross_entropy_grad_type(types: tuple[TensorType, ...], attrs: Mapping[str, Any]) -> TensorType:
    ct, logits, labels, shift, rest = types
    _require_static_classes(logits)
    for row in (ct, labels, shift, rest):
        if len(row.shape) != len(logits.shape) - 1:
            raise ShapeError("the gradient takes a number per row of logits", got=f"{row} for {logits}")
        for mine, wanted in zip(row.shape, logits.shape, strict=False):
            dims.require_equal(mine, wanted, "the gradient takes a number per row of logits")
    return logits


def _cross_entropy_grad_parts(node: Tensor) -> Tensor:
    ct, logits, labels, shift, rest = node.inputs
    probabilities = _probabilities(logits, shift, rest)
    return expand_dims(ct, -1) * (probabilities - convert(_class_mask(labels, logits), logits.dtype))


SOFTMAX_CROSS_ENTROPY_GRAD = define(
    "softmax_cross_entropy_grad",
    Kind.COMPOSITE,
    _cross_entropy_grad_type,
    None,
    decompose=_cross_entropy_grad_parts,
    traits=[Trait.INEXACT],
)
