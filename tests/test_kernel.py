"""Kernels: what the builder makes of bodies, in the Kernel interpreter, is what the reference interpreter computes."""

import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc import reference
from graphc.backend import REFERENCE
from graphc.conformance.rows import ROWS
from graphc.conformance.table import E, Row, S
from graphc.conformance.tolerances import SAME_BITS, VALUES, assert_close
from graphc.conformance.values import operands, placeholders
from graphc.errors import GraphcError, InternalError, OutOfRangeError
from graphc.ir import dims
from graphc.ir.dims import Dim
from graphc.ir.dtype import as_dtype, bool_, float32, int64
from graphc.ir.graph import Graph
from graphc.ir.ledger import Ledger
from graphc.ir.opdef import FUNCTIONS, Kind
from graphc.ir.tensor import Tensor, apply, rebuild
from graphc.lowering.group import GATHERS, LAYOUT
from graphc.lowering.kernel import Index, Kernel, Load, Store
from graphc.lowering.kernel_builder import build_kernel
from graphc.lowering.kernel_interpreter import interpret
from graphc.lowering.kernel_verify import verify_kernel
from graphc.ops.define import constant_node
from graphc.ops.fused import parameter
from graphc.ops.slicing import SLICE_UPDATE
from graphc.options import CompileOptions
from graphc.passes.legalize import LEGALIZE
from graphc.passes.manager import Context

N, M = dims.symbol("n"), dims.symbol("m")
SCATTERS = ("add_along_axis", "scatter_add", "scatter_max", "scatter_min", "scatter_multiply", "scatter_set")
NO_KERNEL = {
    "matmul": "a contraction",
    **dict.fromkeys(SCATTERS, "it writes where its indices say"),
    "take_last": "it looks for the last of equal indices",
    "update_at": "it is made of these",
    "check_numerics": "an effect",
    "print": "an effect",
}
"""What no kernel computes, and why."""


def kernel_of(parameters: Sequence[Tensor], results: Sequence[Tensor], fusion: str = "elementwise") -> Kernel:
    """A kernel, verified."""
    kernel = build_kernel(Graph(parameters, results), fusion, "k")
    verify_kernel(kernel)
    return kernel


def run(
    parameters: Sequence[Tensor], results: Sequence[Tensor], arrays: Sequence[np.ndarray], **sizes: int
) -> list[np.ndarray]:
    """What a kernel computes, after a comparison with the reference interpreter."""
    got = interpret(kernel_of(parameters, results), arrays, sizes)
    expected = reference.evaluate(results, dict(zip(parameters, arrays, strict=True)), sizes)
    for node, mine, theirs in zip(results, got, expected, strict=True):
        tolerance = VALUES["softmax" if _adds_up(node) else "exact"]
        assert_close(mine, theirs, tolerance, f"{node!r} at {sizes}", signs=not tolerance.floor)
    return got


def _adds_up(node: Tensor) -> bool:
    return any(found.op.name in ("sum", "prod") and found.dtype.kind == "float" for found in Graph((), [node]).nodes)


def example(*shape: int, dtype: str = "float32", seed: int = 0) -> np.ndarray:
    """Distinct numbers."""
    count = int(np.prod(shape))
    return np.random.default_rng(seed).permutation(count).reshape(shape).astype(dtype)


# --- every op of the table --------------------------------------------------------------------------------


def legal(outputs: Sequence[Tensor], inputs: Sequence[Tensor]) -> Graph:
    return LEGALIZE.run(Graph(inputs, outputs), Context(CompileOptions(), REFERENCE, Ledger(), None))


def node_by_node(inputs: Sequence[Tensor], outputs: Sequence[Tensor], arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Every node in a kernel of its own: each must give the reference's bits on the same operands."""
    sizes = reference.solve_sizes({node: array.shape for node, array in zip(inputs, arrays, strict=True)})
    graph = legal(outputs, inputs)
    known: dict[Tensor, np.ndarray] = dict(zip(inputs, arrays, strict=True))
    for node in graph.nodes:
        if node in known:
            continue
        if node.op.kind is Kind.SOURCE:
            (known[node],) = reference.evaluate([node], {}, sizes)
            continue
        if node.op.name in NO_KERNEL:
            pytest.skip(f"{node.op.name}: {NO_KERNEL[node.op.name]}")
        given = [parameter(at, source.dtype, source.shape) for at, source in enumerate(node.inputs)]
        body = rebuild(node, given)
        values = [known[source] for source in node.inputs]
        (known[node],) = run(given, [body], values, **sizes)
    return [known[node] for node in graph.results]


SEVERAL_GROUPS = {
    "adaptive_avg_pool": "a sum per place, each over a window of its own size",
    "adaptive_max_pool": "a maximum per place, each over a window of its own size",
    "resize": "an axis is gathered of what has been gathered, and not all of it is used",
}
"""Rows whose nodes no fuse pass would put into one kernel."""


def as_a_whole(inputs: Sequence[Tensor], outputs: Sequence[Tensor], arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    """All nodes in one kernel. What is known but for the sizes, and is no number, are parameters."""
    sizes = reference.solve_sizes({node: array.shape for node, array in zip(inputs, arrays, strict=True)})
    graph = legal(outputs, inputs)
    known = [node for node in graph.nodes if node.op.name == "iota" or (node.op.name == "constant" and node.size != 1)]
    kernel = kernel_of([*inputs, *known], graph.results, "row")
    return interpret(kernel, [*arrays, *reference.evaluate(known, {}, sizes)], sizes)


def _has_kernels(row: Row) -> bool:
    """Whether kernels compute what the first call of a row records."""
    if row.name in NO_KERNEL or not row.samples:
        return row.name not in NO_KERNEL
    sample = row.samples[0]
    inputs = placeholders(operands(row, sample, row.dtypes[0]))
    return _all_have_kernels(inputs, [row.function(*inputs, **sample.kwargs)])


def _all_have_kernels(inputs: Sequence[Tensor], results: Sequence[Tensor]) -> bool:
    graph = legal(results, inputs)
    return all(node.op.kind in _KERNEL_KINDS or node.op.name in LAYOUT | GATHERS for node in graph.nodes)


_KERNEL_KINDS = (Kind.SOURCE, Kind.ELEMENTWISE, Kind.REDUCTION)
GENERATED = [row for row in ROWS if not row.elsewhere and _has_kernels(row)]
WAYS = {"node by node": node_by_node, "as a whole": as_a_whole}
each_way = pytest.mark.parametrize("way", list(WAYS.values()), ids=list(WAYS))


def compare(
    way: Callable[..., list[np.ndarray]], row: Row, sample: S | E, arrays: list[np.ndarray], symbolic: bool
) -> None:
    if way is as_a_whole and row.name in SEVERAL_GROUPS:
        pytest.skip(SEVERAL_GROUPS[row.name])
    inputs = placeholders(arrays, symbolic)
    try:
        results = [row.function(*inputs, **sample.kwargs)]
    except GraphcError:
        return  # refused when it is recorded: the tests of ops hold fast where
    if not _all_have_kernels(inputs, results):
        return  # other than the row's first call: sizes that are known later take running sums
    sizes = reference.solve_sizes({node: array.shape for node, array in zip(inputs, arrays, strict=True)})
    try:
        expected = reference.evaluate(results, dict(zip(inputs, arrays, strict=True)), sizes)
    except GraphcError as error:
        with pytest.raises(type(error)):
            way(inputs, results, arrays)
        return
    got = way(inputs, results, arrays)
    tolerance = VALUES[row.tolerance] if row.tolerance in ("sum", "softmax") else SAME_BITS
    for mine, theirs in zip(got, expected, strict=True):
        assert_close(mine, theirs, tolerance, f"{row.name} {sample}", signs=not tolerance.floor)


# Every row of the table is one group, but those of SEVERAL_GROUPS.
@each_way
@pytest.mark.parametrize("row", GENERATED, ids=lambda row: row.name)
def test_every_op_in_every_dtype(row: Row, way: Callable[..., list[np.ndarray]]) -> None:
    for sample, dtype in itertools.product(row.samples, row.dtypes):
        compare(way, row, sample, operands(row, sample, dtype), symbolic=False)


@each_way
@pytest.mark.parametrize("row", GENERATED, ids=lambda row: row.name)
def test_every_op_with_symbolic_sizes(row: Row, way: Callable[..., list[np.ndarray]]) -> None:
    for sample in row.samples:
        compare(way, row, sample, operands(row, sample, row.dtypes[0]), symbolic=True)


@each_way
@pytest.mark.parametrize("row", GENERATED, ids=lambda row: row.name)
def test_every_edge(row: Row, way: Callable[..., list[np.ndarray]]) -> None:
    for edge in row.edges:
        dtype = edge.dtype or next((d for d in row.dtypes if d.startswith("float")), row.dtypes[0])
        with np.errstate(over="ignore"):
            arrays = [np.asarray(value, row.domain(i).dtype or dtype) for i, value in enumerate(edge.args)]
        compare(way, row, edge, arrays, symbolic=False)


# --- layouts, composed ------------------------------------------------------------------------------------


def moved(x: Tensor, rng: random.Random, depth: int, parameters: list[Tensor], arrays: list[np.ndarray]) -> Tensor:
    """x after some layout ops; adds what they need to the parameters."""
    moves = list(MOVES)
    for _ in range(depth):
        kind = rng.choice(moves)
        if kind is gathers:  # all of it must be used
            moves = [move for move in moves if move not in (sliced, updated, gathers)]
        if kind in (joined, updated) and moves.count(kind) == 1:  # they read x at two indices: twice the code each
            moves = [move for move in moves if move not in (joined, updated)]
        x = kind(x, rng, parameters, arrays)
        if dims.evaluate(x.size, {"n": 5}) > 600:
            break
    return x


def static_axes(x: Tensor) -> list[int]:
    return [axis for axis, size in enumerate(x.shape) if isinstance(size, int)]


def reshaped(x: Tensor, rng: random.Random, *_: Any) -> Tensor:
    """Some neighbouring axes joined, some axes split."""
    shape: list[Dim] = []
    for size in x.shape:
        if shape and rng.random() < 0.4:
            shape[-1] = shape[-1] * size
        elif isinstance(size, int) and size and rng.random() < 0.5:
            part = rng.choice([d for d in range(1, size + 1) if size % d == 0])
            shape += [part, size // part]
        else:
            shape.append(size)
    return gc.reshape(x, tuple(shape) + (1,) * rng.randrange(2))


def permuted(x: Tensor, rng: random.Random, *_: Any) -> Tensor:
    return gc.permute_dims(x, rng.sample(range(x.ndim), x.ndim))


def sliced(x: Tensor, rng: random.Random, *_: Any) -> Tensor:
    return x[tuple(some_slice(size, rng) for size in x.shape)]


def some_slice(size: Dim, rng: random.Random) -> slice:
    step = rng.choice([1, 1, 1, 2, -1, -2, 3])
    if not isinstance(size, int):
        return rng.choice([slice(None), slice(None, None, -1), slice(1, None, 1), slice(None, None, 2)])
    bounds = [rng.choice([None, rng.randint(-size - 1, size + 1)]) for _ in range(2)]
    return slice(*bounds, step) if rng.random() < 0.5 else slice(None, None, step)


def broadcasted(x: Tensor, rng: random.Random, *_: Any) -> Tensor:
    grown = tuple(rng.randint(1, 3) if size == 1 else size for size in x.shape)
    return gc.broadcast_to(x, (rng.randint(1, 2),) * rng.randrange(2) + grown)


def padded(x: Tensor, rng: random.Random, *_: Any) -> Tensor:
    widths = [(rng.randrange(3), rng.randrange(2)) for _ in range(x.ndim)]
    return gc.pad(x, widths, constant_values=-7.0) if x.ndim else x


def joined(x: Tensor, rng: random.Random, *_: Any) -> Tensor:
    if not x.ndim:
        return x
    axis = rng.randrange(x.ndim)
    parts = [x, x[(slice(None),) * axis + (slice(None, None, -1),)] * 2.0, x + 100.0]
    return gc.concat(rng.sample(parts, 2), axis=axis)


def updated(x: Tensor, rng: random.Random, *_: Any) -> Tensor:
    axes = [some_slice(size, rng) for size in x.shape]
    part = x[tuple(axes)]
    if part.op.name != "slice":
        return x
    return apply(SLICE_UPDATE, (x, part * -1.0), **part.attrs)


def gathers(x: Tensor, rng: random.Random, parameters: list[Tensor], arrays: list[np.ndarray]) -> Tensor:
    axes = [axis for axis in static_axes(x) if x.shape[axis]]
    if not axes or x.size == 0:
        return x
    axis = rng.choice(axes)
    size = int(x.shape[axis])  # type: ignore[arg-type]
    shape = tuple(rng.randint(1, 3) for _ in range(rng.randrange(3)))
    dtype = rng.choice(["int64", "int32", "uint8", "int8"])
    low = 0 if dtype == "uint8" else -size
    arrays.append(np.random.default_rng(rng.randrange(1 << 30)).integers(low, size, shape).astype(dtype))
    parameters.append(parameter(len(parameters), as_dtype(dtype), shape))
    return gc.take(x, parameters[-1], axis=axis)


MOVES = [reshaped, reshaped, permuted, sliced, broadcasted, padded, joined, updated, gathers]


@pytest.mark.parametrize("block", range(8))
def test_layouts_composed_at_random(block: int) -> None:
    for seed in range(50 * block, 50 * block + 50):
        rng = random.Random(seed)
        symbolic = seed % 2 == 1
        shape: tuple[Dim, ...] = tuple(rng.choice([1, 2, 3, 4, 6]) for _ in range(rng.randint(1, 3)))
        shape = (N, *shape) if symbolic else shape
        for n in (1, 2, 5) if symbolic else (0,):
            rng = random.Random(seed)
            parameters = [parameter(0, float32, shape)]
            arrays = [example(*(n if size is N else size for size in shape))]
            result = moved(parameters[0], rng, rng.randint(1, 6), parameters, arrays)
            run(parameters, [gc.abs(result) + 1.0], arrays, n=n)


def indices(kernel: Kernel) -> list[Dim]:
    return [i.offset for i in kernel.instructions if isinstance(i, (Load, Store))] + [
        i.value for i in kernel.instructions if isinstance(i, Index)
    ]


def divisions(kernel: Kernel) -> int:
    return sum(str(dim).count("floordiv(") + str(dim).count("mod(") for dim in indices(kernel))


@pytest.mark.parametrize("seed", range(60))
def test_reshapes_of_a_whole_array_leave_no_trace(seed: int) -> None:
    """However its elements are grouped into axes, the one at a position stays at that position."""
    rng = random.Random(seed)
    shape: tuple[Dim, ...] = (N, 6, 4) if seed % 2 else (2, 3, 8)
    x = y = parameter(0, float32, shape)
    for _ in range(5):
        y = gc.exp(reshaped(y, rng))
    kernel = kernel_of([x], [y])
    assert len(kernel.axes) == 1
    assert str(kernel).count("[%i0]") == 2
    assert divisions(kernel) == 0


def test_divisions_are_made_only_where_the_order_changes() -> None:
    x, b = parameter(0, float32, (N, 6)), parameter(1, float32, (3, 2))
    heads = gc.permute_dims(gc.reshape(x, (N, 2, 3)), (1, 0, 2))  # as attention splits its heads
    assert divisions(kernel_of([x], [gc.reshape(heads, (2 * N, 3)) * 2.0])) == 0
    assert divisions(kernel_of([x, b], [gc.reshape(gc.reshape(x, (N, 3, 2)) + b, (N * 6,))])) == 0
    assert divisions(kernel_of([x, b], [gc.reshape(gc.reshape(x, (N * 6,)), (N, 3, 2)) + b])) == 0
    assert divisions(kernel_of([x], [x[::-1, ::2] + gc.pad(x[1:, :3], ((1, 0), (0, 0)))])) == 0
    folded = kernel_of([x], [gc.reshape(gc.permute_dims(x), (3, 2 * N)) * 2.0])
    assert divisions(folded) > 0  # rows of 2n elements out of columns of n


AXES_LEFT = {
    "one shape": ([(N, 3, 4), (N, 3, 4)], 1),
    "a bias": ([(N, 3, 4), (4,)], 2),
    "a bias over two axes": ([(N, 3, 4), (3, 4)], 2),
    "a factor per row": ([(N, 3, 4), (N, 1, 1)], 2),
    "in the middle": ([(N, 3, 4), (3, 1)], 3),
    "a scalar": ([(N, 3, 4), ()], 1),
    "axes of size 1": ([(N, 1, 4), (1, 4)], 2),
}


@pytest.mark.parametrize(("shapes", "count"), list(AXES_LEFT.values()), ids=list(AXES_LEFT))
def test_axes_are_merged_where_all_reads_allow_it(shapes: list[tuple[Dim, ...]], count: int) -> None:
    x, y = (parameter(at, float32, shape) for at, shape in enumerate(shapes))
    assert len(kernel_of([x, y], [x + y]).axes) == count
    arrays = [example(*(2 if size is N else size for size in shape)) for shape in shapes]  # type: ignore[misc]
    run([x, y], [x + y], arrays, n=2)


def test_reduced_axes_are_merged_among_themselves() -> None:
    x = parameter(0, float32, (2, 3, N, 5))
    assert [axis.reduced for axis in kernel_of([x], [gc.sum(x, axis=(2, 3))]).axes] == [False, True]
    assert [axis.reduced for axis in kernel_of([x], [gc.sum(x, axis=(0, 1))]).axes] == [True, False]
    assert [axis.reduced for axis in kernel_of([x], [gc.sum(x, axis=(1, 2))]).axes] == [False, True, False]
    assert [axis.reduced for axis in kernel_of([x], [gc.sum(x)]).axes] == [True]


# --- reductions -------------------------------------------------------------------------------------------

SHAPES = ((2, 3, 4), (1, 3), (3, 1, 2), (1, 1), (5,), (), (0, 3), (3, 0), (2, 0, 3))


def subsets(rank: int) -> Iterator[tuple[int, ...]]:
    return itertools.chain.from_iterable(itertools.combinations(range(rank), k) for k in range(rank + 1))


@pytest.mark.parametrize("name", ["sum", "prod", "min", "max", "any", "all"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_reductions_over_every_subset_of_axes(name: str, shape: tuple[int, ...]) -> None:
    dtype = bool_ if name in ("any", "all") else int64
    x = parameter(0, dtype, shape)
    array = (example(*shape) % 3).astype(dtype.numpy)
    for axes, keepdims in itertools.product(subsets(len(shape)), (False, True)):
        if name in ("min", "max") and 0 in (shape[axis] for axis in axes):
            continue  # there is no smallest element of nothing
        run([x], [getattr(gc, name)(x, axis=axes, keepdims=keepdims)], [array])


@pytest.mark.parametrize("name", ["argmin", "argmax"])
def test_positions(name: str) -> None:
    x, function = parameter(0, float32, (N, 3, 4)), getattr(gc, name)
    for n in (1, 2, 5):
        array = example(n, 3, 4) % 7
        run([x], [function(x)], [array], n=n)
        for axis, keepdims in itertools.product((0, 1, 2), (False, True)):
            run([x], [function(x, axis=axis, keepdims=keepdims)], [array], n=n)
        flat = gc.reshape(x, (N, 12))
        run([x], [function(flat, axis=1), gc.max(x, axis=(1, 2))], [array], n=n)  # a position among two axes


@pytest.mark.parametrize("sizes", [(1, 1), (3, 1), (1, 4), (3, 4), (0, 2), (2, 0)], ids=str)
def test_reductions_of_symbolic_sizes(sizes: tuple[int, int]) -> None:
    n, m = sizes
    x, y = parameter(0, float32, (N, 3, M)), parameter(1, float32, (N, M))
    arrays = [example(n, 3, m), example(n, m, seed=1)]
    for axes in subsets(3):
        run([x, y], [gc.sum(x * gc.expand_dims(y, 1), axis=axes)], arrays, n=n, m=m)
    run([x, y], [gc.mean(x, axis=1) + y, gc.sum(x, axis=1)], arrays, n=n, m=m)
    run([x, y], [gc.reshape(gc.sum(x, axis=(0, 1)), (M, 1)) * 2.0], arrays, n=n, m=m)


def test_reductions_over_an_axis_of_size_1_behind_a_reshape() -> None:
    """The finest shape of the space does not have the reduced axis."""
    x = parameter(0, float32, (6, 2, 4))
    column = gc.reshape(x, (48, 1))
    run([x], [gc.exp(column) - gc.max(column, axis=1, keepdims=True)], [example(6, 2, 4) / 48])


def test_a_result_of_a_full_stage_stands_beside_the_reduction() -> None:
    """An activation and its sum need one pass over the elements."""
    x = parameter(0, float32, (N, 4))
    y = gc.exp(x)
    kernel = kernel_of([x], [y, gc.sum(y, axis=1)], "reduction")
    assert [stage.full for stage in kernel.stages] == [True, False]
    run([x], [y, gc.sum(y, axis=1)], [example(3, 4) / 12], n=3)


# --- rows -------------------------------------------------------------------------------------------------


def layer_norm(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    centred = x - gc.mean(x, axis=-1, keepdims=True)
    return centred / gc.sqrt(gc.mean(centred * centred, axis=-1, keepdims=True) + 1e-5) * scale + shift


@pytest.mark.parametrize("sizes", [(1, 1), (3, 1), (1, 4), (3, 4), (0, 2)], ids=str)
def test_rows(sizes: tuple[int, int]) -> None:
    n, m = sizes
    x, scale, labels = parameter(0, float32, (N, M)), parameter(1, float32, (M,)), parameter(2, int64, (N,))
    arrays = [example(n, m) / 4, example(m, seed=1), example(n, dtype="int64") % m]
    shift, rest = gc.max(x, axis=1, keepdims=True), gc.sum(gc.exp(x - gc.max(x, axis=1, keepdims=True)), axis=1)
    softmax = legal([FUNCTIONS["softmax"](x)], [x]).results[0]
    logsumexp = legal([FUNCTIONS["logsumexp"](x, axis=1)], [x]).results[0]
    chosen = gc.expand_dims(labels, 1) == gc.reshape(parameter(3, int64, (M,)), (1, M))
    classes = next(
        node for node in Graph((), [chosen]).nodes if node.op.name == "parameter" and node.attrs["index"] == 3
    )
    log_softmax = x - shift - gc.expand_dims(gc.log(rest), 1)
    loss = gc.sum(gc.where(chosen, -log_softmax, 0.0), axis=1)
    given = [x, scale, labels, classes]
    values = [*arrays, np.arange(m)]
    for results in (
        [softmax],
        [logsumexp],
        [softmax, logsumexp],
        [loss],
        [loss, log_softmax],
        [layer_norm(x, scale, scale)],
    ):
        run(given, results, values, n=n, m=m)


def test_sizes_that_are_equal_by_a_guard() -> None:
    x, y = parameter(0, float32, (N, 6)), parameter(1, float32, (M, 6))
    arrays = [example(4, 6), example(4, 6, seed=1)]
    for shape in ((M, 6), (M, 2, 3), (M * 6,)):
        moved_there = gc.reshape(x, shape) * gc.reshape(y, shape)
        run([x, y], [moved_there, x + y], arrays, n=4, m=4)
        assert divisions(kernel_of([x, y], [moved_there, x + y])) == 0
    run([x, y], [gc.sum(x, axis=1), gc.sum(y, axis=1), x - gc.max(y, axis=1, keepdims=True)], arrays, n=4, m=4)


def test_rows_of_leading_axes() -> None:
    x = parameter(0, float32, (N, 3))
    y = x / gc.sum(x * x, axis=0)
    run([x], [y, gc.max(x, axis=0)], [example(4, 3) + 1], n=4)


def test_what_is_known_of_a_row_is_computed_once_a_row() -> None:
    x, b = parameter(0, float32, (N, 8)), parameter(1, float32, (N,))
    scale = gc.exp(gc.sum(x, axis=1) / 8.0 + b)
    kernel = kernel_of([x, b], [x * gc.expand_dims(scale, 1)], "row")
    assert [stage.full for stage in kernel.stages] == [True, False, True]
    assert str(kernel).count("exp(") == 1
    assert len(kernel.stages[2].body) == 3  # load, multiply, store


# --- gathers ----------------------------------------------------------------------------------------------


def test_a_gather_reports_what_lies_outside_and_reads_nothing_there() -> None:
    x, i = parameter(0, float32, (N, 3)), parameter(1, int64, (4,))
    kernel = kernel_of([x, i], [gc.take(x, i, axis=0) * 2.0])
    array = example(5, 3)
    assert (
        interpret(kernel, [array, np.array([4, -5, 0, -1])], {"n": 5})[0].tolist()
        == (array[[4, -5, 0, -1]] * 2).tolist()
    )
    with pytest.raises(OutOfRangeError, match=r"(?s)take: an index is out of range.*test_kernel.*from -6 to 9"):
        interpret(kernel, [array, np.array([4, 9, -6, 1])], {"n": 5})
    with pytest.raises(OutOfRangeError, match="the axis is empty"):
        interpret(kernel, [array[:0], np.array([0, 0, 0, 0])], {"n": 0})


def test_a_gather_beside_something_else_is_checked_where_it_is_read() -> None:
    """In the part of a join that shows something else, there is nothing to check: the axis may be empty."""
    x, i, y = parameter(0, float32, (N,)), parameter(1, int64, (M,)), parameter(2, float32, (3,))
    kernel = kernel_of([x, i, y], [gc.concat([gc.take(x, i + 1), y])])
    none = np.zeros(0, np.float32)
    got = interpret(kernel, [none, np.zeros(0, np.int64), example(3)], {"n": 0, "m": 0})
    assert got[0].tolist() == example(3).tolist()
    with pytest.raises(OutOfRangeError):
        interpret(kernel, [example(2), np.array([1]), example(3)], {"n": 2, "m": 1})


def test_gathers_of_gathers() -> None:
    x, i, j = parameter(0, float32, (4, 3)), parameter(1, int64, (N,)), parameter(2, int64, (2, 2))
    result = gc.take(x, gc.take(i, j), axis=0)
    run([x, i, j], [result], [example(4, 3), np.array([3, -4, 1]), np.array([[0, -1], [1, 2]])], n=3)


# --- what is refused --------------------------------------------------------------------------------------


def refused() -> Iterator[Any]:
    x, y = parameter(0, float32, (N, 4)), parameter(1, float32, (4,))
    i, big = parameter(2, int64, (N,)), constant_node(np.ones(3, np.float32))
    total = gc.sum(x, axis=1)
    yield "cannot compute matmul", [x, y], [gc.matmul(x, y)]
    yield "constants of one element", [x], [big + 1.0]
    yield "neither the shape of its space", [y], [y, gc.concat([y, y])]
    yield "another row than the one at hand", [x], [total, gc.concat([total, total])]
    yield "reduces another space", [x], [total, gc.sum(x, axis=0)]
    yield "reduces another space", [x], [gc.sum(gc.exp(total))]
    yield "another row than the one at hand", [x], [total[::-1]]
    yield "positions would go unchecked", [x, i], [gc.take(x, i, axis=0)[1:]]
    yield "has results", [x], []


@pytest.mark.parametrize(("message", "parameters", "results"), list(refused()), ids=range(9))
def test_what_cannot_be_built_is_refused(message: str, parameters: list[Tensor], results: list[Tensor]) -> None:
    with pytest.raises(InternalError, match=message):
        kernel_of(parameters, results)


# --- size -------------------------------------------------------------------------------------------------


def test_depth_costs_no_stack_and_sharing_no_code() -> None:
    x = y = parameter(0, float32, (N, 4))
    for _ in range(3000):
        y = y * y + x
    kernel = kernel_of([x], [y])
    assert len(list(kernel.instructions)) == 2 + 2 * 3000


def test_long_chains_of_layouts_and_reductions() -> None:
    x = y = parameter(0, float32, (N, 4))
    for _ in range(300):
        y = gc.reshape(gc.reshape(y, (N * 2, 2)), (N, 4))[:, ::-1]
    assert divisions(kernel_of([x], [y])) == 0
    z = x
    for _ in range(20):
        z = z - gc.mean(z, axis=1, keepdims=True)
    kernel = kernel_of([x], [z], "row")
    assert sum(stage.full for stage in kernel.stages) == 21
