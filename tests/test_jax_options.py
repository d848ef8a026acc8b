"""Options on the jax backend: what is refused and why, the strict law, precision, the cache; plan and source."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.errors import ArgumentError, BackendError, UnknownNameError, UnsupportedError
from graphc.lowering import registry
from graphc.lowering.backend import Availability

pytestmark = pytest.mark.requires("jax")


def doubled(options: gc.CompileOptions | None = None, size: Any = "n") -> gc.Executable:
    with gc.Graph():
        x = gc.placeholder("x", (size,))
        y = gc.tanh(x) * 2.0
    return gc.compile(y, [x], backend="jax", options=options)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (gc.CompileOptions(threads=2), "threads: XLA's pool is one for the whole process"),
        (gc.CompileOptions(strict=True), "strict: XLA allocates its memory at every run"),
        (gc.CompileOptions(memory_limit=10), "memory_limit: XLA plans the memory"),
    ],
)
def test_options_that_xla_does_not_offer_are_refused_with_the_reason(options: gc.CompileOptions, reason: str) -> None:
    with pytest.raises(UnsupportedError, match=reason):
        doubled(options)


def test_a_law_and_a_cache_are_what_they_can_be() -> None:
    with pytest.raises(UnknownNameError, match="there is no law named 'loose'"):
        gc.CompileOptions(law="loose")
    with pytest.raises(ArgumentError, match="no value for the option cache"):
        gc.CompileOptions(cache=3)  # type: ignore[arg-type]


def test_the_strict_law_gives_numpys_answer() -> None:
    with gc.Graph():
        x = gc.placeholder("x", (3,))
        y = (x + 1e8) - 1e8
    array = np.float32([1, 2, 3])
    strict = gc.compile(y, [x], backend="jax", options=gc.CompileOptions(law="strict"))(array)
    np.testing.assert_array_equal(strict, gc.compile(y, [x], backend="numpy")(array))
    np.testing.assert_array_equal(gc.compile(y, [x], backend="jax")(array), array)


@pytest.mark.parametrize("precision", ["highest", "high", "default"])
def test_precision_reaches_the_products(precision: str) -> None:
    with gc.Graph():
        x = gc.placeholder("x", (4, 5))
        y = gc.placeholder("y", (2, 5, 3))
        z = x @ y
    call = gc.compile(z, [x, y], backend="jax", options=gc.CompileOptions(precision=precision))
    rng = np.random.default_rng(0)
    a, b = rng.random((4, 5), np.float32), rng.random((2, 5, 3), np.float32)
    np.testing.assert_allclose(call(a, b), a @ b, rtol=1e-2 if precision == "default" else 1e-5)
    assert f"'{precision}'" in call.plan.source()


def test_compiled_programs_are_kept_in_a_folder_and_nobody_elses(tmp_path: Path) -> None:
    import jax

    options = gc.CompileOptions(cache=tmp_path)
    array = np.linspace(-1, 1, 11, dtype=np.float32)
    expected = doubled()(array)
    assert not list(tmp_path.iterdir())
    np.testing.assert_array_equal(doubled(options)(array), expected)
    kept = {path.name for path in tmp_path.iterdir() if path.name.endswith("-cache")}
    assert kept
    np.testing.assert_array_equal(doubled(options)(array), expected)
    assert {path.name for path in tmp_path.iterdir() if path.name.endswith("-cache")} == kept
    assert jax.config.jax_compilation_cache_dir is None
    doubled()(array[:7])
    jax.jit(lambda x: x * 3.0 - 1.0)(array)
    assert {path.name for path in tmp_path.iterdir() if path.name.endswith("-cache")} == kept


def test_the_cache_is_taken_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHC_CACHE", str(tmp_path))
    doubled(size=13)(np.zeros(13, np.float32))
    assert list(tmp_path.iterdir())


# --- plan, source, registry -----------------------------------------------------------------------------------


def test_the_plan_is_functional() -> None:
    with gc.Graph("model") as graph:
        x = gc.placeholder("x", ("n", 3))
        w = gc.Variable(np.ones((3, 2), np.float32), name="w")
        y = gc.reshape((x @ w).T, (-1,))
        update = gc.assign(w, w * gc.mean(y))
    with gc.Session(graph, backend="jax") as session:
        executable = session.compile([y, x, update], [x])
        plan = executable.plan.plan
        assert plan.functional
        assert plan.new_states is not None
        assert [step.op.name for step in plan.steps][:2] == ["matmul", "permute_dims"]
        assert len({index for step in plan.steps for index in step.outputs}) == len(plan.steps)
        assert not any(step.overwrites for step in plan.steps)
        assert (plan.intervals, plan.commit, plan.results[1]) == ([], len(plan.steps), plan.feeds[0])
        assert executable.plan.peak_bytes.evaluate(n=5) == 0
        assert executable.plan.flops.evaluate({"n": 5}) == 5 * 12 + 5 * 2 + 1 + 6
        shown = executable.plan.show()
        assert shown.startswith(f"plan 'model': {len(plan.steps)} steps, functional\n")
        assert "  new    w = t" in shown
        assert "memory is planned by the backend" in shown
        assert executable.plan.explain().count("memory: planned by the backend jax") == 1
        assert "memory: peak" not in executable.plan.explain()


def test_the_source_is_read_step_by_step() -> None:
    with gc.Graph("two words!") as graph:
        x = gc.placeholder("x", ("lax", "t1"))
        w = gc.Variable(np.float32([1, 2]), name="layer/w")
        y = gc.concat([x, x[:, ::2]], axis=1) + 0.1
        update = gc.assign(w, w + gc.dim_value(x.shape[0] * 2, "float32"))
    with gc.Session(graph, backend="jax") as session:
        step = session.compile([y, update], [x])
        text = step.plan.source()
        assert text.startswith("def graphc_two_words_(\n    state_layer_w,  # float32(2,), given up\n")
        assert "size_lax,  # an int" in text  # `lax` and `t1` are names of the program's own
        here = sys._getframe().f_code.co_firstlineno
        assert f"# concat: float32(lax, floordiv(t1 + 1, 2) + t1)  tests/test_jax_options.py:{here + 4}" in text
        assert "float32(2*size_lax)" in text
        array = np.arange(15, dtype=np.float32).reshape(3, 5)
        np.testing.assert_array_equal(step(array)[0], np.concatenate([array, array[:, ::2]], 1) + np.float32(0.1))
        np.testing.assert_array_equal(session.value(w), [7, 8])


def test_numbers_keep_their_bits_in_the_source() -> None:
    numbers = [0.1, 1.2e-38, 3.4028235e38, -0.0, float("inf"), float("-inf"), 16777216.0, 1 / 3]
    with gc.Graph():
        x = gc.placeholder("x", ())
        outputs = [
            gc.where(x > 0, np.asarray(number, dtype), 1) for number in numbers for dtype in ("float32", "float64")
        ]
        outputs += [gc.where(x > 0, np.asarray(n, "int64"), 0) for n in (2**63 - 1, -(2**63), 2**53 + 1)]
        outputs += [
            gc.where(x > 0, np.asarray(2**64 - 1, "uint64"), np.asarray(0, "uint64")),
            gc.where(x > 0, True, False),
        ]
    call = {name: gc.compile(outputs, [x], backend=name) for name in ("numpy", "jax")}
    for got, want in zip(call["jax"](1.0), call["numpy"](1.0), strict=True):
        assert got.dtype == want.dtype
        assert got.tobytes() == want.tobytes()


def test_every_op_without_a_call_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    emit = sys.modules[type(doubled().plan.program.program).__module__.replace("program", "emit")]
    monkeypatch.setattr(emit, "is_known", lambda op: op.name not in ("tanh", "multiply"))
    with pytest.raises(UnsupportedError, match=r"tanh: no row in the table of jax.lax calls\n *multiply: no row"):
        doubled()


def test_it_says_why_it_is_not_available(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "jaxlib" else find(name))
    backend = registry.load("jax")
    assert backend.availability() == Availability(False, "the package jaxlib is not installed")
    with pytest.raises(BackendError, match="the backend 'jax' is not available here"):
        doubled()


def test_a_version_that_lacks_what_it_needs_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import jax

    monkeypatch.delattr(jax, "enable_x64")
    with pytest.raises(BackendError, match="does not know this version of jax") as caught:
        doubled()
    assert jax.__version__ in str(caught.value)


def test_auto_stays_with_numpy_on_a_cpu() -> None:
    choice = registry.choose("auto")
    assert choice.name == "numpy"
    assert "jax: no accelerator" in choice.reason
