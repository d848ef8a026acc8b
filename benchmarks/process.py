"""A process for a runner, with limits: it may crash or hang, and that is a line in the table."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from multiprocessing.connection import Pipe
from pathlib import Path
from typing import Any

from benchmarks.worker import Task

ROOT = Path(__file__).parents[1]
# Every library that reads one of these takes as many threads as the others.
_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)


class RunnerFailed(Exception):
    """A runner raised, crashed or hung; the message is one line."""


def usable_cores() -> list[int]:
    """Those that this process may use: containers and batch systems often give a part of the machine."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def environment(threads: int, variables: Mapping[str, str]) -> dict[str, str]:
    """What a process of a runner sees."""
    paths = [str(ROOT), str(ROOT / "backends"), os.environ.get("PYTHONPATH", "")]
    same = dict.fromkeys(_THREADS, str(threads))
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), **same, **variables}


@contextlib.contextmanager
def _on_cores(threads: int) -> Iterator[None]:
    """Processes started here keep to so many cores: some libraries take a thread for each, whatever they are told."""
    cores = usable_cores()
    if threads >= len(cores) or not hasattr(os, "sched_setaffinity"):
        yield
        return
    os.sched_setaffinity(0, cores[:threads])
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


class RunnerProcess:
    """A worker in a process group of its own, so that what it starts ends with it."""

    def __init__(self, task: Task, variables: Mapping[str, str]) -> None:
        self.pipe, theirs = Pipe()
        self.output = tempfile.TemporaryFile()  # noqa: SIM115 - until `stop`
        command = [sys.executable, "-m", "benchmarks.worker", str(theirs.fileno())]
        with _on_cores(task.threads):
            self.process = subprocess.Popen(
                command,
                pass_fds=[theirs.fileno()],
                env=environment(task.threads, variables),
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=self.output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        theirs.close()
        self.pipe.send(task)

    def ask(self, limit: float, doing: str, name: str, *arguments: Any) -> Any:
        """The reply to a request.

        Args:
            limit: seconds, after which the process is killed.
            doing: for the error: "compiling".

        Raises:
            RunnerFailed: it raised, crashed or hung.
        """
        try:
            self.pipe.send((name, *arguments))
            if not self.pipe.poll(limit):
                self.stop()
                raise RunnerFailed(f"stopped: no reply within {limit:.0f} s, {doing}")
            fine, value = self.pipe.recv()
        except (EOFError, OSError) as error:
            raise RunnerFailed(self._crash(doing)) from error
        if not fine:
            self.stop()
            raise RunnerFailed(f"failed, {doing}: {_one_line(value)}")
        return value

    def _crash(self, doing: str) -> str:
        code = self.process.wait()
        self.output.seek(0)
        lines = self.output.read().decode(errors="replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        how = signal.Signals(-code).name if code < 0 else f"exit status {code}"
        self.stop()
        return f"crashed, {doing} ({how}){': ' + _one_line(last) if last else ''}"

    def stop(self) -> None:
        """Ends the process and what it has started."""
        self.pipe.close()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.output.close()


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 200 else line[:197] + "..."
