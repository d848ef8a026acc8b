"""Makes a call that goes wrong as small as it goes: `shrink` takes away whatever the wrong answer does not need.

Every step is a guess that is tried: results, updates, whole subgraphs (replaced by the values that the reference
interpreter gives them), single nodes, leaves, axes, elements and digits go, as long as the answer stays wrong. The
order of the guesses is fixed and their number limited: the same problem always shrinks to the same one.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from graphc.errors import NO_ORIGINS, GraphcError
from graphc.ir import dims
from graphc.ir.graph import Graph
from graphc.ir.opdef import Kind
from graphc.ir.tensor import Tensor, VariableNode, tuple_elements
from graphc.reproducer.problem import Change, Outputs, Problem, node_values

IsWrong = Callable[[Problem], bool]
_BUDGET = 600
_FEW = 16  # elements of an array that are simplified one by one


def shrink(problem: Problem, is_wrong: IsWrong, budget: int = _BUDGET) -> Problem:
    """The smallest problem that is found and still wrong; the given one if nothing can go.

    Args:
        problem: one for which `is_wrong` is true.
        is_wrong: must not raise.
        budget: how many problems are tried at most.
    """
    search = _Search(problem, is_wrong, budget)
    search.change(static=True)
    size = None
    while size != (size := _extent(search.problem)) and search.left:
        for phase in (_outputs, _earlier_result, _cuts, _bypasses, _leaves, _shapes, _values):
            phase(search)
    return search.problem


def _extent(problem: Problem) -> tuple[int, ...]:
    elements = sum(array.size for array in problem.values.values())
    digits = sum(int(np.count_nonzero(array)) for array in problem.values.values())
    return len(problem.graph.nodes), len(problem.graph.outputs), elements, digits


class _Search:
    """The best problem so far, and how many tries are left."""

    def __init__(self, problem: Problem, is_wrong: IsWrong, budget: int) -> None:
        self.problem = problem
        self.is_wrong = is_wrong
        self.left = budget

    def accept(self, build: Callable[[], Problem]) -> bool:
        """Takes what is built in place of the problem, if it is wrong, too."""
        candidate = self.wrong(build)
        if candidate is not None:
            self.problem = candidate
        return candidate is not None

    def change(self, **differences: Any) -> bool:
        """As `accept`, for a `Change`."""
        return self.accept(Change(self.problem, **differences).build)

    def wrong(self, build: Callable[[], Problem]) -> Problem | None:
        """What is built, if it can be, and is wrong."""
        if not self.left:
            return None
        try:
            candidate = build()
        except (GraphcError, LookupError, TypeError, ValueError):  # a guess may be no graph at all
            dims.take_guards(NO_ORIGINS)
            return None
        self.left -= 1
        return candidate if self.is_wrong(candidate) else None


# --- phases ------------------------------------------------------------------------------------------------------


def _outputs(search: _Search) -> None:
    """One result and no updates, or as few of either as it takes."""
    graph = search.problem.graph
    if len(graph.outputs) == 1 and not graph.updates:
        return
    for node in dict.fromkeys(graph.outputs):
        if search.change(outputs=([node], ())):
            return
    at = 0
    while at < len(search.problem.graph.outputs) > 1:
        if not search.change(outputs=_without(search.problem.graph, at)):
            at += 1


def _without(graph: Graph, at: int) -> Outputs:
    first = len(graph.results)
    results = [node for i, node in enumerate(graph.results) if i != at]
    return results, [pair for i, pair in enumerate(graph.updates) if first + i != at]


def _is_inner(node: Tensor) -> bool:
    return node.op.kind is not Kind.SOURCE and len(tuple_elements(node)) == 1


def _earlier_result(search: _Search) -> None:
    """The first node that is wrong by itself: found by halves, if the wrong ones come last, else one by one."""
    graph = search.problem.graph
    if len(graph.outputs) > 1:
        return
    inner = [node for node in graph.nodes if _is_inner(node)]
    right, bad = 0, len(inner)
    while bad - right > 1:
        middle = (right + bad) // 2
        several = Change(search.problem, outputs=(inner[:middle], ()))
        right, bad = (right, middle) if search.wrong(several.build) else (middle, bad)
    for node in (inner[bad - 1 : bad] + inner)[: len(inner)]:
        if node is graph.outputs[0] or search.change(outputs=([node], ())):
            return


def _cuts(search: _Search) -> None:
    """Nodes become placeholders, many at once while that goes well; so do variables, and constants with axes."""
    step = len(search.problem.graph.nodes)
    while step >= 1:
        at = 0
        while at < len(candidates := _to_cut(search.problem)):
            chunk = candidates[at : at + step]
            if not search.accept(partial(_cut, search.problem, chunk)):
                at += step
        step //= 2


def _to_cut(problem: Problem) -> list[Tensor]:
    kept = {*problem.graph.outputs, *(variable for variable, _ in problem.graph.updates)}
    candidates = [node for node in problem.graph.nodes if node not in kept]
    return [
        node
        for node in candidates
        if _is_inner(node) or isinstance(node, VariableNode) or (node.op.name == "constant" and node.ndim)
    ]


def _cut(problem: Problem, nodes: Sequence[Tensor]) -> Problem:
    values = node_values(problem)
    return Change(problem, cuts={node: values[node] for node in nodes}).build()


def _bypasses(search: _Search) -> None:
    """An operand, or another earlier node of the same type, in place of a node."""
    for position in range(len(search.problem.graph.nodes) - 1, -1, -1):
        nodes = search.problem.graph.nodes
        if position >= len(nodes) or not _is_inner(nodes[position]):
            continue
        node = nodes[position]
        for other in dict.fromkeys((*node.inputs, *nodes[:position])):
            if other.type == node.type and search.change(instead={node: other}):
                break


def _leaves(search: _Search) -> None:
    """One leaf serves for two."""
    found = list(search.problem.values)
    for at in range(len(found) - 1, 0, -1):
        leaves = list(search.problem.values)
        if at >= len(leaves) or any(leaves[at] is variable for variable, _ in search.problem.graph.updates):
            continue
        for other in leaves[:at]:
            if other.type == leaves[at].type and search.change(instead={leaves[at]: other}):
                break


def _shapes(search: _Search) -> None:
    """Smaller sizes, and fewer axes."""
    for size in sorted({size for array in search.problem.values.values() for size in array.shape}, reverse=True):
        for smaller in (*(s for s in (1, 2, 3) if s < size), size - 1):
            if size > 1 and search.accept(partial(_resized, search.problem, size, smaller)):
                break
    for position in range(len(search.problem.values)):
        _broadcast(search, position)
    while any(array.ndim for array in search.problem.values.values()):
        if not search.accept(partial(_without_first_axis, search.problem)):
            return


def _broadcast(search: _Search, position: int) -> None:
    """Axes of one leaf that broadcast, or of which one element is enough."""
    _, array = list(search.problem.values.items())[position]
    for axis, size in enumerate(array.shape):
        leaf, array = list(search.problem.values.items())[position]
        if size != 1:
            search.change(values={leaf: array[(slice(None),) * axis + (slice(0, 1),)]})


def _resized(problem: Problem, size: int, smaller: int) -> Problem:
    values = {
        leaf: array[tuple(slice(smaller) if n == size else slice(None) for n in array.shape)]
        for leaf, array in problem.values.items()
    }

    def attr(name: str, value: Any) -> Any:
        if name not in ("shape", "lengths"):
            return value
        return tuple(smaller if each == size else each for each in value)

    return Change(problem, values=values, attr=attr).build()


def _without_first_axis(problem: Problem) -> Problem:
    most = max(array.ndim for array in problem.values.values())
    values = {leaf: array[0] if array.ndim == most else array for leaf, array in problem.values.items()}

    def attr(name: str, value: Any) -> Any:
        if name == "axis":
            return tuple(a - 1 for a in value if a) if isinstance(value, tuple) else max(value - 1, 0)
        return value[1:] if name == "shape" else value

    return Change(problem, values=values, attr=attr).build()


def _values(search: _Search) -> None:
    """Zeros, ones, small integers, fewer digits; then element by element."""
    for position in range(len(search.problem.values)):
        for simpler in _SIMPLER:
            leaf, array = list(search.problem.values.items())[position]
            new = np.asarray(simpler(array)).astype(array.dtype)
            if np.array_equal(new, array) or search.change(values={leaf: new}):
                break
        _elements(search, position)


_SIMPLER: tuple[Callable[[np.ndarray], Any], ...] = (
    np.zeros_like,
    np.ones_like,
    lambda array: np.arange(1, array.size + 1).reshape(array.shape) % 7,
    lambda array: np.round(array.astype(np.float64)),
    lambda array: np.round(array.astype(np.float64), 2),
)


def _elements(search: _Search, position: int) -> None:
    size = list(search.problem.values.values())[position].size
    for at, number in itertools.product(range(size if 1 < size <= _FEW else 0), (1, 0)):
        leaf, array = list(search.problem.values.items())[position]
        new = array.copy()
        new.flat[at] = number
        if array.flat[at] not in (0, number):
            search.change(values={leaf: new})
