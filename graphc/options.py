"""Options of a compilation: the one place that reads the environment."""

from __future__ import annotations

import os
from dataclasses import dataclass

from graphc.errors import ArgumentError, unknown_name

EXACTNESS = {
    "exact": frozenset({"exact"}),
    "default": frozenset({"exact", "close", "reorder", "stable"}),
    "fast": frozenset({"exact", "close", "reorder", "stable", "fast"}),
}


@dataclass(frozen=True, slots=True)
class CompileOptions:
    """How a graph is compiled.

    Attributes:
        exactness: which classes of rewrite rules may be used: `"exact"` (the bits of the graph as written),
            `"default"` (all that keep or improve accuracy), `"fast"`.
        strict: an op for which the backend must allocate, or a feed that must be copied, is an error.
        memory_limit: bytes that the arena of one binding may take.
        threads: for backends that have threads of their own; the numpy backend leaves them to NumPy's BLAS
            and takes only `None`.
        precision: of matrix products; `"highest"` is full precision of the dtype. The numpy backend has no
            other.
        deterministic: the same bits on the same machine and versions. The numpy backend always is.
        verify: check the graph against the specification of the IR between passes.
        dump: a folder for numbered dumps of the graph around every pass.
    """

    exactness: str = "default"
    strict: bool = False
    memory_limit: int | None = None
    threads: int | None = None
    precision: str = "highest"
    deterministic: bool = True
    verify: bool = False
    dump: str | None = None

    def __post_init__(self) -> None:
        if self.exactness not in EXACTNESS:
            raise unknown_name("exactness", self.exactness, list(EXACTNESS))
        if self.precision not in ("highest", "high", "default"):
            raise unknown_name("precision", self.precision, ["highest", "high", "default"])
        if self.memory_limit is not None and self.memory_limit < 0:
            raise ArgumentError("memory_limit is a number of bytes", got=str(self.memory_limit))

    @property
    def rule_classes(self) -> frozenset[str]:
        """The classes of rules that may be used."""
        return EXACTNESS[self.exactness]


def default_options() -> CompileOptions:
    """The defaults, with `GRAPHC_EXACTNESS`, `GRAPHC_VERIFY` and `GRAPHC_DUMP` from the environment."""
    return CompileOptions(
        exactness=os.environ.get("GRAPHC_EXACTNESS", "default"),
        verify=os.environ.get("GRAPHC_VERIFY", "0") not in ("", "0"),
        dump=os.environ.get("GRAPHC_DUMP") or None,
    )
