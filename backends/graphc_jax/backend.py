"""The backend as the compiler sees it."""

from __future__ import annotations

import importlib.util
import operator
from collections import deque
from collections.abc import Callable, Sequence
from itertools import chain, repeat

import numpy as np

from graphc.backend import Capabilities
from graphc.ir.dtype import ANY
from graphc.ir.types import TensorType
from graphc.lowering.backend import Availability
from graphc.options import CompileOptions
from graphc.plan.data import Plan

from . import emit
from .calls import Cell
from .program import JaxProgram
from .x64 import put, require_version

_CAPABILITIES = Capabilities(
    name="jax", granularity="graph", dtypes=ANY, claims=frozenset({"conv", "conv_weights"}), own_algebra=True
)


class JaxBackend:
    """Runs graphs with XLA, on JAX's default device. Variables are cells with an array of JAX each."""

    def info(self) -> Capabilities:
        """What the rest of the compiler may know."""
        return _CAPABILITIES

    def availability(self) -> Availability:
        """Whether jax and jaxlib are installed; neither is imported."""
        for package in ("jax", "jaxlib"):
            if importlib.util.find_spec(package) is None:
                return Availability(False, f"the package {package} is not installed")
        return Availability(True, "runs on JAX's default device")

    def unsupported(self, plan: Plan, options: CompileOptions) -> list[str]:
        """Ops without a call, and options that XLA does not offer."""
        used = dict.fromkeys(step.op for step in plan.steps)
        offenders = [f"{op.name}: no row in the table of jax.lax calls" for op in used if not emit.is_known(op)]
        if options.threads is not None:
            offenders.append("threads: XLA's pool is one for the whole process; XLA_FLAGS sets it before Python starts")
        if options.strict:
            offenders.append("strict: XLA allocates its memory at every run")
        if options.memory_limit is not None:
            offenders.append("memory_limit: XLA plans the memory, and no formula says how much before it has compiled")
        return offenders

    def lower(self, plan: Plan, options: CompileOptions) -> JaxProgram:
        """Emits the Python code of a plan; XLA compiles it when sizes are bound.

        Raises:
            BackendError: the installed jax lacks what this backend builds on.
        """
        require_version()
        return JaxProgram(plan, options)

    def allocate(self, type: TensorType) -> Cell:
        """A cell with zeros."""
        shape = [int(size) for size in type.shape if isinstance(size, int)]
        return Cell(put(np.zeros(shape, type.dtype.numpy)))

    def to_device(
        self, pairs: Sequence[tuple[Cell, np.ndarray]], committed: Callable[[], object] | None = None
    ) -> None:
        """Makes copies, and then puts all of them into the cells in one call of C code."""
        arrays = [put(source) for _, source in pairs]
        last = () if committed is None else (committed,)
        cells = [target for target, _ in pairs]
        deque(chain(map(setattr, cells, repeat("value"), arrays), map(operator.call, last)), 0)

    def to_host(self, array: Cell) -> np.ndarray:
        """A fresh copy."""
        return np.array(array.value)

    def synchronize(self) -> None:
        """Nothing to wait for: a call returns when its execution is over."""
