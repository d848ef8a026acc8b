"""Random numbers in graphs: where keys come from, the same bits everywhere, and distributions as they should be."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
from host_device import HostDevice

import graphc as gc
from graphc import philox, reference
from graphc.errors import ArgumentError, GraphMismatchError, NotDifferentiableError, NumericsError
from graphc.ir.key import structural_key
from graphc.ops.random import rejection
from graphc.session.session import Session
from graphc_cupy import CupyBackend

R = gc.random
KEY = philox.key(2024)
K = np.array(KEY, np.uint32)
BACKENDS = ("numpy", pytest.param("jax", marks=pytest.mark.requires("jax")))
on_each_backend = pytest.mark.parametrize("backend", BACKENDS)


def drawn(tensors: Any, backend: str = "numpy", **options: Any) -> Any:
    return gc.compile(tensors, backend=backend, options=gc.CompileOptions(**options))()


# --- keys -----------------------------------------------------------------------------------------------------


def test_keys_are_those_of_the_law() -> None:
    k = R.key(2024)
    number = gc.asarray(np.array([[0, 5], [-1, 2**40]]))
    found = drawn([k, R.fold_in(k, "name"), R.fold_in(k, 7), R.fold_in(k, number), R.split(k, 3), R.split(k, 0)])
    assert tuple(found[0]) == KEY
    assert tuple(found[1]) == philox.fold_in(KEY, "name")
    assert tuple(found[2]) == philox.fold_in(KEY, 7)
    folded = [[philox.fold_in(KEY, each % 2**64) for each in row] for row in ((0, 5), (-1, 2**40))]
    assert np.array_equal(found[3], folded)
    assert np.array_equal(found[4], philox.split(KEY, 3))
    assert found[5].shape == (0, 2)


@on_each_backend
def test_keys_may_be_computed(backend: str) -> None:
    """A traced key and a traced number give what those that are written down give."""
    with gc.Graph():
        k, n = gc.placeholder("k", (2,), gc.uint32), gc.placeholder("n", (), gc.int64)
    first, second = R.split(R.fold_in(k, n))
    call = gc.compile([R.uniform((3,), key=first), R.normal((3,), key=second), R.bits((2,), key=k)], [k, n], backend)
    uniform, normal, bits = call(K, 9)
    keys = philox.split(philox.fold_in(KEY, 9), 2)
    assert np.array_equal(uniform, philox.uniform(keys[0], (3,)))
    np.testing.assert_allclose(normal, philox.normal(keys[1], (3,)), rtol=1e-6)
    assert np.array_equal(bits, philox.bits(KEY, 2))


def test_a_pair_of_ints_and_an_array_are_keys_too() -> None:
    expected = philox.uniform(KEY, (4,))
    for key in (KEY, K, R.key(2024)):
        assert np.array_equal(drawn(R.uniform((4,), key=key)), expected)


def test_more_numbers_begin_with_the_same_ones() -> None:
    long, short = drawn([R.gamma(2.0, (50,), key=KEY), R.gamma(2.0, (7,), key=KEY)])
    assert np.array_equal(long[:7], short)


# --- runs without a key -----------------------------------------------------------------------------------------


class Model:
    """A graph with random ops that are given no key."""

    def __init__(self) -> None:
        with gc.Graph("model") as self.graph:
            self.x = gc.placeholder("x", ("n", 2))
            self.w = gc.Variable([1.0, 2.0], name="w")
            self.noise = R.normal(self.x.shape)
            self.dropped = gc.nn.dropout(self.x, 0.5)
            with gc.name_scope("head"):
                self.again = R.normal((3,))
        self.train = gc.assign_add(self.w, R.uniform((2,), low=self.w * 0.0))

    def session(self, backend: str = "numpy", seed: int = 5) -> Session:
        return gc.Session(self.graph, backend, seed)


def key_of(name: str, step: int, seed: int = 5) -> philox.Key:
    return philox.fold_in(philox.fold_in(philox.key(seed), name), step)


ROWS = np.ones((4, 2), np.float32)


@on_each_backend
def test_numbers_follow_from_seed_name_and_step(backend: str) -> None:
    model = Model()
    with model.session(backend) as session:
        step = session.compile([model.noise, model.again], [model.x])
        for number in range(3):
            assert session.step == number
            noise, again = step(ROWS)
            np.testing.assert_allclose(noise, philox.normal(key_of("normal", number), (4, 2)), rtol=1e-6)
            np.testing.assert_allclose(again, philox.normal(key_of("head/normal", number), (3,)), rtol=1e-6)
        assert step.plan.stats.get("xla_compilations", 1) == 1
    with model.session(backend, seed=6) as other:
        np.testing.assert_allclose(other.run(model.again), philox.normal(key_of("head/normal", 0, 6), (3,)), rtol=1e-6)


def test_names_are_unique_and_belong_to_the_graph_of_the_operands() -> None:
    model = Model()
    late = gc.nn.dropout(model.x, 0.5)  # no graph is open
    assert late.owner is model.graph
    assert [name for name in model.graph.names if name not in ("x", "w")] == [
        "normal", "dropout", "head/normal", "uniform", "dropout_1",
    ]  # fmt: skip
    with model.session() as session:
        both = session.run([model.dropped, late], {model.x: np.ones((40, 2), np.float32)})
        assert not np.array_equal(*both)
        assert tuple(session.run("dropout_1")) == key_of("dropout_1", 1)


@on_each_backend
def test_a_step_is_a_run_with_updates_or_with_random_numbers_without_a_key(backend: str) -> None:
    model = Model()
    doubled, fixed = model.x * 2.0, R.normal((2,), key=KEY)
    with model.session(backend) as session:
        session.run([doubled, fixed], {model.x: ROWS})
        assert session.step == 0
        session.run(model.dropped, {model.x: ROWS})
        assert session.step == 1
        session.run([model.train, model.again])
        assert session.step == 2
        u = philox.uniform(key_of("uniform", 1), (2,))
        np.testing.assert_array_equal(session.value(model.w), np.array([1, 2], np.float32) + u)


def test_a_run_that_fails_is_no_step_and_draws_the_same_again() -> None:
    with gc.Graph() as graph:
        x = gc.placeholder("x", ())
        noise = gc.check_numerics(R.normal(()) * x)
    with gc.Session(graph) as session:
        with pytest.raises(NumericsError):
            session.run(noise, {x: np.float32(np.nan)})
        assert session.step == 0
        assert session.run(noise, {x: np.float32(1)}) == philox.normal(key_of("normal", 0, 0), ())


def test_a_session_that_is_restored_draws_what_it_would_have_drawn() -> None:
    model = Model()
    with model.session() as session:
        step = session.compile([model.noise, model.train], [model.x])
        step(ROWS)
        saved = pickle.loads(pickle.dumps(session.snapshot()))
        expected = [step(ROWS)[0] for _ in range(2)]
        weights = session.value(model.w)
        session.restore(saved)
        again = [step(ROWS)[0] for _ in range(2)]
        assert np.array_equal(again, expected)
        assert np.array_equal(session.value(model.w), weights)
    with model.session() as resumed:
        resumed.restore(saved)
        assert np.array_equal(resumed.run(model.noise, {model.x: ROWS}), expected[0])


def test_threads_draw_no_step_twice() -> None:
    model = Model()
    with model.session() as session, ThreadPoolExecutor(4) as pool:
        step = session.compile(model.again)
        found = list(pool.map(lambda _: step().tobytes(), range(40)))
        assert session.step == 40
    assert set(found) == {philox.normal(key_of("head/normal", n), (3,)).tobytes() for n in range(40)}


def test_passes_keep_unkeyed_draws_apart_and_merge_equal_keys() -> None:
    with gc.Graph() as graph:
        one, two = R.uniform((3,)), R.uniform((3,))
    assert structural_key(one) != structural_key(two)
    with gc.Session(graph) as session:
        call = session.compile([one, two])
        assert not np.array_equal(*call())
        assert sum(step.op.name == "random_uniform" for step in call.plan.plan.steps) == 2
    big = [R.uniform((300,), key=KEY) for _ in range(2)]
    merged = gc.compile([big[0] + 1.0, big[1] * 2.0])
    assert sum(step.op.name == "random_uniform" for step in merged.plan.plan.steps) == 1


@pytest.mark.parametrize("exactness", ["exact", "default", "fast"])
def test_bits_do_not_depend_on_optimisation(exactness: str) -> None:
    """Small ones of a constant key are folded; the numbers are the same."""
    tensors = [
        R.bits((5,), key=KEY),
        R.uniform((5,), key=KEY),
        R.randint(0, 100, (5,), key=KEY),
        R.permutation(9, key=KEY),
    ]
    expected = reference.evaluate(tensors)
    for value, wanted in zip(drawn(tensors, exactness=exactness), expected, strict=True):
        assert np.array_equal(value, wanted)


ELSEWHERE = {"jax": lambda: "jax", "CUDA on the host": lambda: CupyBackend(HostDevice())}


@pytest.mark.parametrize(
    "backend",
    [
        pytest.param(name, marks=pytest.mark.requires(what))
        for name, what in zip(ELSEWHERE, ("jax", "cxx"), strict=True)
    ],
)
def test_what_is_exact_is_the_same_everywhere(backend: str) -> None:
    """Words, uniforms, and what is made of them by comparisons, integers and exact steps."""
    with gc.Graph():
        k = gc.placeholder("k", (2,), gc.uint32)
    tensors = [
        R.bits((1001,), key=k), R.bits((501,), dtype="uint64", key=k), R.uniform((1001,), key=k),
        R.uniform((501,), dtype="float64", key=k), R.uniform((1001,), low=-1.0, high=1.0, key=k),
        R.bernoulli(0.3, (1001,), key=k), R.randint(-7, 93, (501,), key=k), R.randint(0, 2**40 + 11, (99,), key=k),
        gc.nn.dropout(np.arange(1.0, 100.0), 0.25, key=k), R.fold_in(k, "name"), R.split(k, 3),
    ]  # fmt: skip
    if backend == "jax":
        tensors.append(R.permutation(101, key=k))
    mine, other = (gc.compile(tensors, [k], backend=where)(K) for where in ("numpy", ELSEWHERE[backend]()))
    for number, (a, b) in enumerate(zip(mine, other, strict=True)):
        assert a.dtype == b.dtype, number
        assert a.tobytes() == b.tobytes(), number


def test_bisection_and_reproduction_follow_a_call_with_random_numbers() -> None:
    model = Model()
    with model.session() as session:
        step = session.compile([model.noise * 2.0, model.train], [model.x])
        step(ROWS)
        before = session.step
        assert gc.bisect(step, ROWS).kind == "nothing"
        leaves, _ = step.leaves(ROWS)
        keys = {node.name: tuple(value) for node, value in leaves.items() if node.op.name == "run_key"}
        assert keys == {name: key_of(name, 1) for name in ("normal", "uniform")}
        with pytest.raises(ArgumentError, match="there is nothing to reproduce"):
            gc.reproduce(step, ROWS)
        assert session.step == before


def test_a_script_feeds_keys_as_arrays() -> None:
    from graphc.reproducer.problem import Problem
    from graphc.reproducer.script import Setting, print_script

    model = Model()
    with model.session() as session:
        step = session.compile(model.again)
        leaves, sizes = step.leaves()
    text = print_script(Problem(step.plan.recorded, leaves, sizes), Setting())
    assert "gc.placeholder('head/normal', (2,), gc.uint32)" in text
    names: dict[str, Any] = {"__name__": "script"}
    exec(compile(text.replace("print(", "(lambda *a, **k: None)("), "script.py", "exec"), names)
    assert np.array_equal(names["computed"][0], philox.normal(key_of("head/normal", 0), (3,)))


# --- without a session ------------------------------------------------------------------------------------------


def test_without_a_session_a_key_is_needed() -> None:
    with pytest.raises(GraphMismatchError, match="normal is given no key"):
        R.normal((3,))
    model = Model()
    with pytest.raises(ArgumentError, match="random numbers without a key need a session") as caught:
        gc.compile(model.noise, [model.x])
    assert caught.value.origins.lines[0].function == "__init__"
    with pytest.raises(ArgumentError, match="random numbers without a key need a session"):
        gc.evaluate(model.again)


def test_the_rate_zero_draws_nothing() -> None:
    x = gc.asarray([1.0, 2.0])
    assert gc.nn.dropout(x, 0.0) is x


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_what_is_stored_in_16_bits_is_drawn_in_more_and_rounded_once(dtype: str) -> None:
    wide = gc.asarray([0.5, 2.0, 30.0])
    low = wide.astype(dtype)
    pairs = [
        (R.normal((9,), dtype=dtype, key=KEY), R.normal((9,), dtype="float64", key=KEY)),
        (R.exponential((9,), dtype=dtype, key=KEY), R.exponential((9,), dtype="float64", key=KEY)),
        (R.gamma(low, key=KEY), R.gamma(wide, dtype="float64", key=KEY)),
        (gc.nn.dropout(low, 0.25, key=KEY), gc.nn.dropout(wide, 0.25, key=KEY)),
    ]
    for stored, exact in pairs:
        assert stored.dtype.name == dtype
        value, expected = drawn([stored, exact])
        assert np.array_equal(value, expected.astype(value.dtype))
    uniform = drawn(R.uniform((99,), dtype=dtype, key=KEY))
    assert np.array_equal(uniform, philox.uniform(KEY, (99,), uniform.dtype))


# --- gradients --------------------------------------------------------------------------------------------------


def test_a_gradient_by_the_shape_of_a_gamma_variable_says_why_there_is_none() -> None:
    with gc.Graph():
        a = gc.placeholder("a", (3,))
    with pytest.raises(NotDifferentiableError, match="its implicit derivative by the shape parameter"):
        gc.gradients(gc.sum(R.gamma(a, key=KEY)), [a])
    for flat in (R.poisson(a, key=KEY), R.categorical(a, key=KEY), R.bernoulli(a, key=KEY)):
        assert gc.gradients(gc.sum(flat.astype("float32") * 1.0), [a], unconnected="none") == [None]


# --- distributions ----------------------------------------------------------------------------------------------

SIZE = 20_000
CONFIDENCE = 1e-6  # how seldom a right sampler fails, were the keys drawn anew


def kolmogorov_p(values: np.ndarray, cdf: Callable[[np.ndarray], np.ndarray]) -> float:
    """The p-value of the Kolmogorov-Smirnov test, by the limit of the distribution of its statistic."""
    n = values.size
    expected = cdf(np.sort(values.ravel().astype(np.float64)))
    grid = np.arange(n + 1) / n
    distance = max(np.max(grid[1:] - expected), np.max(expected - grid[:-1]))
    x = (math.sqrt(n) + 0.12 + 0.11 / math.sqrt(n)) * distance  # Stephens (1970)
    return min(1.0, 2 * sum((-1) ** (k - 1) * math.exp(-2 * (k * x) ** 2) for k in range(1, 101)))


def chi_square_p(counts: np.ndarray, probabilities: np.ndarray) -> float:
    """The p-value of Pearson's test, by the cube-root approximation of Wilson and Hilferty (1931)."""
    expected = probabilities * counts.sum()
    assert expected.min() >= 5, "classes must be pooled"
    freedom = len(counts) - 1
    statistic = float(((counts - expected) ** 2 / expected).sum())
    z = ((statistic / freedom) ** (1 / 3) - (1 - 2 / (9 * freedom))) / math.sqrt(2 / (9 * freedom))
    return 1 - NormalDist().cdf(z)


def test_the_tests_of_distributions_notice_a_wrong_one() -> None:
    u = philox.uniform(KEY, (SIZE,), np.float64)
    assert kolmogorov_p(u, lambda x: x) > 0.001
    assert kolmogorov_p(u**1.1, lambda x: x) < CONFIDENCE
    counts = np.bincount((u * 10).astype(int), minlength=10)
    assert chi_square_p(counts, np.full(10, 0.1)) > 0.001
    assert chi_square_p(np.bincount((u**1.1 * 10).astype(int), minlength=10), np.full(10, 0.1)) < CONFIDENCE


def _phi(x: np.ndarray) -> np.ndarray:
    return 0.5 * np.array([math.erfc(-each * math.sqrt(0.5)) for each in x])


def _gamma_cdf(a: float) -> Callable[[np.ndarray], np.ndarray]:
    """The regularised incomplete gamma function by its series, which converges for all x."""

    def cdf(x: np.ndarray) -> np.ndarray:
        x = np.minimum(x, 60.0)
        term = np.exp(a * np.log(np.maximum(x, 1e-300)) - x - math.lgamma(a + 1))
        total = term.copy()
        for n in range(1, 400):
            term = term * x / (a + n)
            total = total + term
        return np.minimum(total, 1.0)

    return cdf


def _beta_2_3(x: np.ndarray) -> np.ndarray:
    return x * x * (6 - 8 * x + 3 * x * x)


def _truncated(low: float, high: float) -> Callable[[np.ndarray], np.ndarray]:
    ends = _phi(np.array([low, high]))
    return lambda x: (_phi(x) - ends[0]) / (ends[1] - ends[0])


CONTINUOUS: dict[str, tuple[Callable[..., gc.Tensor], Callable[[np.ndarray], np.ndarray]]] = {
    "uniform": (lambda k: R.uniform((SIZE,), low=-1.0, high=3.0, key=k), lambda x: (x + 1) / 4),
    "normal": (lambda k: R.normal((SIZE,), mean=1.0, stddev=2.0, key=k), lambda x: _phi((x - 1) / 2)),
    "truncated": (lambda k: R.truncated_normal((SIZE,), key=k), _truncated(-2, 2)),
    "one-sided": (lambda k: R.truncated_normal((SIZE,), low=1.5, high=math.inf, dtype="float64", key=k),
                  _truncated(1.5, math.inf)),
    "exponential": (lambda k: R.exponential((SIZE,), scale=2.0, key=k), lambda x: -np.expm1(-x / 2)),
    "gumbel": (lambda k: R.gumbel((SIZE,), loc=-1.0, key=k), lambda x: np.exp(-np.exp(-(x + 1)))),
    "gamma 0.3": (lambda k: R.gamma(0.3, (SIZE,), dtype="float64", key=k), _gamma_cdf(0.3)),
    "gamma 1": (lambda k: R.gamma(1.0, (SIZE,), key=k), lambda x: -np.expm1(-x)),
    "gamma 7.5": (lambda k: R.gamma(7.5, (SIZE,), scale=2.0, key=k), lambda x: _gamma_cdf(7.5)(x / 2)),
    "beta": (lambda k: R.beta(2.0, 3.0, (SIZE,), key=k), _beta_2_3),
    "beta of small ones": (lambda k: R.beta(0.5, 0.5, (SIZE,), dtype="float64", key=k),
                           lambda x: 2 / math.pi * np.arcsin(np.sqrt(x))),
}  # fmt: skip


def _poisson(rate: float, least: int, most: int) -> np.ndarray:
    """Probabilities of the values between two limits, which take what lies beyond them."""
    p = np.array([math.exp(k * math.log(rate) - rate - math.lgamma(k + 1)) for k in range(10 * most)])
    return np.array([p[: least + 1].sum(), *p[least + 1 : most], 1 - p[:most].sum()])


WEIGHTS = np.array([0.1, 0.0, 0.4, 0.2, 0.3])
_USED = np.array([0, 2, 3, 4])
DISCRETE: dict[str, tuple[Callable[..., gc.Tensor], Callable[[np.ndarray], np.ndarray], np.ndarray]] = {
    "bernoulli": (lambda k: R.bernoulli(0.3, (SIZE,), key=k), lambda x: np.bincount(x.astype(int)),
                  np.array([0.7, 0.3])),
    "randint": (lambda k: R.randint(-3, 94, (SIZE,), key=k), lambda x: np.bincount(x + 3, minlength=97),
                np.full(97, 1 / 97)),
    "wide": (lambda k: R.randint(0, 3 * 2**62, (SIZE,), dtype="uint64", key=k),
             lambda x: np.bincount((x // np.uint64(2**62)).astype(int), minlength=3), np.full(3, 1 / 3)),
    "poisson 2": (lambda k: R.poisson(2.0, (SIZE,), key=k), lambda x: np.bincount(np.clip(x, 0, 8), minlength=9),
                  _poisson(2.0, 0, 8)),
    "poisson 30": (lambda k: R.poisson(30.0, (SIZE,), key=k),
                   lambda x: np.bincount(np.clip(x, 15, 47) - 15, minlength=33), _poisson(30.0, 15, 47)),
    "categorical": (lambda k: R.categorical(np.log(WEIGHTS[_USED]), (SIZE,), key=k), np.bincount, WEIGHTS[_USED]),
    "choice": (lambda k: R.choice(5, (SIZE,), p=WEIGHTS, key=k), lambda x: np.bincount(x)[_USED], WEIGHTS[_USED]),
    "permutation": (lambda k: R.permutation(SIZE, key=k), lambda x: np.bincount(x[: SIZE // 2] // (SIZE // 10)),
                    np.full(10, 0.1)),
}  # fmt: skip


SLOW_IN_XLA = ("gamma 0.3", "gamma 1", "beta of small ones", "one-sided", "permutation", "poisson 2")


@on_each_backend
def test_numbers_are_distributed_as_said(backend: str) -> None:
    """All in one program. XLA compiles slowly: there only one of each kind."""
    names = [name for name in (*CONTINUOUS, *DISCRETE) if backend == "numpy" or name not in SLOW_IN_XLA]
    with gc.Graph():
        k = gc.placeholder("k", (2,), gc.uint32)
    draws = [(CONTINUOUS.get(name) or DISCRETE[name])[0](R.fold_in(k, name)) for name in names]
    values = dict(zip(names, gc.compile(draws, [k], backend=backend)(K), strict=True))
    for name, array in values.items():
        if name in CONTINUOUS:
            assert kolmogorov_p(array, CONTINUOUS[name][1]) > CONFIDENCE, name
        else:
            _, count, probabilities = DISCRETE[name]
            assert chi_square_p(count(array), probabilities) > CONFIDENCE, name


def test_neighbours_and_children_are_not_correlated() -> None:
    tensors = [R.uniform((SIZE,), key=key) for key in R.split(KEY, 3)]
    tensors += [R.normal((SIZE,), key=R.fold_in(KEY, 0)), R.gamma(3.0, (SIZE,), key=KEY), R.uniform((SIZE,), key=KEY)]
    values = np.stack(drawn(tensors)).astype(np.float64)
    table = np.corrcoef(np.concatenate([values, np.roll(values, 1, axis=1)]))
    assert np.abs(table - np.eye(len(table))).max() < 5 / math.sqrt(SIZE)


def test_every_order_is_equally_likely() -> None:
    with gc.Graph():
        n = gc.placeholder("n", (), gc.int64)
    call = gc.compile(R.permutation(4, key=R.fold_in(KEY, n)), [n])
    found = [tuple(call(number)) for number in range(2400)]
    counts = np.array([found.count(order) for order in set(found)])
    assert len(counts) == 24
    assert chi_square_p(counts, np.full(24, 1 / 24)) > CONFIDENCE


def test_weighted_choices_without_replacement() -> None:
    """The first of two is chosen by the weights, the second by those that are left."""
    with gc.Graph():
        n = gc.placeholder("n", (), gc.int64)
    weights = np.array([0.5, 0.3, 0.2])
    call = gc.compile(R.choice(3, (2,), replace=False, p=weights, key=R.fold_in(KEY, n)), [n])
    found = [tuple(call(number)) for number in range(3000)]
    pairs = [(i, j) for i in range(3) for j in range(3) if i != j]
    p = np.array([weights[i] * weights[j] / (1 - weights[i]) for i, j in pairs])
    assert chi_square_p(np.array([found.count(pair) for pair in pairs]), p) > CONFIDENCE


def test_tails_are_as_long_in_float32() -> None:
    """Rare values exist, and extremes are finite."""
    e, g, t = drawn([f((1 << 20,), key=KEY) for f in (R.exponential, R.gumbel, R.truncated_normal)])
    assert 12 < e.max() < 37
    assert np.isfinite(g).all()
    assert g.min() < -2.2
    assert np.abs(t).max() <= 2


def test_extreme_parameters() -> None:
    far = R.truncated_normal((99,), low=20.0, high=21.0, dtype="float64", key=KEY)
    tiny, huge = R.gamma(1e-3, (999,), dtype="float64", key=KEY), R.poisson(1e15, (9,), key=KEY)
    balanced = R.beta(1e-3, 1e-3, (999,), dtype="float64", key=KEY)
    a, b, c, d = drawn([far, tiny, huge, balanced])
    assert ((a >= 20) & (a <= 21)).all()
    assert abs(a.mean() - 20.05) < 0.02
    assert (b >= 0).all()
    assert np.abs(c - 1e15).max() < 5 * math.sqrt(1e15)
    assert ((d >= 0) & (d <= 1)).all()
    assert 0.4 < (d > 0.5).mean() < 0.6


def test_symbolic_sizes_and_limits() -> None:
    with gc.Graph():
        x = gc.placeholder("x", ("n", 2))
    rows = R.randint(0, x.shape[0], (50,), key=KEY)
    tensors = [rows, R.choice(x, (3,), key=KEY), R.permutation(x.shape[0], key=KEY), R.uniform(x.shape, key=KEY)]
    tensors.append(R.choice(x.shape[0], (3,), replace=False, key=KEY))
    call = gc.compile(tensors, [x])
    for n in (3, 11):
        array = np.arange(2.0 * n, dtype=np.float32).reshape(n, 2)
        found, chosen, order, uniform, some = call(array)
        assert 0 <= found.min() < found.max() < n
        assert all(row.tolist() in array.tolist() for row in chosen)
        assert sorted(order) == list(range(n))
        assert np.array_equal(uniform, philox.uniform(KEY, (n, 2)))
        assert len(set(some.tolist())) == 3
    with pytest.raises(gc.errors.FeedError, match="cannot be chosen"):
        call(np.ones((2, 2), np.float32))


def test_parameters_may_be_lists() -> None:
    flags, moved, whole = drawn(
        [
            R.bernoulli([0.0, 1.0], (50, 2), key=KEY),
            R.normal((2,), mean=[100.0, -100.0], stddev=[0.0, 1.0], key=KEY),
            R.randint([0, 10], [1, 11], (3, 2), key=KEY),
        ]
    )
    assert not flags[:, 0].any()
    assert flags[:, 1].all()
    assert moved[0] == 100
    assert abs(moved[1] + 100) < 9
    assert np.array_equal(whole, [[0, 10]] * 3)


def test_limits_that_are_tensors() -> None:
    low, high = gc.asarray(np.array([-128, 0, 5], np.int8)), np.array([128, 1, 2])
    found = drawn(R.randint(low, high, (500, 3), dtype="int8", key=KEY))
    assert found[:, 0].min() < -100
    assert found[:, 0].max() > 100
    assert (found[:, 1] == 0).all()
    assert (found[:, 2] == 5).all(), "high is not above low"


def test_rounds_are_enough() -> None:
    """The probability that all rounds fail: below 2**-60 by the worst rates of acceptance that are met."""
    for sampler, parameters in (
        (rejection.GAMMA_SAMPLER, (1.0, 1.2, 2.0, 50.0)),
        (rejection.POISSON_SAMPLER, (10.0, 11.5, 1e4)),
    ):
        attrs = {"log": False} if sampler is rejection.GAMMA_SAMPLER else {}
        positions = np.arange(SIZE, dtype=np.uint64)
        with np.errstate(all="ignore"):
            rejected = [
                1 - sampler.propose(np, K, positions, np.full(SIZE, p), rejection.in_turn, **attrs)[1].mean()
                for p in parameters
            ]
        assert max(rejected) ** sampler.rounds < 2.0**-60
