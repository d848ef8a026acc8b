"""64-bit types, switched on for a call of ours and for nobody else."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

import numpy as np

from graphc.errors import BackendError

_T = TypeVar("_T")


def in_x64(function: Callable[..., _T], *args: Any) -> _T:
    """`function(*args)` while this thread has 64-bit types.

    JAX's own context manager is Python code: a signal handler that raises at the entry of its `__exit__` would leave
    the setting behind. Between a call that raises and the call in `finally`, CPython handles no signal.
    """
    setting = _setting()
    before = setting.get_local()
    try:
        setting.set_local(True)
        return function(*args)
    finally:
        setting.set_local(before)


@cache
def _setting() -> Any:
    import jax

    return jax.enable_x64


def require_version() -> None:
    """Holds the installed jax for one that has what this file uses.

    Raises:
        BackendError: it is too old or too new.
    """
    import jax

    if not all(hasattr(getattr(jax, "enable_x64", None), name) for name in ("get_local", "set_local")):
        raise BackendError(
            "the backend 'jax' does not know this version of jax",
            expected="0.10 to 0.12",
            got=jax.__version__,
            fix='pip install "graphc[jax]"',
        )


def put(array: np.ndarray) -> Any:
    """A copy on the device. A copy on the host comes first: JAX may keep what it is given, or read it later.

    A copy on the device would be a program of its own, which XLA compiles for every shape.
    """
    import jax

    return in_x64(jax.device_put, np.array(array, order="C")).block_until_ready()
