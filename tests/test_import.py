"""What is imported: next to nothing by `import graphc`, no heavy module by graphs and by runs on NumPy."""

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Libraries that cost 10 ms to seconds, and parts of the standard library that cost more than 1 ms and are not needed.
HEAVY = (
    "cuda", "cupy", "flax", "jax", "jaxlib", "libtpu", "llvmlite", "matplotlib", "ml_dtypes", "networkx", "numba",
    "numpy.ma", "numpy.random", "numpy.testing", "numpy.typing", "onnx", "onnxruntime", "opt_einsum", "pandas", "PIL",
    "pytensor", "rich", "safetensors", "scipy", "sklearn", "sympy", "tensorflow", "tinygrad", "torch", "triton",
    "argparse", "asyncio", "base64", "concurrent", "ctypes.util", "decimal", "difflib", "doctest", "email", "fractions",
    "hashlib", "_hashlib", "html", "http", "importlib.metadata", "importlib.resources", "json", "logging",
    "multiprocessing", "optparse", "pathlib", "pdb", "pickletools", "pkg_resources", "pydoc", "queue", "random",
    "secrets", "selectors", "setuptools", "shutil", "signal", "socket", "sqlite3", "ssl", "statistics", "subprocess",
    "tempfile", "tkinter", "tomllib", "unittest", "urllib", "uuid", "xml", "zipfile",
)  # fmt: skip

STAGES = {
    "import": "import graphc as gc",
    "graph": """
with gc.Graph("g") as graph:
    x = gc.placeholder("x", ("batch", 3))
    w = gc.Variable(gc.init.glorot_uniform(), shape=(3, 2))
    loss = gc.losses.mse(gc.nn.relu(x @ w), x[:, 1:], reduction="mean")
    train = gc.optim.Adam(1e-3).minimize(loss)
""",
    "run": """
import numpy as np
with gc.Session(graph) as session:
    session.run([loss, train], feeds={x: np.ones((4, 3), np.float32)})
    step = session.compile([loss, train], [x])
    step(np.ones((5, 3), np.float32))
y = gc.sum(gc.tanh(gc.asarray([1.0, 2.0])))
gc.evaluate(y)
""",
    "account": "step.plan.explain(), step.plan.show(), step.plan.source(), step.plan.stats",
}


def python(code: str) -> str:
    paths = [str(ROOT), str(ROOT / "backends"), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], env=environment, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@cache
def imported() -> dict[str, set[str]]:
    """Stage → the modules that a process has then, beyond those of `import numpy`."""
    lines = ["import sys, numpy", "known = set(sys.modules)", "found = {}"]
    for stage, code in STAGES.items():
        lines += [code, f"found[{stage!r}] = sorted(set(sys.modules) - known)"]
    lines += ["import json", "print(json.dumps(found))"]
    return {stage: set(names) for stage, names in json.loads(python("\n".join(lines))).items()}


def test_the_import_loads_one_module() -> None:
    assert imported()["import"] == {"graphc"}


@pytest.mark.parametrize("stage", STAGES)
def test_no_heavy_module_is_loaded(stage: str) -> None:
    heavy = {name for name in imported()[stage] if name.startswith(tuple(f"{h}." for h in HEAVY)) or name in HEAVY}
    assert not heavy


def test_the_list_is_looked_at() -> None:
    """A process that does load such modules is noticed, and the stages load what they must."""
    assert {"graphc.session.session", "graphc.optim.adam"} <= imported()["run"]
    assert any(name.endswith("graphc_numpy") for name in imported()["run"])
    assert not any(name.endswith("graphc_numpy") for name in imported()["graph"])
    loaded = set(json.loads(python("import sys, json, numpy, logging\nprint(json.dumps([*sys.modules]))")))
    assert loaded & set(HEAVY) >= {"json", "logging"}


STATE = """
import gc as collector, os, signal, sys, threading, warnings
import numpy
def state():
    return [
        collector.isenabled(), collector.get_threshold(), collector.get_freeze_count(), sys.getrecursionlimit(),
        sys.getswitchinterval(), dict(os.environ), list(warnings.filters), numpy.geterr(), numpy.getbufsize(),
        list(sys.path), list(sys.meta_path), threading.active_count(), signal.getsignal(signal.SIGINT), sys.gettrace(),
        sys.getprofile(), sys.excepthook, numpy.get_printoptions(),
    ]
before = state()
"""


def test_the_process_stays_as_it_was() -> None:
    """No import and no run changes settings of the interpreter or of NumPy, or leaves threads behind."""
    checks = [f"{code}\nassert state() == before, {stage!r}" for stage, code in STAGES.items()]
    python("\n".join([STATE, *checks]))
