"""Kernels that no single function of NumPy provides. They write into `out` and allocate at most small blocks."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from graphc.errors import Origins, OutOfRangeError
from graphc.ops.indexing import numpy_slices
from graphc.ops.structure import numerics_error

Array = np.ndarray

_BLOCK = 1024  # elements: temporaries of a block stay in the first-level cache


def fallback(out: Array, function: Callable[..., Any] | str, attrs: Mapping[str, Any], *inputs: Array) -> None:
    """The op's own `array_fn`: for what NumPy cannot do in place. Allocates the result once more."""
    call = partial(getattr(np, function)) if isinstance(function, str) else partial(function, np)
    np.copyto(out, call(*inputs, **attrs))


def reshape_into(out: Array, x: Array) -> None:
    """The elements of a strided array in row-major order."""
    np.copyto(out.reshape(x.shape), x)


def pad_into(out: Array, x: Array, value: Array, pad_width: tuple[tuple[int, int], ...]) -> None:
    """x within a border."""
    np.copyto(out, value)
    inner = tuple(slice(before, before + size) for (before, _), size in zip(pad_width, x.shape, strict=True))
    np.copyto(out[inner], x)


def slice_update_into(out: Array, x: Array, part: Array, starts: Any, lengths: Any, steps: Any) -> None:
    """x with a slice replaced."""
    np.copyto(out, x)
    np.copyto(out[numpy_slices(starts, lengths, steps)], part)


def check_range(indices: Array, size: int, what: str, origins: Origins) -> None:
    """Holds indices to their axis.

    Raises:
        OutOfRangeError: one is outside of [-size, size).
    """
    if not indices.size:
        return
    low, high = int(indices.min()), int(indices.max())
    if low < -size or high >= size:
        raise OutOfRangeError(
            f"{what}: an index is out of range",
            expected=f"indices from {-size} to {size - 1}" if size else "no index: the axis is empty",
            got=f"indices from {low} to {high}",
            fix="look for wrong labels or ids in what is fed; gc.clip keeps indices in range",
            origins=origins,
        )


def take_into(out: Array, x: Array, indices: Array, axis: int, origins: Origins) -> None:
    """Slices of x along an axis. `wrap` counts negative positions from the end and fills `out` unbuffered."""
    check_range(indices, x.shape[axis], "take", origins)
    if out.size:
        np.take(x, indices, axis, out, "wrap")


def scatter_add_into(out: Array, x: Array, indices: Array, values: Array, axis: int, origins: Origins) -> None:
    """x with values added along an axis."""
    check_range(indices, x.shape[axis], "scatter_add", origins)
    np.copyto(out, x)
    np.add.at(
        np.moveaxis(out, axis, 0), indices, np.moveaxis(values, range(axis, axis + indices.ndim), range(indices.ndim))
    )


def check_into(out: Array, x: Array, message: str, origins: Origins) -> None:
    """x, if all of it is finite.

    Raises:
        NumericsError: it is not.
    """
    if not np.isfinite(x).all():
        raise numerics_error(x, message, origins)
    np.copyto(out, x)


def print_into(out: Array, x: Array, label: str) -> None:
    """Writes a value to standard output."""
    sys.stdout.write(f"{label}{x}\n")
    np.copyto(out, x)


# --- erf: the rational approximations of Sun's fdlibm (s_erf.c, 1993), within 1 ulp there ---

_NEAR_P = (
    1.28379167095512558561e-01, -3.25042107247001499370e-01, -2.84817495755985104766e-02,
    -5.77027029648944159157e-03, -2.37630166566501626084e-05,
)  # fmt: skip
_NEAR_Q = (
    1.0, 3.97917223959155352819e-01, 6.50222499887672944485e-02, 5.08130628187576562776e-03,
    1.32494738004321644526e-04, -3.96022827877536812320e-06,
)  # fmt: skip
_AT_ONE = 8.45062911510467529297e-01
_MIDDLE_P = (
    -2.36211856075265944077e-03, 4.14856118683748331666e-01, -3.72207876035701323847e-01,
    3.18346619901161753674e-01, -1.10894694282396677476e-01, 3.54783043256182359371e-02,
    -2.16637559486879084300e-03,
)  # fmt: skip
_MIDDLE_Q = (
    1.0, 1.06420880400844228286e-01, 5.40397917702171048937e-01, 7.18286544141962662868e-02,
    1.26171219808761642112e-01, 1.36370839120290507362e-02, 1.19844998467991074170e-02,
)  # fmt: skip
_FAR_P = (
    -9.86494403484714822705e-03, -6.93858572707181764372e-01, -1.05586262253232909814e01,
    -6.23753324503260060396e01, -1.62396669462573470355e02, -1.84605092906711035994e02,
    -8.12874355063065934246e01, -9.81432934416914548592e00,
)  # fmt: skip
_FAR_Q = (
    1.0, 1.96512716674392571292e01, 1.37657754143519042600e02, 4.34565877475229228821e02,
    6.45387271733267880336e02, 4.29008140027567833386e02, 1.08635005541779435134e02,
    6.57024977031928170135e00, -6.04244152148580987438e-02,
)  # fmt: skip
_TAIL_P = (
    -9.86494292470009928597e-03, -7.99283237680523006574e-01, -1.77579549177547519889e01,
    -1.60636384855821916062e02, -6.37566443368389627722e02, -1.02509513161107724954e03,
    -4.83519191608651397019e02,
)  # fmt: skip
_TAIL_Q = (
    1.0, 3.03380607434824582924e01, 3.25792512996573918826e02, 1.53672958608443695994e03,
    3.19985821950859553908e03, 2.55305040643316442583e03, 4.74528541206955367215e02,
    -2.24409524465858183362e01,
)  # fmt: skip


def _quotient(p: tuple[float, ...], q: tuple[float, ...], z: Array) -> Array:
    numerator, denominator = np.full_like(z, p[-1]), np.full_like(z, q[-1])
    for coefficient in p[-2::-1]:
        numerator = numerator * z + coefficient
    for coefficient in q[-2::-1]:
        denominator = denominator * z + coefficient
    quotient: Array = numerator / denominator
    return quotient


def _erf_block(x: Array) -> Array:
    size = np.abs(x)
    result = np.empty_like(x)
    near, far = size < 0.84375, size >= 1.25
    middle, tail = ~near & ~far, size >= 1 / 0.35
    np.copyto(result, x + x * _quotient(_NEAR_P, _NEAR_Q, x * x), where=near)
    if middle.any():
        value = _AT_ONE + _quotient(_MIDDLE_P, _MIDDLE_Q, size - 1.0)
        np.copyto(result, np.copysign(value, x), where=middle)
    if far.any():
        # Beyond 6, 1 - erf is below half an ulp; the limit also keeps inf · 0 out of the quotient.
        limited = np.clip(size, 1.25, 6.0)
        s = 1.0 / (limited * limited)
        ratio = np.where(tail, _quotient(_TAIL_P, _TAIL_Q, s), _quotient(_FAR_P, _FAR_Q, s))
        value = 1.0 - np.exp(-limited * limited - 0.5625 + ratio) / limited
        np.copyto(result, np.copysign(value, x), where=far)
    result[np.isnan(x)] = np.nan
    return result


def erf_into(out: Array, x: Array) -> None:
    """The error function, in float64, block by block."""
    if x.ndim == 0 or not x.flags.c_contiguous:
        x = np.array(x, order="C", ndmin=1)
    source, target = x.reshape(-1), out.reshape(-1)
    for start in range(0, source.size, _BLOCK):
        block = source[start : start + _BLOCK].astype(np.float64)
        target[start : start + _BLOCK] = _erf_block(block)
