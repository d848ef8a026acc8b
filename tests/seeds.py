"""The seed of this run's random graphs: another one each time, or `GRAPHC_SEED`."""

import os
import time

COUNT, PART = 300, 30
"""Cases of `make test`, and how many of them make one test."""


def first() -> int:
    """The seed that is asked for, or another one each time."""
    given = os.environ.get("GRAPHC_SEED", "")
    if given and not given.isdecimal():
        raise SystemExit(
            f"GRAPHC_SEED={given} is no seed: give a whole number from 0 on, or leave it out for another one"
        )
    return int(given) if given else time.time_ns() // 1_000_000 % 1_000_000_000


FIRST = first()
"""Failures name the seed of their own case: with it as `GRAPHC_SEED`, that case comes first."""
