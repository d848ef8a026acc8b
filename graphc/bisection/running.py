"""One run of a plan, without a session."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from graphc.compiler import CompiledPlan
from graphc.ir.tensor import Tensor


def run_plan(plan: CompiledPlan, leaves: Mapping[Tensor, np.ndarray], sizes: Mapping[str, int]) -> list[np.ndarray]:
    """Runs a plan once, without a session: results and new values of the variables, in memory of their own.

    Args:
        plan: from `compile_graph`.
        leaves: arrays of the parameters and variables of its graph.
        sizes: of its symbols.
    """
    backend = plan.choice.backend
    variables = {variable.name: variable for variable in plan.optimised.variables}
    named = [variables[plan.plan.slots[index].name] for index in plan.plan.state]
    state = [backend.allocate(variable.type) for variable in named]
    backend.to_device([(target, leaves[node]) for target, node in zip(state, named, strict=True)])
    call, _ = plan.program.bind(sizes, state, list)
    results = call(*(leaves[node] for node in plan.optimised.parameters))
    new = dict(zip(named, state, strict=True))
    updated = [backend.to_host(new[variable]) for variable, _ in plan.optimised.updates]
    return [*(np.asarray(value) for value in results), *updated]
