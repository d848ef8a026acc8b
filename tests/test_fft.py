"""Fourier transforms: values against their definition and against NumPy, gradients in the plane, sizes, errors."""

import math

import numpy as np
import pytest
from test_complex import check_orders, run

import graphc as gc
from graphc.conformance.tolerances import SAME_GRADIENT
from graphc.conformance.values import placeholders
from graphc.errors import ArgumentError, DTypeError, ShapeError
from graphc.ir.opdef import FUNCTIONS as F
from graphc.reference import evaluate

NORMS = ("backward", "ortho", "forward")
OF_COMPLEX = {
    "fft": ({}, {"n": 3}, {"n": 8}, {"axis": 0}, {"norm": "ortho"}, {"norm": "forward", "n": 4}),
    "ifft": ({}, {"n": 3}, {"n": 8}, {"axis": 0}, {"norm": "ortho"}, {"norm": "forward"}),
    "irfft": ({}, {"n": 7}, {"n": 4}, {"n": 11}, {"axis": 0}, {"norm": "ortho"}, {"norm": "forward", "n": 5}, {"n": 1}),
    "hfft": ({}, {"n": 7}, {"axis": 0, "norm": "forward"}, {"norm": "ortho"}),
    "fftn": ({}, {"s": (2, 7)}, {"axes": (1,)}, {"axes": (1, 0), "norm": "ortho"}, {"s": (3,), "axes": (-1,)}),
    "ifftn": ({}, {"s": (2, 7), "axes": (0, 1)}, {"norm": "forward"}),
    "irfftn": ({}, {"s": (2, 7), "axes": (0, 1)}, {"axes": (0,), "norm": "ortho"}),
}
OF_REAL = {
    "rfft": ({}, {"n": 3}, {"n": 8}, {"axis": 0}, {"norm": "ortho"}, {"norm": "forward", "n": 4}, {"n": 1}),
    "ihfft": ({}, {"n": 8}, {"norm": "forward"}),
    "rfftn": ({}, {"s": (2, 7), "axes": (0, 1)}, {"axes": (1, 0), "norm": "ortho"}),
}
CALLS = [(name, kwargs) for name, calls in (OF_COMPLEX | OF_REAL).items() for kwargs in calls]
IDS = [f"{name}-{kwargs}" for name, kwargs in CALLS]
SHAPES = ((3, 5), (4, 6))


def example(name, shape, dtype="complex128"):
    rng = np.random.default_rng([3, *shape])
    x = rng.normal(size=shape)
    if name in OF_COMPLEX:
        return (x + 1j * rng.normal(size=shape)).astype(dtype)
    return x.astype({"complex128": "float64", "complex64": "float32"}[dtype])


def numpys(name, x, kwargs):
    if kwargs.get("s") and "axes" not in kwargs:  # which NumPy deprecates
        kwargs = {**kwargs, "axes": tuple(range(x.ndim))}
    return getattr(np.fft, name)(x, **kwargs)


@pytest.mark.parametrize(("name", "kwargs"), CALLS, ids=IDS)
def test_values(name, kwargs):
    """In float32 and float64, on the interpreter and on numpy."""
    for shape, dtype in zip(SHAPES, ("complex64", "complex128"), strict=True):
        array = example(name, shape, dtype)
        (x,) = placeholders([array])
        y = F[name](x, **kwargs)
        expected = numpys(name, array.astype(np.clongdouble if name in OF_COMPLEX else np.longdouble), kwargs)
        for (found,) in (evaluate([y], {x: array}), run([y], [x], [array])):
            assert found.dtype == y.dtype.numpy
            assert found.dtype.name in (dtype, array.real.dtype.name)
            eps = float(np.finfo(found.dtype).eps)
            np.testing.assert_allclose(found, expected, rtol=0, atol=8 * eps * float(np.abs(expected).max()))


@pytest.mark.parametrize("n", [1, 2, 3, 4, 7, 12])
@pytest.mark.parametrize("norm", NORMS)
def test_the_definition(n, norm):
    """Sums of exponentials, and all inverses lead back."""
    array = example("fft", (2, n))
    j = np.arange(n)
    matrix = np.exp(-2j * np.pi * np.outer(j, j) / n)
    factor = {"backward": 1, "ortho": 1 / math.sqrt(n), "forward": 1 / n}[norm]
    (x,) = placeholders([array])
    there = F["fft"](x, norm=norm)
    real = F["rfft"](gc.real(x), norm=norm)
    re, sizes = gc.real(x), {"s": (2, n), "norm": norm}
    outputs = [
        there,
        F["ifft"](there, norm=norm),
        F["irfft"](real, n=n, norm=norm),
        F["hfft"](F["ihfft"](re, norm=norm), n=n, norm=norm),
        F["irfftn"](F["rfftn"](re, norm=norm), **sizes),
        F["ifftn"](F["fftn"](x, norm=norm), **sizes),
    ]
    wanted = [array @ matrix * factor, array, array.real, array.real, array.real, array]
    for found, expected in zip(evaluate(outputs, {x: array}), wanted, strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13)


@pytest.mark.requires("jax")
@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_values_on_jax(dtype):
    outputs, leaves, arrays = [], [], []
    with gc.Graph():
        for number, (name, kwargs) in enumerate(CALLS):
            array = example(name, SHAPES[number % 2], dtype)
            x = gc.placeholder(f"x{number}", array.shape, array.dtype)
            outputs.append(F[name](x, **kwargs))
            leaves.append(x)
            arrays.append(array)
    expected = evaluate(outputs, dict(zip(leaves, arrays, strict=True)))
    for found, want, (name, kwargs) in zip(run(outputs, leaves, arrays, "jax"), expected, CALLS, strict=True):
        assert found.dtype == want.dtype
        eps = float(np.finfo(found.dtype).eps)
        atol = 16 * eps * float(np.abs(want).max())
        np.testing.assert_allclose(found, want, rtol=0, atol=atol, err_msg=f"{name} {kwargs}")


@pytest.mark.parametrize(("name", "kwargs"), CALLS, ids=IDS)
def test_gradients(name, kwargs):
    """Of the transform, which is linear, and of a curved function of it: orders 1 and 2."""
    array = example(name, SHAPES[len(kwargs) % 2])
    check_orders(lambda x: F[name](x, **kwargs), [array], [0], name)
    check_orders(lambda x: gc.abs(F[name](x * x, **kwargs) + 0.5), [array], [0], f"{name}, curved")


@pytest.mark.requires("jax")
def test_gradients_on_jax():
    outputs, leaves, arrays = [], [], []
    with gc.Graph():
        for name in (*OF_COMPLEX, *OF_REAL):
            array = example(name, (2, 5))
            x = gc.placeholder(name, array.shape, array.dtype)
            outputs.append(gc.gradients(gc.sum(gc.square(gc.abs(F[name](x)))), x))
            leaves.append(x)
            arrays.append(array)
    expected = evaluate(outputs, dict(zip(leaves, arrays, strict=True)))
    for found, want in zip(run(outputs, leaves, arrays, "jax"), expected, strict=True):
        np.testing.assert_allclose(found, want, rtol=SAME_GRADIENT, atol=SAME_GRADIENT * 100)


@pytest.mark.parametrize("backend", ["numpy", pytest.param("jax", marks=pytest.mark.requires("jax"))])
def test_symbolic_sizes(backend):
    with gc.Graph():
        x = gc.placeholder("x", ("batch", "n"))
        spectrum = F["rfft"](x)
        back = F["irfft"](spectrum, n=x.shape[1])
        outputs = [spectrum, back, F["fft"](x, n=6), F["fftshift"](x), F["ifftshift"](x), F["irfft"](spectrum),
                   gc.gradients(gc.sum(gc.abs(spectrum)), x), gc.gradients(gc.sum(back * back), x)]  # fmt: skip
    call = gc.compile(outputs, [x], backend=backend)
    for shape in ((2, 5), (3, 8), (1, 1), (0, 4)):
        array = np.random.default_rng(0).normal(size=shape).astype(np.float32)
        if shape[1] == 1:
            with pytest.raises(gc.errors.FeedError):  # irfft of one frequency has no points
                call(array)
            continue
        found = call(array)
        if shape[0]:
            half = np.fft.rfft(array)
            expected = [half, array, np.fft.fft(array, n=6)]
            for got, want in zip([*found[:3], found[5]], [*expected, np.fft.irfft(half)], strict=True):
                np.testing.assert_allclose(got, want, atol=1e-5)
        assert found[3].tolist() == np.fft.fftshift(array).tolist()
        assert found[4].tolist() == np.fft.ifftshift(array).tolist()
        np.testing.assert_allclose(found[7], 2 * array, atol=1e-5)


def test_nothing_along_other_axes():
    array = np.ones((0, 4), np.complex64)
    (x,) = placeholders([array])
    for name in (name for name in (*OF_COMPLEX, *OF_REAL) if not name.endswith("n")):
        y = F[name](gc.real(x) if name in OF_REAL else x)
        for (found,) in (evaluate([y], {x: array}), run([y], [x], [array])):
            assert found.shape == y.shape
            assert found.dtype == y.dtype.numpy


def test_errors():
    x, empty, z = placeholders([np.ones((2, 3), np.float32), np.ones((2, 0), np.float32), np.ones(3, np.complex64)])
    for name in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft", "fftn", "rfftn"):
        with pytest.raises(ArgumentError, match="no norm 'both'"):
            F[name](x, norm="both")
        with pytest.raises(ShapeError, match="no value"):
            F[name](empty)
    for name in ("fft", "irfft", "rfft"):
        with pytest.raises(ArgumentError, match="n must be positive"):
            F[name](x, n=0)
        with pytest.raises(ArgumentError):
            F[name](x, n=-1)
        with pytest.raises(ShapeError, match="axis 2 is out of range"):
            F[name](x, axis=2)
    for name in ("rfft", "ihfft", "rfftn"):
        with pytest.raises(DTypeError, match="takes real numbers"):
            F[name](z)
    with pytest.raises(ArgumentError, match="differ in length"):
        F["fftn"](x, s=(1, 2), axes=(0,))
    with pytest.raises(ArgumentError, match="there is no axis"):
        F["rfftn"](x, axes=())
    with pytest.raises(ArgumentError, match="must be static"):
        F["fftfreq"](placeholder_size())


def placeholder_size():
    with gc.Graph():
        return gc.placeholder("x", ("n",)).shape[0]


def test_dtypes():
    """float32 stays in single precision; low precision computes in it; integers become float32."""
    for given, spectrum in (("float32", "complex64"), ("float64", "complex128"), ("float16", "complex64"),
                            ("int32", "complex64")):  # fmt: skip
        (x,) = placeholders([np.ones(4, given)])
        assert F["fft"](x).dtype.name == F["rfft"](x).dtype.name == spectrum
        assert F["irfft"](F["rfft"](x)).dtype.name == {"complex64": "float32", "complex128": "float64"}[spectrum]
