"""Deliberate breaks of rules, gradients, planner and kernels: random graphs must catch each, and bisection name it."""

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from differential import Run
from random_checks import check_all, runs
from random_graphs import SIZES, Case, make_case

import graphc as gc
from graphc import autodiff
from graphc.bisection import Culprit
from graphc.errors import GraphcError, InternalError
from graphc.ir.opdef import OPS
from graphc.ir.tensor import Tensor, apply
from graphc.ops.indexing import SLICE
from graphc.passes import cse
from graphc.passes.rewriting import CANONICALISE, SIMPLIFY_PASS, STABILISE
from graphc.plan import liveness, memory
from graphc.plan.data import Plan, SlotKind
from graphc.plan.draft import Draft
from graphc.rules.engine import Rule
from graphc.rules.pattern import Match
from graphc_numpy import NumpyBackend, emit

SEEDS = 150
NUMPY_BACKEND = importlib.import_module("graphc_numpy.backend")  # the package has a function of that name
Break = Callable[[pytest.MonkeyPatch], None]


def rule(name: str, replace: Callable[[Match], Tensor | None]) -> Break:
    """Another replacement for a rule, in all passes that use it."""

    def apply_to(patch: pytest.MonkeyPatch) -> None:
        found = 0
        for step in (CANONICALISE, STABILISE, SIMPLIFY_PASS):
            broken: list[Rule] = [r._replace(replace=replace) if r.name == name else r for r in step.rules]
            found += sum(r.name == name for r in step.rules)
            patch.setattr(step, "rules", tuple(broken))
        assert found, name

    return apply_to


def gradient(op: str, vjp: Any) -> Break:
    """Another gradient for an op; its record is frozen."""

    def apply_to(patch: pytest.MonkeyPatch) -> None:
        record = OPS[op]
        old = record.vjp
        object.__setattr__(record, "vjp", vjp)
        patch.callattr = lambda: object.__setattr__(record, "vjp", old)  # type: ignore[attr-defined]

    return apply_to


def attribute(target: Any, name: str, value: Any) -> Break:
    return lambda patch: patch.setattr(target, name, value)


def kernel(op: str, row: Any) -> Break:
    return lambda patch: patch.setitem(emit.ROWS, op, row)


def _wrong_permutation(m: Match) -> Tensor:
    outer, inner = m.root.attrs["axes"], m.inner.attrs["axes"]
    return gc.permute_dims(m.x, [outer[axis] for axis in inner])


def _wrong_slice(m: Match) -> Tensor:
    inner, outer = m.inner.attrs, m.root.attrs
    starts = tuple(s + o for s, o in zip(inner["starts"], outer["starts"], strict=True))  # not times the step
    steps = tuple(a * b for a, b in zip(inner["steps"], outer["steps"], strict=True))
    return apply(SLICE, (m.x,), starts=starts, lengths=outer["lengths"], steps=steps)


def _blind_to_views(plan: Plan) -> dict[int, int]:
    return {index: position for position, step in enumerate(plan.steps) for index in step.inputs}


_last_uses, _readers = liveness._last_uses, Draft.readers


def _too_early(plan: Plan) -> dict[int, int]:
    return {index: position - 1 for index, position in _last_uses(plan).items()}


def _of_arena_only(draft: Draft) -> Any:
    found = _readers(draft)
    for index in list(found):
        if draft.slots[index].kind is SlotKind.STATE:
            del found[index]
    return found


def _half(intervals: Any) -> tuple[list[int], int]:
    offsets, total = memory.pack(intervals)
    return [offset // 2 // memory.ALIGNMENT * memory.ALIGNMENT for offset in offsets], total


RULES: dict[str, tuple[str, Break]] = {
    "a difference becomes a sum": ("add_negative", rule("add_negative", lambda m: gc.add(m.x, m.y))),
    "a sign is lost": ("negated_factor", rule("negated_factor", lambda m: gc.multiply(m.x, m.y))),
    "permutations in the wrong order": ("merge_permutations", rule("merge_permutations", _wrong_permutation)),
    "slices of slices ignore steps": ("merge_slices", rule("merge_slices", _wrong_slice)),
    "expm1 is exp": ("exp_minus_one", rule("exp_minus_one", lambda m: gc.exp(m.x))),
    "less is less or equal": ("greater_as_less", rule("greater_as_less", lambda m: gc.less_equal(m.y, m.x))),
    "where takes the other branch": ("where_true", rule("where_true", lambda m: m.y)),
    "sums are merged over too few axes": (
        "merge_sums",
        rule("merge_sums", lambda m: gc.broadcast_to(gc.max(m.x), m.root.shape)),
    ),
    "equal nodes with other attributes are shared": (
        "cse",
        attribute(cse, "structural_key", lambda node: f"{node.op.name} {node.type} {node.name}".encode()),
    ),
}
GRADIENTS: dict[str, Break] = {
    "of tanh without the square": gradient("tanh", (lambda ct, node: ct * (1.0 - node),)),
    "of a product with the factors swapped": gradient(
        "multiply", (lambda ct, node: ct * node.inputs[0], lambda ct, node: ct * node.inputs[1])
    ),
    "of exp without exp": gradient("exp", (lambda ct, node: ct,)),
    "of a difference without its sign": gradient("subtract", (lambda ct, node: ct, lambda ct, node: ct)),
    "sums back to a shape with a mean": attribute(
        autodiff, "reduce_sum", lambda x, axis, keepdims: gc.mean(x, axis=axis, keepdims=keepdims)
    ),
}
PLANS: dict[str, Break] = {
    "lifetimes are blind to views": attribute(liveness, "_last_uses", _blind_to_views),
    "values die a step too early": attribute(liveness, "_last_uses", _too_early),
    "buffers overlap": lambda patch: patch.setattr("graphc_numpy.program.pack", _half),
    "old states are read after they are overwritten": attribute(Draft, "readers", _of_arena_only),
    "a where writes over its condition's branch": attribute(
        NUMPY_BACKEND,
        "_CAPABILITIES",
        NumpyBackend().info()._replace(overwrites={**emit.OVERWRITES, "where": (1, 2), "clip": (0,)}),
    ),
}
KERNELS: dict[str, tuple[str, Break]] = {
    "subtract the wrong way round": (
        "subtract",
        kernel("subtract", lambda step, o: [emit.Line("subtract", (o.inputs[1], o.inputs[0], o.output))]),
    ),
    "floor for trunc": ("trunc", kernel("trunc", emit.ROWS["floor"])),
}


def first_failure() -> Case | None:
    """The first case that does not pass; a break may also be caught by an error of graphc itself."""
    for seed in range(SEEDS):
        case = None
        try:
            case = make_case(seed)
            found = runs(case, (SIZES,))
            if found:
                check_all(case, found)
        except (AssertionError, GraphcError, IndexError, ValueError, KeyError):
            return case or make_case(0)
    return None


@pytest.fixture
def broken() -> Any:
    """A monkeypatch that also undoes gradients."""
    patch = pytest.MonkeyPatch()
    yield patch
    patch.undo()
    getattr(patch, "callattr", lambda: None)()


def culprit(case: Case) -> Culprit:
    run = Run(case, SIZES)
    with gc.Session(case.recording, backend=NumpyBackend(poison=True)) as session:
        variables = {node: array for node, array in run.arrays.items() if node.op.name == "variable"}
        session.assign(variables)  # type: ignore[arg-type]
        updates = [gc.Update([pair]) for pair in case.graph.updates]
        step = session.compile([list(case.graph.results), updates], list(case.graph.parameters))
        return gc.bisect(step, *run.feeds())


@pytest.mark.parametrize("name", RULES)
def test_a_broken_rule_is_caught_and_named(name: str, broken: pytest.MonkeyPatch) -> None:
    expected, do_break = RULES[name]
    do_break(broken)
    case = first_failure()
    assert case is not None, "150 random graphs did not notice"
    try:
        found = culprit(case)
    except InternalError as refused:  # a replacement that cannot even be built
        error = refused
    else:
        assert (found.kind, found.name) == ("rule", expected), str(found)
        assert found.origins.lines
        return
    assert repr(expected) in error.message


@pytest.mark.parametrize("name", GRADIENTS)
def test_a_broken_gradient_is_caught(name: str, broken: pytest.MonkeyPatch) -> None:
    GRADIENTS[name](broken)
    assert first_failure() is not None, "150 random graphs did not notice"


@pytest.mark.parametrize("name", PLANS)
def test_a_broken_planner_is_caught(name: str, broken: pytest.MonkeyPatch) -> None:
    PLANS[name](broken)
    assert first_failure() is not None, "150 random graphs did not notice"


@pytest.mark.parametrize("name", KERNELS)
def test_a_broken_kernel_is_caught_and_named(name: str, broken: pytest.MonkeyPatch) -> None:
    expected, do_break = KERNELS[name]
    do_break(broken)
    case = first_failure()
    assert case is not None, "150 random graphs did not notice"
    found = culprit(case)
    assert (found.kind, found.name) == ("kernel", expected), str(found)


def test_whole_code_has_no_culprit() -> None:
    assert culprit(make_case(0)).kind == "nothing"
    np.testing.assert_equal(first_failure_among(20), None)


def first_failure_among(count: int) -> int | None:
    """The control: without a break, the same checks pass."""
    for seed in range(count):
        case = make_case(seed)
        check_all(case, runs(case, (SIZES,)))
    return None
