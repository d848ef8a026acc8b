"""A compiled graph that can be called, with its bindings to concrete sizes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

import numpy as np

from graphc.compiler import CompiledPlan
from graphc.errors import MemoryLimitError, NumericsError, StateLostError
from graphc.ir.tensor import Tensor
from graphc.lowering import guard
from graphc.lowering.first_call import Trial
from graphc.session import feeds, numerics
from graphc.session.state import State

_MOST_BINDINGS = 64  # combinations of feed shapes whose arenas are kept


class _Binding:
    """The plan at concrete sizes: calls that are free, each with an arena of its own.

    Attributes:
        proven: whether a call has given what the plan promises; until then each is looked at.
    """

    __slots__ = ("free", "last_use", "proven", "sizes")

    def __init__(self, sizes: dict[str, int]) -> None:
        self.sizes = sizes
        self.last_use = 0
        self.proven = False
        self.free: list[Callable[..., Sequence[Any]]] = []


class Executable:
    """A compiled graph: call it with arrays, by position or by name, for NumPy arrays in the nesting of the fetches.

    Any batch size: a new combination of feed shapes is bound once, nothing is compiled again. Threads may call it at
    the same time; a plan that updates variables has its session for itself.

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
        self._unflatten = unflatten
        self._positions = None if list(positions) == list(range(len(positions))) else tuple(positions)
        self._parameters: tuple[Tensor, ...] = plan.recorded.parameters
        self._dtypes = tuple(node.dtype.numpy for node in self._parameters)
        self._hold = state.lock.exclusive if plan.recorded.updates else state.lock.shared
        self._bindings: dict[tuple[tuple[int, ...], ...], _Binding] = {}
        self._clock = count()
        self._generation = state.generation

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
        if kwargs or len(args) != len(self._dtypes):
            args = tuple(feeds.by_position(self._parameters, args, kwargs))
        for value, dtype in zip(args, self._dtypes, strict=True):
            if type(value) is not np.ndarray or value.dtype is not dtype:
                args = tuple(map(feeds.as_array, self._parameters, args))
                break
        shapes = tuple([value.shape for value in args])
        results: Sequence[Any] = self._hold(self._run, args, shapes)
        if self._positions is not None:
            results = [None if at is None else results[at] for at in self._positions]
        return self._unflatten(results)

    def _run(self, args: Sequence[np.ndarray], shapes: tuple[tuple[int, ...], ...]) -> Sequence[Any]:
        state = self._state
        state.require_open()
        if self._generation != state.generation:
            self._bindings.clear()
            self._generation = state.generation
        binding = self._bindings.get(shapes)
        if binding is None:
            binding = self._bind(args, shapes)
        binding.last_use = next(self._clock)
        try:
            call = binding.free.pop()
        except IndexError:
            call = self._new_call(binding)
        trial = None if binding.proven else self._trial(binding)
        try:
            results = call(*args)
            if trial is not None:
                trial.judge(results)
                binding.proven = True
            return results
        except NumericsError as error:
            self._explain(error, args, binding.sizes)
            raise
        except StateLostError as error:
            state.lose(error)
            raise
        except Exception as error:  # costs a run nothing, where a wrapper of the call would
            blamed = guard.failure(self.plan.choice.name, "a call", error)
            if blamed is error:
                raise
            raise blamed from error
        finally:
            binding.free.append(call)

    def _trial(self, binding: _Binding) -> Trial:
        counts = bool(self.plan.recorded.updates)
        return Trial(self.plan.choice.name, self.plan.plan, binding.sizes, self._state.counter, counts)

    def _explain(self, error: NumericsError, args: Sequence[np.ndarray], sizes: dict[str, int]) -> None:
        """Adds the line that made the first NaN; nothing has been committed, so the run can be followed again."""
        numerics.explain(error, self.plan.optimised, self._values(args), sizes)

    def _values(self, args: Sequence[np.ndarray]) -> dict[Tensor, np.ndarray]:
        """The feeds, and copies of the variables as they are now."""
        values = dict(zip(self._parameters, args, strict=True))
        variables = self.plan.recorded.variables
        for variable, array in zip(variables, self._state.arrays([v.name for v in variables]), strict=True):
            values[variable] = self.plan.choice.backend.to_host(array)
        return values

    def _bind(self, args: Sequence[np.ndarray], shapes: tuple[tuple[int, ...], ...]) -> _Binding:
        for node, value in zip(self._parameters, args, strict=True):
            feeds.as_array(node, value)
        sizes = feeds.solve(self._parameters, shapes, self.plan.plan.guards)
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
        binding = self._bindings[shapes] = _Binding(sizes)
        return binding

    def _new_call(self, binding: _Binding) -> Callable[..., Sequence[Any]]:
        plan = self.plan.plan
        state = self._state.arrays([plan.slots[index].name for index in plan.state])
        committed = self._state.committed()
        call, _ = self.plan.program.bind(binding.sizes, state, committed)
        if plan.updated or not self.plan.recorded.updates:
            return call
        # The passes found that the updates change nothing; the run counts nevertheless.
        return lambda *args: (call(*args), committed())[0]

    def leaves(self, /, *args: Any, **kwargs: Any) -> tuple[dict[Tensor, np.ndarray], dict[str, int]]:
        """What a call with these feeds would read: arrays of placeholders and variables, and the symbolic sizes."""
        values = feeds.by_position(self._parameters, args, kwargs)
        arrays = list(map(feeds.as_array, self._parameters, values))
        sizes = feeds.solve(self._parameters, [array.shape for array in arrays], self.plan.plan.guards)
        self._state.require_open()
        return self._state.lock.shared(self._values, arrays), sizes

    def arena_bytes(self, /, *args: Any, **kwargs: Any) -> int:
        """The bytes of the arena that a call with these feeds uses; it is bound, but not run."""
        _, sizes = self.leaves(*args, **kwargs)
        plan = self.plan.plan
        state = self._state.arrays([plan.slots[index].name for index in plan.state])
        return self.plan.program.bind(sizes, state, self._state.committed())[1]

    def __repr__(self) -> str:
        names = ", ".join(node.name or "" for node in self._parameters)
        return f"<graphc.Executable {self.plan.plan.name!r}({names}) on {self.plan.choice.name}>"
