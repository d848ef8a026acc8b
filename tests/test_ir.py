"""Tensors, keys, walks, verifier, text form, ledger, and the user's lines."""

import copy
import inspect
import itertools
import math
import operator
import pickle
import random
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc import errors, ops, tree
from graphc.errors import (
    NO_ORIGINS,
    DTypeError,
    GraphcError,
    GraphMismatchError,
    InternalError,
    Line,
    Origins,
    ShapeError,
    StaticGraphError,
    TextSyntaxError,
    UnknownNameError,
    VerifyError,
    merge_origins,
)
from graphc.ir import dims
from graphc.ir.dtype import DTYPES, bool_, float32, float64, int64
from graphc.ir.graph import Graph
from graphc.ir.key import encode_attr, graph_key, structural_key
from graphc.ir.ledger import Hit, Ledger
from graphc.ir.opdef import FUNCTIONS, OPS, Kind, OpDef, lookup, register
from graphc.ir.tensor import Tensor, VariableNode, apply, inherit, rebuild
from graphc.ir.text import parse_graph, print_attr, print_graph
from graphc.ir.types import TensorType, TupleType
from graphc.ir.verify import GRAPH_SPEC, NODE_SPEC, verify
from graphc.ir.walk import regions, toposort, transform, users
from graphc.ops.activation import softmax, softmax_cross_entropy
from graphc.ops.define import constant_node
from graphc.ops.sources import PLACEHOLDER, VARIABLE

A, B = dims.symbol("a"), dims.symbol("b")


class Owner:
    def __init__(self, name: str) -> None:
        self.name = name


OWNER = Owner("tests")


def source(name: str = "x", shape: Any = (3,), dtype: Any = float32, owner: Any = OWNER) -> Tensor:
    attrs = MappingProxyType({"name": name, "dtype": dtype, "shape": tuple(shape)})
    return Tensor(PLACEHOLDER, (), attrs, TensorType(dtype, tuple(shape)), NO_ORIGINS, owner)


def variable(name: str = "w", shape: Any = (3,), dtype: Any = float32) -> VariableNode:
    return VariableNode(VARIABLE, {"name": name, "dtype": dtype, "shape": tuple(shape)}, OWNER, None, True)


def key(value: Any) -> bytes:
    return structural_key(gc.asarray(value))


def line_here() -> int:
    frame = inspect.currentframe()
    assert frame is not None
    assert frame.f_back is not None
    return frame.f_back.f_lineno


def chain(length: int) -> tuple[Tensor, Tensor]:
    x = node = source()
    with inherit(NO_ORIGINS):
        for _ in range(length):
            node = apply(OPS["negative"], (node,))
    return x, node


# --- structural key --------------------------------------------------------------------------------------


def test_attributes_are_told_apart_by_type_and_bits() -> None:
    region = Graph([source()], [gc.exp(source())])
    other = Graph([source()], [gc.log(source())])
    different = [
        1, True, 1.0, 0, False, 0.0, -0.0, None, "1", "", math.inf, -math.inf, math.nan, float32, float64,
        (1,), (1, 2), ((1,), 2), (1, (2,)), (), "(1,)", A, A + 1, "a", B, dims.floordiv(A, 2),
        np.zeros(2, np.float32), -np.zeros(2, np.float32), np.zeros(2, np.int32),
        np.zeros((2, 1), np.float32), region, other,
    ]  # fmt: skip
    encoded = [encode_attr(value) for value in different]
    assert len(set(encoded)) == len(different)
    assert encode_attr(A + 1) == encode_attr(1 + dims.symbol("a"))
    assert encode_attr(math.nan) == encode_attr(-math.nan)


@pytest.mark.parametrize("value", [[1], {"a": 1}, {1}, 1j, b"1", np.int64(1), np.float32(1), object()])
def test_attributes_are_of_a_closed_set_of_types(value: Any) -> None:
    with pytest.raises(InternalError, match="attribute cannot be a"):
        encode_attr(value)


def test_constants_are_told_apart_by_bits_dtype_and_shape() -> None:
    quiet, other = (np.array([bits], np.uint32).view(np.float32) for bits in (0x7FC00000, 0x7FC00001))
    arrays = [
        np.array(1), np.array(True), np.array(1.0), np.array(1, np.int32), np.array([1]), np.array([[1]]),
        np.array(0.0), np.array(-0.0), quiet, other, np.array([1, 2]), np.array([2, 1]), np.array([[1, 2]]),
    ]  # fmt: skip
    assert len({key(array) for array in arrays}) == len(arrays)
    assert key(np.array([[1, 2], [3, 4]]).T) == key(np.array([[1, 3], [2, 4]]))


def build_everything() -> list[Tensor]:
    x, y = source("x", (A, 4)), source("y", (A, 4))
    labels = source("labels", (A,), int64)
    w = variable("w", (4, 4))
    h = gc.tanh(x @ w + 1.5) * y
    return [
        softmax_cross_entropy(h, labels),
        gc.sum(h, axis=1, keepdims=True),
        gc.where(h > 0.0, h[::-1], 0.0),
        gc.mean(gc.take(h, labels, axis=0)),
    ]


def test_graphs_built_twice_have_equal_keys() -> None:
    first, second = build_everything(), build_everything()
    assert [structural_key(node) for node in first] == [structural_key(node) for node in second]
    assert len({structural_key(node) for node in first}) == len(first)


def test_sources_differ_by_name_dtype_and_shape() -> None:
    different = [
        source(), source("y"), source(shape=(4,)), source(shape=(A,)), source(dtype=float64),
        variable("x"), gc.dim_value(A), gc.dim_value(B), gc.dim_value(A, float32),
    ]  # fmt: skip
    assert len({structural_key(node) for node in different}) == len(different)


def test_key_knows_op_version_operands_and_their_order() -> None:
    x, y = source("x"), source("y")
    newer = OpDef("subtract", Kind.ELEMENTWISE, OPS["subtract"].infer, version=2)
    different = [x - y, y - x, x - x, x + y, apply(newer, (x, y)), gc.sum(x), gc.sum(x, keepdims=True)]
    assert len({structural_key(node) for node in different}) == len(different)


def test_key_does_not_know_lines_owners_or_guards() -> None:
    x, y = source("x"), source("x", owner=Owner("another"))
    assert structural_key(gc.exp(x)) == structural_key(gc.exp(y))


def test_keys_do_not_tell_the_order_of_operands_that_commute() -> None:
    x, y, z = source("x"), source("y"), source("z")
    assert structural_key(x * y + z) == structural_key(z + y * x)
    assert structural_key(x - y) != structural_key(y - x)
    assert structural_key(gc.where(x > y, y, x)) != structural_key(gc.where(x > y, x, y))
    assert structural_key(x * y + z) != structural_key(x * z + y)


def test_graph_key_knows_what_is_result_and_what_is_update() -> None:
    x, w = source(), variable()
    graphs = [
        Graph([x], [w, w + x]),
        Graph([x], [], [(w, w + x)]),
        Graph([x], [w + x, w]),
        Graph([x], [w + x]),
        Graph([x], [w], [(w, w + x)]),
    ]
    assert len({graph_key(graph) for graph in graphs}) == len(graphs)
    assert graph_key(graphs[0]) == graph_key(Graph([source()], [variable(), variable() + source()], name="b"))


def test_a_chain_of_100_000_nodes_needs_no_recursion() -> None:
    x, node = chain(100_000)
    assert len(structural_key(node)) == 16
    assert structural_key(node) == structural_key(chain(100_000)[1])
    order = toposort([node])
    assert len(order) == 100_001
    assert order[0] is x
    assert transform(toposort([node]), rebuild)[node] is node
    verify(Graph([x], [node]))


# --- constants -------------------------------------------------------------------------------------------


def test_constants_are_copied_and_frozen() -> None:
    array = np.arange(3.0)
    node = gc.asarray(array)
    array[0] = 9.0
    value = node.attrs["value"]
    assert value.tolist() == [0.0, 1.0, 2.0]
    with pytest.raises(ValueError, match="read-only"):
        value[0] = 1.0
    assert node.owner is None


def test_constants_are_contiguous_and_in_native_byte_order() -> None:
    for array in (np.arange(6.0).reshape(2, 3).T, np.arange(6.0)[::2], np.arange(3, dtype=">i4")):
        value = gc.asarray(array).attrs["value"]
        assert value.flags.c_contiguous
        assert value.dtype.isnative
        np.testing.assert_array_equal(value, array)


# --- tensors ---------------------------------------------------------------------------------------------


def test_tensors_are_immutable() -> None:
    x = source()
    for name in ("op", "inputs", "type", "shape", "name", "new"):
        with pytest.raises(StaticGraphError, match="immutable"):
            setattr(x, name, 1)
    with pytest.raises(TypeError):
        x.attrs["name"] = "y"  # type: ignore[index]
    with pytest.raises(TypeError):
        gc.sum(x).attrs["axis"] = ()  # type: ignore[index]
    assert copy.copy(x) is x
    assert copy.deepcopy([x])[0] is x
    with pytest.raises(StaticGraphError, match="pickled"):
        pickle.dumps(x)


def test_hash_is_identity_and_equality_records() -> None:
    x, y = source("x"), source("y")
    assert len({x, y, x}) == 2
    assert {x: 1}[x] == 1
    for operation, name in ((operator.eq, "equal"), (operator.ne, "not_equal"), (operator.lt, "less")):
        node = operation(x, y)
        assert node.op.name == name
        assert node.dtype is bool_
        assert operation(x, 1.0).op.name == name
    assert len({node.id for node in (x, y, x + y, x + y)}) == 4


_OPERATORS: list[tuple[Callable[..., Any], str]] = [
    (operator.add, "add"),
    (operator.sub, "subtract"),
    (operator.mul, "multiply"),
    (operator.truediv, "divide"),
    (operator.floordiv, "floor_divide"),
    (operator.mod, "remainder"),
    (operator.pow, "pow"),
    (operator.le, "less_equal"),
    (operator.gt, "greater"),
    (operator.ge, "greater_equal"),
]


@pytest.mark.parametrize(("operation", "name"), _OPERATORS, ids=[name for _, name in _OPERATORS])
def test_operators_are_the_public_functions(operation: Callable[..., Any], name: str) -> None:
    x = source()
    assert operation(x, 2.0).op is OPS[name]
    if name not in ("less_equal", "greater", "greater_equal"):
        reflected = operation(2.0, x)
        assert reflected.op is OPS[name]
        assert reflected.inputs[1] is x
        assert operation(np.ones(3, np.float32), x).inputs[1] is x


def test_unary_operators_and_properties() -> None:
    x, flags, matrix = source(), source(dtype=bool_), source(shape=(A, 3))
    assert (-x).op.name == "negative"
    assert +x is x
    assert abs(x).op.name == "abs"
    assert (~flags).op.name == "bitwise_invert"
    for node in (flags & True, True | flags, flags ^ flags):
        assert node.dtype is bool_
    assert matrix.T.shape == matrix.mT.shape == (3, A)
    assert (matrix.ndim, matrix.size, matrix.dtype) == (2, 3 * A, float32)
    assert matrix.astype("int64").dtype is int64
    assert matrix.astype("float32") is matrix
    with pytest.raises(ShapeError, match="for matrices"):
        _ = x.T
    assert "placeholder 'x' float32[3]" in repr(x)


_ASKING: list[tuple[str, Callable[[Tensor], Any], str]] = [
    ("bool", bool, "gc.where"),
    ("if", lambda t: 1 if t else 2, "gc.where"),
    ("chained comparison", lambda t: 0.0 < t < 1.0, "gc.where"),
    ("in", lambda t: t in [source("y")], "gc.where"),
    ("float", float, "session.run"),
    ("int", int, "gc.evaluate"),
    ("index", lambda t: [1, 2][t], "x[t]"),
    ("range", range, "x[t]"),
    ("np.asarray", np.asarray, "gc.evaluate"),
    ("np.array", np.array, "session.run"),
    ("math.exp", math.exp, "session.run"),
]


@pytest.mark.parametrize(("ask", "fix"), [row[1:] for row in _ASKING], ids=[row[0] for row in _ASKING])
def test_a_value_cannot_be_had_and_the_error_teaches(ask: Callable[[Tensor], Any], fix: str) -> None:
    with pytest.raises(StaticGraphError, match="no value before the graph runs") as caught:
        ask(source())
    assert isinstance(caught.value, TypeError)
    assert caught.value.fix is not None
    assert fix in caught.value.fix
    assert "test_ir.py" in str(caught.value)


def test_static_leading_axes_have_length_and_unpack() -> None:
    x = source(shape=(3, A))
    assert len(x) == 3
    first, *rest = x
    assert (first.shape, len(rest)) == ((A,), 2)
    assert [node.inputs[0].attrs["starts"][0] for node in x] == [0, 1, 2]
    for without, why in ((source(shape=()), "a scalar has no length"), (source(shape=(A, 3)), "no static length")):
        with pytest.raises(StaticGraphError, match=why):
            len(without)
        with pytest.raises(StaticGraphError, match=why):
            iter(without)


def test_numpys_protocols_record() -> None:
    x = source(shape=(2, 3))
    array = np.ones((2, 3), np.float32)
    for node, name in (
        (np.exp(x), "exp"),
        (np.add(array, x), "add"),
        (np.add(x, array), "add"),
        (array * x, "multiply"),
        (np.float64(2.0) * x, "multiply"),
        (np.sum(x, axis=0), "sum"),
        (np.power(x, 2.0), "pow"),
        (np.absolute(x), "abs"),
        (np.concatenate([x, array], axis=1), "concat"),
        (np.amax(x, axis=1), "max"),
        (np.transpose(x), "permute_dims"),
        (np.where(x > 0.0, x, 0.0), "where"),
        (np.isnan(x), "isnan"),
        (array @ x.T, "matmul"),
    ):
        assert isinstance(node, Tensor)
        assert node.op.name == name
    assert (np.float64(2.0) * x).dtype is float32
    assert np.sum(x, axis=0).shape == (3,)


def test_numpy_functions_that_graphc_lacks_say_so() -> None:
    x = source(shape=(2, 2))
    for call in (np.linalg.cond, np.unwrap, np.fft.fft2):
        with pytest.raises(StaticGraphError, match="cannot be recorded"):
            call(x)
    with pytest.raises(StaticGraphError, match="no out= and no where="):
        np.exp(x, out=np.zeros((2, 2)))
    with pytest.raises(StaticGraphError, match=r"np\.add\.reduce"):
        np.add.reduce(x)


def test_two_graphs_do_not_mix() -> None:
    x, y = source("x"), source("y", owner=Owner("other"))
    for build in (
        lambda: x + y,
        lambda: y * x,
        lambda: gc.concat([x, x, y]),
        lambda: gc.where(x > 0.0, y, 0.0),
    ):
        with pytest.raises(GraphMismatchError, match="belong to two graphs") as caught:
            build()
        assert "'other'" in str(caught.value)
        assert "'tests'" in str(caught.value)
    constant = gc.asarray(1.0) + 2.0
    assert constant.owner is None
    assert (x + constant).owner is OWNER


def test_rebuild_keeps_what_is_the_same() -> None:
    x, y, symbolic = source("x"), source("y"), source("z", (A,))
    node = gc.exp(x)
    assert rebuild(node, [x]) is node
    other = rebuild(node, [y])
    assert (other.inputs, other.origins, other.type) == ((y,), node.origins, node.type)
    wider = rebuild(node, [symbolic])
    assert (wider.shape, wider.origins) == ((A,), node.origins)


# --- origins ---------------------------------------------------------------------------------------------


def only_line(node: Tensor) -> Line:
    (line,) = node.origins.lines
    assert node.origins.total == 1
    return line


def test_origins_name_the_users_line() -> None:
    x = source()
    node = gc.mean(softmax(x))
    number = line_here() - 1
    for found in toposort([node]):
        if found is not x:
            assert only_line(found) == (__file__, number, "test_origins_name_the_users_line")
    assert only_line(np.exp(x)).number == line_here()
    nested = [gc.exp(x) for _ in range(2)][0]  # noqa: RUF015
    assert only_line(nested).number == line_here() - 1


def test_errors_name_the_users_line_and_the_operands() -> None:
    with pytest.raises(ShapeError) as caught:
        source("p", (2, 3)) @ source("q", (4, 5))
    number = line_here() - 1
    assert caught.value.origins.lines[0].number == number
    text = str(caught.value)
    assert text.startswith("matmul: the inner sizes differ: 3 and 4")
    assert f"test_ir.py:{number}" in text
    assert 'source("p", (2, 3)) @' in text
    assert "p: float32[2, 3], q: float32[4, 5]" in text


def test_inherit_gives_other_origins() -> None:
    given = Origins((Line("other.py", 7, "f"),), 1)
    with inherit(given):
        node = gc.sigmoid(source())
        with inherit(NO_ORIGINS):
            assert gc.exp(node).origins == NO_ORIGINS
        assert gc.exp(node).origins == given
    assert node.origins == given
    assert only_line(gc.exp(node)).file == __file__


def test_merged_origins_hold_four_lines_and_the_total() -> None:
    lines = [Line("model.py", number, "f") for number in range(6)]
    single = [Origins((line,), 1) for line in lines]
    assert merge_origins([single[0], single[0]]) == single[0]
    assert merge_origins([single[0], single[1], single[0]]) == Origins(tuple(lines[:2]), 2)
    merged = merge_origins(single)
    assert merged == Origins(tuple(lines[:4]), 6)
    assert str(merged) == "model.py:0, model.py:1, model.py:2, model.py:3 (+2 more)"
    assert merge_origins([merged, Origins((Line("z.py", 1, "g"),), 1)]).total == 7
    assert merge_origins([NO_ORIGINS, single[0]]) == single[0]
    assert merge_origins([]) == NO_ORIGINS


def test_unknown_names_suggest() -> None:
    with pytest.raises(UnknownNameError, match="no op named 'matmull'") as caught:
        lookup("matmull")
    assert "did you mean 'matmul'?" in str(caught.value)
    assert isinstance(caught.value, LookupError)
    with pytest.raises(UnknownNameError, match="no dtype"):
        gc.zeros(3, dtype="float31")


def test_every_error_is_a_builtin_too() -> None:
    classes = [c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, GraphcError)]
    assert len(classes) > 15
    for found in classes:
        if found is not GraphcError:
            assert any(base.__module__ == "builtins" for base in found.__mro__[1:-3])


# --- op table, walks, trees ------------------------------------------------------------------------------


def test_names_of_ops_are_unique() -> None:
    with pytest.raises(InternalError, match="two ops named 'add'"):
        register(OpDef("add", Kind.ELEMENTWISE, OPS["add"].infer))
    assert all(name == op.name for name, op in OPS.items())
    assert FUNCTIONS["add"] is gc.add


def test_toposort_has_inputs_first_and_stops_at_leaves() -> None:
    x, y = source("x"), source("y")
    a = gc.exp(x)
    b = a * y
    c = b - a
    order = toposort([c, a])
    assert set(order) == {x, y, a, b, c}
    assert len(order) == 5
    position = {node: index for index, node in enumerate(order)}
    assert all(position[i] < position[node] for node in order for i in node.inputs)
    assert toposort([c], leaves={a, b}) == [b, a, c]
    assert toposort([a, x, a], leaves={x}) == [x, a]
    assert toposort([]) == []


def test_toposort_of_random_graphs() -> None:
    rng = random.Random(0)
    for _ in range(30):
        nodes = [source(f"x{i}") for i in range(3)]
        for _ in range(60):
            nodes.append(rng.choice(nodes) + rng.choice(nodes))
        order = toposort(rng.sample(nodes, 5))
        position = {node: index for index, node in enumerate(order)}
        assert len(position) == len(order)
        assert all(position[i] < position[node] for node in order for i in node.inputs)


def test_users_counts_every_reading() -> None:
    x = source()
    square = x * x
    found = users([x, square])
    assert found == {x: [square, square], square: []}


def test_trees_come_apart_and_together() -> None:
    nested = {"b": [1, (2, 3)], "a": Line("f", 4, "g"), "c": [], "d": None}
    leaves, unflatten = tree.flatten(nested)
    assert leaves == [1, 2, 3, "f", 4, "g", None]
    assert unflatten(leaves) == nested
    doubled = unflatten([10, 20, 30, "h", 5, "k", 0])
    assert doubled == {"b": [10, (20, 30)], "a": Line("h", 5, "k"), "c": [], "d": 0}
    assert isinstance(doubled["a"], Line)


# --- verifier --------------------------------------------------------------------------------------------


def raw(op: Any, inputs: Any = (), attrs: Any = None, kind: Any = None) -> Tensor:
    return Tensor(
        op, tuple(inputs), MappingProxyType(attrs or {}), kind or TensorType(float32, (3,)), NO_ORIGINS, OWNER
    )


def _region_op() -> OpDef:
    def infer(types: Any, attrs: Any) -> TensorType:
        return types[0]

    return OpDef("test_region", Kind.STRUCTURE, infer)


REGION = _region_op()
x_, w_ = source(), variable()
_two = apply(OPS["softmax_cross_entropy"], (source("l", (3, 4)), source("i", (3,), int64)))
_bad = {
    "its op is in the op table": [
        raw(OpDef("nowhere", Kind.ELEMENTWISE, OPS["exp"].infer), [x_]),
        raw(OpDef("exp", Kind.ELEMENTWISE, OPS["exp"].infer), [x_]),
    ],
    "only project reads several results": [raw(OPS["stop_gradient"], [_two], kind=_two.type)],
    "its attributes are of the closed set of types": [raw(OPS["exp"], [x_], {"table": [1, 2]})],
    "its inputs belong to one graph": [
        raw(OPS["add"], [x_, source("y", owner=Owner("b"))]),
        raw(OPS["exp"], [source("y", owner=Owner("b"))]),
    ],
    "its type is what its op infers": [
        raw(OPS["exp"], [x_], kind=TensorType(float64, (3,))),
        raw(OPS["exp"], [x_], kind=TensorType(float32, (4,))),
        raw(OPS["exp"], [x_], kind=TensorType(float32, (3, 1))),
        raw(OPS["exp"], [x_], kind=TupleType((TensorType(float32, (3,)),) * 2)),
        raw(OPS["add"], [x_, source("y", (4,))]),
        raw(OPS["sum"], [x_]),
        raw(OPS["sum"], [x_], {"axis": (7,), "keepdims": False}, TensorType(float32, ())),
        raw(OPS["exp"], [x_, x_]),
    ],
    "its regions are legal graphs": [raw(REGION, [x_], {"body": Graph([], [source()])})],
}
_bad_graphs = {
    "parameters are placeholders, or those of a region in order": [Graph([gc.exp(x_)], []), Graph([x_, w_], [x_])],
    "every placeholder that is read is a parameter, once": [
        Graph([], [gc.exp(x_)]),
        Graph([x_, x_], [x_]),
        Graph([source()], [x_]),
    ],
    "results and new values are tensors": [Graph(_two.inputs, [_two]), Graph(_two.inputs, [], [(w_, _two)])],
    "new values have the types of their variables": [
        Graph([], [], [(w_, gc.zeros(4))]),
        Graph([], [], [(w_, gc.zeros(3, dtype=int64))]),
        Graph([x_], [], [(x_, gc.exp(x_))]),  # type: ignore[list-item]
    ],
    "a variable is updated once": [Graph([], [], [(w_, w_ + 1.0), (w_, w_ + 2.0)])],
    "variables have names of their own": [
        Graph([], [variable("v") + variable("v")]),
        Graph([], [variable("v")], [(variable("v"), gc.zeros(3))]),
    ],
    "parameters have names of their own": [Graph([source("p"), source("p", (4,))], [])],
}


@pytest.fixture
def _region_is_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(OPS, REGION.name, REGION)


@pytest.mark.usefixtures("_region_is_registered")
@pytest.mark.parametrize("sentence", [sentence for sentence, _ in NODE_SPEC])
def test_verifier_catches_bad_nodes(sentence: str) -> None:
    for node in _bad[sentence]:
        parameters = [found for found in toposort([node]) if found.op.name == "placeholder"]
        result = node if isinstance(node.type, TensorType) else ops.structure.project(node, 0)
        for output in (result, gc.stop_gradient(result)):
            with pytest.raises(VerifyError) as caught:
                verify(Graph(parameters, [output]), "after breaking")
            assert "after breaking" in str(caught.value)
            assert sentence in str(caught.value)
    assert source().guards == ()
    assert gc.exp(source("s", (A,))).guards == ()


@pytest.mark.parametrize("sentence", [sentence for sentence, _ in GRAPH_SPEC])
def test_verifier_catches_bad_graphs(sentence: str) -> None:
    for graph in _bad_graphs[sentence]:
        with pytest.raises(VerifyError) as caught:
            verify(graph, "after breaking")
        assert sentence in str(caught.value)


@pytest.mark.usefixtures("_region_is_registered")
def test_verifier_passes_good_graphs() -> None:
    outputs = build_everything()
    parameters = {structural_key(node): node for node in toposort(outputs) if node.op.name == "placeholder"}.values()
    graph = Graph(list(parameters), outputs)
    verify(graph)
    body = Graph([source("0")], [gc.exp(source("0"))])
    with pytest.raises(VerifyError):
        verify(Graph([x_], [raw(REGION, [x_], {"body": body})]))  # not its own parameter
    inner = source("0")
    looped = raw(REGION, [x_], {"body": Graph([inner], [gc.exp(inner)])})
    verify(Graph([x_], [looped]))
    assert regions(looped) == (looped.attrs["body"],)
    assert regions(x_) == ()


def test_verifier_takes_types_that_a_guard_makes_equal() -> None:
    x, y = source("x", (A,)), source("y", (B,))
    node = x + y
    renamed = Tensor(node.op, node.inputs, node.attrs, TensorType(float32, (B,)), NO_ORIGINS, OWNER)
    verify(Graph([x, y], [node, renamed]))
    longer = Tensor(node.op, node.inputs, node.attrs, TensorType(float32, (A + 1,)), NO_ORIGINS, OWNER)
    with pytest.raises(VerifyError, match="its type is what its op infers"):
        verify(Graph([x, y], [longer]))


def test_graph_gathers_variables_and_guards() -> None:
    x, y, w, v = source("x", (A,)), source("y", (B,)), variable("w", (2,)), variable("v")
    graph = Graph([x, y], [x + y, y + x, (x + y) * w[0]], [(v, v * 2.0)], name="g")
    assert graph.variables == (w, v)
    assert sorted(map(str, graph.guards)) == ["a == b", "b == a"]
    assert len(graph.outputs) == 4
    assert "3 results, 1 updates" in repr(graph)
    assert graph.with_outputs(graph.outputs).nodes == graph.nodes


# --- text ------------------------------------------------------------------------------------------------


def same_graphs(first: Graph, second: Graph) -> bool:
    """Equal keys, types, origins, in the same order."""
    assert graph_key(first) == graph_key(second)
    assert first.name == second.name
    for one, two in zip(first.nodes, second.nodes, strict=True):
        assert structural_key(one) == structural_key(two)
        assert one.type == two.type
        assert one.origins == two.origins
    return True


def round_trip(graph: Graph) -> Graph:
    text = print_graph(graph)
    parsed = parse_graph(text)
    assert print_graph(parsed) == text
    assert same_graphs(graph, parsed)
    return parsed


def random_graph(rng: random.Random) -> Graph:
    pool = [source(f"x{i}", rng.choice([(), (3,), (A,), (A, 3), (2, 1)])) for i in range(3)]
    parameters, w = list(pool), variable("w", (3,))
    pool.append(w)
    unary = [gc.exp, gc.sum, softmax, gc.abs, gc.stop_gradient, lambda t: gc.max(t, keepdims=True)]
    unary += [lambda t: t[None, ..., ::-1], lambda t: gc.broadcast_to(t, (2, *t.shape)), lambda t: t * -0.0]
    unary += [lambda t: gc.reshape(t, (-1,)), lambda t: t - math.inf, lambda t: t + math.nan]
    binary = [gc.add, gc.pow, lambda s, t: gc.where(s > t, s, t), gc.matmul, lambda s, t: gc.concat([s, t])]
    for _ in range(rng.randint(1, 25)):
        origins = Origins((Line(rng.choice(["a.py", "b c.py"]), rng.randint(1, 99), "f"),), rng.randint(1, 3))
        with inherit(origins):
            try:
                if rng.random() < 0.5:
                    pool.append(rng.choice(unary)(rng.choice(pool)))
                else:
                    pool.append(rng.choice(binary)(rng.choice(pool), rng.choice(pool)))
            except (GraphcError, IndexError):
                pass
    return Graph(parameters, pool[-3:], [(w, w * 2.0)], f"random {rng.randint(0, 9)}")


def test_random_graphs_print_and_parse_back() -> None:
    rng = random.Random(1)
    for _ in range(150):
        round_trip(random_graph(rng))


def test_big_graphs_print_and_parse_back() -> None:
    x, node = chain(20_000)
    round_trip(Graph([x], [node]))


def test_several_results_and_updates_print_and_parse_back() -> None:
    logits, labels, w = source("logits", (A, 4)), source("labels", (A,), int64), variable("w", ())
    loss = gc.mean(softmax_cross_entropy(logits, labels)) * w
    parsed = round_trip(Graph([logits, labels], [loss], [(w, w - 0.5 * loss)], "step"))
    assert parsed.updates[0][0].name == "w"
    verify(parsed)
    round_trip(Graph([source()], [], [(variable(), gc.zeros(3))]))
    round_trip(Graph([], []))


@pytest.mark.parametrize("dtype", list(DTYPES))
@pytest.mark.parametrize("shape", [(), (0,), (1,), (2, 3), (5, 5)])
def test_constants_print_and_parse_back(dtype: str, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    size = math.prod(shape)
    bits = rng.integers(0, 256, (size * DTYPES[dtype].itemsize,), np.uint8)
    random_bits = (bits & 1 if dtype == "bool" else bits).view(DTYPES[dtype].numpy).reshape(shape)
    round_trip(Graph([], [constant_node(random_bits)]))
    if dtype in ("float32", "float64"):
        edges = [0.0, -0.0, np.inf, -np.inf, 5e-324, 1e-45, 3.4e38, 0.1]
        round_trip(Graph([], [constant_node(np.resize(np.array(edges, dtype), shape))]))
        round_trip(Graph([], [constant_node(np.full(shape, np.nan, dtype))]))


def test_attributes_of_all_types_print_and_parse_back(monkeypatch: pytest.MonkeyPatch) -> None:
    holder = OpDef("test_holder", Kind.STRUCTURE, lambda types, attrs: types[0])
    monkeypatch.setitem(OPS, holder.name, holder)
    x, inner = source(), source("0", (A,))
    values = [
        None, True, False, 0, -7, 2**70, 0.0, -0.0, 1.5, -2.5e-300, math.inf, -math.inf, math.nan, "",
        "a'b\"c\\", "  # at x of 3", "é\n\u2028\x00", float32, bool_, (), (1,), ((1, (2.0,)), "x", None), A,
        2 * A * A - B + 1,
        dims.floordiv(A, 2) * dims.maximum(A, 3), np.arange(3), np.array([[np.nan]]), np.float64(0.1),
        Graph([inner], [gc.exp(inner)], name="body"), Graph([], [], name="empty 'quotes'"),
    ]  # fmt: skip
    for value in values:
        with inherit(NO_ORIGINS):
            graph = Graph([x], [apply(holder, (x,), value=value, other=1)])
        parsed = round_trip(graph)
        assert encode_attr(parsed.results[0].attrs["value"]) == encode_attr(value)
    nested = apply(holder, (x,), body=Graph([x], [apply(holder, (x,), body=values[-2])]))
    round_trip(Graph([x], [nested]))


@pytest.mark.parametrize(
    "names",
    [
        ("v0", "v1", "v2"),
        ("a b", "a_b", "a.b"),
        ("class", "if", "None"),
        ("graph", "results", "dim"),
        ("float32", "inf", "array"),
        ("scope/w", "scope_w", "1st"),
        ("ﬁ", "fi", "é"),
        ("_", "__", "___"),
    ],
)
def test_names_that_collide_or_are_no_identifiers(names: tuple[str, ...]) -> None:
    nodes = [source(name) for name in names]
    parsed = round_trip(Graph(nodes, [gc.exp(nodes[0]) + gc.exp(nodes[1]) * nodes[2], *nodes]))
    assert [node.name for node in parsed.parameters] == list(names)


@pytest.mark.parametrize(
    "line",
    [
        Line("model.py", 3, "<module>"),
        Line("/a dir/in here; and # at there.py", 3, "f"),
        Line("C:\\code\\x.py", 12, "<lambda>"),
        Line("<ipython-input-3-abc>", 1, "g"),
        Line("100%3B.py", 1, "é"),
        Line("a of 3.py", 2, "h"),
    ],
)
def test_origins_print_and_parse_back(line: Line) -> None:
    for origins in (Origins((line,), 1), Origins((line, line._replace(number=9)), 7), NO_ORIGINS):
        with inherit(origins):
            x = source()
            parsed = round_trip(Graph([x], [gc.check_numerics(x, "é  # at f:3 in g of 1")]))
        assert parsed.results[0].origins == origins


def test_text_reads_like_a_program() -> None:
    x = source("x", (A, 2))
    with inherit(Origins((Line("m.py", 4, "f"),), 1)):
        graph = Graph([x], [gc.sum(x * 2.0, axis=1)], name="digits")
    assert print_graph(graph) == (
        "graph('digits')\n"
        "x: float32[a, 2] = placeholder(name='x', dtype=float32, shape=(dim(\"a\"), 2))\n"
        "v0: float32[()] = constant(value=array(float32, (), [2.0]))  # at m.py:4 in f of 1\n"
        "v1: float32[a, 2] = multiply(x, v0)  # at m.py:4 in f of 1\n"
        "v2: float32[a] = sum(v1, axis=(1,), keepdims=False)  # at m.py:4 in f of 1\n"
        "parameters(x)\n"
        "results(v2)\n"
    )


_X = "x: float32[3] = placeholder(name='x', dtype=float32, shape=(3,))\n"


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ("y: float32[3] = exp(", "line 2"),
        ("y = exp(x)", "line 2: this is not a line of a graph"),
        ("import os", "line 2: this is not a line of a graph"),
        ("y: float32[3] = exp(z)", "line 2: z is not defined"),
        ("y: float32[3] = exp(3)", "line 2: 3 is not defined"),
        ("y: float32[4] = exp(x)", r"line 2: the type of y is float32\[3\]"),
        ("y: float64[3] = exp(x)", r"line 2: the type of y is float32\[3\]"),
        ("x: float32[3] = exp(x)", "line 2: this is not a line of a graph"),
        ("y: float32[3] = x", "line 2: this is not a line of a graph"),
        ("y: float32[3] = sum(x)", "line 2: KeyError"),
        ("y: float32[3] = sum(x, axis=os, keepdims=False)", "line 2: KeyError: 'os'"),
        ("y: float32[3] = sum(x, axis=f(1), keepdims=False)", r"line 2: f\(1\) is not an attribute"),
        ("y: float32[3] = sum(x, axis=1 + 2, keepdims=False)", r"line 2: 1 \+ 2 is not an attribute"),
        ("y: float32[3] = constant(value=array(float32, (3,), [1.0]))", "line 2: ValueError"),
        ("y: float32[3] = constant(value=array(float32, (3,), '!'))", "line 2: "),
        ("y: float32[3] = dim_value(dim=dim('a +'), dtype=float32)", "line 2: SyntaxError"),
        ("y: float32[3] = exp(x)  # at nowhere of x", "line 2: ValueError"),
        ("graph()", "line 2: IndexError"),
        ("update(x)", "line 2: ValueError"),
        ("update(x, x)", "line 2: only a variable can be updated"),
        ("results(y)", "line 2: y is not defined"),
        ("print(x)", "line 2: this is not a line of a graph"),
    ],
)
def test_syntax_errors_name_the_line(bad: str, why: str) -> None:
    with pytest.raises(TextSyntaxError, match=why):
        parse_graph(_X + bad + "\n")


def test_other_errors_of_a_text_keep_their_class() -> None:
    with pytest.raises(UnknownNameError, match="no op named 'expp'"):
        parse_graph(_X + "y: float32[3] = expp(x)\n")
    with pytest.raises(ShapeError):
        parse_graph(_X + "y: float32[3] = reshape(x, shape=(4,))\n")
    with pytest.raises(DTypeError):
        parse_graph(_X + "y: bool[3] = logical_not(x)\n")


def test_parsed_sources_belong_to_one_graph_of_their_own() -> None:
    parsed = parse_graph(_X + "y: float32[3] = exp(x)\nparameters(x)\nresults(y)\n")
    with pytest.raises(GraphMismatchError):
        parsed.results[0] + source()


def test_numpys_floats_print_as_numbers() -> None:
    assert print_attr(np.float64(0.5)) == "0.5"


# --- ledger ----------------------------------------------------------------------------------------------


def hit(before: int, after: int, rule: str = "r") -> Hit:
    return Hit("stage", rule, "exact", before, after, "f(x)", "g(x)", NO_ORIGINS)


def test_ledger_counts_and_tells_the_history() -> None:
    ledger = Ledger()
    rows = [hit(1, 2, "first"), hit(10, 11, "other"), hit(2, 3, "second"), hit(3, 4, "first")]
    for row in rows:
        ledger.add(row)
    assert ledger.counts() == {"first": 2, "second": 1, "other": 1}
    assert [row.rule for row in ledger.history(4)] == ["first", "second", "first"]
    assert ledger.history(99) == []
    assert str(rows[0]) == "first [exact]: f(x) → g(x)  ()"


def test_history_follows_rebuilt_and_shared_nodes_and_ends() -> None:
    ledger = Ledger()
    ledger.add(hit(1, 2, "rewritten"))
    ledger.rebuilt(2, 3)
    ledger.rebuilt(3, 3)
    ledger.add(hit(7, 8, "twin"))
    ledger.add(hit(8, 3, "shared"))
    ledger.add(hit(3, 3, "idle"))
    assert {row.rule for row in ledger.history(3)} == {"rewritten", "twin", "shared", "idle"}


def test_ledger_holds_no_nodes() -> None:
    def reaches(value: Any) -> bool:
        if isinstance(value, (list, tuple)):
            return any(map(reaches, value))
        return isinstance(value, Tensor)

    from graphc.passes.manager import Context
    from graphc.passes.pipelines import DEFAULT

    context = Context()
    graph = Graph([x_], [gc.sum(gc.negative(-x_)) * 1.0 + gc.log(softmax(x_))])
    for step in DEFAULT:
        graph = step.run(graph, context)
    assert len(context.ledger.hits) > 3
    assert not reaches(context.ledger.hits)
    assert all(isinstance(number, int) for number in itertools.chain(*context.ledger._rebuilt.items()))
