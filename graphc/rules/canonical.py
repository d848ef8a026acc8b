"""Canonical form: one way of writing what can be written in several, so that later rules and CSE see it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from graphc.ir.dims import Dim, Shape
from graphc.ir.opdef import OPS
from graphc.ir.tensor import Tensor, apply
from graphc.ops.arithmetic import add, multiply, negative, subtract
from graphc.ops.comparison import less, less_equal
from graphc.ops.define import constant_node
from graphc.ops.layout import broadcast_to, permute_dims, reshape
from graphc.ops.slicing import SLICE
from graphc.rules.engine import Rule
from graphc.rules.pattern import Match, Op, Scalar, Wildcard, scalar_value

_x, _y = Wildcard("x"), Wildcard("y")


def _scalar_like(node: Tensor, value: float) -> Tensor:
    return constant_node(np.asarray(value, node.dtype.numpy))


def _is_unsorted(node: Tensor) -> bool:
    """Constants come last. The order of the others does not matter: keys and patterns do not look at it."""
    first, second = node.inputs
    return _is_constant(first) and not _is_constant(second)


def _is_constant(node: Tensor) -> bool:
    return node.op.name == "constant" or scalar_value(node) is not None


def _sort_rules() -> tuple[Rule, ...]:
    names = sorted(op.name for op in OPS.values() if op.commutes)
    return tuple(
        Rule(
            f"sort_{name}",
            "exact",
            f"{name}(c, x) = {name}(x, c), if only c is a constant",
            Op(name, _x, _y),
            lambda m: apply(m.root.op, m.root.inputs[::-1]),
            precheck=_is_unsorted,
        )
        for name in names
    )


def _subtract_constant(m: Match) -> Tensor | None:
    if m.root.dtype.kind != "float":
        return None
    return add(m.x, _scalar_like(m.root, -m.c))


def _divide_by_power_of_two(m: Match) -> Tensor | None:
    mantissa, exponent = math.frexp(m.c)
    limit = 120 if m.root.dtype.bits == 32 else 1000
    if abs(mantissa) != 0.5 or abs(exponent) > limit:
        return None
    return multiply(m.x, _scalar_like(m.root, 1.0 / float(m.c)))


def _merge_permutations(m: Match) -> Tensor:
    inner = m.inner.attrs["axes"]
    return permute_dims(m.x, [inner[axis] for axis in m.root.attrs["axes"]])


def _merge_slices(m: Match) -> Tensor | None:
    inner, outer = m.inner.attrs, m.root.attrs
    starts = [s + o * k for s, o, k in zip(inner["starts"], outer["starts"], inner["steps"], strict=True)]
    steps = [a * b for a, b in zip(inner["steps"], outer["steps"], strict=True)]
    return apply(SLICE, (m.x,), starts=tuple(starts), lengths=outer["lengths"], steps=tuple(steps))


def _drop_full_slice(m: Match) -> Tensor | None:
    attrs, shape = m.root.attrs, m.x.shape
    zeros, ones = (0,) * len(shape), (1,) * len(shape)
    same = attrs["starts"] == zeros and attrs["steps"] == ones and attrs["lengths"] == shape
    return m.x if same else None


def _reads_broadcast(node: Tensor) -> bool:
    return "broadcast_to" in [source.op.name for source in node.inputs]


def _broadcast_implied(m: Match) -> Tensor | None:
    """Elementwise ops broadcast by themselves: none need be expanded if another has the full shape."""
    new = list(m.root.inputs)
    for position, source in enumerate(m.root.inputs):
        if source.op.name != "broadcast_to" or source in m.opaque:
            continue
        new[position] = source.inputs[0]
        if not _broadcast_to_shape(new, m.root.shape):
            new[position] = source
    if all(a is b for a, b in zip(new, m.root.inputs, strict=True)):
        return None
    return apply(m.root.op, new, **m.root.attrs)


def _broadcast_to_shape(operands: Sequence[Tensor], shape: Shape) -> bool:
    """Whether operands have that shape in common, without a guard."""
    sizes: list[set[Dim]] = [set() for _ in shape]
    for operand in operands:
        for axis in range(-operand.ndim, 0):
            sizes[axis].add(operand.shape[axis])
    return max(operand.ndim for operand in operands) == len(shape) and all(
        found - {1} == {size} - {1} for found, size in zip(sizes, shape, strict=True)
    )


def _implied_rules() -> tuple[Rule, ...]:
    names = (
        "add",
        "subtract",
        "multiply",
        "divide",
        "minimum",
        "maximum",
        "equal",
        "less",
        "less_equal",
        "pow",
    )
    identity = "f(x, broadcast(y)) = f(x, y) if x has the shape of the result"
    return tuple(
        Rule(
            f"implied_broadcast_{name}",
            "exact",
            identity,
            Op(name, _x, _y),
            _broadcast_implied,
            precheck=_reads_broadcast,
        )
        for name in names
    )


CANONICAL: tuple[Rule, ...] = (
    *_sort_rules(),
    *_implied_rules(),
    Rule(
        "subtract_constant",
        "exact",
        "x - c = x + (-c), for floats",
        Op("subtract", _x, Scalar(name="c")),
        _subtract_constant,
    ),
    Rule(
        "divide_by_power_of_two",
        "exact",
        "x / 2^k = x · 2^-k, both correctly rounded, if 2^-k is a normal number",
        Op("divide", _x, Scalar(name="c")),
        _divide_by_power_of_two,
    ),
    Rule("greater_as_less", "exact", "x > y ⟺ y < x", Op("greater", _x, _y), lambda m: less(m.y, m.x)),
    Rule(
        "greater_equal_as_less_equal",
        "exact",
        "x >= y ⟺ y <= x",
        Op("greater_equal", _x, _y),
        lambda m: less_equal(m.y, m.x),
    ),
    Rule(
        "double_negative",
        "exact",
        "-(-x) = x",
        Op("negative", Op("negative", _x)),
        lambda m: m.x,
        complex_too=True,
    ),
    Rule(
        "multiply_minus_one",
        "exact",
        "x · (-1) = -x",
        Op("multiply", _x, Scalar(-1.0)),
        lambda m: negative(m.x),
    ),
    Rule(
        "subtract_negative",
        "exact",
        "x - (-y) = x + y",
        Op("subtract", _x, Op("negative", _y)),
        lambda m: add(m.x, m.y),
        complex_too=True,
    ),
    Rule(
        "add_negative",
        "exact",
        "x + (-y) = x - y",
        Op("add", _x, Op("negative", _y)),
        lambda m: subtract(m.x, m.y),
        complex_too=True,
    ),
    Rule(
        "negated_factor",
        "exact",
        "(-x) · y = -(x · y)",
        Op("multiply", Op("negative", _x), _y),
        lambda m: negative(multiply(m.x, m.y)),
    ),
    Rule(
        "merge_reshapes",
        "exact",
        "a reshape of a reshape is one reshape",
        Op("reshape", Op("reshape", _x)),
        lambda m: reshape(m.x, m.root.shape),
        complex_too=True,
    ),
    Rule(
        "merge_permutations",
        "exact",
        "a permutation of a permutation is one permutation",
        Op("permute_dims", Op("permute_dims", _x, name="inner")),
        _merge_permutations,
        complex_too=True,
    ),
    Rule(
        "merge_broadcasts",
        "exact",
        "a broadcast of a broadcast is one broadcast",
        Op("broadcast_to", Op("broadcast_to", _x)),
        lambda m: broadcast_to(m.x, m.root.shape),
        complex_too=True,
    ),
    Rule(
        "merge_slices",
        "exact",
        "a slice of a slice is one slice",
        Op("slice", Op("slice", _x, name="inner")),
        _merge_slices,
        complex_too=True,
    ),
    Rule(
        "drop_slice",
        "exact",
        "the slice of everything is x",
        Op("slice", _x),
        _drop_full_slice,
        complex_too=True,
    ),
)
