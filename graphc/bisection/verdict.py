"""What counts as wrong, and who did it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from graphc.errors import NO_ORIGINS, ArgumentError, Origins
from graphc.ir.ledger import Hit
from graphc.ir.tensor import Tensor

IsWrong = Callable[[Sequence[np.ndarray], Sequence[np.ndarray]], bool]
"""(what was computed, what the reference computes) → whether that is wrong: results, then new values of variables.

Bisection also asks it about single nodes: then both lists hold the values of that node."""

_ALLOWED = {
    "float32": 1e-3, "float64": 1e-6, "complex64": 1e-3, "complex128": 1e-6, "float16": 1e-2, "bfloat16": 5e-2,
    "float8_e4m3fn": 0.25, "float8_e5m2": 0.5,
}  # fmt: skip
"""Shares of the largest element: of what is only stored, a few units of its last place."""


class Culprit(NamedTuple):
    """What made an answer wrong.

    Attributes:
        kind: `"rule"`, `"pass"`, `"fusion"`, `"kernel"`, `"printer"`, `"plan"`; `"law"` where the backend does as
            documented, and `CompileOptions(law="strict")` forbids it; `"nothing"` where the answer is right.
        name: of the rule, pass or op; of a kind of group where no op of it is wrong alone; of the backend for a law.
        reason: one sentence on how it was found.
        origins: the user's lines of the node where it happened.
        hit: for a rule: the row of the ledger.
        node: for a kernel, a printer, or a wrong Kernel: the node that is computed wrongly.
        expected: what the reference interpreter computes: the results, then the new values of the variables; nothing
            where it fails.
    """

    kind: str
    name: str
    reason: str
    origins: Origins = NO_ORIGINS
    hit: Hit | None = None
    node: Tensor | None = None
    expected: tuple[np.ndarray, ...] = ()

    def __str__(self) -> str:
        where = f"  at {self.origins}" if self.origins.lines else ""
        return f"{self.kind} {self.name}".rstrip() + f": {self.reason}{where}"


def differs(computed: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> bool:
    """Whether some array is off by more than a thousandth (a millionth in float64) of its largest element.

    NaNs and infinities must be in the same places; integers and bools must be equal.
    """
    return any(_differs(np.asarray(a), np.asarray(b)) for a, b in zip(computed, expected, strict=True))


def _differs(a: np.ndarray, b: np.ndarray) -> bool:
    if a.dtype != b.dtype or a.shape != b.shape:
        return True
    name = a.dtype.name
    if name in _ALLOWED and a.dtype.itemsize < 4:
        a, b = a.astype(np.float32), b.astype(np.float32)
    if a.dtype.kind not in "fc":
        return not np.array_equal(a, b)
    finite = np.isfinite(b)
    if not np.array_equal(a[~finite], b[~finite], equal_nan=True):
        return True
    with np.errstate(all="ignore"):
        wide = a[finite].astype(np.complex128 if a.dtype.kind == "c" else np.float64)
        off = np.abs(wide - b[finite]).max(initial=0)
        allowed = _ALLOWED[name] * np.abs(b[finite]).max(initial=1e-30)
    return not bool(off <= allowed)


class Judge:
    """A predicate, held to what it must be able to tell. Where it fails later, nothing is called wrong.

    Args:
        predicate: see `IsWrong`.
        expected: the reference's answer.

    Raises:
        ArgumentError: it fails on that answer, or calls it wrong.
    """

    def __init__(self, predicate: IsWrong, expected: Sequence[np.ndarray]) -> None:
        self.predicate = predicate
        if self.tell(expected, expected):
            raise ArgumentError(
                "is_wrong calls the reference's own answer wrong",
                expected="f(computed, expected) to be False where both are the same",
                got=f"{self._name()} is True of the reference's answer and itself",
                fix="compare both: not np.allclose(computed[0], expected[0], equal_nan=True), for example",
            )

    def __call__(self, computed: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> bool:
        """Whether that is wrong."""
        try:
            return bool(self.predicate(computed, expected))
        except Exception:  # it is made for the whole answer, and this is a part of it, or a smaller one
            return False

    def tell(self, computed: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> bool:
        """As a call, for the whole answer.

        Raises:
            ArgumentError: the predicate fails, or gives something else than a bool.
        """
        try:
            found: Any = self.predicate(computed, expected)
        except Exception as error:
            raise self._refused(f"{type(error).__name__}: {error}") from error
        if not isinstance(found, (bool, np.bool_)):
            raise self._refused(f"{found!r}, which is no bool")
        return bool(found)

    def _refused(self, got: str) -> ArgumentError:
        return ArgumentError(
            "is_wrong cannot judge this answer",
            expected="f(computed, expected) -> bool, of two lists of arrays: the results, then new values of variables",
            got=f"from {self._name()}: {got}",
            fix="leave is_wrong= out, or compare the lists array by array",
        )

    def tolerance(self) -> str:
        """What it lets pass, in words."""
        if self.predicate is not differs:
            return f"as far as {self._name()} tells"
        return "within 1e-3 of an array's largest element in float32, 1e-6 in float64"

    def _name(self) -> str:
        return str(getattr(self.predicate, "__name__", "is_wrong"))  # a partial has none
