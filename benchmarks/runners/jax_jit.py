"""jax.jit by hand: one compiled function; a training step gives its whole state away (donation).

Data lies on the device before the clock starts. Beside it, on a CPU, the same with arrays of NumPy at every call, as
graphc takes them: what remains between those two is graphc's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from benchmarks.runner import Prepared, Runner, needs
from benchmarks.workload import Problem, Workload


def _load(device: str) -> str:
    import jax

    if device == "gpu":
        jax.config.update("jax_default_matmul_precision", "highest")  # float32 as everybody else's, not TF32
    jax.devices(device)
    return str(jax.__version__)


def _environment(device: str, threads: int) -> Mapping[str, str]:
    if device == "gpu":
        return {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    return {"JAX_PLATFORMS": "cpu"}  # takes as many threads as the process may use cores


def _prepare(device: str, resident: bool, workload: Workload, problem: Problem, threads: int) -> Prepared:
    import jax

    inputs = jax.device_put(list(problem.inputs)) if resident else list(problem.inputs)
    state = jax.device_put(dict(problem.state))
    function = workload.functions["jax"]
    call = _step(jax, function, state) if workload.step else _forward(jax, function, state)
    if device == "cpu":
        return Prepared(lambda *arrays: jax.block_until_ready(call(*arrays)), inputs)
    last: list[Any] = [None]

    def start(*arrays: Any) -> Any:
        last[0] = call(*arrays)
        return last[0]

    return Prepared(start, inputs, wait=lambda: jax.block_until_ready(last[0]))


def _forward(jax: Any, function: Any, state: Any) -> Any:
    compiled = jax.jit(partial(function, jax))
    return partial(compiled, state) if state else compiled


def _step(jax: Any, function: Any, state: Any) -> Any:
    carried, step = function(jax, state)
    compiled = jax.jit(step, donate_argnums=0)

    def call(*batch: Any) -> Any:
        nonlocal carried
        carried, loss = compiled(carried, *batch)
        return jax.block_until_ready(loss)

    return call


def _runner(name: str, device: str, resident: bool = True) -> Runner:
    return Runner(
        name,
        "jax",
        needs("jax"),
        partial(_load, device),
        partial(_prepare, device, resident),
        partial(_environment, device),
        device=device,
    )


RUNNERS = [
    _runner("jax.jit", "cpu"),
    _runner("jax.jit, NumPy arrays", "cpu", resident=False),
    _runner("jax.jit, GPU", "gpu"),
]
