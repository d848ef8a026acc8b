"""Fusion: the `fused` op, which nodes become one, and why others do not."""

import numpy as np
import pytest

import graphc as gc
from graphc import reference
from graphc.errors import NO_ORIGINS, InternalError, OutOfRangeError
from graphc.ir.dtype import float32, int64
from graphc.ir.graph import Graph
from graphc.ir.key import structural_key
from graphc.ir.opdef import Trait
from graphc.ir.text import parse_graph, print_graph
from graphc.ir.verify import verify
from graphc.ops.fused import fuse_node, inline, parameter, reads_in_place

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
