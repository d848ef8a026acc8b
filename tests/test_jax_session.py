"""Sessions on the jax backend: donated state, commits that nothing interrupts, loss, shapes, feeds, threads."""

import importlib.util
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_state import (
    BAD_FEEDS,
    MANY,
    MOVES,
    STORM,
    Interrupt,
    Interruptions,
    bits,
    check_together,
    elsewhere,
    failing,
    moving_together,
)

import graphc as gc
from graphc.errors import BackendError, OutOfMemoryError, OutOfRangeError, SessionError, StateLostError

pytestmark = pytest.mark.requires("jax")

EXAMPLES = Path(__file__).parents[1] / "examples"
ROUNDED_ONCE = 2e-7  # x + y · z is rounded once or twice
N = 1 << 16  # elements: an array that JAX takes without a copy, if its address fits


def digits() -> Any:
    spec = importlib.util.spec_from_file_location("train_digits", EXAMPLES / "train_digits.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def aligned(values: np.ndarray) -> np.ndarray:
    """A copy at an address that XLA takes as it is."""
    raw = np.empty(values.nbytes + 64, np.uint8)
    start = -raw.ctypes.data % 64
    array = raw[start : start + values.nbytes].view(values.dtype).reshape(values.shape)
    array[...] = values
    return array


def buffers(session: gc.Session) -> dict[str, Any]:
    """The arrays of JAX that hold the variables now."""
    names = list(session.graph.variables)
    return {name: cell.value for name, cell in zip(names, session.state.arrays(names), strict=True)}


def compiled_functions(executable: gc.Executable) -> list[Any]:
    return list(executable.plan.program.program._compiled.values())


# --- the Must: one script, two backends -----------------------------------------------------------------------


def test_digits_train_alike_on_numpy_and_jax() -> None:
    """The demo's own settings: the same first values bit for bit, the same losses within 1e-4, and they fall."""
    module = digits()
    images, labels, _, _ = module.load_digits()
    order = np.random.default_rng(0).permutation(len(images))
    batches = [order[(at * module.BATCH) % 1400 :][: module.BATCH] for at in range(100)]
    losses, starts = {}, {}
    for backend in ("numpy", "jax"):
        graph, t = module.build()
        with gc.Session(graph, backend=backend, seed=0) as session:
            starts[backend] = bits(session)
            step = session.compile([t["loss"], t["train"]], feeds=[t["x"], t["y"]])
            losses[backend] = np.array([step(images[batch], labels[batch])[0] for batch in batches])
            assert session.step == 100
    assert starts["numpy"] == starts["jax"]
    assert losses["numpy"][-10:].mean() < 0.3 * losses["numpy"][0]
    assert (np.abs(losses["jax"] - losses["numpy"]) / np.abs(losses["numpy"])).max() <= 1e-4


# --- donation -------------------------------------------------------------------------------------------------


def counting(backend: str = "jax", with_result: bool = True) -> tuple[gc.Session, gc.Executable]:
    with gc.Graph() as graph:
        x = gc.placeholder("x", ("n",))
        w = gc.Variable(np.zeros((64, 3), np.float32), name="w")
        v = gc.Variable(np.ones((64, 3), np.float32), name="v")
        kept = gc.Variable(np.float32([1, 2, 3]), name="kept")
        update = gc.group(gc.assign(v, w * 0.5 + v), gc.assign(w, w + kept * gc.sum(x)))
    session = gc.Session(graph, backend=backend)
    return session, session.compile([update, gc.sum(w)] if with_result else update, [x])


def test_state_is_given_up_and_written_in_its_own_memory() -> None:
    session, step = counting()
    ones = np.ones(2, np.float32)
    step(ones)
    before = buffers(session)
    step(ones)
    after = buffers(session)
    assert [before[name].is_deleted() for name in ("w", "v", "kept")] == [True, True, False]
    assert after["kept"] is before["kept"]
    source = step.plan.source()
    names = [name for name in ("state_v", "state_w", "state_kept") if name in source]
    assert sorted(names, key=source.index) == ["state_v", "state_w", "state_kept"]  # as the new states come
    np.testing.assert_array_equal(session.value("w"), np.tile(np.float32([4, 8, 12]), (64, 1)))


def test_nothing_of_jax_runs_between_giving_up_and_commit() -> None:
    """A call of a compiled function that misses JAX's cache would be Python code, and recompile."""
    session, step = counting()
    ones = np.ones(2, np.float32)
    step(ones)
    session.assign({"w": np.ones((64, 3), np.float32)})
    session.restore(session.snapshot())
    step(ones)
    (function,) = compiled_functions(step)
    assert function.run._cache_size() == 1
    assert step.plan.stats["xla_compilations"] == 1


@pytest.mark.parametrize("move", MOVES)
def test_updates_that_depend_on_each_other(move: str) -> None:
    values = [np.arange(9, dtype=np.float32).reshape(3, 3) * (k + 1) for k in range(3)]
    with gc.Graph() as graph:
        variables = [gc.Variable(value, name=f"v{k}") for k, value in enumerate(values)]
        new = MOVES[move](variables)
        update = gc.group(*map(gc.assign, variables, new))
    with gc.Session(graph, backend="jax") as session:
        for _ in range(3):
            expected = [np.array(value) for value in MOVES[move](values)]
            found = session.run([*variables, update, *new])
            wanted = [*values, None, *expected]
            for value, want in zip(found, wanted, strict=True):
                if want is not None:
                    np.testing.assert_allclose(value, want, rtol=ROUNDED_ONCE)
            for variable, want in zip(variables, expected, strict=True):
                np.testing.assert_allclose(session.value(variable), want, rtol=ROUNDED_ONCE)
            values = [session.value(variable) for variable in variables]


def test_new_states_that_are_nothing_but_other_values() -> None:
    """A feed, a constant, another variable's old value, one value twice: none may share memory with the others."""
    with gc.Graph() as graph:
        x = gc.placeholder("x", (N,))
        names = ("feed", "again", "constant", "other", "one", "two")
        v = {name: gc.Variable(np.zeros(N, np.float32), name=name) for name in names}
        shared = x + 1.0
        new = [x, x, np.full(N, 5, np.float32), v["feed"], shared, shared]
        update = gc.group(*map(gc.assign, v.values(), new))
        bump = gc.group(*[gc.assign_add(variable, 1.0) for variable in v.values()])
    fed = aligned(np.arange(N, dtype=np.float32))
    kept = fed.copy()
    with gc.Session(graph, backend="jax") as session:
        for _ in range(3):
            session.run([update, x], {x: fed})
            fed[...] = -1
            expected = dict(zip(names, [kept, kept, np.full(N, 5), None, kept + 1, kept + 1], strict=True))
            for name in names:
                if name != "other":
                    np.testing.assert_array_equal(session.value(name), expected[name])
            session.run(bump)
            for name in names:
                if name != "other":
                    np.testing.assert_array_equal(session.value(name), expected[name] + 1)
            fed[...] = kept
        np.testing.assert_array_equal(session.value("other"), kept + 2)


def test_small_and_empty_variables_of_every_dtype() -> None:
    kinds = ["bool", "int8", "uint16", "int64", "uint64", "float32", "float64"]
    with gc.Graph() as graph:
        variables = [gc.Variable(np.zeros(shape, kind), name="v") for kind in kinds for shape in [(), (0,), (2, 1)]]
        update = gc.group(*[gc.assign(v, np.ones(v.shape, v.dtype.numpy)) for v in variables])
    with gc.Session(graph, backend="jax") as session:
        for _ in range(2):
            session.run(update)
        for variable in variables:
            value = session.value(variable)
            assert value.dtype == variable.dtype.numpy
            np.testing.assert_array_equal(value, np.ones(variable.shape))


# --- feeds and results ----------------------------------------------------------------------------------------


def test_feeds_are_not_read_after_the_call_and_results_are_the_callers() -> None:
    with gc.Graph() as graph:
        x = gc.placeholder("x", ("n",))
        w = gc.Variable(np.zeros(N, np.float32), name="w")
        total = gc.sum(gc.exp(gc.sin(x)) * x)
        results = [x, x * 1.0, total, w, gc.reshape(x, (x.shape[0], 1)), gc.dim_value(x.shape[0])]
        update = gc.assign(w, x)
    with gc.Session(graph, backend="jax") as session:
        step = session.compile([*results, update], [x])
        for round in range(3):
            fed = aligned(np.arange(N, dtype=np.float32) + round)
            fed.flags.writeable = False
            kept = fed.copy()
            found = step(fed)[:-1]
            fed.flags.writeable = True
            fed[...] = np.nan
            expected_w = np.zeros(N) if round == 0 else kept - 1
            expected = [kept, kept, (np.exp(np.sin(kept)) * kept).sum(), expected_w, kept[:, None], N]
            for value, want in zip(found, expected, strict=True):
                assert type(value) is np.ndarray
                assert value.flags.writeable
                assert value.flags.owndata
                np.testing.assert_allclose(value, want, rtol=1e-5)
            for value in found:
                value[...] = 0
            np.testing.assert_array_equal(session.value(w), kept)


def test_assigned_and_initial_values_are_copied() -> None:
    start = aligned(np.arange(N, dtype=np.float32))
    with gc.Graph() as graph:
        w = gc.Variable(np.zeros(N, np.float32), name="w")
        update = gc.assign_add(w, 1.0)
    with gc.Session(graph, backend="jax") as session:
        session.assign({w: start})
        start[...] = 7
        np.testing.assert_array_equal(session.value(w), np.arange(N))
        start[...] = np.arange(N)
        for _ in range(3):
            session.run(update)
        np.testing.assert_array_equal(start, np.arange(N))  # nor does the run write into it
        value = session.value(w)
        value[...] = 0
        np.testing.assert_array_equal(session.value(w), np.arange(N) + 3)


def test_strides_and_layouts_of_feeds_do_not_matter() -> None:
    with gc.Graph():
        x = gc.placeholder("x", ("n", "m"))
        y = x * 2.0
    call = gc.compile(y, [x], backend="jax")
    base = np.arange(24, dtype=np.float32).reshape(4, 6)
    for array in (base, base.T, base[::2, ::-1], base[:, :0], np.broadcast_to(base[:1], (4, 6))):
        np.testing.assert_array_equal(call(array), array * 2)


def test_one_compilation_per_combination_of_sizes() -> None:
    with gc.Graph():
        x = gc.placeholder("x", ("batch", 3))
        y = gc.mean(x, axis=0) + gc.reshape(x, (-1,))[-1]
    call = gc.compile(y, [x], backend="jax")
    assert call.plan.stats["xla_compilations"] == 0
    for count, batch in enumerate((1, 5, 2, 7), 1):
        for _ in range(2):
            array = np.random.default_rng(batch).random((batch, 3), np.float32)
            np.testing.assert_allclose(call(array), array.mean(0) + array[-1, -1], rtol=1e-6)
        assert call.plan.stats["xla_compilations"] == count
    assert "xla_compilations: 4" in call.plan.explain()
    assert call.arena_bytes(np.ones((5, 3), np.float32)) >= 0
    assert call.plan.stats["xla_compilations"] == 4


def test_the_sizes_that_were_bound_last_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    with gc.Graph():
        x = gc.placeholder("x", ("n",))
        y = x + x
    call = gc.compile(y, [x], backend="jax")
    module = sys.modules[type(call.plan.program.program).__module__]
    monkeypatch.setattr(module, "_MOST_COMPILED", 2)
    monkeypatch.setattr("graphc.session.executable._MOST_BINDINGS", 1)
    for size, compilations in ((1, 1), (2, 2), (1, 2), (3, 3), (1, 3), (2, 4)):
        np.testing.assert_array_equal(call(np.ones(size, np.float32)), np.full(size, 2))
        assert call.plan.stats["xla_compilations"] == compilations
    assert len(compiled_functions(call)) == 2


# --- checks and prints ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", BAD_FEEDS)
@pytest.mark.parametrize("with_result", [False, True])
def test_an_error_leaves_the_state_as_it_was(bad: str, with_result: bool) -> None:
    graph, update, checked, feeds = failing(bad)
    with gc.Session(graph, backend="jax") as session:
        call = session.compile([update, checked] if with_result else update, feeds)
        values, error = BAD_FEEDS[bad]
        for warm in range(3):
            before = bits(session)
            with pytest.raises(error):
                call(*values)
            assert bits(session) == before
            call([1.0, 1.0], [0, 1])
            assert session.step == warm + 1


def test_errors_name_the_line_that_made_the_first_nan() -> None:
    messages = []
    for backend in ("numpy", "jax"):
        with gc.Graph():
            x = gc.placeholder("x", (3,))
            y = gc.check_numerics(gc.log(x) * 2.0, "after the log")
        with pytest.raises(gc.errors.NumericsError) as caught:
            gc.compile(y, [x], backend=backend)(np.float32([1, -1, 0]))
        messages.append(str(caught.value))
    assert messages[0] == messages[1]
    assert "comes out of log" in messages[0]


def test_prints_come_in_program_order_up_to_the_check_that_fails(capsys: pytest.CaptureFixture[str]) -> None:
    outputs = []
    for backend in ("numpy", "jax"):
        with gc.Graph():
            x = gc.placeholder("x", (2,))
            first = gc.print(x, "first")
            second = gc.print(gc.check_numerics(first) + 1.0, "second")
        call = gc.compile(second * 2.0, [x], backend=backend)
        call(np.float32([1, 2]))
        with pytest.raises(gc.errors.NumericsError):
            call(np.float32([1, np.nan]))
        outputs.append(capsys.readouterr().out)
    assert outputs[0] == outputs[1] == "first: [1. 2.]\nsecond: [2. 3.]\nfirst: [ 1. nan]\n"


# --- interruption ---------------------------------------------------------------------------------------------


def test_an_interrupted_run_commits_all_or_nothing() -> None:
    graph, x, update = moving_together()
    ones = np.ones(3, np.float32)
    with gc.Session(graph, backend="jax") as session:
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
            require_x32()
    assert committed == sorted(committed)  # up to some point nothing, from there on everything
    assert {0, 1} == set(committed)
    assert {"exclusive call", "run line", "in_x64 call"} <= set(interruptions.places)


def test_an_interrupted_first_run_loses_nothing() -> None:
    """XLA compiles and JAX runs Python code of its own, hundreds of thousands of points: a few of them."""
    ones = np.ones(3, np.float32)
    graph, x, update = moving_together()
    session = gc.Session(graph, backend="jax")
    interrupted = 0
    for exponent in range(4, 34, 2):
        call = session.compile([update, gc.sum(x)], [x])
        step = session.step
        interruptions = Interruptions(lambda: call(ones))  # noqa: B023  called at once
        interruptions._left = int(2 ** (exponent / 2))
        interrupted += interruptions._interrupted()
        assert session.step - step in (0, 1)
        check_together(session.snapshot())
        require_x32()
    elsewhere(lambda: call(ones))
    assert interrupted > 10


@pytest.mark.parametrize("way", ["assign", "restore"])
def test_interrupted_assign_and_restore_are_all_or_nothing(way: str) -> None:
    with gc.Graph() as graph:
        a, b = (gc.Variable(np.zeros(3, np.float32), name=name) for name in "ab")
        update = gc.group(gc.assign_add(a, 1.0), gc.assign_add(b, 1.0))
    with gc.Session(graph, backend="jax") as session:
        low = session.snapshot()
        session.run(update)
        high = session.snapshot()
        turn = [low, high]

        def act() -> None:
            turn.reverse()
            if way == "restore":
                session.restore(turn[0])
            else:
                session.assign(turn[0].values)

        for number in Interruptions(act):
            snapshot = session.snapshot()
            found = {float(value) for name in snapshot.values for value in snapshot.values[name]}
            assert len(found) == 1
            assert way == "assign" or found == {float(snapshot.step)}
            if number % 10 == 0:
                elsewhere(session.snapshot)


@pytest.mark.skipif(sys.platform == "win32", reason="no interval timers")
def test_a_loop_under_a_storm_of_signals() -> None:
    """Real signals at any moment: all variables and the step move together, nothing is lost, and x64 stays ours."""
    script = textwrap.dedent(STORM).format(folder=str(Path(__file__).parent))
    script = script.replace("gc.Session(graph)", 'gc.Session(graph, backend="jax")').replace(
        "range(1000)", "range(400)"
    )
    script += "import jax\nprint(jax.numpy.arange(3).dtype)\n"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    runs, dtype = done.stdout.split()[1:]
    assert int(runs) > 20
    assert dtype == "int32"


# --- loss -----------------------------------------------------------------------------------------------------


class Failure(RuntimeError):
    """What a device could raise."""


def fail_once(executable: gc.Executable, given_up: bool, error: BaseException) -> None:
    """Makes the next call of the compiled function fail, with the old state given up or not."""
    (function,) = compiled_functions(executable)
    run = function.run

    def failing_run(*arguments: Any) -> Any:
        function.run = run
        for argument in arguments if given_up else ():
            if not isinstance(argument, np.ndarray):
                argument.delete()
        raise error

    function.run = failing_run


def test_a_failure_before_anything_is_given_up_changes_nothing() -> None:
    session, step = counting()
    ones = np.ones(2, np.float32)
    for _ in range(2):
        step(ones)
    before = bits(session)
    fail_once(step, False, Failure("the device is gone"))
    with pytest.raises(BackendError, match="the backend 'jax' failed in a call") as caught:
        step(ones)
    assert not isinstance(caught.value, StateLostError)
    assert bits(session) == before
    step(ones)
    assert session.step == 3


def test_a_failure_for_lack_of_memory_is_said_to_be_one() -> None:
    _, step = counting()
    ones = np.ones(2, np.float32)
    step(ones)
    fail_once(step, False, RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 576048000 bytes."))
    with pytest.raises(OutOfMemoryError, match="Out of memory"):
        step(ones)


@pytest.mark.parametrize("error", [Failure("the device is gone"), Interrupt()])
def test_a_lost_session_says_so_and_goes_on_from_a_snapshot(error: BaseException) -> None:
    session, step = counting()
    ones = np.ones(2, np.float32)
    total = session.compile(gc.sum(session.graph["w"]))
    for _ in range(2):
        step(ones)
        total()
    kept, before = session.snapshot(), bits(session)
    step(ones)
    after = bits(session)
    fail_once(step, True, error)
    with pytest.raises(StateLostError, match="after it had given up the old state") as caught:
        step(ones)
    assert caught.value.__cause__ is error
    uses: list[Callable[[], Any]] = [
        lambda: step(ones), total, session.snapshot, lambda: session.value("w"), session.__enter__,
        lambda: session.assign({"w": np.zeros((64, 3), np.float32)}), lambda: session.compile(session.graph["w"]),
    ]  # fmt: skip
    for use in uses:
        with pytest.raises(StateLostError, match="has lost the state of its variables") as caught:
            use()
        assert "session.restore(snapshot)" in str(caught.value)
        assert type(error).__name__ in str(caught.value)
    assert "lost" in repr(session)
    with pytest.raises(gc.errors.GraphcError):
        session.restore(gc.Snapshot({**kept.values, "w": np.zeros(2)}, 0))
    with pytest.raises(StateLostError):
        total()
    session.restore(kept)
    assert bits(session) == before
    total()
    step(ones)
    assert bits(session) == after
    session.close()
    with pytest.raises(SessionError, match="closed"):
        session.restore(kept)


@pytest.mark.parametrize("with_result", [False, True])
def test_a_failure_while_the_run_is_under_way_loses_the_state(with_result: bool) -> None:
    """The function has returned, and what it returned turns out to be no value."""

    class Broken:
        def block_until_ready(self) -> None:
            raise Failure("the device is gone")

        def __array__(self, *args: Any, **kwargs: Any) -> np.ndarray:
            raise Failure("the device is gone")

    session, step = counting(with_result=with_result)
    ones = np.ones(2, np.float32)
    step(ones)
    kept = session.snapshot()
    (function,) = compiled_functions(step)
    run = function.run
    function.run = lambda *arguments: (*run(*arguments)[:-1], Broken())
    with pytest.raises(StateLostError, match="given up"):
        step(ones)
    function.run = run
    session.restore(kept)
    assert session.step == 1
    step(ones)
    assert session.step == 2


HUNGER = """
    import resource, time
    import numpy as np
    import graphc as gc

    with gc.Graph() as graph:
        x = gc.placeholder("x", ("n",))
        w = gc.Variable(np.zeros(4, np.float32), name="w")
        square = gc.exp(gc.broadcast_to(x[:, None], (x.shape[0], x.shape[0])))
        update = gc.assign_add(w, gc.sum(square @ x[:, None]) + 1.0)
    session = gc.Session(graph, backend="jax")
    step = session.compile(update, [x])
    feed = np.zeros(9000, np.float32)
    step(feed)
    step(feed)
    kept = session.snapshot()
    time.sleep(0.5)  # XLA frees what a run took in a thread of its own
    pages = int(open("/proc/self/statm").read().split()[0])
    limits = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * 4096 + 40_000_000, limits[1]))
    try:
        step(feed)
    except gc.errors.GraphcError as error:
        print(type(error).__name__, "RESOURCE_EXHAUSTED" in str(error))
    resource.setrlimit(resource.RLIMIT_AS, limits)
    session.restore(kept)
    step(feed)
    print(session.step, session.value(w).tolist())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")
def test_a_machine_that_runs_out_of_memory() -> None:
    """A real failure of XLA after donation, in a process of its own."""
    script = textwrap.dedent(HUNGER)
    environment = {**os.environ, "PYTHONPATH": str(EXAMPLES.parent)}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["StateLostError True", "3 [3.0, 3.0, 3.0, 3.0]"]


# --- threads, x64, bisection ----------------------------------------------------------------------------------


def require_x32() -> None:
    """The thread is as it was: JAX's arrays have 32 bits unless somebody else asks for more."""
    import jax

    assert jax.numpy.arange(3).dtype == np.int32


def test_x64_is_on_for_our_calls_alone() -> None:
    require_x32()
    _, step = counting()
    with gc.Graph():
        x = gc.placeholder("x", ("n",), gc.float64)
        i = gc.placeholder("i", ("n",), gc.int64)
        outputs = [x * 0.1, i * 3, gc.check_numerics(x)]
    call = gc.compile(outputs, [x, i], backend="jax")
    for _ in range(2):
        step(np.ones(2, np.float32))
        require_x32()
        tenth, triple, _ = call(np.float64([1.0, 3.0]), np.int64([2**40, -1]))
        np.testing.assert_array_equal(tenth, np.float64([1.0, 3.0]) * 0.1)
        np.testing.assert_array_equal(triple, [3 * 2**40, -3])
        require_x32()
        with pytest.raises(gc.errors.NumericsError):
            call(np.float64([np.nan]), np.int64([1]))
        require_x32()
    import jax

    with jax.enable_x64(True):  # somebody else's setting stays, too
        call(np.float64([1.0]), np.int64([2]))
        assert jax.numpy.arange(3).dtype == np.int64


def test_readers_share_and_writers_are_alone() -> None:
    graph, x, update = moving_together()
    ones = np.ones(3, np.float32)
    with gc.Session(graph, backend="jax") as session:
        write = session.compile(update, [x])
        read = session.compile([graph[f"v{k}"] for k in range(MANY)], [])
        write(ones)
        read()
        errors: list[BaseException] = []

        def work(action: Callable[[], None]) -> None:
            try:
                for _ in range(40):
                    action()
            except BaseException as error:
                errors.append(error)

        def check() -> None:
            assert len({float(number) for value in read() for number in value}) == 1

        threads = [threading.Thread(target=work, args=(check,)) for _ in range(3)]
        threads += [threading.Thread(target=work, args=(lambda: write(ones),)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert not errors, errors
        assert session.step == 81
        assert read.plan.stats["xla_compilations"] == 1


def test_bisection_takes_the_jax_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    with gc.Graph() as graph:
        x = gc.placeholder("x", ("n", 3))
        w = gc.Variable(np.float32([[1, 2], [3, 4], [5, 6]]), name="w")
        update = gc.assign(w, w * gc.mean(gc.tanh(x @ w)))
    with gc.Session(graph, backend="jax") as session:
        array = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)
        right = session.compile([update, x @ w], [x])
        before = bits(session)
        assert gc.bisect(right, array).kind == "nothing"
        emit = sys.modules[type(right.plan.program.program).__module__.replace("program", "emit")]
        monkeypatch.setitem(emit.ROWS, "tanh", lambda step, o: f"lax.sin({o.inputs[0]})")
        culprit = gc.bisect(session.compile(update, [x]), array)
        assert (culprit.kind, culprit.name) == ("kernel", "tanh")
        assert bits(session) == before


def test_index_errors_are_those_of_numpy_and_commit_nothing() -> None:
    with gc.Graph() as graph:
        i = gc.placeholder("i", ("n",), gc.int64)
        table = gc.Variable(np.arange(6, dtype=np.float32).reshape(3, 2), name="table")
        rows = gc.take(table, i, axis=0)
        update = gc.assign(table, gc.scatter_add(table, i, rows * 2.0))
    texts = []
    for backend in ("numpy", "jax"):
        with gc.Session(graph, backend=backend) as session:
            step = session.compile([rows, update], [i])
            step([0, 2, -1])
            before = bits(session)
            with pytest.raises(OutOfRangeError) as caught:
                step([0, 3])
            texts.append(str(caught.value))
            assert bits(session) == before
            np.testing.assert_array_equal(session.value(table), [[0, 3], [2, 3], [20, 25]])
    assert texts[0] == texts[1]
    assert "indices from 0 to 3" in texts[0]


def test_rows_are_added_to_a_table_only_if_every_check_passes() -> None:
    """And without a choice between two whole tables."""
    with gc.Graph() as graph:
        ids, other = gc.placeholder("ids", ("n",), gc.int64), gc.placeholder("other", ("n",), gc.int64)
        table = gc.Variable(np.arange(12, dtype=np.float32).reshape(6, 2), name="table")
        update = gc.assign(table, gc.scatter_add(table, ids, gc.ones((2,)), axis=0))
        read = gc.take(table, other, axis=0)
    with gc.Session(graph, backend="jax") as session:
        step = session.compile([read, update], feeds=[ids, other])
        source = step.plan.source()
        assert "scatter_add_if(ok, " in source
        assert "keep_if" not in source
        before = session.value(table)
        for wrong in (([6, 0], [0, 0]), ([0, 0], [0, 7])):
            with pytest.raises(gc.errors.OutOfRangeError):
                step(*map(np.array, wrong))
            np.testing.assert_array_equal(session.value(table), before)
        assert session.step == 0
        step(np.array([-1, 0, 0]), np.array([1, 2, 3]))
        before[5] += 1
        before[0] += 2
        np.testing.assert_array_equal(session.value(table), before)
        assert session.step == 1
