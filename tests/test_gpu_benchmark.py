"""`benchmarks.gpu` does what it will do on a GPU: on the host, with small arrays."""

from pathlib import Path

import numpy as np
import pytest
from host_device import HostDevice

from benchmarks import gpu
from benchmarks.gpu_workloads import WORKLOADS, array
from benchmarks.training_step import batches
from graphc_cupy import CupyBackend


@pytest.mark.requires("cxx")
def test_every_workload_runs_and_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "TIMED_SECONDS", 0)
    monkeypatch.setattr(gpu, "ROUNDS", 1)
    monkeypatch.setattr(gpu, "_training", lambda step: float(step(*batches()[0])))
    figures = gpu.run_graphc(40, 24, CupyBackend(HostDevice()))
    assert set(figures) == {*WORKLOADS, "mlp"}
    assert min(figures.values()) > 0


def test_wrong_answers_are_not_timed() -> None:
    workload = WORKLOADS["softmax"]
    x = array(4, 8)
    gpu.require_right(workload.numpy(x), workload, x, "right")
    with pytest.raises(AssertionError, match="wrong"):
        gpu.require_right(workload.numpy(x) * 1.01, workload, x, "wrong")


def test_the_table_tells_what_is_missing_and_how_near_the_floor_is() -> None:
    figures = {**dict.fromkeys(WORKLOADS, 2e-6), "mlp": 1e-3, "bandwidth": 1e12}
    text = gpu.table({"graphc": figures, "jax": "not installed", "torch": {"softmax": 4e-6}}, 500_000)
    assert "copy on the device: 1.00 TB/s" in text
    assert "jax: not installed" in text
    assert "| softmax over rows | 2.0 | 4.0 | 1.0 | 2.00 |" in text
    assert "| training step, MLP 784-256-10, batch 128, Adam | 1000.0 | — | — | — |" in text


def test_a_runner_that_fails_or_is_missing_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu.importlib.util, "find_spec", lambda name: None)
    assert gpu.run_runner("torch", tmp_path) == "not installed"
    monkeypatch.setattr(gpu.sys, "executable", "/bin/false")
    assert "see graphc.log" in str(gpu.run_runner("graphc", tmp_path))


def test_timings_are_per_call() -> None:
    started: list[int] = []
    seconds = gpu.seconds_per_call(lambda: started.append(1), lambda: None)
    assert 0 < seconds < 1
    assert len(started) > gpu.ROUNDS * 3
    assert array(3, 2).dtype == np.float32
