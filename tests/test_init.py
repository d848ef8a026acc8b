"""Initialisers: distributions, fans, dtypes, shapes and refusals."""

import copy
import math
import pickle
from statistics import NormalDist

import ml_dtypes
import numpy as np
import pytest

from graphc import init, philox
from graphc.errors import ArgumentError, DTypeError, ShapeError

K = philox.key(2024)
KS_BOUND = 1.95  # over sqrt(n): exceeded once in a thousand draws

FILLERS = [init.zeros(), init.ones(), init.constant(1)]
PLAIN = [init.uniform(), init.normal(), init.truncated_normal()]
SCALED = [init.glorot_uniform(), init.glorot_normal(), init.he_uniform(), init.he_normal()]


def ks_distance(values, cdf):
    expected = np.array([cdf(value) for value in np.sort(values, axis=None).tolist()])
    steps = np.arange(len(expected) + 1) / len(expected)
    return max(np.max(steps[1:] - expected), np.max(expected - steps[:-1]))


def cut_normal_cdf(x):
    phi = NormalDist().cdf
    return (phi(x) - phi(-2)) / (phi(2) - phi(-2))


@pytest.mark.parametrize(
    ("initializer", "text"),
    [
        (init.zeros(), "zeros()"),
        (init.constant(0.5), "constant(value=0.5)"),
        (init.constant(np.float64(0.5)), "constant(value=0.5)"),
        (init.uniform(-1, 2), "uniform(low=-1.0, high=2.0)"),
        (init.normal(), "normal(mean=0.0, stddev=0.05)"),
        (init.truncated_normal(stddev=1), "truncated_normal(mean=0.0, stddev=1.0)"),
        (init.glorot_uniform(), "glorot_uniform()"),
        (init.he_normal(), "he_normal()"),
    ],
)
def test_repr_reads_as_the_call(initializer, text):
    assert repr(initializer) == text


def test_initialisers_are_immutable():
    initializer = init.normal()
    with pytest.raises(AttributeError, match="immutable"):
        initializer.name = "other"
    with pytest.raises(AttributeError):
        initializer.extra = 1
    with pytest.raises(AttributeError, match="immutable"):
        del initializer.name


@pytest.mark.parametrize("initializer", [init.constant(3), *PLAIN, *SCALED], ids=repr)
def test_copies_and_pickles_draw_the_same(initializer):
    for twin in (copy.deepcopy(initializer), pickle.loads(pickle.dumps(initializer))):
        assert repr(twin) == repr(initializer)
        assert np.array_equal(twin(K, (3, 4), np.float32), initializer(K, (3, 4), np.float32))


@pytest.mark.parametrize("dtype", [np.bool_, np.int8, np.uint64, np.float16, np.float64, ml_dtypes.bfloat16])
@pytest.mark.parametrize("shape", [(), (0, 3), (2, 3)])
def test_zeros_and_ones_fill_every_dtype(shape, dtype):
    for initializer, value in ((init.zeros(), 0), (init.ones(), 1)):
        values = initializer(K, shape, np.dtype(dtype))
        assert isinstance(values, np.ndarray)
        assert (values.shape, values.dtype) == (shape, np.dtype(dtype))
        assert np.all(values == value)


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (True, np.bool_), (True, np.int32), (True, np.float32), (-128, np.int8), (2**63, np.uint64),
        (2**53 + 1, np.int64), (np.int8(3), np.int64), (7, ml_dtypes.int4), (3, np.float16),
        (2**70, np.float32), (-0.0, np.float64), (math.inf, np.float32), (-math.inf, np.float16),
        (0.3125, ml_dtypes.float8_e4m3fn),
    ],
)  # fmt: skip
def test_constant_is_kept_exactly(value, dtype):
    values = init.constant(value)(K, (2, 2), np.dtype(dtype))
    assert values.dtype == dtype
    assert all(element == value for element in values.reshape(-1).tolist())
    assert math.copysign(1, float(values[0, 0])) == math.copysign(1, value)


def test_constant_is_rounded_to_floating_dtypes():
    assert init.constant(0.1)(K, (), np.float32) == np.float32(0.1)
    assert np.isnan(init.constant(math.nan)(K, (1,), np.float32)[0])


@pytest.mark.parametrize(
    ("value", "dtype", "error"),
    [
        (0.5, np.int32, DTypeError),
        (1.0, np.int32, DTypeError),
        (1, np.bool_, DTypeError),
        (1, np.complex64, DTypeError),
        (128, np.int8, ArgumentError),
        (-1, np.uint8, ArgumentError),
        (2**63, np.int64, ArgumentError),
        (2**70, np.int64, ArgumentError),
        (8, ml_dtypes.int4, ArgumentError),
        (1e300, np.float32, ArgumentError),
        (70000, np.float16, ArgumentError),
        (10**400, np.float64, ArgumentError),
        (math.inf, ml_dtypes.float8_e4m3fn, ArgumentError),
    ],
)
def test_constant_that_does_not_fit_is_refused(value, dtype, error):
    with pytest.raises(error, match=np.dtype(dtype).name):
        init.constant(value)(K, (2,), np.dtype(dtype))
    with pytest.raises(error):
        init.constant(value).check((2,), np.dtype(dtype))


@pytest.mark.parametrize("value", [None, "1", 1j, [1.0], np.zeros(2)])
def test_constant_takes_scalars_only(value):
    with pytest.raises(ArgumentError, match="takes one number"):
        init.constant(value)


@pytest.mark.parametrize("initializer", PLAIN + SCALED, ids=repr)
@pytest.mark.parametrize("dtype", [np.int32, np.bool_, np.complex64])
def test_random_initialisers_refuse_other_dtypes(initializer, dtype):
    with pytest.raises(DTypeError, match=np.dtype(dtype).name):
        initializer(K, (3, 4), dtype)
    with pytest.raises(DTypeError):
        initializer.check((3, 4), dtype)


@pytest.mark.parametrize("initializer", FILLERS + PLAIN, ids=repr)
@pytest.mark.parametrize("shape", [(), (0,), (5,), (2, 0, 3)])
def test_any_shape(initializer, shape):
    for dtype in (np.float32, np.float64):
        values = initializer(K, shape, np.dtype(dtype))
        assert isinstance(values, np.ndarray)
        assert (values.shape, values.dtype) == (shape, dtype)
        assert values.flags.writeable


@pytest.mark.parametrize("initializer", SCALED, ids=repr)
def test_scaled_initialisers_need_fans(initializer):
    for shape in ((), (10,)):
        for act in (initializer.check, lambda shape, dtype: initializer(K, shape, dtype)):
            with pytest.raises(ShapeError, match=f"rank {len(shape)}") as caught:
                act(shape, np.dtype(np.float32))
            assert "zeros()" in str(caught.value)
            assert "test_init.py" in str(caught.value)
    for shape in ((0, 0), (0, 5), (5, 0), (0, 3, 4)):
        assert initializer(K, shape, np.dtype(np.float32)).shape == shape


@pytest.mark.parametrize("initializer", PLAIN + SCALED, ids=repr)
def test_draws_are_pure_and_depend_on_the_key(initializer):
    first = initializer(K, (6, 7), np.float64)
    assert np.array_equal(first, initializer(K, (6, 7), np.float64))
    assert not np.any(first == initializer(philox.fold_in(K, "other"), (6, 7), np.float64))


@pytest.mark.parametrize("initializer", PLAIN + SCALED, ids=repr)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn])
def test_a_narrower_dtype_only_rounds(initializer, dtype):
    narrow, wide = initializer(K, (20, 30), np.dtype(dtype)), initializer(K, (20, 30), np.float64)
    assert narrow.dtype == dtype
    assert np.array_equal(narrow, wide.astype(dtype))


def test_golden_values():
    # The uniform is exact arithmetic; log, cos and sin may differ in the last place between platforms.
    dense = init.glorot_uniform()(K, (2, 2), np.float32)
    assert dense.tolist() == [
        [0.25398728251457214, 1.1870195865631104],
        [-0.37652525305747986, 0.9746432900428772],
    ]
    dense = init.he_normal()(K, (2, 2), np.float64)
    expected = [[1.539509522741381, -0.1494435753380646], [0.8398131567664369, -0.627284408407672]]
    np.testing.assert_allclose(dense, expected, rtol=1e-14)


def test_uniform_is_the_stated_map():
    low, high = -3.0, 5.0
    values = init.uniform(low, high)(K, (100, 100), np.float64)
    assert np.array_equal(values, low + (high - low) * philox.uniform(K, (100, 100), np.float64))
    assert low <= values.min() < low + 0.01
    assert high - 0.01 < values.max() < high
    assert ks_distance(values, lambda x: (x - low) / (high - low)) < KS_BOUND / 100


def test_normal_is_the_stated_map():
    values = init.normal(2, 3)(K, (50, 51), np.float64)
    assert np.array_equal(values, 2 + 3 * philox.normal(K, (50, 51), np.float64))
    assert np.all(init.normal(2, 0)(K, (3,), np.float32) == 2)


def test_truncated_normal():
    n = 20_000
    values = init.truncated_normal(1.0, 0.5)(K, (n,), np.float64)
    standard = (values - 1.0) / 0.5
    assert np.abs(standard).max() <= 2
    assert ks_distance(standard, cut_normal_cdf) < KS_BOUND / math.sqrt(n)
    # What lay inside at once is left as drawn.
    drawn = philox.normal(K, (n,), np.float64)
    inside = np.abs(drawn) <= 2
    assert 0.94 < inside.mean() < 0.97
    assert np.array_equal(values[inside], (1.0 + 0.5 * drawn)[inside])


def test_the_deviation_after_the_cut():
    normal = NormalDist()
    exact = math.sqrt(1 - 4 * normal.pdf(2) / (2 * normal.cdf(2) - 1))
    assert math.isclose(init._STDDEV_AFTER_CUT, exact, rel_tol=1e-14)


@pytest.mark.parametrize(
    ("shape", "fans"),
    [
        ((3, 5), (3, 5)),
        ((5, 3, 4), (15, 20)),
        ((5, 5, 3, 8), (75, 200)),
        ((2, 3, 4, 1, 2), (24, 48)),
        ((0, 5), (1, 5)),
    ],
)
def test_fans(shape, fans):
    assert init._fans(shape) == fans


@pytest.mark.parametrize("shape", [(100, 300), (3, 3, 30, 100)])
def test_scaled_distributions(shape):
    window = math.prod(shape[:-2])
    fan_in, fan_out = window * shape[-2], window * shape[-1]
    n = math.prod(shape)
    for name, variance in (("glorot", 2 / (fan_in + fan_out)), ("he", 2 / fan_in)):
        flat = getattr(init, f"{name}_uniform")()(K, shape, np.float64)
        limit = math.sqrt(3 * variance)
        assert 0.999 * limit < np.abs(flat).max() <= limit
        assert flat.var() == pytest.approx(variance, rel=4 * math.sqrt(0.8 / n))
        bell = getattr(init, f"{name}_normal")()(K, shape, np.float64)
        assert np.abs(bell).max() <= 2 * math.sqrt(variance) / init._STDDEV_AFTER_CUT
        assert abs(bell.mean()) < 4 * math.sqrt(variance / n)
        assert bell.var() == pytest.approx(variance, rel=4 * math.sqrt(2 / n))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: init.uniform(1, 1), "low < high"),
        (lambda: init.uniform(2, 1), "low < high"),
        (lambda: init.uniform(high=math.inf), "finite number for high"),
        (lambda: init.uniform(-1.7e308, 1.7e308), "finite number for high - low"),
        (lambda: init.uniform("a", 1), "finite number for low"),
        (lambda: init.normal(stddev=-1), "not negative"),
        (lambda: init.normal(mean=math.nan), "finite number for mean"),
        (lambda: init.normal(stddev=10**400), "finite number for stddev"),
        (lambda: init.truncated_normal(stddev=-0.1), "not negative"),
        (lambda: init.truncated_normal(mean=True), "finite number for mean"),
    ],
)
def test_bad_arguments_are_refused_at_once(make, says):
    with pytest.raises(ArgumentError, match=says) as caught:
        make()
    assert "test_init.py" in str(caught.value)


def test_overflow_of_a_narrow_dtype_is_refused():
    with pytest.raises(ArgumentError, match="overflow float16"):
        init.uniform(-1e6, 1e6)(K, (10,), np.float16)
    assert init.uniform(-1e6, 1e6)(K, (0,), np.float16).shape == (0,)
