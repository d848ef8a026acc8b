"""Tensors of a pattern: numbers at even distances, grids, triangles; and arrays of other libraries."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from graphc.errors import ArgumentError, ShapeError
from graphc.ir.device import require_copy_allowed, require_undecided
from graphc.ir.dtype import as_dtype, complex64, float32
from graphc.ir.opdef import public
from graphc.ir.tensor import Tensor
from graphc.ops.comparison import where
from graphc.ops.cumulative import count_up
from graphc.ops.define import TensorLike, as_tensor, constant_node, convert
from graphc.ops.layout import broadcast_to, expand_dims, reshape
from graphc.ops.sources import fitting, zeros, zeros_like

_NUMBERS = (int, float, complex, np.number)


@public
def empty(shape: Any, *, dtype: Any = None, device: None = None) -> Tensor:
    """A tensor of a shape, for those to whom the values are all the same: they are zeros.

    Args:
        shape: ints or dims, such as `x.shape`; an int for one axis.
        dtype: element type, float32 by default.
        device: `None`.
    """
    return zeros(shape, dtype=dtype, device=device)


@public
def empty_like(x: TensorLike, /, *, dtype: Any = None, device: None = None) -> Tensor:
    """A tensor of the shape (and dtype) of x, for those to whom the values are all the same: they are zeros.

    Args:
        x: gives the shape.
        dtype: by default that of x.
        device: `None`.
    """
    return zeros_like(x, dtype=dtype, device=device)


@public
def linspace(
    start: complex, stop: complex, /, num: int, *, dtype: Any = None, device: None = None, endpoint: bool = True
) -> Tensor:
    """`num` numbers at even distances from start to stop. Computed in float64, and rounded once.

    Args:
        start: the first number.
        stop: the last number; without `endpoint`, where one more would stand.
        num: how many, static.
        dtype: by default float32, or complex64 if a limit is complex; for integers, numbers are rounded down.
        device: `None`.
        endpoint: whether `stop` is one of them.

    Raises:
        ArgumentError: the limits are no numbers, or `num` is no int >= 0.
        DTypeError: the dtype cannot hold the numbers.
    """
    require_undecided(device)
    if not all(_is_number(limit) for limit in (start, stop)):
        raise ArgumentError(
            "linspace: these are no limits",
            expected="two numbers",
            got=f"{start!r} and {stop!r}",
            fix="write numbers; limits that are computed: low + gc.linspace(0.0, 1.0, n) * (high - low)",
        )
    if not _is_int(num) or num < 0:
        raise ArgumentError(
            "linspace: how many numbers there are must be static",
            expected="an int >= 0",
            got=repr(num),
            fix="write the number; gc.linspace(0, 1, 5) has the distance 0.25",
        )
    is_complex = any(isinstance(limit, (complex, np.complexfloating)) for limit in (start, stop))
    chosen = (complex64 if is_complex else float32) if dtype is None else as_dtype(dtype)
    with np.errstate(all="ignore"):
        values = np.linspace(start, stop, int(num), endpoint=endpoint)
        values = np.floor(values) if chosen.kind in ("int", "uint") else values
    return constant_node(fitting(values, chosen, "linspace"))


def _is_int(value: object) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, _NUMBERS) and not isinstance(value, bool)


@public
def meshgrid(*arrays: TensorLike, indexing: str = "xy") -> tuple[Tensor, ...]:
    """The coordinates of a grid: one tensor per vector, all of one shape, along one of whose axes it varies.

    Args:
        *arrays: vectors; a scalar counts as one of size 1.
        indexing: `"ij"`, the i-th vector varies along axis i; `"xy"`, the first does along axis 1, the second along 0.

    Raises:
        ArgumentError: there is no such indexing.
        ShapeError: a tensor has more than one axis.
    """
    nodes = [as_tensor(array) for array in arrays]
    if indexing not in ("xy", "ij"):
        raise ArgumentError(
            "meshgrid: there is no such indexing",
            expected="'xy' or 'ij'",
            got=repr(indexing),
            fix="'ij' has the axes in the order of the vectors, as a matrix has; 'xy' exchanges the first two",
        )
    for node in nodes:
        if node.ndim > 1:
            raise ShapeError(
                "meshgrid takes vectors",
                expected="tensors with one axis",
                got=str(node.type),
                fix="flatten it with gc.reshape(x, (-1,))",
            )
    axes = list(range(len(nodes)))
    if indexing == "xy" and len(nodes) > 1:
        axes[:2] = [1, 0]
    sizes = {axis: node.size for axis, node in zip(axes, nodes, strict=True)}
    shape = tuple(sizes[axis] for axis in range(len(nodes)))
    alone = [
        tuple(node.size if a == axis else 1 for a in range(len(nodes))) for axis, node in zip(axes, nodes, strict=True)
    ]
    return tuple(broadcast_to(reshape(node, own), shape) for own, node in zip(alone, nodes, strict=True))


@public
def tril(x: TensorLike, /, *, k: int = 0) -> Tensor:
    """The lower triangle of matrices: elements above the k-th diagonal are zeros.

    Args:
        x: matrices, in the last two axes.
        k: 0 is the main diagonal, positive above, negative below.
    """
    node = as_tensor(x)
    return where(_not_above(node, k, "tril"), node, convert(0, node.dtype))


@public
def triu(x: TensorLike, /, *, k: int = 0) -> Tensor:
    """The upper triangle of matrices: elements below the k-th diagonal are zeros.

    Args:
        x: matrices, in the last two axes.
        k: 0 is the main diagonal, positive above, negative below.
    """
    node = as_tensor(x)
    return where(~_not_above(node, operator.index(k) - 1, "triu"), node, convert(0, node.dtype))


def _not_above(x: Tensor, k: int, what: str) -> Any:
    """Where an element stands not above the k-th diagonal."""
    if x.ndim < 2:
        raise ShapeError(
            f"{what}: the tensor has no two axes",
            expected="at least 2 axes",
            got=str(x.type),
            fix="make a vector a row with x[None, :], or a column with x[:, None]",
        )
    rows, columns = x.shape[-2:]
    if isinstance(rows, int) and isinstance(columns, int):
        return np.tri(rows, columns, operator.index(k), dtype=bool)
    return expand_dims(count_up(rows), -1) + operator.index(k) >= count_up(columns)


@public
def from_dlpack(x: Any, /, *, device: None = None, copy: bool | None = None) -> Tensor:
    """A constant with the values of an array of another library, which DLPack hands over; a tensor as it is.

    Args:
        x: an array with `__dlpack__`, in the memory of the host.
        device: `None`.
        copy: `None` or `True`: a graph holds copies.

    Raises:
        ArgumentError: there is no way to the values.
        DTypeError: graphc has no such dtype.
    """
    require_undecided(device)
    if isinstance(x, Tensor):
        return x
    require_copy_allowed(copy, "from_dlpack")
    try:
        array = np.from_dlpack(x)
    except (AttributeError, BufferError, RuntimeError, TypeError, ValueError) as error:
        raise ArgumentError(
            "from_dlpack: these values cannot be had",
            expected="an array with __dlpack__, in the memory of the host",
            got=f"{type(x).__name__}: {error}",
            fix="copy it to the host as an array of NumPy first, and take gc.asarray(array)",
        ) from None
    return as_tensor(array)
