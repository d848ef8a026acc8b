"""Fewer loops for the same kernel: neighbouring axes become one wherever all offsets allow it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from graphc.ir import dims
from graphc.ir.dims import Dim
from graphc.lowering.index import substitute
from graphc.lowering.kernel import Axis, Index, Instruction, Kernel, Load, Stage, Store, axis_symbol


def collapse_axes(kernel: Kernel) -> Kernel:
    """The kernel with neighbouring axes merged: both reduced or both not, and read and written through one index.

    An elementwise kernel over arrays of one shape gets a single axis. The axes are named anew in their order.
    """
    axes, values = _merge(kernel.axes, set(_indices(kernel)))
    names: dict[str, Dim] = {axis.name: axis_symbol(number) for number, axis in enumerate(axes)}
    values = {name: substitute(value, names) for name, value in values.items()}
    return kernel._replace(
        axes=tuple(Axis(str(names[axis.name]), axis.size, axis.reduced) for axis in axes),
        stages=tuple(Stage(stage.full, tuple(_rewritten(i, values) for i in stage.body)) for stage in kernel.stages),
    )


def _merge(given: Iterable[Axis], used: set[Dim]) -> tuple[list[Axis], dict[str, Dim]]:
    """The axes that are left, and for each old index what takes its place in sums that only use merged ones."""
    axes: list[Axis] = []
    values: dict[str, Dim] = {}
    for axis in given:
        values[axis.name] = dims.symbol(axis.name)
        outer = axes[-1] if axes else None
        if outer is None or outer.reduced != axis.reduced or not _is_mergeable(outer, axis, used):
            axes.append(axis)
            continue
        used = {substitute(dim, {outer.name: 0}) for dim in used}
        axes[-1] = Axis(axis.name, outer.size * axis.size, axis.reduced)
        values = {name: substitute(value, {outer.name: 0}) for name, value in values.items()}
    return axes, values


def _is_mergeable(outer: Axis, inner: Axis, used: Iterable[Dim]) -> bool:
    """Whether two indices are only ever used as `outer * inner.size + inner`."""
    joint: dict[str, Dim] = {inner.name: dims.symbol(outer.name) * inner.size + dims.symbol(inner.name)}
    return all(dim == substitute(substitute(dim, {outer.name: 0}), joint) for dim in used)


def _indices(kernel: Kernel) -> Iterable[Dim]:
    for instruction in kernel.instructions:
        if isinstance(instruction, (Load, Store)):
            yield instruction.offset
        elif isinstance(instruction, Index):
            yield instruction.value


def _rewritten(instruction: Instruction, values: Mapping[str, Dim]) -> Instruction:
    if isinstance(instruction, (Load, Store)):
        return instruction._replace(offset=substitute(instruction.offset, values))
    if isinstance(instruction, Index):
        return instruction._replace(value=substitute(instruction.value, values))
    return instruction
