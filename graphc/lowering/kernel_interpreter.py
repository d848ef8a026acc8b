"""The Kernel interpreter: slow, obvious, vectorised over all points of a kernel; the oracle of every printer.

A value is an array with one axis per loop, of size 1 along the reduced ones if it is the same for all of a row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphc.errors import InternalError, OutOfRangeError
from graphc.ir import dims
from graphc.ir.dims import Atom, Dim
from graphc.ir.dtype import DType
from graphc.ir.opdef import OPS
from graphc.lowering.kernel import Check, Compute, Constant, Index, Instruction, Kernel, Load, Reduce, Stage, Store

Array = np.ndarray


def interpret(kernel: Kernel, inputs: Sequence[Array], sizes: Mapping[str, int]) -> list[Array]:
    """The outputs of a kernel.

    Args:
        kernel: what to run.
        inputs: one array per input of the kernel, of its type.
        sizes: a value for each of the kernel's symbols.

    Raises:
        OutOfRangeError: a check fails.
        InternalError: the kernel reads or writes outside of its arrays, or an element not exactly once.
    """
    run = _Run(kernel, inputs, sizes)
    with np.errstate(all="ignore"):
        for stage in kernel.stages:
            run.stage(stage)
    return run.outputs()


class _Run:
    def __init__(self, kernel: Kernel, inputs: Sequence[Array], sizes: Mapping[str, int]) -> None:
        self._kernel = kernel
        self._sizes = sizes
        self._inputs = [_flat(array, *kind) for array, kind in zip(inputs, self._types(kernel.inputs), strict=True)]
        self._shapes = [shape for _, shape in self._types(kernel.outputs)]
        self._outputs = [_poisoned(*kind) for kind in self._types(kernel.outputs)]
        self._written = [np.zeros(array.shape, np.int64) for array in self._outputs]
        self._points = [dims.evaluate(axis.size, sizes) for axis in kernel.axes] + [1]  # so that nothing is a scalar
        self._reduced = tuple(number for number, axis in enumerate(kernel.axes) if axis.reduced)
        self._values: dict[int, Array] = {}
        self._shape: tuple[int, ...] = ()

    def stage(self, stage: Stage) -> None:
        """Runs one stage at all of its points."""
        rows = [1 if number in self._reduced else size for number, size in enumerate(self._points)]
        self._shape = tuple(self._points if stage.full else rows)
        for instruction in stage.body:
            self._execute(instruction, stage.full)

    def outputs(self) -> list[Array]:
        """What has been written.

        Raises:
            InternalError: an element has not been written once.
        """
        for number, written in enumerate(self._written):
            if (written != 1).any():
                times = np.unique(written).tolist()
                raise InternalError(f"{self._kernel.name}: out{number} is written {times} times", got=str(self._kernel))
        return [array.reshape(shape) for array, shape in zip(self._outputs, self._shapes, strict=True)]

    def _execute(self, instruction: Instruction, full: bool) -> None:
        match instruction:
            case Check(number, ok, value):
                self._check(number, self._values[ok], self._values[value])
            case Store(output, offset, value):
                self._store(output, self._evaluate(offset), self._values[value])
            case _:
                value_of = self._define(instruction, full)
                if value_of.dtype != instruction.dtype.numpy:
                    raise InternalError(f"{self._kernel.name}: {instruction} gave {value_of.dtype}")
                self._values[instruction.dest] = value_of

    def _define(self, instruction: Instruction, full: bool) -> Array:
        match instruction:
            case Load(_, _, param, offset, when):
                return self._load(param, self._evaluate(offset), None if when is None else self._values[when])
            case Index(_, _, value):
                return self._evaluate(value)
            case Constant(_, dtype, number):
                return np.full((1,) * len(self._points), number, dtype.numpy)
            case Compute(_, dtype, op, args):
                return self._compute(op, dtype, [self._values[arg] for arg in args])
            case Reduce(_, _, op, arg) if full:
                return self._reduce(op, self._everywhere(self._values[arg]))
        raise InternalError(f"{self._kernel.name}: {instruction} in a row stage")

    def _everywhere(self, value: Array) -> Array:
        return np.ascontiguousarray(np.broadcast_to(value, self._shape))

    def _load(self, param: int, offset: Array, when: Array | None) -> Array:
        array = self._inputs[param]
        if 0 in self._shape:  # there is no point; an offset that is the same for all of them may be anywhere
            return np.zeros(self._shape, array.dtype)
        if when is None:
            self._require(self._is_in(offset, array), f"in{param} is read outside")
            found: Array = array[offset]
            return found
        offset, when = np.broadcast_arrays(offset, when)
        self._require(self._is_in(offset, array) | ~when, f"in{param} is read outside")
        found = np.zeros(offset.shape, array.dtype)
        found[when] = array[offset[when]]
        return found

    def _store(self, output: int, offset: Array, value: Array) -> None:
        array = self._outputs[output]
        offset, value = (self._everywhere(part).reshape(-1) for part in (offset, value))
        self._require(self._is_in(offset, array), f"out{output} is written outside")
        array[offset] = value
        np.add.at(self._written[output], offset, 1)

    def _check(self, number: int, ok: Array, value: Array) -> None:
        wrong = self._everywhere(value)[~self._everywhere(ok)]
        if not wrong.size:
            return
        check = self._kernel.checks[number]
        size = dims.evaluate(check.size, self._sizes)
        raise OutOfRangeError(
            f"{check.op}: an index is out of range",
            expected=f"indices from {-size} to {size - 1}" if size else "no index: the axis is empty",
            got=f"indices from {wrong.min()} to {wrong.max()}",
            fix="look for wrong labels or ids in what is fed; gc.clip keeps indices in range",
            origins=check.origins,
        )

    def _compute(self, op: str, dtype: DType, args: list[Array]) -> Array:
        attrs = {"dtype": dtype} if op == "astype" else {}
        shape = np.broadcast_shapes(*[arg.shape for arg in args])
        return _call(op, *[np.ascontiguousarray(np.broadcast_to(arg, shape)) for arg in args], **attrs)

    def _reduce(self, op: str, value: Array) -> Array:
        rows = tuple(1 if axis in self._reduced else size for axis, size in enumerate(value.shape))
        if op in ("argmin", "argmax"):
            last = np.moveaxis(value, self._reduced, range(-len(self._reduced), 0))
            kept = last.shape[: last.ndim - len(self._reduced)]
            count = int(np.prod(last.shape[len(kept) :], dtype=np.int64))
            return _call(op, last.reshape((*kept, count)), axis=len(kept)).reshape(rows)
        return _call(op, value, axis=self._reduced, keepdims=True)

    def _evaluate(self, dim: Dim) -> Array:
        """A dim at all points, as int64."""
        total: Any = np.zeros((1,) * len(self._points), np.int64)
        for monomial, factor in dims.terms(dim):
            term: Any = np.int64(factor)
            for atom, power in monomial:
                term = term * self._atom(atom) ** power
            total = total + term
        result: Array = total
        return result

    def _atom(self, atom: Atom) -> Any:
        if atom.kind == "symbol":
            return self._symbol(str(atom.arguments[0]))
        first, second = (self._evaluate(argument) for argument in atom.arguments if not isinstance(argument, str))
        return _FUNCTIONS[atom.kind](first, second)

    def _symbol(self, name: str) -> Any:
        if name.startswith("%v"):
            return self._values[int(name[2:])].astype(np.int64)
        for number, axis in enumerate(self._kernel.axes):
            if axis.name == name:
                self._require(
                    number not in self._reduced or self._shape == tuple(self._points), f"{name} in a row stage"
                )
                shape = [1] * len(self._points)
                shape[number] = -1
                return np.arange(self._points[number], dtype=np.int64).reshape(shape)
        return np.int64(self._sizes[name])

    def _is_in(self, offset: Array, array: Array) -> Array:
        return (offset >= 0) & (offset < array.size)

    def _require(self, holds: Any, message: str) -> None:
        if not np.all(holds):
            raise InternalError(f"{self._kernel.name}: {message}", got=str(self._kernel))

    def _types(self, types: Sequence[Any]) -> list[tuple[DType, tuple[int, ...]]]:
        return [(t.dtype, tuple(dims.evaluate(size, self._sizes) for size in t.shape)) for t in types]


_FUNCTIONS = {"floordiv": np.floor_divide, "mod": np.remainder, "min": np.minimum, "max": np.maximum}


def _call(op: str, *args: Array, **attrs: Any) -> Array:
    function = OPS[op].array_fn
    assert function is not None
    found = getattr(np, function)(*args, **attrs) if isinstance(function, str) else function(np, *args, **attrs)
    return np.asarray(found)


def _flat(array: Array, dtype: DType, shape: tuple[int, ...]) -> Array:
    if array.dtype != dtype.numpy or array.shape != shape:
        raise InternalError("an input of another type", expected=f"{dtype}{shape}", got=f"{array.dtype}{array.shape}")
    return np.ascontiguousarray(array).reshape(-1)


def _poisoned(dtype: DType, shape: tuple[int, ...]) -> Array:
    count = int(np.prod(shape, dtype=np.int64))
    return np.frombuffer(bytearray(b"\xff" * (count * dtype.itemsize)), dtype.numpy)
