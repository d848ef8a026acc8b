"""What a public module shows: its `__all__` in `dir`, and an error that suggests for everything else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NoReturn

from graphc.errors import UnknownAttributeError, UnknownNameError, unknown_name


def surface(module: str, names: Sequence[str]) -> tuple[Callable[[str], NoReturn], Callable[[], list[str]]]:
    """The `__getattr__` and `__dir__` (PEP 562) of a module with these public names."""

    def missing(name: str) -> NoReturn:
        if name.startswith("__"):  # inspection asks for those, and is content with a bare answer
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        raise unknown_attribute(module, name, names)

    return missing, lambda: sorted(names)


def unknown_attribute(module: str, name: str, names: Sequence[str]) -> UnknownNameError:
    """The error for `module.name`, an `AttributeError` with the nearest of its public names."""
    listing = f"dir({module})"
    return unknown_name(f"attribute of {module}", name, names, listing=listing, error=UnknownAttributeError)
