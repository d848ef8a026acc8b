"""The order of the passes: literal tuples, and nothing else."""

from __future__ import annotations

from graphc.passes.cse import CSE
from graphc.passes.dce import DCE
from graphc.passes.fold import FOLD
from graphc.passes.legalize import LEGALIZE
from graphc.passes.manager import Pass
from graphc.passes.rewriting import CANONICALISE, SIMPLIFY_PASS, STABILISE

DEFAULT: tuple[Pass, ...] = (
    CANONICALISE,
    STABILISE,
    FOLD,
    SIMPLIFY_PASS,
    CSE,
    DCE,
    LEGALIZE,
    FOLD,
    SIMPLIFY_PASS,
    CSE,
    LEGALIZE,
)
"""Twice fold … CSE: legalisation brings to light what composites hid, and shares it with their gradients. Rules know no
backend: what the last ones made is legalised once more."""

LEGAL_ONLY: tuple[Pass, ...] = (LEGALIZE,)
"""As little as a backend needs: the graph as the user wrote it."""
