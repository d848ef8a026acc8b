"""A backend by somebody else, in a wheel of its own beside graphc: found, right, and readable when it fails."""

import json
import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphc.conformance.tolerances import after_steps, assert_close

PROJECT = Path(__file__).parent / "stranger"
STEPS = 24

MODEL = """
import json
import numpy as np
import graphc as gc

with gc.Graph("mlp") as graph:
    x = gc.placeholder("x", ("batch", 6))
    y = gc.placeholder("y", ("batch",), gc.int64)
    h = x
    for number, (before, after) in enumerate([(6, 8), (8, 3)]):
        w = gc.Variable(gc.init.glorot_uniform(), shape=(before, after), name=f"w{number}")
        b = gc.Variable(gc.init.zeros(), shape=(after,), name=f"b{number}")
        h = (gc.nn.relu(h) if number else h) @ w + b
    loss = gc.losses.softmax_cross_entropy(h, y, reduction="mean")
    train = gc.optim.SGD(0.5).minimize(loss)

rng = np.random.default_rng(0)
batches = []
for size in (16, 5) * 12:
    features = rng.standard_normal((size, 6)).astype(np.float32)
    batches.append((features, np.argmax(features[:, :3], axis=1)))
"""
LEARN = """
found = {}
for backend in ("numpy", "stranger"):
    with gc.Session(graph, backend=backend, seed=1) as session:
        step = session.compile([loss, train], [x, y])
        losses = [float(step(*batch)[0]) for batch in batches]
        values = {name: value.tolist() for name, value in session.snapshot().values.items()}
        found[backend] = {"losses": losses, "values": values, "step": session.step, "said": step.plan.explain()}
print(json.dumps(found))
"""
READ_AND_WRITE = """
with gc.Graph() as graph:
    w = gc.Variable(np.arange(4, dtype=np.float32), name="w")
    v = gc.Variable(np.zeros((2, 2), np.float32), name="v")
    square = gc.reshape(w, (2, 2))
    moves = gc.group(gc.assign(w, w + 1.0), gc.assign(v, square))
with gc.Session(graph, backend="stranger") as session:
    before, _ = session.run([square, moves])
    print(before.tolist(), session.value(v).tolist(), session.value(w).tolist())
"""
FAIL_IN_A_CALL = """
import traceback
with gc.Session(graph, backend="fails_in_a_call", seed=1) as session:
    step = session.compile([loss, train], [x, y])
    step(*batches[0])
    step(*batches[0])
    before = session.snapshot()
    try:
        step(*batches[0])
    except gc.errors.BackendError:
        traceback.print_exc()
    after = session.snapshot()
    assert before.step == after.step == session.step == 2
    assert all(np.array_equal(before.values[name], after.values[name]) for name in before.values)
    step(*batches[0])
    assert session.step == 3
"""


def run(*command: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*map(str, command)], text=True, capture_output=True, timeout=120, check=False, **options)


def done(*command: str | Path, **options: Any) -> str:
    finished = run(*command, **options)
    assert finished.returncode == 0, f"{command} failed:\n{finished.stdout}\n{finished.stderr}"
    return finished.stdout


class Environment:
    """A virtual environment that has what the tests run with, and the wheel."""

    def __init__(self, folder: Path) -> None:
        done(sys.executable, "-m", "venv", "--without-pip", folder / "venv")
        self.folder = folder
        self.python = folder / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
        paths = done(self.python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))")
        inherited = f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"  # with its own .pth files
        (Path(paths.strip()) / "inherited.pth").write_text(inherited, encoding="utf-8")

    def install(self, wheel: Path) -> None:
        pip = (sys.executable, "-m", "pip", "--python", self.python, "--disable-pip-version-check")
        done(*pip, "install", "--no-index", "--no-deps", "--quiet", wheel)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return run(self.python, "-W", "error", *arguments, cwd=self.folder)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    folder = tmp_path_factory.mktemp("stranger")
    # Hatchling itself, not `pip wheel`: it needs neither the network nor an isolated environment.
    done(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=PROJECT)
    [wheel] = folder.glob("*.whl")
    made = Environment(folder)
    made.install(wheel)
    return made


def test_it_is_listed(environment: Environment) -> None:
    listed = environment.run("-m", "graphc", "backends")
    assert (listed.returncode, listed.stderr) == (0, "")
    lines = {line.split()[0]: line for line in listed.stdout.splitlines()}
    assert re.fullmatch(r"numpy +available +no +NumPy .*", lines["numpy"])
    assert re.fullmatch(r"stranger +available +no +a slow loop on any CPU", lines["stranger"])
    assert re.fullmatch(r"absent +not available +- +no abacus is plugged in", lines["absent"])
    assert "fix: plug one in" in listed.stdout
    broken = {
        "fails_in_availability": "the backend 'fails_in_availability' failed in availability: FileNotFoundError: /dev/",
        "fails_when_made": "the backend 'fails_when_made' cannot be loaded: ValueError: the licence has run out",
        "fails_when_imported": "the backend 'fails_when_imported' cannot be loaded: ModuleNotFoundError: No module",
        "half": "the backend 'half' breaks the protocol: no method info() no method availability() no method",
    }
    for name, reason in broken.items():
        assert re.fullmatch(rf"{name} +broken +- +{re.escape(reason)}.*", lines[name])
    assert listed.stdout.count("fix: update or remove the package graphc-stranger 7.1, which provides it") == 3


def test_it_trains_a_network_as_numpy_does(environment: Environment) -> None:
    finished = environment.run("-c", MODEL + LEARN)
    assert finished.returncode == 0, finished.stderr
    found = json.loads(finished.stdout)
    numpy, stranger = found["numpy"], found["stranger"]
    assert stranger["said"].startswith("backend stranger (named)\n")
    assert numpy["step"] == stranger["step"] == STEPS
    assert stranger["losses"][-1] < 0.6 * stranger["losses"][0]
    assert numpy["values"].keys() == stranger["values"].keys()
    for name, expected in numpy["values"].items():
        got, wanted = (np.asarray(value, np.float32) for value in (stranger["values"][name], expected))
        assert_close(got, wanted, after_steps(STEPS), name, signs=False)


def test_what_shows_a_variable_has_its_old_value(environment: Environment) -> None:
    finished = environment.run("-c", MODEL + READ_AND_WRITE)
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout == "[[0.0, 1.0], [2.0, 3.0]] [[0.0, 1.0], [2.0, 3.0]] [1.0, 2.0, 3.0, 4.0]\n"


def test_auto_does_not_take_it(environment: Environment) -> None:
    finished = environment.run("-c", MODEL + "print(gc.Session(graph).choice.name)")
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.strip() in {"numpy", "cupy", "jax"}


@pytest.mark.parametrize(
    ("name", "message", "cause"),
    [
        ("absent", "the backend 'absent' is not available here", "no abacus is plugged in"),
        ("fails_in_availability", "the backend 'fails_in_availability' failed in availability", "FileNotFoundError"),
        ("fails_in_lower", "the backend 'fails_in_lower' failed in lower", "KeyError: 'matmul'"),
        ("fails_when_made", "the backend 'fails_when_made' cannot be loaded", "ValueError: the licence has run out"),
        ("fails_when_imported", "the backend 'fails_when_imported' cannot be loaded", "ModuleNotFoundError"),
        ("half", "the backend 'half' breaks the protocol", "no method lower()"),
    ],
)
def test_it_fails_readably(name: str, message: str, cause: str, environment: Environment) -> None:
    finished = environment.run("-c", MODEL + f"gc.Session(graph, backend={name!r}).compile(train, [x, y])")
    assert finished.returncode == 1
    report = finished.stderr[finished.stderr.rindex("graphc.errors.BackendError: ") :]
    assert report.startswith(f"graphc.errors.BackendError: {message}")
    for part in ("  at        <string>:", "  expected  ", "  got       ", "  fix       ", cause):
        assert part in report
    if name.startswith("fails"):
        # The backend's own traceback comes first: its author needs the line.
        assert "The above exception was the direct cause of the following exception" in finished.stderr
        if name.startswith("fails_in"):
            assert re.search(r"graphc_stranger.failing\.py\", line \d+", finished.stderr)


def test_a_call_that_fails_leaves_the_session_as_it_was(environment: Environment) -> None:
    finished = environment.run("-c", MODEL + FAIL_IN_A_CALL)
    assert finished.returncode == 0, finished.stderr
    assert "graphc.errors.BackendError: the backend 'fails_in_a_call' failed in a call" in finished.stderr
    assert "got       IndexError: list index out of range  at " in finished.stderr
    assert re.search(r"graphc_stranger.failing\.py:\d+\n", finished.stderr)


def test_the_correct_backend_stays_small() -> None:
    """What a stranger must write: a page and a half."""
    lines = (PROJECT / "graphc_stranger" / "__init__.py").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 150
