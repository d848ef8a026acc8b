"""Arithmetic on indices: what is simplified has the values of what was asked, at every point."""

import itertools
import random

import numpy as np
import pytest

from graphc.ir import dims
from graphc.ir.dims import Dim, Shape
from graphc.lowering.index import Index, Ranges, linear, segments, substitute
from graphc.lowering.kernel import axis_symbol

N, M = dims.symbol("n"), dims.symbol("m")


def declared(shape: Shape) -> tuple[Ranges, Index]:
    """Ranges of the index of a point in a shape, and that index."""
    ranges = Ranges()
    return ranges, tuple(0 if size == 1 else ranges.declare(axis_symbol(axis), size) for axis, size in enumerate(shape))


def points(shape: Shape, **sizes: int) -> list[dict[str, int]]:
    """The symbols at every point of a shape."""
    extents = [range(dims.evaluate(size, sizes)) for size in shape]
    return [{**sizes, **{f"%i{axis}": at for axis, at in enumerate(place)}} for place in itertools.product(*extents)]


def values(found: Index, at: dict[str, int]) -> tuple[int, ...]:
    return tuple(dims.evaluate(dim, at) for dim in found)


RESHAPES: tuple[tuple[Shape, Shape], ...] = (
    ((2, 3, 4), (24,)),
    ((24,), (2, 3, 4)),
    ((2, 3, 4), (6, 4)),
    ((2, 3, 4), (4, 6)),
    ((6, 4), (3, 8)),
    ((3, 8), (6, 4)),
    ((1, 6, 1), (2, 1, 3)),
    ((N, 6), (N, 2, 3)),
    ((N, 6), (N * 6,)),
    ((N * 6,), (N, 6)),
    ((N, 6), (6, N)),
    ((N, M), (M, N)),
    ((N * 2, 3), (N, 6)),
    ((2, N, 3), (N, 6)),
    ((N, M, 2), (N * M, 2)),
    ((N + 1, 4), (N * 4 + 4,)),
    ((N * 4 + 4,), (N + 1, 4)),
    ((2, N + 1), (N + 1, 2)),
    ((), (1, 1)),
    ((1,), ()),
    ((0, 3), (3, 0)),
)


@pytest.mark.parametrize(("old", "new"), RESHAPES, ids=str)
def test_reshape(old: Shape, new: Shape) -> None:
    ranges, index = declared(new)
    found = ranges.reshape(index, old, new)
    for n, m in ((1, 1), (1, 3), (4, 1), (3, 5)):
        shape = [dims.evaluate(size, {"n": n, "m": m}) for size in old]
        for position, at in enumerate(points(new, n=n, m=m)):
            assert values(found, at) == np.unravel_index(position, shape)


@pytest.mark.parametrize(("old", "new"), RESHAPES, ids=str)
def test_what_is_split_and_made_linear_again_is_linear(old: Shape, new: Shape) -> None:
    ranges, index = declared(new)
    position = linear(ranges.reshape(index, old, new), old)
    if 0 not in new:
        assert position == linear(index, new)


def test_segments() -> None:
    assert segments((2, 3, 1, 4), (6, 2, 2)) == [([0, 1], [0]), ([3], [1, 2])]
    assert segments((N, 6), (N, 2, 3)) == [([0], [0]), ([1], [1, 2])]
    assert segments((N, 2, 3), (N * 2, 3)) == [([0, 1], [0]), ([2], [1])]
    assert segments((N, M), (M, N)) == [([0, 1], [0, 1])]  # nobody knows which is larger
    assert segments((N, 6), (M, 2, 3)) == [([0], [0]), ([1], [1, 2])]  # by a guard, n is m
    assert segments((1, 1), ()) == []
    assert segments((N, 1), (1, 1)) == [([0], [])]  # by a guard, n is 1


@pytest.mark.parametrize("seed", range(40))
def test_division(seed: int) -> None:
    """Quotients and remainders of random sums, also below zero."""
    rng = random.Random(seed)
    shape = (N, 4, 3)
    ranges, index = declared(shape)
    divisor: Dim = rng.choice([2, 3, 4, 12, N, N * 3, N + 1])
    dividend: Dim = rng.randint(-3, 3)
    for symbol in index:
        dividend = dividend + symbol * rng.choice([-4, -1, 0, 1, 2, 4, 12, N])
    quotient, remainder = ranges.divmod(dividend, divisor)
    for at in [*points(shape, n=1), *points(shape, n=5)]:
        expected = divmod(dims.evaluate(dividend, at), dims.evaluate(divisor, at))
        assert (dims.evaluate(quotient, at), dims.evaluate(remainder, at)) == expected


@pytest.mark.parametrize("seed", range(40))
def test_bounds(seed: int) -> None:
    """No value lies outside of the bounds, and those of a sum of single indices are attained."""
    rng = random.Random(seed)
    shape = (N, 4, 3)
    ranges, index = declared(shape)
    dim: Dim = rng.randint(-3, 3) + N * rng.randint(0, 1)
    for symbol in index:
        dim = dim + symbol * rng.choice([-2, 0, 1, 3])
    nested = ranges.divmod(dim + 100, rng.choice([2, 5]))[rng.randrange(2)]
    for n in (1, 6):
        low, high = ranges.bounds(dim) or (0, 0)
        found = [dims.evaluate(dim, at) for at in points(shape, n=n)]
        assert (min(found), max(found)) == (dims.evaluate(low, {"n": n}), dims.evaluate(high, {"n": n}))
        if (limits := ranges.bounds(nested)) is not None:
            least, most = (dims.evaluate(limit, {"n": n}) for limit in limits)
            assert all(least <= dims.evaluate(nested, at) <= most for at in points(shape, n=n))


def test_what_is_known_of_an_index() -> None:
    ranges, (i, j) = declared((N, 6))
    assert ranges.is_nonnegative(N - 1 - i)
    assert not ranges.is_nonnegative(i - 1)
    assert ranges.is_below(i * 6 + j, N * 6)
    assert not ranges.is_below(j + 1, 6)
    assert ranges.bounds(dims.symbol("n")) == (N, N)
    assert ranges.bounds(dims.minimum(i, j)) is None  # nobody needed that yet


def test_substitution_reaches_into_divisions() -> None:
    i = axis_symbol(0)
    dim = dims.floordiv(i * 2 + 1, 4) * N + dims.mod(i, 3) * i
    found = substitute(dim, {"%i0": axis_symbol(1) + 5})
    for at in range(8):
        assert dims.evaluate(found, {"%i1": at, "n": 7}) == dims.evaluate(dim, {"%i0": at + 5, "n": 7})
    assert substitute(dim, {"%i9": 0}) is dim
    assert substitute(i, {"%i0": 3}) == 3


def test_a_symbol_that_is_declared_twice_has_the_wider_range() -> None:
    """A position that is read in two arrays."""
    ranges, (i,) = declared((5,))
    assert ranges.divmod(i, 5) == (0, i)
    ranges.declare(axis_symbol(0), 10)
    assert ranges.bounds(i) == (0, 9)
    ranges.declare(axis_symbol(0), 5)
    assert ranges.bounds(i) == (0, 9)
