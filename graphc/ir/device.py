"""Where a tensor is: nowhere before it runs. A session or a plan decides, so the device of every tensor is `None`."""

from __future__ import annotations

from graphc.errors import ArgumentError


def require_undecided(device: object, what: str = "device=:") -> None:
    """Holds the device that somebody names to `None`, the only one that the array API's functions know here.

    Raises:
        ArgumentError: it is something else.
    """
    if device is not None:
        raise ArgumentError(
            f"{what} a tensor has no device before the graph runs",
            expected="None, as x.device is",
            got=repr(device),
            fix='leave it out, and name who runs the graph: gc.Session(graph, backend="jax"), gc.compile(…, backend=…)',
        )


def require_copy_allowed(copy: object, what: str) -> None:
    """Refuses `copy=False` for values from outside: a graph holds frozen copies of them.

    Raises:
        ArgumentError: copying is forbidden.
    """
    if copy is not None and not copy:
        raise ArgumentError(
            f"{what}: a graph holds copies of values, so that nobody changes them later",
            expected="copy=None or copy=True",
            got=f"copy={copy!r}",
            fix="leave it out; what changes from run to run is fed to a gc.placeholder",
        )
