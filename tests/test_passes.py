"""Passes: graph before, graph expected, structural equality, then numbers; and their manager."""

import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc import reference
from graphc.backend import REFERENCE
from graphc.errors import NO_ORIGINS, InternalError, Line, Origins, VerifyError
from graphc.ir import dims
from graphc.ir.dtype import as_dtype, float32
from graphc.ir.graph import Graph
from graphc.ir.key import graph_key, structural_key
from graphc.ir.opdef import OPS, Kind
from graphc.ir.tensor import Tensor, VariableNode, apply, inherit
from graphc.ir.text import parse_graph
from graphc.ir.types import TensorType
from graphc.ir.walk import toposort
from graphc.ops.activation import gelu, log_softmax, softmax, softmax_cross_entropy, softplus
from graphc.ops.slicing import SLICE
from graphc.ops.sources import PLACEHOLDER, VARIABLE
from graphc.ops.structure import projections
from graphc.options import CompileOptions
from graphc.passes.cse import CSE
from graphc.passes.dce import DCE
from graphc.passes.fold import FOLD
from graphc.passes.legalize import LEGALIZE
from graphc.passes.manager import Context, run_passes
from graphc.passes.pipelines import DEFAULT, LEGAL_ONLY
from graphc.passes.rewriting import CANONICALISE, SIMPLIFY_PASS, STABILISE

A = dims.symbol("a")
OWNER = type("Owner", (), {"name": "tests"})()


def source(name: str = "x", shape: Any = (2, 3), dtype: Any = "float32") -> Tensor:
    kind = TensorType(as_dtype(dtype), tuple(shape))
    attrs = MappingProxyType({"name": name, "dtype": kind.dtype, "shape": kind.shape})
    return Tensor(PLACEHOLDER, (), attrs, kind, NO_ORIGINS, OWNER)


def variable(name: str = "w", shape: Any = (2, 3)) -> VariableNode:
    attrs = {"name": name, "dtype": float32, "shape": tuple(shape)}
    return VariableNode(VARIABLE, attrs, OWNER, None, True)


def run(step: Any, *outputs: Tensor, updates: Any = (), context: Context | None = None) -> Graph:
    """The graph of some outputs after one pass, verified."""
    every = [*outputs, *(value for _, value in updates)]
    parameters = [node for node in toposort(every) if node.op.name == "placeholder"]
    context = context or Context(CompileOptions(verify=True))
    graph, _ = run_passes(Graph(parameters, outputs, updates), [step], context)
    return graph


def same(found: Graph, *expected: Tensor) -> None:
    assert [structural_key(node) for node in found.results] == [structural_key(node) for node in expected]


def value_of(node: Tensor, array: Any = None, sizes: Any = None) -> np.ndarray:
    given = {found: array for found in toposort([node]) if found.op.name in ("placeholder", "variable")}
    return reference.evaluate([node], given, sizes)[0]


def op_names(graph: Graph) -> list[str]:
    return [node.op.name for node in graph.nodes]


ARRAY = np.array([[-1.5, 0.0, 2.0], [np.inf, -0.0, 1e-3]], np.float32)


# --- fold ------------------------------------------------------------------------------------------------


def test_fold_computes_what_depends_on_constants_only() -> None:
    x = source()
    scale = gc.sqrt(gc.asarray(2.0)) * gc.exp(gc.asarray([0.0, 1.0, 2.0]))
    graph = run(FOLD, x * scale)
    wanted = np.sqrt(np.float32(2)) * np.exp(np.array([0, 1, 2], np.float32))
    same(graph, x * wanted)
    np.testing.assert_array_equal(value_of(graph.results[0], ARRAY), value_of(x * scale, ARRAY))


def test_fold_keeps_origins_and_writes_the_ledger() -> None:
    with inherit(Origins((Line("user.py", 3, "f"),), 1)):
        node = gc.exp(gc.asarray(1.0))
    context = Context()
    folded = run(FOLD, node, context=context).results[0]
    assert folded.op.name == "constant"
    assert folded.origins == node.origins
    (row,) = context.ledger.hits
    assert row[:5] == ("fold", "fold", "close", node.id, folded.id)


def test_fold_gives_composites_and_edge_values() -> None:
    edges = gc.asarray(np.array([np.nan, np.inf, -np.inf, -0.0], np.float32))
    graph = run(FOLD, softplus(edges), edges / 0.0, gc.logsumexp(edges[1:3]))
    assert op_names(graph) == ["constant"] * 3
    np.testing.assert_array_equal(graph.results[0].attrs["value"], [np.nan, np.inf, 0.0, np.log(2, dtype="f4")])
    np.testing.assert_array_equal(graph.results[1].attrs["value"], [np.nan, np.inf, -np.inf, np.nan])
    assert graph.results[2].attrs["value"] == np.inf


def test_fold_does_not_blow_constants_up() -> None:
    one = gc.asarray(1.0)
    spread = gc.broadcast_to(one, (1000, 1000))
    row = gc.asarray(np.arange(100, dtype=np.float32))
    table = row[:, None] + row
    graph = run(FOLD, spread, gc.exp(spread), table)
    same(graph, spread, gc.exp(spread), gc.asarray(np.arange(100, dtype=np.float32)[:, None]) + row)
    shrinking = gc.sum(gc.asarray(np.ones((50, 50), np.float32)))
    assert op_names(run(FOLD, shrinking)) == ["constant"]
    small = gc.broadcast_to(one, (8, 8))
    assert op_names(run(FOLD, small)) == ["constant"]
    assert op_names(run(FOLD, gc.broadcast_to(one, (65,)))) == ["constant", "broadcast_to"]


def test_fold_leaves_effects_and_what_may_fail() -> None:
    three = gc.asarray([1.0, 2.0, 3.0])
    nodes = [
        gc.print(three),
        gc.check_numerics(three),
        gc.take(three, np.array([7])),
        gc.scatter_add(three, np.array([9]), np.array([1.0], np.float32)),
    ]
    same(run(FOLD, *nodes), *nodes)


def test_fold_leaves_what_has_symbolic_sizes() -> None:
    three = gc.asarray([1.0, 2.0, 3.0])
    nodes = [
        gc.dim_value(A),
        gc.broadcast_to(three, (A, 3)),
        apply(SLICE, (three,), starts=(A,), lengths=(1,), steps=(1,)),
        gc.dim_value(A) * 2,
    ]
    same(run(FOLD, *nodes), *nodes)


@pytest.mark.parametrize(("exact", "folds"), [(True, True), (False, False)])
def test_fold_is_off_where_bits_must_stay_unless_the_backend_has_them(exact: bool, folds: bool) -> None:
    capabilities = REFERENCE._replace(exact=exact)
    graph = run(FOLD, gc.exp(gc.asarray(1.0)), context=Context(CompileOptions("exact"), capabilities))
    assert (op_names(graph) == ["constant"]) is folds


# --- cse, dce --------------------------------------------------------------------------------------------


def test_cse_computes_every_value_once() -> None:
    x, y = source(), source("y")
    first, second = gc.exp(x) * y, gc.exp(x) * y
    context = Context()
    graph = run(CSE, first + second, gc.exp(x), context=context)
    shared = gc.exp(x) * y
    same(graph, shared + shared, shared.inputs[0])
    assert len(graph.nodes) == 5
    assert graph.results[0].inputs[0] is graph.results[0].inputs[1]
    assert context.ledger.counts() == {"cse": 3}
    np.testing.assert_array_equal(value_of(graph.results[0], ARRAY), value_of(first + second, ARRAY))


def test_cse_tells_bits_and_dtypes_apart() -> None:
    x = source()
    nodes = [x * 0.0, x * -0.0, x + 2.0, gc.sum(x, axis=0), gc.sum(x, axis=0, keepdims=True)]
    nodes += [x.astype("float64"), x.astype("int64"), x**1.0, gc.exp(x), gc.exp(source("y"))]
    assert len(run(CSE, *nodes).nodes) == len(Graph([], nodes).nodes)


def test_cse_merges_operands_in_either_order() -> None:
    x, y = source(), source("y")
    graph = run(CSE, gc.exp(x) * y, y * gc.exp(x), x - y, y - x)
    assert graph.results[0] is graph.results[1]
    assert graph.results[2] is not graph.results[3]
    assert op_names(graph).count("multiply") == 1


def test_cse_keeps_a_shape_that_only_a_guard_makes_equal() -> None:
    a, b = dims.symbol("a"), dims.symbol("b")
    x, y = source(shape=(a,)), source("y", shape=(b,))
    first, second = x + y, y + x
    assert first.shape != second.shape
    assert [node.shape for node in run(CSE, first, second).results] == [first.shape, second.shape]


def test_cse_keeps_effects_apart() -> None:
    x = source()
    graph = run(CSE, gc.print(x), gc.print(x), gc.exp(gc.check_numerics(x)), gc.exp(gc.check_numerics(x)))
    assert op_names(graph).count("print") == 2
    assert op_names(graph).count("check_numerics") == 2


def test_cse_merges_projections_and_reads_of_variables() -> None:
    x, w = source(), variable()
    labels = source("labels", (2,), "int64")
    losses = [softmax_cross_entropy(x * w, labels) for _ in range(2)]
    graph = run(CSE, *losses, updates=[(w, w + x * w)])
    assert graph.results[0] is graph.results[1]
    assert graph.updates[0][0] is w
    assert op_names(graph).count("multiply") == 1


def test_dce_drops_idle_updates_only() -> None:
    w, v, x = variable("w"), variable("v"), source()
    context = Context()
    graph = run(DCE, gc.exp(x), updates=[(w, w), (v, v + x), (variable("u"), v)], context=context)
    assert [found.name for found, _ in graph.updates] == ["v", "u"]
    assert context.ledger.counts() == {"dce": 1}


def test_what_no_output_reaches_does_not_exist() -> None:
    x = source()
    _unused = gc.exp(x)
    assert op_names(Graph([x], [x * 2.0])) == ["placeholder", "constant", "multiply"]


# --- legalize --------------------------------------------------------------------------------------------


def test_legalize_decomposes_what_the_backend_does_not_claim() -> None:
    x = source()
    graph = run(LEGALIZE, softmax(x))
    powers = gc.exp(x - gc.max(x, axis=1, keepdims=True))
    same(graph, powers / gc.sum(powers, axis=1, keepdims=True))
    np.testing.assert_array_equal(value_of(graph.results[0], ARRAY), value_of(softmax(x), ARRAY))


def test_legalize_keeps_claims_and_goes_on_inside() -> None:
    x = source()
    context = Context(capabilities=REFERENCE._replace(claims=frozenset({"softmax", "softplus"})))
    graph = run(LEGALIZE, softmax(softplus(x)) + gelu(x) + log_softmax(x), context=context)
    names = op_names(graph)
    assert {"softmax", "softplus"} <= set(names)
    assert not {"gelu", "log_softmax", "logsumexp"} & set(names)
    assert set(context.ledger.counts()) == {"decompose_gelu", "decompose_log_softmax"}


def test_legalize_takes_nodes_with_several_results_apart() -> None:
    logits, labels = source("logits"), source("labels", (2,), "int64")
    node = apply(OPS["softmax_cross_entropy"], (logits, labels))
    loss, shift, rest = projections(node)
    graph = run(LEGALIZE, loss, shift, rest, gc.exp(loss))
    assert "project" not in op_names(graph)
    assert not any(found.op.kind is Kind.COMPOSITE for found in graph.nodes)
    given = {logits: ARRAY[:, ::-1].copy(), labels: np.array([0, 2])}
    wanted = reference.evaluate([loss, shift, rest], given)
    found = reference.evaluate(graph.results[:3], given)
    for value, expected in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(value, expected)


def test_legalize_leaves_the_origins_of_the_user() -> None:
    with inherit(Origins((Line("user.py", 9, "f"),), 1)):
        node = softmax(source())
    for found in run(LEGALIZE, node).nodes:
        assert found.op.name == "placeholder" or found.origins == node.origins


# --- rewriting passes ------------------------------------------------------------------------------------

_REWRITING: list[tuple[Any, Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]] = [
    (CANONICALISE, lambda x: 2.0 * x - 1.5, lambda x: x * 2.0 + (-1.5)),
    (CANONICALISE, lambda x: gc.negative(-x) / 4.0, lambda x: x * 0.25),
    (CANONICALISE, lambda x: x > 0.0, lambda x: gc.asarray(0.0) < x),
    (CANONICALISE, lambda x: gc.reshape(gc.reshape(x, (6,)), (3, 2)), lambda x: gc.reshape(x, (3, 2))),
    (CANONICALISE, lambda x: x.T.T, lambda x: x),
    (CANONICALISE, lambda x: x[::-1][::-1], lambda x: x),
    (STABILISE, lambda x: gc.log(softmax(x)), log_softmax),
    (STABILISE, lambda x: gc.log(1.0 + gc.exp(x)), softplus),
    (STABILISE, lambda x: 1.0 / (1.0 + gc.exp(-x)), gc.sigmoid),
    (STABILISE, lambda x: gc.exp(x) - 1.0, gc.expm1),
    (STABILISE, lambda x: gc.log(gc.sigmoid(x)), lambda x: -softplus(-x)),
    (SIMPLIFY_PASS, lambda x: gc.abs(-x) * 1.0, abs),
    (SIMPLIFY_PASS, lambda x: gc.where(True, x, x + 1.0) + (-0.0), lambda x: x),
    (SIMPLIFY_PASS, lambda x: gc.sum(gc.sum(x, axis=0), axis=0), gc.sum),
    (SIMPLIFY_PASS, gc.stop_gradient, lambda x: x),
    (SIMPLIFY_PASS, lambda x: x * 1.0 + 0.0, lambda x: x + 0.0),
]


@pytest.mark.parametrize(("step", "before", "after"), _REWRITING)
def test_rewriting_passes(step: Any, before: Any, after: Any) -> None:
    x = source()
    graph = run(step, before(x))
    same(graph, after(x))
    small = np.array([[-1.5, 0.0, 2.0], [1.0, -0.25, 1e-3]], np.float32)
    np.testing.assert_allclose(value_of(graph.results[0], small), value_of(before(x), small), rtol=1e-5, atol=1e-7)


def test_exact_options_leave_all_but_exact_rules_out() -> None:
    x = source()
    before = gc.log(softmax(x)) + gc.sum(gc.sum(x, axis=0), axis=0) + x**2.0 - 1.5
    context = Context(CompileOptions("exact", verify=True))
    graph, _ = run_passes(Graph([x], [before]), DEFAULT[:4], context)
    assert {hit.exactness for hit in context.ledger.hits} == {"exact"}
    same(graph, gc.log(softmax(x)) + gc.sum(gc.sum(x, axis=0), axis=0) + x**2.0 + (-1.5))
    with np.errstate(all="ignore"):
        for array in (ARRAY, ARRAY[::-1]):
            found, wanted = value_of(graph.results[0], array), value_of(before, array)
            np.testing.assert_array_equal(found.view(np.uint32), wanted.view(np.uint32))


def test_fast_rules_need_to_be_asked_for() -> None:
    x = source()
    for exactness, wanted in (("default", x / 3.0), ("fast", x * (1.0 / 3.0))):
        same(run(SIMPLIFY_PASS, x / 3.0, context=Context(CompileOptions(exactness))), wanted)


# --- the default pipeline --------------------------------------------------------------------------------


def test_pipeline_shares_a_composite_with_its_gradient() -> None:
    logits, labels = source("logits"), source("labels", (2,), "int64")
    loss = gc.mean(softmax_cross_entropy(logits, labels))
    (gradient,) = gc.gradients([loss], [logits])
    graph, _ = run_passes(Graph([logits, labels], [loss, gradient]), DEFAULT, Context(CompileOptions(verify=True)))
    assert op_names(graph).count("max") == 1
    assert not any(node.op.kind is Kind.COMPOSITE for node in graph.nodes)
    given = {logits: np.array([[1.0, 200.0, -3.0], [0.5, 0.0, 2.0]], np.float32), labels: np.array([0, 2])}
    wanted = reference.evaluate([loss, gradient], given)
    found = reference.evaluate(graph.results, given)
    np.testing.assert_allclose(found[0], wanted[0], rtol=1e-6)
    np.testing.assert_allclose(found[1], wanted[1], rtol=1e-5, atol=1e-7)


def test_what_follows_legalisation_is_idempotent() -> None:
    x, w = source(), variable()
    loss = gc.sum(gc.log(softmax(x * w)) / 2.0 - 1.0)
    once, _ = run_passes(Graph([x], [loss], [(w, w - 0.1 * x)]), DEFAULT, Context())
    twice, records = run_passes(once, DEFAULT[DEFAULT.index(LEGALIZE) :], Context())
    assert graph_key(once) == graph_key(twice)
    assert sum(record.hits for record in records) == 0


def test_pipeline_takes_a_chain_of_20_000_nodes() -> None:
    x = node = source()
    with inherit(NO_ORIGINS):
        for index in range(10_000):
            node = gc.tanh(node * (1.0 if index % 2 else 0.5))
    graph, _ = run_passes(Graph([x], [node]), DEFAULT, Context())
    assert op_names(graph).count("tanh") == 10_000
    assert op_names(graph).count("multiply") == 5_000


def test_legal_only_is_the_graph_as_written() -> None:
    x = source()
    node = x * 1.0 - (-x)
    graph, _ = run_passes(Graph([x], [node]), LEGAL_ONLY, Context())
    assert graph.results == (node,)


# --- the manager -----------------------------------------------------------------------------------------


class Broken:
    """A pass that does what `change` does to a graph."""

    name = "broken"

    def __init__(self, change: Callable[[Graph], Graph]) -> None:
        self.change = change

    def run(self, graph: Graph, context: Context) -> Graph:
        return self.change(graph)


def _wrong_type(graph: Graph) -> Graph:
    node = graph.results[0]
    wrong = Tensor(node.op, node.inputs, node.attrs, TensorType(float32, (9,)), NO_ORIGINS, node.owner)
    return graph.with_outputs([wrong])


def test_verifying_names_the_pass_that_breaks_the_graph() -> None:
    x = source()
    graph = Graph([x], [gc.exp(x)])
    context = Context(CompileOptions(verify=True))
    for change in (
        _wrong_type,
        lambda g: Graph([], g.results),
        lambda g: g.with_outputs([gc.exp(source("z"))]),
    ):
        with pytest.raises(VerifyError, match="after broken: not true"):
            run_passes(graph, [CANONICALISE, Broken(change), CSE], context)
    run_passes(graph, [Broken(_wrong_type)], Context())  # nobody looks
    with pytest.raises(VerifyError, match="before: not true"):
        run_passes(_wrong_type(graph), [CSE], context)


def test_a_pass_must_keep_the_interface() -> None:
    x = source()
    graph = Graph([x], [gc.exp(x)])
    for change in (
        lambda g: Graph(g.parameters, [*g.results, x]),
        lambda g: Graph(g.parameters, [g.results[0].astype("float64")]),
        lambda g: Graph(g.parameters, []),
        lambda g: Graph(g.parameters, g.results, [(variable(), gc.zeros((2, 3)))]),
    ):
        with pytest.raises(InternalError, match="the pass broken changed the results"):
            run_passes(graph, [Broken(change)], Context())


def test_records_tell_what_every_pass_did() -> None:
    x = source()
    graph = Graph([x], [x * 1.0 + gc.exp(gc.asarray(0.0)), x * 1.0])
    final, records = run_passes(graph, DEFAULT, Context())
    assert [record.name for record in records] == [step.name for step in DEFAULT]
    assert records[0].before == len(graph.nodes)
    assert records[-1].after == len(final.nodes)
    assert all(left.after == right.before for left, right in pairwise(records))
    assert all(record.seconds >= 0 for record in records)
    by_name = {record.name: record.hits for record in records[:5]}
    assert by_name["fold"] == 1
    assert by_name["simplify"] == 2


def test_instruments_see_the_graph_around_every_pass() -> None:
    x = source()
    seen: list[tuple[str, int]] = []
    run_passes(
        Graph([x], [gc.negative(-x)]),
        [CANONICALISE, CSE],
        Context(),
        [lambda s, g: seen.append((s, len(g.nodes)))],
    )
    assert seen == [("before", 3), ("after canonicalise", 1), ("after cse", 1)]


def test_dumps_are_numbered_and_parse_back(tmp_path: Path) -> None:
    x, w = source("in/x", (A, 3)), variable("layer.w", (3,))
    graph = Graph([x], [softmax(x * w - 1.0)], [(w, w * 0.5)], name="my model/1")
    context = Context(CompileOptions(dump=str(tmp_path / "deep" / "dumps")))
    final, _ = run_passes(graph, DEFAULT, context)
    files = sorted((tmp_path / "deep" / "dumps").iterdir())
    assert [path.name for path in files][:3] == [
        "my-model-1-00-before.txt",
        "my-model-1-01-after-canonicalise.txt",
        "my-model-1-02-after-stabilise.txt",
    ]
    assert len(files) == len(DEFAULT) + 1
    assert all(re.fullmatch(r"my-model-1-\d\d-[a-z-]+\.txt", path.name) for path in files)
    parsed = [parse_graph(path.read_text(encoding="utf-8")) for path in files]
    assert graph_key(parsed[0]) == graph_key(graph)
    assert graph_key(parsed[-1]) == graph_key(final)


def test_contexts_share_no_ledger() -> None:
    one, two = Context(), Context()
    run(CSE, gc.exp(source()) + gc.exp(source("x")), context=one)
    assert two.ledger.hits == []


def test_the_limit_bisects_to_one_hit() -> None:
    x, w = source(), variable()
    twice = gc.exp(x) + gc.exp(x)
    output = gc.negative(-x) * 1.0 + gc.log(softmax(x)) + twice + gc.exp(gc.asarray(0.0))
    graph = Graph([x], [output, x - 1.5], [(w, w)])
    full = Context()
    run_passes(graph, DEFAULT, full)
    total = len(full.ledger.hits)
    assert total >= 8
    ones = np.ones((2, 3), np.float32)
    for limit in range(total + 1):
        context = Context(limit=limit)
        found, _ = run_passes(graph, DEFAULT, context)
        rules = [hit.rule for hit in context.ledger.hits]
        assert rules[:limit] == [hit.rule for hit in full.ledger.hits][:limit]
        assert all(name.startswith("decompose_") for name in rules[limit:])
        np.testing.assert_allclose(value_of(found.results[0], ones), value_of(output, ones), rtol=1e-5)
    assert Context(limit=0).exhausted
    assert not Context().exhausted
