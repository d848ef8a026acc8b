"""Every elementwise op, in every dtype, on every pair of awkward values, on a backend: run as a program of its own.

    python tests/edge_values.py BACKEND

It prints what differs from the reference interpreter, and ends with status 0 if nothing does. No input may kill it.
"""

import inspect
import itertools
import sys
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

import graphc as gc
from graphc.conformance.rows import FAMILIES, TABLE
from graphc.conformance.tolerances import EXCEPTIONS, NO_EXCEPTIONS, VALUES, assert_close
from graphc.ir.dtype import BOOL, FLOAT, INTEGER, DType
from graphc.ir.opdef import FUNCTIONS, OPS, Kind, OpDef
from graphc.ir.tensor import Tensor, apply
from graphc.ops.define import ASTYPE
from graphc.reference import evaluate

DTYPES = BOOL | INTEGER | FLOAT
SPECIAL = frozenset(row.name for row in FAMILIES["special"])  # XLA compiles their series for minutes
OPEN_SIGNS = frozenset({"maximum", "minimum", "relu"})  # the sign of a zero that they choose is not specified


def awkward(dtype: DType, flushes: bool) -> np.ndarray:
    """Limits, neighbours of limits, zeros, and what is no number."""
    if dtype.kind == "bool":
        return np.array([False, True])
    if dtype.kind == "float":
        info = np.finfo(dtype.numpy)
        tiny = [] if flushes else [float(info.smallest_subnormal), -float(info.smallest_subnormal)]
        around = [0.0, -0.0, 0.5, 1.0, -1.0, 2.5, -3.5, 1e10, 2.0**31, -(2.0**31), 2.0**63, -(2.0**63), 2.0**64]
        ends = [float(info.max), -float(info.max), float(info.smallest_normal), np.inf, -np.inf, np.nan]
        return np.array([*around, *ends, *tiny], dtype.numpy)
    limits = np.iinfo(dtype.numpy)
    bits = dtype.bits
    near = {
        0,
        1,
        2,
        3,
        7,
        bits - 1,
        bits,
        bits + 1,
        limits.max,
        limits.max - 1,
        limits.min,
        limits.min + 1,
        -1,
        -2,
        -bits,
    }
    return np.array(sorted(value for value in near if limits.min <= value <= limits.max), dtype.numpy)


class Case(NamedTuple):
    """A call of an op on all pairs (triples of a choice) of values."""

    op: OpDef
    dtype: DType
    output: Tensor
    arrays: tuple[np.ndarray, ...]
    inputs: tuple[Tensor, ...]


def cases(flushes: bool) -> Iterator[Case]:
    """All of them, in the current graph."""
    for op in OPS.values():
        if op.kind is not Kind.ELEMENTWISE or op in (ASTYPE, OPS["where"]) or op.name in SPECIAL:
            continue
        arity = len(inspect.signature(FUNCTIONS[op.name]).parameters)
        for dtype in sorted(op.dtypes & DTYPES, key=str):
            values = np.meshgrid(*[awkward(dtype, flushes)] * arity)
            arrays = tuple(np.ascontiguousarray(value.ravel()) for value in values)
            inputs = tuple(gc.placeholder(f"x{i}", array.shape, dtype) for i, array in enumerate(arrays))
            yield Case(op, dtype, apply(op, inputs), arrays, inputs)
    for source, target in itertools.product(sorted(DTYPES, key=str), repeat=2):
        array = awkward(source, flushes)
        x = gc.placeholder("x", array.shape, source)
        yield Case(ASTYPE, source, apply(ASTYPE, (x,), dtype=target), (array,), (x,))


def flushed(array: np.ndarray) -> np.ndarray:
    """Zeros in place of subnormal numbers."""
    if array.dtype.kind != "f":
        return array
    near = 2 * np.finfo(array.dtype).smallest_normal  # half of a number may have been subnormal on the way
    return np.where(np.abs(array) < near, np.copysign(0, array), array)


def main(backend: str) -> int:
    """The status."""
    exceptions = EXCEPTIONS.get(backend, NO_EXCEPTIONS)
    with gc.Graph("edges"):
        found = list(cases(exceptions.flushes_subnormals))
    inputs = [x for case in found for x in case.inputs]
    arrays = [array for case in found for array in case.arrays]
    outputs = [case.output for case in found]
    expected = evaluate(outputs, dict(zip(inputs, arrays, strict=True)))
    computed = gc.compile(outputs, inputs, backend=backend)(*arrays)
    wrong = 0
    for case, got, want in zip(found, computed, expected, strict=True):
        row = TABLE[case.op.name]
        if exceptions.flushes_subnormals:
            got, want = flushed(got), flushed(want)
        tolerance = exceptions.accuracy.get(row.name, VALUES[row.tolerance])
        try:
            signs = case.op.name not in OPEN_SIGNS and not tolerance.floor
            assert_close(got, np.asarray(want), tolerance, signs=signs)
        except AssertionError as error:
            wrong += 1
            sys.stdout.write(f"{case.op.name} of {case.dtype}: {error}\n")
            off = ~((got == want) | ((got != got) & (np.asarray(want) != want)))
            for place in np.flatnonzero(off)[:5]:
                sys.stdout.write(f"  {[array[place] for array in case.arrays]}: {got[place]}, not {want[place]}\n")
    sys.stdout.write(f"{len(found)} calls, {sum(a.size for a in computed)} results, {wrong} wrong\n")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
