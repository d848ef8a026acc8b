"""Rows of keys, streams and distributions: oracles are loops over the words of `graphc.philox`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from statistics import NormalDist
from typing import Any

import numpy as np

from graphc import philox
from graphc.conformance.table import D, E, Row, S, nan, one_of
from graphc.errors import ArgumentError, DTypeError, ShapeError
from graphc.ir.opdef import FUNCTIONS
from graphc.ir.tensor import Tensor

_KEY = D(0, 2**32, "uint32")
_WORD = 2**64


def _by_key(name: str, *operands: str, **fixed: Any) -> Callable[..., Tensor]:
    """Calls a function of `gc.random` with a key as the first operand, and others by name."""

    def call(key: Tensor, *tensors: Tensor, **kwargs: Any) -> Tensor:
        given = dict(zip(operands, tensors, strict=True))
        found: Tensor = FUNCTIONS[f"random.{name}"](key=key, **given, **(fixed | kwargs))
        return found

    return call


def _ints(key: Any) -> tuple[int, int]:
    return int(key[0]), int(key[1])


def _words64(key: Any, size: int) -> list[int]:
    words = philox.bits(_ints(key), 2 * size).tolist()
    return [low | high << 32 for low, high in zip(words[::2], words[1::2], strict=True)]


def children(key: Any, numbers: Any, domain: int) -> Any:
    found = [philox.child(_ints(key), domain, int(number)) for number in np.ravel(numbers)]
    return np.array(found, np.uint32).reshape(*np.shape(numbers), 2)


def bits(key: Any, shape: Any = (), dtype: str = "uint32") -> Any:
    size = math.prod(shape)
    words = _words64(key, size) if dtype == "uint64" else philox.bits(_ints(key), size)
    return np.array(words, dtype).reshape(shape)


def uniform(key: Any, shape: Any = (), dtype: str = "float32") -> Any:
    size = math.prod(shape)
    if dtype == "float64":
        words = philox.bits(_ints(key), 2 * size).tolist()
        pairs = zip(words[::2], words[1::2], strict=True)
        values = [((high >> 5) * 2**26 + (low >> 6)) / 2**53 for high, low in pairs]
    else:
        values = [(word >> 8) / 2**24 for word in philox.bits(_ints(key), size).tolist()]
    return np.array(values, dtype).reshape(shape)


def normal(key: Any, shape: Any = (), dtype: str = "float32") -> Any:
    size = math.prod(shape)
    u = uniform(key, (size + size % 2,), "float64").astype(np.longdouble)
    radius = np.sqrt(-2 * np.log(1 - u[::2]))
    angle = (2.0 * np.pi * u[1::2].astype(np.float64)).astype(np.longdouble)  # rounded, as the law has it
    values = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1)
    return values.reshape(-1)[:size].reshape(shape).astype(dtype)


def truncated(key: Any, shape: Any, low: float, high: float) -> Any:
    standard = NormalDist()
    share = (standard.cdf(low), standard.cdf(high))
    inside = [(math.floor(u * 2**52) * 2 + 1) / 2**53 for u in uniform(key, shape, "float64").ravel().tolist()]
    values = [standard.inv_cdf(share[0] + (share[1] - share[0]) * each) for each in inside]
    return np.array(values, np.float64).reshape(shape)


def gumbel(key: Any, shape: Any) -> Any:
    u = uniform(key, shape, "float64")
    return -np.log(-np.log(((np.floor(u * 2**52) * 2 + 1) / 2**53).astype(np.longdouble)))


# --- rejection ------------------------------------------------------------------------------------------------


def _proposals(key: Any, position: int) -> Iterator[list[float]]:
    """Four uniforms a round."""
    for number in range(64):
        child = philox.child(_ints(key), philox.ROUND, number)
        words: list[int] = []
        for block in (2 * position, 2 * position + 1):
            words += philox.philox4x32((block & philox.MASK, block >> 32, 0, 0), child)
        pairs = zip(words[::2], words[1::2], strict=True)
        yield [((high >> 5) * 2**26 + (low >> 6)) / 2**53 for high, low in pairs]


def _gamma(key: Any, position: int, a: float, log: bool) -> float:
    d = (a if a >= 1 else a + 1) - 1 / 3
    for u in _proposals(key, position):
        x = math.sqrt(-2 * math.log(1 - u[0])) * math.cos(2 * math.pi * u[1])
        v = (1 + x / math.sqrt(9 * d)) ** 3
        if v > 0 and math.log(1 - u[2]) < 0.5 * x * x + d - d * v + d * math.log(v):
            power = math.log(1 - u[3]) / a if a < 1 else 0.0
            return math.log(d) + math.log(v) + power if log else d * v * math.exp(power)
    raise AssertionError("no proposal is accepted")


def gamma(key: Any, a: Any, log: bool = False) -> Any:
    return np.array([_gamma(key, i, float(each), log) for i, each in enumerate(np.ravel(a))]).reshape(np.shape(a))


def _poisson(key: Any, position: int, rate: float) -> int:
    for u in _proposals(key, position):
        if rate < 10:
            k, term = 0, math.exp(-rate)
            total = term
            while u[2] >= total:
                k += 1
                term *= rate / k
                total += term
            return k
        b = 0.931 + 2.53 * math.sqrt(rate)
        a, centred, v = -0.059 + 0.02483 * b, u[0] - 0.5, 1 - u[1]
        us = 0.5 - abs(centred)
        k = math.floor((2 * a / us + b) * centred + rate + 0.43)
        if us >= 0.07 and v <= 0.9277 - 3.6224 / (b - 2):
            return k
        scaled = math.log(v * (1.1239 + 1.1328 / (b - 3.4)) / (a / (us * us) + b))
        if k >= 0 and not (us < 0.013 and v > us) and scaled <= k * math.log(rate) - rate - math.lgamma(k + 1):
            return k
    raise AssertionError("no proposal is accepted")


def poisson(key: Any, rate: Any) -> Any:
    found = [_poisson(key, i, float(each)) for i, each in enumerate(np.ravel(rate))]
    return np.array(found, np.int64).reshape(np.shape(rate))


# --- integers and choices ---------------------------------------------------------------------------------------


def _below(key: Any, span: int, size: int) -> list[int]:
    """Numbers in [0, span)."""
    if _WORD % span == 0 or span <= 16:
        return [word % span for word in _words64(key, size)]
    if span <= 2**32:
        words = _words64(key, 2 * size)
        return [(high * _WORD + low) % span for high, low in zip(words[:size], words[size:], strict=True)]
    share = math.log2(_WORD / (_WORD % span))
    rounds = math.ceil(60 / max(1, math.floor(share)))
    rows = np.array(_words64(key, rounds * size), object).reshape(rounds, size).T
    complete = _WORD - _WORD % span
    return [next((word for word in row if word < complete), row[-1]) % span for row in rows.tolist()]


def randint(key: Any, low: int, high: int, shape: Any = (), dtype: str = "int64") -> Any:
    found = [low + each for each in _below(key, high - low, math.prod(shape))]
    return np.array(found, dtype).reshape(shape)


def permutation(key: Any, x: Any, axis: int = 0) -> Any:
    size = x if isinstance(x, int) else x.shape[axis]
    order = np.argsort(np.array(_words64(key, size), np.uint64), kind="stable")
    return order if isinstance(x, int) else np.take(x, order, axis=axis)


def categorical(key: Any, logits: Any, axis: int = -1, shape: Any = None) -> Any:
    last = np.moveaxis(logits, axis, -1)
    sizes = last.shape if shape is None else (*shape, last.shape[-1])
    return np.argmax(last + gumbel(key, sizes), axis=-1)


def choice(key: Any, a: int, shape: Any = (), replace: bool = True) -> Any:
    if replace:
        return randint(key, 0, a, shape)
    return permutation(key, a)[: math.prod(shape)].reshape(shape)


def dropout(key: Any, x: Any, rate: float) -> Any:
    kept = uniform(key, x.shape) >= np.float32(rate)
    return np.where(kept, x * x.dtype.type(1 / (1 - rate)), x.dtype.type(0))


def _any(dtype: str) -> None:
    """The dtype of the oracle."""


def _drawn(name: str, samples: tuple[S, ...], oracle: Any, *edges: E, **options: Any) -> Row:
    """A row whose first operand is a key; the dtypes of all operands stand in its domains."""
    usual: dict[str, Any] = {"dtypes": ("uint32",), "result": _any, "domains": (_KEY,)}
    return Row(name, samples, oracle, edges, **(usual | options))


def _moved(name: str, samples: tuple[S, ...], oracle: Any, *domains: D, **options: Any) -> Row:
    """A float64 distribution with parameters through which gradients flow."""
    usual: dict[str, Any] = {"dtypes": ("float64",), "tolerance": "sum"}
    return Row(name, samples, oracle, (), domains=(_KEY, *domains), **(usual | options))


_SHAPES = (S((2,), shape=(5,)), S((2,), shape=(2, 3)), S((2,), shape=()), S((2,), shape=(0, 2)))
_NO_KEYS = (
    E([[1, 2, 3]], ShapeError, shape=(2,)), E([[[1, 2]]], ShapeError, shape=(2,)), E([3], ShapeError, shape=(2,)),
)  # fmt: skip
_BOTH = (S((2,), (), (), shape=(3,)), S((2,), (2, 1), (3,), shape=(2, 3)))
_ONE = (S((2,), (), shape=(3,)), S((2,), (3,), shape=(2, 3)))
_POSITIVE = D(0.5, 2)

ROWS = (
    Row("run_key", elsewhere="a session feeds it: tests/test_random.py"),
    _drawn("child_key", (S((2,), (), domain=1), S((2,), (3,), domain=3), S((2,), (2, 0), domain=4)), children,
           domains=(_KEY, D(0, 2**62, "uint64")), call=one_of("child_key", None),
           covers=("random.fold_in", "random.key", "random.split")),
    _drawn("random_bits", (*_SHAPES, S((2,), shape=(3,), dtype="uint64"), S((2,), shape=(2, 2), dtype="uint64")),
           bits, *_NO_KEYS, E([[1, 2]], DTypeError, shape=(2,), dtype="int32"), call=_by_key("bits"),
           covers=("random.bits",)),
    _drawn("random_uniform", (*_SHAPES, S((2,), shape=(3,), dtype="float64")), uniform, *_NO_KEYS,
           E([[1, 2]], DTypeError, shape=(2,), dtype="int32"), E([[1, 2]], ArgumentError, low=1.0, high=0.0),
           E([[1, 2]], ArgumentError, low=nan), E([[1, 2]], ArgumentError, high=math.inf), call=_by_key("uniform")),
    _drawn("random_normal", (*_SHAPES, S((2,), shape=(3,), dtype="float64")), normal, *_NO_KEYS,
           E([[1, 2]], ArgumentError, stddev=-1.0), E([[1, 2]], DTypeError, dtype="bool"), call=_by_key("normal"),
           tolerance="normal"),
    _drawn("random_truncated", tuple(S((2,), shape=shape, low=low, high=high) for shape, low, high in
           (((5,), -2.0, 2.0), ((2, 3), 0.5, 3.0), ((), -math.inf, 1.0), ((0,), 1.0, 2.0), ((9,), -1.0, math.inf))),
           lambda key, shape, low, high: -truncated(key, shape, -high, -low) if low > 0 else
           truncated(key, shape, low, high), call=one_of("random_truncated", None), tolerance="quantile"),
    _drawn("random_gamma", (S((2,), (5,), log=False), S((2,), (), log=True)), gamma,
           E([[1, 2], [0.0, -1.0, nan, math.inf]], [0.0, nan, nan, math.inf],
           gives="float64", log=False), domains=(_KEY, D(0.1, 4, "float64")),
           call=one_of("random_gamma", None), tolerance="gamma"),
    _drawn("random_poisson", (S((2,), (2, 3)), S((2,), (0, 2))), poisson,
           E([[1, 2], [0.0, -1.0, nan]], [0, -1, -1], gives="int64"), domains=(_KEY, D(0, 40, "float64")),
           call=_by_key("poisson", "rate"), covers=("random.poisson",)),
    _moved("random.uniform", _BOTH, lambda key, low, high, shape: low + (high - low) * uniform(key, shape, "float64"),
           D(-2, 0), _POSITIVE, gradient=(1, 2), call=_by_key("uniform", "low", "high", dtype="float64")),
    _moved("random.normal", _BOTH, lambda key, mean, stddev, shape: mean + stddev * normal(key, shape, "float64"),
           D(), _POSITIVE, gradient=(1, 2), call=_by_key("normal", "mean", "stddev", dtype="float64")),
    _moved("random.truncated_normal", _BOTH, lambda key, mean, stddev, shape: mean + stddev *
           truncated(key, shape, -2, 2), D(), _POSITIVE, gradient=(1, 2),
           call=_by_key("truncated_normal", "mean", "stddev", dtype="float64")),
    _moved("random.exponential", _ONE, lambda key, scale, shape: -scale * np.log1p(-uniform(key, shape, "float64")),
           _POSITIVE, gradient=(1,), call=_by_key("exponential", "scale", dtype="float64")),
    _moved("random.gumbel", _BOTH, lambda key, loc, scale, shape: loc + scale * gumbel(key, shape), D(), _POSITIVE,
           gradient=(1, 2), call=_by_key("gumbel", "loc", "scale", dtype="float64")),
    _moved("random.gamma", (S((2,), (3,), ()), S((2,), (), (3,), shape=(2, 3))), lambda key, a, scale, shape=(3,):
           gamma(key, np.broadcast_to(a, shape)) * scale, D(0.5, 4, "float64"), _POSITIVE, gradient=(2,),
           call=_by_key("gamma", "a", "scale", dtype="float64")),
    _drawn("random.beta", (S((2,), (2, 1), (3,)), S((2,), (), (), shape=(4,))),
           lambda key, a, b, shape=None: _beta(key, a, b, shape),
           domains=(_KEY, D(0.5, 4, "float64"), D(0.5, 4, "float64")), call=_by_key("beta", "a", "b"),
           tolerance="gamma"),
    _drawn("random.bernoulli", (S((2,), (3,)), S((2,), (), shape=(2, 3))), lambda key, p, shape=None:
           uniform(key, p.shape if shape is None else shape) < p, E([[1, 2], [0.0, 1.0]], [False, True], gives="bool"),
           domains=(_KEY, D(0.1, 0.9, "float32")), call=_by_key("bernoulli", "p")),
    _drawn("random.categorical", (S((2,), (4,)), S((2,), (3, 2), axis=0), S((2,), (3,), shape=(2, 2))), categorical,
           E([[1, 2], [[-math.inf, 0.0], [0.0, -math.inf]]], [1, 0], gives="int64"),
           E([[1, 2], np.zeros((2, 0))], ShapeError), domains=(_KEY, D(-2, 2, "float64")),
           call=_by_key("categorical", "logits")),
    _drawn("random.randint", tuple(S((2,), low=low, high=high, shape=(2, 3), dtype=dtype) for low, high, dtype in
           ((0, 10, "int64"), (-5, 95, "int32"), (-128, 128, "int8"), (3, 2**40 + 11, "int64"), (0, 2**64, "uint64"),
            (-(2**63), 2**63 - 7, "int64"), (0, 2**32, "uint32"), (4, 5, "int16"))), randint,
           E([[1, 2]], ArgumentError, low=3, high=3), E([[1, 2]], ArgumentError, low=0, high=300, dtype="int8"),
           E([[1, 2]], DTypeError, low=0.5, high=3), E([[1, 2]], DTypeError, low=0, high=3, dtype="float32"),
           call=_by_key("randint")),
    _drawn("random.permutation", (S((2,), (5,)), S((2,), (3, 4), axis=1), S((2,), (0, 2))), permutation,
           E([[1, 2], 3], ArgumentError), domains=(_KEY, D(-9, 9, "int64")), call=_by_key("permutation", "x")),
    _drawn("random.choice", (S((2,), a=5, shape=(2, 2), replace=False), S((2,), a=7, shape=(2, 3)),
           S((2,), a=40, shape=()), S((2,), a=3, shape=(0,))), choice, E([[1, 2]], ShapeError, a=0, shape=(1,)),
           E([[1, 2]], ShapeError, a=2, shape=(3,), replace=False), E([[1, 2]], ShapeError, a=2, p=[1.0, 1.0, 1.0]),
           E([[1, 2]], [1, 1], gives="int64", a=2, shape=(2,), p=[0.0, 1.0]),
           E([[1, 2]], [2, 1], gives="int64", a=3, shape=(2,), p=[0.0, 1e-30, 1.0], replace=False),
           call=_by_key("choice")),
    Row("dropout",
        (S((2,), (2, 3), rate=0.25), S((2,), (37,), rate=0.5), S((2,), (), rate=0.5), S((2,), (3,), rate=0.0)),
        dropout, (E([[1, 2], [1.0]], ArgumentError, rate=1.0), E([[1, 2], [1.0]], ArgumentError, rate=-0.1),
                  E([[1, 2, 3], [1.0]], ShapeError, rate=0.5)), domains=(_KEY, D()), gradient=(1,),
        call=lambda key, x, rate: FUNCTIONS["dropout"](x, rate, key=key)),
)  # fmt: skip


def _beta(key: Any, a: Any, b: Any, shape: Any) -> Any:
    sizes = np.broadcast_shapes(a.shape, b.shape) if shape is None else shape
    mine, other = philox.split(_ints(key), 2)
    x, y = (gamma(source, np.broadcast_to(each, sizes)) for source, each in ((mine, a), (other, b)))
    return x / (x + y)
