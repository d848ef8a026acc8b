"""Kernels that no group of fused nodes gives: products of integers, updates at indices, counts of odd numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from graphc.ir import dims
from graphc.ir.dims import Dim
from graphc.ir.dtype import DType, bool_, int64
from graphc.ir.types import TensorType
from graphc.lowering.kernel import (
    AXIS_PREFIX,
    Axis,
    Compute,
    Instruction,
    Kernel,
    Load,
    Reduce,
    Stage,
    Store,
    axis_symbol,
)
from graphc.lowering.kernel_builder import collapse_axes

from .expressions import STORED_TYPES, VALUE_TYPES

BLOCK = 256  # threads


class Written(NamedTuple):
    """A kernel that is written by hand: its function's name, and the source behind the prelude."""

    function: str
    source: str


def integer_matmul(left: TensorType, right: TensorType, out: TensorType, name: str) -> Kernel:
    """The product of stacks of integer matrices, wrapping around: cuBLAS has none."""
    rank = out.ndim
    sizes = (*out.shape, left.shape[-1])
    axes = tuple(Axis(f"{AXIS_PREFIX}{at}", size, at == rank) for at, size in enumerate(sizes))
    rows, columns, inner = (axis_symbol(at) for at in (rank - 2, rank - 1, rank))
    stack = [axis_symbol(at) for at in range(rank - 2)]
    first = Load(0, left.dtype, 0, _offset(left.shape, [*stack, rows, inner]))
    second = Load(1, right.dtype, 1, _offset(right.shape, [*stack, inner, columns]))
    product = Compute(2, out.dtype, "multiply", (0, 1))
    total = Reduce(3, out.dtype, "sum", 2)
    store = Store(0, _offset(out.shape, [*stack, rows, columns]), 3)
    stages = (Stage(True, (first, second, product, total)), Stage(False, (store,)))
    return collapse_axes(Kernel(name, "reduction", axes, (left, right), (out,), stages))


def _offset(shape: Sequence[Dim], indices: Sequence[Dim]) -> Dim:
    """Where an element of a broadcast operand lies: its axes are the last ones, those of size 1 do not move."""
    total: Dim = 0
    stride: Dim = 1
    for size, index in zip(reversed(shape), reversed(indices), strict=False):
        if size != 1:
            total = total + dims.product([stride, index])
        stride = dims.product([stride, size])
    return total


def scatter(dtype: DType, indices: DType, update: str, along: bool) -> Written:
    """`out` already holds x. One thread per position off the axis walks the indices in order.

    So what is combined has the order of the indices on every device, the last one wins, and no two threads meet at an
    element, without atomics. It is simple rather than fast: where few positions are off the axis, few threads do all
    the work. `along`: each thread has indices of its own, as those of `take_along_axis`.
    """
    name = f"scatter_{update}{'_along' * along}_{dtype}_{indices}"
    element, index = STORED_TYPES[dtype.name], VALUE_TYPES[indices.name]
    updated = "values[from]" if update == "set" else f"gc_{_COMBINE[update]}(out[at], values[from])"
    source = f"""
extern "C" __global__ void {name}(
    const {index}* indices, const {element}* values, {element}* out,
    long long outer, long long size, long long inner, long long count) {{
  long long thread = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (thread >= outer * inner) return;
  long long row = thread / inner, column = thread % inner;
  for (long long i = 0; i < count; ++i) {{
    long long from = (row * count + i) * inner + column;
    {index} index = indices[{"from" if along else "i"}];
    {_POSITION}
    if (position < 0 || position >= size) continue;  // reported by check_range
    long long at = (row * size + position) * inner + column;
    out[at] = {updated};
  }}
}}
"""
    return Written(name, source)


_COMBINE = {"add": "add", "multiply": "multiply", "min": "minimum", "max": "maximum"}


def take_last(dtype: DType, indices: DType) -> Written:
    """What `take` gives, but 0 for an index that a later one equals; a thread per element looks at those behind it."""
    name = f"take_last_{dtype}_{indices}"
    element, index = STORED_TYPES[dtype.name], VALUE_TYPES[indices.name]
    source = f"""
extern "C" __global__ void {name}(
    const {index}* indices, const {element}* x, {element}* out,
    long long outer, long long size, long long inner, long long count) {{
  long long thread = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (thread >= outer * count * inner) return;
  long long column = thread % inner, i = thread / inner % count, row = thread / inner / count, mine;
  {{
    {index} index = indices[i];
    {_POSITION}
    mine = position;
  }}
  out[thread] = ({element})0;
  if (mine < 0 || mine >= size) return;  // reported by check_range
  for (long long later = i + 1; later < count; ++later) {{
    {index} index = indices[later];
    {_POSITION}
    if (position == mine) return;
  }}
  out[thread] = x[(row * size + mine) * inner + column];
}}
"""
    return Written(name, source)


def check_range(indices: DType) -> Written:
    """Reports the smallest and the largest index that is out of range."""
    name = f"check_range_{indices}"
    index = VALUE_TYPES[indices.name]
    source = f"""
extern "C" __global__ void {name}(const {index}* indices, long long* status, long long size, long long count) {{
  long long thread = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (thread >= count) return;
  {index} index = indices[thread];
  {_POSITION}
  if (position >= 0 && position < size) return;
  long long shown = index > ({index})0 && (unsigned long long)index > {_LARGEST}ULL ? {_LARGEST}LL : (long long)index;
  gc_report(status, shown);
}}
"""
    return Written(name, source)


_LARGEST = (1 << 63) - 1
_POSITION = (
    f"long long position = index > 0 && (unsigned long long)index > {_LARGEST}ULL ? size : (long long)index;\n"
    "    if (position < 0) position += size;"
)
"""An index of any dtype as a position from the start; uint64 beyond int64 is out of range."""


def count_not_finite(x: TensorType, name: str) -> Kernel:
    """The number of NaNs and that of infinities."""
    shape = x.shape or (1,)  # what is reduced is reduced along an axis
    axes = tuple(Axis(f"{AXIS_PREFIX}{at}", size, True) for at, size in enumerate(shape))
    body: list[Instruction] = [Load(0, x.dtype, 0, _offset(shape, [axis_symbol(at) for at in range(len(shape))]))]
    for first, test in ((1, "isnan"), (4, "isinf")):
        body.append(Compute(first, bool_, test, (0,)))
        body.append(Compute(first + 1, int64, "astype", (first,)))
        body.append(Reduce(first + 2, int64, "sum", first + 1))
    stores = Stage(False, (Store(0, 0, 3), Store(1, 0, 6)))
    counts = (TensorType(int64, ()), TensorType(int64, ()))
    return collapse_axes(Kernel(name, "reduction", axes, (x,), counts, (Stage(True, tuple(body)), stores)))
