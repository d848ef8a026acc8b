"""What a public module shows: its `__all__` in `dir`, and an error that suggests for everything else."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NoReturn

from graphc.errors import UnknownAttributeError, UnknownNameError, unknown_name


def show_only(module: str, names: Sequence[str]) -> None:
    """Gives a module that has these public names its `__getattr__` and its `__dir__` (PEP 562).

    They are set from here, as a type checker that saw a `__getattr__` would take every name for one of the module.
    """

    def missing(name: str) -> NoReturn:
        if name.startswith("__"):  # inspection asks for those, and is content with a bare answer
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        raise unknown_attribute(module, name, names)

    vars(sys.modules[module]).update(__getattr__=missing, __dir__=lambda: sorted(names))


def unknown_attribute(module: str, name: str, names: Sequence[str]) -> UnknownNameError:
    """The error for `module.name`, an `AttributeError` with the nearest of its public names."""
    listing = f"dir({module})"
    return unknown_name(f"attribute of {module}", name, names, listing=listing, error=UnknownAttributeError)
