"""The reference interpreter: slow, obvious, and the oracle of everything else. Also folds constants."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.errors import FeedError, GraphcError, InternalError, OutOfRangeError
from graphc.ir import dims
from graphc.ir.dims import Dim
from graphc.ir.opdef import Kind
from graphc.ir.tensor import Tensor, tuple_elements
from graphc.ir.walk import toposort

Visit = Callable[[Tensor, Any], None]


def evaluate(
    outputs: Sequence[Tensor],
    values: Mapping[Tensor, np.ndarray] | None = None,
    sizes: Mapping[str, int] | None = None,
    visit: Visit | None = None,
    silent: bool = False,
) -> list[Any]:
    """The values of some nodes, computed one after the other with NumPy.

    Args:
        outputs: what is wanted.
        values: arrays of placeholders, variables, and of whatever else is to be taken as given.
        sizes: values of the symbolic dims.
        visit: called with every node and its value.
        silent: whether `print` writes nothing.

    Raises:
        FeedError: a placeholder or variable has no value.
        InternalError: an op computed something else than it had inferred.
    """
    known: dict[Tensor, Any] = dict(values or {})
    sizes = sizes or {}
    with np.errstate(all="ignore"):
        for node in toposort(outputs, leaves=frozenset(known)):
            if node not in known:
                known[node] = _checked(node, _compute(node, known, sizes, silent), sizes)
            if visit is not None:
                visit(node, known[node])
    return [known[node] for node in outputs]


def _compute(node: Tensor, known: Mapping[Tensor, Any], sizes: Mapping[str, int], silent: bool) -> Any:
    inputs = [known[source] for source in node.inputs]
    if silent and node.op.name == "print":
        return inputs[0]
    function = node.op.array_fn
    if function is None and node.op.decompose is not None:
        parts = node.op.decompose(node)
        given = dict(zip(node.inputs, inputs, strict=True))
        results = evaluate(parts if isinstance(parts, tuple) else (parts,), given, sizes, silent=silent)
        return tuple(results) if isinstance(parts, tuple) else results[0]
    if function is None:
        raise FeedError(f"{node.op.name} {node.name!r} has no value", got=repr(node), origins=node.origins)
    attrs = bind_attrs(node.attrs, sizes)
    try:
        if isinstance(function, str):
            return getattr(np, function)(*inputs, **attrs)
        return function(np, *inputs, **attrs)
    except GraphcError as error:
        error.origins = node.origins
        raise
    except IndexError as error:
        raise OutOfRangeError(f"{node.op.name}: {error}", origins=node.origins) from None


def _checked(node: Tensor, value: Any, sizes: Mapping[str, int]) -> Any:
    """The value as arrays, after a comparison with the inferred types."""
    several = isinstance(value, tuple)
    arrays = [np.asarray(item) for item in (value if several else (value,))]
    if node.op.kind is not Kind.LAYOUT:
        # NumPy keeps the order of permuted operands, and sums in the order of memory: one layout for one answer.
        arrays = [np.asarray(array, order="C") for array in arrays]
    for array, kind in zip(arrays, tuple_elements(node), strict=True):
        expected = tuple(dims.evaluate(size, sizes) for size in kind.shape)
        if array.dtype != kind.dtype.numpy or array.shape != expected:
            raise InternalError(
                f"{node.op.name} computed {array.dtype}{list(array.shape)}",
                expected=f"{kind.dtype}{list(expected)}, as it had inferred",
                origins=node.origins,
            )
    return tuple(arrays) if several else arrays[0]


def bind_attrs(attrs: Mapping[str, Any], sizes: Mapping[str, int]) -> dict[str, Any]:
    """The attributes with every symbolic dim replaced by its size."""
    return {name: bind_attr(value, sizes) for name, value in attrs.items()}


def bind_attr(value: Any, sizes: Mapping[str, int]) -> Any:
    """One attribute with its symbolic dims replaced."""
    if type(value) is tuple:
        return tuple([bind_attr(item, sizes) for item in value])
    return dims.evaluate(value, sizes) if isinstance(value, dims.Poly) else value


def solve_sizes(shapes: Mapping[Tensor, Sequence[int]]) -> dict[str, int]:
    """The sizes of the symbols in the shapes of some placeholders, from the shapes of their arrays."""
    sizes: dict[str, int] = {}
    for node, shape in shapes.items():
        for dim, size in zip(node.shape, shape, strict=True):
            if (name := dims.symbol_name(dim)) is not None:
                sizes.setdefault(name, size)
    return sizes


def static_shape(shape: Sequence[Dim], sizes: Mapping[str, int]) -> tuple[int, ...]:
    """A shape with its symbols replaced."""
    return tuple(dims.evaluate(size, sizes) for size in shape)
