"""Metrics: functions of predictions and labels that nothing is trained on."""

from __future__ import annotations

from graphc.ir.dtype import float32
from graphc.ir.tensor import Tensor
from graphc.ops.define import TensorLike, as_tensor, convert
from graphc.ops.reductions import argmax, mean


def accuracy(logits: TensorLike, labels: TensorLike) -> Tensor:
    """The share of rows whose largest logit is the labelled class, a float32 scalar.

    Args:
        logits: numbers `(..., classes)`.
        labels: integers `(...)`.
    """
    guesses = argmax(logits, axis=-1)
    return mean(convert(guesses == as_tensor(labels), float32))
