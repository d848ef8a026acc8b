"""The machine: what it is, and what it can do at most, measured in the same run as the runners, by the same harness.

The copy and the matrix product below are workloads like others; their rates make the floors of the report.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import Harness
from benchmarks.process import ROOT, usable_cores
from benchmarks.runner import Prepared, Runner, needs
from benchmarks.workload import Problem, Workload

_SIZES = {
    "smoke": (2**16, 2**22),
    "cpu": (2**16, 2**18, 2**20, 2**22, 2**24, 2**26, 2**28),
    "gpu": (2**22, 2**26, 2**30),
}
_ORDER = {"smoke": 256, "cpu": 2048, "gpu": 8192}
_WORTH_THREADS = 2**21  # bytes, from which on a copy is faster in parts


def _copy_problem(nbytes: int) -> Callable[[np.random.Generator, str], Problem]:
    def make(rng: np.random.Generator, size: str) -> Problem:
        x = rng.random(nbytes // 8, np.float32)  # half is read, half is written
        return Problem([(x,)], nbytes=float(nbytes), rtol=0.0, atol=0.0)

    return make


def _product_problem(rng: np.random.Generator, size: str) -> Problem:
    n = _ORDER[size]
    a, b = (rng.standard_normal((n, n), np.float32) for _ in range(2))
    return Problem([(a, b)], flops=2.0 * n**3, nbytes=12.0 * n * n, rtol=1e-3, atol=1e-2)


def _copier(threads: int) -> Callable[[np.ndarray], np.ndarray]:
    """Copies into memory that was made once."""
    pool = ThreadPoolExecutor(threads)
    kept: list[np.ndarray] = []

    def copy(x: np.ndarray) -> np.ndarray:
        if not kept:
            kept.append(np.zeros_like(x))
        [y] = kept
        if threads == 1 or 2 * x.nbytes < _WORTH_THREADS:
            np.copyto(y, x)
        else:
            list(pool.map(np.copyto, np.array_split(y, threads), np.array_split(x, threads)))
        return y

    return copy


def _multiplier(threads: int) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    kept: list[np.ndarray] = []

    def multiply(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        if not kept:
            kept.append(np.empty_like(a))
        return np.matmul(a, b, kept[0])

    return multiply


def _prepare(workload: Workload, problem: Problem, threads: int) -> Prepared:
    return Prepared(workload.functions["machine"](threads), problem.inputs)


def _identity(x: np.ndarray) -> np.ndarray:
    return x


def _copies(nbytes: int) -> Workload:
    title = f"copy of {nbytes >> 10:,} KiB"
    functions = {"machine": _copier}
    suites = frozenset(size for size, all_of in _SIZES.items() if nbytes in all_of)
    return Workload(f"copy-{nbytes}", title, "memory", suites, _copy_problem(nbytes), _identity, functions)


WORKLOADS = [
    *map(_copies, sorted({nbytes for sizes in _SIZES.values() for nbytes in sizes})),
    Workload(
        "product",
        "matrix product",
        "compute",
        frozenset(_SIZES),
        _product_problem,
        np.matmul,
        {"machine": _multiplier},
    ),
]


class _TorchEvents:
    """The clock of the device."""

    def __init__(self, torch: Any) -> None:
        self.torch = torch
        self.began, self.ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))

    def start(self) -> None:
        """Begins, once the device is idle."""
        self.torch.cuda.synchronize()
        self.began.record()

    def stop(self) -> float:
        """Seconds on the device."""
        self.ended.record()
        self.ended.synchronize()
        return float(self.began.elapsed_time(self.ended)) / 1e3


def _load_torch() -> str:
    import torch

    return str(torch.__version__)


def _prepare_torch(workload: Workload, problem: Problem, threads: int) -> Prepared:
    """The same on a GPU: a copy of CUDA, and a product of cuBLAS in float32."""
    import torch

    torch.backends.cuda.matmul.allow_tf32 = False
    inputs = [tuple(torch.from_numpy(array).cuda() for array in arrays) for arrays in problem.inputs]
    target = torch.empty_like(inputs[0][0])
    call: Callable[..., Any] = target.copy_ if len(inputs[0]) == 1 else lambda a, b: torch.matmul(a, b, out=target)
    return Prepared(call, inputs, lambda y: (y.cpu().numpy(),), clock=_TorchEvents(torch))


HERE = Path(__file__)
RUNNERS = [
    Runner("machine", "machine", lambda: None, lambda: np.__version__, _prepare, file=HERE),
    Runner("machine-gpu", "machine", needs("torch"), _load_torch, _prepare_torch, device="gpu", file=HERE),
]


def rates(harness: Harness) -> dict[str, Any]:
    """At best: bytes a second of copies, by the bytes that they touch, and flops a second of a matrix product."""
    size = harness.settings.size
    device = "gpu" if size == "gpu" else "cpu"
    [runner] = [runner for runner in RUNNERS if runner.device == device]
    found: dict[str, Any] = {"copy_bytes_per_s": {}, "matmul_flops_per_s": None}
    for workload in WORKLOADS:
        if size not in workload.suites or runner.available() is not None:
            continue
        harness.say(f"what the machine can do: {workload.title}")
        [record] = harness.measure(replace(workload, file=HERE), [runner])
        if record.min_s is None:
            found.setdefault("failures", []).append(f"{workload.title}: {record.failure}")
        elif record.flops:
            found["matmul_flops_per_s"] = record.flops / record.min_s
        else:
            found["copy_bytes_per_s"][str(int(record.nbytes))] = record.nbytes / record.min_s
    return found


def description() -> dict[str, Any]:
    """What a reader must know of the machine; no name of a host or a user."""
    return {
        "cpu": _cpu(),
        "cores": len(usable_cores()),
        "caches": _caches(),
        "memory_bytes": _memory(),
        "gpu": _gpu(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "blas": _blas(),
        "commit": _commit(),
        "load": list(os.getloadavg()) if hasattr(os, "getloadavg") else None,
    }


def _cpu() -> str:
    names = _found(r"(?m)^model name\s*: (.+)$", Path("/proc/cpuinfo"))
    return names[0] if names else platform.processor() or platform.machine()


def _found(pattern: str, file: Path) -> list[str]:
    return re.findall(pattern, file.read_text(errors="replace")) if file.is_file() else []


def _caches() -> dict[str, str]:
    """By level, as one core sees them."""
    folder = Path("/sys/devices/system/cpu/cpu0/cache")
    found = {}
    for index in sorted(folder.glob("index*")):
        level, kind, size = ((index / name).read_text().strip() for name in ("level", "type", "size"))
        if kind != "Instruction":
            found[f"L{level}"] = size
    return found


def _memory() -> int | None:
    kilobytes = _found(r"MemTotal:\s*(\d+) kB", Path("/proc/meminfo"))
    return int(kilobytes[0]) * 1024 if kilobytes else None


def _gpu() -> str | None:
    return _output("nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader")


def _commit() -> str | None:
    return _output("git", "-C", str(ROOT), "describe", "--always", "--dirty", "--tags")


def _output(*command: str) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None


def _blas() -> str:
    blas = np.show_config(mode="dicts").get("Build Dependencies", {}).get("blas", {})
    return f"{blas.get('name', 'unknown')} {blas.get('version', '')}".rstrip()
