"""A compiled graph that can be called, with its bindings to concrete sizes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import count
from operator import attrgetter, itemgetter
from typing import Any

import numpy as np

from graphc.compiler import CompiledPlan
from graphc.errors import MemoryLimitError, NumericsError, StateLostError
from graphc.ir.tensor import Tensor
from graphc.lowering import guard
from graphc.session import feeds, numerics
from graphc.session.first_call import Trial
from graphc.session.run_keys import run_keys
from graphc.session.state import State

_MOST_BINDINGS = 64  # combinations of feed shapes whose arenas are kept
_Key = tuple[tuple[type, np.dtype[Any], tuple[int, ...]], ...]
_KEY = attrgetter("__class__", "dtype", "shape")


class _Binding:
    """The plan at concrete sizes: calls that are free, each with an arena of its own.

    Attributes:
        key: class, dtype and shape of each feed; something else in one that is never called.
        proven: whether a call has given what the plan promises; until then each is looked at.
    """

    __slots__ = ("free", "key", "last_use", "proven", "sizes")

    def __init__(self, key: object, sizes: dict[str, int]) -> None:
        self.key = key
        self.sizes = sizes
        self.last_use = 0
        self.proven = False
        self.free: list[Callable[..., Sequence[Any]]] = []


class Executable:
    """A compiled graph: call it with arrays, by position or by name, for NumPy arrays in the nesting of the fetches.

    Any batch size: a new combination of feed shapes is bound once, nothing is compiled again. Threads may call it at
    the same time; a plan that updates variables has its session for itself.

    A call that is like the last one takes few steps of Python and touches few objects: the kernels of the one before
    have emptied the caches, and a line of Python that must be fetched from memory costs five times the usual.

    Attributes:
        plan: the compiled plan: `show()`, `source()`, `explain()`, `peak_bytes`, `flops`, `stats`.
    """

    def __init__(
        self,
        plan: CompiledPlan,
        state: State,
        unflatten: Callable[[Sequence[Any]], Any],
        positions: Sequence[int | None],
    ) -> None:
        self.plan = plan
        self._state = state
        self._arrange = _arrangement(positions, unflatten)
        keys = run_keys(plan.recorded)
        self._key_names = [node.name or "" for node in keys]
        self._parameters: tuple[Tensor, ...] = plan.recorded.parameters[: len(plan.recorded.parameters) - len(keys)]
        self._counts = bool(plan.recorded.updates or keys)  # its runs, as steps
        self._hold = state.lock.exclusive if self._counts else state.lock.shared
        self._bindings: dict[_Key, _Binding] = {}
        self._latest = _Binding(object(), {})
        self._clock = count()
        self._epoch = state.epoch

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """Runs the plan.

        Raises:
            FeedError: a feed is missing or unknown, or does not fit; nothing has run then.
            NumericsError, OutOfRangeError: a check or an index failed; nothing has been committed then.
            StateLostError: the backend failed half-way, or wrote variables in a call that breaks the protocol;
                `session.restore` makes the session usable again.
            BackendError: the backend failed in its own code, or gave something else than the results of the plan;
                nothing has been committed then, either.
        """
        try:
            key = tuple(map(_KEY, args))
        except AttributeError:  # numbers or lists
            key = None
        if kwargs or key != self._latest.key:
            args = self._arrays(args, kwargs)
            key = tuple(map(_KEY, args))
        return self._arrange((*self._hold(self._run, args, key), None))

    def _arrays(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[np.ndarray, ...]:
        """The feeds in order, each with the dtype and the rank of its placeholder."""
        if kwargs or len(args) != len(self._parameters):
            args = feeds.by_position(self._parameters, args, kwargs)
        return tuple(map(feeds.as_array, self._parameters, args))

    def _run(self, args: Sequence[np.ndarray], key: _Key) -> Sequence[Any]:
        binding = self._latest
        trial = None
        if key != binding.key or self._epoch is not self._state.epoch:
            binding = self._find(args, key)
            trial = None if binding.proven else self._trial(binding)
        try:
            call = binding.free.pop()
        except IndexError:
            call = self._new_call(binding)
        if self._key_names:
            args = (*args, *self._state.run_keys(self._key_names))
        try:
            results = call(*args)
            if trial is not None:
                trial.judge(results)
                binding.proven = True
            return results
        except Exception as error:  # costs a run nothing, where a wrapper of the call would
            blamed = self._blamed(error, args, binding.sizes)
            if blamed is error:
                raise
            raise blamed from error
        finally:
            binding.free.append(call)

    def _blamed(self, error: Exception, args: Sequence[np.ndarray], sizes: dict[str, int]) -> Exception:
        """What is raised for a failure of a run; it may be the same."""
        if isinstance(error, NumericsError):
            # Adds the line that made the first NaN; nothing has been committed, so the run can be followed again.
            numerics.explain(error, self.plan.optimised, self._values(args), sizes)
            return error
        if isinstance(error, StateLostError):
            self._state.lose(error)
        return guard.failure(self.plan.choice.name, "a call", error)

    def _find(self, args: Sequence[np.ndarray], key: _Key) -> _Binding:
        """The binding for some feeds; the latest from now on, if it is proven."""
        state = self._state
        state.require_open()
        if self._epoch is not state.epoch:
            self._bindings.clear()
            self._latest = _Binding(object(), {})
            self._epoch = state.epoch
        binding = self._bindings.get(key) or self._bind(args, key)
        binding.last_use = next(self._clock)
        if binding.proven:
            self._latest = binding
        return binding

    def _trial(self, binding: _Binding) -> Trial:
        return Trial(self.plan.choice.name, self.plan.plan, binding.sizes, self._state.steps, self._counts)

    def _values(self, args: Sequence[np.ndarray]) -> dict[Tensor, np.ndarray]:
        """The feeds, keys included, and copies of the variables as they are now."""
        values = dict(zip(self.plan.recorded.parameters, args, strict=True))
        variables = self.plan.recorded.variables
        for variable, array in zip(variables, self._state.arrays([v.name for v in variables]), strict=True):
            values[variable] = self.plan.choice.backend.to_host(array)
        return values

    def _bind(self, args: Sequence[np.ndarray], key: _Key) -> _Binding:
        sizes = feeds.solve(self._parameters, [value.shape for value in args], self.plan.plan.guards)
        limit = self.plan.options.memory_limit
        needed = self.plan.peak_bytes.evaluate(sizes)
        if limit is not None and needed > limit:
            at = ", ".join(f"{name} = {size}" for name, size in sizes.items())
            raise MemoryLimitError(
                "the plan needs more memory than the limit" + (f" at {at}" if at else ""),
                expected=f"at most {limit} bytes (CompileOptions.memory_limit)",
                got=f"{needed} bytes",
                fix="feed smaller batches, or raise the limit; plan.peak_bytes is the formula",
            )
        while len(self._bindings) >= _MOST_BINDINGS:
            oldest, _ = min(tuple(self._bindings.items()), key=lambda item: item[1].last_use)
            self._bindings.pop(oldest, None)  # another reader may have dropped it just now
        binding = self._bindings[key] = _Binding(key, sizes)
        return binding

    def _new_call(self, binding: _Binding) -> Callable[..., Sequence[Any]]:
        plan = self.plan.plan
        state = self._state.arrays([plan.slots[index].name for index in plan.state])
        committed = self._state.steps.increment
        call, _ = self.plan.program.bind(binding.sizes, state, committed)
        if plan.updated or not self._counts:
            return call
        # There are no updates but keys of runs, or the passes found that they change nothing; the run counts.
        return lambda *args: (call(*args), committed())[0]

    def leaves(self, /, *args: Any, **kwargs: Any) -> tuple[dict[Tensor, np.ndarray], dict[str, int]]:
        """What a call with these feeds would read now: arrays of placeholders, keys and variables; the sizes."""
        arrays = self._arrays(args, kwargs)
        sizes = feeds.solve(self._parameters, [array.shape for array in arrays], self.plan.plan.guards)
        self._state.require_open()
        return self._state.lock.shared(self._read, arrays), sizes

    def _read(self, arrays: Sequence[np.ndarray]) -> dict[Tensor, np.ndarray]:
        return self._values((*arrays, *(self._state.run_keys(self._key_names) if self._key_names else ())))

    def arena_bytes(self, /, *args: Any, **kwargs: Any) -> int:
        """The bytes of the arena that a call with these feeds uses; it is bound, but not run."""
        _, sizes = self.leaves(*args, **kwargs)
        plan = self.plan.plan
        state = self._state.arrays([plan.slots[index].name for index in plan.state])
        return self.plan.program.bind(sizes, state, self._state.steps.increment)[1]

    def __repr__(self) -> str:
        names = ", ".join(node.name or "" for node in self._parameters)
        return f"<graphc.Executable {self.plan.plan.name!r}({names}) on {self.plan.choice.name}>"


def _arrangement(
    positions: Sequence[int | None], unflatten: Callable[[Sequence[Any]], Any]
) -> Callable[[Sequence[Any]], Any]:
    """From the results and a last `None` to the fetches in their nesting; C code where it is simple.

    Args:
        positions: of each fetch among the results; `None` for an update, whose value is None.
        unflatten: from fetches to their nesting.
    """
    found = [-1 if at is None else at for at in positions]
    if len(found) == 1 and unflatten(["it"]) == "it":
        return itemgetter(found[0])
    if len(found) < 2:
        return lambda results: unflatten([results[at] for at in found])
    select = itemgetter(*found)
    if unflatten is tuple:
        return select
    return lambda results: unflatten(select(results))
