"""The step of a session, counted by C code: no signal handler runs half-way."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from itertools import repeat
from operator import length_hint, setitem


class StepCounter:
    """How many runs have been committed, from where it was set last.

    Attributes:
        increment: adds one. A call of it cannot fail, and touches little memory: it stands in the way of every run,
            behind kernels that have emptied the caches.
    """

    __slots__ = ("_base", "_left", "increment")

    def __init__(self) -> None:
        self._left = repeat(None, sys.maxsize)  # an iterator that counts down, and says how many are left
        self._base = [0]
        self.increment: Callable[[], object] = self._left.__next__

    @property
    def value(self) -> int:
        """The step."""
        return self._base[0] + sys.maxsize - length_hint(self._left)

    def setter(self, value: int) -> Callable[[], object]:
        """C code that sets it; nobody may increment it between this and that."""
        taken = sys.maxsize - length_hint(self._left)
        return partial(setitem, self._base, 0, value - taken)
