"""Everything that needs a GPU, in one call of at most eight minutes: the tests that are marked `gpu`, then benchmarks.

`PYTHONPATH=.:backends python -m benchmarks.gpu FOLDER [--skip-tests]` writes into FOLDER the log of the tests, every
runner's figures as JSON and the table as Markdown, and prints the table last. Runners (graphc, jax, torch) have
processes of their own, one after the other; one that is not installed or fails is left out, and says so.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

import graphc as gc
from benchmarks import training_step
from benchmarks.gpu_workloads import COLUMNS, ROWS, WORKLOADS, Workload, array

RUNNERS = ("graphc", "jax", "torch")
TEST_SECONDS, RUNNER_SECONDS = 270, 60
TIMED_SECONDS = 0.2  # of one timing
ROUNDS = 7
_CHECKED = 64  # rows and columns of the comparison with NumPy

Figures = dict[str, float]
"""Workload → seconds a call; `"bandwidth"` → bytes a second of a copy on the device, read and written."""


# --- one runner, in a process of its own ---------------------------------------------------------------------


def seconds_per_call(start: Callable[[], object], wait: Callable[[], object]) -> float:
    """The median over some rounds; calls of a round follow each other without waiting."""
    start()
    wait()
    began = time.perf_counter()
    start()
    wait()
    calls = max(3, min(10_000, int(TIMED_SECONDS / ROUNDS / max(time.perf_counter() - began, 1e-6))))
    found = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        for _ in range(calls):
            start()
        wait()
        found.append((time.perf_counter() - began) / calls)
    return statistics.median(found)


def require_right(found: np.ndarray, workload: Workload, x: np.ndarray, title: str) -> None:
    """Compares with NumPy in double precision."""
    expected = workload.numpy(x.astype(np.float64))
    np.testing.assert_allclose(found, expected, rtol=2e-4, atol=2e-4, err_msg=title)


def graphc_session(workload: Workload, x: np.ndarray, backend: Any) -> tuple[gc.Session, gc.Executable, str]:
    """A session that computes the workload from one variable into another: nothing crosses to the host."""
    with gc.Graph("workload") as graph:
        source = gc.Variable(x, name="x")
        value = workload.graphc(source)
        target = gc.Variable(np.zeros([int(size) for size in value.shape], np.float32), name="y")
        write = gc.assign(target, value)
    session = gc.Session(graph, backend=backend)
    return session, session.compile(write), "y"


def run_graphc(rows: int = ROWS, columns: int = COLUMNS, backend: Any = "cupy") -> Figures:
    """Our own figures."""
    figures: Figures = {}
    small, large = array(_CHECKED, _CHECKED), array(rows, columns)
    for name, workload in WORKLOADS.items():
        session, step, result = graphc_session(workload, small, backend)
        with session:
            step()
            require_right(session.value(result), workload, small, f"graphc: {name}")
        session, step, _ = graphc_session(workload, large, backend)
        with session:
            figures[name] = seconds_per_call(step, session.choice.backend.synchronize)
    figures["mlp"] = _training(training_step.graphc_step(training_step.parameters(), backend))
    return figures


def _training(step: training_step.Step) -> float:
    batches = itertools.cycle(training_step.batches())
    for _ in range(5):
        step(*next(batches))
    return seconds_per_call(lambda: step(*next(batches)), lambda: None)


def run_jax() -> Figures:
    """jax.jit, with the precision that graphc has by default."""
    import jax

    jax.config.update("jax_default_matmul_precision", "highest")
    if jax.default_backend() != "gpu":
        raise SystemExit(f"jax runs on {jax.default_backend()} here")
    figures: Figures = {}
    small, large = jax.device_put(array(_CHECKED, _CHECKED)), jax.device_put(array())
    for name, workload in WORKLOADS.items():
        compiled = jax.jit(lambda x, workload=workload: workload.jax(jax, x))
        require_right(np.asarray(compiled(small)), workload, np.asarray(small), f"jax: {name}")
        held: list[Any] = [None]

        def start(compiled: Any = compiled, held: list[Any] = held) -> None:
            held[0] = compiled(large)

        figures[name] = seconds_per_call(start, lambda held=held: jax.block_until_ready(held[0]))  # type: ignore[misc]
    figures["mlp"] = _training(training_step.jax_step(training_step.parameters()))
    return figures


def run_torch() -> Figures:
    """PyTorch as it comes, and what a copy on the device reaches."""
    import torch

    figures: Figures = {}
    small, large = torch.from_numpy(array(_CHECKED, _CHECKED)).cuda(), torch.from_numpy(array()).cuda()
    other = torch.empty_like(large)
    copy = seconds_per_call(lambda: other.copy_(large), torch.cuda.synchronize)
    figures["bandwidth"] = 2 * large.nbytes / copy
    for name, workload in WORKLOADS.items():
        require_right(workload.torch(torch, small).cpu().numpy(), workload, small.cpu().numpy(), f"torch: {name}")
        call: Callable[[], object] = lambda workload=workload: workload.torch(torch, large)  # type: ignore[misc]  # noqa: E731
        figures[name] = seconds_per_call(call, torch.cuda.synchronize)
    figures["mlp"] = _training(_torch_step(torch))
    return figures


def _torch_step(torch: Any) -> training_step.Step:
    start = training_step.parameters()
    weights = [torch.from_numpy(value.copy()).cuda().requires_grad_() for value in start.values()]
    w1, b1, w2, b2 = weights
    adam = torch.optim.Adam(weights, training_step.RATE, (training_step.BETA1, training_step.BETA2))

    def step(x: np.ndarray, y: np.ndarray) -> float:
        logits = torch.relu(torch.from_numpy(x).cuda() @ w1 + b1) @ w2 + b2
        loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(y).cuda())
        adam.zero_grad()
        loss.backward()
        adam.step()
        return float(loss)

    return step


def copy_bandwidth() -> float:
    """Bytes a second, read and written, of a copy by CUDA: the ceiling of everything that touches memory."""
    import cupy

    source = cupy.asarray(array())
    target = cupy.empty_like(source)
    nbytes = int(source.nbytes)
    seconds = seconds_per_call(
        lambda: target.data.copy_from_device_async(source.data, nbytes), cupy.cuda.runtime.deviceSynchronize
    )
    return 2 * nbytes / seconds


# --- all of it -----------------------------------------------------------------------------------------------


def run_tests(folder: Path) -> str:
    """The tests that are marked `gpu`; returns the last line of their log."""
    settings = folder / "pytest.ini"  # of its own: this machine's pytest and libraries are not those that are pinned
    settings.write_text("[pytest]\nmarkers =\n    gpu\n    slow\n    fuzz\n    tpu_aot\n", encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-c", str(settings), "--rootdir=.", "-p", "no:cacheprovider"]
    command += ["-m", "gpu", "-q", "--durations=10", "--continue-on-collection-errors", "tests"]
    log = folder / "tests.log"
    environment = {**os.environ, "GRAPHC_REQUIRE": "gpu"}
    with log.open("w", encoding="utf-8") as file:
        try:
            subprocess.run(
                command, stdout=file, stderr=subprocess.STDOUT, timeout=TEST_SECONDS, check=False, env=environment
            )
        except subprocess.TimeoutExpired:
            file.write(f"\nstopped after {TEST_SECONDS} s\n")
    lines = log.read_text(encoding="utf-8").strip().splitlines()
    return lines[-1] if lines else "the tests wrote nothing"


def run_runner(name: str, folder: Path) -> Figures | str:
    """The figures of one runner, or why there are none."""
    if name != "graphc" and importlib.util.find_spec(name) is None:
        return "not installed"
    target = folder / f"{name}.json"
    environment = {**os.environ, "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    command = [sys.executable, "-m", "benchmarks.gpu", str(folder), "--runner", name]
    with (folder / f"{name}.log").open("w", encoding="utf-8") as log:
        try:
            subprocess.run(
                command, stdout=log, stderr=subprocess.STDOUT, timeout=RUNNER_SECONDS, check=True, env=environment
            )
        except (subprocess.TimeoutExpired, subprocess.CalledProcessError) as error:
            return f"failed ({type(error).__name__}): see {name}.log"
    figures: Figures = json.loads(target.read_text(encoding="utf-8"))
    return figures


def table(results: Mapping[str, Figures | str], size: int) -> str:
    """Microseconds a call, and how near to the copy's bandwidth our own come."""
    figures = {name: found for name, found in results.items() if not isinstance(found, str)}
    bandwidth = figures.get("graphc", {}).get("bandwidth", 0.0)
    lines = [f"copy on the device: {bandwidth / 1e12:.2f} TB/s, read and written"] if bandwidth else []
    lines += [f"{name}: {why}" for name, why in results.items() if isinstance(why, str)]
    names = list(figures)
    lines += ["", "| µs a call | " + " | ".join(names) + " | floor | graphc / floor |", "|---" * (len(names) + 3) + "|"]
    for key in (*WORKLOADS, "mlp"):
        cells = [f"{found[key] * 1e6:.1f}" if key in found else "—" for found in figures.values()]
        workload = WORKLOADS.get(key)
        floor = workload.moved * size / bandwidth if workload and bandwidth else 0.0
        ours = figures.get("graphc", {}).get(key)
        ratio = f"{ours / floor:.2f}" if ours and floor else "—"
        title = workload.title if workload else "training step, MLP 784-256-10, batch 128, Adam"
        lines.append(f"| {title} | {' | '.join(cells)} | {f'{floor * 1e6:.1f}' if floor else '—'} | {ratio} |")
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    """Runs everything, or one runner alone; returns 1 if our own runner failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--skip-tests", action="store_true")
    parser.add_argument("--runner", choices=RUNNERS)
    given = parser.parse_args(argv)
    given.folder.mkdir(parents=True, exist_ok=True)
    if given.runner:
        figures = {"graphc": run_graphc, "jax": run_jax, "torch": run_torch}[given.runner]()
        if given.runner == "graphc":
            figures["bandwidth"] = copy_bandwidth()
        (given.folder / f"{given.runner}.json").write_text(json.dumps(figures, indent=1), encoding="utf-8")
        return 0
    tests = "skipped" if given.skip_tests else run_tests(given.folder)
    results = {name: run_runner(name, given.folder) for name in RUNNERS}
    text = f"tests: {tests}\n\n{table(results, ROWS * COLUMNS * 4)}\n"
    (given.folder / "results.md").write_text(text, encoding="utf-8")
    sys.stdout.write(text)
    return int(isinstance(results["graphc"], str))


if __name__ == "__main__":
    sys.exit(main())
