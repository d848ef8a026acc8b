"""How each op is written as a call: a table from op to a line of source."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from graphc.ir.opdef import OpDef
from graphc.ir.types import TensorType
from graphc.ops.random.rejection import SAMPLERS
from graphc.plan.data import Step


class Operands(NamedTuple):
    """What a row of the table gets.

    Attributes:
        inputs, types: names and types of the inputs.
        output: type of the first output.
        attr: an attribute as source.
        shape: of the output, as source.
        precision: of products, as JAX calls it.
        zero: whether an input is a constant of zeros, all of them +0.
    """

    inputs: Sequence[str]
    types: Sequence[TensorType]
    output: TensorType
    attr: Callable[[str], str]
    shape: str
    precision: str
    zero: Callable[[int], bool]

    def spread(self, position: int) -> str:
        """An input, broadcast to the shape of the output."""
        if self.types[position].shape == self.output.shape:
            return self.inputs[position]
        return f"spread({self.inputs[position]}, {self.shape})"


Row = Callable[[Step, Operands], str]

UNARY = {
    "abs": "absolute", "bitwise_invert": "lax.bitwise_not", "ceil": "lax.ceil", "cos": "lax.cos", "erf": "lax.erf",
    "exp": "lax.exp", "expm1": "lax.expm1", "floor": "lax.floor", "isfinite": "is_finite", "log": "log",
    "log2": "log2", "log10": "log10",
    "log1p": "log1p", "logical_not": "lax.bitwise_not", "negative": "lax.neg", "round": "round_half_even",
    "rsqrt": "lax.rsqrt", "sigmoid": "lax.logistic", "sign": "sign", "sin": "lax.sin", "sqrt": "square_root",
    "tanh": "lax.tanh", "trunc": "trunc", "acos": "lax.acos", "acosh": "lax.acosh", "asin": "lax.asin",
    "asinh": "lax.asinh", "atan": "lax.atan", "atanh": "atanh", "cbrt": "lax.cbrt", "cosh": "cosh", "exp2": "exp2",
    "sinh": "sinh", "tan": "lax.tan",
}  # fmt: skip
BINARY = {
    "bitwise_and": "lax.bitwise_and", "bitwise_or": "lax.bitwise_or", "bitwise_xor": "lax.bitwise_xor",
    "divide": "lax.div", "equal": "lax.eq", "floor_divide": "floor_divide", "greater": "lax.gt",
    "greater_equal": "lax.ge", "less": "lax.lt", "less_equal": "lax.le", "logical_and": "lax.bitwise_and",
    "logical_or": "lax.bitwise_or", "logical_xor": "lax.bitwise_xor", "maximum": "lax.max", "minimum": "lax.min",
    "multiply": "lax.mul", "not_equal": "lax.ne", "pow": "power", "remainder": "remainder", "subtract": "lax.sub",
    "where": "lax.select", "atan2": "lax.atan2", "nextafter": "lax.nextafter",
    "bitwise_left_shift": "lax.shift_left",
    "gammainc": "gammainc", "gammaincc": "gammaincc",
}  # fmt: skip
REDUCTIONS = {
    "all": "lax.reduce_and", "any": "lax.reduce_or", "max": "lax.reduce_max", "min": "lax.reduce_min",
    "prod": "lax.reduce_prod", "sum": "total",
}  # fmt: skip


def _elementwise(function: str) -> Row:
    return lambda step, o: f"{function}({', '.join(o.spread(position) for position in range(len(o.inputs)))})"


def _add(step: Step, o: Operands) -> str:
    """Without care, XLA takes x + 0 for x, which may be −0."""
    for position in (0, 1):
        if o.output.dtype.kind == "float" and o.zero(position):
            return f"plus_zero({o.spread(1 - position)})"
    return f"lax.add({o.spread(0)}, {o.spread(1)})"


def _reduce(function: str) -> Row:
    def row(step: Step, o: Operands) -> str:
        call = f"{function}({o.inputs[0]}, {o.attr('axis')})"
        return f"lax.reshape({call}, {o.shape})" if step.attrs["keepdims"] else call

    return row


def _position(function: str) -> Row:
    return lambda step, o: f"{function}({o.inputs[0]}, {o.attr('axis')}, 'int64')"


def _call(function: str, *attrs: str) -> Row:
    """A function of the inputs and of some attributes."""
    return lambda step, o: f"{function}({', '.join((*o.inputs, *map(o.attr, attrs)))})"


def _convolution(function: str, *more: str) -> Row:
    attrs = (*more, "strides", "dilation", "spread", "low", "size", "groups")
    return lambda step, o: f"{function}({', '.join((*o.inputs, *map(o.attr, attrs)))}, '{o.precision}')"


def _itself(step: Step, o: Operands) -> str:
    return o.inputs[0]


def _running_sum(step: Step, o: Operands) -> str:
    """From +0 on, as sums are."""
    call = f"lax.cumsum({o.inputs[0]}, {o.attr('axis')}, {o.attr('reverse')})"
    return f"plus_zero({call})" if o.output.dtype.kind in ("float", "complex") else call


def _astype(step: Step, o: Operands) -> str:
    source, target = o.types[0].dtype, o.output.dtype
    narrower = source.numpy.kind == target.numpy.kind == "i" and target.itemsize < source.itemsize
    if source.kind == "complex" and target.kind == "bool":
        return f"{o.inputs[0]} != 0"
    function = "narrowed" if narrower else "lax.convert_element_type"
    return f"{function}({o.inputs[0]}, '{target}')"


UPDATES = ("set", "multiply", "min", "max")


def _scatter(update: str) -> Row:
    return lambda step, o: f"scatter({', '.join(o.inputs)}, {o.attr('axis')}, {update!r})"


def _until_accepted(step: Step, o: Operands) -> str:
    attrs = [f"{name}={o.attr(name)}" for name in step.attrs]
    return f"until_accepted({', '.join((repr(step.op.name), *o.inputs, *attrs))})"


ROWS: dict[str, Row] = {
    **{op: _elementwise(function) for op, function in {**UNARY, **BINARY}.items()},
    **{op: _reduce(function) for op, function in REDUCTIONS.items()},
    "add": _add,
    "add_along_axis": _call("add_along_axis", "axis"),
    "argmax": _position("lax.argmax"),
    "argmin": _position("lax.argmin"),
    "astype": _astype,
    "broadcast_to": lambda step, o: f"spread({o.inputs[0]}, {o.shape})",
    "check_numerics": _call("check_numerics"),
    "cumulative_logsumexp": _call("lax.cumlogsumexp", "axis"),
    "cumulative_max": _call("lax.cummax", "axis"),
    "cumulative_min": _call("lax.cummin", "axis"),
    "cumulative_prod": _call("lax.cumprod", "axis"),
    "cumulative_sum": _running_sum,
    "concat": lambda step, o: f"lax.concatenate([{', '.join(o.inputs)}], {o.attr('axis')})",
    "complex": _elementwise("lax.complex"),
    "conj": lambda step, o: f"lax.conj({o.inputs[0]})",
    "imag": lambda step, o: f"lax.imag({o.inputs[0]})",
    **{op: _call(op) for op in ("det", "inv", "slogdet", "solve")},
    "isinf": lambda step, o: f"is_infinite({o.inputs[0]})",
    "isnan": lambda step, o: f"{o.inputs[0]} != {o.inputs[0]}",
    "conv": _convolution("conv"),
    "conv_weights": _convolution("conv_weights", "window"),
    "matmul": lambda step, o: f"matmul({', '.join(o.inputs)}, '{o.precision}')",
    "pad": lambda step, o: f"lax.pad({', '.join(o.inputs)}, [(*width, 0) for width in {o.attr('pad_width')}])",
    "permute_dims": _call("lax.transpose", "axes"),
    "positions": _call("positions", "size", "used"),
    "print": _itself,
    "real": lambda step, o: f"lax.real({o.inputs[0]})",
    "relu": lambda step, o: f"lax.max({o.inputs[0]}, lax.full_like({o.inputs[0]}, 0))",
    **dict.fromkeys(SAMPLERS, _until_accepted),
    "reshape": lambda step, o: f"lax.reshape({o.inputs[0]}, {o.shape})",
    "scatter_add": _call("scatter_add", "axis"),
    **{f"scatter_{update}": _scatter(update) for update in UPDATES},
    "slice": _call("take_slice", "starts", "lengths", "steps"),
    "slice_update": _call("slice_update", "starts", "lengths", "steps"),
    "solve_triangular": _call("solve_triangular", "lower", "unit_diagonal"),
    "stop_gradient": _itself,
    "take": _call("take", "axis"),
    "top_k": _call("top_k", "k", "axis"),
    "take_along_axis": _call("take_along_axis", "axis"),
    "take_last": _call("take_last", "axis"),
}


def call(step: Step, operands: Operands) -> str:
    """The call that computes a step: that of its row, or of the op's own function on JAX's arrays."""
    row = ROWS.get(step.op.name)
    if row is not None:
        return row(step, operands)
    attrs = [f"{name}={operands.attr(name)}" for name in step.attrs]
    return f"array_function({', '.join((repr(step.op.name), *operands.inputs, *attrs))})"


def is_known(op: OpDef) -> bool:
    """Whether there is a call for an op."""
    return op.name in ROWS or op.array_fn is not None


CHECKS = frozenset(
    {"add_along_axis", "check_numerics", "positions", "scatter_add", "take", "take_along_axis", "take_last"}
    | {f"scatter_{update}" for update in UPDATES}
)
"""Whose calls give three values: the result, what the error needs to know, and whether the check passed."""
