"""The program: a function for XLA, compiled once per combination of sizes, and the calls that run it."""

from __future__ import annotations

import operator
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, compress, repeat
from types import FunctionType
from typing import Any

import numpy as np

from graphc.errors import StateLostError
from graphc.ir.dtype import DTYPES
from graphc.options import CompileOptions
from graphc.plan.data import Plan
from graphc.reference import static_shape

from .cache import cached_in
from .effects import replay
from .kernels import KERNELS
from .source import Source
from .x64 import in_x64, put

_MOST_COMPILED = 64  # combinations of sizes

Call = Callable[..., Sequence[Any]]


class Cell:
    """A variable: a box whose array changes at a commit, as XLA writes new states into new arrays."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


class _Compiled:
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


class JaxProgram:
    """Emits at once; `bind` lets XLA compile.

    Args:
        plan: a functional one.
        options: of the compilation.
    """

    def __init__(self, plan: Plan, options: CompileOptions) -> None:
        self.plan = plan
        self.options = options
        self._source = Source(plan, options.precision)
        self._compiled: dict[tuple[tuple[str, int], ...], _Compiled] = {}
        self._lock = threading.RLock()  # a signal handler may read while its own thread compiles
        self._times: list[float] = []

    @property
    def source(self) -> str:
        """The emitted Python code."""
        return self._source.text

    @property
    def stats(self) -> dict[str, Any]:
        """How often XLA was asked for a program (compiled, or found in the cache), and the seconds that took."""
        return {"xla_compilations": len(self._times), "xla_compile_s": sum(self._times)}

    # --- binding ------------------------------------------------------------------------------------------------

    def bind(
        self, sizes: Mapping[str, int], state: Sequence[Cell], committed: Callable[[], object]
    ) -> tuple[Call, int]:
        """Compiles for these sizes unless that is done."""
        compiled = self._get_compiled(sizes)
        cells = dict(zip(self.plan.state, state, strict=True))
        arguments = [cells[index] for index in self._source.arguments]
        if not self.plan.updated:
            return partial(self._read, compiled, arguments), compiled.nbytes
        updated = [cells[index] for index in self.plan.updated]
        return partial(self._write, compiled, arguments, updated, committed), compiled.nbytes

    def _get_compiled(self, sizes: Mapping[str, int]) -> _Compiled:
        """From the cache, or compiled; those that were used last are kept."""
        key = tuple(sorted(sizes.items()))
        with self._lock:
            found = self._compiled.pop(key, None) or in_x64(self._compile, sizes)
            self._compiled[key] = found
            while len(self._compiled) > _MOST_COMPILED:
                del self._compiled[next(iter(self._compiled))]
        return found

    def _compile(self, sizes: Mapping[str, int]) -> _Compiled:
        import jax

        start = time.perf_counter()
        source = self._source
        given = [*source.arguments, *self.plan.feeds]
        types = [self.plan.slots[index].type for index in given]
        shapes = [jax.ShapeDtypeStruct(static_shape(kind.shape, sizes), kind.dtype.numpy) for kind in types]
        donated = [position for position, index in enumerate(source.arguments) if index in self.plan.updated]
        run = jax.jit(self._function(jax, sizes), donate_argnums=donated, compiler_options=self._compiler_options(jax))
        # What XLA refuses it refuses here, before anything is given up. The call finds it compiled.
        executable = cached_in(self.options.cache, run.lower(*shapes).compile)
        memory = executable.memory_analysis()
        self._times.append(time.perf_counter() - start)
        return _Compiled(dict(sizes), run, 0 if memory is None else memory.temp_size_in_bytes)

    def _function(self, jax: Any, sizes: Mapping[str, int]) -> FunctionType:
        """The emitted function, with the sizes as defaults: JAX sees numbers."""
        source = self._source
        scope: dict[str, Any] = {
            **{name: partial(kernel, jax) for name, kernel in KERNELS.items()},
            **{name: partial(_scalar, jax, dtype.numpy) for name, dtype in DTYPES.items()},
            **{name: jax.numpy.asarray(array) for name, array in source.constants.items()},
            **{"copy": jax.numpy.copy, "inf": np.inf, "lax": jax.lax, "nan": np.nan, "__name__": "graphc_jax.emitted"},
        }
        exec(compile(source.text, f"<graphc plan {self.plan.name}>", "exec"), scope)
        function: FunctionType = scope[source.name]
        function.__defaults__ = tuple(sizes[name] for name in source.sizes)
        return function

    def _compiler_options(self, jax: Any) -> dict[str, Any]:
        chosen: dict[str, Any] = {}
        if self.options.law == "strict":
            chosen["xla_disable_hlo_passes"] = "algsimp"
        if self.options.deterministic and jax.default_backend() == "gpu":
            chosen["xla_gpu_deterministic_ops"] = True
        return chosen

    # --- running ------------------------------------------------------------------------------------------------

    def _read(self, compiled: _Compiled, arguments: Sequence[Cell], *feeds: np.ndarray) -> Sequence[Any]:
        try:
            outputs = in_x64(compiled.run, *[cell.value for cell in arguments], *feeds)
            return self._finished(compiled, outputs)
        except RuntimeError as error:
            _raise_out_of_memory(error)
            raise

    def _write(
        self,
        compiled: _Compiled,
        arguments: Sequence[Cell],
        updated: Sequence[Cell],
        committed: Callable[[], object],
        *feeds: np.ndarray,
    ) -> Sequence[Any]:
        """Runs and commits in one call of C code, between whose parts Python delivers no signal."""
        given = [cell.value for cell in arguments]
        old = [cell.value for cell in updated]
        if not compiled.warm:  # the first call runs Python code of JAX: it gives up copies
            given = [put(np.asarray(value)) for value in given]
        held: list[Any] = []
        run = partial(compiled.run, *given, *feeds)
        steps = chain(
            map(held.append, map(operator.call, (run,))),
            map(setattr, updated, repeat("value"), chain.from_iterable(held)),
            map(operator.call, compress((committed,), self._passed(map(operator.itemgetter(-1), held)))),
            map(held.append, (True,)),
        )
        try:
            in_x64(deque, steps, 0)
        except BaseException as error:
            if len(held) < 2:
                _take_back(updated, old, error)
                _raise_out_of_memory(error)
            raise
        compiled.warm = True
        return self._finished(compiled, held[0])

    def _passed(self, last: Iterator[Any]) -> Iterator[bool]:
        """Waits for the last output, and says whether all checks passed. C code, on a CPU."""
        if not self._source.checked:
            return map(operator.is_not, map(operator.methodcaller("block_until_ready"), last), repeat(None))
        return chain.from_iterable(map(_reader(), last))

    def _finished(self, compiled: _Compiled, outputs: Sequence[Any]) -> list[np.ndarray]:
        """What the host does when the run is over: effects in program order, results in memory of their own."""
        if self._source.effects:
            replay(self.plan, self._source.effects, outputs, compiled.sizes)
        return [np.array(outputs[position]) for position in self._source.results]


def _reader() -> Callable[[Any], Iterable[bool]]:
    """What makes an array of JAX something to iterate over. `np.asarray` runs Python code of JAX."""
    import jax

    return memoryview if jax.default_backend() == "cpu" else np.asarray


def _scalar(jax: Any, dtype: np.dtype[Any], number: float) -> Any:
    """A number as an array of JAX: of two numbers of NumPy, NumPy would compute the sum."""
    return jax.numpy.asarray(np.asarray(number, dtype))


def _raise_out_of_memory(error: BaseException) -> None:
    """XLA has no class of errors for it."""
    if "RESOURCE_EXHAUSTED" in str(error):
        raise MemoryError(str(error)) from error


def _take_back(updated: Sequence[Cell], old: Sequence[Any], error: BaseException) -> None:
    """After a failure: the old state, if it is still there.

    Raises:
        StateLostError: it is not.
    """
    if not any(value.is_deleted() for value in old):
        deque(map(setattr, updated, repeat("value"), old), 0)
        return
    raise StateLostError(
        "the run failed after it had given up the old state, and there is no new one",
        expected="a run that ends, once it has begun",
        got=f"{type(error).__name__}: {error}".removesuffix(": "),
        fix="session.restore(snapshot) goes on from a snapshot; without one, open a new session",
    ) from error
