"""Groups of elementwise ops as emitted code, and their binding to blocks and scratch memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from graphc.ir import dims
from graphc.ir.dims import Shape
from graphc.ir.graph import Graph
from graphc.ir.tensor import Tensor
from graphc.ir.types import TensorType
from graphc.plan.data import Step
from graphc.plan.memory import aligned
from graphc.reference import bind_attrs, static_shape

from . import emit, groups
from .groups import block_axis, computed, elements, registers


class Temporary(NamedTuple):
    """A temporary as one dtype and shape: its name in the code, and its place."""

    name: str
    register: int
    type: TensorType


class Names(NamedTuple):
    """What the code of a group calls things.

    Attributes:
        inputs, outputs: of the step.
        bound: notes a name whose value is made when the plan is bound, and returns it.
        number: a name for a constant or a size.
        operands: a node and names of its parts → what a row of the table of `emit` takes.
    """

    inputs: Sequence[str]
    outputs: Sequence[str]
    bound: Callable[[str], str]
    number: Callable[[Tensor], str]
    operands: Callable[[Tensor, Mapping[Tensor, str]], emit.Operands]


class GroupText(NamedTuple):
    """A group as code.

    Attributes:
        position: of its step.
        blocks: the name of its blocks; `None` is their value if it runs at once.
        shape: of what it computes.
        widths: of the temporaries' elements, in bytes.
        temporaries: by name.
        whole, cut: calls on whole arrays, and on those of a block.
    """

    position: int
    blocks: str
    shape: Shape
    widths: Sequence[int]
    temporaries: Sequence[Temporary]
    whole: list[emit.Line]
    cut: list[emit.Line]

    def run_lines(self) -> list[str]:
        """Both ways to run it."""
        cut = [f"        {line}" for line in self.cut]
        return [f"if {self.blocks} is None:", *(f"    {line}" for line in self.whole), "else:", self._loop(4), *cut]

    def commit_lines(self) -> list[str]:
        """The same as calls that are prepared when the plan is bound."""
        whole = [f"    {line.as_partial()}," for line in self.whole]
        cut = [f"    {line.as_partial()}," for line in self.cut]
        return [
            "*((",
            *whole,
            f") if {self.blocks} is None else [call",
            self._loop(4)[:-1],
            "for call in (",
            *cut,
            ")]),",
        ]

    def _loop(self, indent: int) -> str:
        names = [temporary.name for temporary in self.temporaries]
        return " " * indent + f"for rows, {', '.join(names)}".rstrip(", ") + "," * (not names) + f" in {self.blocks}:"

    def bind(self, sizes: Mapping[str, int], memory: np.ndarray | None) -> dict[str, Any]:
        """Values of the names of blocks and temporaries, over the memory of the scratch buffer."""
        shape = static_shape(self.shape, sizes)
        axis = block_axis(self.shape)
        row = math.prod(shape[axis + 1 :])
        offsets = [0]
        for width in self.widths:
            offsets.append(offsets[-1] + dims.evaluate(aligned(elements(self.shape) * width), sizes))
        if math.prod(shape) <= max(groups.WHOLE, row):
            views = [self._view(temporary, memory, offsets, None, sizes) for temporary in self.temporaries]
            return {self.blocks: None, **{t.name: view for t, view in zip(self.temporaries, views, strict=True)}}
        step = max(1, groups.BLOCK // row)
        blocks = []
        made: dict[int, list[np.ndarray]] = {}
        for start in range(0, shape[axis], step):
            count = min(step, shape[axis] - start)
            if count not in made:
                made[count] = [self._view(t, memory, offsets, count, sizes) for t in self.temporaries]
            blocks.append((slice(start, start + count), *made[count]))
        return {self.blocks: blocks, **{temporary.name: None for temporary in self.temporaries}}

    def _view(
        self,
        temporary: Temporary,
        memory: np.ndarray | None,
        offsets: Sequence[int],
        rows: int | None,
        sizes: Mapping[str, int],
    ) -> np.ndarray:
        shape = list(static_shape(temporary.type.shape, sizes))
        if rows is not None:
            shape[block_axis(temporary.type.shape)] = rows
        return np.ndarray(shape, temporary.type.dtype.numpy, memory, offsets[temporary.register])


class Size(NamedTuple):
    """A dim as a number in a group, until sizes are bound."""

    node: Tensor

    def bind(self, sizes: Mapping[str, int]) -> np.ndarray:
        """The number."""
        function = self.node.op.array_fn
        assert callable(function)
        number: np.ndarray = function(np, **bind_attrs(self.node.attrs, sizes))
        return number


def group_text(position: int, step: Step, taken: Mapping[int, int], names: Names) -> GroupText:
    """The code of a group.

    Args:
        position, step: of the plan.
        taken: number of a result → number of the operand whose memory it takes over.
        names: for operands, results, and whatever else.
    """
    body: Graph = step.attrs["body"]
    places = registers(body, taken)
    temporaries: dict[tuple[int, TensorType], Temporary] = {}
    whole_names = dict(zip(body.parameters, names.inputs, strict=True))
    for node in computed(body):
        if node in places.result:
            whole_names[node] = names.outputs[places.result[node]]
            continue
        key = (places.temporary[node], node.type)
        if key not in temporaries:
            temporaries[key] = Temporary(names.bound(f"s{position}_{len(temporaries)}"), *key)
        whole_names[node] = temporaries[key].name
    for node in body.nodes:
        if node not in whole_names:
            whole_names[node] = names.number(node)
    in_scratch = places.temporary.keys()
    lines: list[list[emit.Line]] = [[], []]
    for node in computed(body):
        for cuts, found in enumerate(lines):
            text = {
                part: whole_names[part] + (_index(part, node) if cuts and part not in in_scratch else "")
                for part in (*node.inputs, node)
            }
            found += emit.lines(_step_of(node), names.operands(node, text))
    return GroupText(
        position,
        names.bound(f"blocks_{position}"),
        body.results[0].shape,
        places.widths,
        list(temporaries.values()),
        *lines,
    )


def _index(part: Tensor, node: Tensor) -> str:
    """The block of an operand of a node, as it stands behind a name: nothing if all blocks read all of it."""
    axis = block_axis(node.shape) - (node.ndim - part.ndim)
    if axis < 0 or axis >= part.ndim or part.shape[axis] == 1:
        return ""
    return "[" + ":, " * axis + "rows]"


def _step_of(node: Tensor) -> Step:
    return Step(node.op, node.attrs, (), (), node.origins, node.id)
