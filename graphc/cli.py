"""The command line: `graphc backends`, `graphc info`."""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import sys
from collections.abc import Sequence

import numpy as np

import graphc
from graphc.errors import GraphcError
from graphc.lowering import registry

_PACKAGES = (
    "numpy", "ml_dtypes", "networkx", "opt_einsum", "safetensors", "rich", "jax", "cupy-cuda13x", "cupy-cuda12x",
    "llvmlite",
)  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="graphc", description="A static computation-graph compiler.")
    parser.add_argument("--version", action="version", version=f"graphc {graphc.__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("backends", help="list the backends, whether they can run here, and why")
    commands.add_parser("info", help="versions and machine, for bug reports")
    command = parser.parse_args(argv).command
    lines = {"backends": _backends, "info": _info}[command]()
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def _backends() -> list[str]:
    lines = []
    for name in registry.names():
        try:
            available, reason = registry.load(name).availability()
            lines.append(f"{name:<10} {'available' if available else 'not available':<14} {reason}")
        except GraphcError as error:
            lines.append(f"{name:<10} {'broken':<14} {error.message}")
    return lines


def _info() -> list[str]:
    rows = [
        ("graphc", graphc.__version__),
        ("python", sys.version.split()[0]),
        ("platform", platform.platform()),
        ("machine", f"{platform.machine()}, {os.cpu_count()} cores"),
        *((package, _version(package)) for package in _PACKAGES),
        ("blas", _blas()),
    ]
    return [*(f"{name:<14} {value}" for name, value in rows), "", "backends", *_backends()]


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _blas() -> str:
    """The library that multiplies NumPy's matrices: most differences in speed come from it."""
    built = np.show_config(mode="dicts")
    blas = built.get("Build Dependencies", {}).get("blas", {})
    return f"{blas.get('name', 'unknown')} {blas.get('version', '')}".rstrip()


if __name__ == "__main__":
    sys.exit(main())
