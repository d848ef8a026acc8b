"""Comparisons of a random graph's computations: reference, passes, plans and backends against the bounded values."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from error_bound import Accuracy, Ambiguous, Bounded, Wide, bounded_values, decided_values, exact, wide_values
from random_graphs import Case, reads_no_number

from graphc import reference
from graphc.backend import REFERENCE, Capabilities
from graphc.errors import GraphcError
from graphc.ir.graph import Graph
from graphc.ir.ledger import Ledger
from graphc.ir.tensor import Tensor
from graphc.ir.walk import toposort
from graphc.options import CompileOptions
from graphc.passes.manager import Context, Pass, run_passes

_ROUNDED = ("fold", "multiply_by_reciprocal")
"""Hits that round numbers once more, in the dtype of the graph: both graphs then agree within their bounds only."""
_SHARP = 2.0**-9  # what is left of a bound in extended precision, which has 11 more bits than float64


class Run:
    """A case at some sizes: arrays (its own, unless others are given), and values with bounds.

    Raises:
        Ambiguous, GraphcError: the sizes do not suit the case.
    """

    def __init__(self, case: Case, sizes: dict[str, int], arrays: Mapping[Tensor, np.ndarray] | None = None) -> None:
        self.case = case
        self.sizes = sizes
        self.arrays = case.arrays(sizes) if arrays is None else dict(arrays)
        if not all(guard.holds(sizes) for guard in case.graph.guards):
            raise Ambiguous("a guard does not hold")
        known: dict[Tensor, Any] = {node: exact(array) for node, array in self.arrays.items()}
        self.expected = bounded_values(case.graph.outputs, known, sizes)
        if any(reads_no_number(node, known) for node in case.graph.nodes if node in known):
            raise Ambiguous("stable rules promise nothing")

    def bounded(self, graph: Graph) -> list[Bounded]:
        """The outputs of a graph over the same leaves."""
        known: dict[Tensor, Any] = {node: exact(array) for node, array in self.arrays.items()}
        return bounded_values(graph.outputs, known, self.sizes)

    def decided(self, graph: Graph, accuracy: Accuracy) -> list[Bounded | None]:
        """The outputs of a graph over the same leaves on a backend; `None` where it could come out in another way."""
        known: dict[Tensor, Any] = {node: exact(array) for node, array in self.arrays.items()}
        return decided_values(graph.outputs, known, self.sizes, accuracy)

    def computed(self, graph: Graph) -> list[np.ndarray]:
        """The outputs of a graph, by the reference interpreter."""
        return [np.asarray(value) for value in reference.evaluate(graph.outputs, self.arrays, self.sizes)]

    def feeds(self) -> list[np.ndarray]:
        """The arrays of the parameters."""
        return [self.arrays[node] for node in self.case.graph.parameters]


def runs(case: Case, sizes: Iterable[dict[str, int]]) -> list[Run]:
    """The case at those of the sizes that suit it."""
    found = []
    for each in sizes:
        try:
            found.append(Run(case, each))
        except (Ambiguous, GraphcError, IndexError):
            continue
    return found


def optimise(
    graph: Graph,
    pipeline: Sequence[Pass],
    exactness: str = "default",
    capabilities: Capabilities = REFERENCE,
) -> tuple[Graph, Ledger]:
    """The graph after some passes, with every stage verified, and the ledger."""
    context = Context(CompileOptions(exactness=exactness, verify=True), capabilities)
    optimised, _ = run_passes(graph, pipeline, context)
    return optimised, context.ledger


def require_within(got: np.ndarray, expected: Bounded, node: Tensor, context: str, extra: Any = 0) -> None:
    """Holds an array to a value with its bound: dtype, shape, NaNs, infinities, numbers."""
    what = f"{context}: {node!r}"
    assert got.dtype == node.dtype.numpy, f"{what}: dtype {got.dtype}"
    assert got.shape == expected.value.shape, f"{what}: shape {got.shape}, not {expected.value.shape}"
    if got.dtype.kind != "f":
        assert np.array_equal(got, expected.value), f"{what}: {got} is not {expected.value}"
        return
    require_close(got.astype(Wide), expected.value, expected.error + extra, what)


def require_close(got: np.ndarray, expected: np.ndarray, allowed: np.ndarray, what: str) -> None:
    """Equal NaNs and infinities, and finite numbers no farther apart than allowed."""
    assert np.array_equal(np.isnan(got), np.isnan(expected)), f"{what}: NaN in other places: {got}, {expected}"
    infinite = np.isinf(expected) | np.isinf(got)
    assert np.array_equal(got[infinite], expected[infinite]), f"{what}: infinities: {got}, {expected}"
    finite = np.isfinite(expected)
    off = np.abs(got[finite] - expected[finite])
    limit = np.broadcast_to(allowed, expected.shape)[finite]
    assert (off <= limit).all(), f"{what}: off by {off.max()}, allowed {limit[off.argmax()]}: {got}, {expected}"


def require_same_bits(got: np.ndarray, expected: np.ndarray, what: str) -> None:
    """The same dtype, shape and bits; one NaN is as good as another."""
    assert got.dtype == expected.dtype, f"{what}: {got.dtype}, not {expected.dtype}"
    assert got.shape == expected.shape, f"{what}: {got.shape}, not {expected.shape}"
    equal = got == expected
    if got.dtype.kind == "f":
        equal &= np.signbit(got) == np.signbit(expected)
        equal |= np.isnan(got) & np.isnan(expected)
    assert np.asarray(equal).all(), f"{what}: {got} is not {expected}"


def positions(recorded: Graph, optimised: Graph) -> list[int]:
    """Output of the optimised graph → output of the recorded one: passes may drop updates that change nothing."""
    first = len(recorded.results)
    updated = {variable: first + i for i, (variable, _) in enumerate(recorded.updates)}
    return [*range(first), *(updated[variable] for variable, _ in optimised.updates)]


def require_same_values(run: Run, optimised: Graph, ledger: Ledger, context: str) -> None:
    """Holds an optimised graph to the recorded one: in extended precision, and in its own dtypes.

    A wrong rewrite shows in extended precision however coarse the bound of float32 is.
    """
    at_recorded = positions(run.case.graph, optimised)
    try:
        mine = run.bounded(optimised)
    except Ambiguous:  # rounded in another way, something is undecided: the recorded graph's bounds must do
        mine = [run.expected[at] for at in at_recorded]
    computed = run.computed(optimised)
    rounded = any(hit.rule in _ROUNDED for hit in ledger.hits)
    for at, node, bounded, array in zip(at_recorded, optimised.outputs, mine, computed, strict=True):
        expected = run.expected[at]
        what = f"{context}, output {at}: {node!r}"
        if bounded.value.dtype.kind != "f":
            require_within(array, expected, node, context)
            continue
        both = bounded.error + expected.error
        require_close(bounded.value, expected.value, both if rounded else both * _SHARP, what)
        require_within(array, bounded, node, context, extra=both if rounded else both * _SHARP)


def require_slopes(run: Run) -> int:
    """Holds gradients to differences along a random direction; returns how many could be compared.

    Central differences with steps h and h/2 tell by how much they are off themselves (Richardson). Where the function
    has a kink, the differences to both sides disagree, and nothing is compared.
    """
    compared = 0
    rng = np.random.default_rng(run.case.seed)
    for y, xs, gradients in run.case.slopes:
        nodes = toposort([y])
        if not all(guard.holds(run.sizes) for node in nodes for guard in node.guards):
            continue  # y itself is no result: its gradients may stand where it does not
        rounded = all(run.case.styles.get(node, "").partition(" ")[0] not in ("dyadic", "special") for node in nodes)
        if any(_has_no_slope(node) or (node.op.name in _KINKS and not rounded) for node in nodes):
            continue
        directions = {x: rng.standard_normal(run.arrays[x].shape).astype(Wide) for x in xs}
        far_left, left, here, right, far_right = (_along(run, y, directions, at * _STEP) for at in _STEPS)
        found = wide_values(gradients, run.arrays, run.sizes)
        if not all(np.isfinite(gradient).all() for gradient in found):
            continue
        terms = [np.sum(gradient * directions[x]) for x, gradient in zip(xs, found, strict=True)]
        scale = np.sum(np.abs(terms)) + abs(here)
        coarse, fine = (far_right - far_left) / (2 * _STEP), (right - left) / _STEP
        kink = abs((far_right - here) - (here - far_left)) / _STEP
        if not np.isfinite(coarse + fine + scale) or kink > 1e-3 * (abs(coarse) + scale):
            continue
        allowed = 4 * abs(fine - coarse) + _CONSTANTS * scale + 1e-12
        gap = abs(sum(terms) - fine)
        what = f"seed {run.case.seed}, {run.sizes}: gradient {sum(terms)}, slope {fine} of {y!r}"
        assert gap <= allowed, f"{what}: off by {gap}, allowed {allowed}"
        compared += 1
    return compared


_STEP = Wide(2.0**-16)
_CONSTANTS = 4 * np.finfo(np.float32).eps  # constants of gradients are rounded, as 2/√π in that of erf


def _has_no_slope(node: Tensor) -> bool:
    return node.op.name in _NO_SLOPE or (node.op.name == "astype" and node.dtype.kind == "bool")


_NO_SLOPE = ("stop_gradient", "equal", "not_equal")
"""Their gradient is another than the slope on purpose, or the value at one point is no limit; so is `x != 0`."""
_KINKS = (
    "abs", "cumulative_max", "cumulative_min", "max", "maximum", "min", "minimum", "relu", "sort", "top_k",
)  # fmt: skip
"""At ties, which numbers with few digits have often, what is composed of them has another slope than its parts say."""
_STEPS = (-1, -0.5, 0, 0.5, 1)


def _along(run: Run, y: Tensor, directions: Mapping[Tensor, np.ndarray], step: Any) -> Any:
    moved = {x: run.arrays[x].astype(Wide) + step * direction for x, direction in directions.items()}
    (value,) = wide_values([y], {**run.arrays, **moved}, run.sizes)
    return value if np.isfinite(value) else Wide(np.nan)
