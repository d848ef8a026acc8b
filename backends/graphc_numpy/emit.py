"""How each op is written as calls of NumPy functions with `out=`: a table from op to lines."""

from __future__ import annotations

import operator
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

import graphc.ops  # noqa: F401  fills the op table
from graphc.ir.opdef import OPS, Kind, OpDef
from graphc.ir.types import TensorType
from graphc.ops.fused import FUSED_OPS
from graphc.ops.random.streams import STREAMS
from graphc.plan.data import Step

from . import kernels, ordering


class Line(NamedTuple):
    """One call: a function by name, and the arguments as expressions."""

    function: str
    arguments: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.function}({', '.join(self.arguments)})"

    def as_partial(self) -> str:
        """The same call, prepared for later."""
        return f"partial({', '.join((self.function, *self.arguments))})"


class Operands(NamedTuple):
    """What a row of the table gets: names and types of the inputs, name of the output, naming of the rest, which
    inputs are the constant +0, and names of further outputs."""

    inputs: Sequence[str]
    types: Sequence[TensorType]
    output: str
    attr: Callable[[str], str]
    origins: Callable[[], str]
    bound: Callable[[Any, str], str]
    is_zero: Callable[[int], bool] = lambda position: False
    others: Sequence[str] = ()


Row = Callable[[Step, Operands], list[Line]]


def _is_ufunc(op: OpDef) -> bool:
    """Whether an op is one function of NumPy that takes `out=`."""
    return isinstance(op.array_fn, str) and isinstance(getattr(np, op.array_fn, None), np.ufunc)


UFUNCS = {
    **{op.name: str(op.array_fn) for op in OPS.values() if op.kind is Kind.ELEMENTWISE and _is_ufunc(op)},
    "abs": "absolute",
    "bitwise_invert": "invert",
    "round": "rint",
}
_REDUCTIONS = {
    "sum": "add", "prod": "multiply", "min": "minimum", "max": "maximum", "any": "logical_or",
    "all": "logical_and",
}  # fmt: skip
_ACCUMULATED = {"prod": "multiply", "min": "minimum", "max": "maximum", "logsumexp": "logaddexp"}


def _ufunc(name: str) -> Row:
    # NumPy 2.4 deprecates a positional `out` for these two, whose array API takes two arguments.
    out = "out=" if name in ("maximum", "minimum") else ""
    return lambda step, o: [Line(name, (*o.inputs, out + o.output))]


def _reduce(name: str) -> Row:
    def row(step: Step, o: Operands) -> list[Line]:
        return [Line(f"{name}.reduce", (o.inputs[0], o.attr("axis"), "None", o.output, o.attr("keepdims")))]

    return row


def _kernel(name: str, *attrs: str, origins: bool = False) -> Row:
    """A function of `kernels` that takes (out, inputs …, attributes …, origins)."""

    def row(step: Step, o: Operands) -> list[Line]:
        last = (o.origins(),) if origins else ()
        return [Line(name, (o.output, *o.inputs, *(o.attr(attr) for attr in attrs), *last))]

    return row


def _assign(target: str, source: str) -> Line:
    """`target[...] = source`, whatever the dtypes. Unlike `np.copyto`, it never enters Python code."""
    return Line("setitem", (target, "...", source))


def _where(step: Step, o: Operands) -> list[Line]:
    condition, first, second = o.inputs
    if o.is_zero(2) and o.types[1].dtype.bits <= 64:
        return [Line("keep_where_into", (o.output, condition, first))]
    return [_assign(o.output, second), Line("copyto", (o.output, first, "'same_kind'", condition))]


def _one(o: Operands) -> str:
    return o.bound(np.ones((), o.types[0].dtype.numpy), "1")


def _sigmoid(step: Step, o: Operands) -> list[Line]:
    return [
        Line("negative", (o.inputs[0], o.output)),
        Line("exp", (o.output, o.output)),
        Line("add", (o.output, _one(o), o.output)),
        Line("reciprocal", (o.output, o.output)),
    ]


def _rsqrt(step: Step, o: Operands) -> list[Line]:
    return [Line("sqrt", (o.inputs[0], o.output)), Line("reciprocal", (o.output, o.output))]


def _relu(step: Step, o: Operands) -> list[Line]:
    return [Line("maximum", (o.inputs[0], o.bound(np.zeros((), o.types[0].dtype.numpy), "0"), f"out={o.output}"))]


def _pow(step: Step, o: Operands) -> list[Line]:
    kind = o.types[0].dtype.kind
    if kind == "int":
        return _fallback(step, o)
    if kind == "float":
        return [Line("pow_into", (o.output, *o.inputs, o.bound(step.op.array_fn, "pow")))]
    return [Line("power", (*o.inputs, o.output))]


def _astype(step: Step, o: Operands) -> list[Line]:
    if enters_python(step.op, step.attrs, o.types):
        return [Line("saturate_into", (o.output, o.inputs[0]))]
    return [_assign(o.output, o.inputs[0])]


def enters_python(op: OpDef, attrs: Mapping[str, Any], types: Sequence[TensorType]) -> bool:
    """Whether a step of an `ATOMIC` op is code of `kernels` all the same: a float that becomes an integer."""
    return op.name == "astype" and attrs["dtype"].kind in ("int", "uint") and types[0].dtype.kind == "float"


def _in_blocks(step: Step, o: Operands) -> list[Line]:
    return [Line("in_blocks_into", (o.output, *o.inputs, o.bound(step.op.array_fn, step.op.name)))]


_SPECIAL = ("digamma", "erfc", "erfinv", "i0e", "i1e", "lgamma")


def _position(name: str) -> Row:
    return lambda step, o: [Line(f"{o.inputs[0]}.{name}", (o.attr("axis"), o.output))]


def _fallback(step: Step, o: Operands) -> list[Line]:
    """The op's own function, for one result or several."""
    attrs = "dict(" + ", ".join(f"{name}={o.attr(name)}" for name in step.attrs) + ")"
    function, output = ("fallback_all", f"({o.output}, {', '.join(o.others)})") if o.others else ("fallback", o.output)
    return [Line(function, (output, o.bound(step.op.array_fn, step.op.name), attrs, *o.inputs))]


def _sort(step: Step, o: Operands) -> list[Line]:
    function = o.bound(step.op.array_fn, "sort")
    return [Line("sort_into", (o.output, o.inputs[0], o.attr("axis"), o.attr("descending"), function))]


def _top_k(step: Step, o: Operands) -> list[Line]:
    return [Line("top_k_into", (o.output, *o.others, o.inputs[0], o.attr("axis")))]


def _accumulate(name: str) -> Row:
    return lambda step, o: [Line("accumulate_into", (o.output, name, o.inputs[0], o.attr("axis")))]


def _random(what: str) -> Row:
    return lambda step, o: [Line("random_into", (o.output, *o.inputs, repr(what)))]


def _add_at(step: Step, o: Operands) -> list[Line]:
    """Into a copy of x, or into x itself."""
    x, indices, values = o.inputs
    axis, ndim = step.attrs["axis"], o.types[1].ndim
    moved = o.output, values
    if axis:
        moved = (
            f"moveaxis({o.output}, {axis}, 0)",
            f"moveaxis({values}, {tuple(range(axis, axis + ndim))}, {tuple(range(ndim))})",
        )
    copy = [] if x == o.output else [_assign(o.output, x)]
    return [*copy, Line(f"add_at_for({values})", (moved[0], indices, moved[1]))]


def _scatter(update: str) -> Row:
    def row(step: Step, o: Operands) -> list[Line]:
        return [Line("scatter_into", (o.output, *o.inputs, o.attr("axis"), repr(update), o.origins()))]

    return row


ROWS: dict[str, Row] = {
    **dict.fromkeys(_SPECIAL, _in_blocks),
    **{op: _ufunc(name) for op, name in UFUNCS.items()},
    **{op: _reduce(name) for op, name in _REDUCTIONS.items()},
    **{op: _random(what) for op, what in STREAMS.items()},
    "add_along_axis": _kernel("add_along_into", "axis", origins=True),
    "add_at": _add_at,
    "argmax": _position("argmax"),
    "argmin": _position("argmin"),
    "astype": _astype,
    "complex": _kernel("complex_into"),
    "check_numerics": _kernel("check_into", "message", origins=True),
    "checked_indices": _kernel("checked_into", "size", "used", origins=True),
    **{f"cumulative_{op}": _accumulate(name) for op, name in _ACCUMULATED.items()},
    "cumulative_sum": _kernel("sums_into", "axis", "reverse"),
    "concat": lambda step, o: [Line("concatenate", (f"({', '.join(o.inputs)},)", o.attr("axis"), o.output))],
    "copy": lambda step, o: [_assign(o.output, o.inputs[0])],
    "erf": lambda step, o: [Line("erf_into", (o.output, *o.inputs, o.bound(step.op.array_fn, "erf")))],
    "matmul": _ufunc("matmul"),
    "pad": _kernel("pad_into", "pad_width"),
    "positions": _kernel("positions_into", "size", "used", "axis", origins=True),
    "pow": _pow,
    "print": _kernel("print_into", "label"),
    "relu": _relu,
    "reshape": _kernel("reshape_into"),
    "rsqrt": _rsqrt,
    **{f"scatter_{update}": _scatter(update) for update in ("set", *kernels.UPDATES)},
    "sigmoid": _sigmoid,
    "slice_update": _kernel("slice_update_into", "starts", "lengths", "steps"),
    "sort": _sort,
    "take": _kernel("take_into", "axis", origins=True),
    "top_k": _top_k,
    "true_positions": _kernel("true_positions_into"),
    "take_along_axis": _kernel("take_along_into", "axis", origins=True),
    "take_last": _kernel("take_last_into", "axis", origins=True),
    "where": _where,
}
"""Ops whose code is not `_fallback`."""

VIEWS = frozenset({"broadcast_to", "permute_dims", "reshape", "slice", "stop_gradient"})

ATOMIC = frozenset({*UFUNCS, *_REDUCTIONS, "add_at", "astype", "fused", "matmul", "relu", "rsqrt", "sigmoid"})
"""Written as calls that never enter Python code, where a signal could be handled; `np.copyto` enters its dispatcher."""

SEPARATE = frozenset(op.name for op in OPS.values() if op.kind is Kind.ELEMENTWISE) - ATOMIC
"""Elementwise ops that are in no group, as a commit can hold every group."""

OVERWRITES = {
    **{op: tuple(range(getattr(np, name).nin)) for op, name in UFUNCS.items()},
    "add_at": (0,),  # adds to it where it is
    "check_numerics": (0,),
    "pow": (0, 1),
    "print": (0,),
    "relu": (0,),
    "rsqrt": (0,),
    "sigmoid": (0,),
    "where": (2,),  # copied first; the other two must outlive it
}
"""Ufuncs read an element before they write it, so the result may replace an operand of its shape and width."""

ALLOCATES = {
    "add_along_axis": "np.add.at buffers its indices",
    **dict.fromkeys(_SPECIAL, "evaluated in blocks"),
    "add_at": "np.add.at buffers its indices",
    "erf": "evaluated in blocks",
    "pow": "of integers: NumPy has no function for negative exponents",
    "positions": "a mask of the negative ones",
    "print": "formats the value",
    **dict.fromkeys(STREAMS, "the blocks of Philox are made some thousands at a time"),
    "sort": "looks for −0 in a mask",
    "top_k": "NumPy has no partition that writes into given memory",
    "true_positions": "NumPy has no function that writes them into given memory",
    **{f"scatter_{update}": "NumPy buffers the indices" for update in ("set", *kernels.UPDATES)},
    "take_along_axis": "NumPy has no function that writes into given memory",
    "take_last": "finds the last of equal indices",
}
"""Ops that allocate while they run, beside the arena."""

NAMESPACE: dict[str, Any] = {
    **{name: getattr(np, name) for name in (*UFUNCS.values(), *_REDUCTIONS.values())},
    **{
        name: getattr(np, name)
        for name in (
            "broadcast_to",
            "concatenate",
            "copyto",
            "empty",
            "logaddexp",
            "matmul",
            "moveaxis",
            "power",
            "reciprocal",
        )
    },
    **{
        name: function
        for name, function in (vars(kernels) | vars(ordering)).items()
        if name.endswith(("_into", "_for")) or name.startswith("fallback")
    },
    "call": operator.call,
    "deque": deque,
    "partial": partial,
    "setitem": operator.setitem,
}
"""What emitted code can name."""


def lines(step: Step, operands: Operands) -> list[Line]:
    """The calls that compute a step."""
    return ROWS.get(step.op.name, _fallback)(step, operands)


def why_it_allocates(op: OpDef) -> str | None:
    """What an op allocates while it runs, beside the arena; `None` if nothing."""
    if op.name in ALLOCATES or op.name in ROWS or op in FUSED_OPS:
        return ALLOCATES.get(op.name)
    return "NumPy has no function that writes into given memory"
