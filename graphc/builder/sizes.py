"""Shapes as a user declares them: of placeholders, where sizes may be symbolic, and of variables, where not."""

from __future__ import annotations

import keyword
import re
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from graphc.errors import ArgumentError, ShapeError
from graphc.ir import dims
from graphc.ir.dims import Dim, Shape


def declared_shape(shape: Any, name: str, taken: Collection[str]) -> Shape:
    """The shape of a placeholder.

    Args:
        shape: a size, or a sequence of sizes: ints, names, dims, or `None` for a symbol that nothing else has.
        name: of the placeholder, for those symbols.
        taken: the symbols that the graph has already.

    Raises:
        ArgumentError: an entry is no size.
    """
    if shape is None:
        raise ArgumentError(
            "a shape says how many axes there are",
            expected="a tuple of sizes; () for one number",
            got="None",
            fix="each size may be left open: shape=(None, None), for example",
        )
    entries = shape if isinstance(shape, (tuple, list)) else (shape,)
    return tuple(_fresh(name, axis, taken) if entry is None else _size(entry) for axis, entry in enumerate(entries))


def _fresh(name: str, axis: int, taken: Collection[str]) -> Dim:
    stem = "_" + re.sub(r"\W", "_", name, flags=re.ASCII) + f"_{axis}"  # two names may look alike after that
    numbered = (f"{stem}_{number}" for number in range(len(taken)))
    return dims.symbol(next(word for word in (stem, *numbered) if word not in taken))


def _size(entry: Any) -> Dim:
    if isinstance(entry, dims.Poly):
        return entry
    if isinstance(entry, str):
        _require_symbol(entry)
        return dims.symbol(entry)
    if isinstance(entry, (int, np.integer)) and not isinstance(entry, bool) and entry >= 0:
        return int(entry)
    raise ArgumentError(
        "this is not a size",
        expected="an int >= 0, a name, a dim, or None",
        got=repr(entry),
        fix='a size that every feed brings anew is a name, such as "batch", or None',
    )


def _require_symbol(name: str) -> None:
    """Holds a name for one that the text form of a graph reads back: one of Python's own."""
    if name.isascii() and name.isidentifier() and not keyword.iskeyword(name):
        return
    mended = re.sub(r"\W|^\d+", "_", name, flags=re.ASCII) or "size"
    fix = f"call it {mended + '_' if keyword.iskeyword(mended) else mended!r}, for example"
    if any(sign in name for sign in "+-*/%"):
        fix = "compute with the sizes of other placeholders: 2 * x.shape[0]"
    raise ArgumentError(
        f"{name!r} cannot name a symbolic size",
        expected='letters, digits and _ of ASCII, but no keyword of Python: "batch", "n_rows"',
        got=repr(name),
        fix=fix,
    )


def static_shape(shape: Any) -> Shape:
    """The shape of a variable.

    Raises:
        ShapeError: a size is no int >= 0.
    """
    entries: Sequence[Any] = shape if isinstance(shape, (tuple, list)) else (shape,)
    if not all(isinstance(entry, (int, np.integer)) and entry >= 0 for entry in entries):
        raise ShapeError(
            "the shape of a variable is static",
            expected="ints >= 0",
            got=repr(shape),
            fix="write numbers: a variable keeps its size between runs, only placeholders have symbolic ones",
        )
    return tuple(int(entry) for entry in entries)
