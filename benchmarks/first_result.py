"""From the import to the first result: fresh processes, interleaved. `python -m benchmarks.first_result [processes]`

The training step of `training_step` at batch 128, built, compiled and run once.
"""

from __future__ import annotations

import importlib.util
import json
import statistics
import subprocess
import sys

_SCRIPT = """
import json, time
start = time.perf_counter()
import numpy as np
numpy_imported = time.perf_counter()
{imports}
imported = time.perf_counter()
from benchmarks import training_step
data = training_step.batches(1)[0]
initial = training_step.parameters()
ready = time.perf_counter()
step = training_step.{maker}(initial)
built = time.perf_counter()
step(*data)
first = time.perf_counter()
step(*data)
second = time.perf_counter()
print(json.dumps(dict(numpy=numpy_imported - start, library=imported - numpy_imported,
                      build=built - ready, first=first - built, second=second - first)))
"""
_RUNNERS = {"graphc numpy": ("import graphc", "graphc_step"), "jax.jit": ("import jax", "jax_step")}
_STAGES = ("library", "build", "first", "second")


def main(processes: int = 10) -> str:
    """Medians per stage in milliseconds: import beside NumPy, build and compile, first call, second call."""
    names = [name for name in _RUNNERS if name.startswith("graphc") or importlib.util.find_spec("jax")]
    found: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for _ in range(processes):
        for name in names:
            imports, maker = _RUNNERS[name]
            script = _SCRIPT.format(imports=imports, maker=maker)
            output = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
            found[name].append(json.loads(output.stdout))
    lines = [
        "| runner | import beside NumPy, ms | build and compile | first call | second call |",
        "|---|---|---|---|---|",
    ]
    for name, rows in found.items():
        medians = (f"{statistics.median(row[stage] for row in rows) * 1e3:.1f}" for stage in _STAGES)
        lines.append(f"| {name} | {' | '.join(medians)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(main(*map(int, sys.argv[1:])) + "\n")
