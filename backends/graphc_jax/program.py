"""The program: a function for XLA, compiled once per combination of sizes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import FunctionType
from typing import Any

import numpy as np

from graphc.ir.dtype import DTYPES, STORED_ONLY
from graphc.options import CompileOptions
from graphc.plan.data import Plan
from graphc.reference import static_shape

from .cache import cached_in
from .calls import Cell, Compiled, Reader, Writer
from .kernels import KERNELS
from .source import Source
from .x64 import in_x64

_MOST_COMPILED = 64  # combinations of sizes

Call = Callable[..., Sequence[Any]]


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
        self._compiled: dict[tuple[tuple[str, int], ...], Compiled] = {}
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
        if self.plan.updated:
            return Writer(self.plan, self._source, compiled, cells, committed).run, compiled.nbytes
        return Reader(self.plan, self._source, compiled, cells).run, compiled.nbytes

    def _get_compiled(self, sizes: Mapping[str, int]) -> Compiled:
        """From the cache, or compiled; those that were used last are kept."""
        key = tuple(sorted(sizes.items()))
        with self._lock:
            found = self._compiled.pop(key, None) or in_x64(self._compile, sizes)
            self._compiled[key] = found
            while len(self._compiled) > _MOST_COMPILED:
                del self._compiled[next(iter(self._compiled))]
        return found

    def _compile(self, sizes: Mapping[str, int]) -> Compiled:
        import jax

        start = time.perf_counter()
        source = self._source
        given = [*source.arguments, *self.plan.feeds]
        types = [self.plan.slots[index].type for index in given]
        shapes = [jax.ShapeDtypeStruct(static_shape(kind.shape, sizes), kind.dtype.numpy) for kind in types]
        options = self._compiler_options(jax)
        run = jax.jit(self._function(jax, sizes), donate_argnums=source.given_up, compiler_options=options)
        # What XLA refuses it refuses here, before anything is given up. The call finds it compiled.
        executable = cached_in(self.options.cache, run.lower(*shapes).compile)
        memory = executable.memory_analysis()
        self._times.append(time.perf_counter() - start)
        return Compiled(dict(sizes), run, 0 if memory is None else memory.temp_size_in_bytes)

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
        if any(slot.type.dtype in STORED_ONLY for slot in self.plan.slots):
            chosen["xla_allow_excess_precision"] = False  # else float32 -> float16 -> float32 would round nothing
        if self.options.law == "strict":
            chosen["xla_disable_hlo_passes"] = "algsimp"
        if self.options.deterministic and jax.default_backend() == "gpu":
            chosen["xla_gpu_deterministic_ops"] = True
        return chosen


def _scalar(jax: Any, dtype: np.dtype[Any], number: float) -> Any:
    """A number as an array of JAX: of two numbers of NumPy, NumPy would compute the sum."""
    return jax.numpy.asarray(np.asarray(number, dtype))
