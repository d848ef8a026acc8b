"""The cupy backend: groups of fused nodes as CUDA C++ of our own, and matrix products by cuBLAS, on an NVIDIA GPU."""

from __future__ import annotations

from .backend import CupyBackend


def backend() -> CupyBackend:
    """The entry point of the package."""
    return CupyBackend()


__all__ = ["CupyBackend", "backend"]
