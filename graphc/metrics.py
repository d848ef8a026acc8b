"""Metrics: functions of predictions and labels that nothing is trained on."""

from __future__ import annotations

from graphc.errors import ShapeError
from graphc.ir import dims
from graphc.ir.dtype import float32, int64, uint64
from graphc.ir.tensor import Tensor
from graphc.ops.define import TensorLike, as_tensor, convert
from graphc.ops.reductions import argmax, mean
from graphc.surface import show_only

__all__ = ["accuracy"]
show_only(__name__, __all__)


def accuracy(logits: TensorLike, labels: TensorLike) -> Tensor:
    """The share of rows whose largest logit is the labelled class, a float32 scalar.

    Args:
        logits: numbers `(..., classes)`.
        labels: integers `(...)`.

    Raises:
        ShapeError: the ranks do not fit; broadcasting would compare every row with every label.
    """
    guesses, wanted = argmax(logits, axis=-1), as_tensor(labels)
    if guesses.ndim != wanted.ndim:
        raise ShapeError(
            "accuracy: the labels must have one axis less than the logits",
            expected=f"labels of shape {dims.shape_text(guesses.shape)}",
            got=str(wanted.type),
            fix="take class numbers out of one-hot labels with gc.argmax(labels, axis=-1)",
        )
    if wanted.dtype is uint64:  # has no common dtype with the positions; what wraps around is no class either
        wanted = convert(wanted, int64)
    return mean(convert(guesses == wanted, float32))
