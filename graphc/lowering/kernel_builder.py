"""From the body of a fused node to its Kernel.

What can be built: a body has a *space*, the shape S of its full values, and a set A of its axes. Without reductions,
A is empty and S has as many elements as every result. With reductions, each reduces a value of the shape S, or of one
that is a reshape of it, over exactly the axes A; a result has an element per point of S (it is FULL), or one per point
of S without A (it is a ROW). Between parameters and results stand elementwise ops, whose operands broadcast; constants
of one element; `dim_value`; the layout ops and gathers of `kernel_reads`, which are read at other indices; and
reductions, whose results may be used anywhere, but each only at the row at hand. All elements of a gather must be used:
a position that is never read would go unchecked. Anything else is an `InternalError` that names the node.

The builder works from the results to the parameters. `value_of` gives the number of the scalar that is a node at an
index; layout ops change the index alone. Full stages compute again what they need of earlier ones, since only rows are
kept; what is computed of reduced values at the row at hand is put into the row stage behind the reduction.
"""

from __future__ import annotations

from graphc.errors import InternalError
from graphc.ir import dims
from graphc.ir.graph import Graph
from graphc.ir.opdef import Kind
from graphc.ir.tensor import Tensor
from graphc.lowering.group import GATHERS
from graphc.lowering.index import Index, Ranges, linear
from graphc.lowering.kernel import Kernel
from graphc.lowering.kernel_axes import collapse_axes
from graphc.lowering.kernel_code import Code
from graphc.lowering.kernel_reads import SCALARS, Demand, Read, read
from graphc.lowering.kernel_space import find_space, is_full, make_loops, reductions_of, require_reduces

__all__ = ["build_kernel", "collapse_axes"]


def build_kernel(body: Graph, fusion: str, name: str) -> Kernel:
    """The kernel that computes a body.

    Args:
        body: a closed graph; its parameters are the kernel's inputs, its results the outputs.
        fusion: the kind of group.
        name: of the kernel, an identifier.

    Raises:
        InternalError: the body cannot be built; see above.
    """
    return collapse_axes(_Builder(body).build(fusion, name))


class _Builder:
    def __init__(self, body: Graph) -> None:
        self._body = body
        self._params = {node: number for number, node in enumerate(body.parameters)}
        self._reductions = reductions_of(body)
        self._space = find_space(body)
        ranges = Ranges()
        self._loops = make_loops(self._space, ranges, bool(self._reductions))
        self._levels = _levels(body)
        self._last = max((self._levels[node] for node in body.results), default=0)
        self._code = Code(ranges, 2 * self._last + 2)
        self._known: dict[Demand, int] = {}
        self._reduced: dict[Tensor, int] = {}
        self._in_row: dict[Index, bool] = {}
        self._reduced_names = frozenset(axis.name for axis in self._loops.axes if axis.reduced)

    def build(self, fusion: str, name: str) -> Kernel:
        _require_whole_gathers(self._body)
        for level in range(self._last + 1):
            for node in self._reductions:
                if self._levels[node] == level + 1:
                    self._reduce(node, 2 * level)
            for number, node in enumerate(self._body.results):
                self._store(number, node, level)
        return Kernel(
            name,
            fusion,
            self._loops.axes,
            tuple(node.type for node in self._body.parameters),
            tuple(node.type for node in self._body.results),
            self._code.stages(),
            tuple(self._code.checks),
        )

    def _reduce(self, node: Tensor, stage: int) -> None:
        require_reduces(node, self._space)
        (source,) = node.inputs
        index = self._code.ranges.reshape(self._loops.full, source.shape, self._space.shape)
        value = self.value_of(Demand(source, index, None, stage))
        self._reduced[node] = self._code.reduce(stage, node.dtype, node.op.name, value, node.origins)

    def _store(self, number: int, node: Tensor, level: int) -> None:
        """Stores a result at the end of the first stage in which it is known."""
        full = is_full(node, self._space)
        if level != self._levels[node] - (not full and self._levels[node] > 0):
            return
        shape = self._space.shape if full else self._space.row_shape
        here = self._loops.full if full else self._loops.row
        stage = 2 * level + (not full)
        value = self.value_of(Demand(node, self._code.ranges.reshape(here, node.shape, shape), None, stage))
        self._code.store(stage, number, linear(here, shape), value)

    def value_of(self, demand: Demand) -> int:
        """The number of a value, whose code is made if there is none yet."""
        asked: list[tuple[Demand, Read]] = []
        answer = self._begin(demand, asked)
        while asked:
            current, steps = asked[-1]
            try:
                wanted = next(steps) if answer is None else steps.send(answer)
            except StopIteration as done:
                answer = self._known[current] = done.value
                asked.pop()
            else:
                answer = self._begin(wanted, asked)
        assert answer is not None
        return answer

    def _begin(self, demand: Demand, asked: list[tuple[Demand, Read]]) -> int | None:
        """A value that is known, or can be told at once; else `None`, and its read is begun."""
        demand = self._at_home(demand)
        known = self._known.get(demand)
        if known is not None:
            return known
        node, at, when, stage = demand
        if node in self._params:
            offset = linear(at, node.shape)
            known = self._code.load(stage, node.dtype, self._params[node], offset, when)
        elif node.op.kind is Kind.REDUCTION:
            known = self._reduction_at(node, at)
        elif node.op.name in SCALARS:
            known = SCALARS[node.op.name](self._code, node, stage)
        else:
            asked.append((demand, read(self._code, demand)))
            return None
        self._known[demand] = known
        return known

    def _at_home(self, demand: Demand) -> Demand:
        """What is computed of reduced values for a row as a whole belongs into the row stage behind the reduction."""
        level = self._levels[demand.node]
        if level == 0 or demand.when is not None or not self._is_in_row(demand.at):
            return demand
        return demand._replace(stage=2 * level - 1)

    def _is_in_row(self, index: Index) -> bool:
        """Whether an index is the same for all of a row."""
        if index not in self._in_row:
            names = dims.symbols(index)
            self._in_row[index] = not any(name in self._reduced_names or name.startswith("%v") for name in names)
        return self._in_row[index]

    def _reduction_at(self, node: Tensor, index: Index) -> int:
        row, shape = self._loops.row, self._space.row_shape
        same = self._code.ranges.reshape(row, node.shape, shape) == index
        if node in self._reduced and (same or linear(index, node.shape) == linear(row, shape)):
            return self._reduced[node]
        raise InternalError(
            f"the result of {node.op.name} is used at another row than the one at hand",
            expected=dims.shape_text(row),
            got=f"{dims.shape_text(index)} of {node!r}",
            origins=node.origins,
        )


def _levels(body: Graph) -> dict[Tensor, int]:
    """For every node the number of reductions that follow each other up to it."""
    levels: dict[Tensor, int] = dict.fromkeys(body.parameters, 0)
    for node in body.nodes:
        if node not in levels:
            below = max([levels[source] for source in node.inputs], default=0)
            levels[node] = below + (node.op.kind is Kind.REDUCTION)
    return levels


def _require_whole_gathers(body: Graph) -> None:
    """Holds all elements of gathers to be used: the reference checks every position."""
    given = set(body.parameters)
    whole = set(body.results)
    for node in reversed(body.nodes):
        if node in whole:
            whole.update(_wholly_read(node))
        elif node.op.name in GATHERS and node not in given:
            message = "not all elements of a gather are used: some positions would go unchecked"
            raise InternalError(message, got=repr(node), origins=node.origins)


def _wholly_read(node: Tensor) -> tuple[Tensor, ...]:
    """The inputs of which every element is read when all elements of a node are."""
    if node.op.name == "slice":
        return node.inputs if node.shape == node.inputs[0].shape else ()
    return node.inputs[1:] if node.op.name in ("slice_update", "take", "take_along_axis") else node.inputs
