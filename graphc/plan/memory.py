"""Memory of the arena: pure functions over intervals of steps."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from heapq import heappop, heappush
from itertools import accumulate, islice
from typing import Any, NamedTuple

import numpy as np

from graphc.ir import dims
from graphc.ir.dims import Dim, Monomial

ALIGNMENT = 64  # bytes: a cache line, and a vector register of AVX-512
_SHOWN = 3  # formulas of a peak that are printed
_FEW = 600  # intervals for which the quadratic packing is worth its time
_BLOCK = 1 << 20  # coefficients that are compared at once


class Interval(NamedTuple):
    """A buffer that is written first at step `start` and read last at step `end`."""

    start: int
    end: int
    nbytes: Dim


class Peak:
    """The largest number of bytes that live at one step: the maximum of some polynomials."""

    def __init__(self, candidates: Sequence[Dim]) -> None:
        self.candidates = tuple(candidates) or (0,)

    def evaluate(self, sizes: Mapping[str, int] | None = None, /, **more: int) -> int:
        """The number of bytes for given sizes of the symbols: `peak.evaluate(batch=3)`.

        Raises:
            UnknownNameError, ArgumentError: as `Poly.evaluate`.
        """
        known = dims.named_sizes(self.candidates, sizes, more)
        return max(dims.evaluate(candidate, known) for candidate in self.candidates)

    def __str__(self) -> str:
        """The formulas that are the largest at sizes of 100 first; of many, `candidates` holds the rest."""
        sample = dict.fromkeys(dims.symbols(self.candidates), 100)
        order = sorted(self.candidates, key=lambda candidate: -dims.evaluate(candidate, sample))
        texts = [str(candidate) for candidate in order[:_SHOWN]]
        if len(order) > _SHOWN:
            texts.append(f"… {len(order) - _SHOWN} more")
        return texts[0] if len(texts) == 1 else f"max({', '.join(texts)})"

    __repr__ = __str__


def aligned(nbytes: Dim) -> Dim:
    """A number of bytes, rounded up to the alignment."""
    if dims.exact_quotient(nbytes, ALIGNMENT) is not None:
        return nbytes
    return dims.floordiv(nbytes + (ALIGNMENT - 1), ALIGNMENT) * ALIGNMENT


def peak_of(intervals: Sequence[Interval]) -> Peak:
    """The maximum over the steps of the bytes that live there, every buffer rounded up to the alignment."""
    size_of = {nbytes: aligned(nbytes) for nbytes in dict.fromkeys(interval.nbytes for interval in intervals)}
    monomials = list(dict.fromkeys(monomial for size in size_of.values() for monomial, _ in dims.terms(size)))
    if all(isinstance(size, int) for size in size_of.values()):
        return Peak([max(_levels(intervals, size_of, 0), default=0)])
    rows = {nbytes: _coefficients(size, monomials) for nbytes, size in size_of.items()}
    kept: list[np.ndarray] = []
    levels = _levels(intervals, rows, np.zeros(len(monomials), np.int64))
    while block := list(islice(levels, _BLOCK // len(monomials) + 1)):
        kept = _maxima([*kept, *block], monomials)
    return Peak([dims.from_terms(dict(zip(monomials, row.tolist(), strict=True))) for row in kept])


def _levels(intervals: Sequence[Interval], size_of: Mapping[Dim, Any], nothing: Any) -> Iterator[Any]:
    """What lives at each step at which something begins to live: there is no maximum anywhere else."""
    begun: dict[int, list[Dim]] = defaultdict(list)
    ended: dict[int, list[Dim]] = defaultdict(list)
    for start, end, nbytes in intervals:
        begun[start].append(nbytes)
        ended[end + 1].append(nbytes)
    live = nothing
    for step in sorted({*begun, *ended}):
        for nbytes in ended.get(step, ()):
            live = live - size_of[nbytes]
        for nbytes in begun.get(step, ()):
            live = live + size_of[nbytes]
        if step in begun:
            yield live


def _coefficients(size: Dim, monomials: Sequence[Monomial]) -> np.ndarray:
    found = dict(dims.terms(size))
    return np.asarray([found.get(monomial, 0) for monomial in monomials], np.int64)


def _maxima(levels: Sequence[np.ndarray], monomials: Sequence[Monomial]) -> list[np.ndarray]:
    """The levels that no other reaches for all sizes: compared as `dims.at_least` does, but all at once."""
    rows = np.stack(levels)
    undecided = [column for column, monomial in enumerate(monomials) if not dims.is_nonnegative(monomial)]
    rows = np.hstack([rows, -rows[:, undecided]])  # comparable only where these coefficients are equal
    left = np.argsort(-rows.sum(axis=1), kind="stable")  # nothing reaches a level of a larger sum
    found: list[int] = []
    while left.size:
        found.append(int(left[0]))
        left = left[(rows[left] > rows[left[0]]).any(axis=1)]
    return [levels[index] for index in sorted(found)]


def pack(intervals: Sequence[tuple[int, int, int]]) -> tuple[list[int], int]:
    """Offsets for (start, end, bytes) such that what lives at the same time does not overlap, and the total.

    Of two first-fit orders (by size as in TensorFlow Lite's greedy-by-size planner, by start with a sorted free list)
    the tighter one is taken; the quadratic one only for few intervals, and only while there is something to gain.
    """
    sizes = [-(-nbytes // ALIGNMENT) * ALIGNMENT for _, _, nbytes in intervals]
    best = _pack_in_time_order(intervals, sizes)
    if len(intervals) > _FEW:
        return best
    least = _most_bytes(intervals, sizes)
    for order in _orders(intervals, sizes):
        if best[1] == least:
            break
        other = _pack_in_given_order(intervals, sizes, order)
        best = min(best, other, key=lambda packed: packed[1])
    return best


def _most_bytes(intervals: Sequence[tuple[int, int, int]], sizes: Sequence[int]) -> int:
    """The bytes that live at the same time, which no packing can undercut."""
    changes = [(start, size) for (start, _, _), size in zip(intervals, sizes, strict=True)]
    changes += [(end + 1, -size) for (_, end, _), size in zip(intervals, sizes, strict=True)]
    return max(accumulate((size for _, size in sorted(changes)), initial=0))


def _orders(intervals: Sequence[tuple[int, int, int]], sizes: Sequence[int]) -> list[list[int]]:
    indices = range(len(intervals))
    spans = [end - start for start, end, _ in intervals]
    return [
        sorted(indices, key=lambda i: (-sizes[i], -spans[i])),
        sorted(indices, key=lambda i: (-spans[i], -sizes[i])),
        sorted(indices, key=lambda i: -sizes[i] * (spans[i] + 1)),
    ]


def _pack_in_given_order(
    intervals: Sequence[tuple[int, int, int]], sizes: Sequence[int], order: Sequence[int]
) -> tuple[list[int], int]:
    offsets = [0] * len(intervals)
    placed: list[tuple[int, int]] = []  # (offset, index), sorted
    total = 0
    for index in order:
        start, end, _ = intervals[index]
        position = 0
        best: tuple[int, int] | None = None  # (waste, offset)
        for offset, other in placed:
            if intervals[other][0] > end or intervals[other][1] < start:
                continue
            gap = offset - position
            if gap >= sizes[index] and (best is None or gap < best[0]):
                best = (gap, position)
            position = max(position, offset + sizes[other])
        offsets[index] = position if best is None else best[1]
        insort(placed, (offsets[index], index))
        total = max(total, offsets[index] + sizes[index])
    return offsets, total


def _pack_in_time_order(intervals: Sequence[tuple[int, int, int]], sizes: Sequence[int]) -> tuple[list[int], int]:
    """Best fit with coalescing, in n log n."""
    offsets = [0] * len(intervals)
    free = _FreeList()
    ending: list[tuple[int, int]] = []
    for index in sorted(range(len(intervals)), key=lambda i: (intervals[i][0], -sizes[i])):
        start, end, _ = intervals[index]
        while ending and ending[0][0] < start:
            _, dead = heappop(ending)
            free.give(offsets[dead], sizes[dead])
        offsets[index] = free.take(sizes[index])
        heappush(ending, (end, index))
    return offsets, free.top


class _FreeList:
    """Gaps below `top`, by offset and by size."""

    def __init__(self) -> None:
        self.top = 0
        self._by_size: list[tuple[int, int]] = []
        self._by_start: dict[int, int] = {}
        self._by_stop: dict[int, int] = {}

    def take(self, size: int) -> int:
        if size == 0:
            return 0
        at = bisect_left(self._by_size, (size, 0))
        if at < len(self._by_size):
            found, offset = self._by_size[at]
            self._remove(offset, found)
            if found > size:
                self._insert(offset + size, found - size)
            return offset
        last = self._by_stop.get(self.top)
        if last is not None:
            self._remove(last, self.top - last)
            offset = last
        else:
            offset = self.top
        self.top = offset + size
        return offset

    def give(self, offset: int, size: int) -> None:
        if size == 0:
            return
        before = self._by_stop.get(offset)
        if before is not None:
            self._remove(before, offset - before)
            offset, size = before, size + offset - before
        after = self._by_start.get(offset + size)
        if after is not None:
            self._remove(offset + size, after)
            size += after
        self._insert(offset, size)

    def _insert(self, offset: int, size: int) -> None:
        insort(self._by_size, (size, offset))
        self._by_start[offset] = size
        self._by_stop[offset + size] = offset

    def _remove(self, offset: int, size: int) -> None:
        del self._by_size[bisect_left(self._by_size, (size, offset))]
        del self._by_start[offset], self._by_stop[offset + size]
