"""Dims: canonical polynomials against brute force over sizes, guards, broadcasting, and their text."""

import itertools
import random
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from graphc import ops
from graphc.errors import (
    NO_ORIGINS,
    ArgumentError,
    GraphcError,
    OutOfRangeError,
    ShapeError,
    StaticGraphError,
    UnknownNameError,
)
from graphc.ir import dims
from graphc.ir.dims import Dim, Poly, symbol
from graphc.ir.dtype import float32
from graphc.ir.graph import Graph
from graphc.ir.tensor import Tensor, apply
from graphc.ir.text import parse_dim
from graphc.ops.arithmetic import add
from graphc.ops.layout import broadcast_to, concat, reshape
from graphc.ops.reductions import max as reduce_max
from graphc.ops.sources import PLACEHOLDER

A, B, C = symbol("a"), symbol("b"), symbol("c")
SIZES = [dict(zip("abc", sizes, strict=True)) for sizes in itertools.product((0, 1, 2, 5, 13), repeat=3)]

_BINARY: dict[str, tuple[Callable[[Dim, Dim], Dim], Callable[[int, int], int]]] = {
    "+": (lambda x, y: x + y, lambda x, y: x + y),
    "-": (lambda x, y: x - y, lambda x, y: x - y),
    "*": (lambda x, y: x * y, lambda x, y: x * y),
    "min": (dims.minimum, min),
    "max": (dims.maximum, max),
    "floordiv": (dims.floordiv, lambda x, y: x // y),
    "mod": (dims.mod, lambda x, y: x % y),
}


class Expression:
    """A dim beside the plain function that it stands for; `None` where that divides by zero."""

    def __init__(self, dim: Dim, value: Callable[[dict[str, int]], int | None]) -> None:
        self.dim = dim
        self.value = value


def combined(name: str, left: Expression, right: Expression) -> Expression:
    symbolic, plain = _BINARY[name]

    def value(sizes: dict[str, int]) -> int | None:
        x, y = left.value(sizes), right.value(sizes)
        return None if x is None or y is None or (name in ("floordiv", "mod") and y == 0) else plain(x, y)

    return Expression(symbolic(left.dim, right.dim), value)


def random_expression(rng: random.Random, depth: int) -> Expression:
    if depth == 0 or rng.random() < 0.1:
        if rng.random() < 0.4:
            number = rng.randint(-4, 6)
            return Expression(number, lambda sizes: number)
        name = rng.choice("abc")
        return Expression(symbol(name), lambda sizes: sizes[name])
    while True:
        operation = rng.choice(["+", "+", "-", "*", "*", "min", "max", "floordiv", "mod"])
        left, right = random_expression(rng, depth - 1), random_expression(rng, depth - 1)
        if operation not in ("floordiv", "mod") or right.dim != 0:
            return combined(operation, left, right)


def expressions(count: int, depth: int = 3, seed: int = 0) -> Iterator[Expression]:
    rng = random.Random(seed)
    return (random_expression(rng, depth) for _ in range(count))


def evaluated(dim: Dim, sizes: dict[str, int]) -> int | None:
    try:
        return dims.evaluate(dim, sizes)
    except ZeroDivisionError:
        return None


# --- polynomials -------------------------------------------------------------------------------------------


def test_arithmetic_is_what_it_is_on_numbers() -> None:
    for expression in expressions(1500):
        for sizes in SIZES[::7]:
            wanted = expression.value(sizes)
            if wanted is not None:
                found = evaluated(expression.dim, sizes)
                assert found == wanted, f"{expression.dim} for {sizes}"


def test_laws_of_rings_hold_as_equality() -> None:
    found = [expression.dim for expression in expressions(300, depth=2, seed=1)]
    for x, y, z in zip(found[::3], found[1::3], found[2::3], strict=True):
        for left, right in [
            (x + y, y + x),
            (x * y, y * x),
            ((x + y) + z, x + (y + z)),
            ((x * y) * z, x * (y * z)),
            (x * (y + z), x * y + x * z),
            (x - y, -(y - x)),
            (x + y - y, x),
            (x - x, 0),
            (x * 0, 0),
            (x * 1, x),
            ((x + y) * (x - y), x * x - y * y),
        ]:
            assert left == right
            assert hash(left) == hash(right)
            assert str(left) == str(right)


def test_equal_polynomials_evaluate_equal_and_constant_differences_do_not() -> None:
    found = list(expressions(400, depth=2, seed=2))
    by_dim: dict[Dim, Expression] = {}
    for expression in found:
        other = by_dim.setdefault(expression.dim, expression)
        for sizes in SIZES[::5]:
            one, two = expression.value(sizes), other.value(sizes)
            assert one == two or one is None or two is None
    for one, two in itertools.pairwise(found):
        if isinstance(one.dim - two.dim, int) and one.dim != two.dim:
            for sizes in SIZES[::5]:
                assert one.value(sizes) != two.value(sizes)


def test_constants_become_ints() -> None:
    assert type(A - A + 3) is int
    assert type(A * 0) is int
    assert isinstance(A + 0, Poly)
    assert A + np.int64(2) == A + 2
    assert type(dims.evaluate((A + np.int64(2)) * np.int64(3), {"a": 1})) is int


def test_a_symbol_is_not_an_int_and_has_no_truth() -> None:
    assert A != 1
    assert A != B
    asking: list[Callable[[], object]] = [
        lambda: bool(A), lambda: int(A), lambda: float(A), lambda: range(A), lambda: [1, 2][A], lambda: max(A, B),
        lambda: A < 3, lambda: A <= 3, lambda: A > 3, lambda: A >= 3, lambda: A / 2, lambda: 2 / A,
        lambda: np.zeros((A, 2)),
    ]  # fmt: skip
    for ask in asking:
        with pytest.raises(StaticGraphError, match="not known before the graph runs"):
            ask()


@pytest.mark.parametrize("operation", ["+", "-", "*", "/", "//", "%"])
@pytest.mark.parametrize("other", [0.5, "b", None])
def test_other_operands_are_refused_and_not_truncated(operation: str, other: object) -> None:
    for text in (f"a {operation} other", f"other {operation} a"):
        if operation == "%" and isinstance(other, str) and text.startswith("other"):
            continue  # Python formats the string
        with pytest.raises(TypeError):
            eval(text, {"a": A, "other": other})


def test_text_is_canonical() -> None:
    assert str(1 + 2 * A * A - B) == "2*a^2 - b + 1"
    assert str(dims.floordiv(A + 1, 2) * B) == "b*floordiv(a + 1, 2)"
    assert dims.shape_text((A,)) == "(a,)"
    assert dims.shape_text((A, 64)) == "(a, 64)"


def test_text_reads_back() -> None:
    for expression in expressions(800, seed=3):
        assert parse_dim(str(expression.dim)) == expression.dim


def test_symbols_in_order_of_appearance() -> None:
    assert dims.symbols([B * 2, dims.floordiv(A + C, 3), 4]) == ("b", "a", "c")
    assert dims.symbol_name(A) == "a"
    for dim in (3, 2 * A, A + 1, A * B, A * A, dims.floordiv(A, 2)):
        assert dims.symbol_name(dim) is None


def test_evaluate_needs_every_symbol() -> None:
    with pytest.raises(KeyError):
        dims.evaluate(A + B, {"a": 1})


# --- division, order ---------------------------------------------------------------------------------------


def test_exact_quotient_multiplies_back() -> None:
    found = [expression.dim for expression in expressions(600, depth=2, seed=4)]
    hits = 0
    for x, y in itertools.pairwise(found):
        for dividend, divisor in ((x, y), (x * y, y)):
            quotient = dims.exact_quotient(dividend, divisor)
            if quotient is not None:
                hits += 1
                assert quotient * divisor == dividend
    assert hits > 100


def test_division_by_one_term_is_exact() -> None:
    assert dims.floordiv(6 * A * B + 4 * A, 2 * A) == 3 * B + 2
    assert dims.mod(6 * A * B + 4 * A, 2 * A) == 0
    assert dims.floordiv(A + B, A + B) == 1
    assert dims.floordiv(A * A, A) == A
    assert dims.floordiv(0, A) == 0
    assert dims.exact_quotient(A, 2) is None
    assert dims.exact_quotient(A, B) is None
    assert dims.exact_quotient(A, 0) is None
    assert dims.exact_quotient(A + 1, A) is None


def test_at_least_never_claims_what_is_false() -> None:
    found = list(expressions(1500, seed=5))
    claims = 0
    for one, two in itertools.pairwise(found):
        for x, y in ((one, two), (combined("max", one, two), one), (combined("+", one, one), one)):
            if not dims.at_least(x.dim, y.dim):
                continue
            claims += 1
            for sizes in SIZES:
                big, small = x.value(sizes), y.value(sizes)
                assert big is None or small is None or big >= small, f"{x.dim} >= {y.dim} for {sizes}"
    assert claims > 200


@pytest.mark.parametrize(
    ("larger", "smaller", "known"),
    [
        (A, 0, True),
        (A + 1, 1, True),
        (A * B + 3, 3, True),
        (2 * A, A, True),
        (A, 1, False),
        (A, B, False),
        (A * B, A, False),
        (dims.mod(A, 3), 0, True),
        (dims.mod(A, -3), 0, False),
        (dims.mod(A, B - 3), 0, False),
        (dims.floordiv(A, 2), 0, True),
        (dims.floordiv(A, -2), 0, False),
        (dims.maximum(A - 3, 0), 0, True),
        (dims.minimum(A - 3, 0), 0, False),
        (dims.minimum(A, B), 0, True),
        (3, 3, True),
        (2, 3, False),
    ],
)
def test_at_least_by_hand(larger: Dim, smaller: Dim, known: bool) -> None:
    assert dims.at_least(larger, smaller) is known


def test_extremes_that_are_decided() -> None:
    assert dims.minimum(A, A + 2) == A
    assert dims.maximum(A, A + 2) == A + 2
    assert dims.minimum(A, B) == dims.minimum(B, A)
    assert dims.maximum(0, A) == A
    assert dims.minimum(3, 5) == 3


# --- guards ------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _no_guard_is_left() -> Iterator[None]:
    dims.take_guards(NO_ORIGINS)
    yield
    assert dims.take_guards(NO_ORIGINS) == ()


def placeholder(*shape: Dim, name: str = "x") -> Tensor:
    return apply(PLACEHOLDER, (), name=name, dtype=float32, shape=shape)


def test_require_equal() -> None:
    assert dims.require_equal(A + 1, A + 1, "same") == A + 1
    assert dims.take_guards(NO_ORIGINS) == ()
    with pytest.raises(ShapeError, match="they differ") as caught:
        dims.require_equal(A, A + 2, "they differ")
    assert "equal sizes, not a and a + 2" in str(caught.value)
    assert dims.require_equal(A, 3, "undecided") == 3
    assert dims.require_equal(3, A, "undecided") == 3
    assert dims.require_equal(A, B, "undecided") == A
    guards = dims.take_guards(NO_ORIGINS)
    assert [str(guard) for guard in guards] == ["a == 3", "3 == a", "a == b"]
    assert guards[2].holds({"a": 2, "b": 2})
    assert not guards[2].holds({"a": 2, "b": 3})


def test_require_at_least() -> None:
    dims.require_at_least(A + 1, 1, "fine")
    assert dims.take_guards(NO_ORIGINS) == ()
    with pytest.raises(ShapeError, match="never"):
        dims.require_at_least(A, A + 1, "never")
    dims.require_at_least(A, 1, "undecided")
    (guard,) = dims.take_guards(NO_ORIGINS)
    assert str(guard) == "a >= 1"
    assert guard.holds({"a": 1})
    assert not guard.holds({"a": 0})


def test_apply_moves_guards_onto_the_node_with_the_users_line() -> None:
    node = add(placeholder(A, name="x"), placeholder(B, name="y"))
    (guard,) = node.guards
    assert (guard.left, guard.relation, guard.right) == (A, "==", B)
    assert guard.origins == node.origins
    assert guard.origins.lines[0].file == __file__
    assert add(node, node).guards == ()


def test_indexing_leaves_guards_on_its_node() -> None:
    x = placeholder(A)
    for node, guard in ((x[2], "a >= 3"), (x[-2], "a >= 2"), (reduce_max(x), "a >= 1")):
        assert [str(found) for found in Graph([x], [node]).guards] == [guard]


def test_no_guard_outlives_an_error() -> None:
    matrix = placeholder(A, 3)
    wrong: list[Callable[[], object]] = [
        lambda: matrix[0, 5],
        lambda: matrix[0, "a"],
        lambda: matrix[1, 1.5],
        lambda: add(placeholder(A, 3), placeholder(B, 4)),
        lambda: concat([placeholder(A, 3), placeholder(B, 4)], axis=1)[..., 99],
        lambda: reshape(matrix, (B, 2)) @ placeholder(3, 3),
        lambda: apply(ops.reductions.MAX, (matrix,), axis=(0, 7), keepdims=False),
    ]
    for build in wrong:
        with pytest.raises((GraphcError, IndexError)):
            build()
        assert placeholder(4).guards == ()


def test_an_index_that_is_out_of_range_says_so() -> None:
    with pytest.raises(OutOfRangeError, match="index 5 is out of range"):
        placeholder(A, 3)[0, 5]


# --- broadcasting ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shapes", "wanted", "guards"),
    [
        ([(A, 3), (3,)], (A, 3), []),
        ([(A, 1), (1, B)], (A, B), []),
        ([(A,), ()], (A,), []),
        ([(1,), (0,)], (0,), []),
        ([(A,), (B,)], (A,), ["a == b"]),
        ([(A,), (5,)], (5,), ["a == 5"]),
        ([(5,), (A,)], (5,), ["5 == a"]),
        ([(A,), (B,), (4,)], (4,), ["a == b", "a == 4"]),
        ([(A + 1,), (A + 1,), (1,)], (A + 1,), []),
    ],
)
def test_broadcast(shapes: list[dims.Shape], wanted: dims.Shape, guards: list[str]) -> None:
    assert dims.broadcast(shapes) == wanted
    assert [str(guard) for guard in dims.take_guards(NO_ORIGINS)] == guards


def test_broadcast_is_numpys_for_numbers() -> None:
    rng = random.Random(6)
    for _ in range(500):
        shapes = [tuple(rng.choice((0, 1, 1, 2, 3)) for _ in range(rng.randint(0, 3))) for _ in range(3)]
        try:
            wanted = np.broadcast_shapes(*shapes)
        except ValueError:
            with pytest.raises(ShapeError, match="do not broadcast"):
                dims.broadcast(shapes)
        else:
            assert dims.broadcast(shapes) == wanted


def test_a_symbol_never_broadcasts_as_one() -> None:
    node = add(placeholder(A), placeholder(7))
    assert node.shape == (7,)
    assert not node.guards[0].holds({"a": 1})
    expanded = broadcast_to(placeholder(A), (B,))
    assert not expanded.guards[0].holds({"a": 1, "b": 4})


def test_formulas_are_evaluated_by_name() -> None:
    """Also where a symbol is called as a parameter of `evaluate` is."""
    n, own, sizes = dims.symbol("n"), dims.symbol("self"), dims.symbol("sizes")
    formula = n * n + own // 2 + sizes
    assert isinstance(formula, dims.Poly)
    assert formula.evaluate({"n": 3, "unused": 1}, self=5, sizes=np.int32(7)) == 9 + 2 + 7
    for wrong in ({"n": 3}, {"n": True, "self": 1, "sizes": 1}, {"n": 3.0, "self": 1, "sizes": 1}):
        with pytest.raises(ArgumentError):
            formula.evaluate(wrong)
    with pytest.raises(UnknownNameError, match="named 'slf'"):
        formula.evaluate(n=3, slf=1, sizes=1)
