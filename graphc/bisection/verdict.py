"""What counts as wrong, and who did it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from graphc.errors import NO_ORIGINS, Origins
from graphc.ir.ledger import Hit
from graphc.ir.tensor import Tensor

IsWrong = Callable[[Sequence[np.ndarray], Sequence[np.ndarray]], bool]
"""(what was computed, what the reference computes) → whether that is wrong: results, then new values of variables."""


class Culprit(NamedTuple):
    """What made an answer wrong.

    Attributes:
        kind: `"rule"`, `"pass"`, `"fusion"`, `"kernel"`, `"printer"`, `"plan"`; `"nothing"` where the answer is right.
        name: of the rule, pass or op; of a kind of group where no op of it is wrong alone.
        reason: one sentence on how it was found.
        origins: the user's lines of the node where it happened.
        hit: for a rule: the row of the ledger.
        node: for a kernel, a printer, or a wrong Kernel: the node that is computed wrongly.
        expected: what the reference interpreter computes: the results, then the new values of the variables.
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
        return f"{self.kind} {self.name}: {self.reason}{where}".replace("  ", " ", 1)


def differs(computed: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> bool:
    """Whether some array is off by more than a thousandth (a millionth in float64) of its largest element.

    NaNs and infinities must be in the same places; integers and bools must be equal.
    """
    return any(_differs(np.asarray(a), np.asarray(b)) for a, b in zip(computed, expected, strict=True))


def _differs(a: np.ndarray, b: np.ndarray) -> bool:
    if a.dtype != b.dtype or a.shape != b.shape:
        return True
    if a.dtype.kind != "f":
        return not np.array_equal(a, b)
    finite = np.isfinite(b)
    if not np.array_equal(a[~finite], b[~finite], equal_nan=True):
        return True
    with np.errstate(all="ignore"):
        off = np.abs(a[finite].astype(np.float64) - b[finite]).max(initial=0)
        allowed = (1e-3 if a.dtype == np.float32 else 1e-6) * np.abs(b[finite]).max(initial=1e-30)
    return not bool(off <= allowed)
