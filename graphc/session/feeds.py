"""From what a caller passes to arrays that a plan can take."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphc.errors import FeedError, FeedTypeError, UnknownFeedError, unknown_name
from graphc.ir import dims
from graphc.ir.dims import Guard
from graphc.ir.dtype import STORED_ONLY, DType
from graphc.ir.tensor import Tensor, VariableNode

_LADDER = {"bool": 0, "uint": 1, "int": 1, "float": 2, "complex": 3}  # numbers are converted upwards
_KINDS = {"b": "bool", "u": "uint", "i": "int", "f": "float", "c": "complex"}  # NumPy's


def as_array(node: Tensor, value: Any) -> np.ndarray:
    """A feed, or the value of a variable, as an array of exactly its dtype and rank.

    Numbers, lists, NumPy scalars, and whatever else `np.asarray` takes (an array of JAX, a column of pandas) are
    converted upwards; arrays of NumPy must fit as they are.

    Raises:
        FeedTypeError: an array of another dtype, or numbers that do not fit into the dtype.
        FeedError: another rank or static size.
    """
    wanted = node.dtype.numpy
    if type(value) is not np.ndarray and _is_masked(value):
        raise FeedTypeError(
            f"{_what(node)} is a masked array",
            expected=f"an array for {node.type}: every element counts",
            got=f"{int(np.sum(value.mask))} masked of {value.size} elements",
            fix="fill them, feed.filled(0), and feed the mask beside if the graph needs it: ~np.ma.getmaskarray(feed)",
        )
    if isinstance(value, np.ndarray):
        array = value if type(value) is np.ndarray else np.asarray(value)
        if array.dtype != wanted:
            raise FeedTypeError(
                f"{_what(node)} has another dtype",
                expected=str(node.type),
                got=f"an array of {array.dtype} and shape {dims.shape_text(array.shape)}",
                fix=f"convert the array: .astype({node.dtype.as_source})",
            )
        array = array.astype(wanted, copy=False)
    else:
        array = _converted(node, value)
    _check_shape(node, array)
    return array


def _is_masked(value: object) -> bool:
    """NumPy itself loads that module only when it is used: then no value can be of its class."""
    return "numpy.ma" in sys.modules and isinstance(value, np.ma.MaskedArray)


def _what(node: Tensor) -> str:
    kind = "value for the variable" if isinstance(node, VariableNode) else "feed for"
    return f"the {kind} {node.name!r}"


def _converted(node: Tensor, value: Any) -> np.ndarray:
    wanted = node.dtype.numpy
    if isinstance(value, Tensor):
        raise FeedTypeError(
            f"{_what(node)} is a tensor",
            expected=f"an array, numbers or lists for {node.type}",
            got=repr(value),
            fix="pass a value, for example one that session.run(t) or gc.evaluate(t) gave",
        )
    try:
        natural = np.asarray(value)
        kind = node.dtype.kind if natural.dtype == wanted else _KINDS.get(natural.dtype.kind)
        if not natural.size or (kind is not None and _LADDER[kind] <= _LADDER[node.dtype.kind]):
            return _cast(natural, node.dtype)
        why, fix = (
            f"holds {natural.dtype} numbers",
            f"round or convert it first: np.asarray(value).astype({node.dtype.as_source})",
        )
        if kind is None:
            why, fix = "holds no numbers", "pass numbers, nested lists of numbers, or a NumPy array"
    except (OverflowError, FloatingPointError):
        why, fix = f"does not fit into {wanted}", f"pass numbers in the range of {wanted}"
    except (TypeError, ValueError):  # NumPy's word for rows of different lengths is long, and names no feed
        why, fix = "cannot become an array", "pass numbers, a NumPy array, or nested lists whose rows have one length"
    text = repr(value)
    raise FeedTypeError(
        f"{_what(node)} {why}",
        expected=str(node.type),
        got=text if len(text) < 60 else text[:57] + "...",
        fix=fix,
    )


def _cast(natural: np.ndarray, dtype: DType) -> np.ndarray:
    """Numbers of a kind that is not higher, in a dtype.

    Raises:
        OverflowError, FloatingPointError: one is out of its range.
    """
    wanted = dtype.numpy
    if natural.size and natural.dtype.kind in "iu" and wanted.kind in "iu":
        limits = np.iinfo(wanted)
        if int(natural.min()) < limits.min or int(natural.max()) > limits.max:
            raise OverflowError
    if dtype in STORED_ONLY:
        return _narrowed(natural, dtype)
    with np.errstate(over="raise"):
        return natural.astype(wanted)


def _narrowed(natural: np.ndarray, dtype: DType) -> np.ndarray:
    """By way of float32, as a graph converts. What becomes infinite does not fit, nor an infinity that becomes NaN."""
    with np.errstate(all="ignore"):
        array = natural.astype(np.float32).astype(dtype.numpy)
    if not all(np.array_equal(test(array), test(natural)) for test in (np.isfinite, np.isnan)):
        raise OverflowError
    return array


def _check_shape(node: Tensor, array: np.ndarray) -> None:
    if array.ndim != node.ndim:
        row = array.ndim == node.ndim - 1 and array.ndim
        raise FeedError(
            f"{_what(node)} has another number of axes",
            expected=f"{node.type}: {node.ndim} of them" if node.ndim else f"{node.type}: one number",
            got=f"an array of shape {dims.shape_text(array.shape)}",
            fix="for one row, add its axis: array[np.newaxis]" if row else "bring it to that shape with array.reshape",
        )
    for axis, (mine, size) in enumerate(zip(node.shape, array.shape, strict=True)):
        if isinstance(mine, int) and mine != size:
            raise FeedError(
                f"{_what(node)} has another shape",
                expected=str(node.type),
                got=f"an array of shape {dims.shape_text(array.shape)}",
                fix=f"make axis {axis} of size {mine}, or declare another shape at {node.origins}",
            )


def solve(parameters: Sequence[Tensor], shapes: Sequence[tuple[int, ...]], guards: Sequence[Guard]) -> dict[str, int]:
    """The sizes of all symbols from the shapes of the feeds.

    Raises:
        FeedError: two feeds disagree about a size, or an assumption of the graph does not hold.
    """
    sizes: dict[str, int] = {}
    source: dict[str, str] = {}
    for node, shape in zip(parameters, shapes, strict=True):
        for axis, (dim, size) in enumerate(zip(node.shape, shape, strict=True)):
            name = dims.symbol_name(dim)
            if name is None:
                continue
            here = f"axis {axis} of {node.name!r}"
            if sizes.setdefault(name, size) != size:
                raise FeedError(
                    f"the feeds disagree about the size {name!r}",
                    expected=f"{name} = {sizes[name]}, as on {source[name]}",
                    got=f"{name} = {size} on {here}",
                    fix="feed as many of one as of the other; sizes that may differ need names of their own",
                )
            source.setdefault(name, here)
    for node, shape in zip(parameters, shapes, strict=True):
        for dim, size in zip(node.shape, shape, strict=True):
            if dims.evaluate(dim, sizes) != size:
                raise FeedError(
                    f"the feed for {node.name!r} has another shape",
                    expected=f"{dim} = {dims.evaluate(dim, sizes)}",
                    got=str(size),
                    fix="feed arrays whose sizes belong together: " + str(node.type),
                )
    for guard in guards:
        if not guard.holds(sizes):
            raise _broken(guard, sizes, source)
    return sizes


def _broken(guard: Guard, sizes: Mapping[str, int], source: Mapping[str, str]) -> FeedError:
    """What a line of the user took for granted does not hold for these sizes."""
    names = dims.symbols([guard.left, guard.right])
    fix = f"feed arrays for which {guard} holds"
    if guard.relation == "==" and any(sizes[name] == 1 for name in names):
        fix = "a symbolic size never broadcasts as 1: declare that size of the placeholder as 1 if it is always 1"
    elif guard.relation == "==" and all(map(dims.symbol_name, (guard.left, guard.right))):
        fix = f"feed arrays of one size; if it is always the same, call it {names[0]!r} in both placeholders"
    elif guard.relation == "==" and guard.fix and guard.origins.lines:
        fix += f"; or change {guard.origins.lines[0]}: {guard.fix}"
    return FeedError(
        f"the sizes of the feeds do not fit: {guard.reason}",
        expected=str(guard),
        got=", ".join(f"{name} = {sizes[name]} ({source[name]})" for name in names),
        fix=fix,
        origins=guard.origins,
    )


def by_position(parameters: Sequence[Tensor], args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Any]:
    """Arguments in the order of the parameters.

    Raises:
        FeedError: one is missing, doubly given, or there are too many.
        UnknownNameError: a keyword names no parameter.
    """
    names = [node.name or "" for node in parameters]
    if len(args) > len(parameters):
        raise FeedError(
            f"{len(args)} feeds for {len(parameters)} placeholders",
            expected=_signature(parameters),
            got=f"{len(args)} positional arguments",
            fix="leave out what no placeholder takes, or compile with more feeds=",
        )
    given = dict(zip(names, args, strict=False))
    for name, value in kwargs.items():
        if name not in names:
            raise unknown_name("feed", name, names, error=UnknownFeedError)
        if name in given:
            raise FeedError(
                f"the feed for {name!r} is given twice",
                expected=_signature(parameters),
                got=f"{name!r} by position and as {name}=",
                fix="drop one of the two",
            )
        given[name] = value
    missing = [name for name in names if name not in given]
    if missing:
        raise FeedError(
            "a feed is missing: " + ", ".join(map(repr, missing)),
            expected=_signature(parameters),
            got="feeds for " + (", ".join(map(repr, given)) or "nothing"),
            fix=f"pass it in this order, or by name: {missing[0]}=array",
        )
    return [given[name] for name in names]


def _signature(parameters: Sequence[Tensor]) -> str:
    return ", ".join(f"{node.name}: {node.type}" for node in parameters) or "no feeds"
