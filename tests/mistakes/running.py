"""Feeds, fetches and sizes at a call; values that a run trips over."""

import pickle

import numpy as np

import graphc as gc
from graphc.errors import (
    ArgumentError,
    FeedError,
    FeedTypeError,
    FetchError,
    MemoryLimitError,
    NumericsError,
    OutOfRangeError,
    SessionError,
    UnknownNameError,
    UnsupportedError,
)
from graphc.ir.dims import Poly

from .model import Model, X, Y, mistake


@mistake(FeedTypeError, TypeError)
def feed_float64_for_float32(m: Model) -> None:
    m.session.run(m.loss, feeds={m.x: X.astype(np.float64), m.y: Y})  # <- here


@mistake(FeedTypeError, TypeError)
def feed_floats_for_integers(m: Model) -> None:
    m.step(X, [0.5, 1.5])  # <- here


@mistake(FeedTypeError, TypeError)
def feed_text(m: Model) -> None:
    m.step("x.npy", Y)  # <- here


@mistake(FeedTypeError, TypeError)
def feed_a_tensor(m: Model) -> None:
    m.step(gc.ones((2, 3)), Y)  # <- here


@mistake(FeedTypeError, TypeError)
def feed_a_ragged_list(m: Model) -> None:
    m.step([[1.0, 2.0, 3.0], [4.0]], Y)  # <- here


@mistake(FeedError, ValueError)
def feed_of_another_rank(m: Model) -> None:
    m.step(X[0], Y)  # <- here


@mistake(FeedError, ValueError)
def feed_of_another_width(m: Model) -> None:
    m.step(X[:, :2], Y)  # <- here


@mistake(FeedError, ValueError)
def feeds_of_two_batch_sizes(m: Model) -> None:
    m.step(X, np.array([0, 1, 2]))  # <- here


@mistake(FeedError, ValueError)
def feed_missing(m: Model) -> None:
    m.session.run(m.loss, feeds={m.x: X})  # <- here


@mistake(FeedError, LookupError)
def feed_unknown(m: Model) -> None:
    m.session.run(m.loss, feeds={"x": X, "labels": Y})  # <- here


@mistake(FeedError, ValueError)
def feed_twice(m: Model) -> None:
    m.session.run(m.loss, feeds={m.x: X, "x": X, m.y: Y})  # <- here


@mistake(FeedError, ValueError)
def feed_of_a_variable(m: Model) -> None:
    m.session.run(m.loss, feeds={m.x: X, m.y: Y, m.b: np.zeros(4, np.float32)})  # <- here


@mistake(FeedError, ValueError)
def feed_from_another_graph(m: Model) -> None:
    with gc.Graph("other"):
        x = gc.placeholder("x", shape=("batch", 3))
    m.session.run(m.loss, feeds={x: X, m.y: Y})  # <- here


@mistake(FeedError, ValueError)
def feeds_in_a_list(m: Model) -> None:
    m.session.run(m.loss, feeds=[X, Y])  # <- here


@mistake(FeedError, ValueError)
def compile_without_a_feed(m: Model) -> None:
    m.session.compile(m.loss, feeds=[m.x])  # <- here


@mistake(FeedError, ValueError)
def compile_with_a_feed_twice(m: Model) -> None:
    m.session.compile(m.loss, feeds=[m.x, m.y, "x"])  # <- here


@mistake(FeedError, ValueError)
def executable_with_too_many_feeds(m: Model) -> None:
    m.step(X, Y, 0.1)  # <- here


@mistake(FeedError, ValueError)
def executable_with_too_few_feeds(m: Model) -> None:
    m.step(X)  # <- here


@mistake(FeedError, LookupError)
def executable_with_an_unknown_keyword(m: Model) -> None:
    m.step(X, labels=Y)  # <- here


@mistake(FeedError, ValueError)
def executable_with_a_feed_twice(m: Model) -> None:
    m.step(X, Y, x=X)  # <- here


@mistake(FeedError, ValueError)
def sizes_differ_at_binding(m: Model) -> None:
    with m.graph:
        z = gc.placeholder("z", shape=("rows", 3))
    total = m.x + z  # <- here
    m.session.run(total, feeds={m.x: X, z: np.ones((5, 3), np.float32)})


@mistake(FeedError, ValueError)
def symbol_never_broadcasts_as_1(m: Model) -> None:
    with m.graph:
        z = gc.placeholder("z", shape=("rows", 3))
    total = m.x + z  # <- here
    m.session.run(total, feeds={m.x: X, z: np.ones((1, 3), np.float32)})


@mistake(FeedError, ValueError)
def index_out_of_range_at_binding(m: Model) -> None:
    third = m.x[2]  # <- here
    m.session.run(third, feeds={m.x: X})


@mistake(OutOfRangeError, IndexError)
def take_out_of_range(m: Model) -> None:
    picked = gc.take(m.b, m.y)  # <- here
    m.session.run([picked, m.train], feeds={m.x: X, m.y: np.array([0, 4])})


@mistake(NumericsError, ArithmeticError)
def nan_is_fed(m: Model) -> None:
    with m.graph:
        z = gc.placeholder("z", shape=(2, 3))  # <- here
    checked = gc.check_numerics(2.0 * z, "inputs")
    m.session.run([gc.sum(checked), m.train], feeds={m.x: X, z: np.where(X > 0.5, np.nan, X), m.y: Y})


@mistake(NumericsError, ArithmeticError)
def nan_is_made(m: Model) -> None:
    logs = gc.log(m.x)  # <- here
    doubled = 2.0 * logs
    checked = gc.check_numerics(gc.mean(doubled), "entropy")
    m.session.run([checked, m.train], feeds={m.x: X, m.y: Y})


@mistake(NumericsError, ArithmeticError)
def infinity_is_made(m: Model) -> None:
    ratio = 1.0 / (m.x - m.x)  # <- here
    m.session.run([gc.check_numerics(ratio), m.train], feeds={m.x: X, m.y: Y})


@mistake(NumericsError, ArithmeticError)
def variable_holds_nan(m: Model) -> None:
    with m.graph:
        v = gc.Variable([1.0, float("nan")], name="v")  # <- here
    checked = gc.check_numerics(gc.sum(v * v))
    m.session.run([checked, m.train], feeds={m.x: X, m.y: Y})


@mistake(SessionError, RuntimeError)
def run_of_a_closed_session(m: Model) -> None:
    with gc.Session(m.graph) as session:
        pass
    session.run(m.loss, feeds={m.x: X, m.y: Y})  # <- here


@mistake(SessionError, RuntimeError)
def call_after_close(m: Model) -> None:
    with gc.Session(m.graph) as session:
        step = session.compile(m.loss, feeds=[m.x, m.y])
    step(X, Y)  # <- here


@mistake(SessionError, RuntimeError)
def value_after_close(m: Model) -> None:
    with gc.Session(m.graph) as session:
        pass
    session.value(m.w)  # <- here


@mistake(SessionError, RuntimeError)
def pickle_of_a_session(m: Model) -> None:
    pickle.dumps(m.session)  # <- here


@mistake(MemoryLimitError, MemoryError)
def memory_limit(m: Model) -> None:
    session = gc.Session(m.graph, options=gc.CompileOptions(memory_limit=100))
    session.run(m.loss, feeds={m.x: X, m.y: Y})  # <- here


@mistake(UnsupportedError, RuntimeError)
def option_that_numpy_lacks(m: Model) -> None:
    session = gc.Session(m.graph, backend="numpy", options=gc.CompileOptions(threads=4))
    session.run(m.loss, feeds={m.x: X, m.y: Y})  # <- here


@mistake(ArgumentError, ValueError)
def backend_that_is_none(m: Model) -> object:
    return gc.Session(m.graph, backend=3)  # <- here


@mistake(FeedError, ValueError)
def compile_with_one_feed_bare(m: Model) -> object:
    return m.session.compile(m.logits, feeds=m.x)  # <- here


@mistake(FetchError, ValueError)
def evaluate_a_number(m: Model) -> object:
    return gc.evaluate(3.0)  # <- here


@mistake(UnknownNameError, LookupError)
def peak_with_a_misspelt_size(m: Model) -> object:
    return m.step.plan.peak_bytes.evaluate(bach=3)  # <- here


@mistake(ArgumentError, ValueError)
def peak_without_a_size(m: Model) -> object:
    return m.step.plan.peak_bytes.evaluate()  # <- here


@mistake(ArgumentError, ValueError)
def peak_by_position(m: Model) -> object:
    return m.step.plan.peak_bytes.evaluate(4)  # type: ignore[arg-type]  # <- here


@mistake(ArgumentError, ValueError)
def peak_of_a_negative_size(m: Model) -> object:
    return m.step.plan.peak_bytes.evaluate(batch=-3)  # <- here


@mistake(ArgumentError, ValueError)
def flops_of_half_a_row(m: Model) -> object:
    flops = m.step.plan.flops
    assert isinstance(flops, Poly)
    return flops.evaluate(batch=2.5)  # type: ignore[arg-type]  # <- here


@mistake(ArgumentError, ValueError)
def bisect_of_a_tensor(m: Model) -> object:
    return gc.bisect(m.logits, X)  # type: ignore[arg-type]  # <- here


@mistake(ArgumentError, ValueError)
def dumps_into_no_folder(m: Model) -> object:
    return gc.compile(m.x + 1.0, [m.x], options=gc.CompileOptions(dump="/dev/null"))  # <- here


@mistake(FeedTypeError, TypeError)
def feed_a_masked_array(m: Model) -> object:
    x = np.ma.masked_greater(X, 0.5)
    return m.session.run(m.logits, feeds={m.x: x})  # <- here


@mistake(ArgumentError, ValueError)
def compiled_code_into_a_file(m: Model) -> object:
    return gc.compile(m.x + 1.0, [m.x], options=gc.CompileOptions(cache="/dev/null"))  # <- here


@mistake(FeedError, ValueError)
def axis_that_is_missing(m: Model) -> None:
    with m.graph:
        z = gc.placeholder("z", shape=("batch",))
    centred = m.x - z  # <- here
    m.session.run(centred, feeds={m.x: X, z: X[:, 0]})


@mistake(ArgumentError, ValueError)
def print_of_a_label_alone(m: Model) -> object:
    return gc.print(m.loss, 3)  # <- here


@mistake(ArgumentError, ValueError)
def check_with_a_tensor_for_a_message(m: Model) -> object:
    return gc.check_numerics(m.loss, m.x)  # <- here


@mistake(FetchError, ValueError)
def evaluate_a_name(m: Model) -> object:
    return gc.evaluate("w")  # <- here
