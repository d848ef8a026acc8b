"""Optimisers against NumPy written by hand: for many steps, in float32 and float64, with rates that change."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.conformance.tolerances import SAME_BITS, after_steps, assert_close
from graphc.errors import GraphMismatchError, NotConnectedError, UpdateError

Array = np.ndarray
STEPS = 200


class NumpySGD:
    """The update of Sutskever et al. in PyTorch's form."""

    def __init__(self, rate: float, momentum: float = 0.0, nesterov: bool = False) -> None:
        self.rate, self.momentum, self.nesterov = rate, momentum, nesterov
        self.velocity: Any = 0.0

    def __call__(self, w: Array, g: Array) -> Array:
        self.velocity = self.velocity * self.momentum + g
        direction = g + self.velocity * self.momentum if self.nesterov else self.velocity
        return w - direction * self.rate


class NumpyAdam:
    """Algorithm 1 of Kingma and Ba, line by line, in the dtype of the weight."""

    def __init__(self, rate: float, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8) -> None:
        self.rate, self.beta1, self.beta2, self.epsilon = rate, beta1, beta2, epsilon
        self.m: Any = 0.0
        self.v: Any = 0.0
        self.t = 0

    def __call__(self, w: Array, g: Array) -> Array:
        self.t += 1
        self.m = self.beta1 * self.m + (1 - self.beta1) * g
        self.v = self.beta2 * self.v + (1 - self.beta2) * g**2
        m_hat = self.m / (1 - self.beta1**self.t)
        v_hat = self.v / (1 - self.beta2**self.t)
        return w - self.rate * m_hat / (np.sqrt(v_hat) + self.epsilon)


class NumpyAdamAsRecorded(NumpyAdam):
    """The same with the operations in the order of `optim/adam.py`: to be met bit by bit."""

    def __call__(self, w: Array, g: Array) -> Array:
        number = w.dtype.type
        self.t += 1
        self.m = self.m * self.beta1 + g * (1.0 - self.beta1)
        self.v = self.v * self.beta2 + g * g * (1.0 - self.beta2)
        rate = number(self.rate / (1.0 - np.power(self.beta1, float(self.t))))
        root = number(1.0 / np.sqrt(1.0 - np.power(self.beta2, float(self.t))))
        return w - self.m / (np.sqrt(self.v) * root + self.epsilon) * rate


def gradients_of(shape: tuple[int, ...], dtype: str) -> list[Array]:
    """A row of gradients whose scale changes over some powers of ten."""
    rng = np.random.default_rng(0)
    scales = 10.0 ** rng.uniform(-3, 1, STEPS)
    return [(rng.normal(size=shape) * scale).astype(dtype) for scale in scales]


def follow(
    optimizer: gc.optim.Optimizer, by_hand: Any, shape: tuple[int, ...], dtype: str, rates: dict[int, float]
) -> Any:
    """The weight after each step: ours and the one by hand. `rates` holds new learning rates by step."""
    start = np.linspace(-1, 1, int(np.prod(shape)), dtype=dtype).reshape(shape)
    with gc.Graph() as graph:
        g = gc.placeholder("g", shape=shape, dtype=dtype)
        w = gc.Variable(start, name="w")
        update = optimizer.apply([(g, w)])
    with gc.Session(graph) as session:
        step = session.compile(update, [g])
        expected = start
        for number, gradient in enumerate(gradients_of(shape, dtype)):
            if number in rates:
                by_hand.rate = rates[number]
                session.assign({optimizer.learning_rate: rates[number]})
            step(gradient)
            expected = by_hand(expected, gradient)
            yield session.value(w), np.asarray(expected)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(), (5,), (3, 4)])
@pytest.mark.parametrize("arguments", [(), (0.9,), (0.9, True)], ids=["plain", "momentum", "nesterov"])
def test_sgd_is_numpy_bit_by_bit(arguments: tuple[Any, ...], shape: tuple[int, ...], dtype: str) -> None:
    optimizer, by_hand = gc.optim.SGD(0.01, *arguments), NumpySGD(0.01, *arguments)
    for found, expected in follow(optimizer, by_hand, shape, dtype, {50: 0.1, 150: 0.0, 160: 0.003}):
        assert_close(found, expected, SAME_BITS, "SGD")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(), (5,), (3, 4)])
@pytest.mark.parametrize("arguments", [(), (0.5, 0.75, 1e-3), (0.0, 0.0, 1e-8)], ids=["usual", "short", "none"])
def test_adam_is_numpy(arguments: tuple[float, ...], shape: tuple[int, ...], dtype: str) -> None:
    """Bit by bit in the same order of operations; the paper's own within what rounding does in so many steps."""
    rates = {50: 0.01, 150: 1e-4}
    ours = [found for found, _ in follow(gc.optim.Adam(1e-3, *arguments), NumpyAdam(0), shape, dtype, rates)]
    for hand, tolerance in ((NumpyAdamAsRecorded, SAME_BITS), (NumpyAdam, after_steps(STEPS))):
        by_hand = hand(1e-3, *arguments)
        expected = np.linspace(-1, 1, int(np.prod(shape)), dtype=dtype).reshape(shape)
        for number, gradient in enumerate(gradients_of(shape, dtype)):
            by_hand.rate = rates.get(number, by_hand.rate)
            expected = np.asarray(by_hand(expected, gradient))
            assert_close(ours[number], expected, tolerance, f"{hand.__name__}, step {number + 1}", signs=False)


def test_the_first_step_of_adam_has_the_length_of_the_rate() -> None:
    """m̂ = g and v̂ = g², so every weight moves by η·|g| / (|g| + ε), whatever its gradient."""
    gradient = np.float64([1e-4, -1.0, 1e6, 0.0])
    with gc.Graph() as graph:
        g = gc.placeholder("g", shape=(4,), dtype=gc.float64)
        w = gc.Variable(np.zeros(4), name="w")
        update = gc.optim.Adam(0.125).apply({w: g})
    with gc.Session(graph) as session:
        session.run(update, {g: gradient})
        expected = -0.125 * gradient / (np.abs(gradient) + 1e-8)
        assert_close(session.value(w), expected, after_steps(1), signs=False)
        assert session.value("adam/step") == 1


# --- the learning rate -----------------------------------------------------------------------------------------


def quadratic() -> tuple[gc.Graph, gc.Variable, gc.Variable, gc.Tensor]:
    """Two variables, and a loss that depends on both."""
    with gc.Graph() as graph:
        a = gc.Variable(np.float32([1.0, -2.0]), name="a")
        b = gc.Variable(np.float32([3.0]), name="b")
        loss = gc.sum(a * a) + gc.sum(b * b * 2.0)
    return graph, a, b, loss


@pytest.mark.parametrize("make", [gc.optim.SGD, gc.optim.Adam])
def test_the_learning_rate_is_a_variable(make: Callable[[float], gc.optim.Optimizer]) -> None:
    """It can be read, assigned, moved by an update of its own, and is no target of training."""
    graph, a, _, loss = quadratic()
    optimizer = make(0.25)
    with pytest.raises(UpdateError, match=r"it will start with 0\.25"):
        _ = optimizer.learning_rate
    train = optimizer.minimize(loss)
    rate = optimizer.learning_rate
    assert isinstance(rate, gc.Variable)
    assert not rate.trainable
    assert rate.name == f"{optimizer.name}/learning_rate"
    with graph:
        decay = gc.assign(rate, rate * 0.5)
    with gc.Session(graph) as session:
        step = session.compile([train, decay])
        for expected in (0.25, 0.125, 0.0625):
            assert session.value(rate) == expected
            step()
        session.assign({rate: 0.0})
        before = session.value(a)
        step()
        np.testing.assert_array_equal(session.value(a), before)


def test_a_new_learning_rate_compiles_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    graph, a, _, loss = quadratic()
    optimizer = gc.optim.SGD(0.25)
    train = optimizer.minimize(loss)
    with gc.Session(graph) as session:
        session.run(train)
        monkeypatch.setattr(session, "compile", None)
        for rate in (0.5, 0.0):
            before = session.value(a)
            session.assign({optimizer.learning_rate: rate})
            session.run(train)
            np.testing.assert_array_equal(session.value(a), before - before * 2 * np.float32(rate))


# --- what is moved ------------------------------------------------------------------------------------------------


def test_minimize_moves_all_trainable_variables_of_the_loss() -> None:
    graph, a, b, loss = quadratic()
    with graph:
        frozen = gc.Variable(np.float32([1.0]), name="frozen", trainable=False)
        unused = gc.Variable(np.float32([1.0]), name="unused")
        counter = gc.Variable(0, name="counter")
        train = gc.optim.SGD(0.25).minimize(loss * gc.sum(frozen) * counter.astype(gc.float32))
    with gc.Session(graph) as session:
        session.assign({counter: 1})
        session.run(train)
        np.testing.assert_array_equal(session.value(a), [0.5, -1.0])
        np.testing.assert_array_equal(session.value(b), [0.0])
        assert session.value(frozen) == session.value(unused) == session.value(counter) == 1


@pytest.mark.parametrize("make", [gc.optim.SGD, gc.optim.Adam])
def test_minimize_moves_only_what_it_is_given(make: Callable[[float], gc.optim.Optimizer]) -> None:
    graph, a, b, loss = quadratic()
    train = make(0.1).minimize(loss, variables=[b])
    assert not any("/a/" in name for name in graph.variables)  # no slots for what does not move
    with gc.Session(graph) as session:
        for _ in range(100):
            session.run(train)
        np.testing.assert_array_equal(session.value(a), [1.0, -2.0])
        assert abs(session.value(b)[0]) < 0.5
    with graph, pytest.raises(NotConnectedError, match="'c'"):
        make(0.1).minimize(loss, variables=[b, gc.Variable(1.0, name="c")])


def test_what_is_frozen_can_be_named() -> None:
    with gc.Graph() as graph:
        frozen = gc.Variable(np.float32(4.0), name="frozen", trainable=False)
        train = gc.optim.SGD(0.25).minimize(frozen * frozen, variables=[frozen])
    with gc.Session(graph) as session:
        session.run(train)
        assert session.value(frozen) == 2.0


def test_gradients_can_be_changed_before_they_are_applied() -> None:
    """Clipped by their common norm, and given as pairs or as a dict."""
    for as_dict in (False, True):
        graph, a, b, loss = quadratic()
        with graph:
            found = gc.gradients(loss, [a, b])
            norm = gc.sqrt(sum((gc.sum(g * g) for g in found), start=gc.constant(0.0)))
            clipped = [g / gc.maximum(norm, 1.0) for g in found]
            pairs = dict(zip([a, b], clipped, strict=True)) if as_dict else list(zip(clipped, [a, b], strict=True))
            train = gc.optim.SGD(1.0).apply(pairs)
        with gc.Session(graph) as session:
            session.run(train)
            moved = np.concatenate([[1.0, -2.0] - session.value(a), [3.0] - session.value(b)])
        direction = np.float64([2.0, -4.0, 12.0])
        expected = (direction / np.linalg.norm(direction)).astype(np.float32)
        assert_close(moved.astype(np.float32), expected, after_steps(4))


def test_two_optimisers_in_one_graph() -> None:
    graph, a, b, loss = quadratic()
    first, second = gc.optim.SGD(0.25), gc.optim.SGD(0.125)
    train = gc.group(first.minimize(loss, [a]), second.minimize(loss, [b]))
    assert first.learning_rate is not second.learning_rate
    assert [name for name in graph.variables if "rate" in name] == ["sgd/learning_rate", "sgd/learning_rate_1"]
    both = gc.optim.SGD(0.25).minimize(loss)
    with gc.Session(graph) as session:
        session.run(train)
        np.testing.assert_array_equal(session.value(a), [0.5, -1.0])
        np.testing.assert_array_equal(session.value(b), [1.5])
        with pytest.raises(UpdateError):
            session.run([train, both])


def test_one_optimiser_for_two_losses_and_not_for_two_graphs() -> None:
    optimizer = gc.optim.Adam(0.1)
    graph, a, b, loss = quadratic()
    train = [optimizer.minimize(loss, [a]), optimizer.minimize(loss, [b])]
    rate = optimizer.learning_rate
    assert rate.owner is graph
    other, _, _, other_loss = quadratic()
    names = list(other.names)
    with pytest.raises(GraphMismatchError, match="belongs to another graph"):
        optimizer.minimize(other_loss)
    assert list(other.names) == names
    assert optimizer.learning_rate is rate
    with gc.Session(graph) as session:
        session.run(train)
        np.testing.assert_allclose(session.value(a), [0.9, -1.9], rtol=1e-6)
        np.testing.assert_allclose(session.value(b), [2.9], rtol=1e-6)


def test_one_variable_needs_no_list() -> None:
    graph, a, b, loss = quadratic()
    train = gc.optim.SGD(0.25).minimize(loss, variables=a)
    again = gc.optim.SGD(0.25).minimize(loss, (variable for variable in [b]))
    with gc.Session(graph) as session:
        session.run(train)
        np.testing.assert_array_equal(session.value(a), [0.5, -1.0])
        np.testing.assert_array_equal(session.value(b), [3.0])
        session.run(again)
        np.testing.assert_array_equal(session.value(b), [0.0])


@pytest.mark.parametrize("make", [lambda: gc.optim.SGD(0.1, momentum=0.9), lambda: gc.optim.Adam(0.1)])
def test_training_goes_on_from_a_snapshot_as_if_nothing_had_happened(make: Callable[[], gc.optim.Optimizer]) -> None:
    graph, a, b, loss = quadratic()
    train = make().minimize(loss)
    with gc.Session(graph) as session:
        for _ in range(5):
            session.run(train)
        kept = session.snapshot()
        for _ in range(5):
            session.run(train)
        expected = [session.value(v) for v in (a, b)]
    with gc.Session(graph, seed=9) as other:
        other.restore(kept)
        assert other.step == 5
        for _ in range(5):
            other.run(train)
        for variable, value in zip((a, b), expected, strict=True):
            np.testing.assert_array_equal(other.value(variable), value)
