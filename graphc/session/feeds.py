"""From what a caller passes to arrays that a plan can take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphc.errors import FeedError, FeedTypeError, unknown_name
from graphc.ir import dims
from graphc.ir.dims import Guard
from graphc.ir.tensor import Tensor

_LADDER = {"b": 0, "u": 1, "i": 1, "f": 2}  # numbers are converted upwards


def as_array(node: Tensor, value: Any) -> np.ndarray:
    """A feed as an array of exactly the placeholder's dtype and rank.

    Numbers, lists and NumPy scalars are converted; arrays must fit as they are.

    Raises:
        FeedTypeError: an array of another dtype, or numbers that do not fit into the dtype.
        FeedError: another rank or static size.
    """
    wanted = node.dtype.numpy
    if isinstance(value, np.ndarray):
        array = value if type(value) is np.ndarray else np.asarray(value)
        if array.dtype != wanted:
            raise FeedTypeError(
                f"the feed for {node.name!r} has another dtype",
                expected=str(node.type),
                got=f"an array of {array.dtype}{list(array.shape)}",
                fix=f"convert it yourself: .astype({wanted.name!r})",
            )
        array = array.astype(wanted, copy=False)
    else:
        array = _converted(node, value)
    _check_shape(node, array)
    return array


def _converted(node: Tensor, value: Any) -> np.ndarray:
    wanted = node.dtype.numpy
    if isinstance(value, Tensor):
        raise FeedTypeError(f"the feed for {node.name!r} is a tensor", expected="a value", got=repr(value))
    try:
        natural = np.asarray(value)
        if natural.size and _LADDER.get(natural.dtype.kind, 3) > _LADDER[wanted.kind]:
            raise TypeError(f"{natural.dtype} is not {wanted}")
        return _cast(natural, wanted)
    except (TypeError, ValueError, OverflowError, FloatingPointError) as error:
        text = repr(value)
        raise FeedTypeError(
            f"the feed for {node.name!r} cannot be converted: {error}",
            expected=str(node.type),
            got=text if len(text) < 60 else text[:57] + "...",
        ) from None


def _cast(natural: np.ndarray, wanted: np.dtype[Any]) -> np.ndarray:
    """Numbers of a kind that is not higher, in a dtype.

    Raises:
        OverflowError, FloatingPointError: one is out of its range.
    """
    if natural.size and natural.dtype.kind in "iu" and wanted.kind in "iu":
        limits = np.iinfo(wanted)
        if int(natural.min()) < limits.min or int(natural.max()) > limits.max:
            raise OverflowError(f"out of the range of {wanted}")
    with np.errstate(over="raise"):
        return natural.astype(wanted)


def _check_shape(node: Tensor, array: np.ndarray) -> None:
    fits = array.ndim == node.ndim and all(
        not isinstance(mine, int) or mine == size for mine, size in zip(node.shape, array.shape, strict=True)
    )
    if not fits:
        raise FeedError(
            f"the feed for {node.name!r} has another shape",
            expected=str(node.type),
            got=f"an array of shape {dims.shape_text(array.shape)}",
            fix="give it the missing axes with array.reshape" if array.ndim != node.ndim else None,
        )


def solve(parameters: Sequence[Tensor], shapes: Sequence[tuple[int, ...]], guards: Sequence[Guard]) -> dict[str, int]:
    """The sizes of all symbols from the shapes of the feeds.

    Raises:
        FeedError: two feeds disagree about a size, or an assumption of the graph does not hold.
    """
    sizes: dict[str, int] = {}
    source: dict[str, Tensor] = {}
    for node, shape in zip(parameters, shapes, strict=True):
        for dim, size in zip(node.shape, shape, strict=True):
            name = dims.symbol_name(dim)
            if name is None:
                continue
            if sizes.setdefault(name, size) != size:
                raise FeedError(
                    f"the feeds disagree about the size {name!r}",
                    expected=f"{name} = {sizes[name]}, as in {source[name].name!r}",
                    got=f"{size} in {node.name!r}",
                )
            source.setdefault(name, node)
    for node, shape in zip(parameters, shapes, strict=True):
        for dim, size in zip(node.shape, shape, strict=True):
            if dims.evaluate(dim, sizes) != size:
                raise FeedError(
                    f"the feed for {node.name!r} has another shape",
                    expected=f"{dim} = {dims.evaluate(dim, sizes)}",
                    got=str(size),
                )
    for guard in guards:
        if not guard.holds(sizes):
            raise FeedError(
                f"the sizes of the feeds do not fit: {guard.reason}",
                expected=str(guard),
                got=", ".join(f"{name} = {size}" for name, size in sizes.items()),
                origins=guard.origins,
            )
    return sizes


def by_position(parameters: Sequence[Tensor], args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Any]:
    """Arguments in the order of the parameters.

    Raises:
        FeedError: one is missing, doubly given, or there are too many.
        UnknownNameError: a keyword names no parameter.
    """
    names = [node.name or "" for node in parameters]
    if len(args) > len(parameters):
        raise FeedError(
            f"{len(args)} feeds for {len(parameters)} placeholders", expected=", ".join(names) or "no feeds"
        )
    given = dict(zip(names, args, strict=False))
    for name, value in kwargs.items():
        if name not in names:
            raise unknown_name("feed", name, names)
        if name in given:
            raise FeedError(f"the feed for {name!r} is given twice", got="by position and by name")
        given[name] = value
    missing = [name for name in names if name not in given]
    if missing:
        raise FeedError(
            "a feed is missing: " + ", ".join(map(repr, missing)),
            expected=", ".join(f"{node.name}: {node.type}" for node in parameters),
            got=", ".join(given) or "nothing",
        )
    return [given[name] for name in names]
