"""Matrices that are not square, systems that do not fit, and subscripts of einsum."""

import graphc as gc
from graphc.errors import ArgumentError, NotDifferentiableError, ShapeError

from .model import Model, mistake


@mistake(ShapeError, ValueError)
def inverse_of_a_rectangle(m: Model) -> object:
    features = gc.ones((4, 3))
    return gc.linalg.inv(features)  # <- here


@mistake(ShapeError, ValueError)
def system_of_other_rows(m: Model) -> object:
    right = gc.ones((2,))
    return gc.linalg.solve(gc.eye(3), right)  # <- here


@mistake(ArgumentError, ValueError)
def factors_in_no_mode(m: Model) -> object:
    return gc.linalg.qr(gc.ones((4, 3)), mode="full")  # <- here


@mistake(ArgumentError, ValueError)
def norm_of_no_order(m: Model) -> object:
    return gc.linalg.matrix_norm(gc.ones((4, 3)), ord=3)  # <- here


@mistake(ShapeError, ValueError)
def letter_of_two_sizes(m: Model) -> object:
    w = gc.ones((2, 5))
    return gc.einsum("ij,jk->ik", gc.ones((4, 3)), w)  # <- here


@mistake(ArgumentError, ValueError)
def letter_of_no_operand(m: Model) -> object:
    return gc.einsum("ij,jk->il", gc.ones((4, 3)), gc.ones((3, 5)))  # <- here


@mistake(NotDifferentiableError, ValueError)
def gradient_of_vectors_that_are_any(m: Model) -> object:
    v = gc.ones((4, 3)) * gc.sum(m.w)
    u = gc.linalg.svd(v).U  # <- here
    return gc.gradients(gc.sum(u), [m.w])
