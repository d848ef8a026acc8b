"""The calls of a compiled function: what a session runs."""

from __future__ import annotations

import operator
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain, compress, repeat, starmap
from operator import call
from typing import Any

import numpy as np

from graphc.errors import StateLostError
from graphc.plan.data import Plan

from .effects import replay
from .source import Source
from .x64 import in_x64, put

_VALUE = operator.attrgetter("value")
_LAST = operator.itemgetter(-1)
_WAIT = operator.methodcaller("block_until_ready")


class Cell:
    """A variable: a box whose array changes at a commit, as XLA writes new states into new arrays."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


class Compiled:
    """The function for one combination of sizes.

    Attributes:
        sizes: of the symbols.
        run: the function of `jax.jit`; a call of it is C code, once `warm`.
        nbytes: that XLA allocates for temporaries while it runs.
        warm: whether a call has been made: until then Python code of JAX runs between giving up and commit.
    """

    __slots__ = ("nbytes", "run", "sizes", "warm")

    def __init__(self, sizes: Mapping[str, int], run: Callable[..., tuple[Any, ...]], nbytes: int) -> None:
        self.sizes = sizes
        self.run = run
        self.nbytes = nbytes
        self.warm = False


class Reader:
    """A function that reads variables, bound to their cells.

    Args:
        plan: that the function was made of.
        source: its text, which knows where its outputs are.
        compiled: the function.
        cells: of the variables, by slot.
    """

    __slots__ = ("_arguments", "_compiled", "_effects", "_plan", "_results")

    def __init__(self, plan: Plan, source: Source, compiled: Compiled, cells: Mapping[int, Cell]) -> None:
        self._plan = plan
        self._compiled = compiled
        self._arguments = [cells[index] for index in source.arguments]
        self._results = source.results
        self._effects = source.effects

    def run(self, *feeds: np.ndarray) -> list[np.ndarray]:
        """Feeds → results, in memory of their own."""
        try:
            outputs = in_x64(self._compiled.run, *map(_VALUE, self._arguments), *feeds)
            found = list(map(np.array, outputs[self._results]))
        except RuntimeError as error:
            _raise_out_of_memory(error)
            raise
        if self._effects:
            replay(self._plan, self._effects, outputs, self._compiled.sizes)
        return found


class Writer(Reader):
    """A function that also writes variables.

    Run, exchange of the arrays in the cells, wait and count are one call of C code, between whose parts Python delivers
    no signal. Little happens behind the wait, for all that it touches must come back from memory: XLA's data has filled
    the caches. So what was given up is let go of while XLA runs, and where NumPy reads the results by C code, that is
    where the wait is.

    Args:
        committed: called as the last part of the commit.
    """

    __slots__ = ("_committed", "_gives_up", "_read_by_c", "_read_checks", "_select", "_updated")

    def __init__(
        self,
        plan: Plan,
        source: Source,
        compiled: Compiled,
        cells: Mapping[int, Cell],
        committed: Callable[[], object],
    ) -> None:
        super().__init__(plan, source, compiled, cells)
        self._updated = [cells[index] for index in plan.updated]
        self._committed = committed
        self._gives_up = bool(source.given_up)
        on_cpu = _on_cpu()
        kinds = {plan.slots[index].type.dtype.numpy.kind for index in plan.results}
        self._read_by_c = on_cpu and bool(kinds) and kinds <= set("biufc")
        self._select = operator.itemgetter(source.results)
        self._read_checks: Callable[[Any], Iterable[bool]] | None = None
        if source.checked:
            self._read_checks = memoryview if on_cpu else np.asarray

    def run(self, *feeds: np.ndarray) -> list[np.ndarray]:
        """Feeds → results; the new states are in the cells.

        Raises:
            StateLostError: the run failed after it had given up the old states.
        """
        compiled, updated = self._compiled, self._updated
        given: Iterable[Any] = map(_VALUE, self._arguments)
        old: list[Any] | None = None
        if not compiled.warm:  # the first call runs Python code of JAX: it gives up copies
            given = [put(np.asarray(value)) for value in given]
        if not compiled.warm or not self._gives_up:
            old = list(map(_VALUE, updated))
        outputs: list[tuple[Any, ...]] = []  # of the one run
        run = map(outputs.append, starmap(compiled.run, ((*given, *feeds),)))
        exchange = map(setattr, updated, repeat("value"), chain.from_iterable(outputs))
        found: list[np.ndarray] = []
        wait: Iterable[Any] = map(_WAIT, map(_LAST, outputs))
        if self._read_by_c:
            wait = map(found.append, map(np.array, chain.from_iterable(map(self._select, outputs))))
        done: list[object] = []
        if self._read_checks:
            passed = chain.from_iterable(map(self._read_checks, map(_LAST, outputs)))
            count: Iterable[object] = chain(map(call, compress((self._committed,), passed)), map(done.append, (True,)))
        else:
            count = map(done.append, map(call, (self._committed,)))
        try:
            in_x64(deque, chain(run, exchange, wait, count), 0)
        except BaseException as error:
            if not done:
                _take_back(updated, old if outputs else list(map(_VALUE, updated)), error)
                _raise_out_of_memory(error)
            raise
        compiled.warm = True
        if self._effects:
            replay(self._plan, self._effects, outputs[0], compiled.sizes)
        return found if self._read_by_c else list(map(np.array, outputs[0][self._results]))


def _on_cpu() -> bool:
    """Whether NumPy reads arrays of JAX by the buffer protocol: C code that waits. Elsewhere it is Python code."""
    import jax

    return bool(jax.default_backend() == "cpu")


def _raise_out_of_memory(error: BaseException) -> None:
    """XLA has no class of errors for it."""
    if "RESOURCE_EXHAUSTED" in str(error):
        raise MemoryError(str(error)) from error


def _take_back(updated: Sequence[Cell], old: Sequence[Any] | None, error: BaseException) -> None:
    """After a failure: the old state, if it has been kept and is still there.

    Raises:
        StateLostError: it is not.
    """
    if old is not None and not any(value.is_deleted() for value in old):
        deque(map(setattr, updated, repeat("value"), old), 0)
        return
    raise StateLostError(
        "the run failed after it had given up the old state, and there is no new one",
        expected="a run that ends, once it has begun",
        got=f"{type(error).__name__}: {error}".removesuffix(": "),
        fix="session.restore(snapshot) goes on from a snapshot; without one, open a new session",
    ) from error
