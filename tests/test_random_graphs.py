"""Random graphs through everything: reference, gradients, passes alone, twice and shuffled, plans in any order and in
poisoned memory, backends, threads. The seed is another one at every run; `make fuzz N=5000` runs more, on all cores.
"""

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import fuzz
import numpy as np
import pytest
import seeds
from configurations import CONFIGURATIONS
from differential import require_same_bits
from op_examples import OP_EXAMPLES, WITHOUT_EXAMPLE
from random_checks import BACKEND, CHECKS, Tally, cases, check_pipeline, fast_hits
from random_graphs import SIZES, make_case
from rule_examples import EXAMPLES
from seeds import COUNT, FIRST, PART
from wrong_cases import first_wrong

import graphc as gc
from graphc import reference
from graphc.ir.opdef import OPS, Kind
from graphc.ir.tensor import Tensor
from graphc.passes.pipelines import DEFAULT

PARTS = [range(FIRST + start, FIRST + start + PART) for start in range(0, COUNT, PART)]
CONTROL = 100  # fixed seeds
LEAST_HITS = 5

parts = pytest.mark.parametrize("seeds", PARTS, ids=[f"part{at}" for at in range(len(PARTS))])


@pytest.fixture(scope="module")
def tally() -> Iterator[Tally]:
    """What all the tests of this run have met."""
    found = Tally.empty()
    yield found
    sys.stdout.write(f"GRAPHC_SEED={FIRST}\n{found}\n")


def stand(seeds: Sequence[int], requires: str, checks: Sequence[str], tally: Tally) -> None:
    """Holds some cases to checks and to the configurations that require something."""
    rows = [configuration for configuration in CONFIGURATIONS if configuration.requires == requires]
    for case, found in cases([seed for seed in seeds if checks or any(seed % row.every == 0 for row in rows)]):
        names = [row.name for row in rows if case.seed % row.every == 0]
        if wrong := first_wrong(case, found, [*checks, *names], tally):
            pytest.fail(str(wrong))
        if checks:
            tally.count_case(case)


@parts
def test_random_graphs(seeds: Sequence[int], tally: Tally) -> None:
    stand(seeds, "numpy", list(CHECKS), tally)


@pytest.mark.requires("jax")
@parts
def test_random_graphs_on_jax(seeds: Sequence[int], tally: Tally) -> None:
    stand(seeds, "jax", [], tally)


def test_this_run_has_met_everything(tally: Tally, request: pytest.FixtureRequest) -> None:
    """Ops and rules are taken in turn: whatever the seed, this many cases meet all of them."""
    if sum("test_random_graphs[" in item.nodeid for item in request.session.items) < len(PARTS):
        pytest.skip("only some of the cases were run")
    assert not fuzz.not_met(tally, COUNT)
    assert tally.compared["gradients"] > COUNT


@parts
def test_sessions_in_threads(seeds: Sequence[int]) -> None:
    with ThreadPoolExecutor(8) as pool:
        for case, found in cases(seeds[::3]):
            run = found[0]
            with gc.Session(case.recording, backend=BACKEND) as session:
                variables = [node for node in run.arrays if node.op.name == "variable"]
                session.assign({node: run.arrays[node] for node in variables})  # type: ignore[misc]
                step = session.compile(list(case.graph.results), list(case.graph.parameters))
                expected = reference.evaluate(step.plan.optimised.results, run.arrays, run.sizes)
                for values in pool.map(lambda _, step=step, run=run: step(*run.feeds()), range(16)):
                    for got, want in zip(values, expected, strict=True):
                        require_same_bits(got, np.asarray(want), f"seed {case.seed}")


def test_fixed_seeds_meet_every_rule_often() -> None:
    hits: Counter[str] = Counter()
    for case, found in cases(range(CONTROL)):
        hits += check_pipeline(case, found[:1], DEFAULT).counts()
        hits += fast_hits(case)
    rare = {name: hits[name] for name in EXAMPLES if hits[name] < LEAST_HITS}
    assert not rare, f"rules that are hit less than {LEAST_HITS} times"


def test_every_op_has_an_example() -> None:
    missing = {name for name, op in OPS.items() if op.kind is not Kind.SOURCE} - OP_EXAMPLES.keys()
    assert missing <= set(WITHOUT_EXAMPLE)


@pytest.mark.fuzz
def test_fuzz() -> None:
    assert not fuzz.run(FIRST, COUNT)


def test_the_fuzzer_runs_in_processes(capfd: pytest.CaptureFixture[str]) -> None:
    assert fuzz.run(first=0, count=2, workers=1) == 0
    out = capfd.readouterr().out
    assert "2/2 cases, 0 wrong" in out
    assert "N=2 is too few to meet every op" in out


def test_a_case_is_its_seed() -> None:
    first, second = make_case(7), make_case(7)
    assert first.planted == second.planted
    assert [str(node.type) for node in first.graph.nodes] == [str(node.type) for node in second.graph.nodes]
    mine, theirs = first.arrays(SIZES), second.arrays(SIZES)
    names: list[Tensor] = list(mine)
    for a, b in zip(names, theirs, strict=True):
        np.testing.assert_array_equal(mine[a], theirs[b])


@pytest.mark.parametrize("words", [["x"], ["-1"], ["0"], ["1.5"], ["3", "4"]])
def test_the_fuzzer_says_what_is_no_number_of_cases(words: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert fuzz.main(words) == 2
    assert capfd.readouterr().err == f"N={' '.join(words)} is no number of cases: give a whole number from 1 on\n"


@pytest.mark.parametrize("given", ["abc", "-1", "1.5"])
def test_a_seed_is_a_whole_number(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHC_SEED", given)
    with pytest.raises(SystemExit, match=f"GRAPHC_SEED={given} is no seed: give a whole number"):
        seeds.first()


def test_few_cases_claim_nothing() -> None:
    assert "every op" in fuzz.too_few_for(1)[0]
    (about_rules,) = fuzz.too_few_for(fuzz.ENOUGH_FOR_OPS)
    assert f"N={fuzz.ENOUGH_FOR_OPS} is too few to meet every rule" in about_rules
    assert not fuzz.too_few_for(COUNT)
