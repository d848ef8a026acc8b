"""The numpy backend with groups of fused nodes as small as they come, in blocks of few elements: for random graphs."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from unittest import mock

from graphc.backend import Capabilities, FusionLimits
from graphc.options import CompileOptions
from graphc.plan.data import Plan
from graphc_numpy import NumpyBackend, groups


class SmallGroups(NumpyBackend):
    """Poisons memory that is dead."""

    def __init__(self) -> None:
        super().__init__(poison=True)

    def info(self) -> Capabilities:
        return super().info()._replace(fusion_limits=FusionLimits())

    def lower(self, plan: Plan, options: CompileOptions) -> Any:
        return _InBlocks(super().lower(plan, options))


class _InBlocks:
    """A program whose groups run in blocks of two elements, if they have more than three."""

    def __init__(self, program: Any) -> None:
        self.program = program

    @property
    def source(self) -> str:
        source: str = self.program.source
        return source

    def bind(self, sizes: Mapping[str, int], state: Sequence[Any], committed: Callable[[], object]) -> Any:
        with mock.patch.object(groups, "WHOLE", 3), mock.patch.object(groups, "BLOCK", 2):
            return self.program.bind(sizes, state, committed)
