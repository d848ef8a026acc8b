"""A plan, lowered to kernels, launches and products; bound to memory when sizes are known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from graphc.options import CompileOptions
from graphc.plan.data import Plan

from . import steps
from .call import BoundCall
from .code import Code, source_listing
from .device import Device, Work
from .lowered import Print
from .memory import BoundPlan, Constants, DeviceArray


class CupyProgram:
    """Prints all kernels at once; `bind` compiles them when it is called first, for the device that there is.

    Args:
        plan: with its memory planned.
        options: of the compilation.
        device: gives the device; not asked before the plan is bound.
    """

    def __init__(self, plan: Plan, options: CompileOptions, device: Callable[[], Device]) -> None:
        self.plan = plan
        self._device = device
        self._code = Code(options.cache, options.verify)
        self._steps = [steps.lower(plan, step, self._code, options.precision) for step in plan.steps]
        self._constants = Constants(plan)

    @property
    def stats(self) -> dict[str, int]:
        """How many different kernels there are, and how many works a call starts, copies apart."""
        launches = sum(text != "copy" for lowered in self._steps for text in lowered.listing())
        return {"kernels": len(self._code), "launches": launches}

    @property
    def source(self) -> str:
        """The CUDA C++, behind a header that lists what a run does."""
        lines = [f"plan {self.plan.name}: what a run does, in order"]
        for position, lowered in enumerate(self._steps):
            if position == self.plan.commit:
                lines.append("commit:")
            place = f"  {lowered.step.origins}"
            lines += [f"  {text}{place}" for text in lowered.listing()]
        return source_listing(self._code, lines)

    def bind(
        self, sizes: Mapping[str, int], state: Sequence[DeviceArray], committed: Callable[[], object]
    ) -> tuple[BoundCall, int]:
        """Allocates memory for these sizes and prepares every launch."""
        device = self._device()
        device.enter()
        self._constants.upload(device)
        plan = self.plan
        bound = BoundPlan(plan, self._steps, device, sizes, state, self._constants)
        items = [item for lowered in self._steps[: plan.commit] for item in lowered.bind(bound)]
        commit: list[Work] | None = None
        if plan.updated:
            works = [item for lowered in self._steps[plan.commit :] for item in lowered.bind(bound)]
            commit = [*(work for work in works if not isinstance(work, Print)), committed]
        distinct = list(dict.fromkeys(plan.results))
        order = [distinct.index(index) for index in plan.results]
        return BoundCall(bound, items, commit, order), bound.arena_bytes
