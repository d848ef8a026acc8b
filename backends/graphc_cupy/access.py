"""How reads and writes move along the innermost axis: what can be done with one access for several elements."""

from __future__ import annotations

from collections.abc import Iterable

from graphc.ir import dims
from graphc.ir.dims import Atom, Dim
from graphc.lowering.kernel import (
    AXIS_PREFIX,
    VALUE_PREFIX,
    Check,
    Compute,
    Constant,
    Index,
    Instruction,
    Kernel,
    Load,
    Reduce,
    Store,
)

_BYTES = 16  # the widest access of a thread
_MOST_NEIGHBOURS = 8  # of bytes, 16 at once make so much code that ptxas spills registers for sm_100


def step(offset: Dim, axis: str) -> int | None:
    """By how many elements an offset moves when the index on the axis grows by one: 0, 1, or `None` for another way."""
    if axis not in dims.symbols([offset]):
        return 0
    return 1 if axis not in dims.symbols([offset - dims.symbol(axis)]) else None


def alignment(offset: Dim, axis: str, width: int) -> tuple[Dim, ...] | None:
    """What must be multiples of `width` so that an offset of step 1 is one, wherever the axis is at a multiple.

    Returns:
        Dims in sizes only, none if it always holds; or `None` if it never does.
    """
    needed = []
    for monomial, factor in dims.terms(offset - dims.symbol(axis)):
        if factor % width == 0:
            continue
        sizes = tuple((atom, power) for atom, power in monomial if not _moves(atom))
        if not sizes:
            return None
        needed.append(dims.from_terms({sizes: factor}))
    return tuple(needed)


def _moves(atom: Atom) -> bool:
    itself = dims.from_terms({((atom, 1),): 1})
    return any(name.startswith((AXIS_PREFIX, VALUE_PREFIX)) for name in dims.symbols([itself]))


def values_in(offset: Dim) -> list[int]:
    """The numbered values that an offset is made of."""
    return [int(name.removeprefix(VALUE_PREFIX)) for name in dims.symbols([offset]) if name.startswith(VALUE_PREFIX)]


def operands(instruction: Instruction) -> list[int]:
    """The numbered values that an instruction uses."""
    match instruction:
        case Load(_, _, _, offset, when):
            return values_in(offset) + ([] if when is None else [when])
        case Index(_, _, dim):
            return values_in(dim)
        case Compute(_, _, _, args):
            return list(args)
        case Reduce(_, _, _, arg):
            return [arg]
        case Check(_, ok, value):
            return [ok, value]
        case Store(_, offset, value):
            return [*values_in(offset), value]
    return []


def uniform_values(body: Iterable[Instruction], axis: str) -> set[int]:
    """The values of a full stage that are the same all along the axis."""
    found: set[int] = set()
    varying: set[int] = set()
    for instruction in body:
        if not isinstance(instruction, (Check, Store)):
            (found if is_uniform(instruction, axis, varying) else varying).add(instruction.dest)
    return found


def is_uniform(instruction: Instruction, axis: str, varying: set[int]) -> bool:
    """Whether an instruction does the same all along the axis; `varying` are the values that do not."""
    if any(value in varying for value in operands(instruction)):
        return False
    if isinstance(instruction, Constant):
        return True
    if isinstance(instruction, Load):
        return step(instruction.offset, axis) == 0
    if isinstance(instruction, Index):
        return axis not in dims.symbols([instruction.value])
    return isinstance(instruction, (Compute, Check))


def contiguous(kernel: Kernel, body: Iterable[Instruction], axis: str) -> list[Load | Store]:
    """The reads and writes of a full stage that take the next element when the index on the axis grows by one."""
    body = list(body)
    own = {i.dest for i in body if not isinstance(i, (Check, Store))}
    varying = own - uniform_values(body, axis)
    found: list[Load | Store] = []
    for instruction in body:
        if not isinstance(instruction, (Load, Store)) or step(instruction.offset, axis) != 1:
            continue
        places = values_in(instruction.offset)
        if isinstance(instruction, Load) and instruction.when is not None:
            places.append(instruction.when)
        if not any(value in varying for value in places):
            found.append(instruction)
    return found


def vector_width(kernel: Kernel) -> int:
    """How many neighbours on the innermost axis a thread takes: 16 bytes, or fewer, where they lie side by side."""
    bodies = [stage.body for stage in kernel.stages if stage.full]
    if not kernel.axes or not bodies:
        return 1
    axis, length = kernel.axes[-1].name, kernel.axes[-1].size
    accesses = [access for body in bodies for access in contiguous(kernel, body, axis)]
    if not accesses or any(_is_scattered(instruction, axis) for body in bodies for instruction in body):
        return 1
    width = min(_BYTES // max(_itemsize(kernel, access) for access in accesses), _MOST_NEIGHBOURS)
    while width > 1:
        fits = not isinstance(length, int) or length >= width
        if fits and all(alignment(access.offset, axis, width) is not None for access in accesses):
            return width
        width //= 2
    return 1


def _is_scattered(instruction: Instruction, axis: str) -> bool:
    return isinstance(instruction, (Load, Store)) and step(instruction.offset, axis) is None


def _itemsize(kernel: Kernel, access: Load | Store) -> int:
    kind = kernel.inputs[access.param] if isinstance(access, Load) else kernel.outputs[access.output]
    return kind.dtype.itemsize
