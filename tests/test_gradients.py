"""Gradients of every op of `graphc/conformance/rows` against central differences in float64, first and second order."""

import math

import numpy as np
import pytest

import graphc as gc
from graphc.autodiff import jvp, require_scalar, vjp
from graphc.builder.graph import Graph, placeholder
from graphc.conformance.rows import ROWS, TABLE
from graphc.conformance.table import FLOATS, S
from graphc.conformance.tolerances import DIFFERENCES, SAME_GRADIENT, STEP
from graphc.conformance.values import operands, placeholders
from graphc.errors import ArgumentError, GradientNotImplementedError, NotDifferentiableError, ShapeError
from graphc.ir.dtype import FLOAT
from graphc.ir.opdef import FUNCTIONS as F
from graphc.ir.opdef import OPS, Kind, OpDef
from graphc.ir.tensor import apply
from graphc.ir.walk import toposort
from graphc.ops.activation import softmax_cross_entropy
from graphc.ops.structure import projections
from graphc.reference import evaluate

inf, nan = math.inf, math.nan


def gradients(function, arrays, cotangent=None, wrt=None):
    """Values of the gradients of `function(*tensors)`; `None` where nothing is connected."""
    xs = placeholders([np.asarray(array) for array in arrays])
    y = function(*xs)
    if cotangent is None:
        cotangent = np.ones(y.shape)
    found = vjp([y], [xs[i] for i in wrt or range(len(xs))], [constant(cotangent, y.dtype)])
    return values([g for g in found if g is not None], xs, arrays, found)


def constant(value, dtype):
    return F["asarray"](np.asarray(value, dtype.numpy))


def values(tensors, xs, arrays, pattern=None):
    computed = iter(evaluate(tensors, {x: np.asarray(a) for x, a in zip(xs, arrays, strict=True)}))
    return list(computed) if pattern is None else [None if g is None else next(computed) for g in pattern]


class Directional:
    """A weighted sum of tensors as a function of some placeholders, moved along a random direction."""

    def __init__(self, outputs, weights, xs, arrays, wrt, rng):
        self.outputs, self.weights, self.xs, self.arrays = outputs, weights, xs, arrays
        shapes = {i: arrays[i].shape for i in wrt}
        self.directions = {i: rng.uniform(0.5, 1.5, n) * rng.choice([-1, 1], n) for i, n in shapes.items()}

    def numeric(self):
        """The derivative by central differences, and the size of what cancels in it."""
        ahead, behind = self._terms(STEP), self._terms(-STEP)
        slope = sum(float(np.sum(a - b)) for a, b in zip(ahead, behind, strict=True)) / (2 * STEP)
        return slope, sum(float(np.abs(a).sum()) for a in ahead)

    def _terms(self, step):
        moved = [
            array + step * self.directions[i] if i in self.directions else array for i, array in enumerate(self.arrays)
        ]
        found = values(self.outputs, self.xs, moved)
        return [value * weight for value, weight in zip(found, self.weights, strict=True)]

    def analytic(self, gradients):
        """The same from gradients, one per direction; `None` counts as zero."""
        pairs = zip(gradients, self.directions.values(), strict=True)
        return sum(float(np.sum(g * d)) for g, d in pairs if g is not None)


def check_order(order, outputs, weights, xs, arrays, wrt, rng, context):
    """Compares the gradient of Σ weights · outputs with differences; returns its graph."""
    cotangents = [constant(weight, FLOAT64) for weight in weights]
    found = vjp(outputs, [xs[i] for i in wrt], cotangents)
    for i, g in zip(wrt, found, strict=True):
        assert g is None or g.type == xs[i].type, f"{context}: the gradient is a {g.type}, the operand a {xs[i].type}"
    weighted = Directional(outputs, weights, xs, arrays, wrt, rng)
    slope, size = weighted.numeric()
    got = weighted.analytic(values([g for g in found if g is not None], xs, arrays, found))
    allowed = DIFFERENCES[order] * (1 + abs(slope) + size)
    assert abs(got - slope) <= allowed, f"{context}, order {order}: gradient {got!r}, differences {slope!r}"
    return found


FLOAT64 = next(dtype for dtype in FLOAT if dtype.bits == 64)
SMOOTH = [row for row in ROWS if row.gradient]


def check_row(function, row, sample, orders=2, wrt=None):
    arrays = operands(row, sample, "float64")
    rng = np.random.default_rng(7)
    xs = placeholders(arrays)
    y = function(*xs, **sample.kwargs)
    wrt = [i for i in (row.gradient if wrt is None else wrt) if i < len(xs)]
    if y.dtype is not FLOAT64 or not np.isfinite(values([y], xs, arrays)[0]).all():
        return  # no float, or the mean of nothing
    outputs = [y]
    for order in range(1, orders + 1):
        weights = [rng.uniform(0.5, 1.5, node.shape) for node in outputs]
        found = check_order(order, outputs, weights, xs, arrays, wrt, rng, f"{row.name} {sample}")
        if order == 1:
            missing = [i for i, g in zip(wrt, found, strict=True) if g is None]
            assert not missing, f"{row.name} {sample}: no gradient arrives at the operands {missing}"
        outputs = [g for g in found if g is not None]


@pytest.mark.parametrize("row", SMOOTH, ids=lambda row: row.name)
def test_gradient_against_differences(row):
    for sample in row.samples:
        check_row(row.function, row, sample)


@pytest.mark.parametrize("row", SMOOTH, ids=lambda row: row.name)
def test_gradient_of_a_composition(row):
    """tanh before and exp behind: neither the cotangent that arrives nor the way to the leaf is constant."""
    sample = row.samples[0]

    def around(*xs, **kwargs):
        near = [F["tanh"](x) * 1.0 + x if i in row.gradient else x for i, x in enumerate(xs)]
        return F["exp"](row.function(*near, **kwargs) * 0.25)

    shifted = TABLE[row.name]
    arrays = operands(shifted, sample, "float64")
    halves = [array / 2 if i in row.gradient and (array > 0).all() else array for i, array in enumerate(arrays)]
    xs = placeholders(halves)
    y = around(*xs, **sample.kwargs)
    if y.dtype is not FLOAT64:
        return
    rng = np.random.default_rng(3)
    wrt = [i for i in row.gradient if i < len(xs)]
    check_order(1, [y], [rng.uniform(0.5, 1.5, y.shape)], xs, halves, wrt, rng, f"exp({row.name}(x + tanh(x)))")


@pytest.mark.parametrize("row", SMOOTH, ids=lambda row: row.name)
def test_gradient_of_float32_is_float32(row):
    sample = row.samples[0]
    arrays = operands(row, sample, "float32")
    xs = placeholders(arrays)
    y = row.function(*xs, **sample.kwargs)
    if y.dtype not in FLOAT:
        return
    wrt = [i for i in row.gradient if i < len(xs)]
    for i, g in zip(wrt, vjp([y], [xs[i] for i in wrt], [F["ones_like"](y)]), strict=True):
        assert g.type == xs[i].type


# --- composites -----------------------------------------------------------------------------------

COMPOSITES = [op.name for op in OPS.values() if op.decompose is not None and op.vjp is not None]


@pytest.mark.parametrize("name", COMPOSITES)
def test_gradient_of_a_composite_is_that_of_its_parts(name):
    row = TABLE[name]
    wrt = row.gradient
    for sample in row.samples:
        arrays = operands(row, sample, "float64")
        xs = placeholders(arrays)
        whole = row.function(*xs, **sample.kwargs)
        node = next(found for found in toposort([whole]) if found.op.name == name)
        parts = node.op.decompose(node)
        wholes, parts = (projections(node), parts) if isinstance(parts, tuple) else ((node,), (parts,))
        rng = np.random.default_rng(5)
        cts = [constant(rng.uniform(-1, 1, part.shape), FLOAT64) for part in parts]
        leaves = [xs[i] for i in wrt]
        for own, other in zip(vjp(wholes, leaves, cts), vjp(parts, leaves, cts), strict=True):
            a, b = values([own, other], xs, arrays)
            np.testing.assert_allclose(a, b, rtol=SAME_GRADIENT, atol=SAME_GRADIENT, err_msg=f"{name} {sample}")


def test_second_order_of_cross_entropy_goes_through_its_residual():
    """The Hessian of logsumexp is diag(p) - p pᵀ, whatever the label."""
    logits, labels = np.array([0.3, -1.0, 2.0]), np.array(1)
    x, y = placeholders([logits, labels])
    (g,) = vjp([softmax_cross_entropy(x, y)], [x], [constant(1.0, FLOAT64)])
    rows = [vjp([g], [x], [constant(np.eye(3)[i], FLOAT64)])[0] for i in range(3)]
    hessian = np.stack(values(rows, [x, y], [logits, labels]))
    p = np.exp(logits) / np.exp(logits).sum()
    np.testing.assert_allclose(hessian, np.diag(p) - np.outer(p, p), rtol=SAME_GRADIENT, atol=SAME_GRADIENT)


@pytest.mark.parametrize(
    "function",
    [
        lambda x, w: F["log"](F["softmax"](x @ w)),
        lambda x, w: F["gelu"](F["tanh"](x) @ w, approximate=True) / F["std"](x),
        lambda x, w: F["logsumexp"](x * x, axis=1, keepdims=True) * F["sigmoid"](w[0]),
        lambda x, w: F["sqrt"](F["sum"](F["square"](x - F["mean"](x, axis=0)), axis=0)) * F["var"](w),
        lambda x, w: F["concat"]([x, w.T])[::2] * F["prod"](x, axis=1)[0],
        lambda x, w: F["where"](x > 0, F["pow"](F["abs"](x), 1.5), F["expm1"](x)) @ F["softplus"](w),
        lambda x, w: x[:, None, :] * w.T[None] + F["take"](x, np.array([0, 0]), axis=0)[:, None],
        lambda x, w: F["log"](1.0 + F["exp"](x)) + 1.0 / (1.0 + F["exp"](-w.T)),
    ],
)  # fmt: skip
def test_composed_functions(function):
    row, sample = TABLE["add"], S((2, 3), (3, 2))
    check_row(function, row, sample)


@pytest.mark.parametrize("shapes", [((3,), (2, 3)), ((), (2, 2)), ((2, 1), (1, 3)), ((1,), (0,)), ((1, 3), (4, 2, 3))])
def test_cotangents_are_summed_back_over_broadcast_axes(shapes):
    a, b = (np.arange(1.0, 1 + math.prod(shape)).reshape(shape) for shape in shapes)
    ga, gb = gradients(F["multiply"], [a, b])
    full = np.broadcast_shapes(*shapes)

    def back(value, shape):
        extra = value.ndim - len(shape)
        value = value.sum(tuple(range(extra)))
        return value.sum(tuple(i for i, n in enumerate(shape) if n == 1), keepdims=True) if shape else value

    assert np.array_equal(ga, back(np.broadcast_to(b, full), shapes[0]))
    assert np.array_equal(gb, back(np.broadcast_to(a, full), shapes[1]))


# --- ties, kinks, edges: by hand ------------------------------------------------------------------

AT_EDGES = [
    ("maximum", [[1.0, 2.0, 0.0], [1.0, 0.0, 5.0]], [[0.5, 1, 0], [0.5, 0, 1]], {}),
    ("minimum", [[1.0, 2.0, 0.0], [1.0, 0.0, 5.0]], [[0.5, 0, 1], [0.5, 1, 0]], {}),
    ("maximum", [[0.0, inf, -inf], [-0.0, inf, -inf]], [[0.5, 0.5, 0.5], [0.5, 0.5, 0.5]], {}),
    ("maximum", [[nan, 1.0], [1.0, nan]], [[0, 0], [0, 0]], {}),
    ("max", [[2.0, 1.0, 2.0]], [[0.5, 0, 0.5]], {}),
    ("min", [[[1.0, 1.0], [1.0, 0.0]]], [[[0.5, 0.5], [0, 1]]], {"axis": 1}),
    ("max", [[inf, 1.0, inf]], [[0.5, 0, 0.5]], {}),
    ("max", [[nan, 1.0]], [[nan, nan]], {}),
    ("clip", [[0.0, 1.0, 0.5, -1.0, 2.0]], [[0.5, 0.5, 1, 0, 0]], {"min": 0.0, "max": 1.0}),
    ("relu", [[-1.0, -0.0, 0.0, 1.0]], [[0, 0, 0, 1]], {}),
    ("abs", [[-2.0, -0.0, 0.0, 3.0]], [[-1, 0, 0, 1]], {}),
    ("pow", [[0.0, 0.0, 0.0, 2.0, -2.0], [0.0, 1.0, 2.0, 0.0, 2.0]],
     [[0, 1, 0, 0, -4], [0, 0, 0, math.log(2), nan]], {}),
    ("sqrt", [[0.0, 4.0]], [[inf, 0.25]], {}),
    ("prod", [[0.0, 2.0, 3.0]], [[6, 0, 0]], {}),
    ("prod", [[0.0, 0.0, 3.0]], [[0, 0, 0]], {}),
    ("prod", [[[2.0, 0.0], [3.0, 5.0]]], [[[0, 2], [5, 3]]], {"axis": 1}),
    ("prod", [np.ones((2, 0))], [np.ones((2, 0))], {"axis": 1}),
    ("remainder", [[7.0, -7.0], [2.0, 2.0]], [[1, 1], [-3, 4]], {}),
    ("where", [[True, False], [1.0, nan], [nan, 2.0]], [None, [1, 0], [0, 1]], {}),
    ("softplus", [[1000.0, -1000.0, 0.0]], [[1, 0, 0.5]], {}),
    ("sigmoid", [[1000.0, -1000.0]], [[0, 0]], {}),
    ("tanh", [[1000.0, -1000.0, inf]], [[0, 0, 0]], {}),
    ("gelu", [[0.0, 100.0, -100.0]], [[0.5, 1, 0]], {}),
    ("logsumexp", [[1000.0, 1000.0, -inf]], [[0.5, 0.5, 0]], {}),
    ("logsumexp", [[-inf, -inf]], [[nan, nan]], {}),
    ("take", [[1.0, 2.0, 3.0], np.array([-1, 2, 0])], [[1, 0, 2], None], {}),
    ("update_at", [[2.0, 3.0], np.array([0, -2, 1]), [5.0, 6.0, 7.0]], [[0, 0], None, [0, 1, 1]], {"how": "set"}),
    ("update_at", [[2.0, 3.0], np.array([0, 0, 1]), [0.0, 5.0, 0.0]], [[0, 0], None, [10, 0, 3]], {"how": "multiply"}),
    ("update_at", [[2.0, 3.0], np.array([0, 0]), [0.0, 0.0]], [[0, 1], None, [0, 0]], {"how": "multiply"}),
    ("update_at", [[2.0, 1.0], np.array([0, 0, 0]), [2.0, 2.0, 1.0]], [[1 / 3, 1], None, [1 / 3, 1 / 3, 0]],
     {"how": "max"}),
    ("update_at", [[nan, 1.0], np.array([0]), [3.0]], [[0, 1], None, [0]], {"how": "min"}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "arrays", "expected", "kwargs"), AT_EDGES)
def test_gradient_at_ties_and_kinks(name, arrays, expected, kwargs):
    def function(*xs):
        return F[name](*xs, **kwargs)

    for got, wanted in zip(gradients(function, arrays), expected, strict=True):
        if wanted is None:
            assert got is None
        else:
            np.testing.assert_allclose(got, wanted, rtol=SAME_GRADIENT, atol=0)


def test_square_root_of_a_square_is_smooth_enough():
    """std of equal numbers has an infinite slope, sqrt(x²) has that of |x|: 0 at 0."""
    (g,) = gradients(lambda x: F["sqrt"](x * x), [[-2.0, 0.0, 3.0]])
    assert g.tolist() == [-1, 0, 1]
    (g,) = gradients(F["std"], [[1.0, 1.0]])
    assert np.isnan(g).all()


def test_gradients_are_taken_of_stabilised_graphs():
    (g,) = gradients(lambda x: F["log"](F["softmax"](x))[0], [[0.0, 200.0]])
    assert np.array_equal(g, [1, -1])
    (g,) = gradients(lambda x: F["log"](F["sigmoid"](x)), [[-1000.0, 0.0, 1000.0]])
    assert np.array_equal(g, [1, 0.5, 0])
    (g,) = gradients(lambda x: F["log"](F["sum"](F["exp"](x))), [[1000.0, 1000.0]])
    np.testing.assert_allclose(g, [0.5, 0.5], rtol=SAME_GRADIENT)


def test_cross_entropy_gradient_at_large_logits_and_odd_labels():
    def loss(x, y):
        return softmax_cross_entropy(x, y)

    logits = np.array([[1e4, -1e4], [1e4, -1e4], [0.0, 0.0], [0.0, -inf]])
    g, none = gradients(loss, [logits, np.array([0, 1, 7, 0])])
    assert none is None
    assert np.array_equal(g, [[0, 0], [1, -1], [0.5, 0.5], [0, 0]])


# --- three errors, and what is not connected ------------------------------------------------------

# std has a gradient where not all elements are equal: test_composed_functions.
FLAT = [row for row in ROWS if not row.gradient and row.samples and row.name != "std" and set(row.dtypes) & set(FLOATS)]


@pytest.mark.parametrize("row", FLAT, ids=lambda row: row.name)
def test_flat_functions_say_so_or_are_not_connected(row):
    sample = row.samples[0]
    xs = placeholders(operands(row, sample, "float32"))
    y = row.function(*xs, **sample.kwargs)
    if y.dtype in FLOAT and isinstance(y.op.vjp, str):
        with pytest.raises(NotDifferentiableError, match=f"{row.name} is not differentiable: .*") as caught:
            vjp([y], xs, [F["ones_like"](y)])
        assert caught.value.origins.lines[0].function == test_flat_functions_say_so_or_are_not_connected.__name__
        assert f"gc.stop_gradient({row.name}(" in str(caught.value)
    else:
        assert vjp([y], xs, [F["ones_like"](y)]) == [None] * len(xs)


def test_differentiable_ops_have_a_row_that_says_so():
    by_row = {row.name for row in ROWS if row.gradient}
    exempt = {"slice", "print", "project"}  # covered by getitem, by hand, and by softmax_cross_entropy
    exempt |= {"imag", "complex", "fft", "ifft", "rfft", "irfft"}  # of complex numbers: test_complex.py, test_fft.py
    for op in OPS.values():
        if op.vjp and not isinstance(op.vjp, str) and (callable(op.vjp) or any(op.vjp)):
            assert op.name in by_row | exempt, f"the row of {op.name} names no operand with a gradient"


def test_an_op_without_a_gradient_yet_says_so():
    op = OpDef("test_only", Kind.ELEMENTWISE, lambda types, attrs: types[0], vjp=None, array_fn="cbrt")
    (x,) = placeholders([np.ones(2)])
    with pytest.raises(GradientNotImplementedError, match="gradient of test_only is not implemented"):
        vjp([apply(op, (x,))], [x], [constant([1, 1], FLOAT64)])


def test_what_is_not_connected_is_none():
    x, y, i = placeholders([np.ones(2), np.ones(2), np.ones(2, np.int64)])
    one = constant([1, 1], FLOAT64)
    assert vjp([x * 2.0], [y], [one]) == [None]
    assert vjp([F["stop_gradient"](x)], [x], [one]) == [None]
    assert vjp([x * i], [i], [one]) == [None], "no gradient flows to integers"
    assert vjp([(x > y).astype("float64")], [x, y], [one]) == [None, None]
    assert vjp([F["take"](x, F["argmax"](y))], [y], [constant(1, FLOAT64)]) == [None]
    assert vjp([x.astype("int64").astype("float64")], [x], [one]) == [None]


def test_a_flat_op_off_the_path_is_no_error():
    x, y = placeholders([np.ones(2), np.ones(2)])
    (g,) = vjp([x * F["floor"](y)], [x], [constant([1, 1], FLOAT64)])
    assert g is not None
    (g,) = vjp([x * F["stop_gradient"](F["floor"](x))], [x], [constant([1, 1], FLOAT64)])
    assert g is not None


def test_stop_gradient_holds_its_factor_constant():
    (g,) = gradients(lambda x: x * F["stop_gradient"](x), [[3.0, -2.0]])
    assert g.tolist() == [3, -2]


def test_gradient_of_a_leaf_is_its_cotangent_and_paths_add_up():
    (x,) = placeholders([np.ones(2)])
    one = constant([1, 2], FLOAT64)
    assert vjp([x], [x], [one]) == [one]
    (g,) = gradients(lambda x: x * x * x + x, [[2.0]])
    assert g.tolist() == [13]


def test_inner_nodes_may_be_leaves():
    (x,) = placeholders([np.array([2.0])])
    inner = x * x
    g, outer = vjp([inner * inner], [inner, x], [constant([1], FLOAT64)])
    assert outer is None, "the leaf cuts the path"
    assert values([g], [x], [np.array([2.0])])[0].tolist() == [8]


def test_several_values_add_up():
    (x,) = placeholders([np.array([2.0])])
    (g,) = vjp([x * x, 3.0 * x], [x], [constant([1], FLOAT64), constant([10], FLOAT64)])
    assert values([g], [x], [np.array([2.0])])[0].tolist() == [34]


def test_conversions_of_precision_pass_a_gradient():
    (x,) = placeholders([np.ones(2, np.float32)])
    (g,) = vjp([x.astype("float64") * 2.0], [x], [constant([1, 3], FLOAT64)])
    assert g.dtype.name == "float32"
    assert values([g], [x], [np.ones(2, np.float32)])[0].tolist() == [2, 6]


@pytest.mark.parametrize("shape", [(2,), (1,), (0, 3)])
def test_only_a_scalar_needs_no_cotangent(shape):
    (x,) = placeholders([np.ones(shape)])
    with pytest.raises(ShapeError, match="start from a scalar"):
        require_scalar(x)
    require_scalar(F["sum"](x))


def test_print_and_checks_pass_gradients_on():
    (g,) = gradients(lambda x: F["check_numerics"](x) * x, [[3.0]])
    assert g.tolist() == [6]


def test_long_chains_are_differentiated_without_recursion():
    (x,) = placeholders([np.array(1.0)])
    y = x
    for _ in range(3000):
        y = F["sin"](y)
    (g,) = vjp([y], [x], [constant(1, FLOAT64)])
    assert np.isfinite(values([g], [x], [np.array(1.0)])[0])


# --- forward mode ---------------------------------------------------------------------------------


@pytest.mark.parametrize("row", SMOOTH, ids=lambda row: row.name)
def test_forward_and_reverse_mode_agree(row):
    """⟨w, J·t⟩ = ⟨Jᵀ·w, t⟩: what differences say of the one they say of the other."""
    for sample in row.samples[:4]:
        arrays = operands(row, sample, "float64")
        xs = placeholders(arrays)
        y = row.function(*xs, **sample.kwargs)
        wrt = [i for i in row.gradient if i < len(xs)]
        if y.dtype is not FLOAT64 or not np.isfinite(values([y], xs, arrays)[0]).all():
            continue  # no float, or the mean of nothing
        rng = np.random.default_rng(5)
        weight, tangents = rng.uniform(0.5, 1.5, y.shape), [rng.uniform(-1, 1, xs[i].shape) for i in wrt]
        wanted = [xs[i] for i in wrt]
        found = vjp([y], wanted, [constant(weight, FLOAT64)])
        (along,) = jvp([y], wanted, [constant(t, FLOAT64) for t in tangents])
        assert along is not None, f"{row.name} {sample}"
        assert along.type == y.type
        back = values([g for g in found if g is not None], xs, arrays, found)
        (forward,) = values([along], xs, arrays)
        size = float(np.sum(np.abs(forward * weight)))
        other = sum(float(np.sum(g * t)) for g, t in zip(back, tangents, strict=True) if g is not None)
        assert abs(float(np.sum(forward * weight)) - other) <= 1e3 * SAME_GRADIENT * (1 + size), f"{row.name} {sample}"


def test_forward_mode_of_what_does_not_depend_is_zero():
    with Graph():
        x, z = placeholder("x", (2,)), placeholder("z", (3,))
    first, second = gc.jvp((x * x, z), [x], [gc.ones_like(x)])
    call = gc.compile([first, second], [x, z])
    doubled, nothing = call(np.array([1.0, 3.0], np.float32), np.zeros(3, np.float32))
    assert doubled.tolist() == [2, 6]
    assert nothing.tolist() == [0, 0, 0]


def test_tangents_must_match():
    with Graph():
        x = placeholder("x", (2,))
    with pytest.raises(ShapeError, match="another shape than its x"):
        gc.jvp(x * x, [x], [gc.ones((3,))])
    with pytest.raises(ArgumentError, match="one to one"):
        gc.jvp(x * x, [x], [])


@pytest.mark.parametrize("name", ["gammainc", "gammaincc"])
def test_the_incomplete_gamma_functions_have_no_gradient_in_a_yet(name):
    a, x = placeholders([np.ones(2), np.ones(2)])
    with pytest.raises(GradientNotImplementedError, match=f"gradient of {name} in its first operand"):
        vjp([F[name](a, x)], [a], [constant([1, 1], FLOAT64)])
    (found,) = vjp([F[name](F["stop_gradient"](a), x)], [x], [constant([1, 1], FLOAT64)])
    assert found is not None
