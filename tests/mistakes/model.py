"""The small model that the mistakes are made on, and the table of mistakes."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

import graphc as gc
from graphc.errors import GraphcError

MARK = "# <- here"
X = np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3)
Y = np.array([0, 3])


class Model:
    """Three numbers in, four classes out; a session, and an executable that trains."""

    def __init__(self) -> None:
        with gc.Graph("model") as self.graph:
            self.x = gc.placeholder("x", shape=("batch", 3))
            self.y = gc.placeholder("y", shape=("batch",), dtype=gc.int64)
            self.w = gc.Variable(gc.init.glorot_uniform(), shape=(3, 4), name="w")
            self.b = gc.Variable(gc.init.zeros(), shape=(4,), name="b")
            self.logits = self.x @ self.w + self.b
            self.loss = gc.losses.softmax_cross_entropy(self.logits, self.y, reduction="mean")
            self.train = gc.optim.SGD(0.1, momentum=0.9).minimize(self.loss)
        self.session = gc.Session(self.graph, backend="numpy", seed=3)
        self.step = self.compile()

    def compile(self) -> gc.Executable:
        """The training step."""
        return self.session.compile([self.loss, self.train], feeds=[self.x, self.y])


class Mistake(NamedTuple):
    """A program that fails because of its marked line, and what it must fail with."""

    program: Callable[[Model], object]
    error: type[GraphcError]
    built_in: type[Exception]


MISTAKES: dict[str, Mistake] = {}


def mistake(error: type[GraphcError], built_in: type[Exception]) -> Callable[[Callable[[Model], object]], None]:
    """Decorator: enters a program into the table under its own name."""

    def enter(program: Callable[[Model], object]) -> None:
        assert program.__name__ not in MISTAKES, program.__name__
        MISTAKES[program.__name__] = Mistake(program, error, built_in)

    return enter
