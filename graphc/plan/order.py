"""The order of steps that wait for one another: pure functions over their numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from heapq import heapify, heappop, heappush
from typing import Any


def sort_steps(successors: Sequence[Sequence[int]], key: Callable[[int], Any]) -> tuple[list[int], list[list[int]]]:
    """Kahn's algorithm: of the steps that wait for nothing, that with the smallest key is next.

    Args:
        successors: for each step those that wait for it; one that waits twice stands there twice.
        key: no two steps have the same.

    Returns:
        The order, and the knots: cycles of steps that wait for each other, no two of which share a step.
    """
    missing = [0] * len(successors)
    for followers in successors:
        for follower in followers:
            missing[follower] += 1
    ready = [(key(step), step) for step, count in enumerate(missing) if count == 0]
    heapify(ready)
    order: list[int] = []
    while ready:
        _, step = heappop(ready)
        order.append(step)
        for follower in successors[step]:
            missing[follower] -= 1
            if missing[follower] == 0:
                heappush(ready, (key(follower), follower))
    stuck = [step for step, count in enumerate(missing) if count]
    return order, _knots(stuck, successors)


def _knots(stuck: Sequence[int], successors: Sequence[Sequence[int]]) -> list[list[int]]:
    """Each step that is stuck waits for another such: whoever follows these pointers runs into a cycle."""
    waits_for = {follower: step for step in stuck for follower in successors[step]}
    knots: list[list[int]] = []
    seen: set[int] = set()
    for step in stuck:
        walk: dict[int, None] = {}
        while step not in seen:
            seen.add(step)
            walk[step] = None
            step = waits_for[step]
        if step in walk:
            path = list(walk)
            knots.append(path[path.index(step) :])
    return knots
