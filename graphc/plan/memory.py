"""Memory of the arena: pure functions over intervals of steps."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Mapping, Sequence
from heapq import heappop, heappush
from itertools import accumulate
from typing import NamedTuple

from graphc.ir import dims
from graphc.ir.dims import Dim

ALIGNMENT = 64  # bytes: a cache line, and a vector register of AVX-512
_FEW = 600  # intervals for which the quadratic packing is worth its time


class Interval(NamedTuple):
    """A buffer that is written first at step `start` and read last at step `end`."""

    start: int
    end: int
    nbytes: Dim


class Peak:
    """The largest number of bytes that live at one step: the maximum of some polynomials."""

    def __init__(self, candidates: Sequence[Dim]) -> None:
        self.candidates = tuple(candidates) or (0,)

    def evaluate(self, sizes: Mapping[str, int] | None = None, **more: int) -> int:
        """The number of bytes for given sizes of the symbols."""
        known = {**(sizes or {}), **more}
        return max(dims.evaluate(candidate, known) for candidate in self.candidates)

    def __str__(self) -> str:
        texts = [str(candidate) for candidate in self.candidates]
        return texts[0] if len(texts) == 1 else f"max({', '.join(texts)})"

    __repr__ = __str__


def aligned(nbytes: Dim) -> Dim:
    """A number of bytes, rounded up to the alignment."""
    if dims.exact_quotient(nbytes, ALIGNMENT) is not None:
        return nbytes
    return dims.floordiv(nbytes + (ALIGNMENT - 1), ALIGNMENT) * ALIGNMENT


def peak_of(intervals: Sequence[Interval]) -> Peak:
    """The maximum over the steps of the bytes that live there, every buffer rounded up to the alignment."""
    changes: dict[int, list[tuple[bool, Dim]]] = {}
    for interval in intervals:
        size = aligned(interval.nbytes)
        changes.setdefault(interval.start, []).append((True, size))
        changes.setdefault(interval.end + 1, []).append((False, size))
    live: Dim = 0
    kept: list[Dim] = []
    for step in sorted(changes):
        rises = False
        for is_start, size in changes[step]:
            live = live + size if is_start else live - size
            rises = rises or is_start
        if rises and not any(dims.at_least(other, live) for other in kept):
            kept = [other for other in kept if not dims.at_least(live, other)] + [live]
    return Peak(kept)


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
