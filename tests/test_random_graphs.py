"""Random graphs through everything: reference, passes alone, twice and shuffled, plans in any order, poisoned memory,
threads. 300 graphs in every run; `make fuzz N=5000` runs more, with seeds of its own.
"""

import os
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from differential import (
    Run,
    optimise,
    positions,
    require_same_bits,
    require_same_values,
    require_slopes,
    require_within,
    runs,
)
from error_bound import Ambiguous
from random_graphs import OTHER_SIZES, SIZES, Case, make_case
from rule_examples import EXAMPLES

import graphc as gc
from graphc import reference
from graphc.errors import NumericsError
from graphc.ir.graph import Graph
from graphc.ir.opdef import OPS, Kind
from graphc.ir.tensor import Tensor
from graphc.passes.cse import CSE
from graphc.passes.dce import DCE
from graphc.passes.fold import FOLD
from graphc.passes.legalize import LEGALIZE
from graphc.passes.manager import Pass
from graphc.passes.pipelines import DEFAULT
from graphc.passes.rewriting import CANONICALISE, SIMPLIFY_PASS, STABILISE
from graphc.plan.liveness import plan_memory
from graphc.plan.schedule import make_plan
from graphc.rules.simplify import SIMPLIFY
from graphc_numpy import NumpyBackend
from graphc_numpy.program import NumpyProgram

COUNT, PART = 300, 30
PARTS = [range(start, start + PART) for start in range(0, COUNT, PART)]
PASSES: tuple[Pass, ...] = (CANONICALISE, STABILISE, FOLD, SIMPLIFY_PASS, CSE, DCE, LEGALIZE)
BACKEND = NumpyBackend(poison=True)
LEAST_HITS = 20

parts = pytest.mark.parametrize("seeds", PARTS, ids=lambda seeds: f"{seeds[0]}-{seeds[-1]}")


def cases(seeds: Sequence[int]) -> Iterator[tuple[Case, list[Run]]]:
    for seed in seeds:
        case = make_case(seed)
        found = runs(case, (SIZES, *OTHER_SIZES))
        assert found, f"seed {seed}: the case does not stand at its own sizes"
        yield case, found


# --- the checks, which the fuzzer shares --------------------------------------------------------------------


def check_reference(case: Case, run: Run) -> None:
    """The reference interpreter keeps to the bounds of the graph as recorded."""
    for node, expected, got in zip(case.graph.outputs, run.expected, run.computed(case.graph), strict=True):
        require_within(got, expected, node, f"seed {case.seed}, {run.sizes}")


def check_pipeline(case: Case, found: Sequence[Run], pipeline: Sequence[Pass], exactness: str = "default") -> Any:
    """Some passes keep the numbers; returns the ledger."""
    optimised, ledger = optimise(case.graph, pipeline, exactness)
    names = " ".join(step.name for step in pipeline)
    for run in found:
        require_same_values(run, optimised, ledger, f"seed {case.seed}, {run.sizes}, {exactness}: {names}")
    return ledger


FAST_RULES = [rule.name for rule in SIMPLIFY if rule.exactness == "fast"]


def fast_hits(case: Case, found: Sequence[Run]) -> Counter[str]:
    """Hits of the rules that must be asked for; they keep numbers, but not every NaN: where those are, none count."""
    if any(style == "special" for style in case.styles.values()):
        return Counter()
    try:
        ledger = check_pipeline(case, found[:1], DEFAULT, "fast")
    except Ambiguous:  # rounded otherwise, something is no longer decided
        return Counter()
    counts = ledger.counts()
    return Counter({name: counts[name] for name in FAST_RULES})


def check_exact(case: Case, run: Run) -> None:
    """What `exactness="exact"` allows keeps every bit."""
    optimised, _ = optimise(case.graph, DEFAULT, "exact")
    wanted = run.computed(case.graph)
    for at, got in zip(positions(case.graph, optimised), run.computed(optimised), strict=True):
        require_same_bits(got, wanted[at], f"seed {case.seed}, {run.sizes}, exact, output {at}")


def check_plan(run: Run, optimised: Graph, rank_seed: int | None = None) -> None:
    """A plan in some order, in memory that is poisoned where nothing lives, run twice: the bits of the reference."""
    case, capabilities = run.case, BACKEND.info()
    ranks = random.Random(rank_seed)
    kept: dict[int, int] = {}
    rank = (lambda at: at) if rank_seed is None else (lambda at: kept.setdefault(at, ranks.randrange(1 << 30)))
    plan = make_plan(optimised, capabilities, case.graph.guards, rank)
    plan_memory(plan, capabilities)
    program = NumpyProgram(plan, poison=True)
    variables = {variable.name: variable for variable in case.graph.variables}
    arrays = dict(run.arrays)
    state = [arrays[variables[plan.slots[index].name]].copy() for index in plan.state]
    call, _ = program.bind(run.sizes, state, list)
    for attempt in range(2):
        before = [array.copy() for array in state]
        try:
            expected = reference.evaluate(optimised.outputs, arrays, run.sizes)
        except NumericsError:  # the new state does not pass a check
            with pytest.raises(NumericsError):
                call(*run.feeds())
            for old, new in zip(before, state, strict=True):
                require_same_bits(new, old, f"seed {case.seed}: a failed run has committed something")
            return
        results = call(*run.feeds())
        what = f"seed {case.seed}, {run.sizes}, order {rank_seed}, run {attempt + 1}"
        for got, want in zip(results, expected, strict=False):
            require_same_bits(got, np.asarray(want), what)
        updated = zip(optimised.updates, expected[len(optimised.results) :], strict=True)
        arrays.update({variable: np.array(value, order="C") for (variable, _), value in updated})
        for index, array in zip(plan.state, state, strict=True):
            name = plan.slots[index].name
            require_same_bits(array, arrays[variables[name]], f"{what}, variable {name}")


def check_all(case: Case, found: Sequence[Run]) -> Any:
    """Everything at once, for the fuzzer; returns the ledger of the default pipeline."""
    for run in found:
        check_reference(case, run)
        require_slopes(run)
    check_exact(case, found[0])
    shuffled = list(PASSES) * 2
    random.Random(case.seed).shuffle(shuffled)
    check_pipeline(case, found, shuffled)
    optimised, _ = optimise(case.graph, DEFAULT, capabilities=BACKEND.info())
    for run in found:
        check_plan(run, optimised)
        check_plan(run, optimised, rank_seed=case.seed)
    return check_pipeline(case, found, DEFAULT)


# --- the tests ----------------------------------------------------------------------------------------------


@parts
def test_reference_keeps_to_the_bounds(seeds: Sequence[int]) -> None:
    for case, found in cases(seeds):
        for run in found:
            check_reference(case, run)


@parts
def test_gradients_are_slopes(seeds: Sequence[int]) -> None:
    assert sum(require_slopes(run) for _, found in cases(seeds) for run in found) > len(seeds)


@parts
def test_passes_alone_twice_and_shuffled(seeds: Sequence[int]) -> None:
    for case, found in cases(seeds):
        shuffled = list(PASSES)
        random.Random(case.seed).shuffle(shuffled)
        for pipeline in (*((step,) for step in PASSES), *((step, step) for step in PASSES), shuffled):
            check_pipeline(case, found[:1], pipeline)
        check_exact(case, found[0])


@parts
def test_plans_in_any_order_and_poisoned_memory(seeds: Sequence[int]) -> None:
    for case, found in cases(seeds):
        optimised, _ = optimise(case.graph, DEFAULT, capabilities=BACKEND.info())
        for run in found:
            check_plan(run, optimised)
            check_plan(run, optimised, rank_seed=2 * case.seed)
            check_plan(run, optimised, rank_seed=2 * case.seed + 1)


@parts
def test_sessions_in_threads(seeds: Sequence[int]) -> None:
    with ThreadPoolExecutor(8) as pool:
        for case, found in cases(seeds):
            run = found[0]
            with gc.Session(case.recording, backend=BACKEND) as session:
                variables = [node for node in run.arrays if node.op.name == "variable"]
                session.assign({node: run.arrays[node] for node in variables})  # type: ignore[misc]
                step = session.compile(list(case.graph.results), list(case.graph.parameters))
                expected = reference.evaluate(step.plan.optimised.results, run.arrays, run.sizes)
                for values in pool.map(lambda _, step=step, run=run: step(*run.feeds()), range(16)):
                    for got, want in zip(values, expected, strict=True):
                        require_same_bits(got, np.asarray(want), f"seed {case.seed}")


def test_every_rule_and_op_is_met() -> None:
    hits: Counter[str] = Counter()
    ops: Counter[str] = Counter()
    for case, found in cases(range(COUNT)):
        ops += case.ops()
        hits += check_pipeline(case, found, DEFAULT).counts()
        if not any(style == "special" for style in case.styles.values()):  # a fast rule may make another NaN
            fast = check_pipeline(case, found, DEFAULT, "fast").counts()
            hits += Counter({name: fast[name] for name in ("multiply_by_reciprocal", "pow_half")})
    print_histogram("rules", hits)
    print_histogram("ops", ops)
    rare = {name: hits[name] for name in EXAMPLES if hits[name] < LEAST_HITS}
    assert not rare, f"rules that are hit less than {LEAST_HITS} times"
    # These only make the output longer, or occur in plans only.
    unmet = {name for name, op in OPS.items() if not ops[name] and name not in ("copy", "print")}
    assert not {name for name in unmet if OPS[name].kind is not Kind.SOURCE}, unmet


def print_histogram(title: str, counts: Counter[str]) -> None:
    sys.stdout.write(f"{title}: " + ", ".join(f"{name} {count}" for name, count in counts.most_common()) + "\n")


@pytest.mark.fuzz
def test_fuzz() -> None:
    """`GRAPHC_FUZZ=N` graphs from seeds that nobody has seen, or from `GRAPHC_SEED` on."""
    count = int(os.environ.get("GRAPHC_FUZZ", "1000"))
    first = int(os.environ.get("GRAPHC_SEED", time.time_ns() // 1_000_000 % 1_000_000_000))
    sys.stdout.write(f"GRAPHC_SEED={first}\n")
    hits: Counter[str] = Counter()
    ops: Counter[str] = Counter()
    for case, found in cases(range(first, first + count)):
        ops += case.ops()
        hits += check_all(case, found).counts()
    print_histogram("rules", hits)
    print_histogram("ops", ops)


def test_a_case_is_its_seed() -> None:
    first, second = make_case(7), make_case(7)
    assert first.planted == second.planted
    assert [str(node.type) for node in first.graph.nodes] == [str(node.type) for node in second.graph.nodes]
    mine, theirs = first.arrays(SIZES), second.arrays(SIZES)
    names: list[Tensor] = list(mine)
    for a, b in zip(names, theirs, strict=True):
        np.testing.assert_array_equal(mine[a], theirs[b])
