"""Runs the cases of the op table on a backend, and keeps the score."""

from __future__ import annotations

import contextlib
import io
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from graphc.conformance.cases import Case, cases_of, is_within
from graphc.conformance.rows import FAMILIES
from graphc.conformance.table import Row
from graphc.conformance.tolerances import assert_close
from graphc.errors import GraphcError, UnsupportedError, unknown_name
from graphc.ir.graph import Graph
from graphc.lowering import registry
from graphc.lowering.backend import Backend
from graphc.lowering.guard import cause
from graphc.lowering.registry import Choice
from graphc.reproducer import reproduce
from graphc.reproducer.problem import Problem
from graphc.reproducer.script import Setting, print_script
from graphc.session.standalone import compile_function

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"


class Result(NamedTuple):
    """What came of a case.

    Attributes:
        family: of the row.
        case: that was run.
        verdict: `"passed"`, `"failed"` or `"skipped"`.
        why: of what did not pass.
    """

    family: str
    case: Case
    verdict: str
    why: str = ""


def run(backend: str | Backend, families: Iterable[str] = (), rows: Iterable[str] = ()) -> Iterator[Result]:
    """Every case of the table on a backend, row by row.

    Args:
        backend: a name, as of `graphc backends`; or an object.
        families: only these; all by default.
        rows: only these; all by default.

    Raises:
        UnknownNameError: no family or row has that name.
        BackendError: the backend cannot run here.
    """
    families, rows = list(families), list(rows)
    _require_known("family", families, list(FAMILIES))
    _require_known("row", rows, [row.name for family in FAMILIES.values() for row in family])
    choice = registry.choose(backend)
    dtypes = frozenset(dtype.name for dtype in choice.backend.info().dtypes)
    for family, members in FAMILIES.items():
        if families and family not in families:
            continue
        for row in members:
            if not rows or row.name in rows:
                yield from _run_row(family, row, choice, dtypes)


def _require_known(what: str, given: Iterable[str], known: list[str]) -> None:
    for name in given:
        if name not in known:
            raise unknown_name(what, name, known)


def _run_row(family: str, row: Row, choice: Choice, dtypes: frozenset[str]) -> Iterator[Result]:
    """All calls of a row as one program where that runs: a backend that compiles slowly compiles once."""
    together: list[Case] = []
    for case in cases_of(row, choice.name, dtypes):
        if not is_within(case, dtypes):
            yield Result(family, case, SKIPPED, "a dtype that the backend does not have")
        elif isinstance(case.expected, type):
            yield Result(family, case, *_verdict_on_error(case, choice.backend))
        else:
            together.append(case)
    try:
        found = _computed(together, choice.backend)
    except Exception:
        for case in together:
            yield Result(family, case, *_verdict_alone(case, choice.backend))
        return
    for case in together:
        yield Result(family, case, *_verdict(case, [next(found) for _ in case.outputs]))


def _computed(cases: Sequence[Case], backend: Backend) -> Iterator[np.ndarray]:
    inputs = [node for case in cases for node in case.inputs]
    outputs = [node for case in cases for node in case.outputs]
    if not outputs:
        return iter(())
    call = compile_function(outputs, inputs, backend=backend)
    with contextlib.redirect_stdout(io.StringIO()):  # of the op that prints
        return iter(call(*(array for case in cases for array in case.arrays)))


def _verdict(case: Case, found: Sequence[np.ndarray]) -> tuple[str, str]:
    assert not isinstance(case.expected, type)
    try:
        for got, expected in zip(found, case.expected, strict=True):
            assert_close(got, expected, case.tolerance, signs=case.signs)
    except AssertionError as error:
        return FAILED, " ".join(str(error).split())
    return PASSED, ""


def _verdict_alone(case: Case, backend: Backend) -> tuple[str, str]:
    try:
        return _verdict(case, list(_computed([case], backend)))
    except UnsupportedError as error:
        return SKIPPED, str(error.got)
    except Exception as error:
        return FAILED, cause(error)


def _verdict_on_error(case: Case, backend: Backend) -> tuple[str, str]:
    assert isinstance(case.expected, type)
    wanted: type[GraphcError] = case.expected
    try:
        found = list(_computed([case], backend))
    except wanted:
        return PASSED, ""
    except UnsupportedError as error:
        return SKIPPED, str(error.got)
    except Exception as error:
        return FAILED, f"{cause(error)}, where a {wanted.__name__} is due"
    return FAILED, f"gives {found}, where a {wanted.__name__} is due"


def reproducer(result: Result, backend: str) -> str:
    """A standalone script of a few lines that shows what a failed case does."""
    case = result.case
    call = compile_function(list(case.outputs), list(case.inputs), backend=backend)
    try:
        return reproduce(call, *case.arrays)
    except Exception:  # right by the reference, or it does not run: the call as it stands
        graph = Graph(tuple(case.inputs), tuple(case.outputs), (), "case")
        problem = Problem(graph, dict(zip(case.inputs, case.arrays, strict=True)), {})
        return print_script(problem, Setting(repr(backend), note=f"{case.row.name}, {case.text}: {result.why}"))


class Score:
    """The scoreboard: counts by family, what is not supported, the exceptions that were used, the first failure."""

    def __init__(self) -> None:
        self.counts: dict[str, Counter[str]] = {}
        self.missing: Counter[str] = Counter()
        self.excused: Counter[str] = Counter()
        self.failures: list[Result] = []

    def add(self, result: Result) -> None:
        """Counts a case."""
        self.counts.setdefault(result.family, Counter())[result.verdict] += 1
        if result.verdict == SKIPPED:
            self.missing.update(result.why.splitlines())
        elif result.verdict == FAILED:
            self.failures.append(result)
        elif result.case.excused:
            self.excused[result.case.excused] += 1

    @property
    def total(self) -> Counter[str]:
        """Of all families."""
        return sum(self.counts.values(), Counter())

    def lines(self, reproduce_first: Callable[[Result], str] | None = None) -> list[str]:
        """The board, ending in `N passed, N failed, N skipped`."""
        table = [("family", "passed", "of", "failed", "skipped")]
        for family, counts in self.counts.items():
            asked = counts[PASSED] + counts[FAILED]
            numbers = (counts[PASSED], asked, counts[FAILED], counts[SKIPPED])
            table.append((family, *map(str, numbers)))  # type: ignore[arg-type]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        found = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table
        ]
        found += [f"not supported, {count} cases: {name}" for name, count in sorted(self.missing.items())]
        found += [f"exception, {count} cases: {name}" for name, count in sorted(self.excused.items())]
        by_row = Counter(f"{result.case.row.name} ({result.case.kind})" for result in self.failures)
        found += [f"failed, {count} cases: {name}" for name, count in by_row.items()]
        if self.failures:
            first = self.failures[0]
            found += ["", f"first failure: {first.case.row.name}, {first.case.kind}, {first.case.text}", first.why]
            found += ["", reproduce_first(first)] if reproduce_first is not None else []
        total = self.total
        return [*found, "", ", ".join(f"{total[verdict]} {verdict}" for verdict in (PASSED, FAILED, SKIPPED))]
