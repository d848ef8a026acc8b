"""XLA's persistent cache, for compilations of ours and for nobody else's."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")

_lock = threading.RLock()  # a signal handler may compile, too


def cached_in(folder: str | os.PathLike[str] | None, function: Callable[[], _T]) -> _T:
    """`function()`, whose compilations are looked up and kept in a folder.

    JAX has one cache per process, which it opens at the first compilation and in the folder that its configuration
    names then. The configuration is set for this thread alone, and the cache is closed before and after, so that
    everybody else's is opened anew in their own folder. What other threads compile meanwhile may land in this one.

    Args:
        folder: `None` for no cache.
        function: compiles.
    """
    if folder is None:
        return function()
    from jax._src import config
    from jax.experimental.compilation_cache import compilation_cache

    wanted = [
        (config.compilation_cache_dir, os.fspath(folder)),
        (config.persistent_cache_min_compile_time_secs, 0.0),
    ]
    with _lock:
        before = [setting.get_local() for setting, _ in wanted]
        compilation_cache.reset_cache()
        try:
            for setting, value in wanted:
                setting.set_local(value)
            return function()
        finally:
            for (setting, _), value in zip(wanted, before, strict=True):
                setting.set_local(value)
            compilation_cache.reset_cache()
