"""Options of a compilation: the one place that reads the environment."""

from __future__ import annotations

import os
from dataclasses import dataclass

from graphc.errors import ArgumentError, UnknownOptionError, unknown_name

EXACTNESS = {
    "exact": frozenset({"exact"}),
    "default": frozenset({"exact", "close", "reorder", "stable"}),
    "fast": frozenset({"exact", "close", "reorder", "stable", "fast"}),
}


# Option → the types of its values, the smallest number, and the same in words.
_KINDS: dict[str, tuple[tuple[type, ...], int, str]] = {
    **dict.fromkeys(("strict", "deterministic", "verify"), ((bool,), 0, "True or False")),
    "memory_limit": ((int, type(None)), 0, "a number of bytes, or None for no limit"),
    "threads": ((int, type(None)), 1, "an int >= 1, or None to leave it to the backend"),
    "cache": ((str, os.PathLike, type(None)), 0, "a folder, or None for what the backend does by itself"),
    "dump": ((str, os.PathLike, type(None)), 0, "a folder, or None for no dumps"),
}


@dataclass(frozen=True, slots=True)
class CompileOptions:
    """How a graph is compiled.

    Attributes:
        exactness: which classes of rewrite rules may be used: `"exact"` (the bits of the graph as written),
            `"default"` (all that keep or improve accuracy), `"fast"`.
        strict: an op for which the backend must allocate memory while it runs is an error.
        memory_limit: bytes that the arena of one binding may take.
        threads: for backends that have threads of their own; the numpy backend leaves them to NumPy's BLAS
            and takes only `None`.
        precision: of matrix products; `"highest"` is full precision of the dtype. The numpy backend has no
            other.
        law: `"default"`, or `"strict"`: no compiler below graphc may use algebra that changes bits. On the jax backend
            that switches XLA's algebraic simplifier off, which takes `(x + 1e8) - 1e8` for `x`; others never do such
            things.
        deterministic: the same bits on the same machine and versions. The numpy backend always is.
        verify: check the graph against the specification of the IR between passes.
        cache: a folder in which backends that compile machine code keep it from process to process. With `None`, the
            cupy backend keeps its modules in the user's folder for caches, and the jax backend keeps nothing.
        dump: a folder for numbered dumps of the graph around every pass.
    """

    exactness: str = "default"
    strict: bool = False
    memory_limit: int | None = None
    threads: int | None = None
    precision: str = "highest"
    law: str = "default"
    deterministic: bool = True
    verify: bool = False
    cache: str | os.PathLike[str] | None = None
    dump: str | os.PathLike[str] | None = None

    def __new__(cls, *args: object, **options: object) -> CompileOptions:
        for name in options:
            if name not in cls.__slots__:
                raise unknown_name("option", name, list(cls.__slots__), error=UnknownOptionError)
        return object.__new__(cls)

    def __post_init__(self) -> None:
        if self.exactness not in EXACTNESS:
            raise unknown_name("exactness", self.exactness, list(EXACTNESS))
        if self.precision not in ("highest", "high", "default"):
            raise unknown_name("precision", self.precision, ["highest", "high", "default"])
        if self.law not in ("default", "strict"):
            raise unknown_name("law", self.law, ["default", "strict"])
        for name, (kinds, least, expected) in _KINDS.items():
            value = getattr(self, name)
            if not isinstance(value, kinds) or (type(value) is int and value < least):
                raise ArgumentError(
                    f"this is no value for the option {name}",
                    expected=expected,
                    got=repr(value),
                    fix=f"leave {name}= out for the default",
                )

    @property
    def rule_classes(self) -> frozenset[str]:
        """The classes of rules that may be used."""
        return EXACTNESS[self.exactness]


def resolve_options(options: CompileOptions | None) -> CompileOptions:
    """The options that are given, or the defaults.

    Raises:
        ArgumentError: something else is given.
    """
    if options is not None and not isinstance(options, CompileOptions):
        raise ArgumentError(
            "these are no options",
            expected="gc.CompileOptions, or None for the defaults",
            got=repr(options),
            fix='gc.CompileOptions(exactness="fast"), for example',
        )
    return default_options() if options is None else options


# What changes the speed or the results of a process, and is neither a path nor a secret.
_SETTINGS = (
    "GRAPHC_EXACTNESS", "GRAPHC_VERIFY", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "JAX_PLATFORMS", "CUDA_VISIBLE_DEVICES",
)  # fmt: skip


def settings() -> dict[str, str]:
    """The variables of the environment that a bug report needs, as far as they are set."""
    return {name: os.environ[name] for name in _SETTINGS if name in os.environ}


def user_cache() -> str:
    """Our folder in the one that the system has for caches of this user."""
    if os.name == "nt":
        parent = os.environ.get("LOCALAPPDATA") or os.path.expanduser("~")
    else:
        parent = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(parent, "graphc")


def cuda_folders() -> list[str]:
    """Where a CUDA toolkit may be installed, as far as variables of the environment say so."""
    return [os.environ[name] for name in ("CUDA_PATH", "CUDA_HOME") if os.environ.get(name)]


def default_options() -> CompileOptions:
    """The defaults, with `GRAPHC_EXACTNESS`, `GRAPHC_VERIFY`, `GRAPHC_CACHE` and `GRAPHC_DUMP` from the environment."""
    return CompileOptions(
        exactness=os.environ.get("GRAPHC_EXACTNESS", "default"),
        verify=os.environ.get("GRAPHC_VERIFY", "0") not in ("", "0"),
        cache=os.environ.get("GRAPHC_CACHE") or None,
        dump=os.environ.get("GRAPHC_DUMP") or None,
    )
