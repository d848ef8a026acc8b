"""Convolutions and pooling beyond their rows: symbolic sizes, second oracles, the steps of other backends."""

import itertools

import numpy as np
import pytest

import graphc as gc
from graphc.conformance.rows.convolution import conv as looped
from graphc.conformance.rows.convolution import transposed
from graphc.conformance.tolerances import SAME_GRADIENT


def random(*shape):
    return np.random.default_rng(sum(shape)).standard_normal(shape)


CALLS = [
    {"strides": 2, "padding": "SAME"},
    {"padding": "VALID", "dilation": 2},
    {"strides": (1, 3), "padding": ((2, 0), (0, 1)), "groups": 2},
    {"strides": 2, "groups": 4, "padding": "SAME"},
    {"strides": (2, 1), "padding": "SAME"},  # rows of symbolic length: a sum of products, as long ones are
]


def sizes_of_convolution(kwargs, backend):
    """A convolution and its gradients whose examples and positions are symbolic, at two combinations of sizes."""
    weights = random(3, 2, 4 // kwargs.get("groups", 1), 4)
    with gc.Graph():
        x = gc.placeholder("x", ("n", "height", "width", 4), gc.float64)
        w = gc.placeholder("w", weights.shape, gc.float64)
        y = gc.nn.conv(x, w, **kwargs)
        outputs = [y, *gc.gradients(gc.sum(gc.sin(y)), [x, w])]
    call = gc.compile(outputs, [x, w], backend=backend)
    return [(array, weights, call(array, weights)) for array in (random(2, 5, 6, 4), random(1, 8, 7, 4))]


@pytest.mark.parametrize("kwargs", CALLS)
def test_symbolic_examples_and_positions(kwargs):
    for x, w, (y, dx, dw) in sizes_of_convolution(kwargs, "numpy"):
        expected = looped(x, w, **kwargs)
        np.testing.assert_allclose(y, expected, rtol=SAME_GRADIENT, atol=SAME_GRADIENT)
        # The gradients are adjoint to the map, which is linear in either operand.
        right = np.sum(np.cos(expected) * expected)
        np.testing.assert_allclose([np.sum(dx * x), np.sum(dw * w)], right, rtol=1e-10)


@pytest.mark.requires("jax")
def test_xla_gives_the_same_convolutions():
    for kwargs in CALLS[:3]:
        ours, theirs = (sizes_of_convolution(kwargs, backend)[0][2] for backend in ("numpy", "jax"))
        for got, expected in zip(theirs, ours, strict=True):
            np.testing.assert_allclose(got, expected, rtol=SAME_GRADIENT, atol=SAME_GRADIENT)


@pytest.mark.requires("jax")
def test_a_convolution_that_is_claimed_counts_its_products():
    with gc.Graph():
        x, w = gc.placeholder("x", ("n", 6, 5, 4)), gc.placeholder("w", (3, 2, 2, 8))
        y = gc.nn.conv(x, w, groups=2, padding="VALID")
        slope = gc.gradients(y, w, grad_ys=y)
    products = 2 * (7 * 4 * 4 * 8) * (3 * 2 * 2)
    assert gc.compile(y, [x, w], backend="jax").plan.flops.evaluate(n=7) == products
    assert gc.compile(slope, [x, w], backend="jax").plan.flops.evaluate(n=7) == 2 * products


@pytest.mark.requires("scipy")
def test_scipy_agrees():
    from scipy import signal

    x, w = random(1, 6, 7, 1), random(3, 2, 1, 1)
    for padding, mode in (("VALID", "valid"), (((2, 2), (1, 1)), "full")):
        got = gc.evaluate(gc.nn.conv(x, w, padding=padding))[0, ..., 0]
        np.testing.assert_allclose(got, signal.correlate(x[0, ..., 0], w[..., 0, 0], mode), rtol=1e-12, atol=1e-12)


@pytest.mark.requires("torch")
def test_torch_agrees():
    import torch

    x, w = random(2, 4, 6, 5), random(4, 2, 3, 2)
    options = {"stride": 2, "dilation": 1, "groups": 2}
    ours = {"strides": 2, "groups": 2, "padding": ((1, 1), (1, 1)), "data_format": "NCHW"}
    t, v = torch.tensor(x), torch.tensor(w)
    got = gc.evaluate(gc.nn.conv(x, w, **ours))
    np.testing.assert_allclose(got, torch.conv2d(t, v, padding=1, **options).numpy(), rtol=1e-12, atol=1e-12)
    got = gc.evaluate(gc.nn.conv_transpose(x, w, output_padding=1, **ours))
    right = torch.conv_transpose2d(t, v, padding=1, output_padding=1, **options).numpy()
    np.testing.assert_allclose(got, right, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("padding", ["SAME", "VALID", ((1, 0),)])
def test_the_transpose_is_the_adjoint(padding):
    for strides, dilation in itertools.product((1, 2), (1, 2)):
        kwargs = {"strides": strides, "padding": padding, "dilation": dilation}
        y, w = random(2, 3, 4), random(3, 2, 4)
        x = transposed(y, w, **kwargs)
        np.testing.assert_allclose(gc.evaluate(gc.nn.conv_transpose(y, w, **kwargs)), x, rtol=1e-12, atol=1e-12)
        probe = random(*x.shape)
        forward = looped(probe, w, **kwargs)
        np.testing.assert_allclose(np.sum(forward * y), np.sum(probe * x), rtol=1e-10, atol=1e-10)


def test_low_precision_is_rounded_once():
    x, w = random(1, 5, 2).astype(np.float16), random(2, 2, 3).astype(np.float16)
    y = gc.nn.conv(x, w)
    assert y.dtype is gc.float16
    wide = looped(x.astype(np.float64), w.astype(np.float64))
    np.testing.assert_allclose(gc.evaluate(y), wide, rtol=2e-3, atol=1e-6)


# --- pooling --------------------------------------------------------------------------------------------------


def slope(function, numbers):
    """The gradient of a sum over a line of numbers."""
    with gc.Graph():
        x = gc.placeholder("x", (1, "n", 1), gc.float64)
    call = gc.compile(gc.gradients(gc.sum(function(x)), x), [x], backend="numpy")
    return call(np.reshape(np.array(numbers, np.float64), (1, -1, 1)))[0, :, 0].tolist()


def test_ties_below_a_window_share_evenly():
    third = 1 / 3
    assert slope(lambda x: gc.nn.max_pool(x, 3), [2, 2, 2, 5, 1, 5]) == [third, third, third, 0.5, 0, 0.5]
    assert slope(lambda x: gc.nn.max_pool(x, 2, strides=1), [1, 3, 3]) == [0, 1.5, 0.5]
    assert slope(gc.nn.global_max_pool, [4, 4]) == [0.5, 0.5]
    assert slope(lambda x: gc.nn.max_pool(x, 2), [1, 2, 9]) == [0, 1, 0], "no window reaches the last one"


def test_padding_has_no_share_in_a_tie():
    low = -np.inf
    assert slope(lambda x: gc.nn.max_pool(x, 2, strides=2, padding=((1, 0),)), [low, low, low]) == [1, 0.5, 0.5]


def test_a_nan_below_a_window_is_its_gradient():
    found = slope(lambda x: gc.nn.max_pool(x, 2), [np.nan, 1, 2, 3])
    assert np.isnan(found[:2]).all()
    assert found[2:] == [0, 1]


POOLS = [
    {"window": 2, "padding": "SAME"},
    {"window": (3, 2), "strides": (2, 1)},
    {"window": 2, "strides": 1, "padding": ((1, 0), (0, 1))},
    {"window": (1, 2), "strides": (2, 3)},
]


@pytest.mark.parametrize("backend", ["numpy", pytest.param("jax", marks=pytest.mark.requires("jax"))])
def test_pooling_of_symbolic_positions(backend):
    with gc.Graph():
        x = gc.placeholder("x", ("n", "height", "width", 2), gc.float64)
        pooled = [
            pool(x, kwargs["window"], **{k: v for k, v in kwargs.items() if k != "window"})
            for pool in (gc.nn.max_pool, gc.nn.avg_pool)
            for kwargs in POOLS
        ]
        outputs = [*pooled, *(gc.gradients(gc.sum(y * y), x) for y in pooled)]
    call = gc.compile(outputs, [x], backend=backend)
    for array in (random(2, 5, 6, 2), random(1, 4, 3, 2)):
        found = call(array)
        for y, dx in zip(found[: len(pooled)], found[len(pooled) :], strict=True):
            # Both are homogeneous of degree 1, so that by Euler x · ∇(y²) = 2 y².
            np.testing.assert_allclose(np.sum(dx * array), 2 * np.sum(y * y), rtol=1e-10)


@pytest.mark.requires("torch")
def test_torch_pools_alike():
    import torch
    from torch.nn import functional

    x = random(2, 3, 5, 6)
    t = torch.tensor(x)
    first = {"data_format": "NCHW"}
    pairs = [
        (gc.nn.max_pool(x, 3, strides=2, padding=((1, 1), (1, 1)), **first), functional.max_pool2d(t, 3, 2, 1)),
        (
            gc.nn.avg_pool(x, 3, strides=2, padding=((1, 1), (1, 1)), **first),
            functional.avg_pool2d(t, 3, 2, 1, count_include_pad=False),
        ),
        (gc.nn.adaptive_max_pool(x, (2, 4), **first), functional.adaptive_max_pool2d(t, (2, 4))),
        (gc.nn.adaptive_avg_pool(x, (2, 4), **first), functional.adaptive_avg_pool2d(t, (2, 4))),
    ]
    for ours, theirs in pairs:
        np.testing.assert_allclose(gc.evaluate(ours), theirs.numpy(), rtol=1e-12, atol=1e-12)


# --- resizing -------------------------------------------------------------------------------------------------


@pytest.mark.requires("jax")
@pytest.mark.parametrize("method", ["nearest", "linear", "cubic"])
def test_jax_resizes_alike(method):
    import jax

    x = random(1, 5, 6, 2).astype(np.float32)
    for size, antialias in (((9, 4), True), ((3, 11), False)):
        got = gc.evaluate(gc.nn.resize(x, size, method=method, antialias=antialias))
        right = jax.image.resize(x, (1, *size, 2), method, antialias)
        np.testing.assert_allclose(got, right, rtol=1e-5, atol=1e-5)


def test_numpys_resize_is_another_function():
    with gc.Graph():
        x = gc.placeholder("x", (1, 2, 1))
    with pytest.raises(gc.errors.StaticGraphError, match=r"np\.resize"):
        np.resize(x, (1, 4, 1))
