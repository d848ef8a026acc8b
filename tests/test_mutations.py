"""Deliberate breaks of rules, gradients, planner, kernels, fusion and printer: random graphs must catch each, shrink it
to a few lines, and bisection name it.
"""

import importlib
import re
from collections.abc import Callable
from typing import Any

import pytest
from op_examples import OP_EXAMPLES
from random_checks import CHECKS, Tally, runs
from random_graphs import OPS_IN_TURN, OTHER_SIZES, SIZES, make_case
from wrong_cases import Report, first_wrong

import graphc as gc
from graphc import autodiff
from graphc.ir.opdef import OPS
from graphc.ir.tensor import Tensor, apply
from graphc.lowering import fuse, kernel_reads
from graphc.lowering.kernel import Compute
from graphc.ops.slicing import SLICE
from graphc.passes import cse
from graphc.passes.rewriting import CANONICALISE, SIMPLIFY_PASS, STABILISE
from graphc.plan import liveness, memory
from graphc.plan.data import Plan, SlotKind
from graphc.plan.draft import Draft
from graphc.rules.engine import Rule
from graphc.rules.pattern import Match
from graphc_cupy import stage_code
from graphc_numpy import NumpyBackend, emit

SEEDS = 60
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
GRADIENTS: dict[str, tuple[str, Break]] = {
    "of tanh without the square": ("tanh", gradient("tanh", (lambda ct, node: ct * (1.0 - node),))),
    "of a product with the factors swapped": (
        "multiply|divide",  # x / 2 is x · 0.5 before gradients are taken
        gradient("multiply", (lambda ct, node: ct * node.inputs[0], lambda ct, node: ct * node.inputs[1])),
    ),
    "of exp without exp": ("exp|softmax_cross_entropy_grad", gradient("exp", (lambda ct, node: ct,))),
    "of a difference without its sign": (
        "subtract",
        gradient("subtract", (lambda ct, node: ct, lambda ct, node: ct)),
    ),
    "sums back to a shape with a mean": (
        ".*broadcast_to.*|add|subtract|multiply|divide",  # whatever broadcasts
        attribute(autodiff, "reduce_sum", lambda x, axis, keepdims: gc.mean(x, axis=axis, keepdims=keepdims)),
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

# --- fusion -----------------------------------------------------------------------------------------------------

_fuse_node, _reads = fuse.fuse_node, dict(kernel_reads._READS)


def _exchanged(nodes: Any) -> list[Tensor]:
    """The first two that have one type change places."""
    nodes = list(nodes)
    pairs = [(i, j) for j in range(len(nodes)) for i in range(j) if nodes[i].type == nodes[j].type]
    for i, j in pairs[:1]:
        nodes[i], nodes[j] = nodes[j], nodes[i]
    return nodes


def _inverse_permutation(code: Any, d: Any) -> Any:
    axes = d.node.attrs["axes"]
    return (yield d.of(d.node.inputs[0], tuple(d.at[axis] for axis in axes)))


def _slice_without_steps(code: Any, d: Any) -> Any:
    places = zip(d.node.attrs["starts"], d.at, strict=True)
    return (yield d.of(d.node.inputs[0], tuple(start + at for start, at in places)))


def _shifted_pad(code: Any, d: Any) -> Any:
    """The border is as wide before as it is, and one narrower behind."""
    source, border = d.node.inputs
    inner = tuple(at - before for at, (before, _) in zip(d.at, d.node.attrs["pad_width"], strict=True))
    inside = code.inside(d.stage, tuple(at - 1 for at in inner), source.shape)
    return (yield from kernel_reads._choose(code, d, inside, d.of(source, inner), d.of(border, ())))


def reads(op: str, function: Any) -> Break:
    return lambda patch: patch.setitem(kernel_reads._READS, op, function)


FUSIONS: dict[str, tuple[str, str, Break]] = {
    "operands of a group change places": (
        "subtract",
        "fuse|fuse_(elementwise|reduction|row)",
        attribute(fuse, "fuse_node", lambda body, inputs, *rest: _fuse_node(body, _exchanged(inputs), *rest)),
    ),
    "results of a group change places": (
        "subtract",
        "fuse|fuse_(elementwise|reduction|row)",
        attribute(fuse, "fuse_node", lambda *parts: tuple(_exchanged(_fuse_node(*parts)))),
    ),
    "permuted reads go the other way": ("permute_dims", "fuse_.*", reads("permute_dims", _inverse_permutation)),
    "sliced reads forget steps": ("slice", "fuse_.*", reads("slice", _slice_without_steps)),
    "padded reads miss the border": ("pad", "fuse_.*", reads("pad", _shifted_pad)),
}

# --- printer ----------------------------------------------------------------------------------------------------

_definition, _operator = stage_code.StageCode._definition, stage_code.StageCode.operator


def computes(op: str, change: Callable[[Compute], Compute]) -> Break:
    """Another instruction is printed in place of one."""

    def definition(self: Any, instruction: Any, source: str) -> tuple[str, str]:
        is_it = isinstance(instruction, Compute) and instruction.op == op
        return _definition(self, change(instruction) if is_it else instruction, source)

    return attribute(stage_code.StageCode, "_definition", definition)


def _smallest_for_largest(self: Any, reduce: Any) -> str:
    return _operator(self, reduce._replace(op="min") if reduce.op == "max" else reduce)


PRINTERS: dict[str, tuple[str, str, Break]] = {
    "differences the wrong way round": (
        "subtract",
        "subtract",
        computes("subtract", lambda i: i._replace(args=i.args[::-1])),
    ),
    "floor for trunc": ("trunc", "trunc", computes("trunc", lambda i: i._replace(op="floor"))),
    "the smallest for the largest": ("max", "max", attribute(stage_code.StageCode, "operator", _smallest_for_largest)),
    "products for quotients": ("divide", "divide", computes("divide", lambda i: i._replace(op="multiply"))),
}

# --- what finds them --------------------------------------------------------------------------------------------


def first_failure(checks: list[str], start: int = 0) -> Report | None:
    """The first case that does not pass some checks, from a seed on."""
    for seed in range(start, start + SEEDS):
        case = make_case(seed)
        report = first_wrong(case, runs(case, (SIZES, *OTHER_SIZES)), checks, Tally.empty())
        if report is not None:
            return report
    return None


def seed_of(op: str) -> int:
    """A seed whose case holds an op in turn."""
    return list(OP_EXAMPLES).index(op) // OPS_IN_TURN


@pytest.fixture
def broken() -> Any:
    """A monkeypatch that also undoes gradients."""
    patch = pytest.MonkeyPatch()
    yield patch
    patch.undo()
    getattr(patch, "callattr", lambda: None)()


def require_verdict(report: Report | None, kind: str, name: str, lines: int = 12) -> None:
    """Holds a report to its culprit, and its script to a few lines."""
    assert report is not None, f"{SEEDS} random graphs did not notice"
    assert report.verdict.kind == kind, str(report)
    assert re.fullmatch(name, report.verdict.name), str(report)
    recorded = report.script.split("as graph:\n")[1].split("\n\n")[0]
    assert recorded.count("\n") < lines, report.script
    compile(report.script, "script.py", "exec")


@pytest.mark.parametrize("name", RULES)
def test_a_broken_rule_is_caught_and_named(name: str, broken: pytest.MonkeyPatch) -> None:
    expected, do_break = RULES[name]
    do_break(broken)
    report = first_failure(["passes"])
    if report is not None and report.verdict.kind == "error":  # a replacement that cannot even be built
        assert f"the rule {expected!r} cannot replace" in report.verdict.reason
        return
    require_verdict(report, "rule", expected)
    assert report is not None
    assert report.verdict.origins.lines


@pytest.mark.parametrize("name", GRADIENTS)
def test_a_broken_gradient_is_caught_and_named(name: str, broken: pytest.MonkeyPatch) -> None:
    expected, do_break = GRADIENTS[name]
    do_break(broken)
    require_verdict(first_failure(["gradients"]), "gradient", expected, lines=30)


@pytest.mark.parametrize("name", PLANS)
def test_a_broken_planner_is_caught_and_named(name: str, broken: pytest.MonkeyPatch) -> None:
    PLANS[name](broken)
    require_verdict(first_failure(["plans"]), "plan", ".*")


@pytest.mark.parametrize("name", KERNELS)
def test_a_broken_kernel_is_caught_and_named(name: str, broken: pytest.MonkeyPatch) -> None:
    expected, do_break = KERNELS[name]
    do_break(broken)
    require_verdict(first_failure(["numpy"]), "kernel", expected)


@pytest.mark.parametrize("name", FUSIONS)
def test_a_broken_fusion_is_caught_and_named(name: str, broken: pytest.MonkeyPatch) -> None:
    op, expected, do_break = FUSIONS[name]
    do_break(broken)
    require_verdict(first_failure(["kernels"], seed_of(op)), "fusion", expected)


@pytest.mark.requires("cxx")
@pytest.mark.parametrize("name", PRINTERS)
def test_a_broken_printer_is_caught_and_named(name: str, broken: pytest.MonkeyPatch) -> None:
    op, expected, do_break = PRINTERS[name]
    do_break(broken)
    require_verdict(first_failure(["printed"], seed_of(op)), "printer", expected)


def test_whole_code_has_no_culprit() -> None:
    """The control: without a break, the same checks pass."""
    for seed in range(10):
        case = make_case(seed)
        found = runs(case, (SIZES, *OTHER_SIZES))
        assert first_wrong(case, found, [*CHECKS, "numpy", "kernels"], Tally.empty()) is None
