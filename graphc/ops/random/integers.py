"""Random integers, the same on every backend."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.errors import ArgumentError, DTypeError
from graphc.ir.dims import Poly, Shape
from graphc.ir.dtype import DType, as_dtype, int64, uint64
from graphc.ir.tensor import Tensor
from graphc.ops.comparison import where
from graphc.ops.define import TensorLike, as_shape, as_tensor, constant_node, convert
from graphc.ops.random.keys import drawn_from
from graphc.ops.random.parameters import fitted
from graphc.ops.random.public import public
from graphc.ops.random.streams import BITS, stream
from graphc.ops.sources import dim_value

_WORD = 1 << 64
_WIDE = 1 << 32  # numbers to choose from, up to which two words make every one equally likely to within 2⁻⁶⁴
_FEW = 16  # up to which one word does so within 2⁻⁶⁰
_UNDECIDED = 60  # bits: rounds go on until the probability to need another one is below 2⁻⁶⁰


@public
def randint(
    low: TensorLike, high: TensorLike, shape: Any = (), *, dtype: Any = int64, key: TensorLike | None = None
) -> Tensor:
    """Integers in [low, high), each equally likely to within 2**-60.

    That holds for limits that are numbers, and for tensors whose limits are up to 2**32 apart; where `high` of a tensor
    is not above `low`, `low` is drawn.

    Args:
        low: the least one, an int, a size or a tensor of integers that broadcasts to the shape.
        high: one above the greatest, likewise; `x.shape[0]` for positions on an axis, be its size symbolic.
        shape: ints or dims; an int for one axis.
        dtype: an integer dtype that holds the limits.
        key: where randomness comes from; by default the session's seed, the op's name and the step.

    Raises:
        ArgumentError: numbers between which there is no integer, or that the dtype does not hold.
        DTypeError: the dtype is no integer one, or a tensor is of another dtype.
        ShapeError: a limit does not broadcast to the shape.
    """
    found, sizes = integer_dtype(dtype, "gc.random.randint"), as_shape(shape)
    start, stop = (_limit(value, name) for value, name in ((low, "low"), (high, "high")))
    if isinstance(start, int) and isinstance(stop, int):
        _require_between(start, stop, found)
        drawn = offset(drawn_from(key, "randint"), stop - start, sizes)
        first = _constant(start % _WORD)
    else:
        signed = uint64 if found is uint64 else int64
        low_end, high_end = (fitted(value, signed, sizes) for value in (start, stop))
        first = convert(low_end, uint64)
        span = where(high_end > low_end, convert(high_end, uint64) - first, 1)
        drawn = scaled(drawn_from(key, "randint", low_end, high_end), span, sizes)
    return convert(first + drawn, found)  # modulo 2**64, which its low bits do not see


def integer_dtype(dtype: Any, what: str) -> DType:
    """A dtype that random integers may have.

    Raises:
        DTypeError: it is another one.
    """
    found = as_dtype(dtype)
    if found.kind not in ("int", "uint"):
        raise DTypeError(
            f"{what} gives integers",
            expected="an integer dtype",
            got=found.name,
            fix="gc.random.uniform draws floats, gc.random.bernoulli bools",
        )
    return found


def _limit(value: Any, name: str) -> Any:
    """An int as it is, a size as a tensor, or a tensor of integers."""
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        return int(value)
    if isinstance(value, Poly):
        return dim_value(value)
    node = as_tensor(value) if isinstance(value, (Tensor, np.ndarray, list, tuple)) else None
    if node is None or node.dtype.kind not in ("int", "uint"):
        raise DTypeError(
            f"gc.random.randint: {name} is no integer",
            expected="an int, or a tensor of integers",
            got=repr(value),
            fix="convert it with .astype(gc.int64), or draw floats with gc.random.uniform",
        )
    return node


def _require_between(low: int, high: int, dtype: DType) -> None:
    limits = np.iinfo(dtype.numpy)
    if not limits.min <= low < high <= limits.max + 1:
        raise ArgumentError(
            "gc.random.randint: these limits leave nothing to draw",
            expected=f"low < high, from {limits.min} to {limits.max + 1} for {dtype}",
            got=f"low={low}, high={high}",
            fix="high is one above the greatest that is drawn; a wider dtype holds more",
        )


def offset(key: Tensor, span: int, shape: Shape) -> Tensor:
    """Integers in [0, span), uint64."""
    if _WORD % span == 0 or span <= _FEW:
        words = stream(BITS, key, shape, uint64)
        return words if span == _WORD else words % _constant(span)
    if span <= _WIDE:
        return scaled(key, _constant(span), shape)
    # A word from the last, incomplete turn through the range is drawn again.
    complete = _WORD - _WORD % span
    rounds = -(-_UNDECIDED // max(1, (_WORD // max(_WORD % span, 1)).bit_length() - 1))
    words = stream(BITS, key, (rounds, *shape), uint64)
    found = words[rounds - 1]
    for number in range(rounds - 2, -1, -1):
        found = where(words[number] < _constant(complete), words[number], found)
    return found % _constant(span)


def _constant(value: int) -> Tensor:
    return constant_node(np.asarray(value, np.uint64))


def scaled(key: Tensor, span: Tensor, shape: Shape) -> Tensor:
    """128 random bits modulo a number: exact up to 2**32, as no product overflows then."""
    words = stream(BITS, key, (2, *shape), uint64)
    turn = (_constant(0) - span) % span  # 2**64 modulo the number
    return (words[0] % span * turn + words[1] % span) % span
