"""The user's source lines, and every error that graphc raises.

A message says what the user did, on which line, what was expected, what came instead, and how to mend it.
Each class derives from `GraphcError` and from the built-in that a Python programmer would expect there.
"""

from __future__ import annotations

import linecache
import os
import sys
from collections.abc import Iterable, Sequence
from types import CodeType
from typing import NamedTuple

_OWN_PACKAGES = frozenset(
    {"contextlib", "functools", "graphc", "graphc_cupy", "graphc_jax", "graphc_native", "graphc_numpy", "numpy"}
)
_CHECKOUT = "backends.graphc_"  # how our backends are called in a checkout that is not installed
_MOST_LINES = 4
_MOST_NAMES = 20  # of a list of known names
_SURE = 0.76  # likeness, as difflib counts it, from which on another name is taken for meant
_MOST_NEAR = 5  # of a longer list, where only those that come near are shown


class Line(NamedTuple):
    """One place in the user's program."""

    file: str
    number: int
    function: str

    @property
    def text(self) -> str:
        """The source text of the line, or an empty string where it cannot be read."""
        return linecache.getline(self.file, self.number).strip()

    def __str__(self) -> str:
        return f"{_short_path(self.file)}:{self.number}"


class Origins(NamedTuple):
    """Where a node comes from: at most four user lines, and how many there were before the cut."""

    lines: tuple[Line, ...]
    total: int

    def __str__(self) -> str:
        shown = ", ".join(str(line) for line in self.lines)
        more = self.total - len(self.lines)
        return f"{shown} (+{more} more)" if more > 0 else shown


NO_ORIGINS = Origins((), 0)

_internal_files: dict[str, bool] = {}
_origins_of_line: dict[tuple[CodeType, int], Origins] = {}


def user_origins() -> Origins:
    """The innermost frame outside of graphc, its backends, NumPy and contextlib, as `Origins`."""
    frame = sys._getframe(1)
    while True:
        code = frame.f_code
        internal = _internal_files.get(code.co_filename)
        if internal is None:
            internal = _is_own(str(frame.f_globals.get("__name__", "")))
            if not code.co_filename.startswith("<"):  # "<string>" is both a dataclass of ours and `python -c`
                _internal_files[code.co_filename] = internal
        if not internal:
            break
        if frame.f_back is None:
            return NO_ORIGINS
        frame = frame.f_back
    place = (code, frame.f_lineno)
    found = _origins_of_line.get(place)
    if found is None:
        line = Line(code.co_filename, frame.f_lineno, code.co_name)
        found = _origins_of_line[place] = Origins((line,), 1)
    return found


def _is_own(module: str) -> bool:
    return module.partition(".")[0] in _OWN_PACKAGES or module.startswith(_CHECKOUT)


def merge_origins(several: Iterable[Origins]) -> Origins:
    """The union of several origins, first come first kept."""
    distinct = dict.fromkeys(several)
    if len(distinct) == 1:
        return next(iter(distinct))
    lines = dict.fromkeys(line for origins in distinct for line in origins.lines)
    hidden = sum(origins.total - len(origins.lines) for origins in distinct)
    return Origins(tuple(lines)[:_MOST_LINES], len(lines) + hidden)


def _short_path(path: str) -> str:
    if path.startswith("<"):
        return path
    here = os.getcwd() + os.sep
    return path[len(here) :] if path.startswith(here) else path


class GraphcError(Exception):
    """Base of all errors of graphc.

    Args:
        message: what went wrong, one sentence without a full stop.
        expected: what would have been right.
        got: what came instead.
        fix: how to mend it.
        origins: the user's lines; by default the line that is being executed now.
    """

    def __init__(
        self,
        message: str,
        *,
        expected: str | None = None,
        got: str | None = None,
        fix: str | None = None,
        origins: Origins | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.expected = expected
        self.got = got
        self.fix = fix
        self.origins = user_origins() if origins is None else origins

    def __str__(self) -> str:
        parts = [self.message]
        parts += [f"  at        {line}    {line.text}".rstrip() for line in self.origins.lines]
        for label, text in (("expected", self.expected), ("got", self.got), ("fix", self.fix)):
            if text:
                parts.append(f"  {label:<10}" + text.replace("\n", "\n" + " " * 12))
        return "\n".join(parts)


class ShapeError(GraphcError, ValueError):
    """Shapes, ranks or axes that do not fit."""


class DTypeError(GraphcError, TypeError):
    """Dtypes that do not fit or cannot be promoted."""


class ArgumentError(GraphcError, ValueError):
    """An argument outside of its domain."""


class StaticGraphError(GraphcError, TypeError):
    """A value was asked of a tensor that has none before the graph runs."""


class GraphMismatchError(GraphcError, ValueError):
    """Tensors of two graphs met, or a source was made outside of any graph."""


class UnknownNameError(GraphcError, LookupError):
    """A name that nothing carries; the message lists the known ones."""


class UnknownAttributeError(UnknownNameError, AttributeError):
    """`gc.name` or `tensor.name` where there is no such thing."""


class UnknownOptionError(UnknownNameError, TypeError):
    """A keyword argument that no option is called by."""


class FeedError(GraphcError, ValueError):
    """A feed that is missing, unknown, given twice or does not fit its placeholder."""


class UnknownFeedError(UnknownNameError, FeedError):
    """A feed for a name that no placeholder carries."""


class FeedTypeError(FeedError, TypeError):
    """A feed of the wrong dtype."""


class FetchError(GraphcError, ValueError):
    """Something was fetched that the session's graph does not hold."""


class UpdateError(GraphcError, ValueError):
    """Updates of variables that contradict each other or do not fit."""


class GradientError(GraphcError, ValueError):
    """Base of the three reasons for which a gradient cannot be had."""


class NotDifferentiableError(GradientError):
    """The mathematics has no gradient here."""


class NotConnectedError(GradientError):
    """No path leads from the variable to the value."""


class GradientNotImplementedError(GradientError, NotImplementedError):
    """The gradient exists, but graphc does not have it yet."""


class NumericsError(GraphcError, ArithmeticError):
    """`check_numerics` met a NaN or an infinity."""


class OutOfRangeError(GraphcError, IndexError):
    """An index lies outside of its axis."""


class BackendError(GraphcError, RuntimeError):
    """A backend is missing, unavailable, cannot run the graph, or failed in its own code."""


class OutOfMemoryError(BackendError, MemoryError):
    """A backend did not get the memory that it needs."""


class UnsupportedError(BackendError, NotImplementedError):
    """A backend lacks an operation, a dtype or an option."""


class MemoryLimitError(GraphcError, MemoryError):
    """The plan needs more memory than `CompileOptions.memory_limit`."""


class SessionError(GraphcError, RuntimeError):
    """A session is closed, was inherited by a fork, or is lost."""


class StateLostError(SessionError):
    """A run failed when it had given up the old state and had no new one: `session.restore` needs a snapshot."""


class TextSyntaxError(GraphcError, ValueError):
    """The text form of a graph cannot be parsed."""


class InternalError(GraphcError, RuntimeError):
    """graphc broke one of its own rules; please report it."""


class VerifyError(InternalError):
    """A graph violates the specification of the IR."""


class RewriteLoopError(InternalError):
    """A rewrite rule keeps producing what it matches."""


def unknown_name(
    kind: str,
    name: object,
    known: Sequence[str],
    *,
    fix: str | None = None,
    listing: str = "",
    error: type[UnknownNameError] = UnknownNameError,
) -> UnknownNameError:
    """An error for an unknown name that suggests the nearest and lists the known ones.

    Args:
        kind: what is named, for example `"backend"`.
        name: what was asked for.
        known: all names that there are.
        fix: what to do if none of them is near.
        listing: what lists them all, if there are many.
        error: the class to make.
    """
    meant = _meant(str(name), known)
    if meant:
        fix = f"did you mean {meant!r}?"
    found = error(
        f"there is no {kind} named {name!r}",
        expected=_listed(str(name), known, listing),
        got=repr(name),
        fix=fix or ("use one of these names" if known else f"make a {kind} of that name first"),
    )
    if isinstance(found, AttributeError):
        found.name = str(name)  # left to Python, it would add a suggestion of its own to the last line
    return found


def _meant(name: str, known: Sequence[str]) -> str | None:
    """The one name that is so near that it is worth a guess: 'sort' is no misspelt 'sqrt'."""
    near = _near(name, known, 1, _SURE)
    if near:
        return near[0]
    parts = [other for other in known if _begins_or_ends(name, other)]
    return min(parts, key=lambda other: abs(len(other) - len(name)), default=None)


def _begins_or_ends(name: str, other: str) -> bool:
    """Whether one of the two is how the other begins or ends, and at least half of it."""
    short, long = sorted((name, other), key=len)
    return len(long) <= 2 * len(short) and (long.startswith(short) or long.endswith(short))


def _near(name: str, known: Sequence[str], most: int, cutoff: float = 0.6) -> list[str]:
    from difflib import get_close_matches  # 1 ms that only errors pay

    return get_close_matches(name, known, most, cutoff)


def _listed(name: str, known: Sequence[str], listing: str) -> str:
    if not known:
        return "nothing: there is none"
    if len(known) <= _MOST_NAMES:
        return "one of: " + ", ".join(sorted(known))
    near = _near(name, known, _MOST_NEAR)
    many = f"one of {len(known)} names" + (f" ({listing} lists them)" if listing else "")
    return f"{many}, such as: {', '.join(near)}" if near else many
