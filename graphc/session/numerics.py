"""Where the first NaN or infinity of a run came from: found after the fact, by the reference interpreter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from graphc import reference
from graphc.errors import NumericsError, merge_origins
from graphc.ir.graph import Graph
from graphc.ir.opdef import Kind
from graphc.ir.tensor import Tensor, rebuild
from graphc.ir.walk import toposort, transform
from graphc.ops.fused import FUSED_OPS, inline

Test = Callable[[Any], np.ndarray]


def explain(error: NumericsError, graph: Graph, values: Mapping[Tensor, np.ndarray], sizes: Mapping[str, int]) -> None:
    """Completes the error of a `check_numerics` with the line that made the first value that is not finite.

    Args:
        error: raised by a check of the graph; its origins are those of the check.
        graph: what was run.
        values: of the placeholders and the variables, as they were at the start of the run.
        sizes: of the symbols.
    """
    checks = [node for node in graph.nodes if node.op.name == "check_numerics" and node.origins == error.origins]
    checked = [node.inputs[0] for node in checks]
    silent = transform(toposort(checked), _Plain())
    known: dict[Tensor, Any] = {}
    reference.evaluate([silent[node] for node in checked], values, sizes, visit=known.__setitem__)
    for node in checked:
        for test in (np.isnan, np.isinf):
            if _holds(known[silent[node]], test):
                _complete(error, _maker(silent[node], known, test), known, test)
                return


class _Plain:
    """The same nodes without effects, so that nothing is printed twice, and without groups, whose nodes have lines."""

    def __init__(self) -> None:
        self._parts: dict[Tensor, tuple[Tensor, ...]] = {}

    def __call__(self, node: Tensor, inputs: list[Tensor]) -> Tensor:
        if node.op.kind is Kind.EFFECT:
            return inputs[0]
        if node.op.name == "project" and inputs[0] in self._parts:
            part: Tensor = self._parts[inputs[0]][node.attrs["index"]]
            return part
        new = rebuild(node, inputs)
        if node.op in FUSED_OPS:
            self._parts[new] = inline(node.attrs["body"], inputs)
        return new


def _holds(value: Any, test: Test) -> bool:
    arrays = value if isinstance(value, tuple) else (value,)
    return any(array.dtype.kind in "fc" and bool(test(array).any()) for array in arrays)


def _maker(node: Tensor, known: Mapping[Tensor, Any], test: Test) -> Tensor:
    """The node from which such a value came first: none of its operands holds one."""
    while True:
        source = next((source for source in node.inputs if _holds(known[source], test)), None)
        if source is None:
            return node
        node = source


def _complete(error: NumericsError, maker: Tensor, known: Mapping[Tensor, Any], test: Test) -> None:
    kind = "NaN" if test is np.isnan else "infinity"
    what, detail, fix = _account(maker, known, test)
    error.message += f"; the first {kind} {what}"
    error.got = f"{detail}; {error.got} at the check"
    error.fix = fix
    error.origins = merge_origins([maker.origins, error.origins])


def _account(maker: Tensor, known: Mapping[Tensor, Any], test: Test) -> tuple[str, str, str]:
    """What made it, the numbers that were met there, and what to do about it."""
    value = known[maker]
    if isinstance(value, tuple):
        return f"comes out of {maker.op.name}", f"a result of {maker.op.name}", "check its operands"
    place = np.unravel_index(int(test(value).argmax()), value.shape)
    where = f" at [{', '.join(map(str, place))}]" if place else ""
    number = f"{value[place]}"
    if maker.op.name == "placeholder":
        fix = "mend the data before it is fed: np.isfinite(array) is False in those places"
        return f"is in the feed for {maker.name!r}", f"{number} in {maker.name!r}{where}", fix
    if maker.op.name == "variable":
        fix = "go back to a snapshot; a lower learning rate or clipped gradients keep updates finite"
        return f"is in the variable {maker.name!r}", f"{number} in {maker.name!r}{where}", fix
    if maker.op.name == "constant":  # written so, or folded from constants
        return "is a constant", f"{number} in a constant{where}", "change the constants of that line"
    fix = f"keep what goes into {maker.op.name} in range, for example with gc.maximum, gc.clip or gc.where"
    if maker.op.kind is not Kind.ELEMENTWISE:
        return f"comes out of {maker.op.name}", f"{number} from {maker.op.name}{where}", fix
    operands = ", ".join(f"{np.broadcast_to(known[source], value.shape)[place]}" for source in maker.inputs)
    return f"comes out of {maker.op.name}", f"{maker.op.name}({operands}) = {number}{where}", fix
