"""Kernels of sorting and of running sums and extremes. They write into `out`."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.ops.sorting import stable_order

Array = np.ndarray

_SHARE = 4  # a partition pays where the wanted are at most one in so many


def sort_into(out: Array, x: Array, axis: int, descending: bool, function: Any) -> None:
    """x in order. NumPy sorts in place by its fastest method, which shuffles equal elements: only zeros show it."""
    np.copyto(out, x)
    if out.dtype.kind == "f" and _holds_minus_zero(out):
        np.copyto(out, function(np, x, axis=axis, descending=descending))
        return
    out.sort(axis)
    if descending:
        np.copyto(out, np.flip(out, axis))


def _holds_minus_zero(x: Array) -> bool:
    """Minus zero has the bits of the least integer."""
    bits = np.dtype(f"i{x.itemsize}")
    return bool((x.view(bits) == np.iinfo(bits).min).any())


def top_k_into(values: Array, positions: Array, x: Array, axis: int) -> None:
    """The largest elements along an axis, in order, and their positions."""
    rows = np.moveaxis(x, axis, -1)
    found = _largest(rows, positions.shape[axis])
    np.copyto(np.moveaxis(positions, axis, -1), found)
    np.copyto(np.moveaxis(values, axis, -1), np.take_along_axis(rows, found, -1))


def _largest(rows: Array, k: int) -> Array:
    """Positions of the k largest elements of each row, by a partition if they are few."""
    count = rows.shape[-1]
    if k == 0 or count < _SHARE * k:
        return np.asarray(stable_order(np, rows, -1, True)[..., :k])
    found = np.argpartition(rows, count - k, axis=-1)[..., count - k :]
    least = np.take_along_axis(rows, found[..., :1], -1)
    found.sort(axis=-1)  # of equal ones, the first comes first
    order = stable_order(np, np.take_along_axis(rows, found, -1), -1, True)
    found = np.take_along_axis(found, order, -1)
    # Where others equal the least of them, any of those may have been taken; nothing is less than a NaN.
    unsure = np.count_nonzero(rows < least, axis=-1) != count - k
    if unsure.any():
        found[unsure] = stable_order(np, rows[unsure], -1, True)[..., :k]
    return found


def true_positions_into(out: Array, x: Array) -> None:
    """The first positions at which x is true; behind the last of them, its length."""
    found = np.flatnonzero(x)[: out.size]
    out[: found.size] = found
    out[found.size :] = x.size


def accumulate_into(out: Array, ufunc: np.ufunc, x: Array, axis: int) -> None:
    """What a ufunc makes of the elements so far along an axis."""
    ufunc.accumulate(x, axis, out.dtype, out)


def sums_into(out: Array, x: Array, axis: int, reverse: bool) -> None:
    """Running sums, which start at +0: where one starts at -0, those of -0 alone are set right."""
    axes = (slice(None),) * axis
    if reverse:
        x, out = x[(*axes, slice(None, None, -1))], out[(*axes, slice(None, None, -1))]
    np.add.accumulate(x, axis, out.dtype, out)
    first = out[(*axes, slice(0, 1))]
    parts = {"f": (first,), "c": (first.real, first.imag)}.get(out.dtype.kind, ())
    if any(((part == 0) & np.signbit(part)).any() for part in parts):
        np.add(out, 0, out)
