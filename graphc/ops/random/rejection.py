"""Samplers that propose until one is accepted: gamma and Poisson.

In a round, element i reads blocks 2i and 2i + 1 of the key of that round: no element waits for another, and a value
does not depend on how many are drawn beside it. There are so many rounds that all fail with a probability below 2**-60
an element; the last proposal stands then. NumPy goes on with the elements that are left, jax with all of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from graphc import philox
from graphc.ir.dtype import float64, int64
from graphc.ir.opdef import Kind, OpDef
from graphc.ir.types import TensorType
from graphc.ops.define import define
from graphc.ops.random.keys import block, host_key, require_key
from graphc.ops.random.streams import box_muller, unit

Propose = Callable[..., tuple[Any, Any]]
"""(xp, key of the round, positions, parameter, repeat, attributes) → proposals, and whether each is accepted."""
Repeat = Callable[[int, int, Callable[[Any, Any], Any], Any], Any]
"""(start, stop, step, carry) → the carry after `carry = step(number, carry)` for all numbers in [start, stop)."""

_PIECE = 1 << 14  # elements that NumPy proposes for at a time: what it needs stays in the cache


class Sampler(NamedTuple):
    """How a distribution proposes, for at most how many rounds, and the dtype of its values."""

    propose: Propose
    rounds: int
    dtype: np.dtype[Any]


def in_turn(start: int, stop: int, step: Callable[[Any, Any], Any], carry: Any) -> Any:
    """A `Repeat` that is a loop of Python's."""
    for number in range(start, stop):
        carry = step(number, carry)
    return carry


def draw(sampler: Sampler, key: np.ndarray, parameter: np.ndarray, **attrs: Any) -> np.ndarray:
    """The values for a float64 array of parameters, by NumPy."""
    flat = np.ascontiguousarray(parameter, np.float64).reshape(-1)
    values = np.empty(flat.shape, sampler.dtype)
    for start in range(0, flat.size, _PIECE):
        left = np.arange(start, min(start + _PIECE, flat.size), dtype=np.uint64)
        for number in range(sampler.rounds):
            child = np.array(philox.child(host_key(key), philox.ROUND, number), np.uint32)
            values[left], accepted = sampler.propose(np, child, left, flat[left], in_turn, **attrs)
            left = left[~accepted]
            if not left.size:
                break
    return values.reshape(np.shape(parameter))


def _draws(sampler: Sampler) -> Callable[..., Any]:
    """The `array_fn` of an op. Other namespaces than NumPy compute all rounds for all elements."""

    def array_fn(xp: Any, key: Any, parameter: Any, **attrs: Any) -> Any:
        if xp is np:
            return draw(sampler, key, parameter, **attrs)
        positions = xp.arange(math.prod(parameter.shape), dtype=np.uint64).reshape(parameter.shape)
        values, done = xp.zeros(parameter.shape, sampler.dtype), xp.zeros(parameter.shape, bool)
        for number in range(sampler.rounds):
            found, accepted = sampler.propose(xp, round_key(xp, key, number), positions, parameter, in_turn, **attrs)
            values, done = xp.where(done, values, found), done | accepted
        return values

    return array_fn


def round_key(xp: Any, key: Any, number: Any) -> Any:
    """The key of a round, whose number may be computed."""
    return xp.stack(block(xp, key, xp.asarray(number, np.uint64), philox.ROUND)[:2]).astype(np.uint32)


def _sampler_op(name: str, sampler: Sampler, why: str) -> OpDef:
    result = int64 if sampler.dtype == np.int64 else float64

    def infer(types: tuple[TensorType, ...], attrs: Mapping[str, Any]) -> TensorType:
        require_key(types[0])
        return TensorType(result, types[1].shape)

    return define(name, Kind.INDEXING, infer, why, array_fn=_draws(sampler))


def _uniforms(xp: Any, key: Any, positions: Any) -> tuple[Any, Any, Any, Any]:
    """Four independent uniforms in [0, 1) for each element."""
    first, second = block(xp, key, positions * np.uint64(2)), block(xp, key, positions * np.uint64(2) + np.uint64(1))
    return unit(*first[:2]), unit(*first[2:]), unit(*second[:2]), unit(*second[2:])


# --- gamma ----------------------------------------------------------------------------------------------------


def _propose_gamma(xp: Any, key: Any, positions: Any, a: Any, repeat: Repeat, log: bool) -> tuple[Any, Any]:
    """Marsaglia and Tsang, "A simple method for generating gamma variables" (ACM TOMS 26, 2000).

    At least 0.95 of the proposals are accepted. For a < 1 it is the gamma of a + 1 times u^(1/a); as a logarithm it
    does not underflow.
    """
    u = _uniforms(xp, key, positions)
    x, _ = box_muller(xp, u[0], u[1])
    small = a < 1.0
    d = xp.where(small, a + 1.0, a) - 1.0 / 3.0
    root = 1.0 + x / xp.sqrt(9.0 * d)
    v = root * root * root
    log_v = xp.log(xp.where(v > 0.0, v, 1.0))
    accepted = (v > 0.0) & (xp.log(1.0 - u[2]) < 0.5 * x * x + d - d * v + d * log_v)
    power = xp.where(small, xp.log(1.0 - u[3]) / xp.where(small & (a > 0.0), a, 1.0), 0.0)
    value = xp.log(d) + log_v + power if log else d * v * xp.exp(power)
    value = xp.where(a == 0.0, -math.inf if log else 0.0, xp.where(a == math.inf, math.inf, value))
    strange = ~((a > 0.0) & (a < math.inf))
    return xp.where(a >= 0.0, value, math.nan), accepted | strange


GAMMA_SAMPLER = Sampler(_propose_gamma, 16, np.dtype(np.float64))
GAMMA = _sampler_op(
    "random_gamma",
    GAMMA_SAMPLER,
    "its implicit derivative by the shape parameter is not implemented",
)


# --- Poisson --------------------------------------------------------------------------------------------------

LARGE = 10.0  # rate from which PTRS is defined
TERMS = 60  # a rate below 10 gives more with a probability below 2**-60
FACTORIALS = np.array([math.lgamma(k + 1.0) for k in range(16)])
HALF_LOG_TWO_PI = 0.5 * math.log(2.0 * math.pi)
MOST = 2.0**62  # beyond it a value might not be an int64


def _log_factorial(xp: Any, k: Any) -> Any:
    """log k! of k ≥ 0: from a table below 16, then Stirling's series, whose next term is below 10⁻¹²."""
    n = xp.maximum(k, 15.0) + 1.0
    inverse = 1.0 / n
    square = inverse * inverse
    series = inverse * (1.0 / 12.0 - square * (1.0 / 360.0 - square * (1.0 / 1260.0 - square / 1680.0)))
    far = (n - 0.5) * xp.log(n) - n + HALF_LOG_TWO_PI + series
    near = xp.take(xp.asarray(FACTORIALS), xp.clip(k, 0.0, 15.0).astype(np.int64))
    return xp.where(k < 16.0, near, far)


def _by_inversion(xp: Any, rate: Any, u: Any, repeat: Repeat) -> Any:
    """How many partial sums of the probabilities a uniform has left behind it."""

    def step(k: Any, carry: Any) -> Any:
        term, total, count = carry
        count = xp.where(u >= total, k * xp.ones_like(count), count)
        term = term * (rate / k)
        return term, total + term, count

    first = xp.exp(-rate)
    return repeat(1, TERMS, step, (first, first, xp.zeros_like(first)))[2]


def _propose_poisson(xp: Any, key: Any, positions: Any, rate: Any, repeat: Repeat) -> tuple[Any, Any]:
    """PTRS of Hörmann, "The transformed rejection method for generating Poisson random variables" (Insurance:
    Mathematics and Economics 12, 1993), which accepts 3 of 4 proposals at least; below a rate of 10 by inversion.
    """
    u, v, w, _ = _uniforms(xp, key, positions)
    large = rate >= LARGE
    mean = xp.where(large, xp.minimum(rate, MOST), LARGE)
    b = 0.931 + 2.53 * xp.sqrt(mean)
    a = -0.059 + 0.02483 * b
    centred, v = u - 0.5, 1.0 - v
    us = 0.5 - xp.abs(centred)
    us = xp.maximum(us, 2.0**-54)
    k = xp.floor((2.0 * a / us + b) * centred + mean + 0.43)
    quick = (us >= 0.07) & (v <= 0.9277 - 3.6224 / (b - 2.0))
    hopeless = (k < 0.0) | ((us < 0.013) & (v > us))
    bound = xp.maximum(k, 0.0) * xp.log(mean) - mean - _log_factorial(xp, xp.maximum(k, 0.0))
    scaled = xp.log(v) + xp.log(1.1239 + 1.1328 / (b - 3.4)) - xp.log(a / (us * us) + b)
    accepted = quick | (~hopeless & (scaled <= bound))
    if xp is np and large.all():
        return xp.clip(k, 0.0, MOST).astype(np.int64), accepted
    small = _by_inversion(xp, xp.where(large, 0.0, xp.maximum(rate, 0.0)), w, repeat)
    value = xp.where(large, xp.clip(k, 0.0, MOST), small)
    strange = ~(rate >= 0.0)
    return xp.where(strange, -1.0, value).astype(np.int64), accepted | ~large


POISSON_SAMPLER = Sampler(_propose_poisson, 32, np.dtype(np.int64))
POISSON = _sampler_op("random_poisson", POISSON_SAMPLER, "its result is discrete")
SAMPLERS = {GAMMA.name: GAMMA_SAMPLER, POISSON.name: POISSON_SAMPLER}
