"""The cupy backend: memory, order, commit, checks and failure, on a device that interprets kernels, and on a GPU."""

import itertools
import re
import runpy
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from cupy_devices import DEVICES, backend_on, interpreted
from memory_device import InterpretingDevice

import graphc as gc
from graphc.errors import (
    BackendError,
    NumericsError,
    OutOfMemoryError,
    OutOfRangeError,
    StateLostError,
    UnsupportedError,
    VerifyError,
)
from graphc.ir.tensor import apply
from graphc.ops.along import ADD_ALONG_AXIS
from graphc.ops.scatter import TAKE_LAST
from graphc_cupy import CupyBackend, code, nvrtc
from graphc_cupy.products import plain_stacks
from graphc_cupy.transposes import left_out

backend_module = sys.modules["graphc_cupy.backend"]  # the package has a function of that name


EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture(params=DEVICES)
def backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> CupyBackend:
    """On every device that there is."""
    return backend_on(request.param, monkeypatch)


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> InterpretingDevice:
    """The device that tells what it does and fails when it is asked to."""
    return interpreted(monkeypatch)


@pytest.fixture(autouse=True)
def graph() -> Iterator[gc.Graph]:
    """What a test records without a graph of its own."""
    with gc.Graph() as recording:
        yield recording


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


# --- values -----------------------------------------------------------------------------------------------------


def digits_model(backend: Any) -> tuple[gc.Session, gc.Executable]:
    with gc.Graph("digits") as graph:
        x, y = gc.placeholder("x", ("batch", 64)), gc.placeholder("y", ("batch",), gc.int64)
        hidden = gc.nn.relu(x @ gc.Variable(normal(64, 32) / 8, name="w1") + gc.Variable(normal(32), name="b1"))
        logits = hidden @ gc.Variable(normal(32, 10, seed=1) / 6, name="w2") + gc.Variable(normal(10), name="b2")
        loss = gc.losses.softmax_cross_entropy(logits, y, reduction="mean")
        train = gc.optim.Adam(1e-2).minimize(loss)
        hits = gc.mean((gc.argmax(logits, axis=-1) == y).astype(gc.float32))
    session = gc.Session(graph, backend=backend)
    return session, session.compile([loss, hits, train], [x, y])


def test_a_network_learns_as_on_numpy(backend: CupyBackend) -> None:
    """Batches of two sizes; one compilation."""
    session, step = digits_model(backend)
    reference, expected_step = digits_model("numpy")
    rng = np.random.default_rng(3)
    centres = rng.standard_normal((10, 64))
    with session, reference:
        losses = []
        for number in range(60):
            labels = rng.integers(0, 10, 32 if number % 3 else 17)
            images = (centres[labels] + rng.standard_normal((labels.size, 64))).astype(np.float32)
            (loss, hits, _), (wanted, wanted_hits, _) = step(images, labels), expected_step(images, labels)
            np.testing.assert_allclose(loss, wanted, rtol=1e-4)
            losses.append(loss)
        assert losses[-1] < 0.3 * losses[0]
        assert hits == wanted_hits
        assert session.step == reference.step == 60
        for name in ("w1", "b1", "w2", "b2"):
            np.testing.assert_allclose(session.value(name), reference.value(name), rtol=1e-3, atol=1e-4)


def test_the_digits_train_as_on_numpy(backend: CupyBackend) -> None:
    """The demo's own settings: the same first values bit for bit, the same losses within 1e-4, and they fall."""
    module = runpy.run_path(str(EXAMPLES / "train_digits.py"))
    images, labels, _, _ = module["load_digits"]()
    order = np.random.default_rng(0).permutation(len(images))
    batches = [order[(at * module["BATCH"]) % 1400 :][: module["BATCH"]] for at in range(100)]
    losses, starts = [], []
    for each in ("numpy", backend):
        graph, t = module["build"]()
        with gc.Session(graph, backend=each, seed=0) as session:
            starts.append({name: value.tobytes() for name, value in session.snapshot().values.items()})
            step = session.compile([t["loss"], t["train"]], feeds=[t["x"], t["y"]])
            losses.append(np.array([step(images[batch], labels[batch])[0] for batch in batches]))
    reference, found = losses
    assert starts[0] == starts[1]
    assert found[-10:].mean() < 0.3 * found[0]
    assert (np.abs(found - reference) / np.abs(reference)).max() <= 1e-4


def test_any_batch_size_is_one_compilation(device: InterpretingDevice) -> None:
    x = gc.placeholder("x", ("n", 5))
    call = gc.compile(gc.nn.softmax(x * 2.0, axis=-1), [x], backend=CupyBackend(device))
    for n in (3, 1, 0, 64, 3):
        found = call(normal(n, 5))
        assert found.shape == (n, 5)
        np.testing.assert_allclose(found.sum(-1), np.ones(n), rtol=1e-6)
    assert len(device.compiled) == 1


MATRICES = [
    ((3, 4), (4, 5)), ((2, 3, 4), (4, 5)), ((3, 4), (2, 4, 5)), ((2, 3, 4), (2, 4, 5)), ((2, 1, 3, 4), (5, 4, 2)),
    ((3, 0), (0, 5)), ((0, 4), (4, 5)), ((2, 3, 4), (1, 4, 5)), ((1, 1), (1, 1)), ((4,), (4,)), ((6, 1, 4), (6, 4, 1)),
]  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64", "int8", "int32", "uint64"])
def test_products_of_stacks(backend: CupyBackend, dtype: str) -> None:
    rng = np.random.default_rng(0)
    arrays = [
        [rng.integers(-9 if dtype[0] != "u" else 0, 9, shape).astype(dtype) for shape in pair] for pair in MATRICES
    ]
    with gc.Graph():
        pairs = [
            [gc.placeholder(f"{name}{at}", array.shape, dtype) for name, array in zip("ab", pair, strict=True)]
            for at, pair in enumerate(arrays)
        ]
        products = [a @ b for a, b in pairs]
    call = gc.compile(products, [x for pair in pairs for x in pair], backend=backend)
    for found, (a, b) in zip(call(*itertools.chain(*arrays)), arrays, strict=True):
        np.testing.assert_array_equal(found, a @ b)
        assert found.dtype == dtype


def test_integer_products_wrap_around(backend: CupyBackend) -> None:
    x = gc.placeholder("x", (2, 2), gc.int32)
    array = np.full((2, 2), 2**30, np.int32)
    np.testing.assert_array_equal(gc.compile(x @ x, [x], backend=backend)(array), array @ array)


def test_transposed_operands_of_products_are_not_written(device: InterpretingDevice) -> None:
    x, y = gc.placeholder("x", ("n", 3)), gc.placeholder("y", (4, 3))
    call = gc.compile([(x @ y.mT).mT @ x, x.mT], [x, y], backend=CupyBackend(device))
    a, b = normal(6, 3), normal(4, 3, seed=1)
    found, turned = call(a, b)
    np.testing.assert_allclose(found, (a @ b.T).T @ a, rtol=1e-5)
    np.testing.assert_array_equal(turned, a.T)
    assert len(device.launched) == 1  # the result that is one


def test_a_transposition_is_left_out_only_if_its_source_still_stands() -> None:
    x, y = gc.placeholder("x", (4, 4)), gc.placeholder("y", (4, 4))
    turned = (x @ y).mT
    call = gc.compile([turned @ gc.exp(y), turned @ y], [x, y], backend=CupyBackend(InterpretingDevice()))
    plan = call.plan.plan
    (transposition,) = [step for step in plan.steps if "body" in step.attrs and step.inputs[0] not in plan.feeds]
    (source,), (target,) = transposition.inputs, transposition.outputs

    class Places:
        sizes: Mapping[str, int] = MappingProxyType({})

        def __init__(self, taken: int | None) -> None:
            self.taken = taken  # the slot that is given the memory of the source, which has died

        def pointer(self, slot: int) -> int:
            return 1000 * (source if slot == self.taken else slot)

        def scratch(self, step: Any) -> int:
            return 0

    assert left_out(plan, Places(None)) == {target: source}
    later = plan.steps[plan.steps.index(transposition) + 1 :]
    assert len(later) >= 2
    for step in later:
        kept = left_out(plan, Places(step.outputs[0]))
        assert kept == ({} if step in later[: _last_reader(later, target) + 1] else {target: source})


def _last_reader(steps: Sequence[Any], slot: int) -> int:
    return max(at for at, step in enumerate(steps) if slot in step.inputs)


def test_plain_stacks_have_as_few_axes_as_can_be() -> None:
    assert plain_stacks((2, 3, 4), (4, 5), (2, 3, 5)) == ((6, 4), (4, 5), (6, 5))
    assert plain_stacks((2, 3, 4), (1, 4, 5), (2, 3, 5)) == ((6, 4), (4, 5), (6, 5))
    assert plain_stacks((2, 6, 3, 4), (2, 6, 4, 5), (2, 6, 3, 5)) == ((12, 3, 4), (12, 4, 5), (12, 3, 5))
    assert plain_stacks((3, 4), (2, 4, 5), (2, 3, 5)) == ((1, 3, 4), (2, 4, 5), (2, 3, 5))


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("index", ["int8", "int64", "uint8", "uint64"])
def test_scatter_add_adds_in_the_order_of_the_indices(backend: CupyBackend, axis: int, index: str) -> None:
    x, values = normal(3, 4, 5), normal(*(2, 3, 4, 5)[: axis + 1], seed=1)
    indices = np.random.default_rng(2).integers(0 if index[0] == "u" else -3, 3, (6, 2)).astype(index)
    values = normal(*x.shape[:axis], 6, 2, *x.shape[axis + 1 :], seed=1)
    with gc.Graph():
        nodes = [gc.placeholder(f"x{i}", a.shape, a.dtype) for i, a in enumerate((x, indices, values))]
        added = gc.scatter_add(*nodes, axis=axis)
    expected = x.copy()
    np.add.at(expected, (slice(None),) * axis + (indices,), values)
    np.testing.assert_array_equal(gc.compile(added, nodes, backend=backend)(x, indices, values), expected)


def test_reductions_in_two_stages_have_scratch_memory(backend: CupyBackend) -> None:
    x = gc.placeholder("x", ("n",))
    call = gc.compile([gc.sum(x), gc.argmax(x)], [x], backend=backend)
    for n in (1, 1000, 300_000):
        array = normal(n)
        total, place = call(array)
        np.testing.assert_allclose(total, array.sum(dtype=np.float64), rtol=1e-4, atol=1e-3)
        assert place == array.argmax()
    assert "_1" in call.plan.source()


def test_the_same_call_twice_gives_the_same_bits(backend: CupyBackend) -> None:
    x = gc.placeholder("x", ("n", "m"))
    call = gc.compile(
        [gc.sum(x), gc.sum(x, axis=0), gc.sum(x, axis=1), gc.nn.softmax(x, axis=-1)], [x], backend=backend
    )
    array = normal(500, 333)
    for first, second in zip(call(array), call(array), strict=True):
        assert first.tobytes() == second.tobytes()


def test_large_arrays_take_code_with_wide_indices(backend: CupyBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    x = gc.placeholder("x", ("n", 7))
    outputs = [gc.exp(x), gc.sum(x, axis=0), x[::-1] * 2.0]
    narrow = gc.compile(outputs, [x], backend=backend)(normal(40, 7))
    monkeypatch.setattr(code, "_MOST_NARROW", 5)
    wide = gc.compile(outputs, [x], backend=backend)(normal(40, 7))
    for first, second in zip(narrow, wide, strict=True):
        np.testing.assert_array_equal(first, second)


def test_sizes_are_scalars_on_the_device(backend: CupyBackend) -> None:
    x = gc.placeholder("x", ("n", 2))
    call = gc.compile([gc.mean(x), gc.dim_value(x.shape[0]) + 1], [x], backend=backend)
    for n in (4, 9):
        mean, more = call(normal(n, 2))
        np.testing.assert_allclose(mean, normal(n, 2).mean(), rtol=1e-5, atol=1e-6)
        assert more == n + 1


def test_numbers_in_a_row_are_on_the_device(backend: CupyBackend) -> None:
    x = gc.placeholder("x", ("n", "n"))
    n = x.shape[0]
    outputs = [gc.arange(n), gc.arange(n, 0, -2) * 3, gc.triu(x, k=1), gc.pad(x, ((0, 0), (2, 1)), "reflect")]
    call = gc.compile(outputs, [x], backend=backend)
    for size in (4, 9):
        array = normal(size, size)
        bordered = np.pad(array, ((0, 0), (2, 1)), "reflect")
        wanted = np.arange(size), np.arange(size, 0, -2) * 3, np.triu(array, 1), bordered
        for got, expected in zip(call(array), wanted, strict=True):
            np.testing.assert_array_equal(got, expected)


def test_results_are_fresh_and_feeds_are_not_read_later(backend: CupyBackend) -> None:
    x = gc.placeholder("x", (4,))
    doubled = x * 2.0
    call = gc.compile([doubled, x, doubled], [x], backend=backend)
    array = normal(4)
    first, same, again = call(array)
    np.testing.assert_array_equal(first, again)
    first[:] = 0
    np.testing.assert_array_equal(same, array)
    assert not np.shares_memory(same, array)
    np.testing.assert_array_equal(call(array)[0], array * 2)


def test_feeds_may_change_when_a_call_without_results_has_returned(backend: CupyBackend) -> None:
    """Such a call does not wait; the next one must not overwrite what it still reads."""
    with gc.Graph() as graph:
        x, total = gc.placeholder("x", (1000,)), gc.Variable(np.zeros(1000, np.float32), name="total")
        add = gc.assign(total, total + x)
    with gc.Session(graph, backend=backend) as session:
        step = session.compile(add, [x])
        array = np.zeros(1000, np.float32)
        for number in range(20):
            array[:] = number
            step(array)
            array[:] = np.nan
        np.testing.assert_array_equal(session.value("total"), np.full(1000, 190.0))


def test_strided_feeds(backend: CupyBackend) -> None:
    x = gc.placeholder("x", (3, 4))
    array = normal(8, 6)[::2, ::-2].T
    np.testing.assert_array_equal(gc.compile(x + 0.0, [x], backend=backend)(array[:3]), array[:3])


# --- state ------------------------------------------------------------------------------------------------------

MOVES: dict[str, Callable[[list[Any]], list[Any]]] = {
    "rotate": lambda v: [v[1], v[2], v[0]],
    "swap and read": lambda v: [v[1], v[0], v[0] * v[1] - v[2]],
    "own views": lambda v: [v[0].T, v[1] + v[1].T, v[2][::-1] - v[2]],
    "products": lambda v: [v[0] @ v[1], v[0], v[1]],
    "one for all": lambda v: [v[0] + v[1] * v[2]] * 3,
    "what the others use": lambda v: [v[0] * 2.0, v[0] * 2.0 + v[1], v[0] * 2.0 - v[2]],
    "sums": lambda v: [v[0] + v[1].sum(0), v[1] + v[2], v[2] * 0.5],
}


@pytest.mark.parametrize("move", MOVES)
def test_variables_commit_together(backend: CupyBackend, move: str) -> None:
    start = [np.arange(9, dtype=np.float32).reshape(3, 3) + 10 * at for at in range(3)]
    with gc.Graph() as graph:
        variables = [gc.Variable(value, name=f"v{at}") for at, value in enumerate(start)]
        graph_values = [gc.sum(v, axis=0) if move == "sums" and at == 1 else v for at, v in enumerate(variables)]
        if move == "sums":
            new = [variables[0] + graph_values[1], variables[1] + variables[2], variables[2] * 0.5]
        else:
            new = MOVES[move](variables)
        update = gc.group(*(gc.assign(v, value) for v, value in zip(variables, new, strict=True)))
        seen = gc.sum(variables[0]) + gc.sum(variables[2])
    arrays = start
    with gc.Session(graph, backend=backend) as session:
        for number in range(3):
            (found, _) = session.run([seen, update])
            np.testing.assert_allclose(found, arrays[0].sum() + arrays[2].sum(), rtol=1e-6)
            arrays = [np.asarray(value, np.float32) for value in MOVES[move](arrays)]
            for variable, expected in zip(variables, arrays, strict=True):
                np.testing.assert_allclose(session.value(variable), expected, rtol=1e-6)
            assert session.step == number + 1


def test_results_of_new_states(backend: CupyBackend) -> None:
    with gc.Graph() as graph:
        w = gc.Variable(normal(5), name="w")
        new = w * 0.5 + 1.0
        update = gc.assign(w, new)
        results = [new, new * 2.0, gc.sum(new), w]
    with gc.Session(graph, backend=backend) as session:
        value = normal(5)
        for _ in range(3):
            *found, _ = session.run([*results, update])
            fresh = value * np.float32(0.5) + np.float32(1)
            for got, expected in zip(found, [fresh, fresh * 2, fresh.sum(), value], strict=True):
                np.testing.assert_allclose(got, expected, rtol=1e-6)
            value = fresh
            np.testing.assert_array_equal(session.value(w), value)


def test_snapshots_and_assignments(backend: CupyBackend) -> None:
    with gc.Graph() as graph:
        w = gc.Variable(np.zeros((2, 3), np.float32), name="w")
        empty = gc.Variable(np.zeros((0, 3), np.int64), name="empty")
        update = gc.assign(w, w + 1.0)
    with gc.Session(graph, backend=backend) as session:
        session.run(update)
        snapshot = session.snapshot()
        session.assign({w: normal(2, 3)})
        np.testing.assert_array_equal(session.value(w), normal(2, 3))
        session.restore(snapshot)
        np.testing.assert_array_equal(session.value(w), np.ones((2, 3)))
        assert session.step == 1
        assert session.value(empty).shape == (0, 3)


# --- checks -----------------------------------------------------------------------------------------------------


def checked_session(backend: Any, use: Callable[[Any, Any, Any], Any]) -> tuple[gc.Session, gc.Executable]:
    """A run that counts in a variable, and computes something that may fail."""
    with gc.Graph("checked") as graph:
        x, i = gc.placeholder("x", (4, 3)), gc.placeholder("i", (2,), gc.int32)
        count = gc.Variable(np.zeros((), np.float32), name="count")
        result = use(x, i, count)
        update = gc.assign(count, count + gc.sum(result) * 0.0 + 1.0)
    session = gc.Session(graph, backend=backend)
    return session, session.compile([result, update], [x, i])


CHECKED: dict[str, Callable[[Any, Any, Any], Any]] = {
    "take": lambda x, i, count: gc.take(x, i, axis=0) * 2.0,
    "scatter_add": lambda x, i, count: gc.scatter_add(x, i, 1.0, axis=0),
    "set": lambda x, i, count: x.at[i].set(1.0),
    "indices along two axes": lambda x, i, count: x[i, [0, 2]],
    "take_along_axis": lambda x, i, count: gc.take_along_axis(x, i[:, None], axis=0),
    "take of a sum": lambda x, i, count: gc.sum(gc.take(x * 2.0, i, axis=0), axis=1),
}


@pytest.mark.parametrize("use", CHECKED)
def test_an_index_out_of_range_commits_nothing(backend: CupyBackend, use: str) -> None:
    session, step = checked_session(backend, CHECKED[use])
    good, wrong = np.array([-4, 3], np.int32), np.array([1, 4], np.int32)
    with session:
        step(normal(4, 3), good)
        with pytest.raises(OutOfRangeError, match="an index is out of range") as caught:
            step(normal(4, 3), wrong)
        assert re.search(r"from -?4 to 4|indices from 4 to 4", caught.value.got or "")
        assert "indices from -4 to 3" in str(caught.value)
        assert caught.value.origins.lines[0].file == __file__
        assert session.value("count") == 1
        assert session.step == 1
        step(normal(4, 3), good)
        assert session.step == 2


def test_what_is_not_finite_is_counted_and_explained(backend: CupyBackend) -> None:
    session, step = checked_session(backend, lambda x, i, count: gc.check_numerics(gc.log(x), "of x"))
    with session:
        step(np.ones((4, 3), np.float32), np.zeros(2, np.int32))
        bad = np.float32([[1, 0, -1], [2, 0, 1], [1, 1, 1], [1, 1, 1]])
        with pytest.raises(NumericsError, match="of x: 3 of 12 elements not finite") as caught:
            step(bad, np.zeros(2, np.int32))
        assert "1 NaN, 2 infinite" in str(caught.value)
        assert "comes out of log" in str(caught.value)
        assert session.value("count") == 1


def test_checks_without_updates(backend: CupyBackend) -> None:
    x, i = gc.placeholder("x", (5,)), gc.placeholder("i", ("n",), gc.int64)
    call = gc.compile(gc.take(x, i), [x, i], backend=backend)
    np.testing.assert_array_equal(call(normal(5), np.array([4, -5])), normal(5)[[4, 0]])
    with pytest.raises(OutOfRangeError):
        call(normal(5), np.array([0, 5]))
    np.testing.assert_array_equal(call(normal(5), np.array([1])), normal(5)[[1]])
    assert call(normal(5), np.zeros(0, np.int64)).shape == (0,)


def test_the_first_of_several_failing_checks_is_raised(backend: CupyBackend) -> None:
    x, i = gc.placeholder("x", (5,)), gc.placeholder("i", (2,), gc.int64)
    first = gc.check_numerics(x, "first")
    call = gc.compile(gc.take(gc.check_numerics(first + 1.0, "second"), i), [x, i], backend=backend)
    with pytest.raises(NumericsError, match="first"):
        call(np.full(5, np.nan, np.float32), np.array([9, 9]))


def test_an_index_that_chooses_between_arrays(backend: CupyBackend) -> None:
    """Positions that are gathered are compared and computed with, too."""
    x, y, i = gc.placeholder("x", (3, 2)), gc.placeholder("y", (4, 2)), gc.placeholder("i", ("n",), gc.int64)
    joined = gc.concat([x, y[::-1], x * 2.0], axis=0)
    call = gc.compile(gc.take(joined, i, axis=0), [x, y, i], backend=backend)
    first, second = normal(3, 2), normal(4, 2, seed=1)
    indices = np.arange(-10, 10)
    expected = np.concatenate([first, second[::-1], first * 2])[indices]
    np.testing.assert_array_equal(call(first, second, indices), expected)


def test_print_writes_in_order_and_nothing_after_a_failed_check(
    backend: CupyBackend, capsys: pytest.CaptureFixture[str]
) -> None:
    x, i = gc.placeholder("x", (3,)), gc.placeholder("i", (), gc.int64)
    shown = gc.print(x * 2.0, label="doubled")
    call = gc.compile(gc.print(gc.take(shown, i), label="taken"), [x, i], backend=backend)
    assert call(np.float32([1, 2, 3]), np.int64(1)) == 4
    assert capsys.readouterr().out == "doubled: [2. 4. 6.]\ntaken: 4.0\n"
    with pytest.raises(OutOfRangeError):
        call(np.float32([1, 2, 3]), np.int64(7))
    assert capsys.readouterr().out == "doubled: [2. 4. 6.]\n"


# --- failure ----------------------------------------------------------------------------------------------------


def counting_session(device: InterpretingDevice) -> tuple[gc.Session, gc.Executable]:
    with gc.Graph("counting") as graph:
        x = gc.placeholder("x", (3,))
        a, b = (gc.Variable(np.zeros(3, np.float32), name=name) for name in "ab")
        product = gc.expand_dims(x, 0) @ gc.expand_dims(x, 1)
        update = gc.group(gc.assign(a, a + x), gc.assign(b, gc.broadcast_to(product[0, 0], (3,)) + b))
    session = gc.Session(graph, backend=CupyBackend(device))
    return session, session.compile([product, update], [x])


def failing_at(number: int, error: BaseException) -> Callable[[str], None]:
    counter = itertools.count()

    def fail(what: str) -> None:
        if next(counter) == number:
            raise error

    return fail


def failure_of(step: Any, feed: np.ndarray, device: InterpretingDevice, number: int) -> Exception | None:
    """What a call raises if the device refuses the work of that number."""
    device.fail = failing_at(number, RuntimeError("CUDA_ERROR_INVALID_VALUE"))
    try:
        step(feed)
    except Exception as error:
        return error
    finally:
        device.fail = lambda what: None
    return None


def test_a_failure_at_any_place_leaves_the_old_state_or_says_that_it_is_lost(device: InterpretingDevice) -> None:
    session, step = counting_session(device)
    ones = np.ones(3, np.float32)
    lost = 0
    with session:
        step(ones)
        snapshot = session.snapshot()
        for number in itertools.count():
            error = failure_of(step, ones, device, number)
            if error is None:
                break
            assert "CUDA_ERROR_INVALID_VALUE" in str(error)
            if isinstance(error, StateLostError):
                lost += 1
                with pytest.raises(StateLostError, match="lost"):
                    session.value("a")
                with pytest.raises(StateLostError, match="lost"):
                    step(ones)
                session.restore(snapshot)
            elif session.step == 2:  # only the results were lost
                session.restore(snapshot)
            assert session.step == 1
            np.testing.assert_array_equal(session.value("a"), ones)
            np.testing.assert_array_equal(session.value("b"), ones * 3)
        assert number > 5
        assert lost >= 1
        np.testing.assert_array_equal(session.value("a"), 2 * ones)


def test_a_device_that_answers_no_more_has_lost_the_state(device: InterpretingDevice) -> None:
    session, step = counting_session(device)
    step(np.ones(3, np.float32))
    device.dead = True
    with pytest.raises(StateLostError, match="a device for tests failed, and with it went the variables"):
        step(np.ones(3, np.float32))
    with pytest.raises(StateLostError):
        session.value("a")
    device.dead = False
    session.close()


class Interrupt(BaseException):
    """What a signal handler may raise."""


def test_an_interrupted_call_has_committed_all_or_nothing_and_the_next_one_is_right(device: InterpretingDevice) -> None:
    session, step = counting_session(device)
    ones = np.ones(3, np.float32)
    with session:
        for number in range(3):  # before the commit: Python's works; a real device's commit cannot be interrupted
            device.fail = failing_at(number, Interrupt())
            with pytest.raises(Interrupt):
                step(ones * 7)
            device.fail = lambda what: None
            np.testing.assert_array_equal(session.value("a"), 0 * ones)
        step(ones)
        np.testing.assert_array_equal(session.value("a"), ones)


def test_too_little_memory(device: InterpretingDevice) -> None:
    x = gc.placeholder("x", ("n",))
    call = gc.compile(gc.exp(x) + gc.sum(x), [x], backend=CupyBackend(device))
    call(normal(8))
    device.capacity = 10_000
    with pytest.raises(OutOfMemoryError, match="a device for tests has no"):
        call(normal(100_000))
    call(normal(9))


# --- what it says -----------------------------------------------------------------------------------------------


def test_verify_holds_kernels_to_their_specification(
    device: InterpretingDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = code.build_kernel
    monkeypatch.setattr(code, "build_kernel", lambda *args: built(*args)._replace(stages=()))
    with gc.Graph("g"):
        y = gc.placeholder("x", (3, 7), gc.float32) * 2.5
    with pytest.raises(VerifyError):
        gc.compile(y, y.inputs[:1], CupyBackend(device), gc.CompileOptions(verify=True))


def test_source_is_cuda_behind_a_list_of_what_a_run_does() -> None:
    """Nothing is compiled for it."""
    with gc.Graph() as graph:
        x, w = gc.placeholder("x", ("n", 4)), gc.Variable(normal(4, 4), name="w")
        update = gc.assign(w, w - 0.1 * (x.mT @ gc.nn.relu(x @ w)))
    source = gc.Session(graph, backend=CupyBackend(InterpretingDevice())).compile(update, [x]).plan.source()
    header = source.partition("\n\n")[0].splitlines()
    assert all(line.startswith("//") for line in header)
    assert sum("cupy.matmul" in line for line in header) == 2
    assert "// commit:" in header
    assert source.count('extern "C" __global__') == len(set(re.findall(r"(\w+)<<<", "\n".join(header))))
    assert "test_cupy_backend.py" in header[1]


@pytest.mark.requires("nvrtc")
@pytest.mark.parametrize(("architecture", "wide"), [("sm_80", False), ("sm_90", True), ("sm_100", False)])
def test_what_is_no_group_compiles_for_gpus(architecture: str, wide: bool, tmp_path: Path) -> None:
    """Updates at indices for all dtypes, products of integers, counting, with narrow and with wide indices."""
    floats = ("float32", "float64")
    integers = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
    outputs, feeds = [], []
    for dtype in (*floats, *integers):
        x = gc.placeholder(f"x_{dtype}", ("n", 3, 3), dtype)
        i = gc.placeholder(f"i_{dtype}", (2,), dtype if dtype in integers else gc.int64)
        feeds += [x, i]
        outputs.append(gc.scatter_add(x, i, 1, axis=1))
        outputs += [getattr(x.at[:, i], how)(1) for how in ("set", "multiply", "min", "max")]
        outputs.append(apply(TAKE_LAST, (x, i), axis=1))
        outputs.append(apply(ADD_ALONG_AXIS, (x, gc.broadcast_to(i[:, None], (x.shape[0], 2, 3)), x[:, :2]), axis=1))
        outputs.append(gc.check_numerics(x) if dtype in floats else x @ x)
    program = gc.compile(outputs, feeds, backend=CupyBackend(InterpretingDevice())).plan.program
    unit = program.program._code  # type: ignore[attr-defined]
    names = unit._functions(wide)
    assert len(names) > 25
    compiled = nvrtc.compile(unit.source(wide), architecture, names, tmp_path)
    assert {name for name in names if compiled.usage[name].spill_bytes} == set()
    assert compiled.cubin[:4] == b"\x7fELF"


def test_equal_groups_are_one_kernel() -> None:
    x = gc.placeholder("x", (4, 4))
    h = x
    for _ in range(5):
        h = gc.tanh(h @ x + 1.0)
    plan = gc.compile(h, [x], backend=CupyBackend(InterpretingDevice())).plan
    assert plan.source().count('extern "C" __global__') == 1
    assert (plan.stats["kernels"], plan.stats["launches"]) == (1, 10)


def test_options_that_it_lacks_are_refused(device: InterpretingDevice) -> None:
    a, b = gc.placeholder("a", (2, 1, 3, 3)), gc.placeholder("b", (4, 3, 3))
    options = gc.CompileOptions(threads=2, strict=True)
    with pytest.raises(UnsupportedError) as caught:
        gc.compile(gc.print(a @ b), [a, b], backend=CupyBackend(device), options=options)
    for word in ("threads", "print", "stacks that broadcast"):
        assert word in str(caught.value)


def test_a_forked_child_is_told_to_be_spawned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend_module, "CudaDevice", InterpretingDevice)
    backend = CupyBackend()
    assert backend.device() is backend.device()
    monkeypatch.setattr(backend_module.os, "getpid", lambda: 1)
    with pytest.raises(BackendError, match="does not outlive a fork"):
        backend.device()


def test_availability_is_told_without_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    finder = backend_module.importlib.util
    monkeypatch.setattr(finder, "find_spec", lambda name: None)
    found = CupyBackend().availability()
    assert not found.available
    assert found.reason == "the package cupy is not installed"
    monkeypatch.setattr(finder, "find_spec", lambda name: object())

    def no_library(name: str) -> None:
        raise OSError(f"{name}: cannot open")

    monkeypatch.setattr(backend_module.ctypes, "CDLL", no_library)
    found = CupyBackend().availability()
    assert not found.available
    assert "no NVIDIA driver" in found.reason
    assert "install NVIDIA's driver" in found.remedy


@pytest.mark.parametrize(
    ("status", "count", "reason"), [(100, 0, "error 100"), (0, 0, "finds no GPU"), (0, 2, "2 GPUs")]
)
def test_availability_asks_the_driver(monkeypatch: pytest.MonkeyPatch, status: int, count: int, reason: str) -> None:
    class Driver:
        def cuInit(self, flags: int) -> int:  # noqa: N802  the driver's name
            return status

        def cuDeviceGetCount(self, found: Any) -> int:  # noqa: N802
            found._obj.value = count
            return 0

    monkeypatch.setattr(backend_module.importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(backend_module.ctypes, "CDLL", lambda name: Driver())
    found = CupyBackend().availability()
    assert found.available == found.accelerator == (count > 0)
    assert reason in found.reason


# --- a GPU ------------------------------------------------------------------------------------------------------


@pytest.mark.gpu
def test_the_gpu_is_taken_by_auto() -> None:
    with gc.Graph() as graph:
        gc.Variable(normal(3), name="w")
    with gc.Session(graph) as session:
        assert session.choice.name == "cupy"
        assert "GPU" in session.choice.reason


@pytest.mark.gpu
def test_threads_share_a_session_on_the_gpu() -> None:
    with gc.Graph() as graph:
        x, w = gc.placeholder("x", ("n", 64)), gc.Variable(normal(64, 64), name="w")
        y = gc.nn.softmax(x @ w, axis=-1)
    wrong: list[str] = []
    with gc.Session(graph, backend="cupy") as session, gc.Session(graph, backend="numpy") as reference:
        step, expected_step = session.compile(y, [x]), reference.compile(y, [x])

        def work(seed: int) -> None:
            for number in range(30):
                array = normal(1 + (seed + number) % 7, 64, seed=seed)
                if not np.allclose(step(array), expected_step(array), rtol=1e-4, atol=1e-6):
                    wrong.append(f"thread {seed}, call {number}")

        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not wrong


@pytest.mark.gpu
def test_steady_calls_allocate_nothing_on_the_gpu() -> None:
    cupy = backend_on("gpu", pytest.MonkeyPatch()).device()._cupy  # type: ignore[attr-defined]
    session, step = digits_model("cupy")
    with session:
        labels = np.arange(32) % 10
        for _ in range(3):
            step(normal(32, 64), labels)
        pool = cupy.get_default_memory_pool()
        before = pool.used_bytes()
        for _ in range(20):
            step(normal(32, 64), labels)
        assert pool.used_bytes() == before


@pytest.mark.gpu
def test_a_gpu_that_fails_takes_the_state_with_it() -> None:
    """Kernels that trap break the process's context, and nothing else: in a process of its own."""
    script = """
        import re
        import numpy as np
        import graphc as gc
        from graphc_cupy.code import Code

        with gc.Graph() as graph:
            w = gc.Variable(np.ones(8, np.float32), name="w")
            update = gc.assign(w, w + 1.0)
        with gc.Session(graph, backend="cupy") as session:
            session.run(update)
            assert session.value(w)[0] == 2
            print_source = Code.source
            head = re.compile(r"(__global__ void [^{;]*[{])")
            Code.source = lambda code, wide=False: head.sub(r"\\1 __trap();", print_source(code, wide))
            step = session.compile([update, gc.sum(w)])
            for attempt in range(2):
                try:
                    step()
                except gc.errors.StateLostError as error:
                    print("lost", type(error).__name__)
        """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout.splitlines() == ["lost StateLostError"] * 2, done.stderr


@pytest.mark.gpu
def test_high_precision_is_kept_unless_less_is_asked_for() -> None:
    """TF32 keeps 10 bits of a factor."""
    a, b = gc.placeholder("a", (64, 512)), gc.placeholder("b", (512, 64))
    first, second = normal(64, 512), normal(512, 64, seed=1)
    exact = first.astype(np.float64) @ second.astype(np.float64)

    def error(**options: Any) -> float:
        call = gc.compile(a @ b, [a, b], backend="cupy", options=gc.CompileOptions(**options))
        return float(np.abs(call(first, second) - exact).max())

    assert error() < 1e-4 < error(precision="default") < 1
