"""The names of `gc.random` in the table of public functions: with a prefix, as `split` and `gamma` have other uses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from graphc.ir.opdef import FUNCTIONS

_F = TypeVar("_F", bound=Callable[..., Any])


def public(function: _F) -> _F:
    """Decorator: puts a function into the table of public functions."""
    FUNCTIONS[f"random.{function.__name__}"] = function
    return function
