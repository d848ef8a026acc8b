"""Options of a compilation: the one place that reads the environment."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

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


def _exactness() -> str:
    value = os.environ.get("GRAPHC_EXACTNESS") or "default"
    if value not in EXACTNESS:
        raise unknown_name("value of GRAPHC_EXACTNESS", value, list(EXACTNESS))
    return value


def _verify() -> bool:
    value = os.environ.get("GRAPHC_VERIFY") or "0"
    if value not in ("0", "1"):
        raise ArgumentError(
            "this is no value of GRAPHC_VERIFY",
            expected="1, or 0 for the default",
            got=repr(value),
            fix="set it to 1, or unset it",
        )
    return value == "1"


def _folder(variable: str) -> str | None:
    return os.environ.get(variable) or None


@dataclass(frozen=True, slots=True)
class CompileOptions:
    """How a graph is compiled.

    What is left out comes from the environment: `GRAPHC_EXACTNESS`, `GRAPHC_VERIFY` (1 or 0), `GRAPHC_CACHE` and
    `GRAPHC_DUMP`; where that says nothing, from the defaults below.

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

    exactness: str = field(default_factory=_exactness)
    strict: bool = False
    memory_limit: int | None = None
    threads: int | None = None
    precision: str = "highest"
    law: str = "default"
    deterministic: bool = True
    verify: bool = field(default_factory=_verify)
    cache: str | os.PathLike[str] | None = field(default_factory=lambda: _folder("GRAPHC_CACHE"))
    dump: str | os.PathLike[str] | None = field(default_factory=lambda: _folder("GRAPHC_DUMP"))

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


NO_WISHES = CompileOptions(exactness="default", verify=False, cache=None, dump=None)
"""The defaults, whatever the environment says."""


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
    return CompileOptions() if options is None else options


def require_folder(option: str, folder: str | os.PathLike[str]) -> None:
    """Makes the folder that an option names, if it is not there.

    Args:
        option: `"cache"` or `"dump"`.
        folder: its value.

    Raises:
        ArgumentError: it cannot be made, or cannot be written to.
    """
    try:
        os.makedirs(folder, exist_ok=True)
        writable = os.access(folder, os.W_OK)
    except OSError:
        writable = False
    if not writable:
        what = {"cache": "compiled code cannot be kept in", "dump": "dumps cannot be written to"}[option]
        raise ArgumentError(
            f"{what} {os.fspath(folder)!r}",
            expected="a folder that exists or can be made, and can be written to",
            got=f"{option}={os.fspath(folder)!r}",
            fix=f"name another folder in CompileOptions({option}=…) or GRAPHC_{option.upper()}, or none",
        )


# What changes the speed or the results of a process, and is neither a path nor a secret.
_SETTINGS = (
    "GRAPHC_EXACTNESS", "GRAPHC_VERIFY", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "JAX_PLATFORMS", "CUDA_VISIBLE_DEVICES",
)  # fmt: skip


# What else of ours is read: by the options, and by the tests and the make targets of a checkout.
_PREFIX = "GRAPHC_"
_KNOWN = frozenset(
    _PREFIX + name for name in ("CACHE", "DUMP", "SEED", "REQUIRE", "DEMO_JAX", "UPDATE_GOLDEN", "HOST_SANITIZER")
)


def settings() -> dict[str, str]:
    """The variables of the environment that a bug report needs, as far as they are set.

    Those that begin like ours and are none are probably misspelt: they are named, without their values.
    """
    found = {name: os.environ[name] for name in _SETTINGS if name in os.environ}
    known = _KNOWN.union(_SETTINGS)
    unknown = sorted(name for name in os.environ if name.startswith(_PREFIX) and name not in known)
    return found | dict.fromkeys(unknown, "unknown to graphc; its value is not used")


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
