"""What each kind of node is at one index, in terms of its inputs at theirs: a table from ops to steps of the builder.

A read is a generator: it yields what it needs of other nodes, is sent the numbers of those values, and returns its own.
So the depth of a graph costs no Python stack.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import NamedTuple, TypeAlias

from graphc.errors import InternalError
from graphc.ir.dims import Dim, Shape
from graphc.ir.dtype import bool_, int64
from graphc.ir.opdef import Kind
from graphc.ir.tensor import Tensor
from graphc.lowering.index import Index
from graphc.lowering.kernel import value_symbol
from graphc.lowering.kernel_code import Code


class Demand(NamedTuple):
    """The value of a node at an index, in a stage; where `when` is false, nothing may be read for it."""

    node: Tensor
    at: Index
    when: int | None
    stage: int

    def of(self, node: Tensor, index: Index) -> Demand:
        """The same of another node."""
        return Demand(node, index, self.when, self.stage)


Read: TypeAlias = Generator[Demand, int, int]


def read(code: Code, demand: Demand) -> Read:
    """The read of a node that is neither a parameter, nor one of `SCALARS`, nor a reduction.

    Raises:
        InternalError: a kernel cannot compute such a node.
    """
    node = demand.node
    if node.op.kind is Kind.ELEMENTWISE:
        return _elementwise(code, demand)
    if node.op.name not in _READS:
        raise InternalError(f"a kernel cannot compute {node.op.name}", got=repr(node), origins=node.origins)
    return _READS[node.op.name](code, demand)


def broadcast_index(index: Index, shape: Shape) -> Index:
    """The index into a value of that shape which broadcasts to the value with this index."""
    own = index[len(index) - len(shape) :]
    return tuple([0 if size == 1 else at for at, size in zip(own, shape, strict=True)])


def _elementwise(code: Code, d: Demand) -> Read:
    args = []
    for source in d.node.inputs:
        index = d.at if source.shape == d.node.shape else broadcast_index(d.at, source.shape)
        args.append((yield d.of(source, index)))
    return code.compute(d.stage, d.node.dtype, d.node.op.name, *args, origins=d.node.origins)


def _constant(code: Code, node: Tensor, stage: int) -> int:
    value = node.attrs["value"]
    if value.size != 1:
        message = "a kernel holds constants of one element; others are inputs"
        raise InternalError(message, got=repr(node), origins=node.origins)
    return code.constant(stage, node.dtype, value.reshape(-1)[0])


def _dim_value(code: Code, node: Tensor, stage: int) -> int:
    value = code.integer(stage, node.attrs["dim"])
    return value if node.dtype is int64 else code.compute(stage, node.dtype, "astype", value, origins=node.origins)


def _same(code: Code, d: Demand) -> Read:
    return (yield d.of(d.node.inputs[0], d.at))


def _reshape(code: Code, d: Demand) -> Read:
    (source,) = d.node.inputs
    return (yield d.of(source, code.ranges.reshape(d.at, source.shape, d.node.shape)))


def _permute_dims(code: Code, d: Demand) -> Read:
    axes = d.node.attrs["axes"]
    return (yield d.of(d.node.inputs[0], tuple(d.at[axes.index(axis)] for axis in range(len(axes)))))


def _broadcast_to(code: Code, d: Demand) -> Read:
    (source,) = d.node.inputs
    return (yield d.of(source, broadcast_index(d.at, source.shape)))


def _slice(code: Code, d: Demand) -> Read:
    (source,) = d.node.inputs
    places = zip(d.node.attrs["starts"], d.node.attrs["steps"], d.at, source.shape, strict=True)
    return (yield d.of(source, tuple(0 if size == 1 else start + at * step for start, step, at, size in places)))


def _pad(code: Code, d: Demand) -> Read:
    source, border = d.node.inputs
    inner = tuple(at - before for at, (before, _) in zip(d.at, d.node.attrs["pad_width"], strict=True))
    inside = code.inside(d.stage, inner, source.shape)
    return (yield from _choose(code, d, inside, d.of(source, inner), d.of(border, ())))


def _slice_update(code: Code, d: Demand) -> Read:
    source, part = d.node.inputs
    starts, steps = d.node.attrs["starts"], d.node.attrs["steps"]
    index: list[Dim] = []
    inside: int | None = None
    for at, start, step in zip(d.at, starts, steps, strict=True):
        ahead = at - start if step > 0 else start - at
        place, rest = code.ranges.divmod(ahead, abs(step))
        index.append(place)
        if rest != 0:
            remainder = code.integer(d.stage, rest), code.integer(d.stage, 0)
            inside = code.both(d.stage, inside, code.compute(d.stage, bool_, "equal", *remainder))
    inside = code.both(d.stage, inside, code.inside(d.stage, tuple(index), part.shape))
    return (yield from _choose(code, d, inside, d.of(part, tuple(index)), d.of(source, d.at)))


def _concat(code: Code, d: Demand) -> Read:
    """From the last part to the first: the first in whose range the index lies."""
    axis: int = d.node.attrs["axis"]
    starts: list[Dim] = [0]
    for part in d.node.inputs:
        starts.append(starts[-1] + part.shape[axis])
    value: int | None = None
    for number in reversed(range(len(d.node.inputs))):
        part, start, stop = d.node.inputs[number], starts[number], starts[number + 1]
        if part.shape[axis] == 0:
            continue
        before_stop = None if value is None else code.below(d.stage, d.at[axis], stop)
        when = code.both(d.stage, code.nonnegative(d.stage, d.at[axis] - start), before_stop)
        index = (*d.at[:axis], d.at[axis] - start, *d.at[axis + 1 :])
        element = yield _within(code, d.of(part, index), when)
        value = element if value is None else _where(code, d, before_stop, element, value)
    if value is None:  # nothing to join: there is no such index
        value = yield d.of(d.node.inputs[0], d.at)
    return value


def _take(code: Code, d: Demand) -> Read:
    """A position is checked where it is read; what lies outside is reported, and reads nothing."""
    source, positions = d.node.inputs
    axis: int = d.node.attrs["axis"]
    stop = axis + positions.ndim
    position = yield d.of(positions, d.at[axis:stop])
    symbol, ok = _checked(code, d, position, positions, source.shape[axis])
    return (yield _within(code, d.of(source, (*d.at[:axis], symbol, *d.at[stop:])), ok))


def _take_along_axis(code: Code, d: Demand) -> Read:
    """The same with a position for each element."""
    source, positions = d.node.inputs
    axis: int = d.node.attrs["axis"]
    position = yield d.of(positions, d.at)
    symbol, ok = _checked(code, d, position, positions, source.shape[axis])
    return (yield _within(code, d.of(source, (*d.at[:axis], symbol, *d.at[axis + 1 :])), ok))


def _positions(code: Code, d: Demand) -> Read:
    """Indices that are computed with; they do not count where nothing is read by them."""
    (indices,) = d.node.inputs
    position = yield d.of(indices, d.at)
    idle = code.compute(d.stage, bool_, "equal", code.integer(d.stage, d.node.attrs["used"]), code.integer(d.stage, 0))
    return _wrapped(code, d, position, indices, d.node.attrs["size"], idle)[0]


def _checked(code: Code, d: Demand, position: int, positions: Tensor, size: Dim) -> tuple[Dim, int]:
    """A position as an index from 0 on, and whether it is in range."""
    wrapped, ok = _wrapped(code, d, position, positions, size)
    return code.ranges.declare(value_symbol(wrapped), size), ok


def _wrapped(
    code: Code, d: Demand, position: int, positions: Tensor, size: Dim, idle: int | None = None
) -> tuple[int, int]:
    """A position from 0 on, and whether it is in range: if not, that is reported, unless idle."""
    stage = d.stage
    if positions.dtype is not int64:
        position = code.compute(stage, int64, "astype", position)
    count = code.integer(stage, size)
    ok = code.compute(stage, bool_, "less", position, count)
    zero = code.integer(stage, 0)
    least = zero
    wrapped = position
    if positions.dtype.kind == "int":  # negative ones count from the end
        least = code.compute(stage, int64, "negative", count)
        from_end = code.compute(stage, int64, "add", position, count)
        negative = code.compute(stage, bool_, "less", position, zero)
        wrapped = code.compute(stage, int64, "where", negative, from_end, position)
    ok = code.compute(stage, bool_, "logical_and", ok, code.compute(stage, bool_, "greater_equal", position, least))
    reported = ok if idle is None else code.compute(stage, bool_, "logical_or", idle, ok)
    if d.when is not None:
        unread = code.compute(stage, bool_, "logical_not", d.when)
        reported = code.compute(stage, bool_, "logical_or", unread, reported)
    code.check(stage, d.node, size, reported, position)
    return wrapped, ok


def _choose(code: Code, d: Demand, inside: int | None, this: Demand, other: Demand) -> Read:
    """One value where a condition holds, which nothing else may read, and another elsewhere."""
    element = yield _within(code, this, inside)
    return element if inside is None else _where(code, d, inside, element, (yield other))


def _where(code: Code, d: Demand, condition: int | None, first: int, second: int) -> int:
    if condition is None:
        return first
    return code.compute(d.stage, d.node.dtype, "where", condition, first, second, origins=d.node.origins)


def _within(code: Code, d: Demand, condition: int | None) -> Demand:
    """A demand that holds under a condition only; its index is brought back to 0 on axes of size 1."""
    index = tuple(0 if size == 1 else at for at, size in zip(d.at, d.node.shape, strict=True))
    return Demand(d.node, index, code.both(d.stage, d.when, condition), d.stage)


_READS: dict[str, Callable[[Code, Demand], Read]] = {
    "broadcast_to": _broadcast_to,
    "concat": _concat,
    "pad": _pad,
    "permute_dims": _permute_dims,
    "positions": _positions,
    "reshape": _reshape,
    "slice": _slice,
    "slice_update": _slice_update,
    "stop_gradient": _same,
    "take": _take,
    "take_along_axis": _take_along_axis,
}
SCALARS: dict[str, Callable[[Code, Tensor, int], int]] = {"constant": _constant, "dim_value": _dim_value}
"""Nodes that need nothing of others: (code, node, stage) → the number of the value."""
