"""Random numbers as a pure function of a key: Philox4x32-10, and its maps to uniforms and normals.

The generator is that of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC
2011). It encrypts a 128-bit counter with a 64-bit key, so that any value of a stream can be had without those
before it. This module is the law that every backend's generator is held to: obvious first, fast second.

Counters. A block is four 32-bit words, as is its counter `(c0, c1, c2, c3)`, least significant word first.
`c3` says what the block is for, `c2` is zero, and `c1 * 2**32 + c0` is a 64-bit number:

====  ==============================  =========================================
c3    use                             the 64-bit number
====  ==============================  =========================================
0     data: `bits` and all on it      index of the block in the stream
1     `fold_in` of an int             the int
2     `fold_in` of a str              BLAKE2b of its UTF-8 bytes, 8 bytes, little-endian
3     `split`                         index of the child
4     a round of a rejection sampler  number of the round
====  ==============================  =========================================

A child key is the first two words of its block. For one key, Philox is a bijection of counters, and no two
rows of the table share a counter: so a block that makes a child is never a block of data, nor of another row.
Keys have 64 bits: among n unrelated ones, some two are equal with a probability of about n² / 2**65.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from graphc.digest import blake2b

if TYPE_CHECKING:  # 0.5 ms
    from numpy.typing import DTypeLike, NDArray

Key = tuple[int, int]
"""The two 32-bit words of a key, least significant first."""

_Word = TypeVar("_Word", int, "NDArray[Any]")

MASK = 0xFFFFFFFF
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)  # golden ratio and sqrt(3) - 1: what the key grows by from round to round
_ROUNDS = 10

FOLD_INT, FOLD_STR, SPLIT, ROUND = 1, 2, 3, 4

# Words made at a time: the dozen temporaries of a round then stay in a core's cache, and a stream of any
# length needs little memory beyond its result. A multiple of 4, so that a chunk starts with a block.
_CHUNK = 1 << 15

# As many bits as the significand has, so that each uniform is exact and none is rounded up to 1.
UNIFORM_BITS = {"float32": 24, "float16": 11, "bfloat16": 8}
NORMAL_DTYPES = ("float64", "float32", "float16", "bfloat16")


def philox4x32(counter: tuple[_Word, _Word, _Word, _Word], key: tuple[Any, Any]) -> tuple[_Word, _Word, _Word, _Word]:
    """Encrypts one counter, or many at once, with ten rounds of Philox4x32.

    Args:
        counter: four words below 2**32, least significant first: ints, or uint64 arrays of one shape.
        key: the key: ints, or whatever integers the counter's words can be combined with.

    Returns:
        The four words of the block, of the type of the counter's words.
    """
    c0, c1, c2, c3 = counter
    k0, k1 = (int(word) if isinstance(word, np.integer) else word for word in key)
    for _ in range(_ROUNDS):
        p0 = c0 * _MULTIPLIERS[0]
        p1 = c2 * _MULTIPLIERS[1]
        c0, c1, c2, c3 = (p1 >> 32) ^ c1 ^ k0, p1 & MASK, (p0 >> 32) ^ c3 ^ k1, p0 & MASK
        k0, k1 = (k0 + _WEYL[0]) & MASK, (k1 + _WEYL[1]) & MASK
    return c0, c1, c2, c3


def key(seed: int) -> Key:
    """The key `(seed % 2**32, seed // 2**32)`.

    Args:
        seed: an integer in [0, 2**64).

    Raises:
        ValueError: the seed is negative or has more than 64 bits; wrapped, it would be the twin of another.
        TypeError: the seed is no integer.
    """
    return _halves(_unsigned("seed", seed))


def fold_in(key: Key, data: int | str) -> Key:
    """The child key that `data` names; the module's docstring states the map.

    Ints, strings and the children of `split` are told apart: `fold_in(k, 5)` is not `fold_in(k, "5")`.

    Args:
        key: the parent.
        data: a string, or an integer in [0, 2**64).

    Raises:
        ValueError: the integer lies outside of [0, 2**64).
        TypeError: `data` is neither an integer nor a string.
    """
    if isinstance(data, str):
        return child(key, FOLD_STR, number_of(data))
    return child(key, FOLD_INT, _unsigned("data", data))


def number_of(data: str) -> int:
    """The 64-bit number of a string, by which `fold_in` goes."""
    return int.from_bytes(blake2b(data.encode(), digest_size=8).digest(), "little")


def split(key: Key, n: int) -> tuple[Key, ...]:
    """The first `n` children of a key; child i does not depend on `n`.

    Raises:
        ValueError: `n` lies outside of [0, 2**64).
        TypeError: `n` is no integer.
    """
    return tuple(child(key, SPLIT, index) for index in range(_unsigned("n", n)))


def bits(key: Key, n: int) -> NDArray[np.uint32]:
    """The first `n` words of the key's stream.

    Value i is word i % 4 of the block whose 128-bit counter is i // 4. So `bits(k, n)[:m]` equals
    `bits(k, m)`.

    Args:
        key: the key.
        n: how many, at least 0.

    Returns:
        A fresh uint32 array of shape `(n,)`, each of the 2**32 values equally likely.
    """
    words = np.empty(n, np.uint32)
    fill_bits(key, words)
    return words


def uniform(key: Key, shape: tuple[int, ...], dtype: DTypeLike = np.float32) -> NDArray[Any]:
    """Numbers in [0, 1), all multiples of one power of two, and exact in their dtype.

    With b the key's stream of `bits`, and values counted in row-major order, value i is

    * float64: `((b[2i] >> 5) * 2**26 + (b[2i+1] >> 6)) * 2**-53`, the 53-bit map of the Mersenne Twister's
      `genrand_res53` (Matsumoto and Nishimura 2002);
    * float32: `(b[i] >> 8) * 2**-24`; float16: `(b[i] >> 21) * 2**-11`; bfloat16: `(b[i] >> 24) * 2**-8`.

    Args:
        key: the key.
        shape: sizes, possibly none or zero.
        dtype: float64, float32, float16 or bfloat16.

    Returns:
        A fresh array of that shape and dtype.

    Raises:
        TypeError: the dtype is another one.
    """
    values = np.empty(shape, dtype)
    fill_uniform(key, values)
    return values


def normal(key: Key, shape: tuple[int, ...], dtype: DTypeLike = np.float32) -> NDArray[Any]:
    """Standard normal numbers by the method of Box and Muller (1958): finite, at most 8.6 in magnitude.

    With u the key's stream of float64 `uniform` and values counted in row-major order, values 2i and 2i + 1
    are `r * cos(a)` and `r * sin(a)`, where `r = sqrt(-2 * log(1 - u[2i]))` and `a = 2 * pi * u[2i+1]`: a
    block makes a pair. `1 - u` is exact and at least 2**-53, so the logarithm is finite.

    All is evaluated in float64 and rounded once, so that a dtype changes a value by its rounding only. The
    bits are those of NumPy's log, cos and sin, which may differ in the last place between platforms.

    Args:
        key: the key.
        shape: sizes, possibly none or zero.
        dtype: float64, float32, float16 or bfloat16.

    Returns:
        A fresh array of that shape and dtype.

    Raises:
        TypeError: the dtype is another one.
    """
    values = np.empty(shape, dtype)
    fill_normal(key, values)
    return values


def fill_bits(key: Key, out: NDArray[Any]) -> None:
    """Fills an array with `bits`. One of uint64 takes two words a value, the low one first.

    Args:
        key: the key.
        out: of uint32 or uint64, in row-major order without gaps.
    """
    _fill(key, out, out.itemsize // 4, _joined if out.itemsize == 8 else lambda words: words)


def fill_uniform(key: Key, out: NDArray[Any]) -> None:
    """Fills an array with what `uniform` gives for its shape and dtype.

    Raises:
        TypeError: the dtype is another one.
    """
    if out.dtype == np.float64:
        _fill(key, out, 2, _unit_float64)
        return
    precision = UNIFORM_BITS.get(out.dtype.name)
    if precision is None:
        raise TypeError(f"no uniforms of dtype {out.dtype.name}; there are float64, {', '.join(UNIFORM_BITS)}")
    # Through float32 first: there is no direct cast between uint32 and bfloat16 that is sure to be exact.
    shift, unit = 32 - precision, np.float32(2.0**-precision)
    _fill(key, out, 1, lambda words: (words >> shift).astype(np.float32) * unit)


def fill_normal(key: Key, out: NDArray[Any]) -> None:
    """Fills an array with what `normal` gives for its shape and dtype.

    Raises:
        TypeError: the dtype is another one.
    """
    if out.dtype.name not in NORMAL_DTYPES:
        raise TypeError(f"no normals of dtype {out.dtype.name}; there are {', '.join(NORMAL_DTYPES)}")
    _fill(key, out, 2, lambda words: _box_muller(_unit_float64(words)), whole_blocks=True)


def _unsigned(what: str, value: int) -> int:
    number = operator.index(value)
    if not 0 <= number < 1 << 64:
        raise ValueError(f"{what} must be in [0, 2**64), got {number}")
    return number


def _halves(number: int) -> tuple[int, int]:
    return number & MASK, number >> 32


def child(key: Key, use: int, number: int) -> Key:
    """The child of a key for a use, which is a row of the table of counters, and a 64-bit number."""
    return philox4x32((*_halves(number), 0, use), key)[:2]


def _words(key: Key, start: int, stop: int) -> NDArray[np.uint32]:
    """Words start to stop of the stream; start is a multiple of 4."""
    blocks = np.arange(start // 4, -(-stop // 4), dtype=np.uint64)
    words = np.empty((len(blocks), 4), np.uint32)
    for column, word in enumerate(_encrypt(blocks, key)):
        words[:, column] = word
    return words.reshape(-1)[: stop - start]


def _encrypt(blocks: NDArray[np.uint64], key: Key) -> tuple[NDArray[np.uint64], ...]:
    """`philox4x32` of the counters of data, in memory that is there: half the time. The blocks are overwritten."""
    mask, half = np.uint64(MASK), np.uint64(32)
    c0, c1, p1 = blocks & mask, blocks >> half, blocks
    c2, c3, p0 = (np.zeros_like(blocks) for _ in range(3))
    k0, k1 = (np.uint64(word) for word in key)
    for _ in range(_ROUNDS):
        np.multiply(c0, np.uint64(_MULTIPLIERS[0]), p0)
        np.multiply(c2, np.uint64(_MULTIPLIERS[1]), p1)
        for product, word, other, round_key in ((p1, c0, c1, k0), (p0, c2, c3, k1)):
            np.right_shift(product, half, word)
            np.bitwise_xor(word, other, word)
            np.bitwise_xor(word, round_key, word)
            np.bitwise_and(product, mask, other)
        k0, k1 = (k0 + np.uint64(_WEYL[0])) & mask, (k1 + np.uint64(_WEYL[1])) & mask
    return c0, c1, c2, c3


def _fill(
    key: Key,
    out: NDArray[Any],
    words_each: int,
    convert: Callable[[NDArray[np.uint32]], NDArray[Any]],
    whole_blocks: bool = False,
) -> None:
    """Values, each made of so many words, in chunks that bound the memory of temporaries.

    Args:
        key: the key.
        out: of any shape, in row-major order without gaps.
        words_each: per value.
        convert: words to values.
        whole_blocks: whether the last block is converted as a whole, though its last value may not be needed.
    """
    values = out.reshape(-1)
    step = _CHUNK // words_each
    for start in range(0, len(values), step):
        stop = min(start + step, len(values))
        last = stop * words_each
        if whole_blocks:
            last += -last % 4
        values[start:stop] = convert(_words(key, start * words_each, last))[: stop - start]


def _joined(words: NDArray[np.uint32]) -> NDArray[np.uint64]:
    return words[0::2].astype(np.uint64) | words[1::2].astype(np.uint64) << np.uint64(32)


def _unit_float64(words: NDArray[np.uint32]) -> NDArray[np.float64]:
    high = (words[0::2] >> 5).astype(np.float64)
    low = (words[1::2] >> 6).astype(np.float64)
    return (high * 2.0**26 + low) * 2.0**-53


def _box_muller(uniforms: NDArray[np.float64]) -> NDArray[np.float64]:
    radius = np.sqrt(-2.0 * np.log(1.0 - uniforms[0::2]))
    angle = 2.0 * np.pi * uniforms[1::2]
    values = np.empty_like(uniforms)
    values[0::2] = radius * np.cos(angle)
    values[1::2] = radius * np.sin(angle)
    return values
