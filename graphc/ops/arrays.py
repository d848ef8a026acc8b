"""Which values are arrays, of NumPy or of others: those keep their dtype, where numbers and lists are given one."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from graphc.errors import ArgumentError


def own_array(value: Any) -> np.ndarray | None:
    """The array that a value is or hands out (arrays of other libraries, buffers); `None` for what is no array.

    Raises:
        ArgumentError: it is masked.
    """
    if type(value) is np.ndarray:
        return value
    if isinstance(value, (bool, int, float, complex, str, bytes, list, tuple, np.generic)):
        return None
    if "numpy.ma" in sys.modules and isinstance(value, np.ma.MaskedArray):
        raise ArgumentError(
            "a masked array cannot become a tensor: its mask would be lost",
            expected="an array without a mask",
            got=f"{int(np.sum(np.ma.getmaskarray(value)))} masked of {value.size} elements",
            fix="fill it, array.filled(0), and take the mask beside if it is needed: ~np.ma.getmaskarray(array)",
        )
    return np.asarray(value) if hasattr(type(value), "__array__") or _is_buffer(value) else None


def _is_buffer(value: Any) -> bool:
    try:
        memoryview(value).release()
    except TypeError:
        return False
    return True
