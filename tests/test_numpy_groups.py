"""Groups of elementwise ops on the numpy backend: in one piece, in blocks, in place, in a commit."""

import tracemalloc
from collections.abc import Iterator

import numpy as np
import pytest
from random_graphs import OTHER_SIZES, SIZES, make_case

import graphc as gc
from graphc import reference
from graphc.backend import Capabilities, FusionLimits
from graphc.compiler import CompiledPlan, compile_graph
from graphc.errors import OutOfRangeError
from graphc.ir import dims
from graphc.ir.opdef import OPS, Kind
from graphc.lowering import registry
from graphc.options import CompileOptions
from graphc.plan.data import SlotKind, Step
from graphc_numpy import NumpyBackend, emit, groups


class Grouping(NumpyBackend):
    """The backend that puts small groups together, too, and poisons memory that is dead."""

    def info(self) -> Capabilities:
        return super().info()._replace(fusion_limits=FusionLimits())


class Plain(NumpyBackend):
    """The backend without groups."""

    def info(self) -> Capabilities:
        return super().info()._replace(fuses=frozenset())


CHOICE = registry.choose(Grouping(poison=True))


@pytest.fixture(params=["whole", "blocks"])
def small_blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Once as ever, and once in blocks of few elements."""
    if request.param == "blocks":
        monkeypatch.setattr(groups, "WHOLE", 3)
        monkeypatch.setattr(groups, "BLOCK", 2)
    return request.param


def fused_steps(plan: CompiledPlan) -> list[Step]:
    return [step for step in plan.plan.steps if step.op.name == "fused"]


def run(plan: CompiledPlan, arrays: dict, sizes: dict[str, int]) -> list[np.ndarray]:
    variables = {node.name: node for node in plan.optimised.variables}
    state = [np.array(arrays[variables[plan.plan.slots[index].name]]) for index in plan.plan.state]
    call, _ = plan.program.bind(sizes, state, list)
    results = call(*(arrays[node] for node in plan.optimised.parameters))
    after = {plan.plan.slots[index].name: array for index, array in zip(plan.plan.state, state, strict=True)}
    return [*results, *(after[variable.name] for variable, _ in plan.optimised.updates)]


@pytest.mark.parametrize("start", range(0, 40, 10))
def test_random_graphs_have_the_bits_of_the_reference(start: int, small_blocks: str) -> None:
    groups_met = 0
    for seed in range(start, start + 10):
        case = make_case(seed)
        plan = compile_graph(case.graph, CHOICE, CompileOptions(verify=True))
        groups_met += len(fused_steps(plan))
        for sizes in (SIZES, *OTHER_SIZES):
            if not all(guard.holds(sizes) for guard in plan.plan.guards):
                continue
            arrays = case.arrays(sizes)
            try:
                expected = reference.evaluate(plan.optimised.outputs, arrays, sizes)
            except OutOfRangeError:  # from an axis of these sizes nothing can be taken
                with pytest.raises(OutOfRangeError):
                    run(plan, arrays, sizes)
                continue
            for got, want in zip(run(plan, arrays, sizes), expected, strict=True):
                np.testing.assert_array_equal(got, want, err_msg=f"seed {seed}, {sizes}")
    assert groups_met > 30


def adam() -> tuple[gc.Graph, gc.Update]:
    with gc.Graph() as graph:
        w = gc.Variable(np.linspace(-1, 1, 30, dtype=np.float32).reshape(5, 6), name="w")
        loss = gc.sum(gc.exp(w) * gc.sin(w))
        return graph, gc.optim.Adam(0.1).minimize(loss)


def test_adam_is_one_group_that_writes_its_three_variables(small_blocks: str) -> None:
    graph, train = adam()
    with gc.Session(graph, backend=Grouping(poison=True)) as session, gc.Session(graph) as plain:
        step = session.compile(train)
        plan = step.plan.plan
        written = {
            frozenset(plan.slots[index].name for index in s.outputs if plan.slots[index].kind is SlotKind.STATE)
            for s in fused_steps(step.plan)
        }
        assert {"w", "adam/w/m", "adam/w/v"} in written
        (last,) = [s for s in fused_steps(step.plan) if "w" in {plan.slots[index].name for index in s.outputs}]
        assert len(plan.taken_over(last)) == 3, "new values are written where the old ones were"
        for _ in range(3):
            step()
            plain.run(train)
        for name, value in plain.snapshot().values.items():
            np.testing.assert_array_equal(session.snapshot().values[name], value, err_msg=name)


def test_a_group_that_updates_from_a_feed_reads_a_copy_of_it(small_blocks: str) -> None:
    """A commit reads no feeds; one copy of a gradient is less than one of each new value."""
    with gc.Graph() as graph:
        w = gc.Variable(np.ones(7, np.float32), name="w")
        g = gc.placeholder("g", (7,))
        train = gc.optim.Adam(0.1).minimize(gc.sum(w * g))
    feed = np.linspace(-1, 1, 14, dtype=np.float32)[::2]
    with gc.Session(graph, backend=Grouping(poison=True)) as session, gc.Session(graph, backend=Plain()) as plain:
        step = session.compile(train, feeds=[g])
        plan = step.plan.plan
        copied = [plan.slots[s.inputs[0]].name for s in plan.steps if s.op.name == "copy"]
        assert copied.count("g") == 1
        assert not {"w", "adam/w/m", "adam/w/v"} & {
            plan.slots[s.outputs[0]].name for s in plan.steps if s.op.name == "copy"
        }
        for _ in range(3):
            step(feed)
            plain.run(train, {g: feed})
        for name, value in plain.snapshot().values.items():
            np.testing.assert_array_equal(session.snapshot().values[name], value, err_msg=name)


def test_feeds_may_be_strided(small_blocks: str) -> None:
    with gc.Graph():
        x, b = gc.placeholder("x", ("n", 4)), gc.placeholder("b", (4,))
        y = gc.tanh(gc.exp(x) * b + 1.0) * gc.dim_value(x.shape[0], gc.float32)
        call = gc.compile([y], [x, b], backend=Grouping())
    assert len(fused_steps(call.plan)) == 1
    wide = np.linspace(-1, 1, 70, dtype=np.float32).reshape(14, 5)
    bias = np.array([1, 2, 3, 4], np.float32)
    for feed in (wide[::2, :4], wide[:, 4:0:-1], np.asfortranarray(wide[:, :4]), wide[:1, :4], wide[:0, :4]):
        expected = np.tanh(np.exp(feed) * bias + np.float32(1)) * np.float32(len(feed))
        np.testing.assert_array_equal(call(feed, bias)[0], expected)


def test_what_is_between_two_ops_takes_a_block_only() -> None:
    """Twice the elements take no more memory beside the result, which is where the chain is computed."""
    with gc.Graph():
        x, y = gc.placeholder("x", ("n",)), gc.placeholder("y", ("n",))
        z = gc.exp(x) * gc.sin(y) + gc.cos(y) * 2.0
        call = gc.compile([z], [x, y])
    (step,) = fused_steps(call.plan)
    peak = call.plan.peak_bytes
    assert peak.evaluate(n=1000) == dims.evaluate(step.scratch, {"n": 1000}) == 2 * 4032
    assert peak.evaluate(n=1 << 23) == peak.evaluate(n=1 << 24) == 2 * 4 * groups.WHOLE
    n = groups.WHOLE + 3
    a, b = np.linspace(-1, 1, n, dtype=np.float32), np.linspace(3, 4, n, dtype=np.float32)
    assert call.arena_bytes(a, b) == peak.evaluate(n=n)
    got = call(a, b)[0]
    np.testing.assert_array_equal(got, np.exp(a) * np.sin(b) + np.cos(b) * np.float32(2))
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        call(a, b)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most - before - got.nbytes < 64 * 1024


def test_a_chain_is_computed_where_its_result_is() -> None:
    with gc.Graph():
        x = gc.placeholder("x", ("n",))
        call = gc.compile([gc.tanh(gc.sin(gc.exp(x)))], [x], backend=Grouping())
    (step,) = fused_steps(call.plan)
    assert step.scratch == 0
    source = call.plan.source()
    assert "if blocks_0 is None:\n        exp(feed_x, r1)\n        sin(r1, r1)\n" in source
    assert "for rows, in blocks_0:\n            exp(feed_x[rows], r1[rows])\n" in source


def test_of_several_readers_the_last_one_takes_over() -> None:
    """The mask is computed before relu writes over what both read."""
    with gc.Graph():
        x, b = gc.placeholder("x", ("n", 4)), gc.placeholder("b", (4,))
        shifted = x + b
        call = gc.compile([gc.nn.relu(shifted), shifted > 0], [x, b])
    (step,) = fused_steps(call.plan)
    assert step.scratch == 0
    feed = np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)
    positive, mask = call(feed, np.zeros(4, np.float32))
    np.testing.assert_array_equal(positive, np.maximum(feed, 0))
    np.testing.assert_array_equal(mask, feed > 0)


def test_all_that_is_in_groups_may_stand_in_a_commit() -> None:
    elementwise = {op.name for op in OPS.values() if op.kind is Kind.ELEMENTWISE} & emit.ROWS.keys()
    assert elementwise <= emit.ATOMIC | emit.SEPARATE
    assert not emit.ATOMIC & emit.SEPARATE


def test_what_rules_left_alone_is_told_of_members_too() -> None:
    with gc.Graph():
        x = gc.placeholder("x", ("n",))
        y = 1.0 / gc.sqrt(gc.log(x) + 1.0)
        explained = [
            gc.compile([y], [x], backend=backend, options=gc.CompileOptions(exactness="exact")).plan.explain()
            for backend in (Grouping(), Plain())
        ]
    left = [
        text[text.index("left alone:") : text.index("fused:" if "fused:" in text else "memory:")] for text in explained
    ]
    assert left[0] == left[1] != "left alone:\n  nothing\n"


def test_what_is_saved_is_told_with_the_size_from_which_on_it_is() -> None:
    with gc.Graph():
        symbolic, static = gc.placeholder("x", ("n", 3)), gc.placeholder("y", (groups.WHOLE + 1,))
        said = [gc.compile(gc.tanh(gc.sin(gc.exp(t))), [t], backend="numpy").plan for t in (symbolic, static)]
    assert f"48*n bytes saved from {groups.WHOLE + 1} elements on  " in said[0].explain()
    assert f"{16 * (groups.WHOLE + 1)} bytes saved  " in said[1].explain()
    assert "fused(x, body=[exp, sin, tanh], fusion='elementwise')" in said[0].show()


def test_small_static_shapes_are_left_alone_and_explain_says_why() -> None:
    with gc.Graph():
        x = gc.placeholder("x", (8,))
        plan = gc.compile([gc.tanh(gc.sin(gc.exp(x)))], [x], backend="numpy").plan
    assert not fused_steps(plan)
    assert "numpy gains nothing by groups of so few elements" in plan.explain()
