"""Values, dtypes and edges of every op, generated from `graphc/conformance/rows`, on every executor."""

import itertools
import math

import numpy as np
import pytest

from graphc.builder.graph import Graph, placeholder
from graphc.conformance.rows import ROWS, TABLE
from graphc.conformance.table import ALL, EVERY, FLOATS
from graphc.conformance.tolerances import SAME_BITS, VALUES, assert_close
from graphc.conformance.values import operands as random_operands
from graphc.conformance.values import oracle_value, placeholders
from graphc.errors import DTypeError, ShapeError
from graphc.ir import dims
from graphc.ir.dtype import DTYPES
from graphc.ir.opdef import FUNCTIONS as F
from graphc.ir.opdef import OPS, Trait
from graphc.reference import evaluate, solve_sizes
from graphc.session.standalone import compile_function


def on_reference(inputs, outputs, arrays):
    """The interpreter's answer."""
    sizes = solve_sizes({node: array.shape for node, array in zip(inputs, arrays, strict=True)})
    return evaluate(outputs, dict(zip(inputs, arrays, strict=True)), sizes)


def on_numpy(inputs, outputs, arrays):
    """The numpy backend's answer, through passes, plan and emitted code."""
    return list(compile_function(list(outputs), inputs, backend="numpy")(*arrays))


EXECUTORS = {"reference": on_reference, "numpy": on_numpy}
GENERATED = [row for row in ROWS if not row.elsewhere]

each_executor = pytest.mark.parametrize("run", list(EXECUTORS.values()), ids=list(EXECUTORS))


def call(run, row, arrays, kwargs, symbolic=False):
    inputs = placeholders(arrays, symbolic)
    output = row.function(*inputs, **kwargs)
    (value,) = run(inputs, [output], arrays)
    assert value.dtype == output.dtype.numpy, f"inferred {output.type}, computed {value.dtype}"
    expected = tuple(dims.evaluate(n, {f"n{n}": n for n in range(2, 40)}) for n in output.shape)
    assert value.shape == expected, f"inferred {output.type}, computed {value.shape}"
    return value


# --- values ---------------------------------------------------------------------------------------

VALUE_CASES = [(row, dtype) for row in GENERATED if row.oracle for dtype in row.dtypes]
VALUE_IDS = [f"{row.name}-{dtype}" for row, dtype in VALUE_CASES]


@each_executor
@pytest.mark.parametrize(("row", "dtype"), VALUE_CASES, ids=VALUE_IDS)
def test_values(row, dtype, run):
    for sample in row.samples:
        arrays = random_operands(row, sample, dtype)
        got = call(run, row, arrays, sample.kwargs)
        tolerance, expected = VALUES[row.tolerance], oracle_value(row, sample, arrays, dtype)
        assert_close(got, expected, tolerance, f"{row.name} {sample}", signs=not tolerance.floor)


@each_executor
@pytest.mark.parametrize("row", [row for row in GENERATED if row.oracle], ids=lambda row: row.name)
def test_symbolic_sizes_change_no_bit(row, run):
    """Sizes that are only known at the call give what static ones give."""
    dtype = row.dtypes[0]
    for sample in row.samples:
        arrays = random_operands(row, sample, dtype)
        if not any(n > 1 for array in arrays for n in array.shape):
            continue
        try:
            got = call(run, row, arrays, sample.kwargs, symbolic=True)
        except ShapeError as error:
            assert row.name in NEEDS_STATIC, (row.name, sample, error)  # noqa: PT017
            continue
        assert_close(got, call(on_reference, row, arrays, sample.kwargs), SAME_BITS, f"{row.name} {sample}")


NEEDS_STATIC = {
    "softmax_cross_entropy": "the number of classes",
    "softmax_cross_entropy_grad": "the number of classes",
    "conv": "the window; see tests/test_convolution.py",
    "adaptive_avg_pool": "the positions",
    "adaptive_max_pool": "the positions",
    "conv_transpose": "the window",
    "resize": "the positions",
    "unstack": "the number of tensors",
    "slice_update": "starts, lengths and steps of this table are numbers",
}


@pytest.mark.parametrize("row", [row for row in GENERATED if row.oracle], ids=lambda row: row.name)
def test_backends_give_the_bits_of_the_reference(row):
    others = [run for name, run in EXECUTORS.items() if name != "reference"]
    for sample, dtype in itertools.product(row.samples, row.dtypes):
        arrays = random_operands(row, sample, dtype, seed=1)
        expected = call(on_reference, row, arrays, sample.kwargs)
        for run in others:
            tolerance = SAME_BITS if row.name not in OWN_KERNELS else VALUES[OWN_KERNELS[row.name]]
            assert_close(call(run, row, arrays, sample.kwargs), expected, tolerance, f"{row.name} {sample}")


# Ops for which the numpy backend has code of its own, and how near it must come to the interpreter.
OWN_KERNELS = {"erf": "elementary", "gelu": "shifted"}


# --- edges ----------------------------------------------------------------------------------------


def _edge_cases():
    for row in GENERATED:
        for number, edge in enumerate(row.edges):
            floats = [dtype for dtype in row.dtypes if dtype in FLOATS]
            for dtype in [edge.dtype] if edge.dtype else floats or [row.dtypes[0]]:
                yield pytest.param(row, edge, dtype, id=f"{row.name}-{number}-{dtype}")


@each_executor
@pytest.mark.parametrize(("row", "edge", "dtype"), list(_edge_cases()))
def test_edges(row, edge, dtype, run, capsys):
    with np.errstate(over="ignore"):
        arrays = [np.asarray(value, row.domain(i).dtype or dtype) for i, value in enumerate(edge.args)]
    if edge.raises:
        with pytest.raises(edge.out):
            call(run, row, arrays, edge.kwargs)
        return
    got = call(run, row, arrays, edge.kwargs)
    gives = edge.gives or row.result(row.operand(dtype))
    assert_close(got, np.asarray(edge.out).astype(gives), VALUES[row.tolerance], f"{row.name} {edge}")


@each_executor
def test_print_writes_to_standard_output(run, capsys):
    (x,) = placeholders([np.zeros(2, np.float32)])
    run([x], [F["print"](x, "x")], [np.array([1, 2], np.float32)])
    assert capsys.readouterr().out == "x: [1. 2.]\n"


@each_executor
@pytest.mark.parametrize("dtype", [d for d in ALL if d.startswith(("int", "uint"))])
def test_every_integer_dtype_indexes(dtype, run):
    x, i = np.array([5.0, 6.0, 7.0]), np.array([2, 0], dtype)
    inputs = placeholders([x, i])
    outputs = [F["take"](*inputs), F["scatter_add"](inputs[0], inputs[1], 1.0), F["one_hot"](inputs[1], 3)]
    outputs += [inputs[0][None][[0, -1], inputs[1]], inputs[0].at[inputs[1]].set([8.0, 9.0])]
    taken, added, hot, read, updated = run(inputs, outputs, [x, i])
    assert read.tolist() == [7, 5]
    assert updated.tolist() == [9, 6, 8]
    assert taken.tolist() == [7, 5]
    assert added.tolist() == [6, 6, 8]
    assert hot.tolist() == [[0, 0, 1], [1, 0, 0]]


NOT_EMPTY = ("max", "min", "argmax", "argmin", "logsumexp", "softmax", "log_softmax")


@pytest.mark.parametrize("name", NOT_EMPTY)
def test_what_has_no_value_over_nothing_guards_symbolic_sizes(name):
    with Graph():
        x = placeholder("x", ("n",))
    (guard,) = F[name](x).guards if name not in NOT_EMPTY[2:4] else F[name](x, axis=0).guards
    assert guard.holds({"n": 1})
    assert not guard.holds({"n": 0})


def test_an_index_guards_symbolic_sizes():
    with Graph():
        x = placeholder("x", ("n",))
    for index, needed in ((2, 3), (-3, 3)):
        node = x[index]
        guards = [g for part in (node, *node.inputs) for g in part.guards]
        assert all(g.holds({"n": needed}) for g in guards)
        assert not all(g.holds({"n": needed - 1}) for g in guards)


# --- promotion ------------------------------------------------------------------------------------

PROMOTED = {
    ("bool", "bool"): None,  # there is no arithmetic on bools
    ("bool", "int8"): "int8",
    ("bool", "float32"): "float32",
    ("int8", "int16"): "int16",
    ("int8", "uint8"): "int16",
    ("int16", "uint8"): "int16",
    ("int16", "uint16"): "int32",
    ("int32", "uint32"): "int64",
    ("int64", "uint32"): "int64",
    ("int64", "uint64"): None,
    ("int8", "uint64"): None,
    ("uint8", "uint64"): "uint64",
    ("int64", "float32"): "float32",
    ("uint64", "float32"): "float32",
    ("int8", "float64"): "float64",
    ("float32", "float64"): "float64",
}


@pytest.mark.parametrize(("pair", "expected"), list(PROMOTED.items()))
def test_promotion_of_arrays(pair, expected):
    for first, second in (pair, pair[::-1]):
        x, y = placeholders([np.ones(2, first), np.ones(2, second)])
        if expected is None:
            with pytest.raises(DTypeError):
                x + y
        else:
            assert (x + y).dtype.name == expected


WEAK = [
    ("float32", 2.0, "float32"), ("float64", 2.0, "float64"), ("float32", np.float64(2.0), "float32"),
    ("float32", np.sqrt(2.0), "float32"), ("float64", np.float32(2.0), "float64"), ("float32", 2, "float32"),
    ("float32", np.int64(2), "float32"), ("float32", True, "float32"), ("int8", 2, "int8"),
    ("int8", np.int64(2), "int8"),
    ("uint64", 2, "uint64"), ("int8", True, "int8"), ("int8", 2.0, "float32"),
    ("int64", np.float64(2.0), "float32"),
    ("bool", 2, "int64"), ("bool", 2.5, "float32"), ("bool", np.float64(2.5), "float32"),
    ("uint8", np.uint64(3), "uint8"),
]  # fmt: skip


@each_executor
@pytest.mark.parametrize(("dtype", "number", "expected"), WEAK)
def test_numbers_are_weak(dtype, number, expected, run):
    array = np.ones(2, dtype)
    (x,) = placeholders([array])
    outputs = [x * number, number * x, F["where"](x, number, x), F["maximum"](number, x)]
    values = run([x], outputs, [array])
    assert [value.dtype.name for value in values] == [expected] * 4
    assert values[0].tolist() == values[1].tolist() == [np.asarray(number, expected)] * 2


@pytest.mark.parametrize(
    ("dtype", "number"),
    [("int8", 128), ("int8", np.int64(300)), ("uint8", -1), ("uint8", np.int8(-1)), ("float32", 1e39),
     ("float32", np.float64(1e39)), ("int64", 2**63)],
)  # fmt: skip
def test_a_number_that_does_not_fit_is_an_error(dtype, number):
    (x,) = placeholders([np.ones(2, dtype)])
    for function in (F["add"], F["less"], F["maximum"]):
        with pytest.raises(DTypeError, match="does not fit"):
            function(x, number)


def test_arrays_without_axes_are_not_weak():
    (x,) = placeholders([np.ones(2, np.float32)])
    assert (x * np.array(2.0)).dtype.name == "float64"
    assert (x * F["asarray"](2)).dtype.name == "float32"


@pytest.mark.parametrize("dtype", [d for d in ALL if d not in FLOATS])
def test_functions_of_floats_take_integers_as_float32(dtype):
    (x,) = placeholders([np.ones((2, 2), dtype)])
    for name in ("exp", "sqrt", "erf", "sigmoid", "gelu", "softmax", "mean", "var", "logsumexp"):
        assert F[name](x).dtype.name == "float32", name
    assert (x / x).dtype.name == "float32"
    assert F["isnan"](x).dtype.name == "bool"


def test_numbers_alone():
    assert F["add"](1, 2).dtype.name == "int64"
    assert F["add"](1, 2.0).dtype.name == "float32"
    assert F["divide"](1, 2).dtype.name == "float32"
    assert F["add"](np.float64(1), 2).dtype.name == "float32"


@pytest.mark.parametrize("dtype", ALL)
def test_sums_accumulate_in_the_default_integer(dtype):
    expected = dtype if dtype in FLOATS else "uint64" if dtype.startswith("u") else "int64"
    (x,) = placeholders([np.ones(2, dtype)])
    assert F["sum"](x).dtype.name == F["prod"](x).dtype.name == expected
    assert F["sum"](x, dtype="float32").dtype.name == "float32"


# --- properties the rules rely on -----------------------------------------------------------------

AWKWARD = {
    "f": [math.nan, math.inf, -math.inf, -0.0, 0.0, 1.5, -1.5, 1e-40, 3e38, 7.0],
    "i": [0, 1, -1, 127, -128, 5],
    "u": [0, 1, 255, 7],
    "b": [False, True],
}


def _awkward(dtype):
    return np.array(AWKWARD[np.dtype(dtype).kind], dtype)


def having(trait):
    return pytest.mark.parametrize("op", [op for op in OPS.values() if trait in op.traits], ids=lambda op: op.name)


@having(Trait.COMMUTATIVE)
def test_commutative_ops_commute_bit_by_bit(op):
    for dtype in sorted(d.name for d in op.dtypes if d.kind != "complex"):
        values = _awkward(dtype)
        first, second = np.meshgrid(values, values)
        x, y = placeholders([first, second])
        ahead, back = evaluate([F[op.name](x, y), F[op.name](y, x)], {x: first, y: second})
        assert_close(ahead, back, SAME_BITS, f"{op.name} {dtype}")


@having(Trait.IDEMPOTENT)
def test_idempotent_ops_change_nothing_twice(op):
    for dtype in sorted(d.name for d in op.dtypes if d.kind != "complex"):
        values = _awkward(dtype)
        (x,) = placeholders([values])
        once = F[op.name](x)
        first, second = evaluate([once, F[op.name](once)], {x: values})
        assert_close(second, first, SAME_BITS, f"{op.name} {dtype}")


# --- second oracles -------------------------------------------------------------------------------


@each_executor
@pytest.mark.requires("scipy")
@pytest.mark.parametrize("dtype", FLOATS)
def test_scipy_agrees(dtype, run):
    from scipy import special

    x = np.concatenate([np.linspace(-6, 6, 401), [1e-30, -1e-30, 30, -30]]).astype(dtype)
    (t,) = placeholders([x])
    wide = x.astype(np.float64)
    names = ("erf", "log_softmax", "logsumexp", "softmax")
    expected = {"sigmoid": special.expit(wide), "gelu": wide * special.ndtr(wide)}
    expected |= {name: getattr(special, name)(wide) for name in names}
    for name, got in zip(expected, run([t], [F[name](t) for name in expected], [x]), strict=True):
        want = np.asarray(expected[name]).astype(dtype)
        assert_close(got, want, VALUES[TABLE[name].tolerance], name, signs=False)


# --- completeness ---------------------------------------------------------------------------------


def test_every_op_and_function_has_a_row():
    covered = set(TABLE) | {name for row in ROWS for name in row.covers}
    assert len(TABLE) == len(ROWS), "a name has two rows"
    missing = sorted((OPS.keys() | F.keys()) - covered)
    assert not missing, f"graphc/conformance/rows has no row for: {', '.join(missing)}"
    unknown = sorted(covered - OPS.keys() - F.keys())
    assert not unknown, f"graphc/conformance/rows has rows for what does not exist: {', '.join(unknown)}"


def test_rows_say_something():
    for row in GENERATED:
        assert row.edges or row.oracle, f"the row of {row.name} has neither edges nor an oracle"


def test_the_table_names_the_dtypes_of_today():
    assert set(EVERY) == set(DTYPES)
