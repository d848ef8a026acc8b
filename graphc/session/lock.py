"""Readers together, a writer alone."""

from __future__ import annotations

import threading
from _thread import LockType, allocate_lock, get_ident
from collections.abc import Callable
from typing import TypeVar

from graphc.errors import SessionError

_T = TypeVar("_T")


class ReadWriteLock:
    """`shared` runs what reads, `exclusive` what writes; while a writer waits, new readers wait behind it.

    Whatever a signal handler raises (Ctrl-C), and wherever, nothing stays locked: the locks are C objects in `with`
    statements, which CPython takes and gives back without handling signals in between. A handler may itself read: the
    state is never half-written when it runs. It may not write.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Nobody is inside: for a child process, where the threads of its parent do not live."""
        self._entry = threading.RLock()  # passed by readers, kept by a writer
        self._readers: dict[int, LockType] = {}  # thread → a lock that it holds while it reads
        self._writer: int | None = None

    def shared(self, function: Callable[..., _T], *args: object) -> _T:
        """Calls a function that reads."""
        me = get_ident()
        if me in self._readers:
            return function(*args)
        reading = allocate_lock()
        with reading:
            try:
                with self._entry:
                    self._readers[me] = reading
                return function(*args)
            finally:
                self._readers.pop(me, None)

    def exclusive(self, function: Callable[..., _T], *args: object) -> _T:
        """Calls a function that writes.

        Raises:
            SessionError: it was called from within another one, by a signal handler, say.
        """
        me = get_ident()
        if me == self._writer or me in self._readers:
            raise SessionError(
                "this would change the state while a run of the same thread is under way",
                expected="no update, assign or restore from a signal handler or a callback",
                got="one, in the middle of a run",
                fix="note the wish in the handler, and act on it between two runs",
            )
        with self._entry:
            try:
                self._writer = me
                for reading in tuple(self._readers.values()):
                    with reading:
                        pass
                return function(*args)
            finally:
                self._writer = None
