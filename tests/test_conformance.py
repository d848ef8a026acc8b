"""The kit: what it says of our backends, of a tiny one of strangers, and of one that is wrong."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import graphc as gc
from graphc.backend import Capabilities
from graphc.conformance import kit
from graphc.conformance.rows import FAMILIES, ROWS
from graphc.ir.opdef import OPS, Kind
from graphc.ir.walk import toposort
from graphc.lowering import registry
from graphc.lowering.guard import GuardedBackend
from graphc.ops.decompositions import CORE, DECOMPOSITIONS

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "list_backend"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as `pip install` leaves it: the module, and its entry point."""
    folder = tmp_path_factory.mktemp("site")
    info = folder / "graphc_list-0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: graphc-list\nVersion: 0.1\n")
    (info / "entry_points.txt").write_text("[graphc.backends]\nlist = graphc_list:ListBackend\n")
    (folder / "graphc_list.py").write_text((EXAMPLE / "graphc_list.py").read_text(encoding="utf-8"))
    return folder


def command(*arguments: str, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    """`graphc conformance …` in a process of its own: no input may kill it."""
    paths = [str(ROOT), str(ROOT / "backends"), *([str(path)] if path else [])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    line = [sys.executable, "-m", "graphc", "conformance", *arguments]
    return subprocess.run(line, capture_output=True, text=True, env=environment, check=False)


def test_numpy_gives_every_answer_of_the_table() -> None:
    done = command("numpy")
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    passed, failed, _ = counts(done.stdout)
    assert failed == 0
    assert passed > 3000
    for family in FAMILIES:
        assert f"\n{family} " in done.stdout


def counts(text: str) -> tuple[int, int, int]:
    passed, failed, skipped = text.rstrip().splitlines()[-1].split(", ")
    return (
        int(passed.removesuffix(" passed")),
        int(failed.removesuffix(" failed")),
        int(skipped.removesuffix(" skipped")),
    )


def test_the_backend_of_lists_is_small_found_and_right(installed: Path) -> None:
    assert len((EXAMPLE / "graphc_list.py").read_text(encoding="utf-8").splitlines()) <= 150
    done = command("list", path=installed)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    passed, failed, skipped = counts(done.stdout)
    assert failed == 0
    assert passed > 2000
    assert skipped
    assert "tanh: not among its ops" in done.stdout


@pytest.mark.requires("jax")
def test_jax_is_excused_where_the_semantics_say_so() -> None:
    done = command("jax", "--row", "divide", "--row", "add")
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert "accuracy of divide" in done.stdout
    assert "subnormal numbers" in done.stdout


def test_a_wrong_answer_is_found_and_shown(installed: Path) -> None:
    module = installed / "graphc_list.py"
    right = module.read_text(encoding="utf-8")
    module.write_text(right.replace("float(math.floor(x))", "float(round(x))"), encoding="utf-8")
    done = command("list", "--row", "floor", path=installed)
    module.write_text(right, encoding="utf-8")
    assert done.returncode == 1
    assert counts(done.stdout)[1] > 0
    assert "first failure: floor" in done.stdout
    assert "gc.floor(" in done.stdout
    assert "import graphc as gc" in done.stdout


def test_what_is_unknown_is_named() -> None:
    done = command("numpy", "--family", "arithmetik")
    assert done.returncode == 1
    assert "did you mean 'arithmetic'?" in done.stderr
    assert "no backend" in command("nowhere").stderr or "nowhere" in command("nowhere").stderr


# --- the core ---------------------------------------------------------------------------------------------------


def test_the_core_is_small_and_nothing_of_it_is_decomposed() -> None:
    assert len(CORE) == 25
    assert OPS.keys() >= CORE
    assert not CORE & DECOMPOSITIONS.keys()
    assert DECOMPOSITIONS.keys() <= OPS.keys()


@pytest.mark.parametrize("name", list(DECOMPOSITIONS))
def test_a_decomposition_ends_in_the_core(name: str) -> None:
    rows = [row for row in ROWS if row.name == name]
    assert rows, f"{name} has no row"
    seen = set()
    pending = [name]
    while pending:
        op = pending.pop()
        if op in CORE or op in seen:
            continue
        seen.add(op)
        assert op in DECOMPOSITIONS, f"{name} needs {op}"
        pending += [node.op.name for node in _parts(op) if node.op.kind is not Kind.SOURCE]


def _parts(op: str) -> list[gc.Tensor]:
    row = next(row for row in ROWS if row.name == op)
    sample = next(s for s in row.samples if all(0 not in shape for shape in s.shapes))
    with gc.Graph():
        xs = [
            gc.placeholder(f"x{i}", shape, row.domain(i).dtype or row.dtypes[0])
            for i, shape in enumerate(sample.shapes)
        ]
    node = next(n for n in toposort([row.function(*xs, **sample.kwargs)]) if n.op.name == op)
    return list(toposort([DECOMPOSITIONS[op](node)], frozenset(node.inputs)))


def test_a_backend_without_the_core_is_refused() -> None:
    class Poor(type(registry.load("numpy").backend)):  # type: ignore[misc]
        def info(self) -> Capabilities:
            return super().info()._replace(ops=CORE - {"add", "exp"})

    with pytest.raises(gc.errors.BackendError, match="the backend") as caught:
        gc.compile(gc.asarray([1.0]) + 1.0, backend=Poor())
    assert "lacks of the core: add, exp" in str(caught.value)


def test_results_are_counted_by_verdict() -> None:
    score = kit.Score()
    for result in kit.run("numpy", rows=["add"]):
        score.add(result)
    assert score.total["failed"] == 0
    assert score.lines()[-1] == f"{score.total['passed']} passed, 0 failed, 0 skipped"
    assert isinstance(registry.load("numpy"), GuardedBackend)
    assert np.array_equal(gc.evaluate(gc.asarray([1.0]) + 1.0), [2.0])
