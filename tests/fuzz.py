"""`python tests/fuzz.py N`: N random graphs through all checks, on all cores; ends with histograms of what was met.

What goes wrong is printed as a script of a few lines with its culprit. Ends with status 1 if anything did, or if some
op, rule or kind of fusion was not met, where N is large enough for that; with 2 if N or GRAPHC_SEED is no number.
"""

import os
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context

from configurations import CONFIGURATIONS, why_missing
from op_examples import OP_EXAMPLES
from random_checks import CHECKS, Tally, cases
from random_graphs import OPS_IN_TURN
from rule_examples import EXAMPLES
from seeds import COUNT, FIRST
from wrong_cases import first_wrong

from graphc.ops.fused import FUSIONS

CHUNK = 20
TASKS = 25
MOST_REPORTS = 10


def names_for(seed: int) -> list[str]:
    """The checks that the case of a seed takes: all of them, but slow backends only now and then."""
    rows = [c.name for c in CONFIGURATIONS if seed % c.every == 0 and why_missing(c) is None]
    return [*CHECKS, *rows]


def work(seeds: Sequence[int]) -> tuple[Tally, list[str]]:
    """Some cases: the tally, and reports on what is wrong."""
    warnings.simplefilter("error")
    tally, reports = Tally.empty(), []
    for case, found in cases(seeds):
        tally.count_case(case)
        report = first_wrong(case, found, names_for(case.seed), tally)
        if report is not None:
            reports.append(str(report))
    return tally, reports


def run(first: int, count: int, workers: int | None = None) -> int:
    """All cases from a seed on; returns the number of complaints."""
    _say(f"GRAPHC_SEED={first}, {count} cases")
    for configuration in CONFIGURATIONS:
        if reason := why_missing(configuration):
            _say(f"without {configuration.name}: {reason}")
    tally, reports, done, start = Tally.empty(), 0, 0, time.perf_counter()
    for size, (mine, found) in in_processes(first, count, workers or os.cpu_count() or 1):
        tally += mine
        done += size
        reports += len(found)
        seconds = time.perf_counter() - start
        _say(f"{done}/{count} cases, {reports} wrong, {seconds / done * 1e3:.0f} ms per case")
        for text in found:
            _say(text)
        if reports >= MOST_REPORTS:
            break
    _say(str(tally))
    unmet = not_met(tally, count) if reports < MOST_REPORTS else []
    for line in (*unmet, *too_few_for(count)):
        _say(line)
    return reports + len(unmet)


def in_processes(first: int, count: int, workers: int) -> Iterator[tuple[int, tuple[Tally, list[str]]]]:
    """What `work` gives for chunk after chunk, with the number of its cases, as they get ready.

    Processes are spawned, as forked children of a process with threads may hang, and renewed together, with what
    libraries keep of a thousand programs: `max_tasks_per_child` of Python 3.11 hangs when all workers leave at once.
    """
    chunks = [range(at, min(at + CHUNK, first + count)) for at in range(first, first + count, CHUNK)]
    for at in range(0, len(chunks), TASKS * workers):
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            pending = {pool.submit(work, chunk): chunk for chunk in chunks[at : at + TASKS * workers]}
            try:
                for future in as_completed(pending):
                    yield len(pending[future]), future.result()
            except BrokenProcessPool:
                left = [chunk for future, chunk in pending.items() if not future.done() or future.exception()][:workers]
                seeds = " or ".join(f"GRAPHC_SEED={chunk.start} make fuzz N={len(chunk)}" for chunk in left)
                raise SystemExit(f"a process was killed by a case; see which: {seeds}") from None
            finally:
                pool.shutdown(cancel_futures=True)


ENOUGH_FOR_OPS = len(OP_EXAMPLES) // OPS_IN_TURN + 1


def too_few_for(count: int) -> list[str]:
    """What so many cases need not meet, so that a run of them proves nothing about it."""
    few = {"every op": ENOUGH_FOR_OPS, "every rule and every kind of fusion": COUNT}
    return [f"N={count} is too few to meet {what}: that takes {n}" for what, n in few.items() if count < n]


def not_met(tally: Tally, count: int) -> list[str]:
    """What so many cases should have met, and have not. Ops and rules are taken in turn, so it is no matter of luck."""
    found = []
    if count >= ENOUGH_FOR_OPS:
        found += [f"the op {name} was not met" for name in OP_EXAMPLES if not tally.ops[name]]
    if count >= COUNT:
        found += [f"no group of the kind {kind!r} was fused" for kind in FUSIONS if not tally.fusions[kind]]
        found += [f"the rule {name} was not met" for name in EXAMPLES if not tally.rules[name]]
    return found


def main(words: Sequence[str]) -> int:
    """The command line: N, or nothing for 1000 cases; returns the exit status."""
    given = words[0] if words else "1000"
    if len(words) > 1 or not given.isdecimal() or not int(given):
        sys.stderr.write(f"N={' '.join(words)} is no number of cases: give a whole number from 1 on\n")
        return 2
    return 1 if run(FIRST, int(given)) else 0


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
