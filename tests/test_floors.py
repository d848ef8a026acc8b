"""A file imports only from lower floors, and on its own floor only inside its own folder."""

import ast
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]

# A folder's floor holds for every file in it.
FLOORS = {
    "graphc/errors.py": 0,
    "graphc/digest.py": 0,
    "graphc/options.py": 0,
    "graphc/philox.py": 0,
    "graphc/surface.py": 0,
    "graphc/tree.py": 0,
    "graphc/ir/": 1,
    "graphc/ops/": 2,
    "graphc/backend.py": 2,  # the Capabilities record; the protocol is lowering/backend.py
    "graphc/rules/": 3,
    "graphc/reference.py": 3,
    "graphc/autodiff.py": 4,
    "graphc/passes/": 5,
    "graphc/builder/": 5,
    "graphc/plan/": 6,
    "graphc/lowering/": 7,
    "graphc/compiler.py": 8,
    "graphc/session/": 9,
    "graphc/init.py": 9,
    "graphc/losses.py": 9,
    "graphc/metrics.py": 9,
    "graphc/random.py": 9,
    "graphc/bisection/": 10,
    "graphc/reproducer/": 11,
    "graphc/conformance/": 12,
    "graphc/optim/": 10,
    "graphc/nn/": 10,
    "graphc/linalg.py": 10,
    "graphc/fft.py": 10,
    "graphc/io/": 11,
    "graphc/quantize/": 11,
    "graphc/viz/": 11,
    "graphc/train/": 12,
    "graphc/distributed/": 12,
    "backends/graphc_numpy/": 13,
    "backends/graphc_native/": 13,
    "backends/graphc_cupy/": 13,
    "backends/graphc_jax/": 13,
    "graphc/benchmark.py": 12,
    "graphc/cli.py": 14,
    "graphc/__init__.py": 14,
    "graphc/__main__.py": 14,
}
HIGHEST_FLOOR_FOR_BACKENDS = 7
# Device library -> the one package that may import it.
DEVICE_LIBRARIES = {
    "cupy": "graphc_cupy",
    "cupy_backends": "graphc_cupy",
    "jax": "graphc_jax",
    "jaxlib": "graphc_jax",
    "llvmlite": "graphc_native",
    "torch": None,
}
# Imported in the function that needs it: each costs more than the rest of `import graphc`.
HEAVY = {"networkx", "opt_einsum", "rich", "safetensors"}
TYPING_ONLY = ("TYPE_CHECKING", "typing.TYPE_CHECKING")


class Unit(NamedTuple):
    """A row of FLOORS: a file, or a folder with all that is in it."""

    name: str
    floor: int
    folder: str


class Import(NamedTuple):
    module: str
    line: int
    on_load: bool  # neither in a function nor for the type checker only


def dotted(path: str) -> str:
    name = path.removeprefix("backends/").removesuffix(".py").strip("/")
    return name.replace("/", ".").removesuffix(".__init__")


UNITS = {
    dotted(path): Unit(dotted(path), floor, dotted(path) if path.endswith("/") else "graphc")
    for path, floor in FLOORS.items()
}


def row_of(path: str) -> str:
    """The row of FLOORS that a source file belongs to: `graphc/ir/walk.py` -> `graphc/ir/`."""
    parts = path.split("/")
    depth = 2 if len(parts) > 2 else len(parts)
    return "/".join(parts[:depth]) + ("/" if len(parts) > 2 else "")


def unit_of(module: str) -> Unit | None:
    """The unit of one of our modules; None where it has no floor."""
    parts = module.split(".")
    return UNITS.get(".".join(parts[:2]) if parts[0] == "graphc" else parts[0])


def is_ours(module: str) -> bool:
    return module.split(".")[0] == "graphc" or module.startswith("graphc_")


def imported_names(node: ast.AST, package: str) -> list[str]:
    match node:
        case ast.Import(names=names):
            return [alias.name for alias in names]
        case ast.ImportFrom(module=module, level=level, names=names):
            base = importlib.util.resolve_name("." * level + (module or ""), package)
            # `from graphc import ir` names a module, `from graphc import Tensor` what __init__ offers.
            submodules = [f"{base}.{alias.name}" for alias in names if f"{base}.{alias.name}" in UNITS]
            return submodules + [base] * (len(submodules) < len(names))
        case ast.Call(func=func, args=[ast.Constant(value=str(name)), *_]) if not name.startswith("."):
            return [name] if ast.unparse(func).split(".")[-1] in ("import_module", "__import__") else []
    return []


def find_imports(source: str, path: str) -> Iterator[Import]:
    package = dotted(path) if path.endswith("/__init__.py") else dotted(path).rpartition(".")[0]

    def visit(node: ast.AST, on_load: bool) -> Iterator[Import]:
        for module in imported_names(node, package):
            yield Import(module, getattr(node, "lineno", 0), on_load)
        typing_only = node.body if isinstance(node, ast.If) and ast.unparse(node.test) in TYPING_ONLY else []
        in_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in ast.iter_child_nodes(node):
            yield from visit(child, on_load and not in_function and child not in typing_only)

    return visit(ast.parse(source), True)


def why_not_ours(importer: Unit, module: str) -> str | None:
    target = unit_of(module)
    if target is None:
        return f"{module} has no floor: give it one in FLOORS"
    if target.folder == importer.folder and target.floor <= importer.floor:
        return None
    if importer.name.startswith("graphc_") and target.floor > HIGHEST_FLOOR_FOR_BACKENDS:
        return f"{module} is on floor {target.floor}; backends import floors 0-{HIGHEST_FLOOR_FOR_BACKENDS}"
    if target.floor > importer.floor:
        return f"{module} is on floor {target.floor}, above {importer.name} on floor {importer.floor}"
    if target.floor == importer.floor:
        return f"{module} is on the same floor {target.floor}, in another folder"
    return None


def why_not_foreign(importer: Unit, imported: Import) -> str | None:
    library = imported.module.split(".")[0]
    if library in DEVICE_LIBRARIES and importer.name != DEVICE_LIBRARIES[library]:
        return f"the device library {library} belongs to {DEVICE_LIBRARIES[library] or 'no package'}"
    if library in HEAVY and imported.on_load:
        return f"{library} is slow to import: import it in the function that needs it"
    return None


def violations(source: str, path: str) -> list[str]:
    if row_of(path) not in FLOORS:
        return [f"{path}: {row_of(path)} has no floor: give it one in FLOORS"]
    importer = UNITS[dotted(row_of(path))]
    found = []
    for imported in find_imports(source, path):
        ours = is_ours(imported.module)
        reason = why_not_ours(importer, imported.module) if ours else why_not_foreign(importer, imported)
        if reason:
            found.append(f"{path}:{imported.line}: {reason}")
    return found


def test_every_module_keeps_to_its_floor() -> None:
    files = sorted(path for top in ("graphc", "backends") for path in (ROOT / top).rglob("*.py"))
    assert ROOT / "graphc" / "__init__.py" in files
    found = [
        line
        for path in files
        for line in violations(path.read_text(encoding="utf-8"), path.relative_to(ROOT).as_posix())
    ]
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("graphc/ir/walk.py", "from graphc.errors import GraphcError"),
        ("graphc/ir/walk.py", "from graphc import errors, options"),
        ("graphc/ir/walk.py", "from .node import Tensor\nfrom . import graph\nfrom ..errors import E"),
        ("graphc/ir/__init__.py", "from . import walk\nfrom .walk import postorder"),
        ("graphc/ir/walk.py", "import graphc.ir.node\nimport numpy, ml_dtypes"),
        ("graphc/options.py", "from graphc.errors import OptionError"),
        ("graphc/lowering/backend.py", "from graphc.backend import Capabilities"),
        ("graphc/cli.py", "def main():\n    import rich\n    import graphc_numpy"),
        ("graphc/viz/html.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import networkx"),
        ("graphc/__main__.py", "from graphc.cli import main"),
        ("backends/graphc_numpy/__init__.py", "from graphc.lowering.backend import B\nfrom . import emit"),
        ("backends/graphc_jax/emit/ops.py", "import jax.numpy as jnp\nfrom ..types import x"),
        ("backends/graphc_cupy/device.py", "def f():\n    import cupy\nfrom graphc.lowering.kernel import Kernel"),
    ],
)
def test_allowed(path: str, source: str) -> None:
    assert violations(source, path) == []


@pytest.mark.parametrize(
    ("path", "source", "reason"),
    [
        ("graphc/ir/walk.py", "from graphc.ops import add", "graphc.ops is on floor 2, above graphc.ir"),
        ("graphc/ir/walk.py", "import graphc.session as s", "graphc.session is on floor 9, above"),
        ("graphc/ir/walk.py", "from graphc import ops", "graphc.ops is on floor 2, above"),
        ("graphc/ir/walk.py", "from .. import ops", "graphc.ops is on floor 2, above"),
        ("graphc/ir/walk.py", "from ..ops.math import add", "graphc.ops.math is on floor 2, above"),
        ("graphc/ir/walk.py", "from graphc import errors, Tensor", "graphc is on floor 14, above"),
        ("graphc/ir/walk.py", "import graphc", "graphc is on floor 14, above"),
        ("graphc/ir/__init__.py", "from ..ops import add", "graphc.ops is on floor 2, above"),
        ("graphc/ir/walk.py", "def f():\n    from graphc.ops import add", "graphc/ir/walk.py:2: graphc.ops"),
        ("graphc/ir/walk.py", "if TYPE_CHECKING:\n    import graphc.ops", "graphc.ops is on floor 2, above"),
        ("graphc/ir/walk.py", "importlib.import_module('graphc.ops')", "graphc.ops is on floor 2, above"),
        ("graphc/errors.py", "from graphc.session import Session", "graphc.session is on floor 9, above"),
        ("graphc/ops/math.py", "from graphc.backend import Capabilities", "same floor 2, in another folder"),
        ("graphc/backend.py", "from graphc.ops import add", "same floor 2, in another folder"),
        ("graphc/nn/dense.py", "from graphc.optim import Adam", "same floor 10, in another folder"),
        ("graphc/ops/math.py", "from graphc.secrets import x", "graphc.secrets has no floor: give it one"),
        ("graphc/secrets.py", "", "graphc/secrets.py has no floor: give it one"),
        ("graphc/secrets/deep/a.py", "", "graphc/secrets/ has no floor: give it one"),
        ("backends/graphc_tpu/__init__.py", "", "backends/graphc_tpu/ has no floor: give it one"),
        ("graphc/compiler.py", "import graphc_numpy", "graphc_numpy is on floor 13, above"),
        ("backends/graphc_numpy/a.py", "from graphc.compiler import compile", "backends import floors 0-7"),
        ("backends/graphc_numpy/a.py", "import graphc as gc", "backends import floors 0-7"),
        ("backends/graphc_numpy/a.py", "import graphc_jax", "backends import floors 0-7"),
        ("backends/graphc_jax/a.py", "from graphc.session.state import State", "backends import floors 0-7"),
        ("backends/graphc_cupy/a.py", "def f():\n    import graphc.compiler", "backends import floors 0-7"),
        ("backends/graphc_cupy/a.py", "from graphc_numpy import emit", "backends import floors 0-7"),
        ("backends/graphc_numpy/a.py", "import jax", "the device library jax belongs to graphc_jax"),
        ("backends/graphc_cupy/a.py", "import jaxlib", "the device library jaxlib belongs to graphc_jax"),
        ("backends/graphc_jax/a.py", "def f():\n    import cupy", "the device library cupy belongs to graphc_cupy"),
        ("graphc/cli.py", "def f():\n    from jax import numpy", "jax belongs to graphc_jax"),
        ("graphc/lowering/a.py", "import_module('llvmlite.ir')", "llvmlite belongs to graphc_native"),
        ("backends/graphc_jax/a.py", "import torch", "the device library torch belongs to no package"),
        ("graphc/viz/html.py", "import networkx as nx", "networkx is slow to import"),
        ("graphc/viz/html.py", "class A:\n    import rich.table", "rich is slow to import"),
        ("graphc/io/weights.py", "try:\n    import safetensors\nexcept E: ...", "safetensors is slow"),
        ("graphc/viz/html.py", "if TYPE_CHECKING: ...\nelse:\n    import networkx", "networkx is slow"),
    ],
)
def test_forbidden(path: str, source: str, reason: str) -> None:
    [found] = violations(source, path)
    assert reason in found
