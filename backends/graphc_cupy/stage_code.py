"""Instructions and stages of a Kernel as lines of C++."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from graphc.ir import dims
from graphc.ir.dims import Dim
from graphc.ir.dtype import DType
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
    Stage,
    Store,
)

from .access import alignment, contiguous, is_uniform, operands, uniform_values
from .expressions import STORED_TYPES, VALUE_TYPES, Expressions, literal
from .writer import Writer, comment_of


class Neighbours(NamedTuple):
    """What a full stage takes at once on the innermost axis.

    Attributes:
        axis: the symbol of its index.
        width: how many elements.
        bounded: whether the last ones of the axis may be fewer.
        kept: input and offset → the name of a vector in registers.
    """

    axis: str
    width: int
    bounded: bool
    kept: Mapping[tuple[int, Dim], str]


class StageCode:
    """Prints the code of stages; knows the names and types of everything in a kernel's function.

    Args:
        kernel: the kernel.
        wide: whether indices have 64 bits.
    """

    def __init__(self, kernel: Kernel, wide: bool) -> None:
        self.kernel = kernel
        self.integer, self.unsigned = ("long long", "unsigned long long") if wide else ("int", "unsigned")
        self._dtypes = {i.dest: i.dtype for i in kernel.instructions if not isinstance(i, (Check, Store))}
        self._aligned: dict[tuple[int, tuple[Dim, ...]], str] = {}
        sizes = {name: f"gc_size{number}" for number, name in enumerate(kernel.symbols)}
        axes = {axis.name: index_name(axis.name) for axis in kernel.axes}
        values = {f"{VALUE_PREFIX}{number}": f"({self.integer})gc_v{number}" for number in self._dtypes}
        self._names = {**sizes, **axes, **values}
        self.index = Expressions(self._names, self.integer)
        arguments = {name: f"gc_n{number}" for number, name in enumerate(kernel.symbols)}
        long_axes = {name: f"(long long){text}" for name, text in axes.items()}
        long_values = {f"{VALUE_PREFIX}{number}": f"(long long)gc_v{number}" for number in self._dtypes}
        self.whole = Expressions({**arguments, **long_axes, **long_values}, "long long")
        """Prints dims in 64 bits, whatever the width of indices."""

    def size(self, dim: Dim) -> str:
        """A size as an unsigned number, for the arithmetic of threads."""
        return f"{dim}u" if isinstance(dim, int) and dim < 2**32 else f"({self.unsigned})({self.index.text(dim)})"

    def vector_type(self, load: Load, width: int) -> str:
        """The type of what a thread reads at once."""
        element = STORED_TYPES[load.dtype.name]
        return element if width == 1 else f"gc_vector<{element}, {width}>"

    def dtype_of(self, value: int) -> DType:
        """The dtype of a numbered value."""
        return self._dtypes[value]

    def operator(self, reduce: Reduce) -> str:
        """The struct of the prelude that does a reduction."""
        return f"gc_{reduce.op}<{VALUE_TYPES[self._dtypes[reduce.arg].name]}>"

    def alignments(self) -> list[tuple[str, str]]:
        """Name and condition of what has been asked for: whether rows begin at multiples of a vector."""
        found = []
        for (width, needed), name in self._aligned.items():
            tests = [f"{self.whole.operand(dim)} % {width} == 0" for dim in needed]
            found.append((name, " && ".join(tests)))
        return found

    # --- instructions ---------------------------------------------------------------------------------------

    def write(self, out: Writer, instruction: Instruction, guard: str = "", source: str = "") -> None:
        """One instruction as one line.

        Args:
            out: where to.
            instruction: a load, a computation, an effect.
            guard: under which condition an effect happens.
            source: for a load, where the element has been read to.
        """
        match instruction:
            case Store(output, offset, value):
                condition = f"if ({guard}) " if guard else ""
                out.line(f"{condition}gc_out{output}[{self.index.text(offset)}] = gc_v{value};")
            case Check(number, ok, value):
                condition = f"{guard} && !gc_v{ok}" if guard else f"!gc_v{ok}"
                check = self.kernel.checks[number]
                comment = comment_of(f"range of {check.op}", check.origins)
                out.line(f"if ({condition}) gc_report(gc_status + {2 * number}, gc_v{value});", comment)
            case Reduce(dest, _, op, _, origins):
                out.line(f"gc_a{dest} = {self._combined(instruction, f'gc_a{dest}')};", comment_of(op, origins))
            case _:
                kind = VALUE_TYPES[instruction.dtype.name]
                text, comment = self._definition(instruction, source)
                out.line(f"const {kind} gc_v{instruction.dest} = {text};", comment)

    def _definition(self, instruction: Load | Index | Constant | Compute, source: str) -> tuple[str, str]:
        match instruction:
            case Load(_, dtype, _, _, when):
                place = source or self.element(instruction)
                value = f"{place} != 0" if dtype.kind == "bool" else place
                if when is not None and not source:
                    value = f"gc_v{when} ? {value} : ({VALUE_TYPES[dtype.name]})0"
                return value, ""
            case Index(_, _, dim):
                return self.whole.text(dim), "index"
            case Constant(_, dtype, number):
                return literal(number, dtype), ""
            case Compute(_, dtype, op, args, origins):
                kind = f"<{VALUE_TYPES[dtype.name]}>" if op == "astype" else ""
                return f"gc_{op}{kind}({', '.join(f'gc_v{arg}' for arg in args)})", comment_of(op, origins)

    def _combined(self, reduce: Reduce, state: str) -> str:
        operator = self.operator(reduce)
        value = f"gc_v{reduce.arg}"
        if reduce.op in ("argmin", "argmax"):
            place: Dim = 0
            for axis in self.kernel.axes:
                place = place * axis.size + dims.symbol(axis.name) if axis.reduced else place
            value = f"{operator}::at({value}, {self.whole.text(place)})"
        return f"{operator}::combine({state}, {value})"

    # --- full stages ------------------------------------------------------------------------------------------

    def body(self, out: Writer, stage: Stage, at: Neighbours) -> None:
        """A full stage at some neighbours; the indices of all other axes are known."""
        if at.width == 1:
            for instruction in stage.body:
                self.write(out, instruction, source=self._kept(instruction, at))
            return
        together = contiguous(self.kernel, stage.body, at.axis)
        first = self._first_names(at.axis)
        varying = {i.dest for i in stage.body if not isinstance(i, (Check, Store))} - uniform_values(
            stage.body, at.axis
        )
        inside: list[tuple[Instruction, str]] = []
        for instruction in stage.body:
            if isinstance(instruction, Load) and instruction in together:
                inside.append((instruction, self._read(out, instruction, at, first)))
            elif is_uniform(instruction, at.axis, varying):
                self.write(out, instruction)
            else:
                inside.append((instruction, ""))
        stores = [i for i, _ in inside if isinstance(i, Store) and i in together]
        for number, store in enumerate(stores):
            out.line(f"gc_vector<{self._stored(store)}, {at.width}> gc_w{number};")
        self._at_each(out, inside, stores, at)
        for number, store in enumerate(stores):
            place = f"gc_out{store.output} + ({first.text(store.offset)})"
            out.line(f"gc_store({place}, gc_w{number}{self._extent(store.offset, at)});")

    def _at_each(
        self, out: Writer, inside: Sequence[tuple[Instruction, str]], stores: Sequence[Store], at: Neighbours
    ) -> None:
        out.line("#pragma unroll")
        with out.braces(f"for (int gc_k = 0; gc_k < {at.width}; ++gc_k)"):
            if at.bounded:
                out.line("if (gc_k >= gc_count) break;")
            out.line(f"const {self.integer} {index_name(at.axis)} = {first_name(at.axis)} + gc_k;")
            for instruction, source in inside:
                if isinstance(instruction, Store) and instruction in stores:
                    out.line(f"gc_w{stores.index(instruction)}.at[gc_k] = gc_v{instruction.value};")
                else:
                    self.write(out, instruction, source=source)

    def _read(self, out: Writer, load: Load, at: Neighbours, first: Expressions) -> str:
        """Reads a vector, unless it is kept in registers; where its element k is."""
        if kept := self._kept(load, at):
            return f"{kept}.at[gc_k]"
        value = self.vector(load, at, first)
        if load.when is not None:
            value = f"gc_v{load.when} ? {value} : gc_zeros<{at.width}, {STORED_TYPES[load.dtype.name]}>()"
        out.line(f"const {self.vector_type(load, at.width)} gc_l{load.dest} = {value};")
        return f"gc_l{load.dest}.at[gc_k]"

    def vector(self, load: Load, at: Neighbours, first: Expressions | None = None) -> str:
        """The expression that reads a vector, or an element."""
        if at.width == 1:
            return self.element(load)
        first = first or self._first_names(at.axis)
        place = f"gc_in{load.param} + ({first.text(load.offset)})"
        return f"gc_load<{at.width}>({place}{self._extent(load.offset, at)})"

    def element(self, load: Load) -> str:
        """The expression that reads one element."""
        return f"gc_in{load.param}[{self.index.text(load.offset)}]"

    def _extent(self, offset: Dim, at: Neighbours) -> str:
        """The further arguments of an access: whether it is whole, and how many elements it has at least."""
        conditions = [f"gc_count == {at.width}"] if at.bounded else []
        needed = alignment(offset, at.axis, at.width)
        assert needed is not None
        if needed:
            conditions.append(self._aligned.setdefault((at.width, needed), f"gc_aligned{len(self._aligned)}"))
        return f", {' && '.join(conditions)}, {'gc_count' if at.bounded else at.width}" if conditions else ""

    def _kept(self, instruction: Instruction, at: Neighbours) -> str:
        if not isinstance(instruction, Load) or instruction.when is not None:
            return ""
        name = at.kept.get((instruction.param, instruction.offset))
        return f"{name}[gc_m]" if name else ""

    def _first_names(self, axis: str) -> Expressions:
        return Expressions({**self._names, axis: first_name(axis)}, self.integer)

    def _stored(self, store: Store) -> str:
        return STORED_TYPES[self.kernel.outputs[store.output].dtype.name]


def index_name(axis: str) -> str:
    """The variable that holds the index on an axis."""
    return f"gc_i{axis.removeprefix(AXIS_PREFIX)}"


def first_name(axis: str) -> str:
    """The variable that holds the index of the first of some neighbours on an axis."""
    return f"gc_j{axis.removeprefix(AXIS_PREFIX)}"


def used_values(stages: Sequence[Stage]) -> set[int]:
    """The numbered values that the instructions of some stages use."""
    return {value for stage in stages for instruction in stage.body for value in operands(instruction)}


def never_partial(size: Dim, width: int) -> bool:
    """Whether a size is known to be a multiple of a width."""
    return dims.mod(size, width) == 0
