"""Distributions of bools and whole numbers; dropout."""

from __future__ import annotations

from typing import Any

from graphc.errors import ArgumentError
from graphc.ir.dtype import float32, float64, int64
from graphc.ir.opdef import public as public_function
from graphc.ir.tensor import Tensor, apply
from graphc.ops.comparison import where
from graphc.ops.define import TensorLike, as_shape, convert, float_operand, normalise_axis
from graphc.ops.layout import permute_dims
from graphc.ops.precision import rounded_once
from graphc.ops.random.continuous import standard_gumbel
from graphc.ops.random.integers import integer_dtype
from graphc.ops.random.keys import drawn_from
from graphc.ops.random.parameters import fitted, full_size, number, result_shape
from graphc.ops.random.public import public
from graphc.ops.random.rejection import POISSON
from graphc.ops.random.streams import UNIFORM, stream
from graphc.ops.reductions import argmax


@public
def bernoulli(p: TensorLike = 0.5, shape: Any = None, *, key: TensorLike | None = None) -> Tensor:
    """True with the probability p: whether a uniform number of p's dtype is below p.

    So p counts as if rounded up to a multiple of 2**-24 (2**-53 in float64); 0 is never, 1 is always.

    Args:
        p: a number from 0 to 1, or a tensor; what a tensor holds is not checked.
        shape: what is drawn; by default the shape of p, which broadcasts to it.
        key: where randomness comes from; by default the session's seed, the op's name and the step.

    Raises:
        ArgumentError: a number is no probability.
        ShapeError: p does not broadcast to the shape.
    """
    number(p, "gc.random.bernoulli: p", "a probability, from 0 to 1", 0.0, 1.0)
    node = float_operand(p)
    dtype = float64 if node.dtype is float64 else float32
    sizes = result_shape(shape, node)
    limit = fitted(node, dtype, sizes)
    return stream(UNIFORM, drawn_from(key, "bernoulli", limit), sizes, dtype) < limit


@public
def categorical(logits: TensorLike, shape: Any = None, *, axis: int = -1, key: TensorLike | None = None) -> Tensor:
    """Positions along an axis, each with the probability softmax(logits): the largest logit plus Gumbel noise. int64.

    Args:
        logits: logarithms of probabilities, up to a constant; -inf is never drawn.
        shape: what is drawn; by default the shape of the logits without the axis, which broadcasts to it.
        axis: the axis of the classes.
        key: where randomness comes from; by default the session's seed, the op's name and the step.

    Raises:
        ShapeError: there is no such axis, or no class; or the logits do not broadcast to the shape.
    """
    node = float_operand(logits)
    axis = normalise_axis(axis, node.ndim)
    last = permute_dims(node, (*(a for a in range(node.ndim) if a != axis), axis))
    sizes = last.shape[:-1] if shape is None else as_shape(shape)
    scores = full_size(last, node.dtype, (*sizes, last.shape[-1]))
    noise = standard_gumbel(drawn_from(key, "categorical", scores), scores.shape, node.dtype)
    return argmax(scores + noise, axis=-1)


@public
def poisson(rate: TensorLike, shape: Any = None, *, dtype: Any = int64, key: TensorLike | None = None) -> Tensor:
    """Poisson numbers: how many events occur, of which `rate` are expected.

    Args:
        rate: a number that is not negative, or a tensor that broadcasts to the shape; where one is negative or NaN,
            -1 is drawn.
        shape: what is drawn; by default the shape of the rate.
        dtype: an integer dtype.
        key: where randomness comes from; by default the session's seed, the op's name and the step.

    Raises:
        ArgumentError: the rate is a negative number, or above 2**62.
        DTypeError: the dtype is no integer one.
        ShapeError: the rate does not broadcast to the shape.
    """
    number(rate, "gc.random.poisson: the rate", "a number from 0 to 2**62", 0.0, 2.0**62)
    found, node = integer_dtype(dtype, "gc.random.poisson"), float_operand(rate)
    wide = full_size(node, float64, result_shape(shape, node))
    return convert(apply(POISSON, (drawn_from(key, "poisson", wide), wide)), found)


# --- dropout --------------------------------------------------------------------------------------------------


@public_function
@rounded_once
def dropout(x: TensorLike, rate: float, *, key: TensorLike | None = None) -> Tensor:
    """Elements become 0 with the probability `rate`; the others are divided by 1 - rate, so that the mean stays.

    Nothing in a graph says whether it trains: record a graph for evaluation without dropout, or with the rate 0.

    Args:
        x: numbers; integers become float32.
        rate: a number from 0, for x itself, to below 1.
        key: where randomness comes from; by default the session's seed, the op's name and the step.

    Raises:
        ArgumentError: the rate is no such number.
    """
    found = number(rate, "gc.nn.dropout: the rate", "a number from 0 to below 1", 0.0, 1.0)
    if found is None or found == 1.0:
        raise ArgumentError(
            "gc.nn.dropout: the rate is out of range",
            expected="a number from 0 to below 1, static",
            got=repr(rate),
            fix="it is the share of elements that become 0, not of those that are kept",
        )
    node = float_operand(x)
    if found == 0.0:
        return node
    drawn = stream(UNIFORM, drawn_from(key, "dropout", node), node.shape, float32)
    return where(drawn >= found, node * (1.0 / (1.0 - found)), 0.0)
