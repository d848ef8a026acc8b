"""Sorting, sets, running sums and segments that cannot be recorded, or that fail when they run."""

import numpy as np

import graphc as gc
from graphc.errors import ArgumentError, OutOfRangeError, ShapeError

from .model import Model, mistake


@mistake(ArgumentError, ValueError)
def distinct_labels_without_a_size(m: Model) -> object:
    return gc.unique_values(m.y)  # <- here


@mistake(ArgumentError, ValueError)
def counts_without_a_length(m: Model) -> object:
    return gc.bincount(m.y)  # <- here


@mistake(ShapeError, ValueError)
def more_of_the_largest_than_there_are(m: Model) -> object:
    return gc.top_k(m.logits, 10)  # <- here


@mistake(ShapeError, ValueError)
def running_sum_without_an_axis(m: Model) -> object:
    return gc.cumulative_sum(m.x)  # <- here


@mistake(ArgumentError, ValueError)
def quantile_in_percent(m: Model) -> object:
    return gc.quantile(m.x, 95)  # <- here


@mistake(ShapeError, ValueError)
def search_in_a_matrix(m: Model) -> object:
    return gc.searchsorted(m.x, 0.5)  # <- here


@mistake(ArgumentError, ValueError)
def number_of_bins(m: Model) -> object:
    return gc.histogram(m.x, 10)  # <- here


@mistake(ShapeError, ValueError)
def an_id_for_each_row_and_column(m: Model) -> object:
    ids = np.array([[0, 1], [1, 0]])
    return gc.segment_sum([1.0, 2.0], ids, 2)  # <- here


@mistake(OutOfRangeError, IndexError)
def more_segments_than_were_named(m: Model) -> object:
    sums = gc.segment_sum([1.0, 2.0], [0, 2], 2)  # <- here
    return m.session.run(sums)
