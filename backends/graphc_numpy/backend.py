"""The backend as the compiler sees it."""

from __future__ import annotations

import operator
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from graphc.backend import Capabilities, FusionLimits
from graphc.ir.dtype import ANY
from graphc.ir.types import TensorType
from graphc.lowering.backend import Availability
from graphc.options import CompileOptions
from graphc.plan.data import Plan

from . import emit, groups
from .program import NumpyProgram

_CAPABILITIES = Capabilities(
    name="numpy",
    granularity="step",
    dtypes=ANY,
    views=emit.VIEWS,
    overwrites=emit.OVERWRITES,
    atomic=emit.ATOMIC,
    enters_python=emit.enters_python,
    exact=True,
    fuses=frozenset({"elementwise"}),
    separate=emit.SEPARATE,
    fusion_limits=FusionLimits(least=3, nodes=32, elements=groups.WHOLE + 1),
    takes_over=groups.takes_over,
    scratch=groups.scratch,
)


class NumpyBackend:
    """Runs plans with NumPy, in one arena.

    Args:
        poison: fill memory with NaN bytes as soon as its value is dead, for tests.
    """

    def __init__(self, poison: bool = False) -> None:
        self.poison = poison

    def info(self) -> Capabilities:
        """What the rest of the compiler may know."""
        return _CAPABILITIES

    def availability(self) -> Availability:
        """Always available."""
        return Availability(True, f"NumPy {np.__version__}")

    def unsupported(self, plan: Plan, options: CompileOptions) -> list[str]:
        """Ops without code, options that NumPy does not offer and, if strict, ops that allocate."""
        known = emit.ROWS.keys() | {"fused"}
        offenders = [
            f"{step.op.name}: no kernel"
            for step in plan.steps
            if step.op.name not in known and step.op.array_fn is None
        ]
        if options.threads is not None:
            offenders.append("threads: NumPy's BLAS decides; set OPENBLAS_NUM_THREADS before Python starts")
        if options.precision != "highest":
            offenders.append(f"precision={options.precision!r}: NumPy computes in the full precision of the dtype")
        if options.strict:
            reasons = {step.op.name: emit.why_it_allocates(step.op) for step in plan.steps}
            offenders += [f"{op}: allocates while it runs ({why})" for op, why in reasons.items() if why]
        return offenders

    def lower(self, plan: Plan, options: CompileOptions) -> NumpyProgram:
        """Emits the Python code of a plan."""
        return NumpyProgram(plan, self.poison)

    def allocate(self, type: TensorType) -> np.ndarray:
        """A zeroed array for a variable."""
        return np.zeros([int(size) for size in type.shape if isinstance(size, int)], type.dtype.numpy)

    def to_device(
        self, pairs: Sequence[tuple[np.ndarray, np.ndarray]], committed: Callable[[], object] | None = None
    ) -> None:
        """Copies into the arrays of variables, in one call of C code."""
        calls: list[Callable[[], object]] = [partial(operator.setitem, target, ..., source) for target, source in pairs]
        if committed is not None:
            calls.append(committed)
        deque(map(operator.call, calls), 0)

    def to_host(self, array: np.ndarray) -> np.ndarray:
        """A fresh copy."""
        return np.array(array, copy=True)

    def synchronize(self) -> None:
        """Nothing to wait for."""
