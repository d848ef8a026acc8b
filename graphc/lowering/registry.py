"""Which backends there are: a literal table for our own, entry points for everybody else's."""

from __future__ import annotations

import importlib
from typing import NamedTuple

from graphc.errors import ArgumentError, BackendError, unknown_name
from graphc.lowering.backend import Backend

GROUP = "graphc.backends"

# In order of preference for "auto". Each is tried as an installed package and as a folder of a plain checkout.
BUILT_IN: dict[str, tuple[str, ...]] = {
    "numpy": ("graphc_numpy", "backends.graphc_numpy"),
}

_loaded: dict[str, Backend] = {}


class Choice(NamedTuple):
    """A backend, and why it was taken."""

    name: str
    backend: Backend
    reason: str


def names() -> list[str]:
    """All backends that are known: our own in order of preference, then those of other packages."""
    return list(dict.fromkeys([*BUILT_IN, *_entry_points()]))


def load(name: str) -> Backend:
    """The backend of that name.

    Raises:
        UnknownNameError: there is none.
        BackendError: its package cannot be imported, or breaks the protocol.
    """
    if name in _loaded:
        return _loaded[name]
    modules = BUILT_IN.get(name)
    if modules is not None:
        backend = _import_built_in(name, modules)
    else:
        points = _entry_points()
        if name not in points:
            raise unknown_name("backend", name, ["auto", *names()])
        backend = _import_foreign(name, points[name])
    _loaded[name] = backend
    return backend


def choose(backend: str | Backend) -> Choice:
    """The backend for a request: a named one or none, `"auto"` the first that is available, or an object itself.

    Raises:
        UnknownNameError: there is none of that name.
        BackendError: it is not available here, with the reason.
        ArgumentError: the object is no backend.
    """
    if isinstance(backend, str):
        return _choose_by_name(backend)
    if not hasattr(backend, "info"):
        raise ArgumentError(
            "this is not a backend",
            expected="a name, or an object that implements graphc.lowering.backend.Backend",
            got=repr(backend),
            fix='backend="auto" takes the best that there is; `graphc backends` lists them',
        )
    return Choice(backend.info().name, backend, "given as an object")


def _choose_by_name(name: str) -> Choice:
    if name != "auto":
        backend = load(name)
        available, reason = backend.availability()
        if not available:
            raise BackendError(
                f"the backend {name!r} is not available here",
                expected="a backend that can run on this machine",
                got=reason,
                fix='`graphc backends` lists them all, with the reason; backend="auto" takes the best that there is',
            )
        return Choice(name, backend, "named")
    skipped: list[str] = []
    for candidate in BUILT_IN:  # a foreign backend is taken only by name
        backend = load(candidate)
        available, reason = backend.availability()
        if available:
            why = f"auto: the first available of {', '.join(BUILT_IN)}"
            return Choice(candidate, backend, "; ".join([why, *skipped]))
        skipped.append(f"{candidate}: {reason}")
    raise BackendError("no backend is available", got="; ".join(skipped))


def _import_built_in(name: str, modules: tuple[str, ...]) -> Backend:
    for module in modules:
        try:
            found = importlib.import_module(module)
        except ModuleNotFoundError as error:
            if error.name not in (module, module.partition(".")[0]):
                raise BackendError(f"the backend {name!r} misses the package {error.name!r}") from error
            continue
        backend: Backend = found.backend()
        return backend
    raise BackendError(f"the package of the backend {name!r} is not installed", expected=modules[0])


def _entry_points() -> dict[str, object]:
    from importlib.metadata import entry_points  # 21 ms that only a request for a foreign backend pays

    return {point.name: point for point in entry_points(group=GROUP)}


def _import_foreign(name: str, point: object) -> Backend:
    try:
        factory = point.load()  # type: ignore[attr-defined]
        backend: Backend = factory()
        backend.info()
    except Exception as error:
        raise BackendError(
            f"the backend {name!r} of another package cannot be loaded: {type(error).__name__}: {error}",
            fix="update or remove the package that provides it",
        ) from error
    return backend
