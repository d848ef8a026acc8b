"""Symbolic sizes: canonical integer polynomials, the guards they leave behind, and their evaluation.

A dim is an `int` or a `Poly`. A `Poly` maps monomials (products of powers of atoms) to integer factors; an
atom is a symbol, which stands for a size >= 0, or an opaque `floordiv`, `mod`, `min` or `max` of dims. Equal
polynomials are equal dims.
"""

from __future__ import annotations

import numbers
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, NoReturn, TypeAlias, Union

from graphc.errors import NO_ORIGINS, ArgumentError, Origins, ShapeError, StaticGraphError, unknown_name

Dim: TypeAlias = Union[int, "Poly"]
Shape: TypeAlias = tuple[Dim, ...]
Monomial: TypeAlias = tuple[tuple["Atom", int], ...]


class Atom(NamedTuple):
    """A symbol (`kind == "symbol"`, its name as only argument) or an opaque function of dims."""

    kind: str
    arguments: tuple[str | int | Poly, ...]

    def __str__(self) -> str:
        if self.kind == "symbol":
            return str(self.arguments[0])
        return f"{self.kind}({', '.join(map(str, self.arguments))})"


class Poly:
    """A polynomial that is not a constant. Immutable; make one with `symbol` and arithmetic.

    `+ - * // %` with ints and polynomials give dims; their order is undecided in general, see `at_least`.
    """

    __slots__ = ("_hash", "_text", "terms")

    def __init__(self, terms: tuple[tuple[Monomial, int], ...]) -> None:
        self.terms = terms
        self._hash = hash(terms)
        self._text = ""

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return isinstance(other, Poly) and self._hash == other._hash and self.terms == other.terms

    def __hash__(self) -> int:
        return self._hash

    def _no_value(self, expected: str) -> NoReturn:
        raise StaticGraphError(
            f"the size {self} is not known before the graph runs",
            expected=expected,
            got=f"the symbolic size {self}",
            fix="work on whole axes; gc.dim_value(size) is the size as a tensor; or declare it as a number",
        )

    def __bool__(self) -> NoReturn:
        self._no_value("a size that is either 0 or not")

    def __index__(self) -> NoReturn:
        self._no_value("an int")

    __int__ = __float__ = __index__

    def __truediv__(self, other: object) -> NoReturn:
        self._no_value("// for sizes, which are whole numbers")

    __rtruediv__ = __truediv__

    def __lt__(self, other: object) -> NoReturn:
        self._no_value("two sizes of which one is known to be smaller")

    __le__ = __gt__ = __ge__ = __lt__

    def evaluate(self, sizes: Mapping[str, int] | None = None, /, **more: int) -> int:
        """The value for given sizes of the symbols: `formula.evaluate(batch=3)`.

        Raises:
            UnknownNameError: a symbol has no size, and something else has one.
            ArgumentError: a symbol has no size, or one that is no int >= 0.
        """
        return evaluate(self, named_sizes([self], sizes, more))

    def __str__(self) -> str:
        if not self._text:
            parts = [_term_text(monomial, factor) for monomial, factor in self.terms]
            self._text = " + ".join(parts).replace("+ -", "- ")
        return self._text

    __repr__ = __str__

    def __add__(self, other: Dim) -> Dim:
        if not isinstance(other, _OPERANDS):
            return NotImplemented
        sums = dict(self.terms)
        for monomial, factor in terms(other):
            sums[monomial] = sums.get(monomial, 0) + factor
        return from_terms(sums)

    def __mul__(self, other: Dim) -> Dim:
        if not isinstance(other, _OPERANDS):
            return NotImplemented
        sums: dict[Monomial, int] = {}
        for left, a in self.terms:
            for right, b in terms(other):
                product = _times(left, right)
                sums[product] = sums.get(product, 0) + a * b
        return from_terms(sums)

    __radd__ = __add__
    __rmul__ = __mul__

    def __neg__(self) -> Dim:
        return self * -1

    def __sub__(self, other: Dim) -> Dim:
        return self + other * -1

    def __rsub__(self, other: Dim) -> Dim:
        return self * -1 + other

    def __floordiv__(self, other: Dim) -> Dim:
        if not isinstance(other, _OPERANDS):
            return NotImplemented
        return floordiv(self, other)

    def __rfloordiv__(self, other: Dim) -> Dim:
        if not isinstance(other, _OPERANDS):
            return NotImplemented
        return floordiv(other, self)

    def __mod__(self, other: Dim) -> Dim:
        if not isinstance(other, _OPERANDS):
            return NotImplemented
        return mod(self, other)

    def __rmod__(self, other: Dim) -> Dim:
        if not isinstance(other, _OPERANDS):
            return NotImplemented
        return mod(other, self)


# A float would be truncated in silence, and a tensor asked for its value.
_OPERANDS: tuple[type, ...] = (int, Poly, numbers.Integral)


def symbol(name: str) -> Poly:
    """The dim that stands for the size called `name`."""
    return Poly((((((Atom("symbol", (name,)), 1),)), 1),))


def _opaque(kind: str, *arguments: Dim) -> Poly:
    return Poly(((((Atom(kind, arguments), 1),), 1),))


def terms(dim: Dim) -> tuple[tuple[Monomial, int], ...]:
    """The monomials of a dim and their factors; that of a constant is `()`."""
    if isinstance(dim, Poly):
        return dim.terms
    return (((), int(dim)),) if dim else ()


def from_terms(sums: Mapping[Monomial, int]) -> Dim:
    """The dim with these factors, in canonical form."""
    kept = {monomial: factor for monomial, factor in sums.items() if factor}
    if not kept:
        return 0
    if len(kept) == 1 and () in kept:
        return kept[()]
    # Higher degrees first, the constant last; by name inside a degree.
    order = sorted(kept, key=lambda monomial: (-sum(power for _, power in monomial), _term_text(monomial, 1)))
    return Poly(tuple((monomial, kept[monomial]) for monomial in order))


def _times(left: Monomial, right: Monomial) -> Monomial:
    powers = dict(left)
    for atom, power in right:
        powers[atom] = powers.get(atom, 0) + power
    return tuple(sorted(powers.items(), key=lambda item: str(item[0])))


def _term_text(monomial: Monomial, factor: int) -> str:
    atoms = [str(atom) if power == 1 else f"{atom}^{power}" for atom, power in monomial]
    if factor == -1 and atoms:
        return "-" + "*".join(atoms)
    return "*".join(([str(factor)] if factor != 1 or not atoms else []) + atoms)


def product(dims: Iterable[Dim]) -> Dim:
    """The product of some dims, 1 for none."""
    result: Dim = 1
    for dim in dims:
        result = result * dim
    return result


def exact_quotient(dividend: Dim, divisor: Dim) -> Dim | None:
    """The polynomial `q` with `dividend == q * divisor`, where the divisor is one term; else `None`."""
    divisor_terms = terms(divisor)
    if len(divisor_terms) != 1:
        return 1 if divisor_terms and dividend == divisor else None
    monomial, factor = divisor_terms[0]
    quotient: dict[Monomial, int] = {}
    for term, coefficient in terms(dividend):
        powers = dict(term)
        for atom, power in monomial:
            powers[atom] = powers.get(atom, 0) - power
        if coefficient % factor or min(powers.values(), default=0) < 0:
            return None
        quotient[tuple(item for item in powers.items() if item[1])] = coefficient // factor
    return from_terms(quotient)


def floordiv(dividend: Dim, divisor: Dim) -> Dim:
    """`dividend // divisor`, exact where the polynomial division has no remainder."""
    if isinstance(dividend, int) and isinstance(divisor, int):
        return dividend // divisor
    exact = exact_quotient(dividend, divisor)
    return _opaque("floordiv", dividend, divisor) if exact is None else exact


def mod(dividend: Dim, divisor: Dim) -> Dim:
    """`dividend % divisor`."""
    if isinstance(dividend, int) and isinstance(divisor, int):
        return dividend % divisor
    return 0 if exact_quotient(dividend, divisor) is not None else _opaque("mod", dividend, divisor)


def minimum(first: Dim, second: Dim) -> Dim:
    """The smaller of two dims."""
    if at_least(second, first):
        return first
    return second if at_least(first, second) else _opaque("min", *sorted((first, second), key=str))


def maximum(first: Dim, second: Dim) -> Dim:
    """The larger of two dims."""
    if at_least(first, second):
        return first
    return second if at_least(second, first) else _opaque("max", *sorted((first, second), key=str))


def at_least(larger: Dim, smaller: Dim) -> bool:
    """Whether `larger >= smaller` holds for all sizes; False when it does not or is not known."""
    return _lower_bound_is_nonnegative(larger - smaller)


def _lower_bound_is_nonnegative(dim: Dim) -> bool:
    return all(factor >= 0 and is_nonnegative(monomial) for monomial, factor in terms(dim))


def is_nonnegative(monomial: Monomial) -> bool:
    """Whether a monomial is at least 0 for all sizes, as far as its atoms tell."""
    return all(_atom_is_nonnegative(atom) for atom, _ in monomial)


def _atom_is_nonnegative(atom: Atom) -> bool:
    if atom.kind == "symbol":
        return True
    parts = [_lower_bound_is_nonnegative(a) for a in atom.arguments if not isinstance(a, str)]
    if atom.kind == "mod":
        return parts[1]  # the result has the sign of the divisor
    return any(parts) if atom.kind == "max" else all(parts)


def symbols(dims: Iterable[Dim]) -> tuple[str, ...]:
    """The names of the symbols in some dims, in order of appearance."""
    found: dict[str, None] = {}
    pending = list(dims)[::-1]
    while pending:
        dim = pending.pop()
        for monomial, _ in terms(dim):
            for atom, _power in monomial:
                if atom.kind == "symbol":
                    found[str(atom.arguments[0])] = None
                else:
                    pending.extend(a for a in atom.arguments if not isinstance(a, str))
    return tuple(found)


def symbol_name(dim: Dim) -> str | None:
    """The name of the symbol that a dim consists of, or `None` if it is anything else."""
    if isinstance(dim, Poly) and len(dim.terms) == 1:
        monomial, factor = dim.terms[0]
        if factor == 1 and len(monomial) == 1 and monomial[0][1] == 1 and monomial[0][0].kind == "symbol":
            return str(monomial[0][0].arguments[0])
    return None


_EVALUATE: dict[str, Callable[[int, int], int]] = {
    "floordiv": lambda a, b: a // b,
    "mod": lambda a, b: a % b,
    "min": min,
    "max": max,
}


def evaluate(dim: Dim, sizes: Mapping[str, int]) -> int:
    """The value of a dim for given sizes of its symbols.

    Raises:
        KeyError: a symbol has no size.
    """
    if isinstance(dim, int):
        return dim
    total = 0
    for monomial, factor in dim.terms:
        for atom, power in monomial:
            factor *= _evaluate_atom(atom, sizes) ** power
        total += factor
    return total


def named_sizes(formulas: Iterable[Dim], sizes: object, more: Mapping[str, object]) -> dict[str, int]:
    """The sizes that a user gives for the symbols of some formulas; those of other symbols are dropped.

    Raises:
        UnknownNameError: a symbol has no size, and something else has one.
        ArgumentError: a symbol has no size, or one that is no int >= 0.
    """
    needed = symbols(formulas)
    example = "formula.evaluate(" + ", ".join(f"{name}=32" for name in needed) + ")"
    if sizes is not None and not isinstance(sizes, Mapping):
        raise ArgumentError(
            "sizes are given by name", expected=", ".join(needed) or "nothing", got=repr(sizes), fix=example
        )
    given = {**(sizes or {}), **more}
    for name in needed:
        if name in given:
            continue
        for other in given:
            if other not in needed:
                raise unknown_name("symbolic size", other, needed)
        raise ArgumentError(
            f"the size {name!r} is not given",
            expected="a size for each of: " + ", ".join(needed),
            got="sizes for " + (", ".join(given) or "nothing"),
            fix=example,
        )
    return {name: _size_value(name, given[name]) for name in needed}


def _size_value(name: str, value: object) -> int:
    if isinstance(value, (int, numbers.Integral)) and not isinstance(value, bool) and int(value) >= 0:
        return int(value)
    raise ArgumentError(
        f"this cannot be the size {name!r}", expected="an int >= 0", got=repr(value), fix=f"{name}=32, for example"
    )


def _evaluate_atom(atom: Atom, sizes: Mapping[str, int]) -> int:
    first = atom.arguments[0]
    if isinstance(first, str):
        return sizes[first]
    second = atom.arguments[1]
    assert not isinstance(second, str)
    return _EVALUATE[atom.kind](evaluate(first, sizes), evaluate(second, sizes))


class Guard(NamedTuple):
    """What the builder took for granted: `left relation right`, with relation `==` or `>=`.

    `fix` says how the user's line can be changed so that it need not hold.
    """

    left: Dim
    relation: str
    right: Dim
    reason: str
    origins: Origins = NO_ORIGINS
    fix: str | None = None

    def holds(self, sizes: Mapping[str, int]) -> bool:
        """Whether the guard is true for these sizes."""
        left, right = evaluate(self.left, sizes), evaluate(self.right, sizes)
        return left == right if self.relation == "==" else left >= right

    def __str__(self) -> str:
        return f"{self.left} {self.relation} {self.right}"


class _Pending(threading.local):
    def __init__(self) -> None:
        self.guards: list[Guard] = []


_pending = _Pending()


def take_guards(origins: Origins) -> tuple[Guard, ...]:
    """The guards recorded since the last call on this thread; `ir.apply` moves them onto the new node."""
    if not _pending.guards:
        return ()
    taken = tuple(guard._replace(origins=origins) for guard in _pending.guards)
    _pending.guards.clear()
    return taken


def require_equal(
    left: Dim, right: Dim, reason: str, *, expected: str = "equal sizes, not {left} and {right}", fix: str | None = None
) -> Dim:
    """Holds two dims for equal: returns the plainer of them, leaves a guard where that is undecided.

    Raises:
        ShapeError: they differ for sure.
    """
    if left == right:
        return left
    if isinstance(left - right, int):
        raise ShapeError(reason, expected=expected.format(left=left, right=right), fix=fix)
    _pending.guards.append(Guard(left, "==", right, reason, fix=fix))
    return right if isinstance(right, int) else left


def require_at_least(larger: Dim, smaller: Dim, reason: str, *, fix: str | None = None) -> None:
    """Holds `larger >= smaller` for true, and leaves a guard where that is undecided.

    Raises:
        ShapeError: it is false for sure.
    """
    if at_least(larger, smaller):
        return
    if isinstance(larger - smaller, int):
        raise ShapeError(reason, expected=f"a size of at least {smaller}, not {larger}", fix=fix)
    _pending.guards.append(Guard(larger, ">=", smaller, reason))


def broadcast(shapes: Sequence[Shape]) -> Shape:
    """The shape to which some shapes broadcast. A symbol never broadcasts as 1.

    Raises:
        ShapeError: they do not broadcast.
    """
    first = shapes[0]
    if all(shape == first for shape in shapes):
        return first
    rank = max(map(len, shapes))
    result: list[Dim] = []
    for axis in range(-rank, 0):
        size: Dim = 1
        for shape in shapes:
            if len(shape) < -axis or shape[axis] == 1:
                continue
            if size == 1:
                size = shape[axis]
            elif size != shape[axis]:
                size = _require_broadcast(size, shape[axis], shapes)
        result.append(size)
    return tuple(result)


def _require_broadcast(left: Dim, right: Dim, shapes: Sequence[Shape]) -> Dim:
    distinct = sorted(dict.fromkeys(shapes), key=len)
    short, long = distinct[0], distinct[-1]
    missing = len(long) - len(short)
    if missing and short == long[: len(short)]:  # sizes are compared from the last axis on
        fix = f"let axes follow: gc.expand_dims(…, {tuple(range(-missing, 0)) if missing > 1 else -1})"
    else:
        fix = "give one of them another shape: gc.expand_dims adds axes, gc.reshape and slices change sizes"
    return require_equal(
        left,
        right,
        "the shapes " + " and ".join(map(shape_text, dict.fromkeys(shapes))) + " do not broadcast",
        expected="sizes that are equal or 1 on each axis, counted from the last; not {left} and {right}",
        fix=fix,
    )


def shape_text(shape: Shape) -> str:
    """A shape as a user writes it, for example `(batch, 64)`."""
    return "(" + ", ".join(map(str, shape)) + (",)" if len(shape) == 1 else ")")
