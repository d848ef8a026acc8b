"""The right answers of a workload, and whether those of a runner are the same."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from benchmarks.runner import to_numpy
from benchmarks.workload import Problem, Workload

# Of training, whose losses must be right: every batch, and what is carried from one to the next.
STEPS_CHECKED = 20


class WrongAnswer(Exception):
    """A runner computes something else; the message says where."""


class RightAnswers(NamedTuple):
    """What the first calls must answer, by the reference in float64."""

    answers: list[tuple[np.ndarray, ...]]
    rtol: float
    atol: float

    def require(self, found: Sequence[tuple[np.ndarray, ...]]) -> None:
        """Compares the answers of the first calls.

        Raises:
            WrongAnswer: one differs.
        """
        for number, (arrays, right) in enumerate(zip(found, self.answers, strict=False), start=1):
            if len(arrays) != len(right):
                raise WrongAnswer(f"wrong answer: {len(arrays)} arrays instead of {len(right)}")
            for position, (array, expected) in enumerate(zip(arrays, right, strict=True), start=1):
                where = f"call {number}" + (f", result {position}" if len(right) > 1 else "")
                self._require_same(array, expected, where)

    def _require_same(self, found: np.ndarray, right: np.ndarray, where: str) -> None:
        if found.shape != right.shape:
            raise WrongAnswer(f"wrong answer to {where}: shape {found.shape} instead of {right.shape}")
        wrong = ~np.isclose(found, right, rtol=self.rtol, atol=self.atol, equal_nan=True)
        count = int(np.count_nonzero(wrong))
        if count:
            distance = np.where(wrong, np.abs(np.subtract(found, right, dtype=np.float64)), -1.0)
            at = np.unravel_index(int(np.argmax(np.nan_to_num(distance, nan=np.inf))), right.shape)
            place = f" at {tuple(map(int, at))}" if at else ""
            raise WrongAnswer(
                f"wrong answer to {where}: {count:,} of {right.size:,} numbers differ,"
                f" most{place}: {found[at]:.7g} instead of {right[at]:.7g}"
            )


def right_answers(workload: Workload, problem: Problem) -> RightAnswers:
    """Computes them: for each of the inputs, or the losses of the first training steps."""
    state = {name: _double(array) for name, array in problem.state.items()}
    inputs = [tuple(map(_double, arrays)) for arrays in problem.inputs]
    answers: list[tuple[np.ndarray, ...]]
    if workload.step:
        batches = list(itertools.islice(itertools.cycle(inputs), STEPS_CHECKED))
        answers = [(np.asarray(loss),) for loss in workload.reference(state, batches)]
    else:
        arguments: list[tuple[Any, ...]] = [(state, *arrays) if state else arrays for arrays in inputs]
        answers = [to_numpy(workload.reference(*several)) for several in arguments]
    return RightAnswers(answers, problem.rtol, problem.atol)


def _double(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float64) if array.dtype.kind == "f" else array
