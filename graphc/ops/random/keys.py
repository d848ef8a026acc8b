"""Keys: a tensor of two words that names a stream of random numbers, and the children that it has.

A key is `uint32[2]`, least significant word first. `graphc.philox` is the law: `key`, `fold_in` and `split` give the
words that its functions of the same names give. Who passes no key to a random op draws from the *run key* of that op:
a source that the session feeds, `fold_in(fold_in(seed, name of the op), step)`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from graphc import philox
from graphc.errors import NO_ORIGINS, ArgumentError, DTypeError, ShapeError
from graphc.ir import dims
from graphc.ir.dtype import uint32, uint64
from graphc.ir.opdef import FUNCTIONS, Kind
from graphc.ir.tensor import Tensor, apply
from graphc.ir.types import TensorType
from graphc.ops.define import TensorLike, as_tensor, constant_node, convert, define
from graphc.ops.random.public import public

WORDS = 2
"""Of a key."""

_FIX = "make it with gc.random.key(seed); gc.random.split(key, n) and gc.random.fold_in(key, data) make more of it"


def _run_key_type(types: tuple[TensorType, ...], attrs: Mapping[str, Any]) -> TensorType:
    return TensorType(uint32, (WORDS,))


RUN_KEY = define("run_key", Kind.SOURCE, _run_key_type, ())
"""A key that a session feeds, another one at every step; `name` is that of the op which draws from it."""


def require_key(kind: TensorType) -> None:
    """Holds an operand to being a key.

    Raises:
        DTypeError, ShapeError: it is none.
    """
    if kind.dtype is not uint32:
        raise DTypeError("a key is a tensor of uint32", expected="uint32[2]", got=str(kind), fix=_FIX)
    if kind.ndim != 1:
        raise ShapeError("a key has one axis, of two words", expected="uint32[2]", got=str(kind), fix=_FIX)
    dims.require_equal(kind.shape[0], WORDS, "a key has two words", fix=_FIX)


def as_key(value: object) -> Tensor:
    """A key as a tensor: a tensor, an array, or the pair of ints that `graphc.philox` calls a key.

    Raises:
        ArgumentError: it is something else, an int for example.
        DTypeError, ShapeError: a tensor or an array of another dtype or shape.
    """
    if isinstance(value, tuple) and len(value) == WORDS and all(map(_is_word, value)):
        return constant_node(np.array(value, np.uint32))
    if not isinstance(value, (Tensor, np.ndarray)):
        fix = f"key=gc.random.key({value!r})" if type(value) is int and 0 <= value < 1 << 64 else _FIX
        raise ArgumentError("this is no key", expected="a key: a tensor uint32[2]", got=repr(value), fix=fix)
    node = as_tensor(value)
    require_key(node.type)
    dims.take_guards(NO_ORIGINS)  # the op that reads it leaves the same one
    return node


def _is_word(value: object) -> bool:
    return type(value) is int and 0 <= value < 1 << 32


def drawn_from(key: object, what: str, *operands: Tensor) -> Tensor:
    """The key that an op draws from: the one that is given, or else a run key of its own.

    Args:
        key: of the call, or `None`.
        what: the op's name, from which that of the run key is made.
        operands: of the op, which tell its graph; without any, it is the open one.
    """
    if key is not None:
        return as_key(key)
    owner = next((node.owner for node in operands if node.owner is not None), None)
    made: Tensor = FUNCTIONS["run_key"](what, owner)  # the builder's: this floor knows no recording graph
    return made


# --- children -----------------------------------------------------------------------------------------------


def host_key(key: np.ndarray) -> philox.Key:
    """A key's words as ints."""
    return int(key[0]), int(key[1])


def block(xp: Any, key: Any, numbers: Any, domain: int = 0) -> tuple[Any, Any, Any, Any]:
    """Blocks of Philox for 64-bit numbers, as uint64 words; `domain` is the last word of their counters.

    Args:
        xp: NumPy, or a namespace like it.
        key: two words.
        numbers: uint64.
        domain: what the blocks are for.
    """
    words = key[0].astype(np.uint64), key[1].astype(np.uint64)
    found: tuple[Any, Any, Any, Any] = philox.philox4x32((numbers & philox.MASK, numbers >> 32, 0, domain), words)
    return found


def _child_type(types: tuple[TensorType, ...], attrs: Mapping[str, Any]) -> TensorType:
    key, numbers = types
    require_key(key)
    if numbers.dtype is not uint64:
        raise DTypeError("children are numbered in uint64")
    return TensorType(uint32, (*numbers.shape, WORDS))


def _child(xp: Any, key: Any, numbers: Any, domain: int) -> Any:
    if xp is np and numbers.ndim == 0:  # ints cost a third of arrays without axes
        number = int(numbers)
        counter = number & philox.MASK, number >> 32, 0, domain
        return np.array(philox.philox4x32(counter, host_key(key))[:WORDS], np.uint32)
    first, second, _, _ = block(xp, key, numbers, domain)
    return xp.stack([first, second], axis=-1).astype(np.uint32)


CHILD_KEY = define("child_key", Kind.INDEXING, _child_type, (None, None), array_fn=_child)
"""The children of a key: one for each of some 64-bit numbers."""


@public
def key(seed: int, /) -> Tensor:
    """The key of a seed, uint32[2]: the same as that of a session of this seed.

    Raises:
        ArgumentError: the seed is no int from 0 to 2**64 - 1.
    """
    try:
        words = philox.key(seed)
    except (TypeError, ValueError):
        raise ArgumentError(
            "this cannot be a seed",
            expected="an int from 0 to 2**64 - 1",
            got=repr(seed),
            fix="pass such an int; a tensor goes into a key with gc.random.fold_in(key, tensor)",
        ) from None
    return constant_node(np.array(words, np.uint32))


@public
def fold_in(key: TensorLike, data: TensorLike | str, /) -> Tensor:
    """The child of a key that some data names: a str, an int, or a tensor of integers, which may be computed.

    A tensor of shape `(…)` gives keys of shape `(…, 2)`. Negative elements count modulo 2**64.

    Raises:
        ArgumentError: the data is of another kind, or an int outside of [0, 2**64).
    """
    parent = as_key(key)
    if isinstance(data, str):
        return _children(parent, _uint64(philox.number_of(data)), philox.FOLD_STR)
    if isinstance(data, (Tensor, np.ndarray)):
        numbers = as_tensor(data)
        if numbers.dtype.kind in ("int", "uint"):
            return _children(parent, convert(numbers, uint64), philox.FOLD_INT)
    elif isinstance(data, (int, np.integer)) and not isinstance(data, bool) and 0 <= data < 1 << 64:
        return _children(parent, _uint64(int(data)), philox.FOLD_INT)
    raise ArgumentError(
        "gc.random.fold_in: this cannot be folded into a key",
        expected="a str, an int from 0 to 2**64 - 1, or a tensor of integers",
        got=repr(data),
        fix="number what needs keys of its own, or name it",
    )


@public
def split(key: TensorLike, n: int = 2, /) -> Tensor:
    """The first `n` children of a key, uint32[n, 2]; child i does not depend on `n`.

    Args:
        key: the parent, which should serve nothing else any more.
        n: how many, static. `a, b = gc.random.split(key)` names two.

    Raises:
        ArgumentError: `n` is no int >= 0.
    """
    parent = as_key(key)
    given: object = n
    if not isinstance(given, (int, np.integer)) or isinstance(given, bool) or n < 0:
        raise ArgumentError(
            "gc.random.split: this is no number of keys",
            expected="an int >= 0",
            got=repr(n),
            fix="write the number; gc.random.fold_in(key, tensor) makes as many as a tensor has elements",
        )
    return _children(parent, constant_node(np.arange(int(n), dtype=np.uint64)), philox.SPLIT)


def _uint64(number: int) -> Tensor:
    return constant_node(np.array(number, np.uint64))


def _children(parent: Tensor, numbers: Tensor, domain: int) -> Tensor:
    return apply(CHILD_KEY, (parent, numbers), domain=domain)
