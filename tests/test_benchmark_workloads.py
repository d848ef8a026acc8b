"""The workloads of the benchmarks at their smallest size: libraries compute what NumPy in float64 does."""

import itertools
import math

import numpy as np
import pytest

from benchmarks import runner as runners
from benchmarks import workload as workloads
from benchmarks.answers import WrongAnswer, right_answers
from benchmarks.runner import Runner
from benchmarks.workload import GROUPS, Workload

SIZE, THREADS = "smoke", 1
WORKLOADS = {name: workload for name, workload in workloads.discover().items() if workload.measure == "call"}
RUNNERS = runners.discover()
# Others are held to the right answer by every run of the benchmarks, before their clock starts.
OURS = ["NumPy by hand", "graphc numpy"]


def answers(runner: Runner, workload: Workload, count: int):
    """What the first calls answer."""
    runner.load()
    prepared = runner.prepare(workload, workload.problem(SIZE), THREADS)
    results = []
    for inputs in itertools.islice(itertools.cycle(prepared.inputs), count):
        result = prepared.call(*inputs)
        results.append(tuple(np.array(array) for array in prepared.answer(result)))
    return results


def require_right(runner: Runner, workload: Workload):
    right = right_answers(workload, workload.problem(SIZE))
    found = answers(runner, workload, len(right.answers))
    assert len(found) == len(right.answers) > 0
    right.require(found)
    for arrays, expected in zip(found, right.answers, strict=True):
        assert [array.shape for array in arrays] == [array.shape for array in expected]


@pytest.mark.parametrize("name", WORKLOADS)
@pytest.mark.parametrize("runner", OURS)
def test_a_runner_gives_the_answer_of_the_reference(runner, name):
    require_right(RUNNERS[runner], WORKLOADS[name])


@pytest.mark.requires("jax")
@pytest.mark.parametrize("name", WORKLOADS)
def test_so_does_jax(name):
    require_right(RUNNERS["jax.jit"], WORKLOADS[name])


@pytest.mark.requires("jax")
@pytest.mark.parametrize("name", ["softmax_gradient", "two_tower"])
def test_so_does_our_own_backend_of_jax(name):
    require_right(RUNNERS["graphc jax"], WORKLOADS[name])


@pytest.mark.parametrize("runner", ["torch eager", "ONNX Runtime"])
def test_so_do_other_libraries_where_they_are_installed(runner):
    if reason := RUNNERS[runner].available():
        pytest.skip(reason)
    for workload in WORKLOADS.values():
        if RUNNERS[runner].function(workload) is not None:
            require_right(RUNNERS[runner], workload)


@pytest.mark.parametrize("name", WORKLOADS)
def test_the_least_work_is_stated_at_every_size(name):
    workload = WORKLOADS[name]
    small = workload.problem(SIZE)
    arrays = [*itertools.chain(*small.inputs), *small.state.values()]
    assert small.flops > 0
    assert small.nbytes > 0
    assert all(array.dtype.name in ("float32", "int64") for array in arrays)
    assert workload.group in GROUPS
    # Nobody can read less than one set of inputs.
    assert small.nbytes >= sum(array.nbytes for array in small.inputs[0])


@pytest.mark.parametrize("name", WORKLOADS)
def test_the_data_are_the_same_in_every_process(name):
    first, second = (WORKLOADS[name].problem(SIZE) for _ in range(2))
    for one, other in zip(itertools.chain(*first.inputs), itertools.chain(*second.inputs), strict=True):
        assert np.array_equal(one, other)
    assert all(np.array_equal(first.state[key], second.state[key]) for key in first.state)


def test_a_state_is_not_changed_by_training():
    workload = WORKLOADS["mlp_training"]
    problem = workload.problem(SIZE)
    before = {name: array.copy() for name, array in problem.state.items()}
    for name in OURS:
        prepared = RUNNERS[name].prepare(workload, problem, THREADS)
        for inputs in problem.inputs:
            prepared.call(*inputs)
    assert all(np.array_equal(before[name], array) for name, array in problem.state.items())


@pytest.mark.parametrize("name", [n for n, w in WORKLOADS.items() if not w.step])
def test_results_by_hand_are_fresh(name):
    workload = WORKLOADS[name]
    problem = workload.problem(SIZE)
    prepared = RUNNERS["NumPy by hand"].prepare(workload, problem, THREADS)
    first = prepared.answer(prepared.call(*problem.inputs[0]))
    kept = [array.copy() for array in first]
    prepared.call(*problem.inputs[-1])
    assert all(np.array_equal(array, copy) for array, copy in zip(first, kept, strict=True))


def test_names_are_unique_and_every_group_is_there():
    names = [workload.name for workload in workloads.discover().values()]
    assert len(names) == len(set(names))
    assert {workload.group for workload in workloads.discover().values()} == set(GROUPS)


def test_training_goes_on_with_what_the_step_before_has_left():
    """A step that forgot its update would show the losses of its batches again, and be found out."""
    for workload in (w for w in WORKLOADS.values() if w.step):
        problem = workload.problem(SIZE)
        losses = [float(answer[0]) for answer in right_answers(workload, problem).answers]
        turn = len(problem.inputs)
        assert not math.isclose(losses[0], losses[turn], rel_tol=3 * problem.rtol), workload.name


def test_a_wrong_answer_is_found():
    workload = WORKLOADS["softmax"]
    right = right_answers(workload, workload.problem(SIZE))
    wrong = [tuple(array * 1.001 for array in arrays) for arrays in right.answers]
    with pytest.raises(WrongAnswer, match="differ"):
        right.require(wrong)
