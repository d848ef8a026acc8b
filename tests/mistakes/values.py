"""A tensor taken for a value, before anything has run."""

import math

import numpy as np

import graphc as gc
from graphc.errors import StaticGraphError

from .model import Model, mistake


@mistake(StaticGraphError, TypeError)
def truth_of_a_tensor(m: Model) -> None:
    if m.loss < 0.1:  # <- here
        print("good enough")  # noqa: T201


@mistake(StaticGraphError, TypeError)
def equality_of_tensors(m: Model) -> None:
    assert m.w in [m.b, m.w]  # <- here


@mistake(StaticGraphError, TypeError)
def float_of_a_tensor(m: Model) -> object:
    return float(m.loss)  # <- here


@mistake(StaticGraphError, TypeError)
def math_of_a_tensor(m: Model) -> object:
    return math.sqrt(m.loss)  # <- here


@mistake(StaticGraphError, TypeError)
def int_of_a_tensor(m: Model) -> object:
    return int(m.loss)  # <- here


@mistake(StaticGraphError, TypeError)
def range_over_a_tensor(m: Model) -> object:
    return range(m.y)  # <- here


@mistake(StaticGraphError, TypeError)
def array_of_a_tensor(m: Model) -> object:
    return np.asarray(m.logits)  # <- here


@mistake(StaticGraphError, TypeError)
def iterate_over_a_symbolic_axis(m: Model) -> None:
    for row in m.x:  # <- here
        gc.sum(row)


@mistake(StaticGraphError, TypeError)
def truth_of_a_size(m: Model) -> None:
    if m.x.shape[0]:  # <- here
        print("not empty")  # noqa: T201


@mistake(StaticGraphError, TypeError)
def numpy_function_without_a_twin(m: Model) -> object:
    return np.linalg.cond(m.w)  # <- here


@mistake(StaticGraphError, TypeError)
def numpy_with_out(m: Model) -> object:
    return np.exp(m.x, out=np.empty((2, 3)))  # <- here


@mistake(StaticGraphError, TypeError)
def assignment_to_an_element(m: Model) -> None:
    m.b[0] = 1.0  # <- here


@mistake(StaticGraphError, TypeError)
def assignment_to_an_attribute(m: Model) -> None:
    m.b.shape = (2, 2)  # <- here


@mistake(StaticGraphError, TypeError)
def format_of_a_tensor(m: Model) -> str:
    return f"loss {m.loss:.3f}"  # <- here


@mistake(StaticGraphError, TypeError)
def range_over_a_size(m: Model) -> object:
    return range(m.x.shape[0])  # <- here


@mistake(StaticGraphError, TypeError)
def array_of_a_size(m: Model) -> object:
    return np.zeros(m.x.shape)  # <- here


@mistake(StaticGraphError, TypeError)
def half_a_size(m: Model) -> object:
    return m.x[: m.x.shape[0] / 2]  # <- here


@mistake(StaticGraphError, TypeError)
def length_of_a_scalar(m: Model) -> object:
    return len(m.loss)  # <- here


@mistake(StaticGraphError, TypeError)
def sum_by_numpy(m: Model) -> object:
    return np.add.reduce(m.x)  # <- here
