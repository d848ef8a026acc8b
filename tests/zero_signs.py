"""Zeros whose sign `docs/semantics.md` leaves open, for `error_bound`: where they come from, and what they decide.

`minimum`, `maximum`, `relu`, `min` and `max` may give either of −0 and +0 where they choose from both, and a product of
matrices or a `scatter_add` either of them where all terms are −0. Every op that reads such a zero is evaluated with
both signs. Where the answers differ by more than the sign of a zero, as those of a division, it is ambiguous.
"""

import itertools
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

Array = np.ndarray


class Signed(Protocol):
    """An operand.

    Attributes:
        value: its numbers.
        open_signs: the zeros among them whose sign is open; `None` if there are none.
    """

    @property
    def value(self) -> Array: ...

    @property
    def open_signs(self) -> Array | None: ...


class SignDecides(Exception):
    """The sign of a zero that is not specified decides a value."""


def open_signs(
    op: str, value: Array, inputs: Sequence[Signed], attrs: dict[str, Any], evaluate: Callable[[Sequence[Array]], Array]
) -> Array | None:
    """The zeros of a float result whose sign is open, or `None`.

    Args:
        op: the name of the op.
        value: what it computes.
        inputs: its operands.
        attrs: its attributes.
        evaluate: the op on other numbers.

    Raises:
        SignDecides: see there.
    """
    found = _CHOOSE[op](value, [source.value for source in inputs], attrs) if op in _CHOOSE else None
    if any(source.open_signs is not None for source in inputs):
        read = _read(value, inputs, evaluate, elementwise=op not in _COMBINE)
        found = read if found is None else found | read
    return found if found is not None and found.any() else None


def _read(
    value: Array, inputs: Sequence[Signed], evaluate: Callable[[Sequence[Array]], Array], elementwise: bool
) -> Array:
    """What becomes of open zeros: each operand with all of them −0, and with all of them +0."""
    choices = [[s.value] if s.open_signs is None else [_with_sign(s, sign) for sign in (1, -1)] for s in inputs]
    answers = [evaluate(operands) for operands in itertools.product(*choices)]
    first = answers[0]
    if not all(np.array_equal(first, other, equal_nan=True) for other in answers[1:]):
        raise SignDecides
    if not elementwise:  # several of them meet: what all signs alike give is not all that there is
        return np.asarray(value == 0)
    return np.any([np.signbit(first) != np.signbit(other) for other in answers[1:]], axis=0) & (value == 0)


def _with_sign(source: Signed, sign: int) -> Array:
    return np.where(source.open_signs, np.copysign(source.value * 0, sign), source.value)


def _of_two(value: Array, operands: Sequence[Array], attrs: dict[str, Any]) -> Array:
    x, y = operands
    return np.asarray((x == 0) & (y == 0) & (np.signbit(x) != np.signbit(y)))


def _of_minus_zero(value: Array, operands: Sequence[Array], attrs: dict[str, Any]) -> Array:
    (x,) = operands
    return np.asarray((x == 0) & np.signbit(x))


def _of_several(value: Array, operands: Sequence[Array], attrs: dict[str, Any]) -> Array:
    (x,) = operands
    axes = {"axis": attrs["axis"], "keepdims": attrs["keepdims"]}
    minus, plus = (np.any((x == 0) & (np.signbit(x) == sign), **axes) for sign in (True, False))
    return np.asarray((value == 0) & minus & plus)


def _so_far(value: Array, operands: Sequence[Array], attrs: dict[str, Any]) -> Array:
    (x,) = operands
    zeros = ((x == 0) & (np.signbit(x) == sign) for sign in (True, False))
    minus, plus = (np.logical_or.accumulate(found, axis=attrs["axis"]) for found in zeros)
    return np.asarray((value == 0) & minus & plus)


def _of_products(value: Array, operands: Sequence[Array], attrs: dict[str, Any]) -> Array:
    """Of terms that are all zeros, which may all be −0; what cancels is +0."""
    x, y = operands
    some = np.signbit(x).any() or np.signbit(y).any()
    return np.asarray((value == 0) & (np.matmul(np.abs(x), np.abs(y)) == 0) & some)


def _of_updates(value: Array, operands: Sequence[Array], attrs: dict[str, Any]) -> Array:
    """Of several that meet, if some zero is −0."""
    x, _, values = operands
    some = any(((given == 0) & np.signbit(given)).any() for given in (x, values))
    return np.asarray((value == 0) & some)


def _of_addends(value: Array, operands: Sequence[Array], attrs: dict[str, Any]) -> Array:
    return np.asarray((value == 0) & np.signbit(value))


_CHOOSE: dict[str, Callable[[Array, Sequence[Array], dict[str, Any]], Array]] = {
    **dict.fromkeys(("minimum", "maximum"), _of_two),
    **dict.fromkeys(("min", "max"), _of_several),
    **dict.fromkeys(("cumulative_min", "cumulative_max"), _so_far),
    "matmul": _of_products,
    **dict.fromkeys(("scatter_add", "add_along_axis"), _of_addends),
    **dict.fromkeys(("scatter_min", "scatter_max"), _of_updates),
    "relu": _of_minus_zero,
}
_COMBINE = frozenset((
    "cumulative_max", "cumulative_min", "cumulative_prod", "linear_recurrence", "matmul", "max", "min", "prod",
    "add_along_axis", "scatter_add", "scatter_max", "scatter_min", "scatter_multiply",
))  # fmt: skip
"""Ops whose results depend on several elements of one operand. (A sum of zeros is +0 whatever their signs.)"""
