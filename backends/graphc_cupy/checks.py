"""What steps report while a plan runs: two words of device memory per check, and the error that they tell of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from graphc.errors import GraphcError, Origins
from graphc.ir import dims
from graphc.ir.dims import Dim
from graphc.ops.gather import out_of_range
from graphc.ops.structure import not_finite

WORDS = 2
_SMALLEST, _LARGEST = -(1 << 63), (1 << 63) - 1


class Check(NamedTuple):
    """What one check begins with, and what it makes of its words when the plan has run.

    Attributes:
        initial: both words before a run.
        error: (first word, second word, sizes) → the error, or `None` if all is well.
    """

    initial: tuple[int, int]
    error: Callable[[int, int, Mapping[str, int]], GraphcError | None]


def in_range(op: str, size: Dim, origins: Origins) -> Check:
    """Indices along an axis: the words are the smallest and the largest that are out of range."""

    def error(low: int, high: int, sizes: Mapping[str, int]) -> GraphcError | None:
        if low > high:
            return None
        return out_of_range(low, high, dims.evaluate(size, sizes), op, origins)

    return Check((_LARGEST, _SMALLEST), error)


def finite(size: Dim, message: str, origins: Origins) -> Check:
    """Numbers: the words count NaNs and infinities."""

    def error(nans: int, infinities: int, sizes: Mapping[str, int]) -> GraphcError | None:
        if not nans and not infinities:
            return None
        return not_finite(nans, infinities, dims.evaluate(size, sizes), message, origins)

    return Check((0, 0), error)
