"""Gradients that cannot be had."""

import graphc as gc
from graphc.errors import (
    ArgumentError,
    DTypeError,
    GradientNotImplementedError,
    GraphMismatchError,
    NotConnectedError,
    NotDifferentiableError,
    ShapeError,
    StaticGraphError,
    UnknownNameError,
    UpdateError,
)

from .model import Model, mistake


@mistake(NotConnectedError, ValueError)
def gradient_without_a_path(m: Model) -> object:
    return gc.gradients(gc.sum(m.x @ m.w), m.b)  # <- here


@mistake(NotConnectedError, ValueError)
def gradient_through_integers(m: Model) -> object:
    guesses = gc.argmax(m.logits, axis=-1)
    return gc.gradients(gc.mean(guesses), m.w)  # <- here


@mistake(NotDifferentiableError, ValueError)
def gradient_through_round(m: Model) -> None:
    steps = gc.round(m.logits)  # <- here
    gc.gradients(gc.sum(steps), m.w)


@mistake(ShapeError, ValueError)
def gradient_of_a_matrix(m: Model) -> object:
    return gc.gradients(m.logits, m.w)  # <- here


@mistake(ShapeError, ValueError)
def cotangent_of_another_shape(m: Model) -> object:
    return gc.gradients(m.logits, m.w, grad_ys=gc.ones((4, 2)))  # <- here


@mistake(ArgumentError, ValueError)
def cotangents_too_many(m: Model) -> object:
    return gc.gradients([m.loss], m.w, grad_ys=[1.0, 2.0])  # <- here


@mistake(DTypeError, TypeError)
def gradient_in_integers(m: Model) -> object:
    return gc.gradients(m.loss, m.y)  # <- here


@mistake(StaticGraphError, TypeError)
def gradient_in_a_name(m: Model) -> object:
    return gc.gradients(m.loss, "w")  # <- here


@mistake(UnknownNameError, LookupError)
def gradient_unconnected_unknown(m: Model) -> object:
    return gc.gradients(m.loss, m.w, unconnected="zeros")  # <- here


@mistake(ShapeError, ValueError)
def minimize_losses_of_a_batch(m: Model) -> object:
    losses = gc.losses.softmax_cross_entropy(m.logits, m.y)
    return gc.optim.Adam().minimize(losses)  # <- here


@mistake(NotConnectedError, ValueError)
def minimize_without_variables(m: Model) -> object:
    return gc.optim.Adam().minimize(gc.sum(m.x))  # <- here


@mistake(UpdateError, ValueError)
def apply_without_a_gradient(m: Model) -> object:
    gradient = gc.gradients(gc.sum(m.w), m.b, unconnected="none")
    return gc.optim.Adam().apply([(gradient, m.b)])  # <- here


@mistake(ArgumentError, ValueError)
def learning_rate_negative(m: Model) -> object:
    return gc.optim.SGD(-0.1)  # <- here


@mistake(NotConnectedError, ValueError)
def minimize_an_unused_variable(m: Model) -> object:
    return gc.optim.Adam().minimize(gc.sum(m.w), variables=[m.w, m.b])  # <- here


@mistake(StaticGraphError, TypeError)
def minimize_a_function(m: Model) -> object:
    return gc.optim.Adam().minimize(lambda: m.loss)  # <- here


@mistake(ShapeError, ValueError)
def apply_a_gradient_of_another_shape(m: Model) -> object:
    gradient = gc.gradients(m.loss, m.w)
    return gc.optim.Adam().apply([(gradient, m.b)])  # <- here


@mistake(UpdateError, ValueError)
def apply_in_the_wrong_order(m: Model) -> object:
    gradient = gc.gradients(m.loss, m.w)
    return gc.optim.Adam().apply([(m.w, gradient)])  # <- here


@mistake(UpdateError, ValueError)
def apply_twice_to_one_variable(m: Model) -> object:
    gradient = gc.gradients(m.loss, m.w)
    return gc.optim.Adam().apply([(gradient, m.w), (gradient, m.w)])  # <- here


@mistake(UpdateError, ValueError)
def apply_nothing(m: Model) -> object:
    return gc.optim.Adam().apply([])  # <- here


@mistake(ArgumentError, ValueError)
def learning_rate_is_a_tensor(m: Model) -> object:
    return gc.optim.SGD(gc.asarray(0.1))  # <- here


@mistake(ArgumentError, ValueError)
def beta_beyond_1(m: Model) -> object:
    return gc.optim.Adam(1e-3, 1.0)  # <- here


@mistake(StaticGraphError, TypeError)
def learning_rate_set_by_an_attribute(m: Model) -> None:
    optimizer = gc.optim.SGD(0.5)
    with gc.Graph("other"):
        v = gc.Variable(1.0, name="v")
        optimizer.minimize(v * v)
    optimizer.learning_rate = 0.0  # <- here


@mistake(StaticGraphError, TypeError)
def momentum_set_after_minimize(m: Model) -> None:
    optimizer = gc.optim.SGD(0.5, momentum=0.9)
    with gc.Graph("other"):
        v = gc.Variable(1.0, name="v")
        optimizer.minimize(v * v)
    optimizer.momentum = 0.5  # <- here


@mistake(UpdateError, ValueError)
def learning_rate_before_use(m: Model) -> object:
    return gc.optim.SGD(0.5).learning_rate  # <- here


@mistake(GraphMismatchError, ValueError)
def one_optimizer_for_two_graphs(m: Model) -> None:
    optimizer = gc.optim.SGD(0.5)
    with gc.Graph("other"):
        v = gc.Variable(1.0, name="v")
        optimizer.minimize(v * v)
    optimizer.minimize(m.loss)  # <- here


@mistake(UpdateError, ValueError)
def minimize_a_variable_by_its_name(m: Model) -> object:
    return gc.optim.Adam().minimize(m.loss, variables=["w"])  # <- here


@mistake(UpdateError, ValueError)
def minimize_a_number_of_variables(m: Model) -> object:
    return gc.optim.Adam().minimize(m.loss, variables=2)  # <- here


@mistake(DTypeError, TypeError)
def minimize_a_loss_of_integers(m: Model) -> object:
    with gc.Graph("integers"):
        v = gc.Variable([1, 2], name="v")
    return gc.optim.SGD(0.5).minimize(gc.sum(v * v))  # <- here


@mistake(NotConnectedError, ValueError)
def minimize_by_variables_of_integers(m: Model) -> object:
    with gc.Graph("integers"):
        v = gc.Variable([1, 2], name="v")
    return gc.optim.SGD(0.5).minimize(gc.sum(v * 0.5))  # <- here


@mistake(DTypeError, TypeError)
def minimize_a_variable_of_integers(m: Model) -> object:
    with gc.Graph("integers"):
        v = gc.Variable([1, 2], name="v")
    return gc.optim.SGD(0.5).minimize(gc.sum(v * 0.5), v)  # <- here


@mistake(GradientNotImplementedError, NotImplementedError)
def gradient_of_prod_over_a_batch(m: Model) -> None:
    products = gc.prod(m.logits, axis=0)  # <- here
    gc.gradients(gc.sum(products), m.w)
