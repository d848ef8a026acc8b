"""The seed of this run's random graphs: another one each time, or `GRAPHC_SEED`."""

import os
import time

COUNT, PART = 300, 30
"""Cases of `make test`, and how many of them make one test."""


def _first() -> int:
    given = os.environ.get("GRAPHC_SEED", "")
    return int(given) if given else time.time_ns() // 1_000_000 % 1_000_000_000


FIRST = _first()
"""Failures name the seed of their own case: with it as `GRAPHC_SEED`, that case comes first."""
