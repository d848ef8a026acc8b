"""Arithmetic on indices: dims over loop indices whose ranges are known, simplified as far as the ranges allow.

An index of a value is a tuple of dims, one per axis, each in the range of its axis; on an axis of size 1 it is 0.
Every rule here may take for granted that there is a point at which the index is evaluated: no axis is empty then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from graphc.ir import dims
from graphc.ir.dims import Atom, Dim, Monomial, Poly, Shape

Index: TypeAlias = tuple[Dim, ...]
Bounds: TypeAlias = tuple[Dim, Dim]
"""The smallest and the largest value, in sizes only."""


class Ranges:
    """What is known about the symbols in indices, and the arithmetic that uses it."""

    def __init__(self) -> None:
        self._sizes: dict[str, Dim] = {}
        self._bounds: dict[Dim, Bounds | None] = {}

    def declare(self, symbol: Poly, size: Dim) -> Dim:
        """Makes `0 <= symbol < size` known; returns the symbol. Of several sizes, the largest holds."""
        name = dims.symbol_name(symbol)
        assert name is not None
        if name in self._sizes:
            size = dims.maximum(self._sizes[name], size)
            self._bounds.clear()
        self._sizes[name] = size
        return symbol

    def bounds(self, dim: Dim) -> Bounds | None:
        """The range of a dim, or `None` where it is not known."""
        if isinstance(dim, int):
            return dim, dim
        if dim not in self._bounds:
            self._bounds[dim] = self._sum_bounds(dim)
        return self._bounds[dim]

    def is_below(self, dim: Dim, limit: Dim) -> bool:
        """Whether `dim < limit` is known."""
        bounds = self.bounds(dim)
        return bounds is not None and dims.at_least(limit - 1, bounds[1])

    def is_nonnegative(self, dim: Dim) -> bool:
        """Whether `dim >= 0` is known."""
        bounds = self.bounds(dim)
        return bounds is not None and dims.at_least(bounds[0], 0)

    def divmod(self, dividend: Dim, divisor: Dim) -> tuple[Dim, Dim]:
        """Quotient and remainder, rounded towards minus infinity; the divisor is at least 1."""
        if divisor == 1 or divisor == 0:  # with 0, it is never evaluated
            return dividend, 0
        whole, rest = _divide(dividend, divisor)
        if self.is_nonnegative(rest) and self.is_below(rest, divisor):
            return whole, rest
        if rest == -1:
            return whole - 1, divisor - 1
        return whole + dims.floordiv(rest, divisor), dims.mod(rest, divisor)

    def split(self, position: Dim, shape: Shape) -> Index:
        """The index of the element at a position in row-major order."""
        found: list[Dim] = []
        for axis in reversed(range(len(shape))):
            if shape[axis] == 1:
                found.append(0)
            elif all(size == 1 for size in shape[:axis]):  # in range, so that nothing is left to divide
                found.append(position)
                position = 0
            else:
                position, rest = self.divmod(position, shape[axis])
                found.append(rest)
        return tuple(reversed(found))

    def reshape(self, index: Index, old: Shape, new: Shape) -> Index:
        """The index, in a value of the shape `old`, of the element that has this index after a reshape to `new`."""
        found: list[Dim] = [0] * len(old)
        for mine, theirs in segments(new, old):
            if len(mine) == len(theirs) == 1:
                found[theirs[0]] = index[mine[0]]
                continue
            position = linear([index[axis] for axis in mine], [new[axis] for axis in mine])
            parts = self.split(position, tuple(old[axis] for axis in theirs))
            for axis, part in zip(theirs, parts, strict=True):
                found[axis] = part
        return tuple(found)

    def _sum_bounds(self, dim: Poly) -> Bounds | None:
        low: Dim = 0
        high: Dim = 0
        for monomial, factor in dim.terms:
            bounds = self._product_bounds(monomial)
            if bounds is None:
                return None
            small, large = bounds if factor > 0 else bounds[::-1]
            low, high = low + small * factor, high + large * factor
        return low, high

    def _product_bounds(self, monomial: Monomial) -> Bounds | None:
        low: Dim = 1
        high: Dim = 1
        for atom, power in monomial:
            bounds = self._atom_bounds(atom)
            if bounds is None or not dims.at_least(bounds[0], 0):
                return None
            for _ in range(power):
                low, high = low * bounds[0], high * bounds[1]
        return low, high

    def _atom_bounds(self, atom: Atom) -> Bounds | None:
        itself = Poly((((((atom, 1),)), 1),))
        if atom.kind == "symbol":
            size = self._sizes.get(str(atom.arguments[0]))
            return (itself, itself) if size is None else (0, size - 1)
        if not any(name in self._sizes for name in dims.symbols([itself])):
            return itself, itself
        first, second = (a for a in atom.arguments if not isinstance(a, str))
        if atom.kind == "mod":
            return 0, second - 1
        bounds = self.bounds(first) if atom.kind == "floordiv" else None
        if bounds is None:
            return None
        return self.divmod(bounds[0], second)[0], self.divmod(bounds[1], second)[0]


def linear(index: Sequence[Dim], shape: Sequence[Dim]) -> Dim:
    """The position in row-major order of the element with that index."""
    position: Dim = 0
    for at, size in zip(index, shape, strict=True):
        position = position * size + at
    return _rejoin(position)


def segments(first: Shape, second: Shape) -> list[tuple[list[int], list[int]]]:
    """Two shapes with equally many elements, as runs of axes that hold equally many each; without axes of size 1.

    Where it cannot be told how symbolic sizes divide, all that is left is one run.
    """
    mine = [axis for axis, size in enumerate(first) if size != 1]
    theirs = [axis for axis, size in enumerate(second) if size != 1]
    found = []
    while mine and theirs:
        counts = _shortest_match([first[axis] for axis in mine], [second[axis] for axis in theirs])
        found.append((mine[: counts[0]], theirs[: counts[1]]))
        mine, theirs = mine[counts[0] :], theirs[counts[1] :]
    if mine or theirs:  # by a guard, what is left holds one element
        found.append((mine, theirs))
    return found


def substitute(dim: Dim, values: Mapping[str, Dim]) -> Dim:
    """A dim with dims in place of some symbols."""
    if isinstance(dim, int) or not any(name in values for name in dims.symbols([dim])):
        return dim
    total: Dim = 0
    for monomial, factor in dim.terms:
        term: Dim = factor
        for atom, power in monomial:
            for _ in range(power):
                term = term * _substitute_atom(atom, values)
        total = total + term
    return total


def _substitute_atom(atom: Atom, values: Mapping[str, Dim]) -> Dim:
    if atom.kind == "symbol":
        name = str(atom.arguments[0])
        return values[name] if name in values else dims.symbol(name)
    first, second = (substitute(a, values) for a in atom.arguments if not isinstance(a, str))
    return _FUNCTIONS[atom.kind](first, second)


_FUNCTIONS = {"floordiv": dims.floordiv, "mod": dims.mod, "min": dims.minimum, "max": dims.maximum}


def _shortest_match(first: Sequence[Dim], second: Sequence[Dim]) -> tuple[int, int]:
    """How many leading sizes of each have the same product; all, if that cannot be told."""
    sides = (first, second)
    products = [first[0], second[0]]
    used = [1, 1]
    while products[0] != products[1]:
        side = _smaller(*products)
        if side is None and dims.product(first[used[0] :]) == dims.product(second[used[1] :]):
            break  # what follows holds equally many, so a guard says that this does, too
        if side is None or used[side] == len(sides[side]):
            return len(first), len(second)
        products[side] = products[side] * sides[side][used[side]]
        used[side] += 1
    return used[0], used[1]


def _smaller(first: Dim, second: Dim) -> int | None:
    """Which of two products of sizes is the smaller one (0 or 1), as far as that can be told."""
    if isinstance(first, int) and isinstance(second, int):
        return 0 if first < second else 1
    if dims.exact_quotient(second, first) is not None:
        return 0
    return 1 if dims.exact_quotient(first, second) is not None else None


def _divide(dividend: Dim, divisor: Dim) -> tuple[Dim, Dim]:
    """Any quotient and remainder with `dividend == quotient * divisor + remainder`: what divides term by term."""
    if isinstance(dividend, int) and isinstance(divisor, int):
        return divmod(dividend, divisor)
    leading = dims.from_terms(dict(dims.terms(divisor)[:1]))
    whole: Dim = 0
    for monomial, factor in dims.terms(dividend):
        quotient = dims.exact_quotient(dims.from_terms({monomial: factor}), leading)
        whole = whole + (0 if quotient is None else quotient)
    return whole, dividend - whole * divisor


def _rejoin(position: Dim) -> Dim:
    """With `x` in place of `x // d * d + x % d`: what was split and is linear again."""
    while (joined := _rejoin_once(position)) is not None:
        position = joined
    return position


def _rejoin_once(position: Dim) -> Dim | None:
    opaque = _opaque_terms(position)
    if opaque < 2:
        return None
    for monomial, factor in dims.terms(position):
        for atom, _ in monomial:
            if atom.kind != "mod":
                continue
            dividend, divisor = (a for a in atom.arguments if not isinstance(a, str))
            scale = dims.from_terms({tuple(item for item in monomial if item[0] != atom): factor})
            remainder = dividend - dims.floordiv(dividend, divisor) * divisor
            joined = position + (remainder - dims.mod(dividend, divisor)) * scale
            if _opaque_terms(joined) < opaque:
                return joined
    return None


def _opaque_terms(dim: Dim) -> int:
    return sum(any(atom.kind in ("mod", "floordiv") for atom, _ in monomial) for monomial, _ in dims.terms(dim))
