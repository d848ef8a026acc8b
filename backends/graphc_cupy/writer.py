"""Lines of C++ with their indentation and comments."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from graphc.errors import Origins


class Writer:
    """Collects lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._depth = 1

    def line(self, text: str, comment: str = "") -> None:
        """One line of code."""
        self.lines.append("    " * self._depth + text + (f"  // {printable(comment)}" if comment else ""))

    @contextmanager
    def braces(self, header: str = "", comment: str = "") -> Iterator[None]:
        """The lines written inside stand in braces behind a header."""
        self.line(f"{header} {{".lstrip(), comment)
        self._depth += 1
        yield
        self._depth -= 1
        self.line("}")


def printable(text: str) -> str:
    """Text that cannot end a comment: no line breaks, no backslash that would join the next line."""
    return "".join(character if character.isprintable() and character != "\\" else "?" for character in text)


def comment_of(op: str, origins: Origins) -> str:
    """An op and where the user wrote it."""
    place = str(origins)
    return f"{op}, {place}" if place else op
