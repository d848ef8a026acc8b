"""Backends as the rest of graphc sees them: whatever their own code raises comes out as a `BackendError`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from types import TracebackType
from typing import Any

import numpy as np

from graphc.backend import Capabilities
from graphc.errors import BackendError, GraphcError, Line, OutOfMemoryError
from graphc.ir.types import TensorType
from graphc.lowering.backend import Availability, Backend, Call, Program
from graphc.ops.decompositions import CORE
from graphc.options import CompileOptions
from graphc.plan.data import Plan

METHODS = ("info", "availability", "unsupported", "lower", "allocate", "to_device", "to_host", "synchronize")
GRANULARITIES = ("step", "graph")


def failure(name: str, method: str, error: Exception) -> Exception:
    """What is raised in place of an exception of a backend's own code: see `Blame`.

    Args:
        name: of the backend.
        method: of the protocol, or `"a call"` of what `Program.bind` returned.
        error: as the backend raised it.

    Returns:
        A `BackendError`; the exception itself if it is one of graphc's, or of a signal handler of the user.
    """
    if isinstance(error, GraphcError) or _is_of_a_signal_handler(error):
        return error
    kind = OutOfMemoryError if isinstance(error, MemoryError) else BackendError
    fix = f"report the traceback of that {type(error).__name__} to the makers of the backend"
    if kind is OutOfMemoryError:
        fix = "feed smaller batches, or free memory; plan.peak_bytes is a formula for what a plan takes"
    elif name != "numpy":
        fix += '; meanwhile backend="numpy" runs any graph'
    return kind(
        f"the backend {name!r} failed in {method}",
        expected="no exceptions but graphc's own",
        got=f"{cause(error)}  at {_place(error)}",
        fix=fix,
    )


def cause(error: Exception) -> str:
    """An exception as one reads it below a traceback."""
    return f"{type(error).__name__}: {error}".removesuffix(": ")


def _place(error: Exception) -> Line:
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    if frame is None:
        return Line("?", 0, "")
    code = frame.tb_frame.f_code
    return Line(code.co_filename, frame.tb_lineno, code.co_name)


def _is_of_a_signal_handler(error: Exception) -> bool:
    """Python calls handlers wherever it happens to be: theirs is no failure of the backend."""
    import signal  # costs 1 ms that only failures pay

    codes = {getattr(signal.getsignal(number), "__code__", None) for number in signal.valid_signals()}
    frame = error.__traceback__
    while frame is not None and frame.tb_frame.f_code not in codes:
        frame = frame.tb_next
    return frame is not None


class Blame:
    """A block of a backend's own code: `with Blame("jax", "lower"): …`."""

    __slots__ = ("method", "name")

    def __init__(self, name: str, method: str) -> None:
        self.name = name
        self.method = method

    def __enter__(self) -> Blame:
        return self

    def require(self, right: bool, expected: str, got: object) -> None:
        """Holds what the method returned to its type."""
        if not right:
            raise BackendError(
                f"the backend {self.name!r} failed in {self.method}",
                expected=f"{self.method} to give {expected}",
                got=repr(got),
                fix="report it to the makers of the backend",
            )

    def __exit__(self, kind: object, error: BaseException | None, traceback: TracebackType | None) -> None:
        if isinstance(error, Exception):  # an interruption or an exit is none
            blamed = failure(self.name, self.method, error)
            if blamed is not error:
                raise blamed from error


class GuardedProgram:
    """A program of a guarded backend.

    What `bind` returns is the backend's own call: a wrapper would cost every run. The executable blames the backend.
    """

    def __init__(self, name: str, program: Program) -> None:
        self.name = name
        self.program = program

    @property
    def source(self) -> str:
        with Blame(self.name, "source") as blame:
            source = self.program.source
            blame.require(isinstance(source, str), "a str", source)
            return source

    def bind(self, sizes: Mapping[str, int], state: Sequence[Any], committed: Callable[[], object]) -> tuple[Call, int]:
        with Blame(self.name, "bind") as blame:
            call, arena_bytes = self.program.bind(sizes, state, committed)
            right = all((callable(call), isinstance(arena_bytes, (int, np.integer)), arena_bytes >= 0))
            blame.require(right, "a call and the bytes of its arena", (call, arena_bytes))
            return call, arena_bytes

    def __getattr__(self, name: str) -> Any:
        return getattr(self.program, name)  # what it offers beyond the protocol


class GuardedBackend:
    """A backend with its name; its exceptions other than graphc's own become `BackendError`.

    Args:
        name: as the user wrote it, or as `info()` says.
        backend: implements the protocol; `why_refused` tells.
    """

    def __init__(self, name: str, backend: Backend) -> None:
        self.name = name
        self.backend = backend

    def info(self) -> Capabilities:
        with Blame(self.name, "info"):
            return self.backend.info()

    def availability(self) -> Availability:
        with Blame(self.name, "availability") as blame:
            found = self.backend.availability()
            blame.require(isinstance(found, Availability), "a graphc.lowering.backend.Availability", found)
            fields = (type(found.available), type(found.reason), type(found.accelerator), type(found.remedy))
            blame.require(fields == (bool, str, bool, str), "an Availability of a bool, a str, a bool and a str", found)
            return found

    def unsupported(self, plan: Plan, options: CompileOptions) -> list[str]:
        with Blame(self.name, "unsupported") as blame:
            reasons = self.backend.unsupported(plan, options)
            blame.require(_are_texts(reasons), "a list of reasons, each a str", reasons)
            return list(reasons)

    def lower(self, plan: Plan, options: CompileOptions) -> Program:
        with Blame(self.name, "lower") as blame:
            program = self.backend.lower(plan, options)
            blame.require(callable(getattr(program, "bind", None)), "a graphc.lowering.backend.Program", program)
            return GuardedProgram(self.name, program)

    def allocate(self, type: TensorType) -> Any:
        with Blame(self.name, "allocate"):
            return self.backend.allocate(type)

    def to_device(self, pairs: Sequence[tuple[Any, np.ndarray]], committed: Callable[[], object] | None = None) -> None:
        with Blame(self.name, "to_device"):
            self.backend.to_device(pairs, committed)

    def to_host(self, array: Any) -> np.ndarray:
        with Blame(self.name, "to_host") as blame:
            host = self.backend.to_host(array)
            blame.require(isinstance(host, np.ndarray), "a NumPy array", host)
            return host

    def synchronize(self) -> None:
        with Blame(self.name, "synchronize"):
            self.backend.synchronize()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.backend, name)  # what it offers beyond the protocol


def _are_texts(value: object) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value)


def why_refused(name: str | None, backend: object) -> list[str]:
    """What an object lacks to be a backend of that name; empty if nothing.

    Args:
        name: the one that it is registered by, or `None` for an object that a user passes.
        backend: as its package made it.

    Raises:
        BackendError: its `info` fails.
    """
    missing = [f"no method {method}()" for method in METHODS if not callable(getattr(backend, method, None))]
    if missing:
        return missing
    with Blame(name or type(backend).__name__, "info"):
        info = backend.info()  # type: ignore[attr-defined]
    if not isinstance(info, Capabilities):
        return [f"info() gives {info!r}, and not a graphc.backend.Capabilities"]
    found = _wrong_fields(info)
    if name is not None and info.name != name:
        found.append(f"info().name is {info.name!r}, and the backend is registered as {name!r}")
    return found


def _wrong_fields(info: Capabilities) -> list[str]:
    found = []
    if not info.name or type(info.name) is not str:
        found.append(f"info().name is {info.name!r}, and not a text")
    if info.granularity not in GRANULARITIES:
        found.append(f"info().granularity is {info.granularity!r}, and not one of {', '.join(GRANULARITIES)}")
    for field, default in Capabilities._field_defaults.items():
        value = getattr(info, field)
        if field == "ops":
            found += _wrong_ops(value)
            continue
        if default is None:
            if value is not None and not callable(value):
                found.append(f"info().{field} is {value!r}, and neither a function nor None")
            continue
        wanted = next((kind for kind in (Set, Mapping) if isinstance(default, kind)), type(default))
        if not isinstance(value, wanted):
            found.append(f"info().{field} is {value!r}, and not a {wanted.__name__}")
    return found


def _wrong_ops(value: object) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, Set):
        return [f"info().ops is {value!r}, and neither a set of names nor None"]
    missing = sorted(CORE - value)
    return [f"info().ops lacks of the core: {', '.join(missing)}"] if missing else []
