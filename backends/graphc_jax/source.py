"""The emitted function: one line per step, headed by the user's line."""

from __future__ import annotations

import keyword
import re
from collections import Counter
from collections.abc import Sequence
from itertools import chain, count
from typing import Any, NamedTuple

import numpy as np

from graphc.ir import dims
from graphc.ir.dims import Dim, Monomial, shape_text
from graphc.ir.dtype import DTYPES, DType
from graphc.ir.types import TensorType
from graphc.plan.data import Plan, Slot, SlotKind, Step

from . import emit
from .kernels import KERNELS

_OURS = re.compile(r"(state|feed|size)_\w*|(t|c|seen|ok)\d*")
TAKEN = frozenset({*KERNELS, *DTYPES, "copy", "inf", "lax", "nan"})
"""Names that emitted code finds in its namespace."""


class Effect(NamedTuple):
    """What a step does beside its result, done on the host when the run is over.

    Attributes:
        step: a check, or a print.
        value: position among the outputs of what it needs: the account of a check, the value of a print.
    """

    step: Step
    value: int


class Source:
    """The text of a plan, and what its function takes and gives.

    Attributes:
        text: of the function.
        name: of the function.
        constants: arrays that the text names.
        sizes: the last parameters: symbols, in order.
        arguments: the slots of variables that are read: the first parameters; the feeds follow.
        given_up: positions of the arguments whose memory new states take over.
        results: where the results are among the outputs; the new states come first.
        effects: checks and prints in program order.
        checked: whether the last output says that all checks passed.
    """

    def __init__(self, plan: Plan, precision: str) -> None:
        self.plan = plan
        self.precision = precision
        self.constants: dict[str, np.ndarray] = {}
        self.sizes = dims.symbols(size for index in plan.feeds for size in plan.slots[index].type.shape)
        self.effects: list[Effect] = []
        self.checked = any(step.op.name in emit.CHECKS for step in plan.steps)
        self.arguments = self._variables_read()
        self.given_up = [position for position, index in enumerate(self.arguments) if index in plan.updated]
        self._gated = self._added_to_variables()
        self._names: dict[int, str] = {}
        self._taken = set(TAKEN)
        self._size_names = {symbol: self._size_name(symbol) for symbol in self.sizes}
        self.name = _identifier("graphc_" + plan.name)
        body = [line for step in plan.steps for line in self._step(step)]
        self.results = slice(0)
        outputs = self._outputs()
        self.text = "\n".join(
            [f"def {self.name}(", *_indented(self._parameters()), "):", *_indented([*body, *outputs]), ""]
        )

    # --- names --------------------------------------------------------------------------------------------------

    def _size_name(self, symbol: str) -> str:
        usable = symbol.isidentifier() and symbol.isascii() and not keyword.iskeyword(symbol)
        if not usable or symbol in self._taken or _OURS.fullmatch(symbol):
            return self._new_name("size_" + symbol)
        self._taken.add(symbol)
        return symbol

    def _new_name(self, stem: str) -> str:
        stem = _identifier(stem)
        name = next(n for n in chain([stem], (f"{stem}_{k}" for k in count(1))) if n not in self._taken)
        self._taken.add(name)
        return name

    def _name(self, index: int) -> str:
        """How a slot stands in the text."""
        name = self._names.get(index)
        if name is None:
            name = self._names[index] = self._make_name(self.plan.slots[index])
        return name

    def _make_name(self, slot: Slot) -> str:
        if slot.kind in (SlotKind.FEED, SlotKind.STATE):
            return self._new_name(f"{slot.kind.value}_{slot.name}")
        if slot.op is not None and slot.op.name == "iota":
            return f"lax.iota('int64', {self._dim(slot.attrs['size'])})"
        if slot.kind is SlotKind.SIZE:
            return f"{slot.type.dtype}({self._dim(slot.attrs['dim'])})"
        if slot.kind is not SlotKind.CONSTANT:
            return f"t{slot.index}"
        assert slot.value is not None
        if slot.value.ndim == 0 and slot.value.dtype.kind in "biuf":
            return f"{slot.type.dtype}({_number(slot.value)})"
        self.constants[f"c{slot.index}"] = slot.value
        return f"c{slot.index}"

    # --- dims and attributes ------------------------------------------------------------------------------------

    def _dim(self, dim: Dim) -> str:
        return str(dim) if isinstance(dim, int) else " + ".join(self._term(*term) for term in dims.terms(dim))

    def _term(self, monomial: Monomial, factor: int) -> str:
        parts = [] if factor == 1 and monomial else [str(factor)]
        parts += [self._atom(atom) + (f"**{power}" if power > 1 else "") for atom, power in monomial]
        return "*".join(parts)

    def _atom(self, atom: dims.Atom) -> str:
        if atom.kind == "symbol":
            return self._size_names[str(atom.arguments[0])]
        first, second = (self._dim(argument) for argument in atom.arguments if not isinstance(argument, str))
        if atom.kind in ("min", "max"):
            return f"{atom.kind}({first}, {second})"
        return f"(({first}) {'//' if atom.kind == 'floordiv' else '%'} ({second}))"

    def _literal(self, value: Any) -> str:
        if isinstance(value, tuple):
            return "(" + ", ".join(map(self._literal, value)) + (",)" if len(value) == 1 else ")")
        if isinstance(value, dims.Poly):
            return self._dim(value)
        return repr(str(value)) if isinstance(value, DType) else repr(value)

    # --- lines --------------------------------------------------------------------------------------------------

    def _parameters(self) -> list[str]:
        found = []
        for index in (*self.arguments, *self.plan.feeds):
            given_up = ", given up" if index in self.plan.updated else ""
            found.append(f"{self._name(index)},  # {_type_text(self.plan.slots[index].type)}{given_up}")
        return found + [f"{name},  # an int" for name in self._size_names.values()]

    def _step(self, step: Step) -> list[str]:
        output = self.plan.slots[step.outputs[0]].type
        operands = emit.Operands(
            [self._name(index) for index in step.inputs],
            [self.plan.slots[index].type for index in step.inputs],
            output,
            lambda name: self._literal(step.attrs[name]),
            self._literal(output.shape),
            self.precision,
            lambda position: self.plan.slots[step.inputs[position]].is_positive_zero,
        )
        target = ", ".join(map(self._name, step.outputs))
        if step.outputs[0] in self._gated:
            self._gated[step.outputs[0]] = f"{', '.join(operands.inputs)}, {operands.attr('axis')}"
            self.effects.append(Effect(step, -1))
            number = len(self.effects) - 1
            return [
                f"# {step.op.name}: {_type_text(output)}, when all checks have passed  {step.origins}",
                f"seen{number}, ok{number} = scatter_range({self._gated[step.outputs[0]]})",
            ]
        if step.op.name in emit.CHECKS:
            number = len(self.effects)
            target += f", seen{number}, ok{number}"
        if step.op.name in emit.CHECKS or step.op.name == "print":
            self.effects.append(Effect(step, -1))
        return [
            f"# {step.op.name}: {_type_text(output)}  {step.origins}",
            f"{target} = {emit.call(step, operands)}",
        ]

    def _outputs(self) -> list[str]:
        """New states, results, what effects need, and whether all checks passed."""
        plan = self.plan
        new_states = plan.new_states or []
        lines = [
            f"{self._new_state(position, index)},  # {plan.label(plan.updated[position])}"
            for position, index in enumerate(new_states)
        ]
        lines += [f"{self._name(index)}," for index in plan.results]
        self.results = slice(len(new_states), len(lines))
        for number, effect in enumerate(self.effects):
            is_check = effect.step.op.name in emit.CHECKS
            self.effects[number] = effect._replace(value=len(lines))
            lines.append(f"seen{number}," if is_check else f"{self._name(effect.step.inputs[0])},  # printed")
        if not self.checked:
            return ["return (", *_indented(lines), ")"] if lines else ["return ()"]
        checks = [f"ok{n}" for n, effect in enumerate(self.effects) if effect.step.op.name in emit.CHECKS]
        return [f"ok = all_of({', '.join(checks)})", "return (", *_indented([*lines, "ok,"]), ")"]

    def _new_state(self, position: int, index: int) -> str:
        """What is computed in the run, and by nobody else: an array of JAX may be given up only once."""
        name = self._name(index)
        if index in self._gated:
            return f"scatter_add_if(ok, {self._gated[index]})"
        if self.checked:
            return f"keep_if(ok, {name}, {self._name(self.plan.updated[position])})"
        new_states = self.plan.new_states or []
        first = index not in new_states[:position]
        return name if first and self.plan.slots[index].kind is SlotKind.VALUE else f"copy({name})"

    def _added_to_variables(self) -> dict[int, str]:
        """Sums of a variable and a few rows that are nothing but its new state: slot → arguments, to be filled in.

        What may fail must not change the state: to choose between a whole old and a whole new table costs the table,
        and to add nothing costs nothing.
        """
        plan = self.plan
        new_states = plan.new_states or []
        read = Counter([*plan.results, *new_states, *(index for step in plan.steps for index in step.inputs)])
        owner = dict(zip(new_states, plan.updated, strict=False))
        return {
            step.outputs[0]: ""
            for step in plan.steps
            if step.op.name == "scatter_add"
            and read[step.outputs[0]] == 1
            and owner.get(step.outputs[0]) == step.inputs[0]
        }

    def _variables_read(self) -> list[int]:
        """Those that the run reads: what it does not read must not be given up either.

        In the order of the new states: JAX pairs what is given up with results of the same type as they come, and a new
        state in the memory of another variable would cost a copy.
        """
        plan = self.plan
        read = {index for step in plan.steps for index in step.inputs}
        read.update(plan.results, plan.new_states or ())
        if self.checked:
            read.update(plan.updated)
        return [index for index in dict.fromkeys((*plan.updated, *plan.state)) if index in read]


def _type_text(kind: TensorType) -> str:
    return f"{kind.dtype}{shape_text(kind.shape)}"


def _identifier(text: str) -> str:
    return "".join(c if c.isascii() and c.isalnum() else "_" for c in text)


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def _number(value: np.ndarray) -> str:
    """A number as source that gives its dtype the same bits."""
    short = str(value[()])
    return short if value.dtype.type(float(short) if value.dtype.kind == "f" else 0) == value else repr(value.item())
