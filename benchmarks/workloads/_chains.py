"""Chains and balanced trees of any size, which no rule and no common subexpression can make smaller."""

from __future__ import annotations

from typing import Any

import numpy as np


def numbers(count: int) -> list[float]:
    """Around 1, all different, whose product stays within the range of floats."""
    return [float(w) for w in np.exp(np.random.default_rng(0).uniform(-0.1, 0.1, count))]


def chain(x: Any, operations: int, tanh: Any) -> Any:
    """t = tanh(t · wᵢ), over and over."""
    for w in numbers(operations // 2):
        x = tanh(x * w)
    return x


def tree(x: Any, operations: int, tanh: Any) -> Any:
    """Pairs tanh(a · b + c) of pairs, down to leaves x · wᵢ."""
    left = iter(numbers(operations))
    level = [x * next(left) for _ in range(operations // 4)]
    while len(level) > 1:
        odd = level[len(level) & ~1 :]
        level = [tanh(a * b + next(left)) for a, b in zip(level[::2], level[1::2], strict=False)] + odd
    return level[0]
