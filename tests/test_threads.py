"""Threads: readers at the same time with right answers, writers alone, and graphs that do not mix."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.errors import GraphMismatchError
from graphc.session.lock import ReadWriteLock

THREADS, RUNS = 8, 500
PATIENCE = 60.0  # seconds after which a thread that waits counts as stuck


@pytest.fixture(autouse=True)
def _frequent_switches() -> Iterator[None]:
    """Threads take turns every few bytecodes instead of every 5 ms."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def in_threads(*actions: Callable[[], object]) -> None:
    """Runs all at once; the first error of any of them is raised here."""
    barrier = threading.Barrier(len(actions))
    errors: list[BaseException] = []

    def run(action: Callable[[], object]) -> None:
        try:
            barrier.wait(PATIENCE)
            action()
        except BaseException as error:
            errors.append(error)
            barrier.abort()

    threads = [threading.Thread(target=run, args=(action,), daemon=True) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    if errors:
        raise errors[0]
    assert not any(thread.is_alive() for thread in threads), "a thread is stuck"


def network() -> tuple[gc.Graph, dict[str, gc.Tensor]]:
    with gc.Graph() as graph:
        x = gc.placeholder("x", shape=("n", 4))
        w = gc.Variable(np.linspace(-1, 1, 20, dtype=np.float32).reshape(4, 5), name="w")
        hidden = gc.tanh(x @ w)
        y = gc.sum(hidden * gc.sigmoid(hidden), axis=1) + gc.exp(-gc.max(x, axis=1))
    return graph, {"x": x, "y": y, "w": w}


def test_readers_get_the_answers_of_their_own_feeds() -> None:
    """Each thread has its own numbers and a size that changes: a shared arena would mix them up."""
    graph, t = network()
    feeds = np.random.default_rng(0).normal(size=(THREADS, 16, 4)).astype(np.float32)
    with gc.Session(graph) as session:
        call = session.compile(t["y"], [t["x"]])
        sizes = (1, 3, 16)
        expected = {(k, size): call(feeds[k, :size]) for k in range(THREADS) for size in sizes}

        def read(k: int) -> None:
            for number in range(RUNS):
                size = sizes[(number + k) % len(sizes)]
                np.testing.assert_array_equal(call(feeds[k, :size]), expected[k, size])

        in_threads(*[partial(read, k) for k in range(THREADS)])


def test_readers_are_inside_at_the_same_time() -> None:
    """Two runs that wait for each other, in the middle of their plans."""
    with gc.Graph() as graph:
        x = gc.placeholder("x")
        y = gc.print(x, "value") + 1.0
    meeting = threading.Barrier(2)
    with gc.Session(graph) as session, pytest.MonkeyPatch.context() as patch:
        call = session.compile(y, [x])

        class Meeting:
            def write(self, text: str) -> None:
                meeting.wait(PATIENCE)

        found: dict[float, Any] = {}

        def run(k: float) -> None:
            found[k] = call(k)

        patch.setattr(sys, "stdout", Meeting())
        in_threads(*[partial(run, k) for k in (1.0, 2.0)])
    assert found == {1.0: 2.0, 2.0: 3.0}


def test_no_update_is_lost() -> None:
    with gc.Graph() as graph:
        x = gc.placeholder("x", dtype=gc.int64)
        total = gc.Variable(np.zeros(3, np.int64), name="total")
        update = gc.assign_add(total, x)
    with gc.Session(graph) as session:
        call = session.compile([total, update], [x])
        seen: list[list[int]] = [[] for _ in range(THREADS)]

        def add(k: int) -> None:
            for _ in range(RUNS):
                before, _ = call(k + 1)
                assert before[0] == before[1] == before[2]
                seen[k].append(int(before[0]))

        in_threads(*[partial(add, k) for k in range(THREADS)])
        expected = RUNS * sum(range(1, THREADS + 1))
        np.testing.assert_array_equal(session.value(total), [expected] * 3)
        assert session.step == RUNS * THREADS
        assert len({value for values in seen for value in values}) == RUNS * THREADS  # no two saw the same start


def test_readers_and_writers_mixed() -> None:
    """Writers, readers, assign, value and snapshot: variables that move together are never seen apart."""
    with gc.Graph() as graph:
        x = gc.placeholder("x", shape=("n",))
        a, b, c = (gc.Variable(np.zeros(64, np.float32), name=name) for name in "abc")
        update = gc.group(gc.assign(a, b + 1.0), gc.assign(b, c + 1.0), gc.assign(c, a + 1.0))
        spread = gc.max(a) - gc.min(a) + gc.max(gc.abs(a - b)) + gc.max(gc.abs(b - c)) + gc.sum(x * 0.0)
    with gc.Session(graph) as session:
        write = session.compile(update)
        read = session.compile(spread, [x])

        def writer() -> None:
            for _ in range(RUNS):
                write()

        def reader(k: int) -> None:
            for number in range(RUNS):
                assert read(np.zeros(1 + (number + k) % 3, np.float32)) == 0.0

        def snapshots() -> None:
            for _ in range(RUNS):
                snapshot = session.snapshot()
                found = {float(v) for value in snapshot.values.values() for v in value}
                assert found == {float(snapshot.step)}

        def values() -> None:
            low = 0.0
            for _ in range(RUNS):
                found = session.value(a)
                assert (found == found[0]).all()
                assert found[0] >= low
                low = found[0]

        readers = [partial(reader, k) for k in range(3)]
        in_threads(writer, writer, writer, *readers, snapshots, values)
        assert session.step == 3 * RUNS
        np.testing.assert_array_equal(session.value(c), np.full(64, 3 * RUNS))


def test_assign_and_restore_beside_runs() -> None:
    with gc.Graph() as graph:
        a, b = (gc.Variable(np.zeros(8, np.float32), name=name) for name in "ab")
        both = [a + 0.0, b + 0.0]
        update = gc.group(gc.assign_add(a, 1.0), gc.assign_add(b, 1.0))
    with gc.Session(graph) as session:
        kept = session.snapshot()
        read, write = session.compile(both), session.compile(update)

        def check() -> None:
            for _ in range(RUNS):
                first, second = read()
                np.testing.assert_array_equal(first, second)

        def assign() -> None:
            for number in range(RUNS):
                value = np.full(8, number, np.float32)
                session.assign({a: value, "b": value})

        def repeat(action: Callable[[], object]) -> Callable[[], None]:
            return lambda: [action() for _ in range(RUNS)] and None

        in_threads(check, check, check, assign, repeat(write), repeat(lambda: session.restore(kept)))


def test_threads_that_meet_a_fetch_first_at_the_same_time() -> None:
    """Compilation, initialisation of late variables and binding, raced."""

    def run(session: gc.Session, y: gc.Tensor, found: list[np.ndarray]) -> None:
        found.append(session.run(y, {"x": np.ones((3, 4), np.float32)}))

    for _ in range(5):
        graph, t = network()
        with gc.Session(graph) as session:
            with graph:
                late = gc.Variable(gc.init.normal(), shape=(4,), name="late")
                y = t["y"] + gc.sum(late)
            found: list[np.ndarray] = []
            in_threads(*[partial(run, session, y, found)] * THREADS)
            assert len(found) == THREADS
            for value in found:
                np.testing.assert_array_equal(value, found[0])


def test_closing_beside_runs_ends_them_with_an_error() -> None:
    graph, t = network()
    session = gc.Session(graph)
    call = session.compile(t["y"], [t["x"]])
    feed = np.ones((3, 4), np.float32)
    expected = call(feed)
    started = threading.Event()

    def read_for_ever() -> None:
        while True:
            np.testing.assert_array_equal(call(feed), expected)
            started.set()

    def read() -> None:
        with pytest.raises(gc.errors.SessionError, match="closed"):
            read_for_ever()

    def close() -> None:
        started.wait(PATIENCE)
        session.close()

    in_threads(read, read, read, close)


# --- the lock -------------------------------------------------------------------------------------------------


def test_a_writer_is_alone_and_waits_for_readers() -> None:
    lock = ReadWriteLock()
    inside = {"readers": 0, "writers": 0}
    counting = threading.Lock()

    def enter(kind: str) -> None:
        with counting:
            inside[kind] += 1
            assert inside["writers"] <= 1
            assert not (inside["writers"] and inside["readers"])
        time.sleep(0)  # lets others run
        with counting:
            inside[kind] -= 1

    def work(k: int) -> None:
        for number in range(RUNS):
            if (number + k) % 4:
                lock.shared(enter, "readers")
            else:
                lock.exclusive(enter, "writers")

    in_threads(*[partial(work, k) for k in range(THREADS)])


def test_errors_leave_the_lock_free() -> None:
    lock = ReadWriteLock()

    def fail() -> None:
        raise ZeroDivisionError

    for hold in (lock.shared, lock.exclusive):
        with pytest.raises(ZeroDivisionError):
            hold(fail)
    in_threads(lambda: lock.exclusive(list), lambda: lock.shared(list))


def test_a_reader_that_writes_is_told_so_instead_of_waiting_for_itself() -> None:
    lock = ReadWriteLock()
    for hold in (lock.shared, lock.exclusive):
        with pytest.raises(gc.errors.SessionError, match="under way"):
            hold(lock.exclusive, list)
        assert hold(lock.shared, list) == []
    in_threads(lambda: lock.exclusive(list))


# --- graphs -----------------------------------------------------------------------------------------------------


def test_graphs_that_are_built_in_threads_do_not_mix() -> None:
    """The open graph and the scope belong to the thread: names and owners stay apart."""
    step = threading.Barrier(THREADS)

    def build(k: int) -> None:
        with gc.Graph(f"graph{k}") as graph:
            x = gc.placeholder("x", shape=(2,))
            for layer in range(20):
                step.wait(PATIENCE)  # all are inside of their graphs, and about to enter their scopes
                with gc.name_scope(f"scope{k}"):
                    w = gc.Variable(np.full(2, k + layer, np.float32), name="w")
                    step.wait(PATIENCE)
                    x = x * w + gc.constant(float(k), name="c")
                assert w.owner is graph
                assert w.name == f"scope{k}/w" + (f"_{layer}" if layer else "")
        assert len(graph.variables) == 20
        assert list(graph.placeholders) == ["x"]
        with gc.Session(graph) as session:
            found = session.run(x, {"x": [1.0, 2.0]})
        value = np.float32([1.0, 2.0])
        for layer in range(20):
            value = value * np.float32(k + layer) + np.float32(k)
        np.testing.assert_array_equal(found, value)

    in_threads(*[partial(build, k) for k in range(THREADS)])


def test_a_new_thread_has_no_open_graph() -> None:
    def lonely() -> None:
        with pytest.raises(GraphMismatchError):
            gc.placeholder("x")

    with gc.Graph():
        in_threads(lonely)
        assert gc.placeholder("x").name == "x"


def test_gradients_in_threads() -> None:
    """The engines that take gradients and rewrite keep what they work on in context variables, too."""
    feed = np.random.default_rng(1).normal(size=(5, 4)).astype(np.float32)

    def build() -> list[np.ndarray]:
        graph, t = network()
        with graph:
            loss = gc.sum(t["y"])
            found: list[np.ndarray] = []
            with gc.Session(graph) as session:
                found += session.run([loss, gc.gradients(loss, t["w"])], {t["x"]: feed})
        return found

    expected = build()
    results: list[list[np.ndarray]] = []
    in_threads(*[lambda: results.append(build())] * THREADS)
    for result in results:
        for value, wanted in zip(result, expected, strict=True):
            np.testing.assert_array_equal(value, wanted)
