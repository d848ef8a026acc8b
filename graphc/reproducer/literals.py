"""Values as Python source."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.ir.dtype import as_dtype


def array_text(array: np.ndarray) -> str:
    """An array as an expression of NumPy, with the digits that its dtype needs."""
    dtype = "bool" if array.dtype == bool else as_dtype(array.dtype).as_source
    if array.size > 1 and array.dtype.kind != "b" and _is_filled(array):
        return f"np.full({array.shape}, {_number(array.flat[0])}, {dtype})"
    if not array.size:
        return f"np.zeros({array.shape}, {dtype})"
    return f"np.array({_nested(array)}, {dtype})"


def _is_filled(array: np.ndarray) -> bool:
    return array.tobytes() == np.full_like(array, array.flat[0]).tobytes()


def _nested(array: np.ndarray) -> str:
    if array.ndim == 0:
        return _number(array[()])
    return f"[{', '.join(map(_nested, array))}]"


def _number(value: Any) -> str:
    if value.dtype.kind == "c":
        return f"complex({_number(value.real)}, {_number(value.imag)})"
    if value.dtype.kind == "V":  # of ml_dtypes: what float32 says of it is exact
        return _number(np.float32(value))
    if value.dtype.kind == "f" and not np.isfinite(value):
        return {"inf": "np.inf", "-inf": "-np.inf"}.get(str(value), "np.nan")
    text = str(value)  # the shortest that gives it back when it is read in its own dtype
    return text if value.dtype.type(float(text) if value.dtype.kind == "f" else value) == value else repr(value.item())
