"""What `import graphc` costs beyond `import numpy`, and what the first graph and the first run cost beyond that.

    python -m benchmarks.import_time [rounds]

Fresh processes, interleaved; the least time of each kind counts. Byte code is cached, as for an installed package.
The exit status is 1 if the import costs more than its limit.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LIMIT_MS = 30.0
ROUNDS = 20

_GRAPH = """
with gc.Graph("first"):
    x = gc.placeholder("x", (3,))
y = gc.sum(x * 2.0)
"""
_RUN = """
import numpy as np
gc.compile([y, gc.gradients(y, x)], [x])(np.ones(3, np.float32))
"""
_TRAIN = """
import numpy as np
with gc.Graph("first") as graph:
    x = gc.placeholder("x", ("batch", 3))
    w = gc.Variable(gc.init.glorot_uniform(), shape=(3, 2))
    train = gc.optim.Adam(1e-3).minimize(gc.sum(gc.square(x @ w)))
with gc.Session(graph) as session:
    session.run(train, feeds={x: np.ones((4, 3), np.float32)})
"""
CASES = {
    "import numpy": "import numpy",
    "import numpy, graphc": "import numpy, graphc",
    "… and a first graph": "import numpy, graphc as gc" + _GRAPH,
    "… and its gradient, compiled and run": "import numpy, graphc as gc" + _GRAPH + _RUN,
    "… a first training step with Adam instead": "import numpy, graphc as gc" + _TRAIN,
}


def seconds(code: str, environment: dict[str, str]) -> float:
    """How long a fresh process takes to run some code."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    return time.perf_counter() - start


def measure(rounds: int) -> dict[str, float]:
    """The least seconds of each case."""
    with tempfile.TemporaryDirectory() as cache:
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        root = Path(__file__).parents[1]
        paths = [str(root), str(root / "backends"), os.environ.get("PYTHONPATH", "")]
        environment |= {"PYTHONPYCACHEPREFIX": cache, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
        for code in CASES.values():
            seconds(code, environment)  # fills the cache
        least = dict.fromkeys(CASES, float("inf"))
        for _ in range(rounds):
            for name, code in CASES.items():
                least[name] = min(least[name], seconds(code, environment))
    return least


def main() -> int:
    """Prints the table."""
    least = measure(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)
    base = least["import numpy"]
    print(f"{'process':45}{'least ms':>10}{'over numpy':>12}")
    for name, value in least.items():
        print(f"{name:45}{value * 1e3:>10.1f}{(value - base) * 1e3:>12.2f}")
    return int((least["import numpy, graphc"] - base) * 1e3 > LIMIT_MS)


if __name__ == "__main__":
    sys.exit(main())
