"""Linear algebra beyond its rows: what factors satisfy, SciPy as a second oracle, gradients where they bend."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.autodiff import vjp
from graphc.conformance.tolerances import SAME_GRADIENT
from graphc.conformance.values import placeholders
from graphc.errors import ArgumentError, FeedError, GradientNotImplementedError, NotDifferentiableError, ShapeError
from graphc.reference import evaluate

BACKENDS = ["numpy", pytest.param("jax", marks=pytest.mark.requires("jax"))]
EPS = float(np.finfo(np.float64).eps)
ALLOWED = 64 * EPS  # n units of ‖x‖ ≤ 4, as in the key "factors"


def run(backend: str, function: Callable[..., Any], *arrays: Any) -> Any:
    """The values of a function of tensors."""
    given = [np.asarray(array) for array in arrays]
    xs = placeholders(given)
    made = function(*xs)
    found = gc.compile(list(made) if isinstance(made, tuple) else [made], xs, backend=backend)(*given)
    return tuple(found) if isinstance(made, tuple) else found[0]


def gradient(function: Callable[..., Any], array: Any) -> np.ndarray:
    """The gradient of the sum of what a function gives."""
    x = np.asarray(array)
    (node,) = placeholders([x])
    y = function(node)
    (found,) = vjp([y], [node], [gc.ones_like(y)])
    assert found is not None
    return np.asarray(evaluate([found], {node: x})[0])


def random(*shape: int, seed: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, shape)


def is_orthonormal(q: np.ndarray) -> bool:
    return np.allclose(q.swapaxes(-1, -2) @ q, np.eye(q.shape[-1]), rtol=0, atol=ALLOWED)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("shape", [(4, 2), (2, 4), (3, 3), (2, 3, 2), (0, 2), (2, 0)])
def test_what_factors_must_satisfy(backend: str, shape: tuple[int, ...]) -> None:
    x = random(*shape)
    rank = min(shape[-2:])

    def factors(t: Any) -> tuple[Any, ...]:
        return (*gc.linalg.svd(t), *gc.linalg.qr(t, mode="complete"), *gc.linalg.eigh(t @ t.mT))

    u, s, vh, q, r, w, v = run(backend, factors, x)
    assert u.shape[-1] == q.shape[-1] == shape[-2]
    assert vh.shape[-2] == shape[-1]
    assert all(map(is_orthonormal, (u, vh.swapaxes(-1, -2), q, v)))
    np.testing.assert_allclose((u[..., :rank] * s[..., None, :]) @ vh[..., :rank, :], x, rtol=0, atol=ALLOWED)
    np.testing.assert_allclose(q @ r, x, rtol=0, atol=ALLOWED)
    assert (np.tril(r, -1) == 0).all()
    assert (np.diagonal(r, axis1=-2, axis2=-1) >= 0).all()
    assert (np.diff(s) <= 0).all()
    assert (np.diff(w) >= 0).all()
    np.testing.assert_allclose((v * w[..., None, :]) @ v.swapaxes(-1, -2), x @ x.swapaxes(-1, -2), rtol=0, atol=ALLOWED)


@pytest.mark.requires("scipy")
def test_scipy_agrees() -> None:
    from scipy import linalg

    x, b = random(5, 5) + 4 * np.eye(5), random(5, 2, seed=4)
    definite = x @ x.T
    ours = {
        "cholesky": lambda t, _: gc.linalg.cholesky(t @ t.mT, upper=True),
        "inv": lambda t, _: gc.linalg.inv(t),
        "det": lambda t, _: gc.linalg.det(t),
        "svdvals": lambda t, _: gc.linalg.svdvals(t),
        "eigvalsh": lambda t, _: gc.linalg.eigvalsh(t @ t.mT),
        "pinv": lambda t, c: gc.linalg.pinv(c),
        "solve": lambda t, c: gc.linalg.solve(t, c),
        "norm": lambda t, _: gc.linalg.matrix_norm(t, ord="nuc"),
        "upper": lambda t, c: gc.linalg.solve_triangular(t, c, lower=False),
        "lower": lambda t, c: gc.linalg.solve_triangular(t, c, transpose=True, unit_diagonal=True),
    }
    expected = {
        "cholesky": linalg.cholesky(definite), "inv": linalg.inv(x), "det": linalg.det(x), "svdvals": linalg.svdvals(x),
        "eigvalsh": linalg.eigvalsh(definite), "pinv": linalg.pinv(b), "solve": linalg.solve(x, b),
        "norm": linalg.norm(x, "nuc"), "upper": linalg.solve_triangular(x, b),
        "lower": linalg.solve_triangular(x, b, lower=True, trans=1, unit_diagonal=True),
    }  # fmt: skip
    found = run("numpy", lambda t, c: tuple(function(t, c) for function in ours.values()), x, b)
    for name, value in zip(ours, found, strict=True):
        np.testing.assert_allclose(value, expected[name], rtol=1e-13, atol=1e-13, err_msg=name)


@pytest.mark.parametrize("lower", [True, False])
def test_large_triangles_are_solved_in_blocks(lower: bool) -> None:
    x, b = random(2, 101, 101) / 10 + 4 * np.eye(101), random(101, 3)
    found = run("numpy", lambda t, c: gc.linalg.solve_triangular(t, c, lower=lower), x, b)
    triangle = np.tril(x) if lower else np.triu(x)
    np.testing.assert_allclose(triangle @ found, np.broadcast_to(b, found.shape), rtol=0, atol=1e-13)


def test_one_singular_matrix_of_a_stack_takes_nothing_from_the_others() -> None:
    stack = np.stack([np.eye(2), np.ones((2, 2)), np.full((2, 2), np.nan), 2 * np.eye(2)])[:, None]
    inverse, factor, solution = run(
        "numpy",
        lambda t, b: (gc.linalg.inv(t), gc.linalg.cholesky(t), gc.linalg.solve(t, b)),
        stack,
        np.ones((5, 2, 3)),
    )
    assert inverse.shape == (4, 1, 2, 2)
    assert solution.shape == (4, 5, 2, 3)
    for value in (inverse, factor, solution):
        assert np.isfinite(value[[0, 3]]).all()
        assert np.isnan(value[1:3]).any(axis=(-1, -2)).all()


# --- gradients ----------------------------------------------------------------------------------------------


def test_gradients_at_the_edges() -> None:
    for norm in (gc.linalg.vector_norm, gc.linalg.matrix_norm, lambda t: gc.linalg.vector_norm(t, ord=3)):
        assert gradient(norm, np.zeros((2, 2))).tolist() == [[0, 0], [0, 0]]
    singular = np.array([[1.0, 2], [2, 4]])
    np.testing.assert_allclose(gradient(gc.linalg.det, singular), [[4, -2], [-2, 1]], rtol=SAME_GRADIENT)
    assert gradient(gc.linalg.det, np.zeros((3, 3))).tolist() == np.zeros((3, 3)).tolist()
    np.testing.assert_allclose(gradient(gc.linalg.eigvalsh, np.eye(2)), np.eye(2), atol=SAME_GRADIENT)
    assert not np.isfinite(gradient(lambda t: gc.linalg.eigh(t).eigenvectors, np.eye(2))).all()
    assert not np.isfinite(gradient(lambda t: gc.linalg.svd(t).U, np.eye(2))).all()
    assert np.isfinite(gradient(lambda t: gc.linalg.svd(t).S, np.eye(2))).all()


def test_the_second_derivative_of_det_is_nan_where_it_is_not_known() -> None:
    def slope(t: Any) -> Any:
        return gc.gradients(gc.linalg.det(t), [t])[0]

    assert np.isnan(gradient(slope, np.ones((2, 2)))).all()
    # det has the derivatives of a polynomial: of [[a, b], [c, d]] the slopes add up to a - b - c + d.
    np.testing.assert_allclose(gradient(slope, [[2.0, 1], [1, 3]]), [[1, -1], [-1, 1]], rtol=SAME_GRADIENT)


@pytest.mark.parametrize(
    ("function", "shape"),
    [
        (lambda t: gc.linalg.qr(t, mode="complete").Q, (3, 2)),
        (lambda t: gc.linalg.svd(t).U, (3, 2)),
        (lambda t: gc.linalg.svd(t).Vh, (2, 3)),
    ],
)
def test_what_is_added_has_no_gradient(function: Callable[..., Any], shape: tuple[int, ...]) -> None:
    with pytest.raises(NotDifferentiableError, match="the vectors that fill up an orthogonal matrix are any"):
        gradient(function, random(*shape))


@pytest.mark.parametrize("shape", [(3, 2), (2, 3)])
def test_what_is_unique_in_full_factors_has_that_of_the_reduced_ones(shape: tuple[int, ...]) -> None:
    x = random(*shape)
    pairs = [
        (lambda t: gc.linalg.qr(t, mode="complete").R, lambda t: gc.linalg.qr(t).R),
        (lambda t: gc.linalg.svd(t).S, lambda t: gc.linalg.svd(t, full_matrices=False).S),
        (lambda t: gc.linalg.svd(t)[2 if shape[0] > shape[1] else 0] ** 2,
         lambda t: gc.linalg.svd(t, full_matrices=False)[2 if shape[0] > shape[1] else 0] ** 2),
    ]  # fmt: skip
    for whole, reduced in pairs:
        np.testing.assert_allclose(gradient(whole, x), gradient(reduced, x), rtol=1e-10, atol=1e-10)


def test_gradients_of_symbolic_sizes_are_those_of_static_ones() -> None:
    x = random(3, 3) + 3 * np.eye(3)

    def slope(t: Any) -> Any:
        y = gc.sum(gc.linalg.cholesky(t)) + gc.linalg.det(t) + gc.sum(gc.linalg.qr(t).Q) + gc.linalg.trace(t)
        y += gc.sum(gc.linalg.eigh(t).eigenvalues ** 2) + gc.sum(gc.linalg.svdvals(t)) + gc.linalg.slogdet(t).logabsdet
        return gc.gradients(y, [t])[0]

    with gc.Graph():
        fixed, free = gc.placeholder("x", (3, 3), gc.float64), gc.placeholder("y", ("n", "n"), gc.float64)
    static, symbolic = (gc.compile(slope(t), [t], backend="numpy")(x) for t in (fixed, free))
    np.testing.assert_allclose(symbolic, static, rtol=SAME_GRADIENT, atol=SAME_GRADIENT)
    with gc.Graph():
        t = gc.placeholder("t", ("n", "m"))
    with pytest.raises(GradientNotImplementedError, match="needs to know which size is larger"):
        gc.gradients(gc.sum(gc.linalg.qr(t).R), [t])


def test_guards_of_symbolic_matrices() -> None:
    with gc.Graph():
        t = gc.placeholder("t", ("n", "m"))
    call = gc.compile(gc.linalg.inv(t), [t], backend="numpy")
    assert call(np.eye(2, dtype=np.float32)).shape == (2, 2)
    with pytest.raises(FeedError, match="the matrix is not square"):
        call(np.ones((2, 3), np.float32))


# --- einsum, and the rest -----------------------------------------------------------------------------------


def test_einsum_takes_the_cheap_order() -> None:
    with gc.Graph():
        a, b, c = (gc.placeholder(name, shape) for name, shape in (("a", (50, 60)), ("b", (60, 70)), ("c", (70, 1))))
    plan = gc.compile(gc.einsum("ij,jk,kl->il", a, b, c), [a, b, c], backend="numpy").plan
    assert plan.flops == 2 * (60 * 70 + 50 * 60)
    with gc.Graph():
        x, y, z = (gc.placeholder(name, ("n", "n")) for name in "xyz")
    product = gc.einsum("ij,jk,kl->il", x, y, z)
    assert [str(size) for size in product.shape] == ["n", "n"]


@pytest.mark.parametrize(
    ("text", "shapes", "error", "message"),
    [
        ("ij,jk->ik", [(2, 3), (4, 2)], ShapeError, "'j' has the sizes 3 and 4"),
        ("ij", [(2, 3, 4)], ShapeError, "'ij' names 2 axes of a tensor with 3"),
        ("ij->ik", [(2, 3)], ArgumentError, "'k', which no operand has"),
        ("ij->ii", [(2, 3)], ArgumentError, "'i' twice"),
        ("i1->i", [(2, 3)], ArgumentError, "'i1' holds '1'"),
        ("ij,jk", [(2, 3)], ArgumentError, "for 2 operands, not 1"),
        (["ij"], [(2, 3)], ArgumentError, "the subscripts come first"),
    ],
)
def test_einsum_names_what_is_wrong(
    text: str, shapes: list[tuple[int, ...]], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        gc.einsum(text, *(gc.ones(shape) for shape in shapes))


def test_functions_of_numpy_record_nodes() -> None:
    (x,) = placeholders([np.eye(2)])
    for made in (np.linalg.inv(x), np.einsum("ij->ji", x), np.linalg.cholesky(x), np.tensordot(x, x, axes=1)):
        assert isinstance(made, gc.Tensor)
    assert np.linalg.svd(x).S.shape == (2,)


def test_results_of_several_are_named() -> None:
    x = gc.eye(2)
    assert gc.linalg.qr(x)._fields == ("Q", "R")
    assert gc.linalg.svd(x)._fields == ("U", "S", "Vh")
    assert gc.linalg.eigh(x)._fields == ("eigenvalues", "eigenvectors")
    assert gc.linalg.slogdet(x)._fields == ("sign", "logabsdet")


@pytest.mark.parametrize(
    "function",
    [
        gc.linalg.cholesky, gc.linalg.det, gc.linalg.inv, gc.linalg.matrix_norm, gc.linalg.pinv, gc.linalg.svdvals,
        gc.linalg.eigvalsh, gc.linalg.trace, gc.linalg.vector_norm, lambda t: gc.linalg.qr(t).Q,
        lambda t: gc.linalg.eigh(t).eigenvalues, lambda t: gc.linalg.slogdet(t).logabsdet, lambda t: gc.linalg.svd(t).S,
        lambda t: gc.einsum("ij,jk,kl->il", t, t, t), lambda t: gc.linalg.matrix_power(t, 3), lambda t: gc.vecdot(t, t),
        lambda t: gc.linalg.cross(t, t[::-1]), lambda t: gc.tensordot(t, t, axes=1), lambda t: gc.linalg.solve(t, t[0]),
        lambda t: gc.linalg.solve_triangular(t, t),
    ],
)  # fmt: skip
def test_float16_is_computed_as_float32_and_rounded_once(function: Callable[..., Any]) -> None:
    x = (random(3, 3) + 3 * np.eye(3)).astype(np.float16)
    found, wide = run("numpy", function, x), run("numpy", function, x.astype(np.float32))
    assert found.dtype == np.float16
    np.testing.assert_array_equal(found, wide.astype(np.float16))
