"""Mistakes that newcomers make, as programs: each fails because of the line that is marked."""

from . import gradients, indexing, matrices, names, order, randomness, running, shapes, standard, state, values
from .model import MARK, MISTAKES, Mistake, Model, X, Y

__all__ = [
    "MARK", "MISTAKES", "Mistake", "Model", "X", "Y", "gradients", "indexing", "matrices", "names", "order",
    "randomness", "running", "shapes", "standard", "state", "values",
]  # fmt: skip
