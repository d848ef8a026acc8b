"""Plans: memory that is packed, aliased and committed rightly; and what random graphs have found."""

import random
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.ir import dims
from graphc.plan.data import SlotKind
from graphc.plan.memory import ALIGNMENT, Interval, pack, peak_of
from graphc_numpy import NumpyBackend

BACKEND = NumpyBackend(poison=True)


def run(graph: gc.Graph, fetches: Any, feeds: Any, **values: Any) -> Any:
    """The fetches, and the variables afterwards, in poisoned memory."""
    with gc.Session(graph, backend=BACKEND) as session:
        session.assign(values)
        results = session.run(fetches, feeds)
        return results, {name: session.value(name) for name in graph.variables}


# --- memory -------------------------------------------------------------------------------------------------


def overlaps(a: tuple[int, int, int], b: tuple[int, int, int], at: int, other: int) -> bool:
    together = a[0] <= b[1] and b[0] <= a[1]
    return together and at < other + b[2] and other < at + a[2]


@pytest.mark.parametrize("count", [1, 2, 30, 200, 700])
def test_packed_intervals_do_not_overlap(count: int) -> None:
    rng = random.Random(count)
    intervals = []
    for _ in range(count):
        start = rng.randrange(count)
        intervals.append((start, start + rng.choice([0, 1, 3, count]), rng.choice([0, 1, 64, 100, 4096])))
    offsets, total = pack(intervals)
    assert all(offset % ALIGNMENT == 0 for offset in offsets)
    for i, (mine, at) in enumerate(zip(intervals, offsets, strict=True)):
        assert at + mine[2] <= total
        assert not any(overlaps(mine, intervals[j], at, offsets[j]) for j in range(i))
    assert total >= peak_of([Interval(*interval) for interval in intervals]).evaluate()


def test_the_peak_is_the_maximum_over_the_steps() -> None:
    n = dims.symbol("n")
    intervals = [Interval(0, 2, 64 * n), Interval(1, 3, 128), Interval(3, 4, 64 * n + 64), Interval(4, 5, 1)]
    peak = peak_of(intervals)
    for size in (0, 1, 2, 3, 10):
        live = [
            sum(-(-dims.evaluate(i.nbytes, {"n": size}) // 64) * 64 for i in intervals if i.start <= at <= i.end)
            for at in range(6)
        ]
        assert peak.evaluate(n=size) == max(live)


def test_dying_operands_are_written_over_and_living_ones_are_not() -> None:
    with gc.Graph() as graph:
        x = gc.placeholder("x", (2, 4))
        first = gc.exp(x)
        second = gc.tanh(first)  # over first
        third = gc.sin(second) * second  # sin(second) elsewhere: second is read again
    step = gc.compile([gc.sum(third)], [x], backend=BACKEND)
    overwrites = {s.op.name: s.overwrites for s in step.plan.plan.steps}
    assert overwrites == {"exp": {}, "tanh": {0: 0}, "sin": {}, "multiply": {0: 0}, "sum": {}}
    assert graph.placeholders["x"] is x
    array = np.linspace(-1, 1, 8, dtype=np.float32).reshape(2, 4)
    kept = array.copy()
    hidden = np.tanh(np.exp(kept))
    np.testing.assert_allclose(step(array)[0], (np.sin(hidden) * hidden).sum(), rtol=1e-6)
    np.testing.assert_array_equal(array, kept)


def test_new_values_are_written_where_the_variable_is() -> None:
    with gc.Graph() as graph:
        w = gc.Variable(np.ones(5, np.float32), name="w")
        update = gc.assign_sub(w, 0.5 * w)
    with gc.Session(graph, backend=BACKEND) as session:
        step = session.compile(update)
        (last,) = [s for s in step.plan.plan.steps if step.plan.plan.slots[s.outputs[0]].kind is SlotKind.STATE]
        assert last.op.name == "subtract"
        step()
        np.testing.assert_array_equal(session.value(w), np.full(5, 0.5, np.float32))


# --- found by random graphs -----------------------------------------------------------------------------------


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("fed", [False, True])
def test_values_are_added_to_a_table_where_it_is(axis: int, fed: bool) -> None:
    """No copy of the table; an index out of range stops the run before anything is written, of other variables too."""
    start = np.arange(20, dtype=np.float32).reshape(5, 4)
    rows = np.ones((3, 4), np.float32) if axis == 0 else np.ones((5, 3), np.float32)
    with gc.Graph() as graph:
        i = gc.placeholder("i", (3,), gc.int64)
        v = gc.placeholder("v", rows.shape)
        table, runs = gc.Variable(start, name="table"), gc.Variable(np.float32(0), name="runs")
        added = gc.scatter_add(table, i, v if fed else gc.exp(v * 0.0), axis=axis)
        update = gc.group(gc.assign(table, added), gc.assign(runs, runs + 1.0))
    with gc.Session(graph, backend=BACKEND) as session:
        call = session.compile(update, [i, v])
        last = call.plan.plan.steps[call.plan.plan.commit :]
        assert "add_at" in [step.op.name for step in last]
        assert "table" not in {call.plan.plan.slots[s.outputs[0]].name for s in last if s.op.name == "copy"}
        call(np.array([3, 0, -2]), rows)
        expected = start.copy()
        np.add.at(expected, (slice(None),) * axis + (np.array([3, 0, -2]),), 1)
        for wrong in ([0, 1, 5], [-6, 1, 2]):
            with pytest.raises(gc.errors.OutOfRangeError, match="scatter_add"):
                call(np.array(wrong), rows)
        np.testing.assert_array_equal(session.value("table"), expected)
        assert (session.value("runs"), session.step) == (1, 1)


def test_a_table_that_is_also_read_is_added_to_afterwards() -> None:
    """A gathered row, the old table as a result, and values that are the table itself."""
    start = np.arange(12, dtype=np.float32).reshape(3, 4)
    with gc.Graph() as graph:
        i = gc.placeholder("i", (3,), gc.int64)
        table = gc.Variable(start, name="table")
        update = gc.assign(table, gc.scatter_add(table, i, table, axis=0))
        fetches = [update, gc.take(table, i, axis=0), gc.sum(table)]
    (_, taken, total), values = run(graph, fetches, {i: np.array([2, 2, 0])})
    expected = start.copy()
    np.add.at(expected, [2, 2, 0], start)
    np.testing.assert_array_equal(values["table"], expected)
    np.testing.assert_array_equal(taken, start[[2, 2, 0]])
    assert total == start.sum()


def test_a_result_of_a_new_state_outlives_the_commit() -> None:
    """Its operand's memory went to a later step of the commit, before the result was computed."""
    with gc.Graph() as graph:
        v = gc.Variable(np.zeros((4, 3), np.int32), name="v")
        w = gc.Variable(np.zeros((), np.int32), name="w")
        new = gc.nn.relu(v)
        largest = gc.max(new.T)
        update = gc.group(gc.assign(v, new), gc.assign(w, gc.min(new) + 7))
        fetched = largest.astype("int64")
    v0 = np.arange(-6, 6, dtype=np.int32).reshape(4, 3)
    (result, _), after = run(graph, [fetched, update], {}, v=v0, w=np.int32(1))
    assert result == 5
    np.testing.assert_array_equal(after["v"], np.maximum(v0, 0))
    assert after["w"] == 7


def test_a_result_of_a_new_and_an_old_state() -> None:
    """The old one was overwritten before the result read it."""
    with gc.Graph() as graph:
        v = gc.Variable(np.zeros((2, 2), np.uint8), name="v")
        a = gc.Variable(np.zeros((), np.uint8), name="a")
        b = gc.Variable(np.zeros((), np.uint8), name="b")
        new = gc.bitwise_xor(v, 5)
        mixed = gc.minimum(new, a)
        update = gc.group(gc.assign(v, new), gc.assign(a, b))
    v0 = np.array([[1, 2], [3, 4]], np.uint8)
    (result, _), after = run(graph, [mixed, update], {}, v=v0, a=np.uint8(3), b=np.uint8(9))
    np.testing.assert_array_equal(result, np.minimum(v0 ^ 5, 3))
    np.testing.assert_array_equal(after["v"], v0 ^ 5)
    assert (after["a"], after["b"]) == (9, 9)


def test_a_result_of_an_old_state_beside_a_copy_of_a_new_one() -> None:
    with gc.Graph() as graph:
        v = gc.Variable(np.zeros(3, np.float32), name="v")
        w = gc.Variable(np.zeros(3, np.float32), name="w")
        u = gc.Variable(np.zeros(3, np.float32), name="u")
        new = v * 0.5 + 1.0
        update = gc.group(gc.assign(v, new), gc.assign(w, new), gc.assign(u, gc.exp(w) + u))
        old = gc.tanh(w)
    v0, w0, u0 = (np.arange(3, dtype=np.float32) + at for at in (0, 10, 20))
    (result, _), after = run(graph, [old, update], {}, v=v0, w=w0, u=u0)
    np.testing.assert_array_equal(result, np.tanh(w0))
    for name, value in {"v": v0 * 0.5 + 1, "w": v0 * 0.5 + 1, "u": np.exp(w0) + u0}.items():
        np.testing.assert_array_equal(after[name], value.astype(np.float32))


@pytest.mark.parametrize("view", [False, True])
def test_a_commit_reads_a_value_that_is_fetched(view: bool) -> None:
    """Results are new arrays at every call, which a commit that is prepared once cannot name."""
    with gc.Graph() as graph:
        x = gc.placeholder("x", (2, 3))
        w = gc.Variable(np.zeros((3, 2) if view else (2, 3), np.float32), name="w")
        doubled = gc.exp(x)
        update = gc.assign(w, doubled.T) if view else gc.assign_sub(w, doubled)
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    start = np.ones(w.shape, np.float32)  # type: ignore[arg-type]
    (result, _), after = run(graph, [doubled, update], {x: array}, w=start)
    np.testing.assert_array_equal(result, np.exp(array))
    np.testing.assert_array_equal(after["w"], np.exp(array).T if view else start - np.exp(array))
    assert not np.shares_memory(result, after["w"])


def test_sums_follow_one_layout_of_memory() -> None:
    """NumPy keeps the order of permuted operands and sums in the order of memory, which gave other last bits."""
    rng = np.random.default_rng(0)
    with gc.Graph():
        x = gc.placeholder("x", (37, 41))
        y = gc.sum(gc.permute_dims(x) * gc.permute_dims(x), axis=(0, 1))
    array = rng.standard_normal((37, 41)).astype(np.float32)
    step = gc.compile(y, [x], backend=BACKEND)
    assert gc.bisect(step, array, is_wrong=lambda got, want: got[0].tobytes() != want[0].tobytes()).kind == "nothing"
