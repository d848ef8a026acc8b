"""Interruptions of the cupy backend wherever CPython may handle a signal; the device itself cannot be interrupted."""

import numpy as np
import pytest
from cupy_devices import interpreted
from test_state import MANY, Interruptions, check_together, elsewhere, moving_together

import graphc as gc
from graphc_cupy import CupyBackend


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> CupyBackend:
    return CupyBackend(interpreted(monkeypatch, atomic=True))


def test_an_interrupted_run_commits_all_or_nothing(backend: CupyBackend) -> None:
    graph, x, update = moving_together()
    ones = np.ones(3, np.float32)
    with gc.Session(graph, backend=backend) as session:
        call = session.compile([update, gc.sum(x)], [x])
        call(ones)
        committed = []
        expected = session.step
        for _ in Interruptions(lambda: call(ones)):
            check_together(session.snapshot())
            committed.append(session.step - expected)
            elsewhere(lambda: call(ones))
            expected = session.step
    assert committed == sorted(committed)  # up to some point nothing, from there on everything
    assert {0, 1} == set(committed)


def test_an_interrupted_reader_leaves_the_session_usable(backend: CupyBackend) -> None:
    graph, x, update = moving_together()
    ones = np.ones(3, np.float32)
    with gc.Session(graph, backend=backend) as session:
        total = session.compile(gc.sum(x) + graph["v0"], [x])
        step = session.compile(update, [x])
        total(ones)
        for _ in Interruptions(lambda: total(ones)):
            elsewhere(lambda: step(ones))
        check_together(session.snapshot())


@pytest.mark.parametrize("way", ["assign", "restore"])
def test_interrupted_assign_and_restore_are_all_or_nothing(backend: CupyBackend, way: str) -> None:
    graph, x, update = moving_together()
    with gc.Session(graph, backend=backend) as session:
        low = session.snapshot()
        session.run(update, {x: [1.0]})
        turn = [low, session.snapshot()]

        def act() -> None:
            turn.reverse()
            if way == "restore":
                session.restore(turn[0])
            else:
                session.assign(turn[0].values)

        for _ in Interruptions(act):
            snapshot = session.snapshot()
            found = {float(number) for k in range(MANY) for number in snapshot.values[f"v{k}"]}
            assert len(found) == 1
            assert way == "assign" or found == {float(snapshot.step)}
            elsewhere(session.snapshot)
