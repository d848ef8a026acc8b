"""Random graphs on the cupy backend: kernels interpreted, kernels compiled by g++, and on a GPU."""

import pytest
from configurations import Configuration
from cupy_devices import gpu, interpreted
from host_device import HostDevice
from random_checks import Tally, cases, check_backend
from seeds import FIRST

from graphc.lowering.registry import Choice
from graphc.options import CompileOptions
from graphc.plan.data import Plan
from graphc_cupy import CupyBackend


class OnDevice(Configuration):
    """A configuration of a backend object."""

    def choice(self) -> Choice:
        return Choice("cupy", self.load(), "given")  # type: ignore[arg-type]


def check(backend: CupyBackend, count: int) -> None:
    configuration = OnDevice("cupy", lambda: backend, "CupyBackend(...)")
    tally = Tally.empty()
    for case, found in cases(range(FIRST, FIRST + count)):
        check_backend(configuration, case, found, tally)
    assert tally.compared["cupy"] > count


class Interpreted(CupyBackend):
    """Without kernels that are written in CUDA by hand: those of random numbers."""

    def unsupported(self, plan: Plan, options: CompileOptions) -> list[str]:
        used = dict.fromkeys(step.op.name for step in plan.steps)
        by_hand = [op for op in used if op == "child_key" or op.startswith("random_")]
        return super().unsupported(plan, options) + [f"{op}: no kernel" for op in by_hand]


def test_interpreted(monkeypatch: pytest.MonkeyPatch) -> None:
    check(Interpreted(interpreted(monkeypatch)), 40)


@pytest.mark.requires("cxx")
def test_compiled() -> None:
    check(CupyBackend(HostDevice()), 12)


@pytest.mark.slow
@pytest.mark.requires("cxx")
def test_many_compiled() -> None:
    check(CupyBackend(HostDevice(reverse=True)), 300)


@pytest.mark.gpu
def test_on_the_gpu() -> None:
    check(gpu(), 100)
