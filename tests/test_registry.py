"""Which backend is taken and why, and what becomes of those that are missing, broken, or fail in their own code."""

import signal
import sys
import threading
import traceback
import types
from collections.abc import Callable, Mapping
from importlib import metadata
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.backend import Capabilities
from graphc.errors import ArgumentError, BackendError, OutOfMemoryError, ShapeError, StateLostError, UnknownNameError
from graphc.lowering import guard, registry
from graphc.lowering.backend import Availability
from graphc_numpy import NumpyBackend

METHODS = ("info", "availability", "unsupported", "lower", "allocate", "to_device", "to_host")


HERE = Availability(True, "a device of its own")


class Other(NumpyBackend):
    """The numpy backend under another name, on whatever device."""

    def __init__(self, name: str = "other", here: Availability = HERE) -> None:
        super().__init__()
        self.name = name
        self.here = here

    def info(self) -> Capabilities:
        return super().info()._replace(name=self.name)

    def availability(self) -> Availability:
        return self.here


class Failing(Other):
    """Fails in one place of its own code, as soon as it is armed."""

    def __init__(self, place: str, error: BaseException) -> None:
        super().__init__("failing")
        self.armed = True
        if place in METHODS:
            setattr(self, place, self.instead_of(getattr(self, place)))
        else:
            self.lower = lambda plan, options: FailingProgram(self, place, plan)  # type: ignore[method-assign]
        self.error = error

    def instead_of(self, right: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any) -> Any:
            if self.armed:
                raise self.error
            return right(*args)

        return run


class FailingProgram:
    source = "none"

    def __init__(self, backend: Failing, place: str, plan: Any) -> None:
        self.right = NumpyBackend().lower(plan, gc.CompileOptions())
        self.backend = backend
        self.bind = backend.instead_of(self.right.bind) if place == "bind" else self._bind

    def _bind(self, *args: Any) -> Any:
        call, size = self.right.bind(*args)
        return self.backend.instead_of(call), size


@pytest.fixture(autouse=True)
def nothing_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_loaded", {})


def built_in(monkeypatch: pytest.MonkeyPatch, backends: Mapping[str, Any]) -> None:
    """Makes these our own backends: objects, or functions that make one or raise."""
    for name, backend in backends.items():
        module = types.ModuleType(f"made_up_{name}")
        module.backend = backend if isinstance(backend, types.FunctionType) else lambda it=backend: it  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(registry, "BUILT_IN", {name: (f"made_up_{name}",) for name in backends})


def counter() -> tuple[gc.Graph, gc.Tensor, gc.Update]:
    with gc.Graph("counter") as graph:
        x = gc.placeholder("x", ("n",))
        v = gc.Variable(np.zeros(3, np.float32), name="v")
        update = gc.assign_add(v, gc.sum(x) * 2.0)
    return graph, x, update


# --- auto -----------------------------------------------------------------------------------------------------------


def test_auto_takes_the_first_with_an_accelerator(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> NumpyBackend:
        raise ZeroDivisionError

    table = {
        "slow": Other("slow"),
        "absent": Other("absent", Availability(False, "there is no such device")),
        "rotten": broken,
        "fast": Other("fast", Availability(True, "a TPU", accelerator=True)),
        "late": Other("late", Availability(True, "a GPU", accelerator=True)),
    }
    built_in(monkeypatch, table)
    choice = registry.choose("auto")
    assert choice.name == "fast"
    assert choice.reason == (
        "auto: the first with an accelerator, a TPU; passed over slow: no accelerator; "
        "absent: there is no such device; "
        "rotten: the backend 'rotten' cannot be loaded: ZeroDivisionError; late: comes later, a GPU"
    )


def test_auto_takes_the_first_that_is_available_without_any(monkeypatch: pytest.MonkeyPatch) -> None:
    table = {name: Other(name) for name in ("b", "c")}
    built_in(monkeypatch, {"a": Other("a", Availability(False, "it is Sunday")), **table})
    assert registry.choose("auto")[::2] == (
        "b",
        "auto: no accelerator, and b is the first that can run; passed over a: it is Sunday; c: no accelerator",
    )


def test_auto_is_numpy_on_a_cpu_and_explain_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    built_in(monkeypatch, {"numpy": NumpyBackend(), "other": Other()})
    plan = gc.compile(gc.asarray([1.0]) + 1.0).plan
    assert plan.explain().startswith(
        "backend numpy (auto: no accelerator, and numpy compiles at once; passed over other: no accelerator)\n"
    )


def test_auto_without_any_says_what_each_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    absent = {name: Other(name, Availability(False, f"no {name}", remedy=f"buy {name}")) for name in ("a", "b")}
    built_in(monkeypatch, absent)
    with pytest.raises(BackendError, match=r"(?s)no backend is available.*a: no a\n.*b: no b\n.*buy a\n.*buy b"):
        gc.Session(counter()[0])


def test_backends_of_others_are_taken_by_name_only(monkeypatch: pytest.MonkeyPatch) -> None:
    foreign(monkeypatch, Other("far", Availability(True, "a supercomputer", accelerator=True)))
    assert registry.names()[-1] == "far"
    assert registry.choose("auto").name != "far"
    assert registry.choose("far")[::2] == ("far", "named")


# --- names ----------------------------------------------------------------------------------------------------------


def foreign(monkeypatch: pytest.MonkeyPatch, *backends: Any) -> None:
    """Makes these the backends of other packages."""
    found = {}
    for position, backend in enumerate(backends):
        module = types.ModuleType(f"foreign_{position}")
        module.backend = lambda it=backend: it  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, module.__name__, module)
        name = getattr(backend, "name", f"foreign_{position}")
        found[name] = metadata.EntryPoint(name, f"{module.__name__}:backend", registry.GROUP)
    monkeypatch.setattr(registry, "_entry_points", lambda: found)


def test_a_named_backend_that_is_absent_says_why_and_what_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    built_in(monkeypatch, {"jax": Other("jax", Availability(False, "the driver is too old", remedy="update it"))})
    monkeypatch.setitem(registry.EXTRAS, "jax", ("no_such_library", "jax"))
    with pytest.raises(BackendError, match="'jax' is not available here") as caught:
        gc.Session(counter()[0], backend="jax")
    assert caught.value.got == "no_such_library is not installed"
    assert caught.value.fix is not None
    assert caught.value.fix.startswith('pip install "graphc[jax]"\n`graphc backends`')
    assert not registry._loaded, "what cannot run need not be imported"
    # Where the library is there, something else is amiss, and the backend knows.
    monkeypatch.setitem(registry.EXTRAS, "jax", ("numpy", "jax"))
    with pytest.raises(BackendError, match=r"(?s)the driver is too old.*fix +update it\n"):
        gc.Session(counter()[0], backend="jax")


def test_unknown_names_list_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match=r"(?s)nunpy.*numpy"):
        gc.Session(counter()[0], backend="nunpy")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import no_such_library", r"ModuleNotFoundError: No module named 'no_such_library'"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("from math import no_such_name", "ImportError: cannot import name"),
        ("x", "NameError: name 'x' is not defined"),
        ("pass", "AttributeError: .*'backend'"),
    ],
)
def test_packages_of_ours_that_cannot_be_imported(
    source: str, reason: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "made_up_package.py").write_text(source, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "made_up_package", raising=False)
    monkeypatch.setattr(registry, "BUILT_IN", {"made_up": ("made_up_package",)})
    monkeypatch.setitem(registry.EXTRAS, "made_up", ("no_such_library", "extra"))
    with pytest.raises(BackendError, match=f"'made_up' cannot be loaded: {reason}") as caught:
        registry.load("made_up")
    assert isinstance(caught.value.__cause__, Exception)
    assert caught.value.fix == 'pip install "graphc[extra]"'
    sys.modules.pop("made_up_package", None)


def test_a_package_of_ours_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "BUILT_IN", {"gone": ("graphc_gone", "backends.graphc_gone")})
    with pytest.raises(BackendError, match="'gone' is not installed"):
        registry.load("gone")


def test_our_backend_through_the_entry_points_that_others_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "BUILT_IN", {})
    assert "numpy" in registry.names(), "graphc is not installed: its entry points are part of the installation"
    graph, x, update = counter()
    with gc.Session(graph, backend="numpy") as session:
        session.run(update, {x: [1.0, 2.0]})
        assert session.state.value("v").tolist() == [6, 6, 6]
        assert session.choice[::2] == ("numpy", "named")


def test_threads_load_one_object(monkeypatch: pytest.MonkeyPatch) -> None:
    together = threading.Barrier(4)

    def slow() -> Other:
        together.wait(30)  # all four are in here before the first one is done
        return Other("slow")

    built_in(monkeypatch, {"slow": slow})
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(registry.load("slow"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(found) == 4
    assert all(backend is found[0] for backend in found)
    assert registry.load("slow") is found[0]


# --- the protocol ---------------------------------------------------------------------------------------------------


def test_a_backend_that_lacks_methods_is_refused_with_the_list(monkeypatch: pytest.MonkeyPatch) -> None:
    half = types.SimpleNamespace(name="half", info=lambda: Capabilities("half"), lower=print, to_host=3)
    foreign(monkeypatch, half)
    with pytest.raises(BackendError, match="'half' breaks the protocol") as caught:
        registry.load("half")
    missing = ("availability", "unsupported", "allocate", "to_device", "to_host", "synchronize")
    assert caught.value.got == "\n".join(f"no method {name}()" for name in missing)
    with pytest.raises(BackendError, match="breaks the protocol"):
        registry.choose(half)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("info", "reason"),
    [
        (None, "info() gives None, and not a graphc.backend.Capabilities"),
        ({"name": "other"}, "info() gives {'name': 'other'}"),
        (Capabilities("another"), "info().name is 'another', and the backend is registered as 'other'"),
        (Capabilities("other", granularity="whole"), "info().granularity is 'whole', and not one of step, graph"),
        (Capabilities("other", claims=["gelu"]), "info().claims is ['gelu'], and not a Set"),  # type: ignore[arg-type]
        (Capabilities("other", overwrites=None), "info().overwrites is None, and not a Mapping"),  # type: ignore[arg-type]
        (Capabilities("other", scratch=8), "info().scratch is 8, and neither a function nor None"),  # type: ignore[arg-type]
        (Capabilities("other", exact="yes"), "info().exact is 'yes', and not a bool"),  # type: ignore[arg-type]
        (Capabilities(None), "info().name is None, and not a text"),  # type: ignore[arg-type]
    ],
)
def test_rubbish_from_info_is_refused(info: Any, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = Other()
    backend.info = lambda: info  # type: ignore[method-assign]
    foreign(monkeypatch, backend)
    with pytest.raises(BackendError, match="breaks the protocol") as caught:
        registry.load("other")
    assert caught.value.got is not None
    assert reason in caught.value.got


def test_a_class_is_no_backend_and_a_guarded_one_is_not_guarded_twice() -> None:
    with pytest.raises(ArgumentError, match="this is not a backend"):
        gc.Session(counter()[0], backend=NumpyBackend)  # type: ignore[arg-type]
    first = registry.choose(Other())
    assert registry.choose(first.backend).backend is first.backend
    assert first.backend.here.reason == "a device of its own"  # type: ignore[attr-defined]
    assert not hasattr(first.backend, "there")


@pytest.mark.parametrize(
    ("method", "rubbish", "expected"),
    [
        ("availability", False, "availability to give a graphc.lowering.backend.Availability"),
        ("availability", (True, "yes"), "availability to give a graphc.lowering.backend.Availability"),
        ("availability", Availability(1, "yes"), "availability to give an Availability of a bool, a str, a bool"),  # type: ignore[arg-type]
        ("unsupported", None, "unsupported to give a list of reasons, each a str"),
        ("unsupported", "nope", "unsupported to give a list of reasons, each a str"),
        ("unsupported", [KeyError()], "unsupported to give a list of reasons, each a str"),
        ("lower", "a program", "lower to give a graphc.lowering.backend.Program"),
        ("bind", ("no call", 0), "bind to give a call and the bytes of its arena"),
        ("bind", (print, -1), "bind to give a call and the bytes of its arena"),
        ("to_host", [2.0], "to_host to give a NumPy array"),
    ],
)
@pytest.mark.parametrize("given_as", ["a name", "an object"])
def test_rubbish_from_a_method_is_blamed_on_it(
    given_as: str, method: str, rubbish: Any, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = Other()
    program = types.SimpleNamespace(source="", bind=lambda *args: rubbish)
    setattr(backend, "lower" if method == "bind" else method, lambda *args: program if method == "bind" else rubbish)
    foreign(monkeypatch, backend)
    with pytest.raises(BackendError, match=f"'other' failed in {method}") as caught:
        use("other" if given_as == "a name" else backend)
    assert caught.value.expected is not None
    assert caught.value.expected.startswith(expected)
    assert caught.value.got == repr(rubbish)


def test_bind_must_give_a_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = Other()
    backend.lower = lambda *args: types.SimpleNamespace(source="", bind=lambda *args: None)  # type: ignore[method-assign]
    with pytest.raises(BackendError, match="'other' failed in bind") as caught:
        use(backend)
    assert caught.value.got is not None
    assert caught.value.got.startswith("TypeError: cannot unpack non-iterable NoneType object  at ")


def test_an_object_that_cannot_run_here_says_so() -> None:
    with pytest.raises(BackendError, match=r"(?s)'other' is not available here.*it is Sunday.*fix +wait\b"):
        gc.Session(counter()[0], backend=Other(here=Availability(False, "it is Sunday", remedy="wait")))


def test_an_object_may_not_go_by_the_name_of_one_of_ours() -> None:
    methods = {method: getattr(NumpyBackend(), method) for method in guard.METHODS}
    with pytest.raises(BackendError, match="'SimpleNamespace' breaks the protocol") as caught:
        gc.Session(counter()[0], backend=types.SimpleNamespace(**methods))  # type: ignore[arg-type]
    assert caught.value.got == "info().name is 'numpy', which is a backend of graphc"
    assert gc.Session(counter()[0], backend=NumpyBackend(poison=True)).choice.name == "numpy"


# --- failures of its own code ---------------------------------------------------------------------------------------


def use(backend: Any) -> None:
    """Goes through every method of the protocol."""
    graph, x, update = counter()
    with gc.Session(graph, backend=backend) as session:
        session.run(update, {x: [1.0]})
        session.state.value("v")


@pytest.mark.parametrize("place", [*METHODS, "bind", "a call"])
def test_its_exceptions_name_it_the_method_and_the_cause(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    error = KeyError("no such kernel")
    foreign(monkeypatch, Failing(place, error))
    monkeypatch.setattr(Failing, "name", "failing", raising=False)
    with pytest.raises(BackendError, match=f"'failing' failed in {place}") as caught:
        use("failing")
    assert caught.value.__cause__ is error
    assert caught.value.got is not None
    assert caught.value.got.startswith("KeyError: 'no such kernel'  at ")
    assert "test_registry.py" in caught.value.got
    assert 'backend="numpy" runs any graph' in str(caught.value)
    innermost = traceback.extract_tb(error.__traceback__)[-1]
    assert innermost.name == "run", "the traceback of the cause must lead into the backend"


@pytest.mark.parametrize("place", ["lower", "to_device", "bind", "a call"])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3), ShapeError("in its own words")])
def test_interruptions_and_errors_of_graphc_pass_as_they_are(place: str, error: BaseException) -> None:
    with pytest.raises(type(error)) as caught:
        use(Failing(place, error))
    assert caught.value is error
    assert caught.value.__cause__ is None


def test_want_of_memory_is_a_memory_error() -> None:
    with pytest.raises(MemoryError, match="'failing' failed in allocate") as caught:
        use(Failing("allocate", MemoryError("12 TiB")))
    assert isinstance(caught.value, OutOfMemoryError)
    assert caught.value.got is not None
    assert caught.value.got.startswith("MemoryError: 12 TiB")


@pytest.mark.skipif(sys.platform == "win32", reason="no interval timers")
@pytest.mark.parametrize("place", ["lower", "a call"])
def test_what_a_signal_handler_raises_is_no_failure_of_the_backend(place: str) -> None:
    def handler(number: int, frame: Any) -> None:
        raise TimeoutError("ten seconds are over")

    class Slow(Failing):
        def instead_of(self, right: Callable[..., Any]) -> Callable[..., Any]:
            return lambda *args: (signal.raise_signal(signal.SIGALRM), right(*args))[1]

    class SlowToLower(Slow):
        def __init__(self) -> None:
            super().__init__(place, ValueError())

    before = signal.signal(signal.SIGALRM, handler)
    try:
        with pytest.raises(TimeoutError, match="ten seconds"):
            use(SlowToLower())
    finally:
        signal.signal(signal.SIGALRM, before)
    # The same exception of the backend itself is one.
    with pytest.raises(BackendError, match="TimeoutError"):
        use(Failing(place, TimeoutError("its own")))


@pytest.mark.parametrize("place", ["lower", "to_device", "to_host", "bind", "a call"])
def test_a_failure_leaves_the_session_as_it_was(place: str) -> None:
    backend = Failing(place, OSError("the cable is out"))
    backend.armed = False
    graph, x, update = counter()
    with graph:
        another = gc.assign_add(graph["v"], gc.sum(x) + 1.0)
    with gc.Session(graph, backend=backend) as session:
        session.run(update, {x: [1.0]})
        before = session.snapshot()
        backend.armed = True
        actions: dict[str, Callable[[], object]] = {
            "lower": lambda: session.compile(another, [x]),
            "to_device": lambda: session.assign({"v": np.ones(3, np.float32)}),
            "to_host": session.snapshot,
            "bind": lambda: session.run(update, {x: [1.0, 2.0]}),
            "a call": lambda: session.run(update, {x: [1.0]}),
        }
        for _ in range(2):
            with pytest.raises(BackendError, match="the cable is out"):
                actions[place]()
        backend.armed = False
        after = session.snapshot()
        assert (after.step, after.values["v"].tolist()) == (before.step, before.values["v"].tolist())
        assert (before.step, before.values["v"].tolist()) == (1, [2, 2, 2])
        actions[place]()  # and it goes on where it was
        session.run(update, {x: [1.0]})


# --- what a call gives ----------------------------------------------------------------------------------------------


class Careless(Other):
    """Runs plans as numpy does, and then makes something else of the results, or of the count."""

    def __init__(self, change: Callable[[list[Any]], Any] = list, counts: int | None = None) -> None:
        super().__init__("careless")
        self.change = change
        self.counts = counts
        self.runs = 0

    def lower(self, plan: Any, options: gc.CompileOptions) -> Any:
        right = super().lower(plan, options)

        def bind(sizes: Any, state: Any, committed: Callable[[], object]) -> Any:
            call, size = right.bind(sizes, state, committed if self.counts is None else lambda: None)

            def run(*feeds: Any) -> Any:
                self.runs += 1
                results = self.change(call(*feeds))
                for _ in range(self.counts or 0):
                    committed()
                return results

            return run, size

        return types.SimpleNamespace(source="", bind=bind)


RUBBISH: dict[str, tuple[Callable[[list[Any]], Any], str]] = {
    "too few": (lambda found: found[:-1], "0 results, and not 1"),
    "too many": (lambda found: found * 2, "2 results, and not 1"),
    "none": (lambda found: None, "NoneType None instead of a list of results"),
    "an array": (lambda found: found[0], "ndarray array(8., dtype=float32) instead of a list of results"),
    "a float": (lambda found: [8.0], "result 0 is float 8.0, and not an array"),
    "a scalar": (lambda found: [np.float32(8)], "result 0 is float32 np.float32(8.0), and not an array"),
    "a wide array": (
        lambda found: [found[0].astype(np.float64)],
        "result 0 is float64 of shape (), and not float32 of shape ()",
    ),
    "a row": (lambda found: [found[0][None]], "result 0 is float32 of shape (1,), and not float32 of shape ()"),
}


@pytest.mark.parametrize(("change", "got"), RUBBISH.values(), ids=RUBBISH.keys())
def test_results_that_are_not_those_of_the_plan(change: Callable[[list[Any]], Any], got: str) -> None:
    graph, x, update = counter()
    total = gc.sum(x) * 2.0
    call = gc.compile(total, [x], backend=Careless(change))
    for _ in range(2):  # a second try is looked at, too
        with pytest.raises(BackendError, match="'careless' failed in a call") as caught:
            call([1.0, 3.0])
        assert caught.value.got == got
        assert caught.value.expected == "a list of NumPy arrays: float32[]"
    with gc.Session(graph, backend=Careless(change)) as session:
        saved = session.snapshot()
        with pytest.raises(StateLostError, match=r"'careless' failed in a call that had begun to write") as lost:
            session.run([total, update], {x: [1.0, 3.0]})
        assert lost.value.got == got
        with pytest.raises(StateLostError, match="has lost the state of its variables"):
            session.value("v")
        session.restore(saved)
        assert (session.step, session.value("v").tolist()) == (0, [0, 0, 0])


@pytest.mark.parametrize(("counts", "times"), [(0, "0 times"), (2, "2 times")])
def test_a_run_that_writes_counts_once(counts: int, times: str) -> None:
    graph, x, update = counter()
    with gc.Session(graph, backend=Careless(counts=counts)) as session:
        with pytest.raises(StateLostError, match="'careless'") as lost:
            session.run(update, {x: [1.0]})
        assert lost.value.got == f"committed() was called {times}, and not once"
    with gc.Session(graph, backend=Careless(counts=1)) as session:
        session.run(update, {x: [1.0]})
        assert (session.step, session.value("v").tolist()) == (1, [2, 2, 2])


def test_a_run_that_does_not_write_does_not_count() -> None:
    graph, x, _ = counter()
    with gc.Session(graph, backend=Careless(counts=1)) as session:
        with pytest.raises(BackendError, match="'careless' failed in a call") as caught:
            session.run(gc.sum(x) + graph["v"], {x: [1.0]})
        assert caught.value.got == "committed() was called once, and not at all"
        assert (session.step, session.value("v").tolist()) == (0, [0, 0, 0])


def test_every_combination_of_sizes_is_looked_at_once() -> None:
    _, x, _ = counter()
    backend = Careless(lambda found: found)
    call = gc.compile(gc.sum(x) * 2.0, [x], backend=backend)
    call([1.0])
    backend.change = lambda found: found * 2  # of a call that is proven nothing is asked any more
    call([1.0])
    with pytest.raises(BackendError, match="failed in a call"):
        call([1.0, 2.0])
    assert backend.runs == 3


def test_the_guard_has_every_method_of_the_protocol() -> None:
    from graphc.lowering.backend import Backend

    asked = {name for name, value in vars(Backend).items() if callable(value) and not name.startswith("_")}
    assert asked == set(guard.METHODS) == {name for name in vars(guard.GuardedBackend) if not name.startswith("_")}
