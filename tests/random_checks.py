"""What every random graph must stand: the checks that tests and the fuzzer share, and the tally of what was met."""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import pytest
from configurations import CONFIGURATIONS, Configuration
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
from error_bound import NUMPY
from random_graphs import OTHER_SIZES, SIZES, Case, make_case
from refusals import runnable

from graphc import reference
from graphc.bisection import run_plan
from graphc.compiler import CompiledPlan, compile_graph
from graphc.errors import NumericsError, OutOfRangeError
from graphc.ir.graph import Graph
from graphc.ir.ledger import Ledger
from graphc.ir.tensor import tuple_elements
from graphc.ir.walk import toposort
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

PASSES: tuple[Pass, ...] = (CANONICALISE, STABILISE, FOLD, SIMPLIFY_PASS, CSE, DCE, LEGALIZE)
BACKEND = NumpyBackend(poison=True)


def cases(seeds: Sequence[int]) -> Iterator[tuple[Case, list[Run]]]:
    """The cases of some seeds, at all the sizes that suit them."""
    for seed in seeds:
        case = make_case(seed)
        found = runs(case, (SIZES, *OTHER_SIZES))
        assert found, f"seed {seed}: the case does not stand at its own sizes"
        yield case, found


def check_reference(case: Case, run: Run) -> None:
    """The reference interpreter keeps to the bounds of the graph as recorded."""
    for node, expected, got in zip(case.graph.outputs, run.expected, run.computed(case.graph), strict=True):
        require_within(got, expected, node, f"seed {case.seed}, {run.sizes}")


def check_pipeline(case: Case, found: Sequence[Run], pipeline: Sequence[Pass], exactness: str = "default") -> Ledger:
    """Some passes keep the numbers; returns the ledger."""
    optimised, ledger = optimise(case.graph, pipeline, exactness)
    names = " ".join(step.name for step in pipeline)
    for run in found:
        require_same_values(run, optimised, ledger, f"seed {case.seed}, {run.sizes}, {exactness}: {names}")
    return ledger


FAST_RULES = [rule.name for rule in SIMPLIFY if rule.exactness == "fast"]


def fast_hits(case: Case) -> Counter[str]:
    """Hits of the rules that must be asked for. They keep numbers, but not every NaN: results of finite leaves only."""
    special = {leaf for leaf, style in case.styles.items() if style == "special"}
    results = [node for node in case.graph.results if special.isdisjoint(toposort([node]))]
    finite = case._replace(graph=Graph(case.graph.parameters, results, (), case.graph.name))
    counts = check_pipeline(finite, runs(finite, (SIZES,)), DEFAULT, "fast").counts()
    return Counter({name: counts[name] for name in FAST_RULES})


def check_exact(case: Case, run: Run) -> None:
    """What `exactness="exact"` allows keeps every bit, but for sums, whose order follows the layout of memory."""
    optimised, _ = optimise(case.graph, DEFAULT, "exact")
    wanted = run.computed(case.graph)
    for at, got in zip(positions(case.graph, optimised), run.computed(optimised), strict=True):
        what = f"seed {case.seed}, {run.sizes}, exact, output {at}"
        node = case.graph.outputs[at]
        if any(source.op.name in ("matmul", "prod", "sum") for source in toposort([node])):
            require_within(got, run.expected[at], node, what)
        else:
            require_same_bits(got, wanted[at], what)


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
        except (NumericsError, OutOfRangeError) as error:  # the new state does not pass a check
            with pytest.raises(type(error)):
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


# --- the table ------------------------------------------------------------------------------------------------


class Tally(NamedTuple):
    """What was met: ops, dtypes, hits of rules, kinds of fusion, and outputs that were compared, by configuration."""

    ops: Counter[str]
    dtypes: Counter[str]
    rules: Counter[str]
    fusions: Counter[str]
    compared: Counter[str]

    @classmethod
    def empty(cls) -> "Tally":
        """Nothing yet."""
        return cls(*(Counter() for _ in cls._fields))

    def __iadd__(self, other: "Tally") -> "Tally":  # type: ignore[misc]
        for mine, theirs in zip(self, other, strict=True):
            mine.update(theirs)
        return self

    def count_case(self, case: Case) -> None:
        """Its ops and dtypes."""
        self.ops.update(case.ops())
        self.dtypes.update(kind.dtype.name for node in case.graph.nodes for kind in tuple_elements(node))

    def __str__(self) -> str:
        lines = []
        for title, counts in zip(self._fields, self, strict=True):
            parts = [f"{name} {count}" for name, count in counts.most_common()]
            lines.append(f"{title}: " + (", ".join(parts) or "none"))
        return "\n".join(lines)


Check = Callable[[Case, Sequence[Run], Tally], None]


def _reference(case: Case, found: Sequence[Run], tally: Tally) -> None:
    for run in found:
        check_reference(case, run)


def _gradients(case: Case, found: Sequence[Run], tally: Tally) -> None:
    tally.compared["gradients"] += sum(require_slopes(run) for run in found)


def _passes(case: Case, found: Sequence[Run], tally: Tally) -> None:
    """A pass alone and another one twice, in turn; all of them in any order; and the pipeline."""
    shuffled = list(PASSES) * 2
    random.Random(case.seed).shuffle(shuffled)
    one, two = (PASSES[(case.seed + offset) % len(PASSES)] for offset in (0, 3))
    for pipeline in ((one,), (two, two), shuffled):
        check_pipeline(case, found[:1], pipeline)
    tally.rules.update(check_pipeline(case, found, DEFAULT).counts())


def _exact(case: Case, found: Sequence[Run], tally: Tally) -> None:
    check_exact(case, found[0])


def _fast(case: Case, found: Sequence[Run], tally: Tally) -> None:
    tally.rules.update(fast_hits(case))


def _plans(case: Case, found: Sequence[Run], tally: Tally) -> None:
    """As the schedule orders it, and in another order for each size."""
    optimised, _ = optimise(case.graph, DEFAULT, capabilities=BACKEND.info())
    for number, run in enumerate(found):
        for rank_seed in (None, len(found) * case.seed + number):
            check_plan(run, optimised, rank_seed)


def check_backend(configuration: Configuration, case: Case, found: Sequence[Run], tally: Tally) -> None:
    """What a backend computes is within the bounds of the recorded graph and of the one that it has run, together."""
    choice = configuration.choice()

    def compiled(graph: Graph) -> CompiledPlan:
        return compile_graph(graph, choice, configuration.options, configuration.pipeline)

    left = runnable(case, compiled)
    if left is None or left[0] is not case:
        tally.compared[f"{configuration.name}, without ops that it lacks"] += 1
    if left is None:
        return
    found = found if left[0] is case else [Run(left[0], run.sizes, run.arrays) for run in found]
    case, plan = left
    if plan.fusion is not None:
        tally.fusions.update(group.kind for group in plan.fusion.groups)
        tally.fusions.update(f"not: {edge.reason}" for edge in plan.fusion.refused)
    at_recorded = positions(case.graph, plan.optimised)
    for run in found if configuration.other_sizes else [found[case.seed % len(found)]]:
        computed = run_plan(plan, run.arrays, run.sizes)
        is_plain = configuration.accuracy == NUMPY
        recorded = run.expected if is_plain else run.decided(case.graph, configuration.accuracy)
        optimised = run.decided(plan.optimised, configuration.accuracy)
        for at, node, got, mine in zip(at_recorded, plan.optimised.outputs, computed, optimised, strict=True):
            expected = recorded[at]
            if mine is None or expected is None:
                tally.compared[f"{configuration.name}, undecided"] += 1
                continue
            tally.compared[configuration.name] += 1
            what = f"seed {case.seed}, {run.sizes}, {configuration.name}, output {at}"
            require_within(got, expected, node, what, extra=mine.error)


CHECKS: dict[str, Check] = {
    "reference": _reference,
    "gradients": _gradients,
    "passes": _passes,
    "exact": _exact,
    "fast": _fast,
    "plans": _plans,
}
"""What needs no backend but numpy."""
BACKEND_CHECKS: dict[str, Check] = {
    configuration.name: partial(check_backend, configuration) for configuration in CONFIGURATIONS
}


def check_all(case: Case, found: Sequence[Run], tally: Tally | None = None) -> None:
    """Everything that needs no backend but numpy."""
    tally = Tally.empty() if tally is None else tally
    for check in (*CHECKS.values(), *(BACKEND_CHECKS[c.name] for c in CONFIGURATIONS if c.requires == "numpy")):
        check(case, found, tally)
