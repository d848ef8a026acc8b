"""Values for the operands of rows, and what the oracle makes of them."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.builder.graph import Graph, placeholder
from graphc.conformance.table import D, Row, S, real
from graphc.ir.dtype import as_dtype
from graphc.ir.tensor import Tensor

Array = np.ndarray


def operands(row: Row, sample: S, dtype: str, seed: int = 0) -> list[Array]:
    """Random arrays in the domains of a row. Floats keep apart from each other and from 0."""
    rng = np.random.default_rng([seed, *map(ord, row.name)])
    return [_values(rng, shape, row.domain(i), dtype) for i, shape in enumerate(sample.shapes)]


def _values(rng: np.random.Generator, shape: tuple[int, ...], domain: D, dtype: str) -> Array:
    kind = as_dtype(domain.dtype or dtype).numpy
    if kind.kind == "c":
        parts = [_values(rng, shape, domain, real(kind.name)) for _ in range(2)]
        return np.asarray(parts[0] + 1j * parts[1], kind)
    if kind.kind == "b":
        return rng.permutation(np.arange(math.prod(shape)) % 2 == 0).reshape(shape)
    if kind.kind in "iu":
        low = max(math.ceil(domain.low), 0) if kind.kind == "u" else math.ceil(domain.low)
        return rng.integers(low, max(math.ceil(domain.high), low + 1), shape).astype(kind)
    count = math.prod(shape)
    cells = 2 * ((count + 1) // 2) or 2  # even, so that the middle of a symmetric domain is an edge between cells
    width = (domain.high - domain.low) / cells
    places = rng.permutation(cells)[:count] + rng.uniform(0.2, 0.8, count)
    return np.asarray((domain.low + width * places).astype(kind).reshape(shape))


def oracle_value(row: Row, sample: S, arrays: Sequence[Array], dtype: str) -> Array:
    """What NumPy says, computed in a wider dtype unless the op is exact, and rounded once."""
    assert row.oracle is not None
    inner = as_dtype(row.operand(dtype)).numpy
    wider: dict[str, Any] = {
        "float32": np.float64, "float64": np.longdouble, "complex64": np.complex128, "complex128": np.clongdouble,
    }  # fmt: skip
    target = inner if row.tolerance == "exact" else np.dtype(wider.get(inner.name, inner))
    data = [array if row.domain(i).dtype else array.astype(inner).astype(target) for i, array in enumerate(arrays)]
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a mean of nothing is asked for on purpose
        value = np.asarray(row.oracle(*data, **sample.kwargs))
    result = row.result(inner.name)
    return value if result is None else value.astype(result)


def placeholders(arrays: Sequence[Array], symbolic: bool = False) -> list[Tensor]:
    """Placeholders for arrays in a graph of their own. Symbolic: sizes other than 0 and 1 get a name."""
    with Graph("test"):
        return [
            placeholder(f"x{i}", tuple(f"n{n}" if symbolic and n > 1 else n for n in array.shape), array.dtype)
            for i, array in enumerate(arrays)
        ]
