"""Order as docs/semantics.md has it, where XLA's own is another. The first argument is the module `jax`."""

from __future__ import annotations

from typing import Any

Value = Any


def top_k(jax: Any, x: Value, k: int, axis: int) -> tuple[Value, Value]:
    """The largest elements along an axis, and their positions.

    XLA puts −0 before 0 and NaNs with a sign before all numbers; it gets keys for which nothing of this shows.
    """
    jnp = jax.numpy
    rows = jnp.moveaxis(x, axis, -1)
    keys = rows.astype("uint8") if x.dtype == bool else rows
    if x.dtype.kind == "f":
        keys = jnp.where(rows == 0, jnp.zeros_like(rows), jnp.where(rows != rows, jnp.full_like(rows, jnp.nan), rows))
    positions = jnp.moveaxis(jax.lax.top_k(keys, k)[1], -1, axis).astype("int64")
    return jnp.take_along_axis(x, positions, axis=axis), positions
