"""The frame of a backend that computes a plan step by step: what is left is what a value is, and what each op does."""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from graphc.backend import Capabilities
from graphc.errors import GraphcError
from graphc.ir.dtype import BOOL, FLOAT, INTEGER, DType
from graphc.ir.types import TensorType
from graphc.lowering.backend import Availability, Call
from graphc.ops.decompositions import CORE
from graphc.options import CompileOptions
from graphc.plan.data import Plan, SlotKind, Step
from graphc.plan.ops import COPY
from graphc.reference import bind_attrs, static_shape

Value = Any
"""Whatever a subclass makes of an array. Values are never changed, so that copies are free."""


class StepwiseBackend(ABC):
    """A backend whose steps make new values out of old ones; variables are cells that hold one.

    Attributes:
        name: as users write it, and as it is registered.
        reason: for `graphc backends`.
        ops: what it computes; at least the core. The rest comes decomposed, or is refused by name.
        dtypes: what it computes in.
    """

    name = ""
    reason = "runs anywhere"
    ops: frozenset[str] = CORE
    dtypes: frozenset[DType] = BOOL | INTEGER | FLOAT

    @abstractmethod
    def from_array(self, array: np.ndarray) -> Value:
        """A value; the array may change as soon as this has returned."""

    @abstractmethod
    def to_array(self, value: Value) -> np.ndarray:
        """A fresh array."""

    @abstractmethod
    def compute(self, op: str, inputs: Sequence[Value], attrs: Mapping[str, Any], kind: TensorType) -> Value:
        """The result of an op.

        Args:
            op: one of `ops`.
            inputs: operands, of one dtype and of shapes that broadcast, as NumPy has it.
            attrs: of the op, as its function in `graphc.ops` records them, with numbers for sizes.
            kind: dtype and shape of the result, with numbers for sizes.

        Raises:
            OutOfRangeError: an index is out of range.
        """

    # --- the protocol -------------------------------------------------------------------------------------------

    def info(self) -> Capabilities:
        """What the rest of the compiler may know."""
        return Capabilities(self.name, ops=self.ops, dtypes=self.dtypes)

    def availability(self) -> Availability:
        """Always available."""
        return Availability(True, self.reason)

    def unsupported(self, plan: Plan, options: CompileOptions) -> list[str]:
        """Ops and dtypes that it lacks, and options that it would ignore."""
        used = dict.fromkeys(step.op.name for step in plan.steps if step.op is not COPY)
        found = [f"{op}: not among its ops" for op in used if op not in self.ops]
        kinds = dict.fromkeys(slot.type.dtype for slot in plan.slots)
        found += [f"{dtype}: not among its dtypes" for dtype in kinds if dtype not in self.dtypes]
        found += ["memory_limit: every step makes a value of its own"] * (options.memory_limit is not None)
        found += ["threads: there is one"] * (options.threads is not None)
        return found + ["strict: every step makes a value of its own"] * options.strict

    def lower(self, plan: Plan, options: CompileOptions) -> StepwiseProgram:
        """The plan itself."""
        return StepwiseProgram(self, plan)

    def allocate(self, type: TensorType) -> list[Value]:
        """A cell with zeros."""
        return [self.from_array(np.zeros(static_shape(type.shape, {}), type.dtype.numpy))]

    def to_device(
        self, pairs: Sequence[tuple[list[Value], np.ndarray]], committed: Callable[[], object] | None = None
    ) -> None:
        """Fills cells, all or none."""
        _commit([(cell, self.from_array(array)) for cell, array in pairs], committed)

    def to_host(self, cell: list[Value]) -> np.ndarray:
        """A fresh array of what a cell holds."""
        return self.to_array(cell[0])

    def synchronize(self) -> None:  # noqa: B027  no subclass needs another
        """Nothing runs by itself."""


class StepwiseProgram:
    """A plan, run as it stands."""

    def __init__(self, backend: StepwiseBackend, plan: Plan) -> None:
        self.backend = backend
        self.plan = plan

    @property
    def source(self) -> str:
        """The steps."""
        return "\n".join(map(repr, self.plan.steps))

    def bind(
        self, sizes: Mapping[str, int], state: Sequence[list[Value]], committed: Callable[[], object]
    ) -> tuple[Call, int]:
        """A call for these sizes; it holds no arena."""
        plan, backend = self.plan, self.backend
        cells = dict(zip(plan.state, state, strict=True))
        known = {
            slot.index: backend.from_array(_number(slot, sizes))
            for slot in plan.slots
            if slot.kind in (SlotKind.CONSTANT, SlotKind.SIZE)
        }
        steps = [self._bound(step, sizes) for step in plan.steps[: plan.commit]]
        writes = [(cells[step.outputs[0]], step.inputs[0]) for step in plan.steps[plan.commit :]]

        def call(*feeds: np.ndarray) -> list[np.ndarray]:
            values = known | {index: cell[0] for index, cell in cells.items()}
            values.update(zip(plan.feeds, map(backend.from_array, feeds), strict=True))
            for compute, step in steps:
                values[step.outputs[0]] = compute([values[index] for index in step.inputs])
            results = [backend.to_array(values[index]) for index in plan.results]
            if plan.updated:
                _commit([(cell, values[index]) for cell, index in writes], committed)
            return results

        return call, 0

    def _bound(self, step: Step, sizes: Mapping[str, int]) -> tuple[Callable[[Sequence[Value]], Value], Step]:
        declared = self.plan.slots[step.outputs[0]].type
        kind = TensorType(declared.dtype, static_shape(declared.shape, sizes))
        attrs = bind_attrs(step.attrs, sizes)

        def compute(inputs: Sequence[Value]) -> Value:
            if step.op is COPY:
                return inputs[0]
            try:
                return self.backend.compute(step.op.name, inputs, attrs, kind)
            except GraphcError as error:
                error.origins = step.origins
                raise

        return compute, step


def _number(slot: Any, sizes: Mapping[str, int]) -> np.ndarray:
    """A constant, or what follows from the sizes alone."""
    if slot.kind is SlotKind.CONSTANT:
        return np.asarray(slot.value)
    return np.asarray(slot.op.array_fn(np, **bind_attrs(slot.attrs, sizes)), slot.type.dtype.numpy)


def _commit(pairs: Sequence[tuple[list[Value], Value]], committed: Callable[[], object] | None) -> None:
    """Writes all cells in one call of C code, in which no signal is handled."""
    writes: list[Callable[[], object]] = [partial(operator.setitem, cell, 0, value) for cell, value in pairs]
    deque(map(operator.call, [*writes, *([committed] if committed else [])]), 0)
