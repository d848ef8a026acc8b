"""The numpy backend: complete, always there, and the one that others are compared with."""

from __future__ import annotations

from .backend import NumpyBackend


def backend() -> NumpyBackend:
    """The entry point of the package."""
    return NumpyBackend()


__all__ = ["NumpyBackend", "backend"]
