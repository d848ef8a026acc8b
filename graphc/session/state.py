"""The values of variables: where they live, who may use them when, and how they change, all together or not at all."""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from graphc import philox
from graphc.errors import SessionError, ShapeError, StateLostError
from graphc.ir import dims
from graphc.ir.tensor import VariableNode
from graphc.lowering.backend import Backend
from graphc.session.counter import StepCounter
from graphc.session.lock import ReadWriteLock
from graphc.session.run_keys import RunKeys


class Snapshot(NamedTuple):
    """The state of a session at one moment: values by variable name, and the step."""

    values: Mapping[str, np.ndarray]
    step: int


class State:
    """The arrays of a session's variables in the memory of a backend, and the step.

    Args:
        backend: allocates and copies them.
        key: from which initialisers' keys are folded; `None` for a graph without variables.
        title: what messages call the session.

    Attributes:
        lock: held by whoever reads or writes.
        steps: counts the runs that have been committed.
        epoch: another object whenever calls that are bound to the arrays must not be made any more: the state is closed
            or lost, or lives in other arrays.
    """

    def __init__(self, backend: Backend, key: philox.Key | None, title: str) -> None:
        self.lock = ReadWriteLock()
        self._backend = backend
        self._key = key
        self._run_keys = None if key is None else RunKeys(key)
        self._title = title
        self._arrays: dict[str, Any] = {}
        self.steps = StepCounter()
        self.epoch = object()
        self._ended = ""
        self._lost: StateLostError | None = None
        _states.add(self)

    @property
    def step(self) -> int:
        """How many runs with updates, or with random numbers of no key, have been committed."""
        return self.steps.value

    def initialise(self, variables: Iterable[VariableNode]) -> None:
        """Gives a value to every variable that has none; its key is folded from the session's and its name."""
        new = [variable for variable in variables if variable.name not in self._arrays]
        pairs = [(self._backend.allocate(variable.type), self._initial_value(variable)) for variable in new]
        self._backend.to_device(pairs)
        for variable, (array, _) in zip(new, pairs, strict=True):
            self._arrays.setdefault(variable.name, array)  # another thread may have been faster

    def _initial_value(self, variable: VariableNode) -> np.ndarray:
        value = variable.initial
        if callable(value):
            assert self._key is not None
            value = value(philox.fold_in(self._key, variable.name), variable.shape, variable.dtype.numpy)
        array = np.asarray(value, variable.dtype.numpy)
        if array.shape != variable.shape:
            raise ShapeError(
                f"the initialiser of {variable.name!r} gives another shape",
                expected=dims.shape_text(variable.shape),
                got=dims.shape_text(array.shape),
                fix="an initialiser returns an array of the shape that it is asked for: f(key, shape, dtype)",
                origins=variable.origins,
            )
        return array

    def value(self, name: str) -> np.ndarray:
        """A copy of the value of a variable."""
        return self.lock.shared(self._read, name)

    def snapshot(self) -> Snapshot:
        """Copies of all values, and the step."""
        return self.lock.shared(lambda: Snapshot({name: self._read(name) for name in self._arrays}, self.step))

    def write(self, values: Mapping[str, np.ndarray], step: int | None = None) -> None:
        """Sets variables, and the step if one is given, at once."""
        self.lock.exclusive(self._write, values, step)

    def _read(self, name: str) -> np.ndarray:
        self.require_open()
        return self._backend.to_host(self._arrays[name])

    def _write(self, values: Mapping[str, np.ndarray], step: int | None) -> None:
        self.require_open()
        committed = None if step is None else self.steps.setter(step)
        self._backend.to_device([(self._arrays[name], value) for name, value in values.items()], committed)

    def restore(self, variables: Sequence[VariableNode], values: Mapping[str, np.ndarray], step: int) -> None:
        """Sets all variables and the step at once; a lost state is found again, in new arrays."""
        self.lock.exclusive(self._restore, variables, values, step)

    def _restore(self, variables: Sequence[VariableNode], values: Mapping[str, np.ndarray], step: int) -> None:
        if self._lost is None:
            self._write(values, step)
            return
        self.require_not_ended()
        arrays = {variable.name: self._backend.allocate(variable.type) for variable in variables}
        self._backend.to_device([(arrays[name], value) for name, value in values.items()], self.steps.setter(step))
        self._arrays = arrays
        self.epoch = object()
        self._lost = None

    # --- what executables ask ----------------------------------------------------------------------------------

    def arrays(self, names: Sequence[str]) -> list[Any]:
        """The device arrays of some variables."""
        return [self._arrays[name] for name in names]

    def run_keys(self, names: Sequence[str]) -> list[np.ndarray]:
        """What run keys of some names are fed at this step."""
        assert self._run_keys is not None
        return self._run_keys.at(names, self.steps.value)

    def lose(self, error: StateLostError) -> None:
        """A run has given up the old state and has no new one: nothing can be read until a snapshot is restored."""
        self.epoch = object()
        self._lost = error

    # --- life --------------------------------------------------------------------------------------------------

    def require_open(self) -> None:
        """Holds the state for usable.

        Raises:
            StateLostError: a run has lost it.
            SessionError: it is closed, or belongs to a parent process.
        """
        self.require_not_ended()
        if self._lost is not None:
            raise StateLostError(
                "this session has lost the state of its variables: " + self._lost.message,
                expected="a session whose last run ended, or to which a snapshot has been restored since",
                got=self._lost.got,
                fix=self._lost.fix,
            ) from self._lost

    def require_not_ended(self) -> None:
        """Holds the state for one that a snapshot can be restored to, be it lost.

        Raises:
            SessionError: it is closed, or belongs to a parent process.
        """
        if self._ended:
            raise SessionError(
                f"this session cannot be used: {self._ended}",
                expected="an open session of this process",
                got=repr(self),
                fix="open one, `with gc.Session(graph) as session:`, and run inside of that block",
            )

    def close(self) -> None:
        """Lets go of all arrays, as soon as no run is under way. Twice is no error."""
        self.lock.exclusive(self._end, "it is closed")

    def _end(self, why: str) -> None:
        self.epoch = object()
        self._ended = self._ended or why
        self._arrays.clear()

    def after_fork(self) -> None:
        """In a child process: what the parent's threads held is free, and variables are the parent's."""
        self.lock.reset()
        if self._key is not None:
            self._end("it was opened by the parent process; open one after the fork")

    def __repr__(self) -> str:
        lost = "its state is lost" if self._lost is not None else ""
        state = self._ended or lost or f"{len(self._arrays)} variables, step {self.step}"
        return f"<graphc.Session of {self._title}: {state}>"


_states: weakref.WeakSet[State] = weakref.WeakSet()


def _after_fork() -> None:
    for state in list(_states):
        state.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
