"""The first call of a binding, held to the protocol: what it returns, and how often it counts the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphc.errors import BackendError, StateLostError
from graphc.ir import dims
from graphc.ir.types import TensorType
from graphc.plan.data import Plan
from graphc.session.counter import StepCounter


class Trial:
    """A run of a call that has not been proven yet: made before it, and asked about what came of it.

    Args:
        name: of the backend.
        plan: what it is to run.
        sizes: to which it is bound.
        step: the session's.
        counts: whether the run counts as a step.
    """

    def __init__(self, name: str, plan: Plan, sizes: Mapping[str, int], step: StepCounter, counts: bool) -> None:
        self.name = name
        self.plan = plan
        self.sizes = sizes
        self.step = step
        self.counts = counts
        self._before = step.value

    def judge(self, results: Sequence[Any]) -> None:
        """Holds the results and the count to the plan.

        Raises:
            BackendError: they are not those of the plan, or the run counts although it should not; nothing is lost.
            StateLostError: variables have been written by a call that breaks the protocol.
        """
        wrong = [*self._wrong_count(self.step.value - self._before), *wrong_results(results, self.plan, self.sizes)]
        if not wrong:
            return
        if self.plan.updated:
            raise self._lost(wrong)
        self.step.setter(self._before)()
        raise BackendError(
            f"the backend {self.name!r} failed in a call",
            expected=self._expected(),
            got="\n".join(wrong),
            fix="report it to the makers of the backend",
        )

    def _wrong_count(self, counted: int) -> list[str]:
        if counted == int(self.counts):
            return []
        times = "once" if counted == 1 else f"{counted} times"
        return [f"committed() was called {times}, and not {'once' if self.counts else 'at all'}"]

    def _expected(self) -> str:
        types = ", ".join(str(self.plan.slots[index].type) for index in self.plan.results)
        return f"a list of NumPy arrays: {types or 'none'}" + ("; and one call of committed()" * self.counts)

    def _lost(self, wrong: Sequence[str]) -> StateLostError:
        return StateLostError(
            f"the backend {self.name!r} failed in a call that had begun to write variables",
            expected=self._expected(),
            got="\n".join(wrong),
            fix="session.restore(snapshot) goes on from a snapshot; without one, open a new session\n"
            "report it to the makers of the backend",
        )


def wrong_results(results: object, plan: Plan, sizes: Mapping[str, int]) -> list[str]:
    """What is wrong with the results of a call: their number, types, dtypes and shapes. Nothing if all is well."""
    if not isinstance(results, (list, tuple)):
        return [f"{_said(results)} instead of a list of results"]
    wanted = [plan.slots[index].type for index in plan.results]
    if len(results) != len(wanted):
        return [f"{len(results)} results, and not {len(wanted)}"]
    pairs = enumerate(zip(results, wanted, strict=True))
    return [f"result {at} is {why}" for at, (found, kind) in pairs if (why := _mismatch(found, kind, sizes))]


def _mismatch(found: object, wanted: TensorType, sizes: Mapping[str, int]) -> str:
    if not isinstance(found, np.ndarray):
        return f"{_said(found)}, and not an array"
    shape = tuple(dims.evaluate(size, sizes) for size in wanted.shape)
    if found.dtype == wanted.dtype.numpy and found.shape == shape:
        return ""
    here, there = dims.shape_text(found.shape), dims.shape_text(shape)
    return f"{found.dtype} of shape {here}, and not {wanted.dtype} of shape {there}"


def _said(value: object) -> str:
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) < 60 else text[:57] + '...'}"
