"""Where every random graph is run: a row per backend, its options, and how far its numbers may be off."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import conftest
from error_bound import NUMPY, Accuracy
from host_device import HostDevice
from kernel_backend import KernelBackend
from small_groups import SmallGroups

from graphc.conformance.tolerances import XLA
from graphc.lowering import registry
from graphc.lowering.registry import Choice
from graphc.options import CompileOptions
from graphc.passes.manager import Pass
from graphc.passes.pipelines import DEFAULT, LEGAL_ONLY
from graphc_cupy import CupyBackend
from graphc_numpy import NumpyBackend


class Configuration(NamedTuple):
    """A row.

    Attributes:
        name: in messages.
        load: makes the backend: a name, or an object.
        source: the same as source, for scripts.
        imports: lines that this source needs.
        options: of the compilation.
        pipeline: the passes.
        accuracy: how its ops round.
        requires: what must be there, as in `conftest.PROBES`.
        every: it runs each so-maniest case: what compiles slowly cannot run all.
        other_sizes: whether it is bound to other sizes, too.
        budget: how many problems are tried to shrink a wrong one.
    """

    name: str
    load: Callable[[], object]
    source: str
    imports: tuple[str, ...] = ()
    options: CompileOptions = CompileOptions(verify=True)
    pipeline: tuple[Pass, ...] = DEFAULT
    accuracy: Accuracy = NUMPY
    requires: str = "numpy"
    every: int = 1
    other_sizes: bool = True
    budget: int = 400

    def choice(self) -> Choice:
        """The backend, made once."""
        return _chosen(self.load)


@functools.cache
def _chosen(load: Callable[[], object]) -> Choice:
    return registry.choose(load())  # type: ignore[arg-type]


def _numpy() -> object:
    return NumpyBackend(poison=True)


def _kernels() -> object:
    return KernelBackend()


def _printed() -> object:
    return CupyBackend(HostDevice())


def _jax() -> object:
    return "jax"


_POISONED = ("NumpyBackend(poison=True)", ("from graphc_numpy import NumpyBackend",))
CONFIGURATIONS: tuple[Configuration, ...] = (
    Configuration("numpy", _numpy, *_POISONED, every=2),
    Configuration("numpy without passes", _numpy, *_POISONED, pipeline=LEGAL_ONLY, every=3),
    Configuration("numpy exact", _numpy, *_POISONED, options=CompileOptions("exact", verify=True), every=3),
    Configuration("numpy groups", SmallGroups, "SmallGroups()", ("from small_groups import SmallGroups",), every=2),
    Configuration("kernels", _kernels, "KernelBackend()", ("from kernel_backend import KernelBackend",), every=2),
    Configuration(
        "printed",
        _printed,
        "CupyBackend(HostDevice())",
        ("from host_device import HostDevice", "from graphc_cupy import CupyBackend"),
        requires="cxx",
        every=60,
        other_sizes=False,
        budget=25,
    ),
    Configuration("jax", _jax, '"jax"', accuracy=XLA, requires="jax", every=6, other_sizes=False),
    Configuration(
        "jax without passes",
        _jax,
        '"jax"',
        pipeline=LEGAL_ONLY,
        accuracy=XLA,
        requires="jax",
        every=12,
        other_sizes=False,
    ),
)


def why_missing(configuration: Configuration) -> str | None:
    """Why a configuration cannot run here, or `None` if it can."""
    return conftest.why_missing(configuration.requires)
