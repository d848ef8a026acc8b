"""Complex numbers: promotion, values, gradients in both directions of the plane, rules that must not fire, errors."""

import functools
import math

import numpy as np
import pytest

import graphc as gc
from graphc.autodiff import vjp
from graphc.conformance.rows import ROWS
from graphc.conformance.table import COMPLEX
from graphc.conformance.tolerances import DIFFERENCES, SAME_GRADIENT, STEP, VALUES, assert_close, tolerance_for
from graphc.conformance.values import operands, oracle_value, placeholders
from graphc.errors import DTypeError, UnsupportedError
from graphc.ir.dtype import ANY, DTYPES, as_dtype, names, promote
from graphc.ir.opdef import FUNCTIONS as F
from graphc.ir.opdef import OPS
from graphc.ir.text import parse_graph, print_graph
from graphc.reference import evaluate
from graphc.session.standalone import compile_function

inf, nan = math.inf, math.nan
TAKES = [row for row in ROWS if row.also and not row.elsewhere]
SMOOTH = [row for row in TAKES if row.gradient and "complex64" in row.also]


def run(outputs, xs, arrays, backend="numpy"):
    return list(compile_function(list(outputs), xs, backend=backend)(*arrays))


# --- values -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("row", "dtype"), [(row, dtype) for row in TAKES for dtype in row.also if row.oracle],
                         ids=lambda value: getattr(value, "name", value))  # fmt: skip
def test_values(row, dtype):
    """On the interpreter and on numpy, with static sizes and with symbolic ones."""
    tolerance = tolerance_for(row.name, row.tolerance, dtype)
    for sample in row.samples:
        arrays = operands(row, sample, dtype)
        xs = placeholders(arrays)
        y = row.function(*xs, **sample.kwargs)
        expected = oracle_value(row, sample, arrays, dtype)
        (known,) = evaluate([y], dict(zip(xs, arrays, strict=True)))
        (got,) = run([y], xs, arrays)
        for value in (known, got):
            assert_close(value, expected, tolerance, f"{row.name} {dtype} {sample}", signs=not tolerance.floor)


def _made(row, dtype, samples):
    """Placeholders, arrays and results of some calls in the current graph."""
    for number, sample in enumerate(samples):
        arrays = operands(row, sample, dtype)
        xs = [gc.placeholder(f"{row.name}{dtype}_{number}_{i}", a.shape, a.dtype) for i, a in enumerate(arrays)]
        yield xs, arrays, row.function(*xs, **sample.kwargs), oracle_value(row, sample, arrays, dtype)


PARTS = 6


@pytest.mark.requires("jax")
@pytest.mark.parametrize("part", range(PARTS))
def test_values_on_jax(part):
    with gc.Graph():
        cases = [
            (row, dtype, *case)
            for row in TAKES[part::PARTS]
            for dtype in row.also
            if row.oracle
            for case in _made(row, dtype, row.samples[:2])
        ]
    xs = [x for _, _, given, _, _, _ in cases for x in given]
    arrays = [array for _, _, _, given, _, _ in cases for array in given]
    found = run([y for *_, y, _ in cases], xs, arrays, "jax")
    for got, (row, dtype, *_, expected) in zip(found, cases, strict=True):
        tolerance = tolerance_for(row.name, row.tolerance, dtype)
        assert_close(got, expected, tolerance, f"{row.name} {dtype}", signs=False)


def both_backends(outputs, xs, arrays):
    yield evaluate(outputs, dict(zip(xs, arrays, strict=True)))
    yield run(outputs, xs, arrays)


def test_parts_are_put_together_and_taken_apart_with_all_their_bits():
    re = np.array([inf, -0.0, nan, 1e300, -1.0])
    im = np.array([nan, -0.0, inf, -inf, 0.0])
    xs = placeholders([re, im])
    z = gc.complex(*xs)
    for real, imag, size in both_backends([gc.real(z), gc.imag(z), gc.abs(z)], xs, [re, im]):
        assert_close(real, re, VALUES["exact"])
        assert_close(imag, im, VALUES["exact"])
        assert_close(size, np.array([inf, 0.0, inf, inf, 1.0]), VALUES["exact"])


@pytest.mark.requires("jax")
@pytest.mark.parametrize("dtype", COMPLEX)
def test_sizes_and_branches_on_jax(dtype):
    """XLA has NaN for the size of inf + nan i, and loses the side of the cut of −4 − 0 i."""
    z = np.array([complex(inf, nan), complex(nan, -inf), complex(-4, 0.0), complex(-4, -0.0), 0, 3 + 4j], dtype)
    (x,) = placeholders([z])
    size, root, logarithm, angle = run([gc.abs(x), gc.sqrt(x), gc.log(x), gc.angle(x)], [x], [z], "jax")
    assert size.tolist() == [inf, inf, 4, 4, 0, 5]
    assert root[2:].tolist() == [2j, -2j, 0, 2 + 1j]
    with np.errstate(all="ignore"):
        expected = np.log(z).imag, np.angle(z)
    for found, want in zip((logarithm.imag, angle), expected, strict=True):
        np.testing.assert_allclose(found[2:], want[2:], rtol=1e-6)


def test_angles():
    z = np.array([1j, complex(-1, -0.0), complex(-1, 0.0), complex(-inf, inf), complex(0, nan), 0j])
    (x,) = placeholders([z])
    expected = np.array([math.pi / 2, -math.pi, math.pi, 0.75 * math.pi, nan, 0.0])
    for (found,) in both_backends([gc.angle(x)], [x], [z]):
        assert_close(found, expected, VALUES["elementary"])


def test_a_part_may_be_a_number_or_broadcast():
    (x,) = placeholders([np.array([[1.0], [2.0]], np.float32)])
    for z, expected in (
        (gc.complex(x, 2.0), [[1 + 2j], [2 + 2j]]),
        (gc.complex(0, x), [[1j], [2j]]),
        (gc.complex(x, x[:, 0]), [[1 + 1j, 1 + 2j], [2 + 1j, 2 + 2j]]),
    ):
        assert z.dtype is gc.complex64
        assert evaluate([z], {x: np.array([[1.0], [2.0]], np.float32)})[0].tolist() == expected


def test_equality_finiteness_and_truth():
    z = np.array([complex(nan, 1), complex(1, inf), complex(1, 2), complex(-0.0, 0.0), 0j], np.complex64)
    (x,) = placeholders([z])
    outputs = [x == x, x != x, gc.isnan(x), gc.isinf(x), gc.isfinite(x), gc.logical_not(x), x == 0, x.astype(bool)]
    expected = [
        [False, True, True, True, True], [True, False, False, False, False], [True, False, False, False, False],
        [False, True, False, False, False], [False, False, True, True, True], [False, False, False, True, True],
        [False, False, False, True, True], [True, True, True, False, False],
    ]  # fmt: skip
    for found in both_backends(outputs, [x], [z]):
        assert [value.tolist() for value in found] == expected


@pytest.mark.requires("jax")
def test_equality_finiteness_and_truth_on_jax():
    z = np.array([complex(nan, 1), complex(1, inf), complex(1, 2), complex(-0.0, 0.0), 0j], np.complex64)
    (x,) = placeholders([z])
    outputs = [x == x, gc.isnan(x), gc.isinf(x), gc.isfinite(x), x.astype(bool), gc.check_numerics(x[2:])]
    expected = evaluate(outputs, {x: z})
    for got, want in zip(run(outputs, [x], [z], "jax"), expected, strict=True):
        assert got.tolist() == want.tolist()


# --- dtypes -------------------------------------------------------------------------------------------------

PROMOTED = {
    ("complex64", "complex128"): "complex128", ("complex64", "float32"): "complex64",
    ("complex64", "float64"): "complex128", ("complex128", "float32"): "complex128",
    ("bool", "complex64"): "complex64", ("int64", "complex64"): "complex64", ("uint8", "complex128"): "complex128",
    ("float16", "complex64"): "complex64", ("bfloat16", "complex128"): "complex128",
}  # fmt: skip


@pytest.mark.parametrize(("pair", "expected"), list(PROMOTED.items()))
def test_promotion(pair, expected):
    first, second = map(as_dtype, pair)
    assert promote(first, second) is promote(second, first) is DTYPES[expected]
    x, y = placeholders([np.ones(2, first.numpy), np.ones(2, second.numpy)])
    assert (x * y).dtype is (y + x).dtype is DTYPES[expected]
    assert gc.where(True, x, y).dtype is gc.concat([x, y]).dtype is DTYPES[expected]


@pytest.mark.parametrize(
    ("dtype", "number", "expected"),
    [("float32", 1j, "complex64"), ("float64", 1j, "complex128"), ("float64", np.complex64(1j), "complex128"),
     ("complex64", 2, "complex64"), ("complex64", 2.5, "complex64"), ("complex64", np.float64(2.5), "complex64"),
     ("complex64", np.complex128(1j), "complex64"), ("complex128", 1j, "complex128"), ("int64", 1j, "complex64"),
     ("bool", 1j, "complex64"), ("float16", 1j, "complex64"), ("complex64", True, "complex64")],
)  # fmt: skip
def test_numbers_are_weak(dtype, number, expected):
    (x,) = placeholders([np.ones(2, dtype)])
    for y in (x * number, number + x, gc.where(x == 1, x, number)):
        assert y.dtype.name == expected
    assert evaluate([x * number], {x: np.ones(2, dtype)})[0].tolist() == [np.asarray(number, expected)] * 2


def test_bare_numbers_arrays_and_lists():
    assert gc.asarray(1j).dtype is gc.asarray([1, 2.5, 1j]).dtype is gc.complex64
    assert gc.asarray(np.ones(2, complex)).dtype is gc.complex128
    assert gc.asarray(1.5, dtype=complex).dtype is gc.complex64
    assert gc.zeros((2,), dtype=gc.complex64).dtype is gc.ones_like(gc.asarray([1j])).dtype is gc.complex64
    assert gc.asarray([1.5], dtype="float64").astype("complex64").dtype is gc.complex64
    assert repr(gc.complex64) == "complex64"
    assert gc.complex128.itemsize == 16
    assert names(frozenset({gc.complex64, gc.complex128})) == "complex64 or complex128"


@pytest.mark.parametrize("name", ["less", "less_equal", "greater", "greater_equal", "minimum", "maximum", "remainder",
                                  "floor_divide"])  # fmt: skip
def test_complex_numbers_have_no_order(name):
    z, w = placeholders([np.ones(2, np.complex64), np.ones(2)])
    for operands_ in ((z, z), (z, w), (w, 1j)):
        with pytest.raises(DTypeError, match=rf"{name} does not take complex(64|128)(.|\n)*gc.real"):
            F[name](*operands_)


@pytest.mark.parametrize("name", ["floor", "round", "min", "max", "argmin", "argmax", "softmax", "var", "logsumexp",
                                  "sigmoid", "erf", "gelu"])  # fmt: skip
def test_functions_of_real_numbers_say_so(name):
    (z,) = placeholders([np.ones((2, 2), np.complex64)])
    with pytest.raises(DTypeError):
        F[name](z)


def test_a_complex_number_becomes_real_by_name_only():
    (z,) = placeholders([np.ones(2, np.complex64)])
    for target in ("float32", "float64", "int64", "float16"):
        with pytest.raises(DTypeError, match=r"gc.real\(x\), gc.imag\(x\), gc.abs\(x\)"):
            z.astype(target)
    with pytest.raises(DTypeError):
        gc.asarray(1j, dtype="float32")
    with gc.Graph(), pytest.raises(DTypeError, match=r"array\.real"):
        gc.Variable(np.ones(2, complex), dtype="float32")
    with pytest.raises(DTypeError, match="complex does not take complex64"):
        gc.complex(z, 1.0)


def test_state_feeds_and_text():
    with gc.Graph() as graph:
        v = gc.Variable([1 + 2j, -3j], name="v")
        x = gc.placeholder("x", (2,), complex)
        step = gc.assign(v, v * x + np.array([complex(nan, -0.0), complex(inf, 1)], np.complex64))
    with gc.Session(graph) as session:
        session.run(step, feeds={x: [1, 2.5j]})
        snapshot = session.snapshot()
        assert snapshot.values["v"].dtype == np.complex64
        assert session.run(v)[1] == complex(inf, 1) + 7.5
        session.run(step, feeds={x: [1, 1]})
        session.restore(snapshot)
        assert session.run(v).tobytes() == snapshot.values["v"].tobytes()
        with pytest.raises(gc.errors.FeedTypeError, match=r"np\.complex64"):
            session.run(v * x, feeds={x: np.ones(2, np.complex128)})
        recorded = session.compile([v * x], [x]).plan.recorded
    text = print_graph(recorded)
    assert print_graph(parse_graph(text)) == text


def test_a_backend_without_complex_numbers_says_so():
    from host_device import HostDevice

    from graphc_cupy import CupyBackend

    (z,) = placeholders([np.ones(2, np.complex64)])
    with pytest.raises(UnsupportedError, match="complex64: the backend neither stores it nor computes in it"):
        compile_function([z * z], [z], backend=CupyBackend(HostDevice()))


# --- gradients ----------------------------------------------------------------------------------------------


def weights_like(rng, node):
    weight = rng.uniform(0.5, 1.5, node.shape) * rng.choice([-1, 1], node.shape)
    return weight + 1j * rng.uniform(0.5, 1.5, node.shape) if node.dtype.kind == "complex" else weight


def weighted(values, weights):
    """Re Σ conj(w) · y: the loss whose gradient with regard to y is w."""
    return [float(np.sum((np.conj(w) * y).real)) for y, w in zip(values, weights, strict=True)]


def slope(outputs, weights, xs, arrays, directions):
    """By central differences, and the size of what cancels in it."""

    def moved(step):
        return [array + step * directions[i] if i in directions else array for i, array in enumerate(arrays)]

    ahead, behind = (
        weighted(evaluate(outputs, dict(zip(xs, moved(step), strict=True))), weights) for step in (STEP, -STEP)
    )
    size = sum(map(abs, ahead))
    return (sum(ahead) - sum(behind)) / (2 * STEP), size


def check(order, outputs, xs, arrays, wrt, context, rng):
    """Gradients against differences along a random direction: of the real parts, and of the imaginary ones."""
    weights = [weights_like(rng, y) for y in outputs]
    cotangents = [gc.asarray(np.asarray(w, y.dtype.numpy)) for w, y in zip(weights, outputs, strict=True)]
    found = vjp(outputs, [xs[i] for i in wrt], cotangents)
    for i, g in zip(wrt, found, strict=True):
        assert g is None or g.type == xs[i].type, f"{context}: a gradient of {g.type} for {xs[i].type}"
        assert g is not None or order > 1, f"{context}: no gradient for operand {i}"
    there = [(i, g) for i, g in zip(wrt, found, strict=True) if g is not None]  # of what is linear there is none
    values = evaluate([g for _, g in there], dict(zip(xs, arrays, strict=True)))
    for part in (1, 1j):
        directions = {
            i: rng.uniform(0.5, 1.5, arrays[i].shape) * (part if arrays[i].dtype.kind == "c" else 1) for i in wrt
        }
        numeric, size = slope(outputs, weights, xs, arrays, directions)
        got = sum(weighted(values, [directions[i] for i, _ in there]))
        allowed = DIFFERENCES[order] * (1 + abs(numeric) + size)
        assert abs(got - numeric) <= allowed, f"{context}, order {order}, {part}: {got!r}, differences {numeric!r}"
    return [g for _, g in there]


def check_orders(function, arrays, wrt, context):
    xs = placeholders(arrays)
    y = function(*xs)
    rng = np.random.default_rng(5)
    if y.size:
        gradients = check(1, [y], xs, arrays, wrt, context, rng)
        check(2, gradients, xs, arrays, wrt, context, rng)


@pytest.mark.parametrize("row", SMOOTH, ids=lambda row: row.name)
def test_gradients_against_differences(row):
    for sample in row.samples[:5]:
        arrays = operands(row, sample, "complex128")
        wrt = [i for i in row.gradient if i < len(arrays)]
        check_orders(functools.partial(row.function, **sample.kwargs), arrays, wrt, f"{row.name} {sample}")


Z = np.array([0.5 + 1.25j, -1.5 + 0.75j, 0.25 - 2j])
BY_HAND = {
    "imag": (gc.imag, [Z]),
    "angle": (gc.angle, [Z]),
    "real of a product": (lambda z: gc.real(z * z), [Z]),
    "complex": (gc.complex, [Z.real.copy(), Z.imag.copy()]),
    "complex of its parts, curved": (lambda z: gc.complex(gc.real(z) * gc.imag(z), gc.abs(z)), [Z]),
    "conj in a product": (lambda z: z * gc.conj(z) * z, [Z]),
    "abs": (gc.abs, [Z]),
    "abs of a function": (lambda z: gc.abs(gc.exp(z) + z), [Z]),
    "a real operand": (lambda x, z: gc.exp(x * z), [Z.real.copy(), Z]),
    "a real base": (lambda x, z: gc.abs(x) ** z, [Z.real.copy(), Z]),
    "a conversion": (lambda x: gc.abs(x.astype("complex128") * (1 + 2j)), [Z.real.copy()]),
    "sign": (gc.sign, [Z]),
    "where": (lambda z: gc.where(gc.real(z) > 0, z * z, gc.conj(z)), [Z]),
    "matrix": (lambda a, b: gc.sum(gc.abs(a @ b) * 2.0), [np.outer(Z, Z) + 1, np.outer(Z, Z.conj()) - 1j]),
    "slices": (lambda z: z[::-1] * z[:1] + gc.concat([z[1:], gc.pad(z, 1)[:1]]), [Z]),
}  # fmt: skip


@pytest.mark.parametrize("name", BY_HAND)
def test_gradients_of_compositions(name):
    function, arrays = BY_HAND[name]
    check_orders(function, arrays, range(len(arrays)), name)


def test_the_gradient_points_uphill():
    """∂L/∂Re z + i ∂L/∂Im z: that of |z|² is 2 z, and z − lr · gradient descends."""
    (z,) = placeholders([Z])
    for loss in (gc.sum(gc.square(gc.abs(z))), gc.sum(gc.real(z * gc.conj(z)))):
        g = gc.gradients(loss, z)
        np.testing.assert_allclose(evaluate([g], {z: Z})[0], 2 * Z, rtol=SAME_GRADIENT)


def test_the_gradient_at_zero():
    (z,) = placeholders([np.zeros(2, complex)])
    g = gc.gradients(gc.sum(gc.abs(z)), z)
    assert evaluate([g], {z: np.zeros(2, complex)})[0].tolist() == [0, 0]


def test_a_loss_is_real():
    (z,) = placeholders([Z])
    with pytest.raises(DTypeError, match="a loss must be real"):
        gc.gradients(gc.sum(z * z), z)
    g = gc.gradients(z * z, z, grad_ys=gc.ones_like(z))
    np.testing.assert_allclose(evaluate([g], {z: Z})[0], 2 * Z.conj(), rtol=SAME_GRADIENT)


@pytest.mark.requires("jax")
def test_gradients_on_jax():
    outputs, leaves, arrays = [], [], []
    with gc.Graph():
        for number, (function, given) in enumerate(BY_HAND.values()):
            xs = [gc.placeholder(f"x{number}_{i}", a.shape, a.dtype) for i, a in enumerate(given)]
            y = function(*xs)
            outputs += vjp([y], xs, [gc.asarray(weights_like(np.random.default_rng(1), y))])
            leaves += xs
            arrays += given
    expected = evaluate(outputs, dict(zip(leaves, arrays, strict=True)))
    for got, want in zip(run(outputs, leaves, arrays, "jax"), expected, strict=True):
        np.testing.assert_allclose(got, want, rtol=SAME_GRADIENT, atol=SAME_GRADIENT)


# --- rules that are true of real numbers only -----------------------------------------------------------------

REAL_ONLY = {
    "sqrt(x·x) = |x|": lambda z: gc.sqrt(z * z),
    "log(exp(x)) = x": lambda z: gc.log(gc.exp(z * 3.0)),
    "log(x + 1)": lambda z: gc.log(z + 1.0),
    "exp(x) - 1": lambda z: gc.exp(z) - 1.0,
    "1 / (exp(-x) + 1)": lambda z: 1.0 / (gc.exp(-z) + 1.0),
    "softmax": lambda z: gc.exp(z) / gc.sum(gc.exp(z), axis=0, keepdims=True),
    "logsumexp": lambda z: gc.log(gc.sum(gc.exp(z * 4.0))),
    "1 / sqrt(x)": lambda z: 1.0 / gc.sqrt(z),
    "x^2": lambda z: z**2.0,
    "x^0.5": lambda z: z**0.5,
    "x · 1, x / 1, x · -1, x - 0": lambda z: z * 1.0 + z / 1.0 + z * -1.0 + (z - 0.0),
    "x / 4": lambda z: z / 4.0,
    "x - c": lambda z: z - (1 + 2j),
    "(-x) · y": lambda z: -z * gc.conj(z),
    "x · y and y · x": lambda z: z * gc.conj(z) - gc.conj(z) * z,
    "-(-x)": lambda z: gc.negative(-z) - (-z),
    "folded": lambda z: z * (gc.asarray([1j, 2, 3 + 1j]) * 2.0) + gc.sqrt(gc.asarray(-1 + 0j)),
    "a sum over nothing": lambda z: gc.sum(z, axis=()) + gc.sum(z[:, None], axis=1),
}  # fmt: skip


@pytest.mark.parametrize("exactness", ["exact", "all"])
@pytest.mark.parametrize("name", REAL_ONLY)
def test_rules_of_real_numbers_leave_complex_ones_alone(name, exactness):
    z = np.array([0.5 + 2.5j, -1.5 - 0.75j, 0.25 - 2j])
    (x,) = placeholders([z])
    y = REAL_ONLY[name](x)
    classes = {"exactness": "exact"} if exactness == "exact" else {"exactness": "fast"}
    got = compile_function([y], [x], backend="numpy", options=gc.CompileOptions(**classes))(z)[0]
    (expected,) = evaluate([y], {x: z})
    np.testing.assert_allclose(got, expected, rtol=SAME_GRADIENT, atol=SAME_GRADIENT)


def test_infinities_are_not_lost_to_rules():
    z = np.array([complex(inf, 1), complex(1, -inf), complex(nan, 2)])
    (x,) = placeholders([z])
    outputs = [x * 1.0, x / 4.0, x * -1.0, x * 0.0, x - x, -x * x]
    found = run(outputs, [x], [z])
    for got, want in zip(found, evaluate(outputs, {x: z}), strict=True):
        np.testing.assert_array_equal(got, want)


OF_THEIR_OWN = {"check_numerics", "linear_recurrence", *(row.name for row in ROWS if row.elsewhere)}


def test_the_table_names_what_takes_complex_numbers():
    """Ops that say so have rows that say so."""
    by_row = {name for row in TAKES for name in (row.name, *row.covers)}
    takes = {name for name, op in OPS.items() if gc.complex64 in op.dtypes and op.dtypes != ANY}
    missing = sorted((takes & F.keys()) - by_row - OF_THEIR_OWN)
    assert not missing, missing


def test_groups_of_elementwise_ops():
    """Blocks of two elements, with complex numbers and their sizes in one group."""
    from small_groups import SmallGroups

    outputs, leaves, arrays = [], [], []
    with gc.Graph():
        for number, (function, given) in enumerate(BY_HAND.values()):
            xs = [gc.placeholder(f"x{number}_{i}", a.shape, a.dtype) for i, a in enumerate(given)]
            outputs.append(function(*xs))
            leaves += xs
            arrays += given
    compiled = compile_function(outputs, leaves, backend=SmallGroups())
    expected = evaluate(outputs, dict(zip(leaves, arrays, strict=True)))
    for got, want in zip(compiled(*arrays), expected, strict=True):
        np.testing.assert_allclose(got, want, rtol=SAME_GRADIENT, atol=0)
    assert compiled.plan.fusion.groups
