"""Large graphs: long chains, big trees, wide nodes, many variables, feeds and results.

That work grows no faster than the graph is shown without a clock: Python's function calls and bytecodes are counted.
"""

import itertools
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.backend import Capabilities
from graphc.conformance.tolerances import ROUNDINGS_PER_OPERATION
from graphc.ir import dims
from graphc.ir.graph import Graph
from graphc.ir.key import graph_key
from graphc.ir.text import parse_graph, print_graph
from graphc.ir.verify import verify
from graphc.lowering import registry
from graphc.lowering.fuse import FUSE
from graphc.ops import define
from graphc.passes.manager import Context
from graphc.passes.pipelines import DEFAULT
from graphc.plan import memory
from graphc.plan.listing import listing
from graphc.plan.liveness import plan_memory
from graphc.plan.memory import Interval, aligned, pack, peak_of
from graphc.plan.order import sort_steps
from graphc.plan.schedule import make_plan

EPS = float(np.finfo(np.float64).eps)
DATA = np.array([0.1, 0.4, 0.7, 1.0])
FUSED = frozenset({"elementwise", "layout", "reduction", "row", "gather", "single"})


@pytest.fixture(autouse=True)
def shallow_stack() -> Iterator[None]:
    """Nothing recurses along a graph, so that a few frames above those of pytest are enough."""
    usual, frame, depth = sys.getrecursionlimit(), sys._getframe(), 0
    while frame is not None:
        frame, depth = frame.f_back, depth + 1
    sys.setrecursionlimit(depth + 100)
    yield
    sys.setrecursionlimit(usual)


# --- graphs that no rule can make smaller, and their gradients in plain NumPy ----------------------------------


def weights(count: int) -> list[float]:
    """Numbers around 1, all different, whose product stays within the range of floats."""
    return [float(w) for w in np.exp(np.random.default_rng(0).uniform(-0.1, 0.1, count))]


def chain(x: Any, operations: int, tanh: Any = gc.tanh) -> Any:
    for w in weights(operations // 2):
        x = tanh(x * w)
    return x


def tree(x: Any, operations: int, tanh: Any = gc.tanh) -> Any:
    numbers = iter(weights(operations))
    level = [x * next(numbers) for _ in range(operations // 4)]
    while len(level) > 1:
        odd = level[len(level) & ~1 :]
        level = [tanh(a * b + next(numbers)) for a, b in zip(level[::2], level[1::2], strict=False)] + odd
    return level[0]


class Dual:
    """A value with its derivative: forward mode, where graphc goes in reverse."""

    def __init__(self, value: np.ndarray, slope: np.ndarray) -> None:
        self.value = value
        self.slope = slope

    def __mul__(self, other: Any) -> "Dual":
        if isinstance(other, Dual):
            return Dual(self.value * other.value, self.slope * other.value + self.value * other.slope)
        return Dual(self.value * other, self.slope * other)

    def __add__(self, other: float) -> "Dual":
        return Dual(self.value + other, self.slope)

    def tanh(self) -> "Dual":
        value = np.tanh(self.value)
        return Dual(value, self.slope * (1.0 - value * value))


KINDS: dict[str, Callable[..., Any]] = {"chain": chain, "tree": tree}


def record(kind: str, operations: int) -> tuple[gc.Tensor, gc.Tensor]:
    with gc.Graph(kind):
        x = gc.placeholder("x", DATA.shape, gc.float64)
    return x, gc.sum(KINDS[kind](x, operations))


def check_numbers(kind: str, operations: int) -> None:
    x, y = record(kind, operations)
    run = gc.compile([y, gc.gradients(y, x)], [x])
    assert len(run.plan.plan.steps) >= 2 * operations
    value, slope = run(DATA)
    expected = KINDS[kind](Dual(DATA, np.ones_like(DATA)), operations, Dual.tanh)
    assert value == expected.value.sum()
    # All terms and factors are positive: relative errors add up, and nothing cancels.
    np.testing.assert_allclose(slope, expected.slope, rtol=ROUNDINGS_PER_OPERATION * operations * EPS)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("operations", [1_000, 10_000])
def test_numbers(kind: str, operations: int) -> None:
    check_numbers(kind, operations)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_numbers_of_100_000_operations(kind: str) -> None:
    check_numbers(kind, 100_000)


def test_100_000_nodes_on_a_small_stack() -> None:
    """Not even C code recurses along a chain: all of it, to its end, fits into a stack of 256 KiB."""
    alive: list[weakref.ref[gc.Tensor]] = []

    def work() -> None:
        x, y = record("chain", 66_000)
        graph = Graph([x], [y])
        assert len(graph.nodes) > 99_000
        # x and its graph hold each other, and some of the constants serve the next graph.
        alive.extend(weakref.ref(node) for node in graph.nodes if node.inputs)
        (value,) = gc.compile([y], [x])(DATA)
        assert value == chain(Dual(DATA, DATA), 66_000, Dual.tanh).value.sum()

    in_small_thread(work)
    assert all(node() is None for node in alive)


def in_small_thread(work: Callable[[], None]) -> None:
    errors: list[BaseException] = []

    def caught() -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)

    usual = threading.stack_size(256 * 1024)
    try:
        thread = threading.Thread(target=caught)
        thread.start()
    finally:
        threading.stack_size(usual)
    thread.join()
    if errors:
        raise errors[0]


# --- wide graphs -------------------------------------------------------------------------------------------------


def concat(x: gc.Tensor, size: int) -> gc.Tensor:
    return gc.sum(gc.square(gc.concat([x * w for w in weights(size)])))


def stack(x: gc.Tensor, size: int) -> gc.Tensor:
    return gc.sum(gc.square(gc.stack([x * w for w in weights(size)], axis=1)))


def consumers(x: gc.Tensor, size: int) -> gc.Tensor:
    """One tensor that many read; its gradient is a sum over all of them."""
    parts = [x * w for w in weights(size)]
    while len(parts) > 1:
        parts = [a + b for a, b in itertools.zip_longest(parts[::2], parts[1::2], fillvalue=x)]
    return gc.sum(parts[0])


def of_concat(size: int) -> tuple[float, np.ndarray]:
    squares = float(np.sum(np.square(weights(size))))
    return squares * float(np.sum(DATA * DATA)), 2 * squares * DATA


def of_consumers(size: int) -> tuple[float, np.ndarray]:
    count, added = size, 0
    while count > 1:
        count, added = -(-count // 2), added + count % 2
    total = float(np.sum(weights(size))) + added
    return total * float(DATA.sum()), np.full_like(DATA, total)


WIDE: dict[str, Any] = {
    "concat": (concat, of_concat),
    "stack": (stack, of_concat),
    "consumers": (consumers, of_consumers),
}


@pytest.mark.parametrize("size", [2_000, pytest.param(10_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", WIDE)
def test_wide_graphs(kind: str, size: int) -> None:
    build, formula = WIDE[kind]
    with gc.Graph(kind):
        x = gc.placeholder("x", DATA.shape, gc.float64)
    y = build(x, size)
    value, slope = gc.compile([y, gc.gradients(y, x)], [x])(DATA)
    bound = ROUNDINGS_PER_OPERATION * size * EPS
    expected = formula(size)
    np.testing.assert_allclose(value, expected[0], rtol=bound)
    np.testing.assert_allclose(slope, expected[1], rtol=bound)


@pytest.mark.parametrize("size", [2_000, pytest.param(10_000, marks=pytest.mark.slow)])
def test_many_results_and_feeds(size: int) -> None:
    with gc.Graph("many"):
        xs = [gc.placeholder("x", (), gc.float64) for _ in range(size)]
    arrays = [np.array(w) for w in weights(size)]
    run = gc.compile([x * x for x in xs], xs)
    assert run(*arrays) == [w * w for w in arrays]
    assert [x.name for x in xs[:3]] == ["x", "x_1", "x_2"]


@pytest.mark.parametrize("size", [1_000, pytest.param(10_000, marks=pytest.mark.slow)])
def test_many_variables(size: int) -> None:
    with gc.Graph("many") as graph:
        variables = [gc.Variable(w, dtype=gc.float64) for w in weights(size)]
        loss = gc.sum(gc.square(gc.stack(variables)))
        train = gc.optim.SGD(0.25).minimize(loss)
    with gc.Session(graph) as session:
        session.run([loss, train])
        values = session.snapshot().values
    # v - 0.25 · 2v is exact.
    assert [float(values[v.name]) for v in variables] == [w / 2 for w in weights(size)]


@pytest.mark.parametrize("pairs", [1_000, pytest.param(10_000, marks=pytest.mark.slow)])
def test_many_swaps(pairs: int) -> None:
    """Every pair is a knot of updates that wait for each other."""
    with gc.Graph("swaps") as graph:
        variables = [gc.Variable(float(i)) for i in range(2 * pairs)]
        both = list(zip(variables[::2], variables[1::2], strict=True))
        swap = gc.group(*[gc.assign(a, b) for a, b in both], *[gc.assign(b, a) for a, b in both])
    with gc.Session(graph) as session:
        session.run(swap)
        values = session.snapshot().values
    assert [float(values[v.name]) for v in variables] == [float(i ^ 1) for i in range(2 * pairs)]


# --- what is not recorded need not be dropped ---------------------------------------------------------------------


def test_gradients_are_recorded_without_what_every_pass_would_drop() -> None:
    for kind in KINDS:
        x, y = record(kind, 200)
        plan = gc.compile([y, gc.gradients(y, x)], [x]).plan
        assert plan.ledger.counts().keys() <= {"cse"}
        assert plan.ledger.counts().total() < 10


def test_ones_vanish_from_the_start_of_a_gradient_only() -> None:
    with gc.Graph("ones"):
        x = gc.placeholder("x", (3,), gc.float64)
    kept = x * 1.0
    gradient = gc.gradients(gc.sum(gc.tanh(kept)), x)
    (factor,) = [node for node in Graph([x], [gradient]).nodes if node is kept]
    assert factor.op.name == "multiply"  # what the user wrote is left to the passes
    assert gc.gradients(gc.sum(x), x).shape == (3,)
    value = gc.compile(gc.gradients(gc.sum(gc.sum(x * x, axis=0, keepdims=True)), x), [x])(DATA[:3])
    assert list(value) == list(2 * DATA[:3])


def test_one_constant_serves_a_number_on_a_line() -> None:
    with gc.Graph("numbers"):
        x = gc.placeholder("x", (3,), gc.float64)
        n = gc.placeholder("n", (3,), gc.int64)
    halves = [x * 0.5 for _ in range(3)]
    assert len({node.inputs[1] for node in halves}) == 1
    assert (x * 0.5).inputs[1] is not halves[0].inputs[1]  # another line
    mixed = [x + value for value in (0.0, -0.0, 1.0, 1, True, float("nan"))] + [n + value for value in (0, 1)]
    constants = [node.inputs[1] for node in mixed]
    assert [str(node.attrs["value"]) for node in constants] == ["0.0", "-0.0", "1.0", "1.0", "1.0", "nan", "0", "1"]
    assert [node.dtype for node in constants] == [gc.float64] * 6 + [gc.int64] * 2


# --- work, counted ------------------------------------------------------------------------------------------------


@contextmanager
def counting(what: str) -> Iterator[list[int]]:
    """Counts calls of functions (of Python and of C), or bytecodes."""
    count = [0]

    def on_call(frame: FrameType, event: str, argument: object) -> None:
        if event in ("call", "c_call"):
            count[0] += 1

    def on_opcode(frame: FrameType, event: str, argument: object) -> Any:
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        if event == "opcode":
            count[0] += 1
        return on_opcode

    usual = sys.getprofile(), sys.gettrace()
    try:
        if what == "calls":
            sys.setprofile(on_call)
        else:
            sys.settrace(on_opcode)
        yield count
    finally:
        sys.setprofile(usual[0])
        sys.settrace(usual[1])


def work(what: str, outputs: Callable[[int], Any], size: int) -> dict[str, int]:
    """Counts by stage, from the first recorded node to the first run, for graphs of a size."""
    found: dict[str, int] = {}

    def stage(name: str, function: Callable[[], Any]) -> Any:
        with counting(what) as count:
            result = function()
        found[name] = found.get(name, 0) + count[0]
        return result

    define._number.cache_clear()  # a small graph may not profit from the numbers of another
    choice = registry.choose("numpy")
    context = Context(capabilities=choice.backend.info())
    xs, y = stage("build", lambda: outputs(size))
    gradients = stage("differentiate", lambda: gc.gradients(y, xs))
    graph = stage("graph", lambda: Graph(xs, [y, *gradients]))
    stage("verify", lambda: verify(graph))
    stage("key", lambda: graph_key(graph))
    text = stage("print", lambda: print_graph(graph))
    stage("parse", lambda: parse_graph(text))
    for step in DEFAULT:
        graph = stage(step.name, lambda step=step, graph=graph: step.run(graph, context))
    everything = Context(capabilities=Capabilities("everything", fuses=FUSED, views=frozenset({"reshape"})))
    stage("fuse everything", lambda: FUSE.run(graph, everything))
    assert everything.fusion is not None
    stage("explain", lambda: list(everything.fusion.lines()))
    graph = stage("fuse", lambda: FUSE.run(graph, context))
    plan = stage("schedule", lambda: make_plan(graph, context.capabilities, graph.guards))
    stage("memory", lambda: plan_memory(plan, context.capabilities))
    stage("show", lambda: listing(plan))
    program = stage("lower", lambda: choice.backend.lower(plan, context.options))
    sizes = {name: 3 for node in xs for name in dims.symbols(node.shape)}
    call, _ = stage("bind", lambda: program.bind(sizes, [], list))
    stage("run", lambda: call(*[np.ones([dims.evaluate(d, sizes) for d in node.shape]) for node in xs]))
    return found


def one_source(build: Callable[[gc.Tensor, int], gc.Tensor], shape: Any = (4,)) -> Callable[[int], Any]:
    def outputs(size: int) -> Any:
        with gc.Graph("work"):
            x = gc.placeholder("x", shape, gc.float64)
        return [x], gc.sum(build(x, size))

    return outputs


def many_sources(shape: Callable[[int], Any]) -> Callable[[int], Any]:
    def outputs(size: int) -> Any:
        with gc.Graph("work"):
            xs = [gc.placeholder("x", shape(number), gc.float64) for number in range(size // 4)]
        return xs, gc.sum(gc.concat([gc.tanh(x) for x in xs]))

    return outputs


def views(x: gc.Tensor, size: int) -> gc.Tensor:
    """Views of views of views, some of which are read."""
    table = gc.broadcast_to(gc.tanh(x)[0], (size, size))
    corners = []
    for _ in range(size // 4):
        table = gc.permute_dims(table, (1, 0))[1:]
        corners.append(table[0, 0])
    return gc.stack(corners)


def two_sizes(size: int) -> Any:
    """At each step fewer values of one symbolic size live, and more of the other: no step needs most memory."""
    with gc.Graph("work"):
        x = gc.placeholder("x", ("rows",), gc.float64)
        z = gc.placeholder("z", ("columns",), gc.float64)
    old = [gc.tanh(x * w) for w in weights(size // 8)]
    total = gc.sum(gc.concat(old))
    new = []
    for node in old:
        total = gc.tanh(total + gc.sum(node))
        new.append(gc.tanh(z * total))
        total = total + gc.sum(new[-1])
    return [x, z], gc.sum(gc.concat(new)) + total


SHAPES: dict[str, Callable[[int], Any]] = {
    "chain": one_source(chain),
    "chain of symbolic size": one_source(chain, ("batch",)),
    "tree": one_source(tree),
    "concat": one_source(concat),
    "stack": one_source(stack),
    "consumers": one_source(consumers),
    "views": one_source(views),
    "feeds": many_sources(lambda number: (30,)),
    "feeds of one symbolic size": many_sources(lambda number: ("batch",)),
    "two symbolic sizes": two_sizes,
}


def check_work(what: str, shape: str, small: int, large: int) -> None:
    work(what, SHAPES[shape], 40)  # fills the caches that do not depend on the size
    few, many = work(what, SHAPES[shape], small), work(what, SHAPES[shape], large)
    growth = {stage: many[stage] / few[stage] / (large / small) for stage in few if few[stage] > 10 * small}
    assert growth
    assert not {stage: ratio for stage, ratio in growth.items() if ratio > 1.2}  # quadratic work: more than 4
    assert sum(many.values()) < 1.1 * large / small * sum(few.values())


@pytest.mark.parametrize("shape", SHAPES)
def test_bytecodes_per_node_do_not_grow(shape: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_FEW", 0)  # several orders are tried for few buffers, with quadratic work by intent
    check_work("bytecodes", shape, 80, 480)


@pytest.mark.parametrize(("small", "large"), [(300, 2_400), pytest.param(1_000, 10_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("shape", ["chain", "tree"])
def test_calls_per_node_do_not_grow(shape: str, small: int, large: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_FEW", 0)
    check_work("calls", shape, small, large)


def test_the_count_sees_quadratic_work() -> None:
    """The ruler is right: a loop over all earlier items, and a call for each, are noticed."""

    def quadratic(size: int) -> int:
        items: list[int] = []
        for number in range(size):
            items.append(sum([item == number for item in items]))
        return len(items)

    for what in ("calls", "bytecodes"):
        counts = []
        for size in (50, 400):
            with counting(what) as count:
                quadratic(size)
            counts.append(count[0])
        assert counts[1] > (8 if what == "calls" else 40) * counts[0] / 1.1


# --- fast algorithms, held to their definitions -------------------------------------------------------------------


def test_the_peak_is_that_of_its_definition() -> None:
    rng = np.random.default_rng(3)
    a, b = dims.symbol("a"), dims.symbol("b")
    sizes = [0, 8, 640, 4 * a, 8 * b, 64 * a, 4 * a * b + 100, 8 * dims.floordiv(a, b + 1), 8 * dims.mod(a - b, 7)]
    for _ in range(60):
        starts = rng.integers(0, 12, rng.integers(0, 14))
        ends = starts + rng.integers(0, 6, len(starts))
        kinds = rng.integers(0, len(sizes), len(starts))
        intervals = [Interval(int(s), int(e), sizes[k]) for s, e, k in zip(starts, ends, kinds, strict=True)]
        assert peak_of(intervals).candidates == (tuple(maxima(intervals)) or (0,))


def maxima(intervals: list[Interval]) -> list[dims.Dim]:
    """The bytes that live at each step, without those that another step reaches for all sizes."""
    levels: dict[dims.Dim, None] = {}
    for step in sorted({interval.start for interval in intervals}):
        level: dims.Dim = 0
        for start, end, nbytes in intervals:
            level = level + (aligned(nbytes) if start <= step <= end else 0)
        levels[level] = None
    return [one for one in levels if not any(dims.at_least(other, one) for other in levels if other != one)]


def test_packing_stops_only_where_nothing_can_be_gained() -> None:
    rng = np.random.default_rng(4)
    for _ in range(100):
        starts = rng.integers(0, 20, 25)
        intervals = [(int(s), int(s + d), int(n)) for s, d, n in zip(starts, *rng.integers(0, 9, (2, 25)), strict=True)]
        offsets, total = pack([(s, e, 64 * n) for s, e, n in intervals])
        most = max(sum(64 * n for s, e, n in intervals if s <= step <= e) for step in range(30))
        assert total >= most
        for (i, first), (j, second) in itertools.combinations(enumerate(intervals), 2):
            if first[0] <= second[1] and second[0] <= first[1]:
                apart = offsets[i] + 64 * first[2] <= offsets[j] or offsets[j] + 64 * second[2] <= offsets[i]
                assert apart or not first[2] or not second[2]


def test_sorting_finds_an_order_or_the_knots() -> None:
    rng = np.random.default_rng(5)
    for _ in range(300):
        count = int(rng.integers(1, 9))
        pairs = {(int(a), int(b)) for a, b in rng.integers(0, count, (rng.integers(0, 12), 2)) if a != b}
        successors = [[b for a, b in sorted(pairs) if a == step] * int(rng.integers(1, 3)) for step in range(count)]
        order, knots = sort_steps(successors, lambda step: -step)
        place = {step: at for at, step in enumerate(order)}
        assert all(place[a] < place[b] for a, b in pairs if b in place)
        assert bool(knots) == (len(order) < count)
        members = [step for knot in knots for step in knot]
        assert len(members) == len(set(members))
        for knot in knots:
            # Each step of a knot waits for the next one of the path, and the last for the first.
            assert all((b, a) in pairs for a, b in zip(knot, [*knot[1:], knot[0]], strict=True))


def test_names_are_the_first_that_are_free() -> None:
    with gc.Graph("names") as graph:
        for name, expected in [("x", "x"), ("x_2", "x_2"), ("x", "x_1"), ("x", "x_3"), ("x", "x_4"), ("x_2", "x_2_1")]:
            assert gc.placeholder(name).name == expected
        with pytest.raises(gc.GraphcError):
            gc.placeholder("x", shape=(-1,))  # records nothing, and takes no name
        assert gc.placeholder("x").name == "x_5"
    assert list(graph.placeholders) == ["x", "x_2", "x_1", "x_3", "x_4", "x_2_1", "x_5"]
