"""Which backends there are: a literal table for our own, entry points for everybody else's."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

from graphc.errors import ArgumentError, BackendError, GraphcError, unknown_name
from graphc.lowering.backend import Availability, Backend
from graphc.lowering.guard import GuardedBackend, cause, why_refused

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "graphc.backends"
"""The group of entry points by which other packages offer backends: name → function without arguments."""

# In order of preference for "auto" (see `_automatic`). Each is tried as an installed package and as a folder of a plain
# checkout. Importing one must be cheap and take no device library: "auto" asks them all.
BUILT_IN: dict[str, tuple[str, ...]] = {
    "cupy": ("graphc_cupy", "backends.graphc_cupy"),
    "numpy": ("graphc_numpy", "backends.graphc_numpy"),
    "jax": ("graphc_jax", "backends.graphc_jax"),
}
# What a backend of ours cannot do without, and the extra of graphc that installs it.
EXTRAS: dict[str, tuple[str, str]] = {
    "jax": ("jax", "jax"),
    "cupy": ("cupy", "cuda13"),
}

_loaded: dict[str, GuardedBackend] = {}


class Choice(NamedTuple):
    """A backend, and why it was taken."""

    name: str
    backend: Backend
    reason: str


def names() -> list[str]:
    """All backends that are known: our own in order of preference, then those of other packages."""
    return list(dict.fromkeys([*BUILT_IN, *_entry_points()]))


def load(name: str) -> GuardedBackend:
    """The backend of that name; its package is imported at the first call.

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
    # Threads that load it at the same time all get the one that came first. A lock could deadlock with Python's own
    # locks of imports.
    return _loaded.setdefault(name, GuardedBackend(name, backend))


def availability(name: str) -> Availability:
    """Whether a backend can run here. One of ours whose library is not installed is not even imported to tell.

    Raises:
        UnknownNameError, BackendError: as `load`, or the backend fails to say.
    """
    command = _missing_extra(name) if name in BUILT_IN else ""
    if command:
        return Availability(False, f"{EXTRAS[name][0]} is not installed", remedy=command)
    return load(name).availability()


def choose(backend: str | Backend) -> Choice:
    """The backend for a request: a named one or none, `"auto"` the best that is available, or an object itself.

    Raises:
        UnknownNameError: there is none of that name.
        BackendError: it is not available here, cannot be imported, or breaks the protocol, with the cause.
            The last also for an object that goes by the name of one of ours.
        ArgumentError: the object is no backend.
    """
    if isinstance(backend, str):
        return _automatic() if backend == "auto" else _named(backend)
    if isinstance(backend, GuardedBackend):
        return Choice(backend.name, backend, "given as an object")
    if isinstance(backend, type) or not hasattr(backend, "info"):
        raise ArgumentError(
            "this is not a backend",
            expected="a name, or an object that implements graphc.lowering.backend.Backend",
            got=repr(backend),
            fix='backend="auto" takes the best that there is; `graphc backends` lists them',
        )
    _require_backend(None, backend)
    name = backend.info().name
    _require_own_name(name, backend)
    guarded = GuardedBackend(name, backend)
    _require_available(name, guarded.availability(), "")
    return Choice(name, guarded, "given as an object")


def _named(name: str) -> Choice:
    hint = '`graphc backends` lists them all, with the reason; backend="auto" takes the best that there is'
    _require_available(name, availability(name), hint)
    return Choice(name, load(name), "named")


def _require_available(name: str, found: Availability, hint: str) -> None:
    if not found.available:
        raise BackendError(
            f"the backend {name!r} is not available here",
            expected="a backend that can run on this machine",
            got=found.reason,
            fix="\n".join(filter(None, (found.remedy, hint))) or 'backend="auto" takes the best that there is',
        )


def _automatic() -> Choice:
    """The first of our own backends with an accelerator, else the first that is available.

    On a CPU that is numpy, even where jax is installed: XLA compiles 30 times as long. Backends of other
    packages are taken only by name: to install a package must not change what runs.
    """
    found: dict[str, Availability] = {}
    for name in BUILT_IN:
        try:
            found[name] = availability(name)
        except GraphcError as error:
            found[name] = Availability(False, error.message)
    usable = [name for name, here in found.items() if here.available]
    taken = next((name for name in usable if found[name].accelerator), usable[0] if usable else "")
    if not taken:
        raise BackendError(
            "no backend is available",
            expected="one of " + ", ".join(found),
            got="\n".join(f"{name}: {here.reason}" for name, here in found.items()),
            fix="\n".join(here.remedy for here in found.values() if here.remedy) or "reinstall graphc",
        )
    if found[taken].accelerator:
        why = f"auto: the first with an accelerator, {found[taken].reason}"
    else:
        why = "auto: no accelerator, and "
        why += "numpy compiles at once" if taken == "numpy" else f"{taken} is the first that can run"
    passed = "; ".join(f"{name}: {_why_passed(here)}" for name, here in found.items() if name != taken)
    return Choice(taken, load(taken), f"{why}; passed over {passed}" if passed else why)


def _why_passed(found: Availability) -> str:
    if not found.available:
        return found.reason
    return f"comes later, {found.reason}" if found.accelerator else "no accelerator"


# --- loading --------------------------------------------------------------------------------------------------------


def _import_built_in(name: str, modules: tuple[str, ...]) -> Backend:
    package = _package_of_ours(name, modules)
    return _made_by(name, lambda: package.backend(), _missing_extra(name))


def _package_of_ours(name: str, modules: tuple[str, ...]) -> ModuleType:
    for module in modules:
        try:
            return importlib.import_module(module)
        except ModuleNotFoundError as error:
            if error.name in (module, module.partition(".")[0]):
                continue
            raise _cannot_be_loaded(name, error, _missing_extra(name)) from error
        except Exception as error:
            raise _cannot_be_loaded(name, error, _missing_extra(name)) from error
    raise BackendError(
        f"the package of the backend {name!r} is not installed",
        expected=" or ".join(modules),
        got="neither can be found",
        fix="reinstall graphc, or run in its checkout",
    )


def _entry_points() -> dict[str, EntryPoint]:
    from importlib.metadata import entry_points  # 21 ms that only a request for a foreign backend pays

    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=GROUP):
        found.setdefault(point.name, point)
    return found


def _import_foreign(name: str, point: EntryPoint) -> Backend:
    try:
        factory = point.load()
    except Exception as error:
        raise _cannot_be_loaded(name, error, f"update or remove {_package(point)}, which provides it") from error
    return _made_by(name, factory, f"update or remove {_package(point)}, which provides it")


def _made_by(name: str, factory: Callable[[], Backend], fix: str) -> Backend:
    """What a package's function makes, held to the protocol."""
    try:
        backend = factory()
    except Exception as error:
        raise _cannot_be_loaded(name, error, fix) from error
    _require_backend(name, backend, fix)
    return backend


def _require_backend(name: str | None, backend: object, fix: str = "") -> None:
    problems = why_refused(name, backend)
    if problems:
        raise BackendError(
            f"the backend {name or type(backend).__name__!r} breaks the protocol",
            expected="what graphc.lowering.backend.Backend asks for",
            got="\n".join(problems),
            fix=fix or "implement what is missing",
        )


def _require_own_name(name: str, backend: object) -> None:
    """Refuses the name of one of ours to an object that is none: plans and messages would say that ours ran."""
    packages = BUILT_IN.get(name, ())
    modules = {f"{kind.__module__}." for kind in type(backend).__mro__}
    if packages and not any(module.startswith(f"{package}.") for module in modules for package in packages):
        raise BackendError(
            f"the backend {type(backend).__name__!r} breaks the protocol",
            expected="a name of its own",
            got=f"info().name is {name!r}, which is a backend of graphc",
            fix="let info() give another name",
        )


def _cannot_be_loaded(name: str, error: Exception, remedy: str) -> BackendError:
    return BackendError(
        f"the backend {name!r} cannot be loaded: {cause(error)}",
        expected="a package that imports, and a function in it that makes the backend",
        got=cause(error),
        fix=remedy or "reinstall what it needs; `graphc info` lists the versions",
    )


def _package(point: EntryPoint) -> str:
    return f"the package {point.dist.name} {point.dist.version}" if point.dist is not None else f"{point.value}"


def _missing_extra(name: str) -> str:
    """The command that installs what a backend of ours needs, if that is not there."""
    library, extra = EXTRAS.get(name, ("", ""))
    if not library or importlib.util.find_spec(library) is not None:
        return ""
    return f'pip install "graphc[{extra}]"'
