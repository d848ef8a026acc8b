"""Loss functions: `(predictions or logits, targets or labels, *, reduction="none" | "mean" | "sum")`."""

from __future__ import annotations

from graphc.errors import ShapeError, unknown_name
from graphc.ir import dims
from graphc.ir.tensor import Tensor
from graphc.ops import activation, reductions
from graphc.ops.arithmetic import square
from graphc.ops.define import TensorLike, as_tensor, float_operand
from graphc.surface import show_only

__all__ = ["mse", "softmax_cross_entropy"]
show_only(__name__, __all__)


def _reduced(losses: Tensor, reduction: str) -> Tensor:
    if reduction == "none":
        return losses
    if reduction == "mean":
        return reductions.mean(losses)
    if reduction == "sum":
        return reductions.sum(losses)
    raise unknown_name("reduction", reduction, ["none", "mean", "sum"])


def mse(predictions: TensorLike, targets: TensorLike, *, reduction: str = "none") -> Tensor:
    """Squared errors (predictions - targets)², elementwise, and their mean or sum if wanted.

    Args:
        predictions: numbers; integers become float32.
        targets: numbers of the same rank.
        reduction: `"none"`, `"mean"` or `"sum"` over all elements.

    Raises:
        ShapeError: the ranks differ; broadcasting (n,) against (n, 1) is nearly always a mistake.
    """
    first, second = float_operand(predictions), as_tensor(targets)
    if first.ndim != second.ndim:
        raise ShapeError(
            "mse: predictions and targets differ in rank",
            expected="two tensors of one shape: (n,) and (n, 1) would broadcast to (n, n)",
            got=f"{first.type} and {second.type}",
            fix="bring one to the shape of the other: gc.squeeze(t, axis=-1), gc.expand_dims(t, axis=-1)",
        )
    return _reduced(square(first - second), reduction)


def softmax_cross_entropy(logits: TensorLike, labels: TensorLike, *, reduction: str = "none") -> Tensor:
    """The cross-entropy between softmax(logits) and labels, along the last axis; finite for finite logits.

    **A label out of range is no error**, and masks nothing: its loss is logsumexp(logits), as if no class were right,
    and training goes on with it. Check labels before they are fed, or in the graph: where
    `gc.logical_and(labels >= 0, labels < classes)` is false, `gc.where` can put a NaN, which `gc.check_numerics` finds.

    Args:
        logits: floats `(..., classes)`.
        labels: integers `(...)` from 0 to classes - 1, or distributions of a float dtype `(..., classes)`.
        reduction: `"none"`, `"mean"` or `"sum"` over what is left after the last axis.

    Raises:
        ShapeError: the shapes of logits and labels do not fit together, or labels are integers and the number of
            classes is symbolic.
    """
    scores, target = float_operand(logits), as_tensor(labels)
    if target.dtype.kind != "float":
        return _reduced(activation.softmax_cross_entropy(scores, target), reduction)
    if target.ndim != scores.ndim:
        whole, rows = dims.shape_text(scores.shape), dims.shape_text(scores.shape[:-1])
        raise ShapeError(
            "softmax_cross_entropy: distributions must have the shape of the logits",
            expected=f"{whole}, or integer labels of shape {rows}",
            got=str(target.type),
            fix="class numbers are integers: labels.astype(gc.int64)",
        )
    return _reduced(-reductions.sum(target * activation.log_softmax(scores), axis=-1), reduction)
