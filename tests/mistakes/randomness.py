"""Keys that are none, and parameters that no distribution has."""

import numpy as np

import graphc as gc
from graphc.errors import ArgumentError, DTypeError, ShapeError

from .model import Model, mistake


@mistake(ArgumentError, ValueError)
def seed_for_a_key(m: Model) -> object:
    return gc.random.normal((3,), key=42)  # <- here


@mistake(DTypeError, TypeError)
def key_of_another_dtype(m: Model) -> object:
    key = np.array([1, 2])
    return gc.random.uniform((3,), key=key)  # <- here


@mistake(ShapeError, ValueError)
def several_keys_for_one(m: Model) -> object:
    keys = gc.random.split(gc.random.key(0), 3)
    return gc.random.uniform((3,), key=keys)  # <- here


@mistake(ArgumentError, ValueError)
def seed_that_is_negative(m: Model) -> object:
    return gc.random.key(-1)  # <- here


@mistake(ArgumentError, ValueError)
def float_folded_into_a_key(m: Model) -> object:
    return gc.random.fold_in(gc.random.key(0), 0.5)  # <- here


@mistake(ArgumentError, ValueError)
def computed_number_of_keys(m: Model) -> object:
    return gc.random.split(gc.random.key(0), m.x.shape[0])  # <- here


@mistake(ArgumentError, ValueError)
def random_without_key_or_session(m: Model) -> object:
    with gc.Graph("other"):
        noise = gc.random.normal((3,))  # <- here
    return gc.compile(noise)


@mistake(ArgumentError, ValueError)
def probability_in_percent(m: Model) -> object:
    return gc.random.bernoulli(30, (3,))  # <- here


@mistake(ArgumentError, ValueError)
def dropout_of_everything(m: Model) -> object:
    return gc.nn.dropout(m.x, 1.0)  # <- here


@mistake(ArgumentError, ValueError)
def limits_in_the_wrong_order(m: Model) -> object:
    return gc.random.uniform((3,), low=1.0, high=-1.0)  # <- here


@mistake(ArgumentError, ValueError)
def integers_from_nothing(m: Model) -> object:
    return gc.random.randint(5, 5, (3,))  # <- here


@mistake(DTypeError, TypeError)
def integers_as_floats(m: Model) -> object:
    return gc.random.randint(0, 1.0, (3,))  # <- here


@mistake(DTypeError, TypeError)
def normal_integers(m: Model) -> object:
    return gc.random.normal((3,), dtype=gc.int32)  # <- here


@mistake(ArgumentError, ValueError)
def negative_deviation(m: Model) -> object:
    return gc.random.normal((3,), stddev=-1.0)  # <- here


@mistake(ShapeError, ValueError)
def mean_of_another_shape(m: Model) -> object:
    return gc.random.normal((3,), mean=gc.ones((2,)))  # <- here


@mistake(ShapeError, ValueError)
def more_than_there_are(m: Model) -> object:
    return gc.random.choice(3, (5,), replace=False, key=gc.random.key(0))  # <- here


@mistake(ShapeError, ValueError)
def probabilities_of_other_length(m: Model) -> object:
    return gc.random.choice(3, (5,), p=[0.5, 0.5])  # <- here


@mistake(ArgumentError, ValueError)
def limits_of_values_for_those_of_deviations(m: Model) -> object:
    return gc.random.truncated_normal((3,), mean=100.0, low=50.0, high=150.0)  # <- here
