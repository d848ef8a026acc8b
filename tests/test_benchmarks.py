"""`python -m benchmarks`: its method and its output, never its numbers. No peer is needed."""

import io
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from benchmarks import __main__ as command
from benchmarks import gpu, plots, record, runner, workload
from benchmarks.compare import Comparison, compare, print_comparison
from benchmarks.harness import SUITES, Harness, Settings
from benchmarks.record import Record, Run
from benchmarks.report import LEGEND
from benchmarks.run import Selection, chosen_runners, chosen_workloads

ROOT = Path(__file__).parents[1]
OURS = ["--runner", "graphc numpy", "NumPy by hand"]

WORKLOAD = """
from benchmarks.workload import Problem

NAME, GROUP = "doubled", "memory"

def make(rng, size):
    inputs = [(rng.random(1000),) for _ in range(3)]
    return Problem(inputs, flops=1000, nbytes=16000)

def reference(x):
    return 2 * x

def numpy(np, x):
    return x + x
"""
RUNNER = """
import os, time
from pathlib import Path
from benchmarks.runner import Prepared, needs

NAME, LIBRARY = "planted", "numpy"
available = needs("numpy")
COUNT = Path(__file__).with_name("calls")

def load():
    return VERSION

def prepare(workload, problem, threads):
    import numpy as np
    calls = 0
    first = problem.inputs[0][0]
    def call(x):
        nonlocal calls
        calls += 1
        COUNT.write_text(str(calls))
        return FUNCTION
    return Prepared(call, problem.inputs)
"""


def console() -> Console:
    return Console(file=io.StringIO(), width=140)


def text(shown: Console) -> str:
    assert isinstance(shown.file, io.StringIO)
    return shown.file.getvalue()


@pytest.fixture
def plant(tmp_path: Path) -> Callable[..., tuple[Record, int]]:
    """Runs a planted runner on a workload of one thousand numbers: its record, and how often it has been called."""

    def planted(function: str, limit: float = 20.0) -> tuple[Record, int]:
        (tmp_path / "doubled.py").write_text(WORKLOAD)
        (tmp_path / "planted.py").write_text(RUNNER.replace("FUNCTION", function).replace("VERSION", "'1'"))
        [chosen] = workload.of_module(workload.load(tmp_path / "doubled.py"))
        [one] = runner.of_module(runner.load(tmp_path / "planted.py"))
        settings = Settings(**{**SUITES["smoke"], "size": "smoke", "threads": 1, "limit": limit})
        [found] = Harness(settings).measure(chosen, [one])
        calls = tmp_path / "calls"
        return found, int(calls.read_text()) if calls.exists() else 0

    return planted


# --- the suite ---------------------------------------------------------------------------------------------------


def test_smoke(tmp_path: Path) -> None:
    """Everything that needs no peer, from the command line to the files."""
    shown = console()
    file, tables = tmp_path / "a.json", tmp_path / "a.md"
    arguments = [
        "run",
        "--suite",
        "smoke",
        *OURS,
        "--within",
        "300",
        "--threads",
        "1",
        "--json",
        str(file),
        "--markdown",
        str(tables),
    ]
    assert command.main(arguments, shown) == 0
    found = record.read(file)
    expected = {name for name, one in workload.discover().items() if "smoke" in one.suites}
    assert {one.workload for one in found.records} == expected
    failed = {(one.workload, one.runner): one.failure for one in found.records if one.failure}
    assert all((reason or "").startswith("missing") for reason in failed.values()), failed
    for one in found.measured():
        assert one.median_s is not None
        assert 0 < (one.min_s or 0) <= one.median_s
        assert (one.peak_bytes or 0) > 2**20
        assert one.ratio_to_best_peer is None or one.best_peer == "NumPy by hand"
    assert found.machine["matmul_flops_per_s"] > 0
    assert all(line in text(shown) for line in LEGEND.split("\n"))
    assert "attention: graphc has no attention yet" in text(shown)
    assert "| **graphc numpy** |" in tables.read_text(encoding="utf-8")
    again = console()
    assert command.main(["compare", str(file), str(file)], again) == 0
    assert text(again).strip().endswith("noise")


def test_importing_and_first_results_take_fresh_processes() -> None:
    known = workload.discover()
    ours = runner.discover()["graphc numpy"]
    harness = Harness(Settings("smoke", 1, 2))
    for name in ("import", "first_training_step", "chain_1k"):
        [found] = harness.measure(known[name], [ours])
        assert (found.failure, len(found.rounds_s)) == (None, 2)
        assert found.group == "compile"


def test_every_record_has_the_fields_that_are_promised(tmp_path: Path) -> None:
    run([made("a", "peer", [1.0, 2.0, 3.0])]).save(tmp_path / "a.json")
    [found] = json.loads((tmp_path / "a.json").read_text())["records"]
    promised = "workload group runner version median_s min_s spread first_call_s peak_bytes floor_s best_peer"
    assert set(found) >= {*promised.split(), "ratio_to_best_peer"}


def test_list_says_what_can_run() -> None:
    shown = console()
    assert command.main(["list"], shown) == 0
    assert "graphc numpy             cpu       can run here" in text(shown)


def test_it_starts_as_a_module() -> None:
    done = subprocess.run([sys.executable, "-m", "benchmarks", "--help"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0
    assert "python -m benchmarks run --suite smoke" in done.stdout


# --- the method --------------------------------------------------------------------------------------------------


def test_a_right_runner_is_timed(plant: Callable[..., tuple[Record, int]]) -> None:
    found, calls = plant("2 * x")
    assert found.failure is None
    assert len(found.rounds_s) == SUITES["smoke"]["rounds"]
    assert found.version == "1"
    assert calls > found.calls * len(found.rounds_s)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("2 * x + (calls == 1)", "wrong answer to call 1: 1,000 of 1,000 numbers differ"),
        ("2 * first", "wrong answer to call 2"),
        ("2 * x if calls < 3 else 3 * x", "wrong answer to call 3"),
        ("np.where(np.arange(1000) == 7, np.nan, 2 * x)", r"1 of 1,000 numbers differ, most at (7,): nan instead of"),
        ("2 * x[:-1]", "shape (999,) instead of (1000,)"),
        ("(2 * x, x)", "2 arrays instead of 1"),
    ],
)
def test_a_wrong_answer_stops_a_runner_before_the_clock_starts(
    plant: Callable[..., tuple[Record, int]], function: str, message: str
) -> None:
    found, calls = plant(function)
    assert message in (found.failure or "")
    assert (found.rounds_s, found.median_s) == ([], None)
    assert calls <= 3, "it has been called for more than its answers"


def test_what_becomes_wrong_while_it_is_timed_does_not_count(plant: Callable[..., tuple[Record, int]]) -> None:
    found, _ = plant("2 * x if calls < 4 else 3 * x")
    assert "wrong answer" in (found.failure or "")
    assert (found.rounds_s, found.median_s) == ([], None)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("1 / 0", "failed, compiling and calling once: ZeroDivisionError: division by zero"),
        ("os._exit(3)", "crashed, compiling and calling once (exit status 3)"),
        ("os.kill(os.getpid(), 11)", "crashed, compiling and calling once (SIGSEGV)"),
        ("2 * x if calls < 4 else os._exit(3)", "crashed, warming up (exit status 3)"),
        ("time.sleep(60)", "stopped: no reply within 2 s, compiling and calling once"),
    ],
)
def test_a_runner_that_fails_is_a_line(plant: Callable[..., tuple[Record, int]], function: str, message: str) -> None:
    found, _ = plant(function, 2.0 if "sleep" in function else 20.0)
    assert (found.failure or "").startswith(message)


def test_a_workload_that_a_library_lacks_is_a_line(tmp_path: Path) -> None:
    (tmp_path / "doubled.py").write_text(WORKLOAD)
    [chosen] = workload.of_module(workload.load(tmp_path / "doubled.py"))
    ours = runner.discover()["graphc numpy"]
    [found] = Harness(Settings("smoke", 1, 5)).measure(chosen, [ours])
    assert found.failure == "missing: doubled.py has no function 'graphc'"


def test_files_of_a_user_join(tmp_path: Path) -> None:
    (tmp_path / "doubled.py").write_text(WORKLOAD)
    (tmp_path / "planted.py").write_text(RUNNER)
    file = str(tmp_path / "doubled.py")
    assert list(chosen_workloads(Selection(workloads=[file]))) == ["doubled"]
    chosen = chosen_runners(Selection(runners=[str(tmp_path / "planted.py")]))
    assert {"planted", "graphc numpy"} <= set(chosen)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (WORKLOAD.replace("NAME, GROUP", "NAME, GROPU"), "needs GROUP"),
        (WORKLOAD.replace('"memory"', '"memroy"'), "'memroy'; it must be one of dispatch, memory"),
        (WORKLOAD.replace("def numpy", "def _numpy"), "no function for any library"),
        (WORKLOAD + 'SUITES = {"smok"}', "known are smoke, cpu, gpu"),
        (WORKLOAD.replace("doubled", "gelu_400k"), "there is another workload 'gelu_400k'"),
    ],
)
def test_slips_in_a_workload_are_told(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "mine.py"
    file.write_text(content)
    shown = console()
    assert command.main(["run", "--workload", str(file)], shown) == 2
    assert message in text(shown).replace("\n", " ")


def test_a_name_that_nothing_has_is_told() -> None:
    shown = console()
    assert command.main(["run", "--workload", "nothing-*"], shown) == 2
    assert "there is no workload 'nothing-*'; there are: " in text(shown)


def test_the_examples_of_the_documentation_run(tmp_path: Path) -> None:
    """A workload in less than forty lines, a peer in one file."""
    blocks = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8").split("```python\n")[1:]
    sources = [block.split("```")[0] for block in blocks]
    files = [tmp_path / "hypotenuse.py", tmp_path / "hypot.py"]
    for file, source in zip(files, sources, strict=True):
        assert len(source.splitlines()) < 40
        file.write_text(source, encoding="utf-8")
    target = tmp_path / "a.json"
    chosen = ["--workload", str(files[0]), "--runner", str(files[1]), "graphc numpy", "NumPy by hand"]
    assert command.main(["run", "--suite", "smoke", *chosen, "--json", str(target)], console()) == 0
    found = record.read(target).records
    assert {(one.runner, one.failure) for one in found} == {
        (name, None) for name in ("np.hypot", "graphc numpy", "NumPy by hand")
    }


# --- figures -----------------------------------------------------------------------------------------------------


def made(name: str, who: str, rounds: Sequence[float], version: str = "1") -> Record:
    found = Record(name, "memory", who, title=name, ours=who.startswith("graphc"), version=version)
    found.rounds_s = list(rounds)
    found.summarise()
    return found


def run(records: list[Record]) -> Run:
    machine = {"cpu": "a cpu", "cores": 2, "platform": "p", "python": "3", "numpy": "2", "blas": "b"}
    return Run(records, machine, {"size": "cpu", "threads": 2, "rounds": 20}, "2026-11-23T00:00:00+00:00")


def test_figures_follow_from_the_rounds() -> None:
    found = made("a", "peer", [4.0, 1.0, 2.0, 3.0, 5.0])
    assert (found.median_s, found.min_s) == (3.0, 1.0)
    assert found.spread == pytest.approx((4 - 2) / 2 / 3)
    assert record.spread([1.0, 2.0]) is None


def test_ratios_are_to_the_fastest_peer_and_above_one_is_faster() -> None:
    records = [made("a", "graphc numpy", [1.0] * 3), made("a", "slow", [4.0] * 3), made("a", "quick", [2.0] * 3)]
    records.append(Record("a", "memory", "failed", failure="crashed"))
    record.set_ratios(records)
    assert [one.ratio_to_best_peer for one in records] == [2.0, 0.5, 1.0, None]
    assert {one.best_peer for one in records[:3]} == {"quick"}
    records += [made("b", "graphc numpy", [8.0] * 3), made("b", "quick", [4.0] * 3)]
    record.set_ratios(records[4:])
    mean, count = record.geometric_means(records)["memory", "graphc numpy"]
    assert (mean, count) == (pytest.approx(1.0), 2)


def test_the_floor_is_the_slower_of_moving_and_multiplying() -> None:
    machine = {"copy_bytes_per_s": {"1000": 1e9, "1000000": 1e8}, "matmul_flops_per_s": 1e6}
    assert record.floor_seconds(machine, 0, 1e9) == pytest.approx(10)
    assert record.floor_seconds(machine, 1e9, 1e3) == pytest.approx(1000)
    assert record.bandwidth_at(machine["copy_bytes_per_s"], 31622.7766) == pytest.approx(10**8.5)  # type: ignore[arg-type]
    assert record.floor_seconds({}, 1, 1) is None


# --- comparing ---------------------------------------------------------------------------------------------------


def timings(seed: int, factor: float = 1.0, drift: float = 1.0, noise: float = 0.04) -> Run:
    """Eight workloads and four runners with noise that is one-sided, as that of machines is; the first is ours."""
    rng = np.random.default_rng(seed)
    records = []
    for at in range(8):
        for who, base in {"graphc numpy": factor, "a": 0.8, "b": 1.3, "c": 2.0}.items():
            process = np.exp(rng.normal(0, noise / 4))  # another layout of memory in each run
            rounds = base * 1e-3 * drift * process * (1 + rng.exponential(noise, 20))
            records.append(made(f"w{at}", who, [float(value) for value in rounds]))
    return run(records)


def verdicts(found: Comparison) -> set[str]:
    return {row.verdict for row in found.rows if row.verdict != "control"}


@pytest.mark.parametrize("seed", range(20))
def test_two_runs_of_the_same_code_are_noise(seed: int) -> None:
    assert compare(timings(2 * seed), timings(2 * seed + 1)).verdict == "noise"


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("factor", [1.2, 1 / 1.2])
def test_a_planted_change_of_a_fifth_is_found_on_every_workload(seed: int, factor: float) -> None:
    found = compare(timings(2 * seed), timings(2 * seed + 1, factor))
    assert verdicts(found) == {"slower" if factor > 1 else "faster"}


def test_a_machine_that_has_become_slower_is_noise_and_does_not_hide_a_change() -> None:
    assert compare(timings(1), timings(2, drift=1.5)).verdict == "noise"
    found = compare(timings(1), timings(2, factor=1.2, drift=1.5))
    assert found.verdict == "8 slower"
    assert found.drift == pytest.approx(0.5, abs=0.03)


def test_a_drift_in_the_middle_of_a_run_is_noise() -> None:
    """Those that were measured at the same time tell."""
    after = timings(2)
    for one in after.records:
        if one.workload in ("w0", "w1", "w2"):
            one.rounds_s = [1.4 * value for value in one.rounds_s]
            one.summarise()
    assert compare(timings(1), after).verdict == "noise"


def test_noise_that_hides_a_change_is_said() -> None:
    found = compare(timings(1, noise=0.6), timings(2, noise=0.6))
    ours = [row for row in found.rows if row.verdict != "control"]
    assert all((row.least or 0) > 0.1 for row in ours)


def test_a_peer_of_another_version_is_no_control() -> None:
    after = timings(2)
    for one in after.records:
        if one.runner == "a":
            one.version = "2"
            one.rounds_s = [2 * value for value in one.rounds_s]
            one.summarise()
    found = compare(timings(1), after)
    assert {row.record.runner for row in found.rows if row.verdict == "slower"} == {"a"}


def test_what_only_one_run_has_and_what_fails_now_is_told(tmp_path: Path) -> None:
    before, after = timings(1), timings(2)
    after.records = [one for one in after.records if one.workload != "w0"]
    broken = next(one for one in after.records if one.runner == "graphc numpy")
    broken.median_s, broken.failure = None, "wrong answer"
    shown = console()
    print_comparison(shown, compare(before, after))
    assert "gone" in text(shown)
    assert "failed: wrong answer" in text(shown)
    before.save(tmp_path / "a.json")
    after.save(tmp_path / "b.json")
    assert command.main(["compare", str(tmp_path / "a.json"), str(tmp_path / "b.json")], console()) == 1


def test_runs_of_different_machines_are_warned_of() -> None:
    other = timings(2)
    other.machine["cpu"] = "another"
    assert "cpu was a cpu and is another" in compare(timings(1), other).warnings


def test_a_file_that_is_no_run_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("[]")
    shown = console()
    assert command.main(["compare", str(tmp_path / "a.json"), str(tmp_path / "a.json")], shown) == 2
    assert "was not written by" in text(shown).replace("\n", " ")


@pytest.mark.slow
def test_a_runner_that_burns_a_fifth_more_is_found(tmp_path: Path) -> None:
    """Real timings: three controls, and one runner that computes for a fifth longer in the second run."""
    (tmp_path / "doubled.py").write_text(WORKLOAD)
    burning = "[time.sleep(0), 2 * x, [None for _ in range(%d)]][1]"
    files = []
    for name in ("planted", "one", "two", "three"):
        file = tmp_path / f"{name}.py"
        file.write_text(RUNNER.replace("planted", name))
        files.append(file)

    def measure(version: str, loops: int) -> Run:
        for file in files:
            own = (version, loops) if file.stem == "planted" else ("1", 20_000)
            source = RUNNER.replace("planted", file.stem).replace("COUNT.write_text(str(calls))", "pass")
            file.write_text(source.replace("VERSION", repr(own[0])).replace("FUNCTION", burning % own[1]))
        [chosen] = workload.of_module(workload.load(tmp_path / "doubled.py"))
        runners = [one for file in files for one in runner.of_module(runner.load(file))]
        return run(Harness(Settings("smoke", 1, 40, timing=0.05, budget=60.0)).measure(chosen, runners))

    first, same, slower = measure("1", 20_000), measure("2", 20_000), measure("2", 24_000)
    assert compare(first, same).verdict == "noise"
    found = compare(first, slower)
    [planted] = [row for row in found.rows if row.record.runner == "planted"]
    if planted.least is not None and planted.least > 0.15:
        pytest.skip(f"this machine is too busy: what is below {planted.least:.0%} cannot be seen, as compare says")
    assert found.verdict == "1 slower"


# --- plots, and the script for GPUs ------------------------------------------------------------------------------


@pytest.mark.requires("matplotlib")
def test_plots_are_written_as_png_and_svg(tmp_path: Path) -> None:
    found = timings(1)
    found.machine |= {"copy_bytes_per_s": {"1000": 1e10, "1000000": 5e9}, "matmul_flops_per_s": 1e11}
    for one in found.records:
        one.flops, one.nbytes, one.series = 1e6, 1e6, ("size", float(one.workload[1:]) + 1)
    for records in found.by_workload().values():
        record.set_ratios(records)
    written = plots.draw(found, tmp_path)
    assert {file.name for file in written} == {
        f"{n}.{k}" for n in ("speed", "roofline", "scaling") for k in ("png", "svg")
    }
    assert all(file.stat().st_size > 5000 for file in written)
    assert "graphc numpy" in (tmp_path / "speed.svg").read_text()


def test_plots_without_matplotlib_are_refused_before_the_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(plots.importlib.util, "find_spec", lambda name: None)
    shown = console()
    assert command.main(["run", "--plot", str(tmp_path)], shown) == 2
    assert "pip install 'graphc[bench]'" in text(shown)


def test_the_script_for_gpus_writes_what_the_suite_finds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    suite = ["--suite", "smoke", *OURS, "--workload", "gemm_64", "--threads", "1"]
    assert gpu.main([str(tmp_path), "--skip-tests"], suite) == 0
    assert {one.runner for one in record.read(tmp_path / "results.json").measured()} == {
        "graphc numpy",
        "NumPy by hand",
    }
    assert "tests: skipped" in capsys.readouterr().out
    assert gpu.run([sys.executable, "-c", "import time; time.sleep(9)"], tmp_path / "log", 0.2) == "stopped after 0 s"
