"""Indices that cannot be, and updates that do not fit."""

import numpy as np

import graphc as gc
from graphc.errors import ArgumentError, DTypeError, OutOfRangeError, ShapeError

from .model import Model, X, mistake


@mistake(ArgumentError, ValueError)
def index_by_a_computed_mask(m: Model) -> object:
    return m.x[m.x > 0]  # <- here


@mistake(ArgumentError, ValueError)
def index_by_a_truth_value(m: Model) -> object:
    return m.w[True]  # <- here


@mistake(DTypeError, TypeError)
def index_by_floats(m: Model) -> object:
    return m.w[m.x]  # <- here


@mistake(DTypeError, TypeError)
def index_by_a_list_of_floats(m: Model) -> object:
    return m.w[[0.0, 1.0]]  # <- here


@mistake(DTypeError, TypeError)
def index_by_a_list_of_tensors(m: Model) -> object:
    return m.w[[m.y, m.y]]  # <- here


@mistake(OutOfRangeError, IndexError)
def index_by_a_list_out_of_range(m: Model) -> object:
    return m.w[[0, 3]]  # <- here


@mistake(OutOfRangeError, IndexError)
def index_by_too_many_tensors(m: Model) -> object:
    return m.w[m.y, m.y, m.y]  # <- here


@mistake(ShapeError, ValueError)
def indices_that_do_not_broadcast(m: Model) -> object:
    return m.w[[0, 1], [0, 1, 2]]  # <- here


@mistake(ShapeError, ValueError)
def mask_of_another_size(m: Model) -> object:
    return m.w[np.array([True, False])]  # <- here


@mistake(OutOfRangeError, IndexError)
def index_out_of_range_along_one_of_two_axes(m: Model) -> None:
    picked = m.w[m.y, [1, 2]]  # <- here
    m.session.run([picked, m.train], feeds={m.x: X, m.y: np.array([0, 3])})


@mistake(ShapeError, ValueError)
def update_by_a_value_of_another_shape(m: Model) -> object:
    return m.w.at[[0, 2]].set(np.ones(3, np.float32))  # <- here


@mistake(ShapeError, ValueError)
def update_by_a_value_of_more_axes(m: Model) -> object:
    return m.b.at[0].add(gc.ones((2,)))  # <- here


@mistake(DTypeError, TypeError)
def update_by_another_dtype(m: Model) -> object:
    return m.w.at[0].set(np.ones(4))  # <- here


@mistake(DTypeError, TypeError)
def update_that_adds_truth_values(m: Model) -> object:
    return (m.x > 0).at[0].add(True)  # <- here


@mistake(ShapeError, ValueError)
def take_along_axis_with_fewer_axes(m: Model) -> object:
    return gc.take_along_axis(m.logits, m.y)  # <- here


@mistake(ShapeError, ValueError)
def take_along_axis_of_other_sizes(m: Model) -> object:
    return gc.take_along_axis(m.w, np.array([[0], [1]]))  # <- here
