"""A training step of a recommender: rows of two tables of 100,000 users and items, a product, plain gradient descent.

Only the rows of the batch change. Libraries in which that is not automatic are given the rows to differentiate, as one
writes it by hand; in torch the gradients are sparse. tinygrad is missing: it compares every row's number with every
index, and does not come through the twenty steps that are checked in a minute and a half.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.workload import Problem

NAME, TITLE, GROUP = "two_tower", "training step, 2 tables of 100,000×32, batch 1024, SGD", "memory"
SUITES = {"cpu", "gpu"}
STEP = True
RATE = 50.0  # of a mean over the batch: a row that is met once moves by 5 % of its gradient


def make(rng: np.random.Generator, size: str) -> Problem:
    batch, rows, width = (64, 500, 8) if size == "smoke" else (1024, 100_000, 32)
    batches = [
        (rng.integers(0, rows, batch), rng.integers(0, rows, batch), rng.integers(0, 2, batch).astype(np.float32))
        for _ in range(8)
    ]
    state = {name: rng.standard_normal((rows, width), np.float32) / np.float32(2) for name in ("users", "items")}
    touched = 2 * batch * width
    return Problem(batches, state, flops=4 * touched, nbytes=8 * touched + 20 * batch)


def reference(state: Any, batches: Any) -> list[float]:
    users, items = (state[name].copy() for name in ("users", "items"))
    losses = []
    for user, item, bought in batches:
        u, v = users[user], items[item]
        score = (u * v).sum(1)
        losses.append(float((np.logaddexp(0, score) - score * bought).mean()))
        slope = (RATE / len(score) * (1 / (1 + np.exp(-score)) - bought))[:, None]
        np.subtract.at(users, user, slope * v)
        np.subtract.at(items, item, slope * u)
    return losses


def numpy(np: Any, state: Any) -> Callable[..., Any]:
    users, items = state["users"], state["items"]
    made: list[Any] = []

    def step(user: Any, item: Any, bought: Any) -> Any:
        if not made:
            made.extend(np.empty((len(user), users.shape[1]), np.float32) for _ in range(2))
        u, v = made
        np.take(users, user, 0, u, "clip")
        np.take(items, item, 0, v, "clip")
        score = np.einsum("ij,ij->i", u, v)
        loss = (np.logaddexp(0, score) - score * bought).mean()
        slope = ((bought - 1 / (1 + np.exp(-score))) * np.float32(RATE / len(score)))[:, None]
        np.multiply(slope, u, u)
        np.multiply(slope, v, v)
        np.add.at(users, user, v)
        np.add.at(items, item, u)
        return loss

    return step


def graphc(gc: Any, state: Any, user: Any, item: Any, bought: Any) -> Any:
    u, v = gc.take(state["users"], user, axis=0), gc.take(state["items"], item, axis=0)
    score = gc.sum(u * v, axis=-1)
    loss = gc.mean(gc.nn.softplus(score) - score * bought)
    return loss, gc.optim.SGD(RATE).minimize(loss)


def torch(torch: Any, state: Any) -> Callable[..., Any]:
    sgd = torch.optim.SGD(state.values(), RATE)
    rows = torch.nn.functional.embedding

    def step(user: Any, item: Any, bought: Any) -> Any:
        u, v = rows(user, state["users"], sparse=True), rows(item, state["items"], sparse=True)
        score = (u * v).sum(-1)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(score, bought)
        sgd.zero_grad()
        loss.backward()
        sgd.step()
        return loss.detach()

    return step


def jax(jax: Any, state: Any) -> Any:
    def loss_of(u: Any, v: Any, bought: Any) -> Any:
        score = (u * v).sum(-1)
        return (jax.nn.softplus(score) - score * bought).mean()

    def step(carried: Any, user: Any, item: Any, bought: Any) -> Any:
        users, items = carried
        loss, (du, dv) = jax.value_and_grad(loss_of, (0, 1))(users[user], items[item], bought)
        return (users.at[user].add(-RATE * du), items.at[item].add(-RATE * dv)), loss

    return (state["users"], state["items"]), step


def pytensor(pytensor: Any, state: Any, user: Any, item: Any, bought: Any) -> Any:
    pt = pytensor.tensor
    rows = state["users"][user], state["items"][item]
    score = (rows[0] * rows[1]).sum(-1)
    loss = (pt.softplus(score) - score * bought).mean(dtype="float32")
    slopes = pytensor.grad(loss, list(rows))
    new = [pt.inc_subtensor(row, -RATE * slope) for row, slope in zip(rows, slopes, strict=True)]
    return loss, dict(zip(state.values(), new, strict=True))
