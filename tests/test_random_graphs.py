"""Random graphs through everything: reference, passes alone, twice and shuffled, plans in any order, poisoned memory,
threads. 300 graphs in every run; `make fuzz N=5000` runs more, with seeds of its own.
"""

import os
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from differential import optimise, require_same_bits, require_slopes
from random_checks import (
    BACKEND,
    PASSES,
    cases,
    check_all,
    check_exact,
    check_pipeline,
    check_plan,
    check_reference,
    fast_hits,
)
from random_graphs import SIZES, make_case
from rule_examples import EXAMPLES

import graphc as gc
from graphc import reference
from graphc.ir.opdef import OPS, Kind
from graphc.ir.tensor import Tensor
from graphc.passes.pipelines import DEFAULT

COUNT, PART = 300, 30
PARTS = [range(start, start + PART) for start in range(0, COUNT, PART)]
LEAST_HITS = 20

parts = pytest.mark.parametrize("seeds", PARTS, ids=lambda seeds: f"{seeds[0]}-{seeds[-1]}")


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
        hits += fast_hits(case)
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
