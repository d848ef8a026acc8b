"""Variables: their initial values, updates, and what a session is told about them."""

import numpy as np

import graphc as gc
from graphc.errors import (
    ArgumentError,
    DTypeError,
    FeedError,
    GraphMismatchError,
    ShapeError,
    StaticGraphError,
    UpdateError,
)

from .model import Model, mistake


@mistake(ShapeError, ValueError)
def initial_value_of_another_shape(m: Model) -> None:
    with m.graph:
        gc.Variable(np.zeros((3, 4)), shape=(4, 3), name="v")  # <- here


@mistake(ShapeError, ValueError)
def initialiser_without_a_shape(m: Model) -> None:
    with m.graph:
        gc.Variable(gc.init.glorot_uniform(), name="v")  # <- here


@mistake(ShapeError, ValueError)
def initialiser_needs_fans(m: Model) -> None:
    with m.graph:
        gc.Variable(gc.init.glorot_uniform(), shape=(4,), name="v")  # <- here


@mistake(DTypeError, TypeError)
def initialiser_of_integers(m: Model) -> None:
    with m.graph:
        gc.Variable(gc.init.normal(), shape=(4,), dtype=gc.int64, name="v")  # <- here


@mistake(ArgumentError, ValueError)
def initial_value_is_a_tensor(m: Model) -> None:
    with m.graph:
        gc.Variable(gc.zeros((3,)), name="v")  # <- here


@mistake(ShapeError, ValueError)
def variable_of_symbolic_shape(m: Model) -> None:
    with m.graph:
        gc.Variable(gc.init.zeros(), shape=("batch", 3), name="v")  # <- here


@mistake(ShapeError, ValueError)
def assign_another_shape(m: Model) -> object:
    return gc.assign(m.w, gc.zeros((4, 3)))  # <- here


@mistake(DTypeError, TypeError)
def assign_another_dtype(m: Model) -> object:
    return gc.assign(m.b, m.b.astype(gc.float64))  # <- here


@mistake(UpdateError, ValueError)
def assign_to_a_tensor(m: Model) -> object:
    return gc.assign(m.logits, 0.0)  # <- here


@mistake(UpdateError, ValueError)
def two_updates_of_one_variable(m: Model) -> None:
    decay = gc.assign(m.w, m.w * 0.9)
    m.session.compile([m.train, decay], feeds=[m.x, m.y])  # <- here


@mistake(UpdateError, ValueError)
def two_updates_in_a_group(m: Model) -> object:
    return gc.group(gc.assign(m.b, m.b * 2.0), gc.assign_add(m.b, 1.0))  # <- here


@mistake(FeedError, ValueError)
def session_assign_of_another_shape(m: Model) -> None:
    m.session.assign({"b": np.ones(4, np.float32), "w": np.ones((4, 3), np.float32)})  # <- here


@mistake(FeedError, TypeError)
def session_assign_of_another_dtype(m: Model) -> None:
    m.session.assign({"b": np.ones(4, np.float32), "w": np.ones((3, 4))})  # <- here


@mistake(FeedError, ValueError)
def session_assign_twice(m: Model) -> None:
    m.session.assign({"b": np.zeros(4, np.float32), m.b: np.ones(4, np.float32)})  # <- here


@mistake(GraphMismatchError, ValueError)
def session_assign_to_another_graph(m: Model) -> None:
    with gc.Graph("other"):
        b = gc.Variable(0.0, name="b")
    m.session.assign({b: 1.0})  # <- here


@mistake(FeedError, ValueError)
def restore_of_another_shape(m: Model) -> None:
    _, step = m.session.snapshot()
    m.session.restore(gc.Snapshot({"b": np.ones(4, np.float32), "w": np.ones((2, 2), np.float32)}, step))  # <- here


@mistake(ArgumentError, ValueError)
def compile_with_variables(m: Model) -> object:
    return gc.compile(m.loss, [m.x, m.y])  # <- here


@mistake(ArgumentError, ValueError)
def evaluate_with_variables(m: Model) -> object:
    return gc.evaluate(gc.sum(m.w))  # <- here


@mistake(FeedError, ValueError)
def evaluate_with_placeholders(m: Model) -> object:
    return gc.evaluate(gc.sum(m.x))  # <- here


@mistake(ArgumentError, ValueError)
def session_of_no_graph(m: Model) -> object:
    return gc.Session(m.loss)  # <- here


@mistake(ArgumentError, ValueError)
def seed_negative(m: Model) -> object:
    return gc.Session(m.graph, seed=-1)  # <- here


@mistake(ArgumentError, ValueError)
def seed_no_integer(m: Model) -> object:
    return gc.Session(m.graph, seed=0.5)  # <- here


@mistake(ArgumentError, ValueError)
def initialiser_that_is_not_called(m: Model) -> None:
    with m.graph:
        gc.Variable(gc.init.zeros, shape=(3,), name="v")  # <- here


@mistake(ShapeError, ValueError)
def initialiser_that_gives_another_shape(m: Model) -> object:
    with m.graph:
        v = gc.Variable(lambda key, shape, dtype: np.ones(4, dtype), shape=(3,), name="v")  # <- here
    return m.session.value(v)


@mistake(UpdateError, ValueError)
def group_of_a_tensor(m: Model) -> object:
    return gc.group(m.train, m.loss)  # <- here


@mistake(ArgumentError, ValueError)
def session_assign_of_a_list(m: Model) -> None:
    m.session.assign([(m.b, np.ones(4, np.float32))])  # <- here


@mistake(ArgumentError, ValueError)
def value_of_a_tensor(m: Model) -> object:
    return m.session.value(m.loss)  # <- here


@mistake(ArgumentError, ValueError)
def restore_of_another_model(m: Model) -> None:
    _, step = m.session.snapshot()
    m.session.restore(gc.Snapshot({"b": np.ones(4, np.float32), "kernel": np.ones(3)}, step))  # <- here


@mistake(ArgumentError, ValueError)
def restore_of_a_dict(m: Model) -> None:
    m.session.restore({"b": np.ones(4, np.float32)})  # <- here


@mistake(StaticGraphError, TypeError)
def add_in_place(m: Model) -> None:
    w = m.w
    w += 2.0  # <- here


@mistake(StaticGraphError, TypeError)
def subtract_in_place(m: Model) -> None:
    w = m.w
    w -= 2.0  # <- here


@mistake(StaticGraphError, TypeError)
def multiply_in_place(m: Model) -> None:
    w = m.w
    w *= 2.0  # <- here


@mistake(StaticGraphError, TypeError)
def divide_in_place(m: Model) -> None:
    w = m.w
    w /= 2.0  # <- here


@mistake(ArgumentError, ValueError)
def restore_of_a_part(m: Model) -> None:
    _, step = m.session.snapshot()
    m.session.restore(gc.Snapshot({"b": np.ones(4, np.float32)}, step))  # <- here
