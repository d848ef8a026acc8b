"""What a backend is: the protocol that plug-ins implement."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from graphc.backend import Capabilities
from graphc.ir.types import TensorType
from graphc.options import CompileOptions
from graphc.plan.data import Plan


class Availability(NamedTuple):
    """Whether a backend can run here.

    Attributes:
        available: whether it can.
        reason: what it runs on, or why it cannot run: one line without a full stop.
        accelerator: whether it runs on something faster than the CPU; `"auto"` prefers such backends.
        remedy: what the user can do to make it available; empty where there is nothing to do.
    """

    available: bool
    reason: str
    accelerator: bool = False
    remedy: str = ""


Call = Callable[..., Sequence[Any]]
"""A bound plan: the feeds in order → the results; new states are committed into the state arrays."""


class Program(Protocol):
    """A plan, lowered.

    A program may have a mapping `stats`: numbers for `plan.stats`, which `explain()` shows.

    Attributes:
        source: the emitted code, or whatever comes nearest to it.
    """

    @property
    def source(self) -> str: ...

    def bind(self, sizes: Mapping[str, int], state: Sequence[Any], committed: Callable[[], object]) -> tuple[Call, int]:
        """Fixes the sizes; returns the call and the bytes of its arena.

        Args:
            sizes: a value for every symbol.
            state: one device array per entry of `plan.state`; the call writes new states into them.
            committed: called as the last part of the commit of a plan that writes; C code that cannot fail.
        """
        ...


class Backend(Protocol):
    """Turns plans into programs, and holds the memory of variables.

    What a method raises, `KeyboardInterrupt` and `SystemExit` apart, reaches the user as a `BackendError` that names
    the backend, the method and the cause; an error of `graphc.errors` goes through as it is. A `call` that raises
    must leave all variables as they were before it; if it cannot, it raises a `StateLostError`.
    """

    def info(self) -> Capabilities:
        """What the rest of the compiler may know."""
        ...

    def availability(self) -> Availability:
        """Whether it can run here; cheap, and imports no device library."""
        ...

    def unsupported(self, plan: Plan, options: CompileOptions) -> list[str]:
        """Every op, dtype or option of a plan that it cannot run, each with its reason."""
        ...

    def lower(self, plan: Plan, options: CompileOptions) -> Program:
        """Emits the code of a plan."""
        ...

    def allocate(self, type: TensorType) -> Any:
        """A device array for a variable."""
        ...

    def to_device(self, pairs: Sequence[tuple[Any, np.ndarray]], committed: Callable[[], object] | None = None) -> None:
        """Copies host arrays into device arrays, (target, source) each; no signal interrupts it half-way.

        Args:
            pairs: of equal shapes and dtypes.
            committed: called last, as part of it, as in `Program.bind`.
        """
        ...

    def to_host(self, array: Any) -> np.ndarray:
        """A fresh host copy of a device array."""
        ...

    def synchronize(self) -> None:
        """Waits until everything that was started has ended."""
        ...
