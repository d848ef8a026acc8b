"""All measurements, one after the other, in about three minutes: `python -m benchmarks`.

`python -m benchmarks.scale` alone goes up to graphs of 100,000 operations.
"""

from __future__ import annotations

import subprocess
import sys

_PARTS = {
    "a training step of the MLP 784-256-10, batch 128, Adam": ("training_step",),
    "the same step on jax, beside jax.jit by hand": ("jax_step",),
    "an MLP of three hidden layers of 64 at batch 1": ("small_mlp",),
    "from the import to the first result": ("first_result",),
    "importing": ("import_time",),
    "size of the graph": ("scale", "--sizes", "1000", "10000", "--rounds", "1"),
}


def main() -> int:
    """Runs each in a process of its own; returns how many failed."""
    failed = 0
    for title, (module, *options) in _PARTS.items():
        sys.stdout.write(f"\n## {title[0].upper()}{title[1:]}\n\n")
        sys.stdout.flush()
        failed += subprocess.run([sys.executable, "-m", f"benchmarks.{module}", *options], check=False).returncode != 0
    return failed


if __name__ == "__main__":
    sys.exit(main())
