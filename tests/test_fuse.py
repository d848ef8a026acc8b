"""Fusion: the `fused` op, which nodes become one, and why others do not."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from random_graphs import SIZES, make_case

import graphc as gc
from graphc import reference
from graphc.backend import Capabilities, FusionLimits
from graphc.errors import NO_ORIGINS, InternalError, OutOfRangeError
from graphc.ir.dtype import float32, int64
from graphc.ir.graph import Graph
from graphc.ir.key import graph_key, structural_key
from graphc.ir.opdef import Kind, Trait
from graphc.ir.text import parse_graph, print_graph
from graphc.ir.verify import verify
from graphc.lowering.fuse import FUSE
from graphc.lowering.kernel_builder import build_kernel
from graphc.lowering.kernel_interpreter import interpret
from graphc.ops.fused import FUSED_OPS, fuse_node, inline, parameter, reads_in_place
from graphc.passes.fusion import FusionReport
from graphc.passes.manager import Context, run_passes
from graphc.passes.pipelines import DEFAULT

# --- the op ---------------------------------------------------------------------------------------------------------


def softplus_body() -> Graph:
    x, y = parameter(0, float32, (3,)), parameter(1, float32, ())
    kept = gc.exp(x) + 1.0
    return Graph([x, y], [gc.log(kept), kept * y])


def placed() -> tuple[Graph, Graph]:
    """A graph with a group, and the same graph without."""
    with gc.Graph():
        a, b = gc.placeholder("a", (3,)), gc.placeholder("b", ())
    body = softplus_body()
    return (
        Graph([a, b], [-part for part in fuse_node(body, [a, b], "elementwise", NO_ORIGINS)]),
        Graph([a, b], [-part for part in inline(body, [a, b])]),
    )


def values(graph: Graph, **arrays: np.ndarray) -> list[np.ndarray]:
    return reference.evaluate(graph.results, {node: arrays[node.name] for node in graph.parameters})


def test_the_reference_computes_the_body() -> None:
    arrays = {"a": np.array([0, 1, 2], np.float32), "b": np.array(3, np.float32)}
    for got, expected in zip(*(values(graph, **arrays) for graph in placed()), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_text_prints_and_parses_back() -> None:
    graph, _ = placed()
    verify(graph)
    text = print_graph(graph)
    again = parse_graph(text)
    verify(again)
    assert print_graph(again) == text
    assert [structural_key(node) for node in again.results] == [structural_key(node) for node in graph.results]


def test_equal_bodies_have_equal_keys_and_others_do_not() -> None:
    (first, _), (second, _) = placed(), placed()
    assert list(map(structural_key, first.results)) == list(map(structural_key, second.results))
    a, b = first.parameters
    body = softplus_body()
    swapped = Graph(body.parameters, body.results[::-1])
    (one, *_), (other, *_) = (fuse_node(region, [a, b], "elementwise", NO_ORIGINS) for region in (body, swapped))
    assert structural_key(one) != structural_key(other)


def test_operands_must_be_what_the_body_takes() -> None:
    with gc.Graph():
        a, b = gc.placeholder("a", (4,)), gc.placeholder("b", ())
    with pytest.raises(InternalError, match=r"float32\[3\], float32\[\]"):
        fuse_node(softplus_body(), [a, b], "elementwise", NO_ORIGINS)
    with pytest.raises(InternalError, match="no kind of group"):
        fuse_node(softplus_body(), [a, b], "other", NO_ORIGINS)


def test_a_group_that_can_fail_says_so_and_fails_as_its_parts() -> None:
    x, i = parameter(0, float32, (3,)), parameter(1, int64, (2,))
    body = Graph([x, i], [gc.take(x, i) * 2.0])
    with gc.Graph():
        a, b = gc.placeholder("a", (3,)), gc.placeholder("b", (2,), gc.int64)
    (doubled,) = fuse_node(body, [a, b], "elementwise", NO_ORIGINS)
    assert Trait.CAN_FAIL in doubled.inputs[0].op.traits
    graph = Graph([a, b], [doubled])
    array = np.array([1, 2, 3], np.float32)
    np.testing.assert_array_equal(values(graph, a=array, b=np.array([2, 0]))[0], [6, 2])
    with pytest.raises(OutOfRangeError):
        values(graph, a=array, b=np.array([3, 0]))


def test_which_operands_are_read_element_by_element() -> None:
    x, row, whole = parameter(0, float32, (2, 3)), parameter(1, float32, (3,)), parameter(2, float32, (2, 3))
    body = Graph([x, row, whole], [x * row + gc.permute_dims(gc.reshape(whole, (3, 2)))])
    assert reads_in_place(body) == (True, False, False)


# --- the pass -------------------------------------------------------------------------------------------------------

EVERYTHING = frozenset({"elementwise", "layout", "reduction", "row", "gather", "single"})
GROUPS_ONLY = EVERYTHING - {"single"}


def fuse(graph: Graph, fuses: frozenset[str] = GROUPS_ONLY, **options: Any) -> tuple[Graph, FusionReport]:
    """The graph after the pass, which is held to the specification, and the account."""
    context = Context(capabilities=Capabilities("test", fuses=fuses, **options))
    fused = FUSE.run(graph, context)
    verify(fused)
    assert context.fusion is not None
    return fused, context.fusion


def groups(report: FusionReport) -> list[tuple[str, tuple[str, ...]]]:
    return [(group.kind, group.ops) for group in report.groups]


def leaves(*shapes: tuple[Any, ...]) -> list[gc.Tensor]:
    with gc.Graph():
        return [gc.placeholder(f"x{number}", shape) for number, shape in enumerate(shapes)]


def test_a_chain_becomes_one_node() -> None:
    x, y = leaves((2, 3), (3,))
    before = Graph([x, y], [gc.tanh(gc.exp(x) * y)])
    after, report = fuse(before)
    a, b = parameter(0, float32, (2, 3)), parameter(1, float32, (3,))
    body = Graph([a, b], [gc.tanh(gc.exp(a) * b)])
    expected = Graph([x, y], fuse_node(body, [x, y], "elementwise", NO_ORIGINS))
    assert graph_key(after) == graph_key(expected)
    (group,) = report.groups
    assert (group.kind, group.inputs, group.outputs, group.saved) == ("elementwise", 2, 1, 4 * 24)
    assert "test_fuse.py" in str(group.origins)
    assert not report.refused


def test_what_is_read_outside_is_a_result() -> None:
    x, w = leaves((2, 3), (3, 2))
    kept = gc.exp(x)
    after, report = fuse(Graph([x, w], [kept * 2.0 + 1.0, kept @ w]))
    assert groups(report) == [("elementwise", ("exp", "multiply", "add"))]
    assert report.groups[0].outputs == 2
    assert sorted(node.op.name for node in after.nodes if node.op.kind is not Kind.SOURCE) == [
        "fused", "matmul", "project", "project",
    ]  # fmt: skip


def test_groups_that_meet_become_one() -> None:
    x, y = leaves((4,), (4,))
    _, report = fuse(Graph([x, y], [gc.exp(x) + gc.sin(y) * gc.cos(y)]))
    assert groups(report) == [("elementwise", ("exp", "sin", "cos", "multiply", "add"))]


def test_softmax_is_a_row() -> None:
    (x,) = leaves(("n", 8))
    graph, _ = run_passes(Graph([x], [gc.nn.softmax(x, axis=-1)]), DEFAULT, Context())
    after, report = fuse(graph)
    assert [group.kind for group in report.groups] == ["row"]
    assert after.results[0].inputs[0].inputs == (x,)


def test_a_reduction_ends_a_group_and_rows_go_on() -> None:
    (x,) = leaves((3, 4))
    _, report = fuse(Graph([x], [gc.sqrt(gc.sum(x * x, axis=0)) + 1.0]))
    assert groups(report) == [("reduction", ("multiply", "sum", "sqrt", "add"))]


def test_an_elementwise_group_joins_the_rows_of_another() -> None:
    x, y = leaves((3, 4), (3,))
    _, report = fuse(Graph([x, y], [gc.sum(gc.exp(x), axis=1) * gc.sin(y)]))
    assert groups(report) == [("reduction", ("exp", "sum", "sin", "multiply"))]


def test_layout_of_what_is_outside_is_read_where_it_is_needed() -> None:
    x, y = leaves((3, 4), (4, 2))
    moved = gc.concat([gc.permute_dims(x)[:, 1:], y], axis=1)
    after, report = fuse(Graph([x, y], [gc.exp(moved) * 2.0, gc.sum(gc.sin(moved))]))
    assert groups(report) == [("elementwise", ("exp", "multiply")), ("reduction", ("sin", "sum"))]
    fused = [node for node in after.nodes if node.op in FUSED_OPS]
    assert all("concat" in {inner.op.name for inner in node.attrs["body"].nodes} for node in fused)
    assert not {"concat", "slice", "permute_dims"} & {node.op.name for node in after.nodes}


def test_reshapes_keep_an_even_group_together_and_leave_it_as_views() -> None:
    x, w = leaves((2, 6), (4, 2))
    flat = gc.reshape(gc.exp(x), (3, 4))
    after, report = fuse(Graph([x, w], [gc.sin(flat) * 2.0, flat @ w]))
    assert groups(report) == [("elementwise", ("exp", "reshape", "sin", "multiply"))]
    (product,) = [node for node in after.nodes if node.op.name == "matmul"]
    assert product.inputs[0].op.name == "reshape", "no second copy of the same elements"


def test_numbers_are_copied_into_the_body() -> None:
    (x,) = leaves(("n",))
    after, report = fuse(Graph([x], [gc.sin(x * 3.0) / gc.dim_value(x.shape[0], "float32")]))
    assert report.groups[0].inputs == 1
    verify(after)


def test_gathers_join_only_where_the_backend_takes_them() -> None:
    with gc.Graph():
        x, i = gc.placeholder("x", (5, 3)), gc.placeholder("i", (4,), gc.int64)
    graph = Graph([x, i], [gc.exp(gc.take(x, i, axis=0)) * 2.0])
    after, report = fuse(graph)
    assert groups(report) == [("elementwise", ("take", "exp", "multiply"))]
    assert after.results[0].inputs[0].op.name == "fused_checked"
    _, report = fuse(graph, GROUPS_ONLY - {"gather"})
    assert groups(report) == [("elementwise", ("exp", "multiply"))]


def test_single_wraps_what_is_alone_but_views() -> None:
    x, w = leaves((2, 3), (2, 4))
    graph = Graph([x, w], [gc.exp(x), gc.permute_dims(x) @ w, gc.reshape(gc.matmul(x, gc.permute_dims(x)), (4,))])
    after, _ = fuse(graph, EVERYTHING, views=frozenset({"reshape"}))
    assert {node.op.name for node in after.nodes if node.op.kind is not Kind.SOURCE} == {
        "fused", "matmul", "project", "reshape",
    }  # fmt: skip


def test_a_limit_of_hits_leaves_the_groups_after_it() -> None:
    x, w = leaves((4, 4), (4, 4))
    graph = Graph([x, w], [gc.sin(gc.cos(gc.tanh(gc.exp(x)) @ w))])
    for limit, expected in ((0, 0), (1, 1), (2, 2), (None, 2)):
        context = Context(capabilities=Capabilities("test", fuses=GROUPS_ONLY), limit=limit)
        FUSE.run(graph, context)
        assert [hit.rule for hit in context.ledger.hits] == ["fuse_elementwise"] * expected


# --- reasons --------------------------------------------------------------------------------------------------------


REASONS: dict[str, tuple[tuple[tuple[Any, ...], ...], Callable[..., gc.Tensor], dict[str, Any]]] = {
    "matmul is a step of its own": (((3, 3),), lambda x: gc.exp(x) @ gc.exp(x), {}),
    "test fuses no reduction ops": (((3,),), lambda x: gc.sum(gc.exp(x)), {"fuses": frozenset({"elementwise"})}),
    "test fuses no layout ops": (((3,),), lambda x: gc.exp(x)[1:], {"fuses": frozenset({"elementwise"})}),
    "test fuses no gather ops": (
        ((3,),),
        lambda x: gc.take(gc.exp(x), gc.asarray([0, 1]), axis=0),
        {"fuses": frozenset({"elementwise"})},
    ),
    "test runs sin as a step of its own": (((3,),), lambda x: gc.sin(gc.exp(x)), {"separate": frozenset({"sin"})}),
    "test gains nothing by groups of so few elements": (
        ((3,),),
        lambda x: gc.sin(gc.exp(x)),
        {"fusion_limits": FusionLimits(elements=4)},
    ),
    "the group would be too large": (
        ((3,),),
        lambda x: gc.sin(gc.cos(gc.exp(x))),
        {"fusion_limits": FusionLimits(nodes=2)},
    ),
    "the group would read too many arrays": (
        ((3,), (3,), (3,)),
        lambda x, y, z: x * y * z,
        {"fusion_limits": FusionLimits(inputs=2)},
    ),
    "it reads too many arrays": (
        ((3,), (3,), (3,)),
        lambda x, y, z: gc.where(gc.exp(x) > 0, y, z),
        {"fusion_limits": FusionLimits(inputs=2)},
    ),
    "it is broadcast: every element would be computed many times": (((3,), (2, 3)), lambda x, y: gc.exp(x) * y, {}),
    "its elements are needed in another order, when all are there": (((3,),), lambda x: gc.sin(gc.exp(x)[::-1]), {}),
    "the same values are needed in another order, too": (
        ((3,),),
        lambda x: (lambda y: gc.sin(y + gc.reshape(y[::-1], (3,))))(gc.exp(x)),
        {},
    ),
    "in another shape its elements do not meet those that the group reads": (
        ((2, 3), (3,)),
        lambda x, y: gc.sin(gc.reshape(x * y, (3, 2))),
        {},
    ),
    "it has been reduced already": (((3, 4),), lambda x: gc.max(gc.sum(x, axis=1), axis=0), {}),
    "after a reshape its axes are not those of the group": (
        ((2, 6),),
        lambda x: gc.sum(gc.reshape(gc.exp(x), (3, 4)) * 2.0, axis=1),
        {},
    ),
    "the group reduces over other axes": (
        ((3, 4),),
        lambda x: (lambda y: gc.sum(gc.sum(y, axis=0)) + gc.sum(gc.max(y, axis=1)))(gc.exp(x)),
        {},
    ),
    "the two are reduced over other axes": (
        ((3, 3),),
        lambda x: gc.sum(x, axis=0) + gc.sum(gc.exp(x), axis=1),
        {},
    ),
    "the reduced axes are not the last ones": (((3, 4),), lambda x: x - gc.sum(x, axis=0), {}),
    "its rows are long: 9 elements": (
        ((2, 9),),
        lambda x: x - gc.max(x, axis=1, keepdims=True),
        {"fusion_limits": FusionLimits(row=8)},
    ),
    "test fuses no reduced values with what they were reduced from": (
        ((2, 9),),
        lambda x: x - gc.max(x, axis=1, keepdims=True),
        {"fuses": frozenset({"elementwise", "reduction"})},
    ),
    "it is broadcast to another shape than it was reduced from": (
        ((3, 4), (3, 5)),
        lambda x, y: gc.sum(x, axis=1, keepdims=True) * y,
        {},
    ),
    "it is broadcast along other axes than it was reduced over": (((3, 3),), lambda x: x - gc.sum(x, axis=1), {}),
    "something between the two needs one and is needed by the other": (
        ((3, 3),),
        lambda x: (lambda y: y * (y @ x))(gc.exp(x)) + (lambda y: gc.sin(y) + (gc.sin(y) @ x))(gc.cos(x)),
        {},
    ),
    "it is used for every element and for every row": (
        ((3, 1),),
        lambda x: (lambda y: y + gc.sum(y, axis=1, keepdims=True))(gc.exp(x)),
        {},
    ),
    "all of it must be there before elements are picked": (
        ((3,),),
        lambda x: gc.take(gc.exp(x), gc.asarray([0, 1]), axis=0),
        {},
    ),
}


@pytest.mark.parametrize("reason", REASONS)
def test_an_edge_that_stays_says_why(reason: str) -> None:
    shapes, make, options = REASONS[reason]
    inputs = leaves(*shapes)
    graph = Graph(inputs, [make(*inputs)])
    after, report = fuse(graph, **options)
    found = {edge.reason: edge for edge in report.refused}
    assert reason in found
    assert "test_fuse.py" in str(found[reason])
    rng = np.random.default_rng(0)
    arrays = {node: rng.random(node.shape).astype(np.float32) for node in inputs}
    (got,), (expected,) = (reference.evaluate(g.results, arrays) for g in (after, graph))
    np.testing.assert_allclose(got, expected, rtol=1e-5)


# --- random graphs --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(24))
def test_random_graphs_are_fused_without_cycles_and_every_group_is_a_kernel(seed: int) -> None:
    """The verifier sees cycles as inputs that are not there; kernels give what their bodies give."""
    case = make_case(seed)
    for fuses, nodes in ((EVERYTHING, 64), (EVERYTHING, 5), (GROUPS_ONLY, 64), (frozenset({"elementwise"}), 9)):
        graph, _ = run_passes(case.graph, DEFAULT, Context())
        limits = FusionLimits(nodes=nodes)
        fused, _ = fuse(graph, fuses, views=frozenset({"reshape"}), fusion_limits=limits)
        arrays = case.arrays(SIZES)
        kept: dict[gc.Tensor, Any] = {}
        computed = reference.evaluate(fused.outputs, arrays, SIZES, visit=kept.__setitem__)
        for got, expected in zip(computed, reference.evaluate(graph.outputs, arrays, SIZES), strict=True):
            np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)
        for node in fused.nodes:
            if node.op in FUSED_OPS:
                kernel = build_kernel(node.attrs["body"], node.attrs["fusion"], "kernel")
                results = interpret(kernel, [np.asarray(kept[source], order="C") for source in node.inputs], SIZES)
                for got, expected in zip(results, kept[node], strict=True):
                    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)


# --- what a person reads --------------------------------------------------------------------------------------------


def account(graph: Graph) -> list[str]:
    """The report without files and lines."""
    simplified, _ = run_passes(graph, DEFAULT, Context())
    _, report = fuse(simplified, EVERYTHING)
    return [re.sub(r"  +\S*test_fuse\.py:\d+.*", "", re.sub(r"  \S*\.py.*", "", line)) for line in report.lines()]


def test_softmax_as_explained() -> None:
    (x,) = leaves(("n", 8))
    assert account(Graph([x], [gc.nn.softmax(x)])) == [
        "group0 [row] max, subtract, exp, sum, divide: 1 in, 1 out, 176*n bytes saved",
    ]


def test_layer_norm_as_explained() -> None:
    x, scale, shift = leaves(("n", 8), (8,), (8,))
    centred = x - gc.mean(x, axis=-1, keepdims=True)
    normal = centred * gc.rsqrt(gc.mean(centred * centred, axis=-1, keepdims=True) + 1e-5)
    assert account(Graph([x, scale, shift], [normal * scale + shift])) == [
        "group0 [row] sum × 2, multiply × 5, subtract, add × 2, rsqrt: 3 in, 1 out, 336*n bytes saved",
    ]


def test_adam_as_explained() -> None:
    with gc.Graph() as graph:
        x = gc.placeholder("x", (5, 3))
        w = gc.Variable(np.ones((3, 2), np.float32), name="w")
        train = gc.optim.Adam(0.1).minimize(gc.sum(gc.sin(x @ w)))
    plan = gc.Session(graph, backend="numpy").compile(train, feeds=[x]).plan
    assert account(plan.recorded) == [
        "group0 [elementwise] add, astype × 3, pow × 2, subtract × 2, rsqrt, divide: 2 in, 3 out, 128 bytes saved",
        "group1 [elementwise] cos: 1 in, 1 out, 0 bytes saved",
        "group2 [elementwise] permute_dims: 1 in, 1 out, 0 bytes saved",
        "group3 [elementwise] multiply × 7, add × 3, sqrt, divide, subtract: 6 in, 3 out, 528 bytes saved",
        "not fused: matmul is a step of its own",
        "  matmul → cos",
        "  permute_dims → matmul",
        "  cos → matmul",
        "  matmul → multiply × 2",
        "not fused: it is broadcast: every element would be computed many times",
        "  astype → multiply × 2",
    ]
