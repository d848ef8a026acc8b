"""Groups of elementwise ops: large ones run block by block, so that what is between two ops stays in the cache.

A group that fits into one block is the same straight line of calls as if it were no group.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from graphc.ir import dims
from graphc.ir.dims import Dim, Shape
from graphc.ir.graph import Graph
from graphc.ir.opdef import Kind, OpDef
from graphc.ir.tensor import Tensor
from graphc.ir.types import TensorType
from graphc.ops.fused import reads_in_place
from graphc.plan.memory import aligned
from graphc.plan.order import sort_steps

from . import emit

WHOLE = 1 << 21
"""Elements up to which a group runs at once: its arrays, of 8 MiB each, still meet in a cache of 32 MiB."""
BLOCK = 1 << 17
"""Elements of a block of a larger group: half a MiB of each array."""


class Registers(NamedTuple):
    """Where the values of a group are while it runs.

    Attributes:
        result: node → number of the result in whose memory it is.
        temporary: any other node → number of a temporary.
        widths: of the elements of each temporary, in bytes.
    """

    result: dict[Tensor, int]
    temporary: dict[Tensor, int]
    widths: list[int]


class _Chain:
    """Values of a group that take over each other's memory, from the `start`-th node to the `end`-th."""

    def __init__(self, start: int, width: int) -> None:
        self.start = self.end = start
        self.width = width
        self.nodes: list[Tensor] = []
        self.result: int | None = None


def computed(body: Graph) -> list[Tensor]:
    """What a group computes, in order: results that cannot take over an operand's memory as soon as they can be had.

    Then the last reader of a value may take over its memory: of `relu(x)` and `x > 0`, relu is that.
    """
    nodes = [node for node in body.nodes if node.op.kind is not Kind.SOURCE]
    numbers = {node: number for number, node in enumerate(nodes)}
    results = set(body.results)
    early = [node in results and not any(_alike(source, node) for source in node.inputs) for node in nodes]
    readers: list[list[int]] = [[] for _ in nodes]
    for node in nodes:
        for source in dict.fromkeys(node.inputs):
            if source in numbers:
                readers[numbers[source]].append(numbers[node])
    order, _ = sort_steps(readers, lambda number: (not early[number], number))
    return [nodes[number] for number in order]


def takes_over(attrs: Mapping[str, Any]) -> list[tuple[int, ...]]:
    """For each result, the operands in whose memory it may be: all is read of them when it is written."""
    body: Graph = attrs["body"]
    nodes = computed(body)
    position = {node: at for at, node in enumerate(nodes)}
    in_place = reads_in_place(body)
    return [
        tuple(
            number
            for number, source in enumerate(body.parameters)
            if in_place[number] and _alike(source, result) and _is_read_before(source, nodes, position[result])
        )
        for result in body.results
    ]


def _alike(first: Tensor, second: Tensor) -> bool:
    return first.shape == second.shape and first.dtype.bits == second.dtype.bits


def _is_read_before(source: Tensor, nodes: Sequence[Tensor], position: int) -> bool:
    """Whether nothing after the node at a position reads a value, and that node only where it may be written over."""
    later = (operand for node in nodes[position + 1 :] for operand in node.inputs)
    return all(operand is not source for operand in later) and _permits(nodes[position], source)


def _permits(node: Tensor, source: Tensor) -> bool:
    permitted = emit.OVERWRITES.get(node.op.name, ())
    return all(number in permitted for number, operand in enumerate(node.inputs) if operand is source)


def registers(body: Graph, taken: Mapping[int, int]) -> Registers:
    """Places for the values of a group.

    Args:
        body: of elementwise ops.
        taken: number of a result → number of the parameter whose memory it takes over.
    """
    chains = _chains(body, taken)
    result: dict[Tensor, int] = {}
    temporary: dict[Tensor, int] = {}
    widths: list[int] = []
    free_from: list[int] = []
    for chain in chains:
        if chain.result is not None:
            result.update(dict.fromkeys(chain.nodes, chain.result))
            continue
        free = [n for n, width in enumerate(widths) if width == chain.width and free_from[n] < chain.start]
        number = free[0] if free else len(widths)
        if not free:
            widths.append(chain.width)
            free_from.append(0)
        free_from[number] = chain.end
        temporary.update(dict.fromkeys(chain.nodes, number))
    return Registers(result, temporary, widths)


def _chains(body: Graph, taken: Mapping[int, int]) -> list[_Chain]:
    nodes = computed(body)
    last_use = {operand: position for position, node in enumerate(nodes) for operand in node.inputs}
    numbers = {node: number for number, node in enumerate(body.results)}
    chains: list[_Chain] = []
    chain_of: dict[Tensor, _Chain] = {}
    for position, node in enumerate(nodes):
        number = numbers.get(node)
        found = None
        for operand in node.inputs:
            chain = chain_of.get(operand)
            dies = chain is not None and chain.result is None and last_use[operand] == position
            if dies and _alike(operand, node) and _permits(node, operand):
                found = chain
        if found is not None and number is not None and any(each.dtype is not node.dtype for each in found.nodes):
            found = None  # the memory of a result is an array of one dtype
        if found is not None and number is not None and number in taken:
            source = body.parameters[taken[number]]
            found = found if _is_read_before(source, nodes, found.start) else None
        if found is None:
            found = _Chain(position, node.dtype.itemsize)
            chains.append(found)
        found.end = last_use.get(node, position)
        found.nodes.append(node)
        found.result = number
        chain_of[node] = found
    return chains


def block_axis(shape: Shape) -> int:
    """The axis along which a group is cut into blocks: the first that is not known to be 1."""
    return next((axis for axis, size in enumerate(shape) if size != 1), 0)


def elements(shape: Shape) -> Dim:
    """How many elements of each temporary there are at most."""
    row = dims.product(shape[block_axis(shape) + 1 :])
    return dims.minimum(dims.product(shape), dims.maximum(WHOLE, row))


def scratch(op: OpDef, attrs: Mapping[str, Any], types: Sequence[TensorType], taken: Mapping[int, int]) -> Dim:
    """The bytes of the temporaries of a group."""
    if "body" not in attrs:
        return 0
    body: Graph = attrs["body"]
    count = elements(body.results[0].shape)
    total: Dim = 0
    for width in registers(body, taken).widths:
        total = total + aligned(count * width)
    return total
