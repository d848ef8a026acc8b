"""Random orders of positions and of slices, and choices among them."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.errors import ArgumentError, ShapeError
from graphc.ir import dims
from graphc.ir.dims import Dim, Shape
from graphc.ir.dtype import float64, int64, uint64
from graphc.ir.tensor import Tensor
from graphc.ops.comparison import minimum
from graphc.ops.cumulative import cumulative_sum
from graphc.ops.define import TensorLike, as_shape, as_tensor, convert, float_operand, normalise_axis
from graphc.ops.exponential import log
from graphc.ops.gather import take
from graphc.ops.layout import reshape
from graphc.ops.random.continuous import standard_gumbel
from graphc.ops.random.integers import offset, scaled
from graphc.ops.random.keys import drawn_from
from graphc.ops.random.parameters import fitted
from graphc.ops.random.public import public
from graphc.ops.random.streams import BITS, UNIFORM, stream
from graphc.ops.searching import searchsorted
from graphc.ops.sorting import argsort
from graphc.ops.sources import dim_value


def _least(scores: Tensor, count: Dim) -> Tensor:
    """The positions of the least elements of a vector, in order."""
    return argsort(scores)[:count]


def _shuffled(key: Tensor, size: Dim, count: Dim) -> Tensor:
    """The first positions of a random order: that of 64-bit words."""
    return _least(stream(BITS, key, (size,), uint64), count)


def _extent(x: Any, what: str, axis: int) -> tuple[Tensor | None, int, Dim]:
    """A tensor, its axis and the size of that; or no tensor and a number of positions."""
    if isinstance(x, (int, np.integer, dims.Poly)) and not isinstance(x, bool):
        (size,) = as_shape(x)
        return None, 0, size
    node = as_tensor(x)
    if node.ndim == 0:
        raise ArgumentError(
            f"{what}: a scalar has no elements to choose from",
            expected="an int, a size, or a tensor with axes",
            got=repr(x),
            fix="gc.random.randint(0, n) takes a limit that is computed",
        )
    axis = normalise_axis(axis, node.ndim)
    return node, axis, node.shape[axis]


@public
def permutation(x: TensorLike | Dim, *, axis: int = 0, key: TensorLike | None = None) -> Tensor:
    """The positions 0 … n - 1 in a random order (int64), or a tensor with the slices along an axis in one.

    Args:
        x: n, an int or a size such as `x.shape[0]`; or a tensor.
        axis: of a tensor: the axis along which its slices are moved as a whole.
        key: where randomness comes from; by default the session's seed, the op's name and the step.

    Raises:
        ArgumentError: a tensor without axes.
        ShapeError: there is no such axis.
    """
    node, axis, size = _extent(x, "gc.random.permutation", axis)
    order = _shuffled(drawn_from(key, "permutation", *([] if node is None else [node])), size, size)
    return order if node is None else take(node, order, axis=axis)


@public
def choice(
    a: TensorLike | Dim,
    shape: Any = (),
    *,
    replace: bool = True,
    p: TensorLike | None = None,
    axis: int = 0,
    key: TensorLike | None = None,
) -> Tensor:
    """Positions among 0 … n - 1 (int64), or slices of a tensor along an axis, chosen at random.

    Args:
        a: n, an int or a size such as `x.shape[0]`; or a tensor.
        shape: how many: ints or dims; it takes the place of the axis.
        replace: whether one may be chosen more than once.
        p: probabilities, one per position, or numbers in proportion to them; by default all are equally likely.
        axis: of a tensor: the axis along which slices are chosen.
        key: where randomness comes from; by default the session's seed, the op's name and the step.

    Raises:
        ArgumentError: a tensor without axes.
        ShapeError: there is nothing to choose from, too little without replacement, or `p` does not fit.
    """
    node, axis, size = _extent(a, "gc.random.choice", axis)
    sizes = as_shape(shape)
    weights = None if p is None else fitted(_vector(p), float64, (size,))
    operands = [each for each in (node, weights) if each is not None]
    if replace:
        _require_enough(size, 1)
        chosen = _with_replacement(operands, size, sizes, weights, key)
    else:
        count = dims.product(sizes)
        _require_enough(size, count)
        source = drawn_from(key, "choice", *operands)
        if weights is None:
            chosen = reshape(_shuffled(source, size, count), sizes)
        else:  # the largest logarithms plus Gumbel noise: Efraimidis and Spirakis (2006)
            chosen = reshape(_least(-(log(weights) + standard_gumbel(source, (size,), float64)), count), sizes)
    return chosen if node is None else take(node, chosen, axis=axis)


def _require_enough(size: Dim, count: Dim) -> None:
    """Holds what there is to choose from to being enough; for symbolic sizes by a guard."""
    if not (isinstance(size, int) and isinstance(count, int)):
        dims.require_at_least(size, count, f"{count} cannot be chosen out of {size}", fix=_FEWER)
    elif size < count:
        raise ShapeError(
            f"gc.random.choice: {count} cannot be chosen out of {size}",
            expected=f"at least {count} to choose from",
            got=str(size),
            fix=_FEWER,
        )


_FEWER = "choose fewer; with replace=True any number out of one or more"


def _vector(p: TensorLike) -> Tensor:
    node = float_operand(p)
    if node.ndim != 1:
        raise ArgumentError(
            "gc.random.choice: the probabilities are a vector",
            expected="one number per position",
            got=str(node.type),
            fix="gc.random.categorical draws for many distributions at once, by their logarithms",
        )
    return node


def _by_inversion(key: Tensor, weights: Tensor, shape: Shape) -> Tensor:
    """Where uniforms lie among the running sums of the weights: needs no memory for each pair of the two."""
    sums = cumulative_sum(weights)
    total = sums[-1]
    found = searchsorted(sums, stream(UNIFORM, key, shape, float64) * total, side="right")
    return minimum(found, searchsorted(sums, total))  # a product that is rounded up to the total is nowhere below it


def _with_replacement(
    operands: list[Tensor], size: Dim, shape: Shape, weights: Tensor | None, key: TensorLike | None
) -> Tensor:
    source = drawn_from(key, "choice", *operands)
    if weights is not None:
        return _by_inversion(source, weights, shape)
    if isinstance(size, int):
        return convert(offset(source, size, shape), int64)
    return convert(scaled(source, dim_value(size, dtype=uint64), shape), int64)
