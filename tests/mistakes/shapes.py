"""Shapes, ranks, axes, indices and dtypes that do not fit, found while the graph is written."""

import numpy as np

import graphc as gc
from graphc.errors import ArgumentError, DTypeError, OutOfRangeError, ShapeError

from .model import Model, mistake


@mistake(ShapeError, ValueError)
def matmul_inner_sizes(m: Model) -> object:
    v = gc.ones((5, 2))
    return m.x @ v  # <- here


@mistake(ShapeError, ValueError)
def matmul_of_a_scalar(m: Model) -> object:
    rate = gc.asarray(0.5)
    return m.x @ rate  # <- here


@mistake(ShapeError, ValueError)
def matmul_vector_of_another_length(m: Model) -> object:
    v = gc.ones((5,))
    return m.x @ v  # <- here


@mistake(ShapeError, ValueError)
def not_broadcastable(m: Model) -> object:
    return m.logits + gc.ones((3,))  # <- here


@mistake(ShapeError, ValueError)
def where_of_other_shapes(m: Model) -> object:
    return gc.where(m.x > 0, m.x, gc.ones((2,)))  # <- here


@mistake(ShapeError, ValueError)
def loss_of_other_rank(m: Model) -> object:
    targets = gc.ones((2, 1))
    return gc.losses.mse(gc.ones((2,)), targets)  # <- here


@mistake(ShapeError, ValueError)
def labels_like_logits(m: Model) -> object:
    labels = gc.zeros((2, 4), dtype=gc.int64)
    return gc.losses.softmax_cross_entropy(m.logits, labels)  # <- here


@mistake(ShapeError, ValueError)
def axis_out_of_range(m: Model) -> object:
    return gc.sum(m.x, axis=2)  # <- here


@mistake(ArgumentError, ValueError)
def axis_no_int(m: Model) -> object:
    return gc.sum(m.x, axis=0.5)  # <- here


@mistake(ShapeError, ValueError)
def axis_twice(m: Model) -> object:
    return gc.mean(m.x, axis=(0, -2))  # <- here


@mistake(ShapeError, ValueError)
def reshape_to_other_size(m: Model) -> object:
    return gc.reshape(m.w, (5, 2))  # <- here


@mistake(ShapeError, ValueError)
def reshape_with_two_unknowns(m: Model) -> object:
    return gc.reshape(m.w, (-1, -1))  # <- here


@mistake(ShapeError, ValueError)
def reshape_does_not_divide(m: Model) -> object:
    return gc.reshape(m.w, (-1, 5))  # <- here


@mistake(ShapeError, ValueError)
def squeeze_of_a_real_axis(m: Model) -> object:
    return gc.squeeze(m.w, axis=0)  # <- here


@mistake(ShapeError, ValueError)
def concat_of_other_ranks(m: Model) -> object:
    return gc.concat([m.w, m.b])  # <- here


@mistake(ShapeError, ValueError)
def concat_of_other_widths(m: Model) -> object:
    return gc.concat([m.w, gc.ones((3, 5))])  # <- here


@mistake(ShapeError, ValueError)
def permute_axis_twice(m: Model) -> object:
    return gc.permute_dims(m.w, (0, 0))  # <- here


@mistake(ShapeError, ValueError)
def transpose_of_a_vector(m: Model) -> object:
    return m.b.T  # <- here


@mistake(ShapeError, ValueError)
def max_over_nothing(m: Model) -> object:
    nothing = gc.zeros((0, 3))
    return gc.max(nothing, axis=0)  # <- here


@mistake(OutOfRangeError, IndexError)
def index_out_of_range(m: Model) -> object:
    return m.w[3]  # <- here


@mistake(OutOfRangeError, IndexError)
def index_too_many(m: Model) -> object:
    return m.w[0, 0, 0]  # <- here


@mistake(DTypeError, TypeError)
def take_with_floats(m: Model) -> object:
    return gc.take(m.b, m.x)  # <- here


@mistake(DTypeError, TypeError)
def add_of_bools(m: Model) -> object:
    return (m.x > 0) + (m.x < 1)  # <- here


@mistake(DTypeError, TypeError)
def bitwise_of_floats(m: Model) -> object:
    return m.x & 1  # <- here


@mistake(DTypeError, TypeError)
def uint64_with_int64(m: Model) -> object:
    return m.y + gc.zeros((2,), dtype=gc.uint64)  # <- here


@mistake(DTypeError, TypeError)
def number_too_large(m: Model) -> object:
    return gc.zeros((2,), dtype=gc.int8) + 300  # <- here


@mistake(DTypeError, TypeError)
def order_of_complex_numbers(m: Model) -> object:
    return m.x * 1j < 0.5  # <- here


@mistake(DTypeError, TypeError)
def float_of_a_complex_number(m: Model) -> object:
    return (m.x + 1j).astype(gc.float32)  # <- here


@mistake(DTypeError, TypeError)
def arithmetic_on_float8(m: Model) -> object:
    return m.x.astype(gc.float8_e4m3fn) * 2.0  # <- here


@mistake(DTypeError, TypeError)
def complex_loss(m: Model) -> object:
    return gc.gradients(gc.sum(m.x * (m.w[0, 0] + 1j)), m.w)  # <- here


@mistake(DTypeError, TypeError)
def text_as_tensor(m: Model) -> object:
    return m.x + "1"  # <- here


@mistake(DTypeError, TypeError)
def none_as_tensor(m: Model) -> object:
    return m.x + None  # <- here


@mistake(DTypeError, TypeError)
def list_of_tensors(m: Model) -> object:
    return gc.sum([m.x, m.x])  # <- here


@mistake(ShapeError, ValueError)
def ragged_list(m: Model) -> object:
    return gc.asarray([[1.0, 2.0], [3.0]])  # <- here


@mistake(ShapeError, ValueError)
def float_labels(m: Model) -> object:
    labels = gc.zeros((2,), dtype=gc.float32)
    return gc.losses.softmax_cross_entropy(m.logits, labels)  # <- here


@mistake(ShapeError, ValueError)
def accuracy_of_one_hot_labels(m: Model) -> object:
    labels = gc.one_hot(m.y, 4)
    return gc.metrics.accuracy(m.logits, labels)  # <- here


@mistake(ShapeError, ValueError)
def stack_of_other_shapes(m: Model) -> object:
    return gc.stack([m.w, m.b])  # <- here


@mistake(ArgumentError, ValueError)
def concat_of_one_tensor(m: Model) -> object:
    return gc.concat(m.w)  # <- here


@mistake(ArgumentError, ValueError)
def classes_of_symbolic_number(m: Model) -> object:
    return gc.one_hot(m.y, m.x.shape[0])  # <- here


@mistake(ArgumentError, ValueError)
def zeros_of_negative_size(m: Model) -> object:
    return gc.zeros((-1, 3))  # <- here


@mistake(DTypeError, TypeError)
def size_as_a_number(m: Model) -> object:
    return m.loss / m.x.shape[0]  # <- here


@mistake(DTypeError, TypeError)
def constant_that_loses_digits(m: Model) -> object:
    return gc.constant([0.5, 1.5], dtype=gc.int32)  # <- here


@mistake(DTypeError, TypeError)
def array_that_loses_digits(m: Model) -> object:
    return gc.constant(np.array([100, 300]), dtype=gc.int8)  # <- here


@mistake(DTypeError, TypeError)
def dtype_that_is_none(m: Model) -> object:
    return m.x.astype(None)  # <- here


@mistake(ShapeError, ValueError)
def loss_with_a_symbolic_number_of_classes(m: Model) -> object:
    with m.graph:
        z = gc.placeholder("z", shape=("batch", "classes"))
    return gc.losses.softmax_cross_entropy(z, m.y)  # <- here


@mistake(DTypeError, TypeError)
def max_of_bools(m: Model) -> object:
    return gc.max(m.x > 0, axis=0)  # <- here


@mistake(DTypeError, TypeError)
def min_of_bools(m: Model) -> object:
    return gc.min(m.x > 0)  # <- here


@mistake(ArgumentError, ValueError)
def argmax_over_two_axes(m: Model) -> object:
    return gc.argmax(m.x, axis=(0, 1))  # <- here


@mistake(DTypeError, TypeError)
def float_too_large(m: Model) -> object:
    return m.x * 1e39  # <- here


@mistake(DTypeError, TypeError)
def integer_beyond_64_bits(m: Model) -> object:
    return gc.constant(2**70)  # <- here


@mistake(DTypeError, TypeError)
def integer_beyond_float64(m: Model) -> object:
    return gc.constant(10**400)  # <- here
