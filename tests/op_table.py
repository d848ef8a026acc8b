"""One row per public function and per op: what it takes, what it gives, where it bends.

`test_ops.py` and `test_gradients.py` generate their tests from this table. Oracles are NumPy or
plain loops. As the reference interpreter is NumPy, too, the edge rows carry answers written down by hand.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import graphc.ops  # noqa: F401  fills the op table
from graphc.builder.graph import Graph, placeholder
from graphc.errors import DTypeError, GraphcError, NumericsError, OutOfRangeError, ShapeError
from graphc.ir.opdef import FUNCTIONS, OPS
from graphc.ir.tensor import apply
from graphc.ops.activation import softmax_cross_entropy
from graphc.ops.indexing import slice_update
from graphc.ops.structure import projections

nan, inf = math.nan, math.inf
FLOATS = ("float32", "float64")
INTS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
NUMBERS = FLOATS + INTS
ALL = (*NUMBERS, "bool")
SIGNED = (*FLOATS, "int8", "int16", "int32", "int64")
BITS = (*INTS, "bool")
LOOSE = (*FLOATS, "int32", "uint8", "bool")  # for functions that take floats only: the others become float32


def same(dtype):
    return dtype


def floating(dtype):
    return dtype if dtype in FLOATS else "float32"


def accumulator(dtype):
    return dtype if dtype in FLOATS else "uint64" if dtype.startswith("u") else "int64"


def boolean(dtype):
    return "bool"


@dataclass(frozen=True)
class D:
    """The domain of an operand: where values are smooth and finite. `dtype` if it is not the row's."""

    low: float = -2.0
    high: float = 2.0
    dtype: str | None = None


class S:
    """Shapes of the operands and keyword arguments of one call."""

    def __init__(self, *shapes: tuple[int, ...], **kwargs: Any):
        self.shapes, self.kwargs = shapes, kwargs

    def __repr__(self):
        return f"S({', '.join(map(repr, self.shapes))}, {self.kwargs})"


class E:
    """One edge case, by hand: operands, and the expected result or error.

    Args:
        args: operands, converted to `dtype` or to that of the domain; without either, to both float dtypes.
        out: the expected value; or an error class.
        dtype: of the operands.
        gives: dtype of the result, if not the row's rule.
        kwargs: keyword arguments of the call.
    """

    def __init__(self, args, out, dtype=None, /, gives=None, **kwargs):
        self.args, self.out, self.dtype, self.gives, self.kwargs = args, out, dtype, gives, kwargs
        self.raises = isinstance(out, type) and issubclass(out, GraphcError)

    def __repr__(self):
        return f"E({self.args}, {self.out}, {self.dtype}, {self.kwargs})"


@dataclass(frozen=True)
class Row:
    """What the tests need to know about a function or op.

    Attributes:
        name: of the public function, or of the op if that has none.
        samples: calls with random values.
        oracle: `f(*arrays, **kwargs)`; `None`: edges only.
        edges: calls with values by hand.
        dtypes: that its data operands may have.
        operand: dtype given → dtype in which it computes.
        result: dtype in which it computes → dtype of the result.
        domains: per operand; a single one is for all.
        tolerance: a key of `tolerances.VALUES`. If not `exact`, the oracle is evaluated in a wider dtype.
        gradient: positions of the operands that have one.
        call: `f(*tensors, **kwargs)`; by default the public function.
        covers: further ops that the row's tests exercise.
        elsewhere: why there is nothing to generate, and where it is tested instead.
    """

    name: str
    samples: tuple[S, ...] = ()
    oracle: Callable[..., Any] | None = None
    edges: tuple[E, ...] = ()
    dtypes: tuple[str, ...] = FLOATS
    operand: Callable[[str], str] = same
    result: Callable[[str], str] = same
    domains: tuple[D, ...] = (D(),)
    tolerance: str = "exact"
    gradient: tuple[int, ...] = ()
    call: Callable[..., Any] | None = None
    covers: tuple[str, ...] = ()
    elsewhere: str = ""

    @property
    def function(self):
        return self.call or FUNCTIONS[self.name]

    def domain(self, position: int) -> D:
        return self.domains[position] if len(self.domains) > 1 else self.domains[0]


ONE = tuple(map(S, [(), (3,), (1, 1), (2, 0), (2, 3, 2), (37,)]))
TWO = (
    S((), ()), S((3,), (3,)), S((2, 3), (3,)), S((), (2, 2)), S((2, 1), (1, 3)), S((0, 3), (3,)),
    S((2, 0), (1,)), S((3, 1, 2), (2, 1)), S((37,), (1,)),
)  # fmt: skip


def unary(name, oracle, *edges, **options):
    """An elementwise function of one float."""
    options = {"dtypes": LOOSE, "operand": floating, "tolerance": "elementary", "gradient": (0,)} | options
    return Row(name, ONE, oracle, edges, **options)


def rounding(name, oracle, *edges):
    return Row(name, ONE, oracle, edges, dtypes=NUMBERS, domains=(D(-3, 3),))


def binary(name, oracle, *edges, **options):
    """An elementwise function of two operands."""
    return Row(name, TWO, oracle, edges, **({"dtypes": NUMBERS, "gradient": (0, 1)} | options))


def comparison(name, oracle, *edges, **options):
    return binary(name, oracle, *edges, **({"result": boolean, "gradient": ()} | options))


def as_bool(function):
    return lambda *arrays: function(*(array != 0 for array in arrays))


def logic(name, oracle, *edges):
    return Row(name, TWO, as_bool(oracle), edges, dtypes=("bool", "int8", "float32"), result=boolean)


def bits(name, oracle, *edges):
    return Row(name, TWO, oracle, edges, dtypes=BITS)


AXES = (
    S((3,)), S(()), S((2, 3), axis=0), S((2, 3), axis=-1), S((2, 3, 2), axis=(0, 2)),
    S((2, 3, 2), axis=(-1, 1)),
    S((2, 3), axis=1, keepdims=True), S((2, 3, 2), keepdims=True), S((1, 4), axis=0), S((0, 3), axis=1),
)  # fmt: skip
EMPTY = (S((0,)), S((2, 0), axis=1), S((3, 0, 2), axis=1, keepdims=True), S((2, 3), axis=()))


def reduce(name, oracle, *edges, **options):
    return Row(name, AXES + EMPTY, oracle, edges, **({"dtypes": NUMBERS, "gradient": (0,)} | options))


def extreme(name, oracle, *edges):
    """A reduction that has no value over nothing."""
    empty = (E([[]], ShapeError), E([np.ones((2, 0))], ShapeError, axis=1), E([np.ones((2, 0))], [], axis=0))
    return Row(name, (*AXES, S((2, 3), axis=())), oracle, (*empty, *edges), dtypes=NUMBERS, gradient=(0,))


def positions(name, oracle, *edges):
    calls = (
        S((3,)),
        S((2, 3), axis=0),
        S((2, 3), axis=-1, keepdims=True),
        S((2, 3)),
        S((0, 3), axis=1),
        S(()),
    )
    calls += (S((2, 3), keepdims=True),)
    return Row(name, calls, oracle, edges, dtypes=ALL, result=lambda dtype: "int64")


def layout(name, oracle, samples, *edges, **options):
    """Elements are moved and nothing is computed."""
    return Row(name, samples, oracle, edges, **({"dtypes": ALL, "gradient": (0,)} | options))


def made(name, samples, oracle, *edges, **options):
    """A source: a function of static arguments, whose result's dtype the edges state."""
    return Row(name, samples, oracle, edges, **options)


# --- oracles that NumPy does not have -------------------------------------------------------------


def erf(x):
    """Its Taylor series in a wide type: good for |x| ≤ 3."""
    x = np.asarray(x)
    total, term = np.zeros_like(x), x.copy()
    for n in range(80):
        total = total + term / (2 * n + 1)
        term = -term * x * x / (n + 1)
    return total * 2 / np.sqrt(np.asarray(np.pi, x.dtype))


def integer_pow(x1, x2):
    if x1.dtype.kind == "f":
        return np.power(x1, x2)
    kind, bits = x1.dtype, x1.dtype.itemsize * 8

    def one(base, exponent):
        if exponent < 0:
            return {1: 1, -1: -1 if exponent % 2 else 1}.get(base, 0)
        return int(np.asarray(pow(base, exponent, 2**bits), np.uint64).astype(kind))

    return np.vectorize(lambda a, b: one(int(a), int(b)), otypes=[kind])(x1, x2)


def logsumexp(x, axis=None, keepdims=False):
    return np.log(np.sum(np.exp(x), axis=axis, keepdims=keepdims))


def softmax(x, axis=-1):
    return np.exp(x) / np.sum(np.exp(x), axis=axis, keepdims=True)


def cross_entropy(logits, labels):
    rows = logits.reshape(-1, logits.shape[-1])
    chosen = rows[np.arange(len(rows)), labels.ravel()].reshape(labels.shape)
    return np.log(np.exp(logits).sum(-1)) - chosen


def cross_entropy_grad(ct, logits, labels, shift, rest):
    hot = np.eye(logits.shape[-1])[labels]
    return ct[..., None] * (np.exp(logits - shift[..., None] - rest[..., None]) - hot)


def scatter_add(x, indices, values, axis=0):
    result = np.moveaxis(x.copy(), axis, 0)
    shape = x.shape[:axis] + indices.shape + x.shape[axis + 1 :]
    values = np.moveaxis(np.broadcast_to(values, shape), range(axis, axis + indices.ndim), range(indices.ndim))
    for place in np.ndindex(indices.shape):
        result[indices[place]] += values[place]
    return np.moveaxis(result, 0, axis)


def replace_slice(x, part, starts, lengths, steps):
    result = x.copy()
    for place in np.ndindex(part.shape):
        result[tuple(s + p * k for s, p, k in zip(starts, place, steps, strict=True))] = part[place]
    return result


def gelu(x, approximate=False):
    if approximate:
        return x / 2 * (1 + np.tanh(np.sqrt(2 / np.asarray(np.pi, x.dtype)) * (x + 0.044715 * x**3)))
    return x / 2 * (1 + erf(x / np.sqrt(np.asarray(2, x.dtype))))


def one_of(op, index=0):
    """Calls an op that has no function, and picks one of its results."""

    def call(*tensors, **attrs):
        node = apply(OPS[op], tensors, **attrs)
        return node if index is None else projections(node)[index]

    return call


F = FUNCTIONS
MIN8, MAX8 = -128, 127
_label = D(0, 3, "int64")
_index = D(-2, 2, "int64")
_flag = D(0, 2, "bool")

ROWS = (
    # --- arithmetic
    binary("add", np.add, E([[inf, nan, -0.0, -0.0], [-inf, 1, -0.0, 0.0]], [nan, nan, -0.0, 0.0]),
           E([[1e-45], [1e-45]], [2.8e-45], "float32"),
           E([[MAX8, MIN8], [1, -1]], [MIN8, MAX8], "int8"), E([[255], [1]], [0], "uint8"),
           E([[2**63 - 1], [1]], [-(2**63)], "int64"), E([[True], [True]], DTypeError, "bool")),
    binary("subtract", np.subtract, E([[inf, 0.0, -0.0, nan], [inf, 0.0, 0.0, 0]], [nan, 0.0, -0.0, nan]),
           E([[MIN8], [1]], [MAX8], "int8"), E([[0], [1]], [255], "uint8"),
           E([[True], [True]], DTypeError, "bool")),
    binary("multiply", np.multiply, E([[inf, -0.0, -1, nan], [0, 3, 0.0, 0]], [nan, -0.0, -0.0, nan]),
           E([[64, MIN8], [2, -1]], [MIN8, MIN8], "int8"), E([[16], [16]], [0], "uint8"),
           E([[2**62], [4]], [0], "int64")),
    binary("divide", np.divide,
           E([[1, -1, 0, nan, 1, 1], [0, 0, 0, 1, -0.0, inf]], [inf, -inf, nan, nan, -inf, 0.0]),
           E([[1, 0, -3], [0, 0, 2]], [inf, nan, -1.5], "int32"), dtypes=LOOSE, operand=floating,
           domains=(D(), D(0.5, 3))),
    binary("floor_divide", np.floor_divide,
           E([[7, -7, 7, -7, 0, -0.0], [2, 2, -2, -2, 5, 3]], [3, -4, -4, 3, 0, -0.0]),
           E([[1, -1, 0, inf, -inf], [0, 0, 0, 1, 1]], [inf, -inf, nan, nan, nan]),
           E([[1, -1, nan], [inf, inf, 1]], [0, -1, nan]),
           E([[1.0], [0.1]], [9.0], "float64"), E([[7, -7, 7, -7], [2, 2, -2, -2]], [3, -4, -4, 3], "int32"),
           E([[5, -5, 0], [0, 0, 0]], [0, 0, 0], "int64"), E([[MIN8], [-1]], [MIN8], "int8"),
           E([[-(2**63)], [-1]], [-(2**63)], "int64"), E([[9], [0]], [0], "uint8"), gradient=(),
           domains=(D(-9, 9), D(1, 4))),
    binary("remainder", np.remainder,
           E([[7, -7, 7, -7, 3, -3, 0.0], [2, 2, -2, -2, -3, 3, -3]], [1, 1, -1, -1, -0.0, 0.0, -0.0]),
           E([[1, 0, inf, 1, -1, nan], [0, 0, 1, inf, inf, 1]], [nan, nan, nan, 1, inf, nan]),
           E([[7, -7, 7, -7], [2, 2, -2, -2]], [1, 1, -1, -1], "int32"),
           E([[5, -5, 0], [0, 0, 0]], [0, 0, 0], "int64"), E([[MIN8], [-1]], [0], "int8"),
           E([[-(2**63)], [-1]], [0], "int64"), E([[9], [0]], [0], "uint8"),
           domains=(D(3.6, 4.2), D(1.1, 1.15))),
    unary("negative", np.negative, E([[0.0, -0.0, inf, nan]], [-0.0, 0.0, -inf, nan]),
          E([[MIN8]], [MIN8], "int8"), E([[1, 0]], [255, 0], "uint8"), E([[True]], DTypeError, "bool"),
          dtypes=NUMBERS, operand=same, tolerance="exact"),
    unary("positive", np.copy, E([[-0.0, nan]], [-0.0, nan]), dtypes=NUMBERS, operand=same,
          tolerance="exact"),
    unary("abs", np.abs, E([[-0.0, -inf, nan, -2]], [0.0, inf, nan, 2]), E([[MIN8]], [MIN8], "int8"),
          E([[True]], DTypeError, "bool"), dtypes=NUMBERS, operand=same, tolerance="exact"),
    unary("sign", np.sign, E([[-0.0, 0.0, -inf, 5, nan]], [0.0, 0.0, -1, 1, nan]),
          E([[MIN8, 0, 3]], [-1, 0, 1], "int8"), dtypes=SIGNED, operand=same, tolerance="exact", gradient=()),
    unary("square", np.square, E([[-inf, nan, -0.0]], [inf, nan, 0.0]), E([[16]], [0], "int8"),
          dtypes=NUMBERS, operand=same, tolerance="exact"),
    rounding("floor", np.floor, E([[-0.5, -0.0, 1.5, inf, nan]], [-1, -0.0, 1, inf, nan]),
             E([[5]], [5], "uint8")),
    rounding("ceil", np.ceil, E([[-0.5, -0.0, 1.5, -inf, nan]], [-0.0, -0.0, 2, -inf, nan]),
             E([[-5]], [-5], "int8")),
    rounding("trunc", np.trunc, E([[-0.5, -1.5, 1.5, inf, nan]], [-0.0, -1, 1, inf, nan])),
    rounding("round", np.rint,
             E([[0.5, 1.5, 2.5, -0.5, -1.5, -0.2, inf, nan]], [0, 2, 2, -0.0, -2, -0.0, inf, nan])),
    # --- comparison
    comparison("equal", np.equal, E([[nan, 0.0, inf, 1], [nan, -0.0, inf, 2]], [False, True, True, False]),
        E([[True], [False]], [False], "bool"), dtypes=ALL),
    comparison("not_equal", np.not_equal, E([[nan, 0.0, inf], [nan, -0.0, inf]], [True, False, False]),
        dtypes=ALL),
    comparison("less", np.less, E([[nan, 1, -0.0, -inf], [1, nan, 0.0, inf]], [False, False, False, True])),
    comparison("less_equal", np.less_equal,
        E([[nan, 1, 0.0, inf], [1, nan, -0.0, inf]], [False, False, True, True])),
    comparison("greater", np.greater, E([[nan, 1, 0.0, inf], [1, nan, -0.0, 1]], [False, False, False, True]),
        E([[255], [1]], [True], "uint8")),
    comparison("greater_equal", np.greater_equal, E([[nan, 1, -0.0], [1, nan, 0.0]], [False, False, True])),
    logic("logical_and", np.logical_and, E([[nan, 0.0, -0.0, 2], [1, 1, 1, 3]], [True, False, False, True])),
    logic("logical_or", np.logical_or, E([[nan, 0.0, -0.0], [0, 0, 3]], [True, False, True])),
    logic("logical_xor", np.logical_xor, E([[1, 2, 0], [2, 0, 0]], [False, True, False], "int8")),
    Row("logical_not", ONE, as_bool(np.logical_not), (E([[nan, 0.0, -0.0, 2]], [False, True, True, False]),),
        dtypes=("bool", "int8", "float32"), result=boolean),
    bits("bitwise_and", np.bitwise_and, E([[-1, 6], [5, 3]], [5, 2], "int8"),
         E([[1.0], [1.0]], DTypeError, "float32")),
    bits("bitwise_or", np.bitwise_or, E([[-128, 6], [1, 3]], [-127, 7], "int8"),
         E([[1.0], [1.0]], DTypeError, "float32")),
    bits("bitwise_xor", np.bitwise_xor, E([[-1, 6], [5, 3]], [-6, 5], "int8"),
         E([[True], [True]], [False], "bool")),
    Row("bitwise_invert", ONE, np.invert,
        (E([[0, -128]], [-1, 127], "int8"), E([[0]], [255], "uint8"),
         E([[True, False]], [False, True], "bool")), dtypes=BITS),
    Row("isnan", ONE, np.isnan, (E([[nan, inf, 0]], [True, False, False]), E([[1]], [False], "int8")),
        dtypes=LOOSE, operand=floating, result=boolean),
    Row("isfinite", ONE, np.isfinite, (E([[nan, inf, -inf, 0]], [False, False, False, True]),), dtypes=LOOSE,
        operand=floating, result=boolean),
    Row("isinf", ONE, np.isinf, (E([[nan, inf, -inf, 0]], [False, True, True, False]),), dtypes=LOOSE,
        operand=floating, result=boolean),
    Row("where",
        (S((), (), ()), S((3,), (3,), (3,)), S((2, 1), (3,), ()), S((), (2, 3), (1,)), S((0,), (1,), (0,))),
        np.where,
        (E([[True, False, True], [1, nan, -0.0], [nan, 2, 5]], [1, 2, -0.0]),
         E([[True, False], [inf, inf], [0.0, 0.0]], [inf, 0.0])), dtypes=ALL, domains=(_flag, D(), D()),
        gradient=(1, 2)),
    binary("minimum", np.minimum, E([[nan, 1, -inf, 2], [1, nan, inf, 2]], [nan, nan, -inf, 2]),
           E([[MIN8], [MAX8]], [MIN8], "int8")),
    binary("maximum", np.maximum, E([[nan, 1, -inf, 2], [1, nan, inf, 2]], [nan, nan, inf, 2]),
           E([[255], [1]], [255], "uint8")),
    Row("clip",
        (S((3,), min=-0.5, max=0.75), S((2, 3), min=0), S((2, 3), max=1), S((3,)), S((0,), min=0, max=1),
         S((2, 3), (3,), (2, 1))),
        lambda x, a=None, b=None, **kw: np.clip(x, kw.get("min", a), kw.get("max", b)),
        (E([[nan, -inf, inf, 0.5]], [nan, 0, 1, 0.5], min=0.0, max=1.0),
         E([[0, 5, 10]], [3, 3, 3], min=7, max=3),
         E([[1, 5]], [1, 3], "int8", gives="float32", min=0.5, max=3),
         E([[1]], DTypeError, "int8", min=-1000)), domains=(D(-2, 2), D(-1.3, -0.6), D(0.6, 1.3)),
        gradient=(0, 1, 2)),
    # --- powers, exponentials, trigonometry
    unary("exp", np.exp, E([[-inf, 0, -0.0, inf, nan, 1000, -1000]], [0.0, 1, 1, inf, nan, inf, 0.0]),
          domains=(D(-4, 4),)),
    unary("expm1", np.expm1, E([[-inf, 0.0, -0.0, inf, nan, 1e-30]], [-1, 0.0, -0.0, inf, nan, 1e-30])),
    unary("log", np.log, E([[0.0, -0.0, -1, inf, nan, 1]], [-inf, -inf, nan, inf, nan, 0.0]),
          domains=(D(0.2, 4),)),
    unary("log1p", np.log1p,
          E([[-1, -2, 0.0, -0.0, inf, nan, 1e-30]], [-inf, nan, 0.0, -0.0, inf, nan, 1e-30]),
          domains=(D(-0.8, 3),)),
    unary("sqrt", np.sqrt, E([[0.0, -0.0, -1, inf, nan, 4]], [0.0, -0.0, nan, inf, nan, 2]),
          tolerance="exact", domains=(D(0.2, 4),)),
    unary("rsqrt", lambda x: 1 / np.sqrt(x),
          E([[0.0, -0.0, -1, inf, nan, 4]], [inf, -inf, nan, 0.0, nan, 0.5]), domains=(D(0.2, 4),)),
    binary("pow", integer_pow,
           E([[0, -0.0, 1, nan, -8], [0, 0, nan, 0, 1 / 3]], [1, 1, 1, 1, nan]),
          E([[-inf, -0.0, 4.0], [0.5]], [inf, 0.0, 2.0]), E([-inf, 0.5], inf), E([-0.0, 0.5], 0.0),
           E([[0.0, -0.0, inf], [-1, -1, -1]], [inf, -inf, 0.0]),
           E([[-1, -1, 2, 0.5, 2], [inf, 3, inf, inf, -inf]], [1, -1, inf, 0.0, 0.0]),
           E([[2, 1, -1, -1, 0, 0, -2], [-1, -5, -2, -3, -1, 0, -1]], [0, 1, 1, -1, 0, 1, 0], "int8"),
           E([[2, 2, -2], [7, 8, 7]], [-128, 0, -128], "int8"), E([[2], [64]], [0], "int64"),
           E([[0], [0]], [1], "uint8"), tolerance="pow", domains=(D(0.4, 3), D(-2, 3))),
    unary("sin", np.sin, E([[0.0, -0.0, inf, -inf, nan]], [0.0, -0.0, nan, nan, nan]), domains=(D(-3, 3),)),
    unary("cos", np.cos, E([[0.0, -0.0, inf, -inf, nan]], [1, 1, nan, nan, nan]), domains=(D(-3, 3),)),
    unary("tanh", np.tanh, E([[0.0, -0.0, inf, -inf, nan, 100]], [0.0, -0.0, 1, -1, nan, 1]),
          domains=(D(-3, 3),)),
    unary("sigmoid", lambda x: 1 / (1 + np.exp(-x)),
          E([[0, inf, -inf, nan, 1000, -1000]], [0.5, 1, 0.0, nan, 1, 0.0]), domains=(D(-6, 6),)),
    unary("erf", erf, E([[0.0, -0.0, inf, -inf, nan, 10]], [0.0, -0.0, 1, -1, nan, 1]),
          domains=(D(-2.5, 2.5),)),
    # --- activations
    unary("relu", lambda x: np.where(x > 0, x, np.zeros_like(x)),
          E([[-1, 2, nan, inf, -inf]], [0.0, 2, nan, inf, 0.0]), E([[-5, 5]], [0, 5], "int8"), dtypes=NUMBERS,
          operand=same, tolerance="exact"),
    Row("gelu", (*ONE, S((5,), approximate=True)), gelu,
        (E([[0.0, inf, -inf, nan, 100, -100]], [0, inf, nan, nan, 100, -0.0]),
         E([[0.0, inf, -inf, nan, 100]], [0, inf, nan, nan, 100], approximate=True)), dtypes=LOOSE,
        operand=floating, tolerance="shifted", domains=(D(-3, 3),), gradient=(0,)),
    unary("softplus", lambda x: np.log(1 + np.exp(x)),
          E([[0, inf, -inf, nan, 1000, -1000]], [math.log(2), inf, 0.0, nan, 1000, 0.0]), domains=(D(-6, 6),),
          tolerance="shifted"),
    Row("softmax", (S((3,)), S((2, 3), axis=0), S((2, 3, 2), axis=1), S((0, 3)), S((2, 1))), softmax,
        (E([[1000, 1000]], [0.5, 0.5]), E([[0, -inf]], [1, 0.0]), E([[inf, 0]], [nan, nan]),
         E([[-inf, -inf]], [nan, nan]), E([[nan, 0]], [nan, nan]), E([[]], ShapeError), E([1.0], ShapeError)),
        dtypes=LOOSE, operand=floating, tolerance="softmax", gradient=(0,)),
    Row("log_softmax", (S((3,)), S((2, 3), axis=0), S((2, 3, 2), axis=1), S((0, 3)), S((2, 1))),
        lambda x, axis=-1: np.log(softmax(x, axis)),
        (E([[10000, 10001]], [-1.3132616875182228, -0.31326168751822286]), E([[0, 200]], [-200, 0.0]),
         E([[0, -inf]], [0.0, -inf]), E([[-inf, -inf]], [nan, nan]), E([[inf, 0]], [nan, nan]),
         E([[nan, 0]], [nan, nan]), E([[]], ShapeError)), dtypes=LOOSE, operand=floating, tolerance="softmax",
        gradient=(0,)),
    Row("softmax_cross_entropy", (S((3,), ()), S((2, 3), (2,)), S((2, 2, 3), (2, 2)), S((0, 3), (0,))),
        cross_entropy,
        (E([[[1e4, -1e4]], [0]], [0.0]), E([[[1e4, -1e4]], [1]], [2e4]),
         E([[[1e4, 1e4 + 1]], [0]], [1.3132616875182228]), E([[[0.0, 0.0]], [2]], [math.log(2)]),
         E([[[0.0, 0.0]], [-1]], [math.log(2)]), E([[[0.0, -inf]], [1]], [inf]),
         E([[[0.0, -inf]], [0]], [0.0]), E([[[-inf, -inf]], [0]], [nan]), E([[[nan, 0.0]], [1]], [nan]),
         E([np.ones((1, 0)), [0]], ShapeError), E([[1.0, 2.0], [0]], ShapeError)), domains=(D(), _label),
        tolerance="softmax", gradient=(0,), call=softmax_cross_entropy, covers=("project",)),
    Row("softmax_cross_entropy_grad",
        (S((), (3,), (), (), ()), S((2,), (2, 3), (2,), (2,), (2,)), S((0,), (0, 3), (0,), (0,), (0,))),
        cross_entropy_grad,
        (E([[1.0], [[0.0, 0.0]], [1], [0.0], [math.log(2)]], [[0.5, -0.5]]),
         E([[1.0], [[0.0, 0.0]], [2], [0.0], [math.log(2)]], [[0.5, 0.5]]),
         E([[1.0], [[1e4, 1e4 - 1]], [1], [1e4], [math.log(1 + math.exp(-1))]],
           [[0.7310585786300049, -0.7310585786300049]])), domains=(D(), D(), _label, D(0, 1), D(1, 2)),
        tolerance="softmax", gradient=(0, 1, 3, 4), call=one_of("softmax_cross_entropy_grad", None)),
    # --- reductions
    reduce("sum", np.sum, E([[]], 0.0), E([[-0.0, -0.0]], 0.0), E([[-0.0]], 0.0), E([[-0.0]], [0.0], axis=()),
           E([[inf, -inf]], nan), E([[nan, 1]], nan), E([[100, 100]], 200, "int8"),
           E([[255, 255]], 510, "uint8"), E([[True, True]], 2, "bool"),
           E([[2**63 - 1, 1]], -(2**63), "int64"), E([[100, 100]], -56, "int8", gives="int8", dtype="int8"),
           E([[1, 2]], 3.0, "int8", gives="float32", dtype="float32"), operand=accumulator, tolerance="sum"),
    reduce("prod", np.prod, E([[]], 1.0), E([[0, inf]], nan), E([[nan, 0]], nan), E([[-0.0, 5]], -0.0),
           E([[100, 100]], 10000, "int8"), E([[16, 16]], 256, "uint8"), E([[True, False]], 0, "bool"),
           E([[2**62, 4]], 0, "int64"), operand=accumulator, tolerance="sum", domains=(D(-1.5, 1.5),)),
    extreme("min", np.min, E([[nan, 1]], nan), E([[1, nan]], nan), E([[inf, inf]], inf),
            E([[3, MIN8]], MIN8, "int8")),
    extreme("max", np.max, E([[nan, 1]], nan), E([[1, nan]], nan), E([[-inf, -inf]], -inf),
            E([[3, 255]], 255, "uint8")),
    Row("any", AXES + EMPTY, lambda x, **kw: np.any(x != 0, **kw),
        (E([[]], False), E([[nan]], True), E([[0.0, -0.0]], False)), dtypes=("bool", "int8", "float32"),
        result=boolean),
    Row("all", AXES + EMPTY, lambda x, **kw: np.all(x != 0, **kw),
        (E([[]], True), E([[nan, 1]], True), E([[1, -0.0]], False)), dtypes=("bool", "int8", "float32"),
        result=boolean),
    positions("argmin", np.argmin, E([[2, 1, 1]], 1), E([[1, nan, 0, nan]], 1), E([[-inf, 1]], 0),
              E([[]], ShapeError), E([[True, False, False]], 1, "bool"),
              E([np.ones((2, 0))], ShapeError, axis=1)),
    positions("argmax", np.argmax, E([[1, 2, 2]], 1), E([[1, nan, 9, nan]], 1), E([[-0.0, 0.0]], 0),
              E([[]], ShapeError), E([[False, True, True]], 1, "bool"), E([np.ones((2, 0))], [], axis=0)),
    reduce("mean", np.mean, E([[]], nan), E([[inf, -inf]], nan), E([[1, 2]], 1.5, "int32"),
           E([[True, False]], 0.5, "bool"), dtypes=LOOSE, operand=floating, tolerance="sum"),
    reduce("var", lambda x, correction=0, **kw: np.var(x, ddof=correction, **kw), E([[]], nan), E([[1]], 0.0),
           E([[1]], nan, correction=1), E([[1, 2]], inf, correction=2), E([[1, 2]], inf, correction=3),
           E([[1, 3]], 2.0, "int32", correction=1), E([[inf, 1]], nan), dtypes=LOOSE, operand=floating,
           tolerance="sum"),
    reduce("std", lambda x, correction=0, **kw: np.std(x, ddof=correction, **kw), E([[]], nan),
           E([[1, 1]], 0.0), E([[1, 3]], 1.0), dtypes=LOOSE, operand=floating, tolerance="sum", gradient=()),
    Row("logsumexp", AXES[:-1], logsumexp,
        (E([[-inf, -inf]], -inf), E([[inf, 0]], inf), E([[inf, -inf]], inf), E([[nan, inf]], nan),
         E([[1000, 1000]], 1000 + math.log(2)), E([[-1000, -1000]], -1000 + math.log(2)), E([[]], ShapeError),
         E([np.ones((2, 0))], ShapeError, axis=1)), dtypes=LOOSE, operand=floating, tolerance="softmax",
        gradient=(0,)),
    Row("matmul",
        (S((2, 3), (3, 4)), S((3,), (3,)), S((2, 3), (3,)), S((3,), (3, 2)), S((3, 1, 2, 3), (2, 3, 2)),
         S((2, 0), (0, 3)), S((0, 2), (2, 3)), S((0, 2, 3), (3, 1)), S((1, 1), (1, 1))), np.matmul,
        (E([[[inf, 0]], [[0], [1]]], [[nan]]), E([[100], [2]], -56, "int8"),
         E([[[1, 2]], [[1, 2]]], ShapeError), E([1.0, [1.0]], ShapeError),
         E([np.ones((2, 0)), np.ones((0, 1))], [[0.0], [0.0]]), E([[True], [True]], DTypeError, "bool")),
        dtypes=NUMBERS, tolerance="sum", gradient=(0, 1)),
    # --- layout
    Row("astype", tuple(S((2, 3), dtype=dtype) for dtype in ALL), lambda x, dtype: x.astype(dtype),
        (E([[1.9, -1.9, -0.0]], [1, -1, 0], gives="int32", dtype="int32"),
         E([[nan, 0.0, -0.0, 0.5]], [True, False, False, True], gives="bool", dtype="bool"),
         E([[300, -1]], [44, 255], "int64", gives="uint8", dtype="uint8"),
         E([[1e300, -1e-300]], [inf, -0.0], "float64", gives="float32", dtype="float32"),
         E([[2**24 + 1]], [2**24], "int64", gives="float32", dtype="float32"),
         E([[True]], [1.0], "bool", gives="float64", dtype="float64")), dtypes=ALL, domains=(D(0, 4),),
        gradient=(0,), call=lambda x, dtype: F["astype"](x, dtype), result=lambda dtype: None),
    layout("reshape", np.reshape,
           (S((2, 3), shape=(3, 2)), S((2, 3), shape=-1), S((2, 0), shape=(0, 5)), S((1,), shape=()),
            S((), shape=(1, 1)), S((4, 3), shape=(2, -1, 3))), E([[1, 2, 3]], ShapeError, shape=(2, 2)),
           E([[1, 2, 3]], ShapeError, shape=(2, -1)), E([[]], ShapeError, shape=(0, -1))),
    layout("permute_dims", lambda x, axes=None: np.transpose(x, axes),
           (S((2, 3, 4)), S((2, 3, 4), axes=(1, 2, 0)), S((2, 3), axes=(-1, 0)), S(()),
            S((0, 2), axes=(1, 0))), E([[[1, 2]]], ShapeError, axes=(0, 0)),
           E([[[1, 2]]], ShapeError, axes=(0, 2))),
    layout("matrix_transpose", lambda x: np.swapaxes(x, -1, -2), (S((2, 3)), S((2, 3, 4)), S((0, 2))),
           E([[1]], ShapeError)),
    layout("broadcast_to", np.broadcast_to,
           (S((3,), shape=(2, 3)), S((), shape=(2, 2)), S((2, 1), shape=(4, 2, 3)), S((1,), shape=(0,)),
            S((3,), shape=(3,))), E([[1, 2]], ShapeError, shape=(3,)), E([[1]], ShapeError, shape=())),
    layout("expand_dims", np.expand_dims,
           (S((3,), axis=0), S((3,), axis=-1), S((), axis=(0, 1)), S((2, 3), axis=(0, -1)), S((0,), axis=1)),
           E([[1]], ShapeError, axis=2), E([[1]], ShapeError, axis=(0, 0))),
    layout("squeeze", np.squeeze,
           (S((1, 3), axis=0), S((3, 1), axis=-1), S((1, 1), axis=(0, 1)), S((0, 1), axis=1)),
           E([[1, 2]], ShapeError, axis=0)),
    layout("concat",
           lambda *x, axis=0: np.concatenate([a.ravel() for a in x] if axis is None else x, axis=axis),
           (S((2,), (3,)), S((2, 1), (2, 3), axis=1), S((2, 2), (1, 2), (0, 2), axis=-2),
            S((2,), (2, 2), axis=None), S((2,))), E([[1, 2], [[1, 2]]], ShapeError),
           E([[[1, 2]], [[1]]], ShapeError), E([1.0, 2.0], ShapeError), call=lambda *x,
           **kw: F["concat"](x, **kw), gradient=(0, 1)),
    layout("stack", lambda *x, axis=0: np.stack(x, axis),
           (S((2,), (2,)), S((2, 3), (2, 3), axis=1), S((), (), axis=-1), S((0,), (0,), axis=-1)),
           E([[1, 2], [1]], ShapeError), call=lambda *x, **kw: F["stack"](x, **kw), gradient=(0, 1)),
    layout("pad", lambda x, value=0, *, pad_width: np.pad(x, pad_width, constant_values=value),
           (S((3,), (), pad_width=1), S((2, 3), (), pad_width=(1, 2)),
            S((2, 3), (), pad_width=((0, 1), (2, 0))), S((0,), (), pad_width=1), S((2,), pad_width=0)),
           E([[1, 2], nan], [nan, 1, 2, nan], pad_width=1), E([[1]], GraphcError, pad_width=-1),
           E([[1]], GraphcError, pad_width=((1, 1), (1, 1))), call=lambda x, value=0, *,
           pad_width: F["pad"](x, pad_width, constant_values=value), gradient=(0, 1)),
    layout("getitem", lambda x, index: x[index],
           (S((5,), index=slice(1, 4)), S((5,), index=slice(None, None, -2)), S((5,), index=-1),
            S((2, 3), index=(slice(None), 0)), S((2, 3), index=(..., None, 1)),
            S((5,), index=slice(-100, 100)), S((5,), index=slice(3, 1)), S((5,), index=slice(4, None, -3)),
            S((2, 3, 4), index=(1, ..., slice(0, 4, 2))), S((0, 2), index=slice(0, 5)), S((3,), index=None),
            S((), index=())), E([[1, 2]], OutOfRangeError, index=2), E([[1, 2]], OutOfRangeError, index=-3),
           E([[1, 2]], OutOfRangeError, index=(0, 0)), E([[1, 2]], GraphcError, index=True),
           E([[1, 2]], GraphcError, index=slice(0, 2, 0)),
           E([[-0.0, nan]], [nan, -0.0], index=slice(None, None, -1)), covers=("slice",)),
    layout("slice_update", replace_slice,
           (S((5,), (2,), starts=(1,), lengths=(2,), steps=(2,)),
            S((2, 3), (2, 1), starts=(0, 2), lengths=(2, 1), steps=(1, 1)),
            S((4,), (3,), starts=(3,), lengths=(3,), steps=(-1,)),
            S((3,), (0,), starts=(0,), lengths=(0,), steps=(1,))),
           E([[1, 2], [3, 4]], ShapeError, starts=(0,), lengths=(1,), steps=(1,)), call=slice_update,
           gradient=(0, 1)),
    layout("take", lambda x, i, axis=None: np.take(x, i, axis),
           (S((3,), (2,)), S((4, 2), (2, 3), axis=0), S((2, 3), (), axis=-1), S((3, 2), (0,), axis=1)),
           E([[1, 2, 3], [-1, -3, 0]], [3, 1, 1]), E([[1, 2], [2]], OutOfRangeError),
           E([[1, 2], [-3]], OutOfRangeError), E([[], [0]], OutOfRangeError), E([[[1, 2]], [0]], GraphcError),
           E([[], np.ones((0, 2))], np.ones((0, 2))), E([np.ones((0, 3)), [5]], np.ones((0, 1)), axis=1),
           E([np.ones((3, 0)), [5]], np.ones((1, 0)), axis=0), E([np.ones((3, 0)), [0]], OutOfRangeError, axis=1),
           domains=(D(), _index)),
    Row("scatter_add",
        (S((4,), (3,), (3,)), S((3, 2), (2,), (2, 2)), S((2, 3), (), (2,), axis=1), S((3, 2), (4,), ()),
         S((3,), (0,), (0,)), S((2, 3), (2, 2), (2, 2, 2), axis=-1)),
        lambda x, i, v, axis=0: scatter_add(x, i, v, axis % x.ndim),
        (E([[0, 0, 0], [1, 1, -1], [1, 2, 4]], [0, 3, 4]), E([[0], [1], [1]], OutOfRangeError),
         E([[0], [-2], [1]], OutOfRangeError), E([[MAX8], [0], [1]], [MIN8], "int8"),
         E([np.ones((0, 3)), [5], np.ones((0, 1))], np.ones((0, 3)), axis=1)), dtypes=NUMBERS,
        domains=(D(), _index, D()), tolerance="sum", gradient=(0, 2)),
    Row("one_hot", (S((3,), depth=3), S((2, 2), depth=2), S((), depth=4), S((0,), depth=2), S((2,), depth=0)),
        lambda i, depth: i[..., None] == np.arange(depth),
        (E([[-1, 3, 1]], [[0, 0, 0], [0, 0, 0], [0, 1, 0]], "int64", depth=3),
         E([[-1]], [[0] * 300], "int8", depth=300), E([[255]], [[0] * 255 + [1]], "uint8", depth=256),
         E([[1]], [[False, True]], "int32", gives="bool", depth=2, dtype="bool"),
         E([[1.0]], DTypeError, "float32", depth=2)), dtypes=INTS, result=lambda dtype: "float32",
        domains=(D(0, 4),), call=lambda i, depth, **kw: F["one_hot"](i, depth, **kw)),
    # --- structure
    layout("stop_gradient", np.copy, ONE[:3], E([[-0.0, nan]], [-0.0, nan]), gradient=(), dtypes=NUMBERS),
    layout("check_numerics", np.copy, ONE[:4], E([[-0.0, 1]], [-0.0, 1]), E([[nan]], NumericsError),
           E([[-inf]], NumericsError), dtypes=NUMBERS),
    layout("print", np.copy, ONE[:2], dtypes=NUMBERS),
    # --- sources
    layout("placeholder", np.copy, ONE[:4], E([[-0.0, nan]], [-0.0, nan]), call=lambda x: x, dtypes=NUMBERS),
    Row("variable", elsewhere="a session keeps its value: the tests of sessions"),
    Row("parameter", elsewhere="a region's, which no graph holds: the tests of fusion"),
    Row("fused", elsewhere="made by the fuse pass: the tests of fusion", covers=("fused_checked",)),
    Row("copy", elsewhere="a step of plans that no graph holds: the tests of plans"),
    Row("checked_indices", elsewhere="a step of plans that no graph holds: half of scatter_add"),
    Row("add_at", elsewhere="a step of plans that no graph holds: half of scatter_add"),
    made("constant", (), None, E([], [-0.0, nan], gives="float64", value=np.array([-0.0, nan])),
         E([], [1, 2], gives="uint8", value=np.array([1, 2], "uint8")),
         call=lambda value: F["asarray"](value)),
    made("dim_value", (), None, E([], 7, gives="int64", dim=7),
         E([], 7.0, gives="float32", dim=7, dtype="float32"), call=lambda dim,
         dtype="int64": F["dim_value"](dim, dtype)),
    layout("asarray", np.copy, ONE[:3], E([], [1, 2], gives="int64", value=[1, 2]),
           E([], [1, 2.5], gives="float32", value=[1, 2.5]),
           E([], 2.5, gives="float32", value=np.float64(2.5)), E([], 3, gives="int8", value=np.int8(3)),
           E([], True, gives="bool", value=True), E([], [], gives="float32", value=[]),
           E([], DTypeError, value=300, dtype="int8"), E([], DTypeError, value=np.int64(300), dtype="int8"),
           E([], DTypeError, value=1e39), E([], inf, gives="float32", value=inf),
           E([], DTypeError, value=nan, dtype="int64"), E([], DTypeError, value="text"),
           E([], DTypeError, value=1.5, dtype="int64"), E([], [1, 2], gives="int8", value=[1.0, 2.0], dtype="int8"),
           E([], ShapeError, value=[[1], [1, 2]]), E([], DTypeError, value=1j), call=lambda x=None,
           value=None, dtype=None: F["asarray"](value if x is None else x, dtype=dtype)),
    made("full", (S(shape=(2, 3), fill_value=2.5), S(shape=(), fill_value=-0.0)), lambda **kw: np.full(**kw),
         E([], [7, 7], gives="int64", shape=2, fill_value=7),
         E([], np.ones((0, 2)), gives="int8", shape=(0, 2), fill_value=1, dtype="int8"),
         E([], GraphcError, shape=(-1,), fill_value=0), dtypes=("float32",), call=lambda shape, fill_value,
         dtype=None: F["full"](shape, fill_value, dtype=dtype)),
    made("zeros", (S(shape=(2, 3)), S(shape=0)), lambda shape: np.zeros(shape), dtypes=("float32",)),
    made("ones", (S(shape=(2, 3)), S(shape=())), lambda shape: np.ones(shape), dtypes=("float32",)),
    layout("full_like", np.full_like, (S((2, 3), fill_value=3), S((), fill_value=1), S((0,), fill_value=1)),
           gradient=()),
    layout("zeros_like", np.zeros_like, ONE[:4], gradient=()),
    layout("ones_like", np.ones_like, ONE[:4], gradient=()),
    made("arange", (), None, E([], [0, 1, 2], gives="int64", args=(3,)),
         E([], [3, 1], gives="int64", args=(3, 0, -2)), E([], [], gives="int64", args=(3, 0)),
         E([], [0, 0.25, 0.5, 0.75], gives="float32", args=(0, 1, 0.25)), E([], GraphcError, args=(0, 1, 0)),
         call=lambda args: F["arange"](*args)),
    made("eye", (), None, E([], [[1, 0], [0, 1]], gives="float32", args=(2,)),
         E([], [[0, 1, 0], [0, 0, 1]], gives="int8", args=(2, 3), k=1, dtype="int8"), call=lambda args,
         **kw: F["eye"](*args, **kw)),
)  # fmt: skip

TABLE = {row.name: row for row in ROWS}


# --- values for the operands ----------------------------------------------------------------------


def operands(row, sample, dtype, seed=0):
    """Random arrays in the domains of a row. Floats keep apart from each other and from 0."""
    rng = np.random.default_rng([seed, *map(ord, row.name)])
    return [_values(rng, shape, row.domain(i), dtype) for i, shape in enumerate(sample.shapes)]


def _values(rng, shape, domain, dtype):
    kind = np.dtype(domain.dtype or dtype)
    if kind.kind == "b":
        return rng.permutation(np.arange(math.prod(shape)) % 2 == 0).reshape(shape)
    if kind.kind in "iu":
        low = max(math.ceil(domain.low), 0) if kind.kind == "u" else math.ceil(domain.low)
        return rng.integers(low, max(math.ceil(domain.high), low + 1), shape).astype(kind)
    count = math.prod(shape)
    cells = 2 * ((count + 1) // 2) or 2  # even, so that the middle of a symmetric domain is an edge between cells
    width = (domain.high - domain.low) / cells
    places = rng.permutation(cells)[:count] + rng.uniform(0.2, 0.8, count)
    return (domain.low + width * places).astype(kind).reshape(shape)


def placeholders(arrays, symbolic=False):
    """Placeholders for arrays in a graph of their own. Symbolic: sizes other than 0 and 1 get a name."""
    with Graph("test"):
        return [
            placeholder(f"x{i}", tuple(f"n{n}" if symbolic and n > 1 else n for n in array.shape), array.dtype)
            for i, array in enumerate(arrays)
        ]
