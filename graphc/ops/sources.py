"""Sources: placeholders, variables, constants, sizes, and the tensors that are made of them."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any

import numpy as np

from graphc.errors import ArgumentError, DTypeError
from graphc.ir import dims
from graphc.ir.device import require_copy_allowed, require_undecided
from graphc.ir.dims import Dim
from graphc.ir.dtype import DType, as_dtype, float32, int64
from graphc.ir.opdef import Kind, public
from graphc.ir.tensor import Tensor, apply
from graphc.ir.types import TensorType
from graphc.ops.arrays import own_array
from graphc.ops.define import TensorLike, as_shape, as_tensor, constant_node, convert, define
from graphc.ops.layout import broadcast_to

_NUMBERS = (int, float, np.integer, np.floating)


def _declared_type(types: tuple[TensorType, ...], attrs: Mapping[str, Any]) -> TensorType:
    return TensorType(attrs["dtype"], attrs["shape"])


PLACEHOLDER = define("placeholder", Kind.SOURCE, _declared_type, ())
VARIABLE = define("variable", Kind.SOURCE, _declared_type, ())


def _dim_value_type(types: tuple[TensorType, ...], attrs: Mapping[str, Any]) -> TensorType:
    return TensorType(attrs["dtype"], ())


DIM_VALUE = define(
    "dim_value",
    Kind.SOURCE,
    _dim_value_type,
    (),
    array_fn=lambda xp, dim, dtype: xp.asarray(dim, dtype=dtype.numpy),
)


@public
def dim_value(dim: Dim, dtype: Any = int64) -> Tensor:
    """A size as a scalar tensor, for example `gc.dim_value(x.shape[0])`; a constant if it is static.

    Args:
        dim: an entry of a shape, or a formula of such.
        dtype: of the result.
    """
    dtype = as_dtype(dtype)
    (size,) = as_shape(dim)
    if isinstance(size, dims.Poly):
        return apply(DIM_VALUE, (), dim=size, dtype=dtype)
    return constant_node(np.asarray(size, dtype.numpy))


def _iota_type(types: tuple[TensorType, ...], attrs: Mapping[str, Any]) -> TensorType:
    return TensorType(int64, (attrs["size"],))


IOTA = define("iota", Kind.SOURCE, _iota_type, (), array_fn=lambda xp, size: xp.arange(size, dtype=xp.int64))
"""0, 1, … size - 1: like `dim_value`, known when sizes are bound."""


@public
def asarray(obj: TensorLike, /, *, dtype: Any = None, device: None = None, copy: bool | None = None) -> Tensor:
    """A tensor with the value of a number, an array or a nested list, which is copied and frozen.

    Args:
        obj: a number, an array, a nested list, or a tensor.
        dtype: by default arrays keep theirs, Python floats become float32 and ints int64.
        device: `None`.
        copy: `None` or `True`; a tensor is never copied, as it never changes.
    """
    require_undecided(device)
    if not isinstance(obj, Tensor):
        require_copy_allowed(copy, "asarray")
    if dtype is None or isinstance(obj, Tensor) or own_array(obj) is not None:
        node = as_tensor(obj)
        return node if dtype is None else convert(node, as_dtype(dtype))
    return as_tensor(obj, as_dtype(dtype))


@public
def full(shape: Any, fill_value: TensorLike, *, dtype: Any = None, device: None = None) -> Tensor:
    """A tensor that is filled with one value.

    Args:
        shape: ints or dims, such as `x.shape`; an int for one axis.
        fill_value: a number, or a scalar tensor.
        dtype: by default that of the value.
        device: `None`.
    """
    require_undecided(device)
    value = as_tensor(fill_value) if dtype is None else convert(fill_value, as_dtype(dtype))
    return broadcast_to(value, as_shape(shape))


@public
def zeros(shape: Any, *, dtype: Any = None, device: None = None) -> Tensor:
    """A tensor of zeros.

    Args:
        shape: ints or dims, such as `x.shape`; an int for one axis.
        dtype: element type, float32 by default.
        device: `None`.
    """
    return full(shape, 0, dtype=float32 if dtype is None else dtype, device=device)


@public
def ones(shape: Any, *, dtype: Any = None, device: None = None) -> Tensor:
    """A tensor of ones.

    Args:
        shape: ints or dims, such as `x.shape`; an int for one axis.
        dtype: element type, float32 by default.
        device: `None`.
    """
    return full(shape, 1, dtype=float32 if dtype is None else dtype, device=device)


def _like(x: TensorLike, value: TensorLike, dtype: Any, device: None) -> Tensor:
    node = as_tensor(x)
    return full(node.shape, value, dtype=node.dtype if dtype is None else dtype, device=device)


@public
def full_like(x: TensorLike, /, fill_value: TensorLike, *, dtype: Any = None, device: None = None) -> Tensor:
    """A tensor of the shape (and dtype) of x that is filled with one value.

    Args:
        x: gives the shape.
        fill_value: a number, or a scalar tensor.
        dtype: by default that of x.
        device: `None`.
    """
    return _like(x, fill_value, dtype, device)


@public
def zeros_like(x: TensorLike, /, *, dtype: Any = None, device: None = None) -> Tensor:
    """A tensor of zeros of the shape (and dtype) of x.

    Args:
        x: gives the shape.
        dtype: by default that of x.
        device: `None`.
    """
    return _like(x, 0, dtype, device)


@public
def ones_like(x: TensorLike, /, *, dtype: Any = None, device: None = None) -> Tensor:
    """A tensor of ones of the shape (and dtype) of x.

    Args:
        x: gives the shape.
        dtype: by default that of x.
        device: `None`.
    """
    return _like(x, 1, dtype, device)


@public
def arange(
    start: float | Dim, /, stop: float | Dim | None = None, step: float = 1, *, dtype: Any = None, device: None = None
) -> Tensor:
    """Evenly spaced numbers in [start, stop): int64 if all are ints, else float32.

    Args:
        start: a number, or a size such as `x.shape[0]`: the first; with no stop, the stop, and numbers start at 0.
        stop: where they end, a number or a size; it is left out.
        step: the distance, not 0; negative to count down.
        dtype: by default int64 or float32, see above.
        device: `None`.

    Raises:
        ArgumentError: the limits are no numbers, or too far apart, or the step is 0.
        DTypeError: the dtype cannot hold the numbers.
    """
    require_undecided(device)
    if stop is None:
        start, stop = 0, start
    if isinstance(start, dims.Poly) or isinstance(stop, dims.Poly):
        return _between_sizes(start, stop, step, int64 if dtype is None else as_dtype(dtype))
    limits = (start, stop, step)
    if not all(isinstance(value, _NUMBERS) for value in limits) or not step or abs((stop - start) / step) > 2**40:
        raise ArgumentError(
            "arange: these are no limits",
            expected="numbers, not too far apart, and a step other than 0",
            got=", ".join(map(repr, limits)),
            fix="write numbers: what is known only when the graph runs cannot be a limit",
        )
    is_int = all(isinstance(value, (int, np.integer)) for value in limits)
    chosen: DType = as_dtype(dtype) if dtype is not None else (int64 if is_int else float32)
    return constant_node(fitting(np.arange(start, stop, step), chosen, "arange"))


def _between_sizes(start: Any, stop: Any, step: Any, dtype: DType) -> Tensor:
    """Whole numbers from a size or up to one."""
    if not all(isinstance(value, (dims.Poly, int, np.integer)) for value in (start, stop)) or not _is_step(step):
        raise ArgumentError(
            "arange: these are no limits",
            expected="sizes and ints, and an int other than 0 as the step",
            got=f"{start!r}, {stop!r}, {step!r}",
            fix="count in whole steps, and compute with the result: gc.arange(x.shape[0]) * 0.5",
        )
    span = stop - start if step > 0 else start - stop
    count = dims.maximum(dims.floordiv(span + (abs(step) - 1), abs(step)), 0)
    places = apply(IOTA, (), size=count)
    if step != 1 or start != 0:
        places = places * int(step) + dim_value(start)
    return convert(places, dtype)


def _is_step(step: object) -> bool:
    return isinstance(step, (int, np.integer)) and not isinstance(step, bool) and step != 0


def fitting(values: np.ndarray, dtype: DType, what: str) -> np.ndarray:
    """Numbers in a dtype that must hold them: floats are rounded, integers lose nothing.

    Raises:
        DTypeError: it does not.
    """
    loses_part = values.dtype.kind == "c" and dtype.kind != "complex"
    with np.errstate(all="ignore"):
        found = (values.real if loses_part else values).astype(dtype.numpy)
        overflows = np.isfinite(values) & ~np.isfinite(found)
    lost = overflows if dtype.kind in ("float", "complex") and not loses_part else found != values
    if lost.any():
        raise DTypeError(
            f"{what}: {dtype} does not hold all the numbers",
            expected=f"numbers that are of {dtype}",
            got=f"{values[lost][0]} among them",
            fix="take a wider dtype, or round the numbers first",
        )
    return found


@public
def eye(n_rows: int, n_cols: int | None = None, /, *, k: int = 0, dtype: Any = None, device: None = None) -> Tensor:
    """Ones on the k-th diagonal, zeros elsewhere.

    Args:
        n_rows: number of rows, static.
        n_cols: number of columns; as many as rows by default.
        k: 0 is the main diagonal, positive above, negative below.
        dtype: element type, float32 by default.
        device: `None`.
    """
    require_undecided(device)
    chosen = float32 if dtype is None else as_dtype(dtype)
    rows, columns = map(operator.index, as_shape((n_rows, n_rows if n_cols is None else n_cols)))
    return constant_node(np.eye(rows, columns, operator.index(k), chosen.numpy))
