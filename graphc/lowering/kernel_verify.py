"""The specification of Kernels: a table of sentences that are true of them. Run in tests and where options say so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from graphc.errors import NO_ORIGINS, GraphcError, VerifyError
from graphc.ir import dims
from graphc.ir.dims import Dim
from graphc.ir.dtype import DType, bool_, int64
from graphc.ir.opdef import OPS, Kind
from graphc.ir.types import TensorType
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
    axis_symbol,
)


class _At(NamedTuple):
    """An instruction where it stands.

    Attributes:
        full: whether its stage is.
        seen: the dtypes of the values that it may use.
        defined: how many values are defined before it.
    """

    kernel: Kernel
    instruction: Instruction
    full: bool
    seen: dict[int, DType]
    defined: int


def verify_kernel(kernel: Kernel) -> None:
    """Holds a kernel to the specification.

    Raises:
        VerifyError: with the sentence that is not true, and the kernel.
    """
    for sentence, holds in KERNEL_SPEC:
        if not holds(kernel):
            raise VerifyError(f"not true of kernel {kernel.name}: {sentence}", got=str(kernel), origins=NO_ORIGINS)
    for at in _walk(kernel):
        for sentence, true in INSTRUCTION_SPEC:
            if not true(at):
                message = f"not true of {at.instruction} in kernel {kernel.name}: {sentence}"
                raise VerifyError(message, got=str(kernel), origins=NO_ORIGINS)


def _walk(kernel: Kernel) -> Iterator[_At]:
    kept: dict[int, DType] = {}
    defined = 0
    for stage in kernel.stages:
        seen, reduced = dict(kept), {}
        for instruction in stage.body:
            yield _At(kernel, instruction, stage.full, seen, defined)
            if isinstance(instruction, (Check, Store)):
                continue
            defined += 1
            if isinstance(instruction, Reduce):
                reduced[instruction.dest] = instruction.dtype
            else:
                seen[instruction.dest] = instruction.dtype
        kept = {**kept, **reduced} if stage.full else seen


# --- of kernels -------------------------------------------------------------------------------------------


def _axes_are_numbered(kernel: Kernel) -> bool:
    return [axis.name for axis in kernel.axes] == [str(axis_symbol(number)) for number in range(len(kernel.axes))]


def _reductions_have_an_axis(kernel: Kernel) -> bool:
    return any(axis.reduced for axis in kernel.axes) or not any(isinstance(i, Reduce) for i in kernel.instructions)


def _outputs_are_stored_once(kernel: Kernel) -> bool:
    stored = [i.output for i in kernel.instructions if isinstance(i, Store)]
    return sorted(stored) == list(range(len(kernel.outputs)))


def _checks_are_made(kernel: Kernel) -> bool:
    return {i.number for i in kernel.instructions if isinstance(i, Check)} == set(range(len(kernel.checks)))


KERNEL_SPEC: tuple[tuple[str, Callable[[Kernel], bool]], ...] = (
    ("its axes are named by their position", _axes_are_numbered),
    ("it has a reduced axis if it reduces", _reductions_have_an_axis),
    ("every output is stored, by one instruction", _outputs_are_stored_once),
    ("every check that it lists is made, and no other", _checks_are_made),
)


# --- of instructions --------------------------------------------------------------------------------------


def _values_are_numbered(at: _At) -> bool:
    return isinstance(at.instruction, (Check, Store)) or at.instruction.dest == at.defined


def _operands_are_seen(at: _At) -> bool:
    match at.instruction:
        case Load(when=when):
            return when is None or when in at.seen
        case Compute(args=args):
            return all(arg in at.seen for arg in args)
        case Reduce(arg=arg):
            return arg in at.seen
        case Check(ok=ok, value=value):
            return ok in at.seen and value in at.seen
        case Store(value=value):
            return value in at.seen
    return True


def _symbols_are_known(at: _At) -> bool:
    axes = {axis.name for axis in at.kernel.axes if at.full or not axis.reduced}
    values = {f"{VALUE_PREFIX}{number}" for number, dtype in at.seen.items() if dtype is int64}
    prefixes = (AXIS_PREFIX, VALUE_PREFIX)
    return all(name in axes or name in values for name in dims.symbols(_dims(at)) if name.startswith(prefixes))


def _dims(at: _At) -> list[Dim]:
    match at.instruction:
        case Load(offset=offset) | Store(offset=offset):
            return [offset]
        case Index(value=value):
            return [value]
    return []


def _reduces_in_a_full_stage(at: _At) -> bool:
    return at.full or not isinstance(at.instruction, Reduce)


def _arrays_exist(at: _At) -> bool:
    match at.instruction:
        case Load(param=param):
            return 0 <= param < len(at.kernel.inputs)
        case Store(output=output):
            return 0 <= output < len(at.kernel.outputs)
    return True


def _dtypes_fit(at: _At) -> bool:
    kernel, seen = at.kernel, at.seen
    match at.instruction:
        case Load(_, dtype, param, _, when):
            return dtype is kernel.inputs[param].dtype and (when is None or seen[when] is bool_)
        case Index(_, dtype, _):
            return dtype is int64
        case Constant(_, dtype, value):
            return value.dtype == dtype.numpy
        case Compute(_, dtype, op, args):
            return _op_gives(dtype, op, Kind.ELEMENTWISE, *[seen[arg] for arg in args])
        case Reduce(_, dtype, op, arg):
            return _op_gives(dtype, op, Kind.REDUCTION, seen[arg])
        case Check(_, ok, value):
            return seen[ok] is bool_ and seen[value] is int64
        case Store(output, _, value):
            return seen[value] is kernel.outputs[output].dtype


def _op_gives(dtype: DType, name: str, kind: Kind, *operands: DType) -> bool:
    """Whether an op takes such operands and gives a result of that dtype."""
    if name not in OPS or OPS[name].kind is not kind:
        return False
    if name == "astype":
        return len(operands) == 1
    one = (1,) if kind is Kind.REDUCTION else ()
    attrs = {"axis": 0 if name.startswith("arg") else (0,), "keepdims": False} if one else {}
    try:
        found = OPS[name].infer(tuple(TensorType(operand, one) for operand in operands), attrs)
    except (GraphcError, IndexError, ValueError):
        dims.take_guards(NO_ORIGINS)
        return False
    return isinstance(found, TensorType) and found.dtype is dtype and set(operands) <= OPS[name].dtypes


def _stores_fill_their_outputs(at: _At) -> bool:
    """The offset runs once through all elements."""
    if not isinstance(at.instruction, Store):
        return True
    axes = [axis for axis in at.kernel.axes if at.full or not axis.reduced]
    position: Dim = 0
    for axis in axes:
        position = position * axis.size + dims.symbol(axis.name)
    points = dims.product(axis.size for axis in axes)
    difference = points - at.kernel.outputs[at.instruction.output].size
    return at.instruction.offset == position and (difference == 0 or not isinstance(difference, int))


INSTRUCTION_SPEC: tuple[tuple[str, Callable[[_At], bool]], ...] = (
    ("values are numbered in the order of the code", _values_are_numbered),
    ("its operands are defined before it, and seen in its stage", _operands_are_seen),
    ("its dims name axes and int64 values of its stage", _symbols_are_known),
    ("reductions stand in full stages", _reduces_in_a_full_stage),
    ("its array exists", _arrays_exist),
    ("its dtypes are those of its op, its arrays and its operands", _dtypes_fit),
    ("stores run through all elements of their output", _stores_fill_their_outputs),
)
