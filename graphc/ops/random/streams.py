"""Streams: arrays of random words, uniforms and normals, each element a function of the key and its position.

NumPy runs `graphc.philox`, the law. Other namespaces run what stands here, whole arrays at once: the same integer
arithmetic, and the same float64 arithmetic behind it, which is exact for uniforms and leaves normals to log, cos, sin.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from graphc import philox
from graphc.errors import DTypeError
from graphc.ir.dims import Shape
from graphc.ir.dtype import DTYPES, DType, as_dtype, uint32, uint64
from graphc.ir.opdef import Kind, OpDef
from graphc.ir.tensor import Tensor, apply
from graphc.ir.types import TensorType
from graphc.ops.define import TensorLike, as_shape, define
from graphc.ops.random.keys import block, drawn_from, host_key, require_key
from graphc.ops.random.public import public
from graphc.ops.random.quantile import normal_quantile

FLOATS = frozenset(dtype for name, dtype in DTYPES.items() if name in philox.NORMAL_DTYPES)
WORDS = (uint32, uint64)
_BLOCK = 4  # words


def _stream_type(types: tuple[TensorType, ...], attrs: Mapping[str, Any]) -> TensorType:
    (key,) = types
    require_key(key)
    return TensorType(attrs["dtype"], attrs["shape"])


# --- from blocks to values, in any namespace ------------------------------------------------------------------


def unit(first: Any, second: Any) -> Any:
    """Two words as a multiple of 2**-53 in [0, 1): the 53-bit map of `philox.uniform`; all steps are exact."""
    high, low = (first >> 5).astype(np.float64), (second >> 6).astype(np.float64)
    return (high * 2.0**26 + low) * 2.0**-53


def _bits(xp: Any, words: tuple[Any, ...], dtype: np.dtype[Any]) -> tuple[Any, ...]:
    if dtype.itemsize == 4:
        return tuple(word.astype(np.uint32) for word in words)
    return words[0] | words[1] << 32, words[2] | words[3] << 32


def _uniforms(xp: Any, words: tuple[Any, ...], dtype: np.dtype[Any]) -> tuple[Any, ...]:
    if dtype == np.float64:
        return unit(*words[:2]), unit(*words[2:])
    precision = philox.UNIFORM_BITS[dtype.name]
    scale = np.float32(2.0**-precision)
    values = ((word.astype(np.uint32) >> (32 - precision)).astype(np.float32) * scale for word in words)
    return tuple(value.astype(dtype) for value in values)


def box_muller(xp: Any, first: Any, second: Any) -> tuple[Any, Any]:
    """Two normals of two uniforms, as `philox.normal` has it."""
    radius = xp.sqrt(-2.0 * xp.log(1.0 - first))
    angle = 2.0 * math.pi * second
    return radius * xp.cos(angle), radius * xp.sin(angle)


def _normals(xp: Any, words: tuple[Any, ...], dtype: np.dtype[Any]) -> tuple[Any, ...]:
    return tuple(value.astype(dtype) for value in box_muller(xp, unit(*words[:2]), unit(*words[2:])))


_OF_BLOCK = {"bits": _bits, "uniform": _uniforms, "normal": _normals}
FILL = {"bits": philox.fill_bits, "uniform": philox.fill_uniform, "normal": philox.fill_normal}
"""What an op of a stream holds → what fills an array with it."""


def _stream(what: str) -> Any:
    """The `array_fn` of an op."""

    def array_fn(xp: Any, key: Any, shape: tuple[int, ...], dtype: Any) -> Any:
        kind = as_dtype(dtype).numpy
        if xp is np:
            out = np.empty(shape, kind)
            FILL[what](host_key(key), out)
            return out
        each = _BLOCK // (2 if kind.itemsize == 8 or what == "normal" else 1)
        size = math.prod(shape)
        numbers = xp.arange(-(-size // each), dtype=np.uint64)
        values = _OF_BLOCK[what](xp, block(xp, key, numbers), kind)
        return xp.stack(values, axis=-1).reshape(-1)[:size].reshape(shape)

    return array_fn


def _op(what: str) -> OpDef:
    return define(f"random_{what}", Kind.INDEXING, _stream_type, (None,), array_fn=_stream(what))


BITS, UNIFORM, NORMAL = _op("bits"), _op("uniform"), _op("normal")
STREAMS = {BITS.name: "bits", UNIFORM.name: "uniform", NORMAL.name: "normal"}
"""Ops of streams → what they hold."""


# --- what the distributions are made of ------------------------------------------------------------------------


def stream(op: OpDef, key: Tensor, shape: Shape, dtype: DType) -> Tensor:
    """Records an op of a stream."""
    return apply(op, (key,), shape=shape, dtype=dtype)


def float_dtype(dtype: Any, what: str) -> DType:
    """A dtype that random floats may have.

    Raises:
        DTypeError: it is another one.
    """
    found = as_dtype(dtype)
    if found not in FLOATS:
        raise DTypeError(
            f"{what} gives floats",
            expected=", ".join(dtype.name for dtype in DTYPES.values() if dtype in FLOATS),
            got=found.name,
            fix="gc.random.randint draws integers, gc.random.bernoulli bools, gc.random.bits words",
        )
    return found


@public
def bits(shape: Any = (), *, dtype: Any = uint32, key: TensorLike | None = None) -> Tensor:
    """Random bits: each value of the dtype is equally likely. `graphc.philox.bits` gives the same.

    Args:
        shape: ints or dims; an int for one axis.
        dtype: uint32; or uint64, each of two words, the low one first.
        key: where they come from; by default the session's seed, the op's name and the step.

    Raises:
        DTypeError: another dtype.
    """
    found, sizes = as_dtype(dtype), as_shape(shape)
    if found not in WORDS:
        raise DTypeError(
            "gc.random.bits gives words",
            expected="uint32 or uint64",
            got=found.name,
            fix="convert them with .astype, or draw numbers with gc.random.randint",
        )
    return stream(BITS, drawn_from(key, "bits"), sizes, found)


# --- normals within limits ------------------------------------------------------------------------------------


def limits(low: float, high: float) -> tuple[float, float, float, float, bool]:
    """The limits, the probabilities below them, and whether all that is mirrored: it is, for limits above 0."""
    mirrored = low > 0.0
    if mirrored:
        low, high = -high, -low
    below, above = (0.5 * math.erfc(-limit * math.sqrt(0.5)) for limit in (low, high))
    return low, high, below, above, mirrored


def _truncated(xp: Any, key: Any, shape: tuple[int, ...], low: float, high: float) -> Any:
    """By the quantile function, of uniforms that are never 0 or 1, in the half where small shares keep their digits."""
    low, high, below, above, mirrored = limits(low, high)
    u = _stream("uniform")(xp, key, shape, "float64")
    inside = xp.floor(u * 2.0**52) * 2.0**-52 + 2.0**-53
    share = xp.minimum(below + (above - below) * inside, 1.0 - 2.0**-53)  # 1 only by rounding
    values = xp.clip(normal_quantile(xp, share), low, high)
    return -values if mirrored else values


def _truncated_type(types: tuple[TensorType, ...], attrs: Mapping[str, Any]) -> TensorType:
    (key,) = types
    require_key(key)
    return TensorType(DTYPES["float64"], attrs["shape"])


TRUNCATED = define("random_truncated", Kind.INDEXING, _truncated_type, (None,), array_fn=_truncated)
"""Standard normals within static limits, in float64."""
