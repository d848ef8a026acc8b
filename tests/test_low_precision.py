"""float16, bfloat16 and float8: how they are stored and converted, and that ops compute in float32 and round once."""

import math

import ml_dtypes
import numpy as np
import pytest

import graphc as gc
from graphc.conformance.rows import ROWS
from graphc.conformance.table import FLOAT8, LOW
from graphc.conformance.values import operands, placeholders
from graphc.errors import DTypeError, FeedTypeError, GraphcError, UnsupportedError
from graphc.ir.dtype import DTYPES, as_dtype, promote
from graphc.ir.opdef import FUNCTIONS as F
from graphc.ir.text import parse_graph, print_graph
from graphc.reference import evaluate
from graphc.session.standalone import compile_function

inf, nan = math.inf, math.nan
STORED = (*LOW, *FLOAT8)
NUMPY = {name: DTYPES[name].numpy for name in STORED}
each_stored = pytest.mark.parametrize("dtype", STORED)
each_low = pytest.mark.parametrize("dtype", LOW)


def run(outputs, xs, arrays, backend="numpy"):
    return list(compile_function(list(outputs), xs, backend=backend)(*arrays))


def rounded(value, dtype):
    """A float32 value in a dtype that is only stored."""
    with np.errstate(all="ignore"):
        return np.asarray(value, np.float32).astype(NUMPY[dtype])


def assert_same(got, expected, what=""):
    """Bit for bit, but for those of a NaN."""
    assert got.dtype == expected.dtype, f"{what}: {got.dtype}, expected {expected.dtype}"
    assert got.shape == expected.shape, what
    if got.dtype.name in STORED:
        got, expected = got.astype(np.float32), expected.astype(np.float32)
    np.testing.assert_array_equal(got, expected, err_msg=what)
    if got.dtype.kind == "f":
        known = ~np.isnan(got)
        np.testing.assert_array_equal(np.signbit(got[known]), np.signbit(expected[known]), err_msg=what)


# --- the law: computed in float32, rounded once ---------------------------------------------------------------

BY_THE_LAW = [
    row for row in ROWS if row.name in F and "float32" in row.dtypes and row.samples and row.samples[0].shapes
]


def wide_and_low(row, sample, dtype):
    """Two calls of a row: on numbers of a dtype, and on the same numbers in float32. `None` where it has no floats."""
    arrays = operands(row, sample, "float32")
    low = [rounded(a, dtype) if a.dtype == np.float32 else a for a in arrays]
    wide = [a.astype(np.float32) if a.dtype == NUMPY[dtype] else a for a in low]
    if all(a is b for a, b in zip(arrays, low, strict=True)):
        return None
    return low, wide


def expected_of(value, dtype, kwargs):
    """Results of float32 are rounded, unless the call asked for them."""
    wanted = value.dtype == np.float32 and kwargs.get("dtype") is None
    return rounded(value, dtype) if wanted else value


@each_low
@pytest.mark.parametrize("row", BY_THE_LAW, ids=lambda row: row.name)
def test_functions_compute_in_float32_and_round_once(row, dtype):
    for sample in row.samples[:4]:
        both = wide_and_low(row, sample, dtype)
        if both is None:
            continue
        low, wide = both
        xs, ws = placeholders(low), placeholders(wide)
        y, w = row.function(*xs, **sample.kwargs), row.function(*ws, **sample.kwargs)
        (found,) = evaluate([y], dict(zip(xs, low, strict=True)))
        (value,) = evaluate([w], dict(zip(ws, wide, strict=True)))
        assert_same(found, expected_of(value, dtype, sample.kwargs), f"{row.name} {sample}")
        if sample is row.samples[0]:
            assert_same(run([y], xs, low)[0], found, f"{row.name} {sample} on numpy")


CHAINS = {
    "rounded at each step": lambda x, y, z: x * y + z,
    "overflow": lambda x, y, z: (x * 1e4) * y / 1e4,
    "a sum and a mean": lambda x, y, z: gc.sum(x * y) + gc.mean(z, axis=0) * x,
    "a matrix product": lambda x, y, z: x[:, None] @ y[None] @ z[:, None],
    "softmax": lambda x, y, z: gc.nn.softmax(x * y) * z + gc.exp(-z),
    "layout": lambda x, y, z: gc.concat([x[::-1], gc.where(y > z, y, z)]) * 3.0,
    "gradients": lambda x, y, z: gc.gradients(gc.sum(gc.tanh(x * y) * z), [x, y, z])[1],
}  # fmt: skip
VALUES = [np.linspace(-3, 3, 33), np.linspace(0.3, 17, 33), np.linspace(-0.7, 5, 33)]


@each_low
@pytest.mark.parametrize("name", CHAINS)
def test_chains_on_numpy(name, dtype):
    arrays = [rounded(value, dtype) for value in VALUES]
    xs = placeholders(arrays)
    y = CHAINS[name](*xs)
    assert y.dtype.name == dtype
    assert_same(run([y], xs, arrays)[0], evaluate([y], dict(zip(xs, arrays, strict=True)))[0])


@pytest.mark.requires("jax")
@each_low
def test_chains_on_jax(dtype):
    """XLA drops pairs of conversions unless it is told not to: x * y + z would be rounded once."""
    arrays = [rounded(value, dtype) for value in VALUES]
    xs = placeholders(arrays)
    exact = ("rounded at each step", "overflow", "layout")
    outputs = [CHAINS[name](*xs) for name in exact]
    expected = evaluate(outputs, dict(zip(xs, arrays, strict=True)))
    for name, got, want in zip(exact, run(outputs, xs, arrays, "jax"), expected, strict=True):
        assert_same(got, want, name)
    assert (
        expected[0]
        != rounded(np.prod([a.astype(np.float32) for a in arrays[:2]], axis=0) + arrays[2].astype(np.float32), dtype)
    ).any()


@pytest.mark.requires("jax")
@each_low
def test_functions_on_jax(dtype):
    """A call of each row whose float32 answer XLA gives exactly would be luck: here within a unit of the last place."""
    outputs, leaves, arrays = [], [], []
    with gc.Graph():
        for row in BY_THE_LAW[:: 3 if dtype == "float16" else 5]:
            both = wide_and_low(row, row.samples[0], dtype)
            if both is None:
                continue
            xs = [gc.placeholder(f"{row.name}_{i}", a.shape, a.dtype) for i, a in enumerate(both[0])]
            outputs.append(row.function(*xs, **row.samples[0].kwargs))
            leaves += xs
            arrays += both[0]
    expected = evaluate(outputs, dict(zip(leaves, arrays, strict=True)))
    eps = float(ml_dtypes.finfo(NUMPY[dtype]).eps)
    for got, want in zip(run(outputs, leaves, arrays, "jax"), expected, strict=True):
        assert got.dtype == want.dtype
        if want.dtype == NUMPY[dtype]:
            np.testing.assert_allclose(got.astype(np.float64), want.astype(np.float64), rtol=eps, atol=1e-4)


# --- promotion ------------------------------------------------------------------------------------------------

PROMOTED = {
    ("float16", "float16"): "float16", ("float16", "bfloat16"): "float32", ("float16", "float32"): "float32",
    ("bfloat16", "float64"): "float64", ("int64", "float16"): "float16", ("bool", "bfloat16"): "bfloat16",
    ("uint8", "bfloat16"): "bfloat16",
}  # fmt: skip


@pytest.mark.parametrize(("pair", "expected"), list(PROMOTED.items()))
def test_promotion(pair, expected):
    first, second = map(as_dtype, pair)
    assert promote(first, second) is promote(second, first) is DTYPES[expected]
    x, y = placeholders([np.ones(2, first.numpy), np.ones(2, second.numpy)])
    for z in (x + y, y * x, gc.where(True, x, y), gc.maximum(x, y), gc.concat([x, y])):
        assert z.dtype is DTYPES[expected]


@each_low
def test_numbers_are_weak_and_numbers_of_that_dtype(dtype):
    (x,) = placeholders([rounded([1, 2], dtype)])
    for number in (2, 2.5, True, np.float64(2.5), np.float32(0.1), ml_dtypes.bfloat16(2.5)):
        assert (x * number).dtype.name == (number + x).dtype.name == gc.where(x > 1, x, number).dtype.name == dtype
    tenth = rounded(0.1, dtype).astype(np.float32)
    (got,) = evaluate([x * 0.1], {x: rounded([1, 3], dtype)})
    assert_same(got, rounded(np.float32([1, 3]) * tenth, dtype))
    assert (x < 2).dtype is gc.bool
    assert gc.isnan(x).dtype is gc.bool


@pytest.mark.parametrize(("dtype", "number"), [("float16", 70000.0), ("float16", -1e9), ("bfloat16", 3.4e38),
                                               ("float8_e5m2", 1e5), ("float8_e4m3fn", 500.0),
                                               ("float8_e4m3fn", inf)])  # fmt: skip
def test_a_number_that_does_not_fit_is_an_error(dtype, number):
    for make in (lambda: gc.asarray(number, dtype=dtype), lambda: gc.full((2,), number, dtype=dtype)):
        with pytest.raises(DTypeError, match="does not fit"):
            make()
    with gc.Graph():
        with pytest.raises(DTypeError):
            gc.Variable(np.array([1.0, number]), dtype=dtype)
        x = gc.placeholder("x", (1,), dtype)
    with pytest.raises(FeedTypeError):
        compile_function([x], [x], backend="numpy")([number])


@pytest.mark.parametrize("first", FLOAT8)
def test_float8_takes_part_in_no_arithmetic(first):
    (x,) = placeholders([np.ones((2, 2), NUMPY[first])])
    others = placeholders([np.ones((2, 2), np.float32), np.ones((2, 2), np.int8), np.ones((2, 2), NUMPY["float16"])])
    for function in ("add", "multiply", "less", "equal", "maximum", "matmul", "pow"):
        with pytest.raises(DTypeError, match=r"x\.astype\(gc\.float32\)"):
            F[function](x, x)
    for function in ("exp", "sqrt", "sum", "max", "mean", "softmax", "isnan", "argmax"):
        with pytest.raises(DTypeError):
            F[function](x)
    for other in others:
        for record in (lambda o: x + o, lambda o: gc.where(True, x, o), lambda o: gc.concat([x, o])):
            with gc.Graph(), pytest.raises((DTypeError, GraphcError), match=r"x\.astype\(gc\.float32\)|two graphs"):
                record(other)
    with pytest.raises(DTypeError, match="float8 where they are used"):
        gc.gradients(gc.sum(x.astype("float32")), x)


# --- conversion -----------------------------------------------------------------------------------------------

HALVES = {
    "float16": [(1 + 2**-11, 1.0), (1 + 3 * 2**-11, 1 + 2**-9), (65519.0, 65504.0), (65520.0, inf), (2**-25, 0.0),
                (2**-25 * 1.001, 2**-24), (-(2**-24), -(2**-24))],
    "bfloat16": [(1 + 2**-8, 1.0), (1 + 3 * 2**-8, 1 + 2**-6), (3.4e38, inf), (-3.38e38, -3.3762e38)],
    "float8_e4m3fn": [(1 + 2**-4, 1.0), (1 + 3 * 2**-4, 1.25), (464.0, 448.0), (465.0, nan), (inf, nan), (-1e9, nan),
                      (2**-10, 0.0), (2**-9, 2**-9)],
    "float8_e5m2": [(1 + 2**-3, 1.0), (1 + 3 * 2**-3, 1.5), (61439.0, 57344.0), (61440.0, inf), (2**-17, 0.0)],
}  # fmt: skip


@pytest.mark.parametrize("backend", ["reference", "numpy", pytest.param("jax", marks=pytest.mark.requires("jax"))])
@each_stored
def test_conversions_round_halves_to_even(dtype, backend):
    given, expected = (np.array(column, np.float32) for column in zip(*HALVES[dtype], strict=True))
    given, expected = np.append(given, [nan, -0.0]).astype(np.float32), np.append(expected, [nan, -0.0])
    (x,) = placeholders([given])
    y = x.astype(dtype)
    outputs = [y, y.astype("float32"), y.astype("float64"), x.astype("float64").astype(dtype)]
    found = evaluate(outputs, {x: given}) if backend == "reference" else run(outputs, [x], [given], backend)
    for value in found:
        assert_same(value, rounded(expected, dtype).astype(value.dtype), dtype)


@each_stored
def test_every_value_survives_the_way_to_float32_and_back(dtype):
    bits = np.arange(2 ** DTYPES[dtype].bits, dtype=np.uint64).astype(f"u{DTYPES[dtype].itemsize}")
    array = bits.view(NUMPY[dtype])
    (x,) = placeholders([array])
    wide = x.astype("float32")
    for back, value in (
        run([wide.astype(dtype), wide], [x], [array]),
        evaluate([wide.astype(dtype), wide], {x: array}),
    ):
        known = ~np.isnan(value)
        np.testing.assert_array_equal(back.view(bits.dtype)[known], bits[known])


@each_stored
def test_the_way_to_anything_else_is_by_float32(dtype):
    """So there is one law for all: int64 → float32 → bfloat16 may round twice."""
    large = np.array([2**24 + 1, 2**31 + 2**22 + 1, 3], np.int64)
    (x,) = placeholders([large])
    assert [node.dtype.name for node in (x.astype(dtype), x.astype(dtype).inputs[0])] == [dtype, "float32"]
    assert_same(evaluate([x.astype(dtype)], {x: large})[0], rounded(large.astype(np.float32), dtype))
    (y,) = placeholders([rounded([1.5, -2.5, 0.0], dtype)])
    outputs = [y.astype("int32"), y.astype(bool), y.astype("complex64"), gc.logical_not(y), y.astype("float16")]
    found = evaluate(outputs, {y: rounded([1.5, -2.5, 0.0], dtype)})
    assert [value.tolist() for value in found] == [
        [1, -2, 0], [True, True, False], [1.5, -2.5, 0], [False, False, True], [1.5, -2.5, 0],
    ]  # fmt: skip


# --- storage ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["numpy", pytest.param("jax", marks=pytest.mark.requires("jax"))])
@each_stored
def test_state_feeds_fetches_and_snapshots(dtype, backend):
    with gc.Graph() as graph:
        v = gc.Variable([1.5, -2.0], dtype=dtype, name="v")
        made = gc.Variable(gc.init.constant(0.5), shape=(3,), dtype=dtype, name="made")
        x = gc.placeholder("x", ("n",), dtype)
        step = gc.assign(v, (v.astype("float32") * 1.5).astype(dtype))
        moved = gc.concat([x[::-1], v, made])
    with gc.Session(graph, backend=backend) as session:
        assert_same(session.run(moved, feeds={x: [1, 0.5]}), rounded([0.5, 1, 1.5, -2, 0.5, 0.5, 0.5], dtype))
        session.run(step)
        snapshot = session.snapshot()
        assert_same(snapshot.values["v"], rounded([2.25, -3], dtype))
        session.run(step)
        session.restore(snapshot)
        assert_same(session.run(v), rounded([2.25, -3], dtype))
        fed = session.run(x, feeds={x: rounded([3, 4, 5], dtype)})
        assert_same(fed, rounded([3, 4, 5], dtype))
        with pytest.raises(FeedTypeError, match=r"\.astype\((ml_dtypes|np)\." + dtype):
            session.run(x, feeds={x: np.ones(2, np.float32)})


@each_stored
def test_text_form_keys_and_names(dtype):
    with gc.Graph():
        x = gc.placeholder("x", (3,), dtype)
        y = gc.concat([x, gc.asarray([1.5, -0.0, 2], dtype=dtype), gc.full((2,), 0.25, dtype=dtype)])
    recorded = compile_function([y], [x], backend="numpy").plan.recorded
    text = print_graph(recorded)
    assert dtype in text
    assert print_graph(parse_graph(text)) == text
    assert as_dtype(dtype) is as_dtype(NUMPY[dtype]) is as_dtype(NUMPY[dtype].type) is getattr(gc, dtype)
    assert repr(getattr(gc, dtype)) == dtype
    assert gc.asarray(np.ones(2, NUMPY[dtype])).dtype.name == dtype
    assert gc.asarray(NUMPY[dtype].type(1.5)).dtype is gc.float32, "numbers of NumPy are weak, as all numbers are"


def test_check_numerics_looks_at_what_is_stored():
    for dtype in STORED:
        array = rounded([1, nan], dtype)
        (x,) = placeholders([array])
        with pytest.raises(gc.errors.NumericsError):
            run([gc.check_numerics(x)], [x], [array])
        assert_same(run([gc.check_numerics(x[:1])], [x], [array])[0], array[:1])


@each_stored
def test_a_backend_without_them_says_so(dtype):
    from host_device import HostDevice

    from graphc_cupy import CupyBackend

    (x,) = placeholders([np.ones(2, NUMPY[dtype])])
    with pytest.raises(UnsupportedError, match=f"{dtype}: the backend neither stores it nor computes in it"):
        compile_function([x.astype("float32")], [x], backend=CupyBackend(HostDevice()))


@each_low
def test_gradients_have_the_dtype_of_their_operand(dtype):
    with gc.Graph():
        x = gc.placeholder("x", (3, 2), dtype)
        w = gc.placeholder("w", (2,), "float32")
        loss = gc.mean(gc.square(x @ w.astype(dtype)))
        for leaf, g in zip((x, w), gc.gradients(loss, [x, w]), strict=True):
            assert g.type == leaf.type


@pytest.mark.parametrize("dtype", [*STORED, "complex64"])
def test_optimisers_leave_no_variable_out_in_silence(dtype):
    with gc.Graph():
        w = gc.Variable([1.0, 2.0], dtype=dtype, name="w")
        v = gc.Variable([1.0, 2.0], name="v")
        loss = gc.sum(gc.real(w.astype("complex64") * v))
        with pytest.raises(DTypeError, match=r"'w' cannot be trained(.|\n)*trainable=False"):
            gc.optim.SGD(0.1).minimize(loss)
        gc.optim.SGD(0.1).minimize(loss, variables=[v])
