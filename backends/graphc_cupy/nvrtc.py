"""NVRTC through ctypes: CUDA C++ to machine code, on machines without a GPU, too; and a cache of what was compiled."""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
import hashlib
import importlib.util
import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from graphc.errors import BackendError
from graphc.options import cuda_folders, user_cache

from .prelude import SOURCE_NAME

OPTIONS = (
    "--std=c++17",
    "--fmad=false",  # a product that is fused into a sum has other bits than the two ops have
    "--ptxas-options=-v",  # registers and spills
    "--diag-suppress=177",  # variables that nothing uses: an index on an axis, a size
    "--diag-suppress=186",  # unsigned numbers compared with zero, in templates for both kinds
)
"""No fast-math: divisions and roots are rounded correctly and subnormal numbers are kept, as NVRTC does by default."""


class Usage(NamedTuple):
    """What a function takes of a GPU: registers of a thread; bytes of spilled ones, stack, static shared memory."""

    registers: int
    spill_bytes: int
    stack_bytes: int
    shared_bytes: int


class Compiled(NamedTuple):
    """Machine code for one architecture, the compiler's messages, and what each function takes, as far as it is known.

    `cubin` is PTX, as a text that ends with a zero, for a GPU that NVRTC does not know yet.
    """

    cubin: bytes
    log: str
    usage: Mapping[str, Usage]


def compile(source: str, arch: str, kernels: Sequence[str], cache: str | os.PathLike[str] | None = None) -> Compiled:
    """Compiles a translation unit, or finds it compiled.

    Args:
        source: the prelude and printed kernels.
        arch: for example `"sm_90"`. For a GPU that is newer than NVRTC, this gives PTX, which the driver compiles.
        kernels: names of the functions that it must hold.
        cache: the folder of compiled code; `None`: the user's folder for caches.

    Raises:
        BackendError: there is no NVRTC, it does not know the architecture, or the source is wrong.
    """
    library = _library()
    arch = _target(arch, supported(library))
    folder = Path(user_cache() if cache is None else cache)
    path = folder / f"{cache_key(source, arch)}.cubin"
    compiled = _read(path)
    if compiled is None:
        compiled = _compile(library, source, arch)
        _write(path, compiled)
    missing = [name for name in kernels if name not in compiled.usage]
    if missing:
        raise BackendError(
            "the compiled code lacks functions",
            expected=", ".join(kernels),
            got=", ".join(compiled.usage) or "none",
            fix='declare them extern "C" __global__',
        )
    return compiled


def _target(arch: str, known: Sequence[str]) -> str:
    """What to compile for: the GPU itself, or else the newest virtual architecture that it can run."""
    if arch in known:
        return arch
    older = [name for name in known if int(name[3:]) < int(arch[3:])]
    if older:
        return "compute_" + max(older, key=lambda name: int(name[3:]))[3:]
    raise BackendError(
        f"NVRTC {version()} does not compile for {arch}",
        expected="one of " + ", ".join(known),
        got=arch,
        fix="use an older NVRTC for an older GPU: pip install 'graphc[cuda12]'",
    )


def cache_key(source: str, arch: str) -> str:
    """A name for compiled code: a digest of all that it depends on."""
    parts = [source, arch, *OPTIONS, version()]
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=20).hexdigest()


def version() -> str:
    """The version of NVRTC, for example `"13.0"`."""
    major, minor = ctypes.c_int(), ctypes.c_int()
    _check(_library(), _library().nvrtcVersion(ctypes.byref(major), ctypes.byref(minor)), "asking for its version")
    return f"{major.value}.{minor.value}"


def architectures() -> tuple[str, ...]:
    """What this NVRTC compiles for, for example `"sm_90"`."""
    return supported(_library())


@functools.cache
def supported(library: ctypes.CDLL) -> tuple[str, ...]:
    """The architectures that a library knows."""
    count = ctypes.c_int()
    _check(library, library.nvrtcGetNumSupportedArchs(ctypes.byref(count)), "asking for architectures")
    numbers = (ctypes.c_int * count.value)()
    _check(library, library.nvrtcGetSupportedArchs(numbers), "asking for architectures")
    return tuple(f"sm_{number}" for number in numbers)


# --- the library ----------------------------------------------------------------------------------------------


@functools.cache
def _library() -> ctypes.CDLL:
    tried = []
    for candidate in _candidates():
        try:
            return ctypes.CDLL(candidate)
        except OSError as error:
            tried.append(f"{candidate}: {error}")
    raise BackendError(
        "CUDA's compiler NVRTC is not installed",
        expected="the library nvrtc among the installed wheels, or on the system",
        got="; ".join(tried) or "none found",
        fix="pip install 'graphc[cuda13]', or 'graphc[cuda12]' for a driver of CUDA 12",
    )


def _candidates() -> Iterator[str]:
    """Wheels first, newest first: they come with graphc's extras."""
    spec = importlib.util.find_spec("nvidia")
    for folder in (spec.submodule_search_locations if spec else None) or ():
        for pattern in ("cu13/lib/libnvrtc.so.*", "cuda_nvrtc/lib/libnvrtc.so.*", "*/lib/libnvrtc.so.*",
                        "cu13/bin/**/nvrtc64_*.dll", "cuda_nvrtc/bin/nvrtc64_*.dll"):  # fmt: skip
            yield from sorted((str(path) for path in Path(folder).glob(pattern)), reverse=True)
    if found := ctypes.util.find_library("nvrtc"):
        yield found
    for root in (*cuda_folders(), "/usr/local/cuda"):
        for pattern in ("lib64/libnvrtc.so*", "bin/nvrtc64_*.dll"):
            yield from (str(path) for path in sorted(Path(root).glob(pattern)))


def _check(library: ctypes.CDLL, code: int, what: str) -> None:
    if code:
        library.nvrtcGetErrorString.restype = ctypes.c_char_p
        reason = library.nvrtcGetErrorString(code).decode()
        raise BackendError(f"NVRTC failed in {what}: {reason}", fix="reinstall it: pip install 'graphc[cuda13]'")


# --- compiling ------------------------------------------------------------------------------------------------


def _compile(library: ctypes.CDLL, source: str, arch: str) -> Compiled:
    program = ctypes.c_void_p()
    created = library.nvrtcCreateProgram(ctypes.byref(program), source.encode(), SOURCE_NAME.encode(), 0, None, None)
    _check(library, created, "making a program")
    try:
        options = [option.encode() for option in (*OPTIONS, f"--gpu-architecture={arch}")]
        code = library.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*options))
        log = _bytes(library, program, "ProgramLog").rstrip(b"\0").decode(errors="replace")
        if code:
            raise _source_error(source, log)
        if arch.startswith("sm_"):
            return Compiled(_bytes(library, program, "CUBIN"), log, usage_of(log))
        ptx = _bytes(library, program, "PTX")
        entries = re.findall(r"\.entry (\w+)", ptx.decode())
        log += "".join(f"\nCompiling entry function '{name}'" for name in entries)  # as ptxas would have said
        return Compiled(ptx, log, usage_of(log))
    finally:
        library.nvrtcDestroyProgram(ctypes.byref(program))


def _bytes(library: ctypes.CDLL, program: ctypes.c_void_p, what: str) -> bytes:
    size = ctypes.c_size_t()
    _check(library, getattr(library, f"nvrtcGet{what}Size")(program, ctypes.byref(size)), f"reading {what}")
    content = ctypes.create_string_buffer(size.value)
    _check(library, getattr(library, f"nvrtcGet{what}")(program, content), f"reading {what}")
    return content.raw


def _source_error(source: str, log: str) -> BackendError:
    """What the compiler says, with the lines that it says it about."""
    lines = source.partition(f'#line 1 "{SOURCE_NAME}"\n')[2].splitlines()
    shown = []
    for message in log.splitlines():
        shown.append(message)
        place = re.match(rf"{re.escape(SOURCE_NAME)}\((\d+)\): ", message)
        if place and int(place[1]) <= len(lines):
            shown.append(f"    {place[1]} | {lines[int(place[1]) - 1].strip()}")
    return BackendError(
        "printed CUDA C++ does not compile",
        expected="source that NVRTC accepts",
        got="\n".join(shown),
        fix="this is a mistake of graphc: please report it with the graph",
    )


_FUNCTION = re.compile(r"Compiling entry function '(\w+)'")
_NUMBERS = {
    "registers": re.compile(r"Used (\d+) registers"),
    "spill_bytes": re.compile(r"(\d+) bytes spill stores"),
    "stack_bytes": re.compile(r"(\d+) bytes stack frame"),
    "shared_bytes": re.compile(r"(\d+) bytes smem"),
}


def usage_of(log: str) -> dict[str, Usage]:
    """What `ptxas -v` says about each function."""
    found: dict[str, Usage] = {}
    name = ""
    for line in log.splitlines():
        if begins := _FUNCTION.search(line):
            name = begins[1]
            found[name] = Usage(0, 0, 0, 0)
        for field, pattern in _NUMBERS.items():
            if name and (number := pattern.search(line)):
                found[name] = found[name]._replace(**{field: int(number[1])})
    return found


# --- the cache on disk ------------------------------------------------------------------------------------------
# A file: a digest of the rest, then the length of the log, the log, the cubin. Whatever does not fit is compiled again.

_DIGEST = 20


def _read(path: Path) -> Compiled | None:
    try:
        content = path.read_bytes()
    except OSError:
        return None
    digest, rest = content[:_DIGEST], content[_DIGEST:]
    if len(rest) < 8 or hashlib.blake2b(rest, digest_size=_DIGEST).digest() != digest:
        return None
    length = int.from_bytes(rest[:8], "little")
    log = rest[8 : 8 + length].decode()
    return Compiled(rest[8 + length :], log, usage_of(log))


def _write(path: Path, compiled: Compiled) -> None:
    """All or nothing: other processes may read and write the same entry. A cache that cannot be written is none."""
    log = compiled.log.encode()
    rest = len(log).to_bytes(8, "little") + log + compiled.cubin
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
        with os.fdopen(handle, "wb") as file:
            file.write(hashlib.blake2b(rest, digest_size=_DIGEST).digest() + rest)
        os.replace(temporary, path)
    except OSError:
        if temporary is not None:
            with suppress(OSError):
                os.unlink(temporary)
