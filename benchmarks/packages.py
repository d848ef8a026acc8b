"""How large graphc is, and the libraries beside it: as installed, and packed as a wheel is."""

from __future__ import annotations

import importlib.metadata
import io
import zipfile
from collections.abc import Iterable
from pathlib import Path

from benchmarks.process import ROOT

_OURS = ("graphc", "backends/graphc_numpy", "backends/graphc_jax", "backends/graphc_cupy")
# Each with the packages without which it does not run.
_OTHERS = {
    "numpy": ("numpy",),
    "jax": ("jax", "jaxlib", "numpy", "scipy", "ml_dtypes", "opt_einsum"),
    "torch": ("torch", "numpy", "sympy", "networkx", "jinja2", "filelock", "fsspec", "mpmath"),
    "onnxruntime": ("onnxruntime", "numpy", "protobuf", "flatbuffers"),
    "pytensor": ("pytensor", "numpy", "scipy", "numba", "llvmlite"),
    "tinygrad": ("tinygrad",),
}
_NEEDED = ("numpy", "ml_dtypes", "networkx", "opt_einsum", "safetensors", "rich")


def sizes() -> dict[str, int]:
    """Bytes by package; those that are not installed are left out."""
    files = [file for folder in _OURS for file in _sources(ROOT / folder)]
    own = sum(file.stat().st_size for file in files)
    found = {"graphc, the wheel": _packed(files), "graphc, installed": own}
    found["graphc with what it needs"] = own + sum(filter(None, map(_installed, _NEEDED)))
    for name, packages in _OTHERS.items():
        if _installed(name) is not None:
            found[f"{name} with what it needs"] = sum(_installed(package) or 0 for package in packages)
    return found


def _sources(folder: Path) -> Iterable[Path]:
    return sorted(file for file in folder.rglob("*") if file.is_file() and "__pycache__" not in file.parts)


def _packed(files: Iterable[Path]) -> int:
    """As a wheel packs them, but for half a dozen lines about the package."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            archive.write(file, file.relative_to(ROOT))
    return target.tell()


def _installed(package: str) -> int | None:
    """Bytes on the disk, without byte code."""
    try:
        files = importlib.metadata.files(package) or []
    except importlib.metadata.PackageNotFoundError:
        return None
    paths = (Path(str(file.locate())) for file in files if file.suffix != ".pyc")
    return sum(path.stat().st_size for path in paths if path.is_file())
