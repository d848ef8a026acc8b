"""The jax backend: the whole graph as one function of `jax.lax` calls, compiled by XLA."""

from __future__ import annotations

from .backend import JaxBackend


def backend() -> JaxBackend:
    """The entry point of the package."""
    return JaxBackend()


__all__ = ["JaxBackend", "backend"]
