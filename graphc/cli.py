"""The command line: `graphc backends`, `graphc info`."""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import sys
from collections.abc import Sequence

import graphc
from graphc.errors import GraphcError
from graphc.lowering import registry


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
    packages = (
        "numpy",
        "ml_dtypes",
        "networkx",
        "opt_einsum",
        "safetensors",
        "rich",
        "jax",
        "cupy-cuda13x",
        "llvmlite",
    )
    lines = [
        f"graphc {graphc.__version__}",
        f"python {sys.version.split()[0]}",
        f"platform {platform.platform()}",
    ]
    lines.append(f"machine {platform.machine()}, {os.cpu_count()} cores")
    for package in packages:
        try:
            lines.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            lines.append(f"{package} not installed")
    return lines + _backends()


if __name__ == "__main__":
    sys.exit(main())
