"""State: reads see the start of a run, updates commit together or not at all, whatever interrupts them."""

import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.errors import (
    ArgumentError,
    FeedError,
    GraphcError,
    NumericsError,
    OutOfRangeError,
    SessionError,
    UpdateError,
)


def bits(session: gc.Session) -> dict[str, Any]:
    """Everything about a state, to be compared for equality."""
    snapshot = session.snapshot()
    values = {name: (v.dtype, v.shape, v.tobytes()) for name, v in snapshot.values.items()}
    return {**values, "the step": snapshot.step}


# --- what a run sees and commits ----------------------------------------------------------------------------


def test_reads_see_the_start_of_the_run() -> None:
    with gc.Graph() as graph:
        w = gc.Variable(np.float32([1, 2, 3]), name="w")
        update = gc.assign(w, w * 10.0)
    with gc.Session(graph) as session:
        for factor in (1, 10):
            found = session.run([w, update, w + 0.0, w[::-1], gc.sum(w), w * 10.0])
            start = np.float32([1, 2, 3]) * factor
            expected = [start, None, start, start[::-1], start.sum(), start * 10]
            for value, wanted in zip(found, expected, strict=True):
                np.testing.assert_array_equal(value, wanted)
        np.testing.assert_array_equal(session.value(w), [100, 200, 300])
        assert session.step == 2


@pytest.mark.parametrize("shape", [(), (5,), (3, 3)])
def test_two_variables_swap(shape: tuple[int, ...]) -> None:
    with gc.Graph() as graph:
        a = gc.Variable(np.full(shape, 1.0, np.float32), name="a")
        b = gc.Variable(np.full(shape, 2.0, np.float32), name="b")
        swap = gc.group(gc.assign(a, b), gc.assign(b, a))
    with gc.Session(graph) as session:
        for first, second in [(2.0, 1.0), (1.0, 2.0)]:
            session.run(swap)
            np.testing.assert_array_equal(session.value(a), np.full(shape, first))
            np.testing.assert_array_equal(session.value(b), np.full(shape, second))


# New values of three variables as functions of the old ones: of tensors, and of arrays.
MOVES: dict[str, Callable[[Any], Any]] = {
    "rotate": lambda v: [v[1], v[2], v[0]],
    "rotate views": lambda v: [v[1].T, v[2][::-1], v[0][:, ::-1]],
    "rotate sums": lambda v: [v[0] + v[1], v[1] + v[2], v[2] + v[0]],
    "chain": lambda v: [v[0] @ v[0], v[0], v[1]],
    "chain back": lambda v: [v[1], v[2], v[2] * 0.5],
    "own views": lambda v: [v[0].T, v[1] + v[1].T, v[2][::-1] - v[2]],
    "one for all": lambda v: [v[0] + v[1] * v[2]] * 3,
    "what the others use": lambda v: [v[0] * 2.0, v[0] * 2.0 + v[1], np.sqrt(np.abs(v[0] * 2.0)) + v[1]],
    "swap and read": lambda v: [v[1], v[0], v[0] * v[1] - v[2]],
    "swap of sums": lambda v: [v[1] + v[2], v[0] - v[2], v[0] + v[1]],
    "where": lambda v: [np.where(v[1] > v[0], v[1], v[0]), np.where(v[0] > 4.0, v[1], v[0]), v[2]],
}


@pytest.mark.parametrize("move", MOVES)
def test_updates_that_depend_on_each_other(move: str) -> None:
    """Against NumPy, which computes every new value before it keeps one; the values are fetched, too."""
    values = [np.arange(9, dtype=np.float32).reshape(3, 3) * (k + 1) for k in range(3)]
    with gc.Graph() as graph:
        variables = [gc.Variable(value, name=f"v{k}") for k, value in enumerate(values)]
        new = MOVES[move](variables)
        update = gc.group(*map(gc.assign, variables, new))
    with gc.Session(graph) as session:
        for fetches in ([update], [*variables, update, *new], [update, *new]):
            expected = [np.array(value) for value in MOVES[move](values)]
            found = session.run(fetches)
            wanted = {**dict(zip(new, expected, strict=True)), **dict(zip(variables, values, strict=True))}
            for fetch, value in zip(fetches, found, strict=True):
                np.testing.assert_array_equal(value, None if fetch is update else wanted[fetch])
            for variable, value in zip(variables, expected, strict=True):
                np.testing.assert_array_equal(session.value(variable), value)
            values = expected


def test_assign_add_and_assign_sub() -> None:
    with gc.Graph() as graph:
        x = gc.placeholder("x", shape=(2,))
        w = gc.Variable(np.zeros(2, np.float32), name="w")
        count = gc.Variable(0, name="count")
        up, down = gc.assign_add(w, x), gc.assign_sub(w, x * 0.5)
        both = gc.group(up, gc.assign_add(count, 1))
    with gc.Session(graph) as session:
        for _ in range(3):
            session.run(both, {x: [1.0, 2.0]})
        session.run(down, {x: [2.0, 2.0]})
        np.testing.assert_array_equal(session.value(w), [2.0, 5.0])
        assert session.value(count) == 3
        assert session.value(count).dtype == np.int64
        assert session.step == 4


def test_updates_are_one_per_variable_and_run() -> None:
    with gc.Graph() as graph:
        w = gc.Variable(1.0, name="w")
        one, two = gc.assign(w, 2.0), gc.assign(w, 3.0)
    with pytest.raises(UpdateError):
        gc.group(one, two)
    with gc.Session(graph) as session:
        with pytest.raises(UpdateError):
            session.run([one, two])
        session.run([one, one, gc.group(one)])  # the same one is no second one
        assert session.value(w) == 2.0
        assert session.step == 1


def test_runs_without_updates_do_not_count() -> None:
    with gc.Graph() as graph:
        w = gc.Variable(1.0, name="w")
        update = gc.assign(w, w)
    with gc.Session(graph) as session:
        session.run(w)
        assert session.step == 0
        session.run(update)  # changes nothing, but is a run with an update
        session.run(update)
        assert session.step == 2


def test_small_and_empty_variables_of_every_dtype() -> None:
    with gc.Graph() as graph:
        kinds = ["bool", "int8", "uint16", "int64", "uint64", "float32", "float64"]
        variables = [gc.Variable(np.zeros(shape, kind), name="v") for kind in kinds for shape in [(), (0,), (2, 1)]]
        update = gc.group(*[gc.assign(v, np.ones(v.shape, v.dtype.numpy)) for v in variables])
    with gc.Session(graph) as session:
        session.run(update)
        for variable in variables:
            value = session.value(variable)
            assert value.dtype == variable.dtype.numpy
            np.testing.assert_array_equal(value, np.ones(variable.shape))


# --- errors -------------------------------------------------------------------------------------------------


def failing(kind: str) -> tuple[gc.Graph, gc.Update, gc.Tensor, list[Any]]:
    """Updates that write into variables directly, and a check on which some of them depend, or none."""
    with gc.Graph() as graph:
        x = gc.placeholder("x", shape=("n",))
        index = gc.placeholder("i", shape=("n",), dtype=gc.int64)
        first, second = (gc.Variable(np.float32([1, 2, 3]), name=name) for name in ("first", "second"))
        checked = gc.check_numerics(x) if kind == "numerics" else gc.take(second, index)
        moved = gc.assign(first, first + 1.0)
        held = gc.assign(second, second * 2.0 + gc.sum(checked))
    return graph, gc.group(moved, held), checked, [x, index]


BAD_FEEDS: dict[str, tuple[list[Any], type[GraphcError]]] = {
    "numerics": ([[1.0, np.nan], [0, 0]], NumericsError),
    "index": ([[1.0, 1.0], [0, 3]], OutOfRangeError),
    "sizes": ([[1.0, 1.0], [0]], FeedError),
    "dtype": ([np.zeros(2), [0, 0]], FeedError),
}


@pytest.mark.parametrize("bad", BAD_FEEDS)
@pytest.mark.parametrize("with_result", [False, True])
def test_an_error_leaves_the_state_as_it_was(bad: str, with_result: bool) -> None:
    graph, update, checked, feeds = failing(bad)
    with gc.Session(graph) as session:
        call = session.compile([update, checked] if with_result else update, feeds)
        call([1.0, 1.0], [0, 1])
        before = bits(session)
        values, error = BAD_FEEDS[bad]
        for _ in range(2):
            with pytest.raises(error):
                call(*values)
            assert bits(session) == before
        call([1.0, 1.0], [0, 1])
        assert session.step == 2


def test_assign_sets_all_or_none() -> None:
    with gc.Graph() as graph:
        a = gc.Variable(np.zeros(2, np.float32), name="a")
        b = gc.Variable(np.zeros((), np.int64), name="b")
    with gc.Graph():
        stranger = gc.Variable(0.0, name="a")
    with gc.Session(graph) as session:
        before = bits(session)
        bad: list[dict[Any, Any]] = [
            {a: [1.0, 2.0], b: 1.5},
            {a: [1.0, 2.0, 3.0], b: 1},
            {b: 1, a: np.ones(2)},
            {b: 1, "c": 1},
            {b: 1, "a": [1.0, 2.0], a: [3.0, 4.0]},
            {b: 1, stranger: 1.0},
        ]
        for values in bad:
            with pytest.raises((GraphcError, LookupError)):
                session.assign(values)
            assert bits(session) == before
        session.assign({a: [1, 2], "b": 3})
        np.testing.assert_array_equal(session.value(a), [1.0, 2.0])
        assert session.value(b) == 3
        assert session.step == 0  # no run


# --- snapshots ------------------------------------------------------------------------------------------------


def counting() -> tuple[gc.Graph, gc.Update]:
    with gc.Graph() as graph:
        a = gc.Variable(gc.init.normal(), shape=(4,), name="a")
        b = gc.Variable(0, name="b")
        update = gc.group(gc.assign(a, a * 2.0), gc.assign_add(b, 1))
    return graph, update


def test_restore_brings_back_every_bit_and_the_step() -> None:
    graph, update = counting()
    with gc.Session(graph) as session:
        session.run(update)
        session.run(update)
        kept, before = session.snapshot(), bits(session)
        after = []
        for _ in range(3):
            session.run(update)
            after.append(bits(session))
        session.restore(kept)
        assert bits(session) == before
        for wanted in after:  # and goes on from there as it did
            session.run(update)
            assert bits(session) == wanted
    with gc.Session(graph, seed=5) as other:
        other.restore(kept)
        assert bits(other) == before


def test_restore_is_all_or_nothing() -> None:
    graph, update = counting()
    with gc.Session(graph) as session:
        kept = session.snapshot()
        session.run(update)
        before = bits(session)
        bad = [
            {**kept.values, "b": np.float32(1.5)},
            {**kept.values, "b": np.zeros(2, np.int64)},
            {**kept.values, "stranger": np.zeros(())},
        ]
        for values in bad:
            with pytest.raises((GraphcError, LookupError)):
                session.restore(gc.Snapshot(values, 17))
            assert bits(session) == before


def test_a_snapshot_of_a_smaller_graph_is_refused_and_can_be_assigned() -> None:
    graph, update = counting()
    with gc.Session(graph) as session:
        kept = session.snapshot()
        with graph:
            late = gc.Variable(1.0, name="late")
            session.run([update, gc.assign(late, 2.0)])
        before = bits(session)
        with pytest.raises(ArgumentError, match="lacks variables of the graph: 'late'"):
            session.restore(kept)
        assert bits(session) == before
        session.assign(kept.values)
        assert session.value(late) == 2.0
        assert session.value("b") == 0
        assert session.step == 1


# --- interruption ---------------------------------------------------------------------------------------------

MANY = 12


def moving_together() -> tuple[gc.Graph, gc.Tensor, gc.Update]:
    """Variables whose elements are all equal, and equal to the step: written directly, copied, and swapped."""
    with gc.Graph() as graph:
        x = gc.placeholder("x", shape=("n",))
        one = gc.max(gc.check_numerics(x))  # a feed of ones
        variables = [gc.Variable(np.zeros(50, np.float32), name=f"v{k}") for k in range(MANY)]
        chosen = gc.where(variables[0] < 0.0, variables[0], variables[0] + one)
        shifted = [v + 1.0 for v in variables[1:6]]
        rolled = [variables[7] + one, variables[6] + one]
        matrix = [gc.exp(v * 0.0) + v for v in variables[8:]]
        update = gc.group(*map(gc.assign, variables, [chosen, *shifted, *rolled, *matrix]))
    return graph, x, update


def check_together(snapshot: gc.Snapshot) -> None:
    found = {float(number) for value in snapshot.values.values() for number in value}
    assert found == {float(snapshot.step)}


class Interrupt(BaseException):
    """Raised where a signal handler could raise KeyboardInterrupt."""


class Interruptions:
    """Runs something again and again, and interrupts the k-th run at the k-th point where CPython may handle a signal.

    That is at the entry of Python functions and after calls of C functions: a profiler is called exactly there. It does
    not see calls of classes and of partials. In the code of the backend and in what it emits, where nothing has to be
    cleaned up, every line and every turn of a loop counts, too.
    """

    def __init__(self, action: Callable[[], object]) -> None:
        self.action = action
        self.places: list[str] = []
        self._left = 0

    def __iter__(self) -> Iterator[int]:
        for number in range(100_000):
            self._left = number
            if not self._interrupted():
                return
            yield number

    def _interrupted(self) -> bool:
        sys.settrace(self._trace)
        sys.setprofile(self._profile)
        try:
            self.action()
        except Interrupt:
            return True
        finally:
            sys.setprofile(None)
            sys.settrace(None)
        return False

    def _profile(self, frame: FrameType, event: str, called: Any) -> None:
        if event in ("call", "c_return"):
            self._pass_point(f"{frame.f_code.co_name} {event}")

    def _trace(self, frame: FrameType, event: str, argument: Any) -> Any:
        if event == "line":
            self._pass_point(f"{frame.f_code.co_name} line")
        name = frame.f_code.co_filename
        ours = any(f"graphc_{backend}" in name for backend in ("cupy", "jax", "numpy")) or name.startswith(
            "<graphc plan"
        )
        cleans_up = name.endswith("x64.py")
        return self._trace if ours and not cleans_up else None

    def _pass_point(self, place: str) -> None:
        if not self._left:
            sys.setprofile(None)
            sys.settrace(None)
            self.places.append(place)
            raise Interrupt
        self._left -= 1


def elsewhere(action: Callable[[], object]) -> None:
    """In another thread, which a lock that was never given back would stop for ever."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            action()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(20)
    assert not thread.is_alive(), "the session is locked for good"
    assert not errors, errors


def test_an_interrupted_run_commits_all_or_nothing() -> None:
    graph, x, update = moving_together()
    ones = np.ones(3, np.float32)
    with gc.Session(graph) as session:
        call = session.compile([update, gc.sum(x)], [x])
        call(ones)
        interruptions = Interruptions(lambda: call(ones))
        committed = []
        expected = session.step
        for _ in interruptions:
            check_together(session.snapshot())
            committed.append(session.step - expected)
            elsewhere(lambda: call(ones))
            expected = session.step
    assert committed == sorted(committed)  # up to some point nothing, from there on everything
    assert {0, 1} == set(committed)
    assert {"exclusive call", "run_0 line", "run line", "_run c_return"} <= set(interruptions.places)


def test_an_interrupted_reader_leaves_the_session_usable() -> None:
    graph, x, update = moving_together()
    ones = np.ones(3, np.float32)
    with gc.Session(graph) as session:
        total = session.compile(gc.sum(x) + graph["v0"], [x])
        step = session.compile(update, [x])
        total(ones)
        for _ in Interruptions(lambda: total(ones)):
            elsewhere(lambda: step(ones))
        check_together(session.snapshot())


@pytest.mark.parametrize("way", ["assign", "restore"])
def test_interrupted_assign_and_restore_are_all_or_nothing(way: str) -> None:
    graph, x, update = moving_together()
    with gc.Session(graph) as session:
        low = session.snapshot()
        session.run(update, {x: [1.0]})
        high = session.snapshot()
        names = [f"v{k}" for k in range(MANY)]
        turn = [low, high]

        def act() -> None:
            turn.reverse()
            if way == "restore":
                session.restore(turn[0])
            else:
                session.assign(turn[0].values)

        for _ in Interruptions(act):
            snapshot = session.snapshot()
            found = {float(number) for name in names for number in snapshot.values[name]}
            assert len(found) == 1
            assert way == "assign" or found == {float(snapshot.step)}
            elsewhere(session.snapshot)


def test_a_signal_handler_may_read_but_not_write() -> None:
    """A handler is a call from within a run of the same thread: it must not wait for that run."""
    graph, x, update = moving_together()
    with gc.Session(graph) as session:
        read = session.compile(graph["v0"] + gc.sum(x), [x])
        write = session.compile(update, [x])
        checked = refused = 0

        def handler(frame: FrameType, event: str, called: Any) -> None:
            nonlocal checked, refused
            if frame.f_code.co_name != "run_0" or event != "call":
                return
            sys.setprofile(None)
            check_together(session.snapshot())
            checked += 1
            with pytest.raises(SessionError, match="under way"):
                session.assign({"v0": np.zeros(50, np.float32)})
            refused += 1

        for call in (read, write):
            call([1.0])
            sys.setprofile(handler)
            try:
                call([1.0])
            finally:
                sys.setprofile(None)
            elsewhere(lambda: check_together(session.snapshot()))
        assert (checked, refused) == (2, 2)
        assert session.step == 2


STORM = """
    import random, signal, sys
    import numpy as np
    sys.path.insert(0, {folder!r})
    import graphc as gc
    from test_state import check_together, moving_together

    graph, x, update = moving_together()
    session = gc.Session(graph)
    step = session.compile(update, [x])
    ones = np.ones(2000, np.float32)
    low = session.snapshot()
    step(ones)
    high = session.snapshot()
    actions = [lambda: step(ones), lambda: session.restore(low), lambda: session.restore(high), session.snapshot]
    armed = False

    def handler(number, frame):
        global armed
        if armed:  # once per round, so that it never strikes outside of the try
            armed = False
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, handler)
    signal.signal(signal.SIGALRM, lambda number, frame: signal.raise_signal(signal.SIGINT))
    random.seed(0)
    runs = 0
    for interruption in range(1000):
        action = actions[interruption % len(actions)]
        try:
            armed = True
            signal.setitimer(signal.ITIMER_REAL, random.uniform(1e-5, 2e-4))
            while True:
                action()
                runs += 1
        except KeyboardInterrupt:
            check_together(session.snapshot())
    print("runs", runs)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no interval timers")
def test_a_loop_under_a_storm_of_signals() -> None:
    """Ctrl-C at any moment: all variables and the step move together, and the session is never locked for good."""
    script = textwrap.dedent(STORM).format(folder=__file__.rpartition("/")[0])
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[1]) > 100
