"""Gamma and beta numbers."""

from __future__ import annotations

from typing import Any

from graphc.ir.dtype import DType, float32, float64
from graphc.ir.tensor import Tensor, apply
from graphc.ops.define import TensorLike, common_dtype, convert, float_operand
from graphc.ops.exponential import sigmoid
from graphc.ops.random.keys import drawn_from, split
from graphc.ops.random.parameters import full_size, given, moved, number, part, require_scale, result_shape
from graphc.ops.random.public import public
from graphc.ops.random.rejection import GAMMA
from graphc.ops.random.streams import float_dtype


def _common(*values: TensorLike) -> DType:
    """The dtype of parameters, in which numbers are drawn unless another one is asked for."""
    found = common_dtype(values)[1]
    return found if found.kind == "float" else float32


@public
def gamma(
    a: TensorLike,
    shape: Any = None,
    *,
    dtype: Any = None,
    scale: TensorLike = 1.0,
    key: TensorLike | None = None,
) -> Tensor:
    """Gamma numbers of the shape parameter a, with the mean a · scale.

    A gradient flows to `scale`; none to `a`, as that one is not implemented.

    Args:
        a: positive: a number, or a tensor that broadcasts to the shape. 0 gives 0, a negative element NaN.
        shape: what is drawn; by default the shape of a.
        dtype: of a float kind; by default that of a.
        scale: not negative, a number or a tensor that broadcasts to the shape.
        key: where randomness comes from; by default the session's seed, the op's name and the step.

    Raises:
        ArgumentError: a number is out of range.
        ShapeError: a parameter does not broadcast to the shape.
        DTypeError: the dtype is of another kind.
    """
    number(a, "gc.random.gamma: a", "a positive number", 5e-324)
    require_scale("gc.random.gamma: scale", scale)
    node = float_operand(a)
    found = float_dtype(_common(a) if dtype is None else dtype, "gc.random.gamma")
    sizes = result_shape(shape, node)
    factor = part(scale, 1.0, found, sizes)
    wide = full_size(node, float64, sizes)
    drawn = apply(GAMMA, (drawn_from(key, "gamma", *given(wide, factor)), wide), log=False)
    return moved(convert(drawn, found), None, factor)


@public
def beta(
    a: TensorLike, b: TensorLike, shape: Any = None, *, dtype: Any = None, key: TensorLike | None = None
) -> Tensor:
    """Beta numbers in [0, 1] with the mean a / (a + b): X / (X + Y) of two gamma numbers, by their logarithms.

    Args:
        a: positive: a number, or a tensor that broadcasts to the shape.
        b: likewise.
        shape: what is drawn; by default that to which a and b broadcast.
        dtype: of a float kind; by default that of a and b.
        key: where randomness comes from; by default the session's seed, the op's name and the step.

    Raises:
        ArgumentError: a number is not positive.
        ShapeError: a parameter does not broadcast to the shape.
        DTypeError: the dtype is of another kind.
    """
    for name, value in (("a", a), ("b", b)):
        number(value, f"gc.random.beta: {name}", "a positive number", 5e-324)
    first, second = float_operand(a), float_operand(b)
    found = float_dtype(_common(a, b) if dtype is None else dtype, "gc.random.beta")
    sizes = result_shape(shape, first, second)
    parts = [full_size(node, float64, sizes) for node in (first, second)]
    sources = split(drawn_from(key, "beta", *parts))
    logs = [apply(GAMMA, pair, log=True) for pair in zip(sources, parts, strict=True)]
    return convert(sigmoid(logs[0] - logs[1]), found)
