"""What the array API lets one ask of arrays, and a graph cannot do; shapes that would depend on values."""

import numpy as np

import graphc as gc
from graphc.errors import ArgumentError, DTypeError, ShapeError, StaticGraphError, UnknownNameError

from .model import Model, mistake


@mistake(ArgumentError, ValueError)
def device_of_an_array(m: Model) -> object:
    return gc.zeros((2, 3), device="cuda:0")  # <- here


@mistake(ArgumentError, ValueError)
def moving_to_a_device(m: Model) -> object:
    return m.x.to_device("cpu")  # <- here


@mistake(ArgumentError, ValueError)
def array_without_a_copy(m: Model) -> object:
    v = np.ones(3)
    return gc.asarray(v, copy=False)  # <- here


@mistake(StaticGraphError, TypeError)
def tensor_for_another_library(m: Model) -> object:
    return np.from_dlpack(m.logits)  # <- here


@mistake(ArgumentError, ValueError)
def list_through_dlpack(m: Model) -> object:
    return gc.from_dlpack([1.0, 2.0])  # <- here


@mistake(ArgumentError, ValueError)
def version_of_the_standard(m: Model) -> object:
    return m.x.__array_namespace__(api_version="2019.12")  # <- here


@mistake(UnknownNameError, LookupError)
def kind_of_dtypes(m: Model) -> object:
    return gc.isdtype(m.x.dtype, "floating")  # <- here


@mistake(DTypeError, TypeError)
def limits_of_integers_as_of_floats(m: Model) -> object:
    return gc.finfo(m.y)  # <- here


@mistake(ArgumentError, ValueError)
def repetitions_that_are_computed(m: Model) -> object:
    return gc.repeat(m.x, m.y, axis=0)  # <- here


@mistake(ShapeError, ValueError)
def repetitions_of_another_number(m: Model) -> object:
    return gc.repeat(m.x, [1, 2], axis=1)  # <- here


@mistake(ShapeError, ValueError)
def border_of_nothing(m: Model) -> object:
    return gc.pad(m.x[:0], ((1, 1), (0, 0)), "edge")  # <- here


@mistake(ShapeError, ValueError)
def shapes_that_do_not_broadcast(m: Model) -> object:
    return gc.broadcast_arrays(m.x, m.logits)  # <- here


@mistake(ArgumentError, ValueError)
def shift_that_is_computed(m: Model) -> object:
    return gc.roll(m.x, gc.argmax(m.loss), axis=0)  # <- here


@mistake(ShapeError, ValueError)
def unstack_of_the_batch(m: Model) -> object:
    return gc.unstack(m.logits)  # <- here


@mistake(ArgumentError, ValueError)
def axes_without_places(m: Model) -> object:
    return gc.moveaxis(m.x, (0, 1), 0)  # <- here


@mistake(UnknownNameError, LookupError)
def border_of_another_kind(m: Model) -> object:
    return gc.pad(m.x, 1, "reflected")  # <- here


@mistake(ShapeError, ValueError)
def triangle_of_a_vector(m: Model) -> object:
    return gc.tril(m.b)  # <- here


@mistake(ArgumentError, ValueError)
def number_of_points_as_a_float(m: Model) -> object:
    return gc.linspace(0.0, 1.0, 1e3)  # <- here


@mistake(ArgumentError, ValueError)
def points_between_tensors(m: Model) -> object:
    return gc.linspace(gc.min(m.x), gc.max(m.x), 10)  # <- here


@mistake(DTypeError, TypeError)
def numbers_in_a_row_that_do_not_fit(m: Model) -> object:
    return gc.arange(300, dtype=gc.uint8)  # <- here


@mistake(ArgumentError, ValueError)
def indexing_of_a_grid(m: Model) -> object:
    return gc.meshgrid(m.b, m.b, indexing="rows")  # <- here
