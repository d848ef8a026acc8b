"""Kernels of random numbers, written by hand: a thread makes a block of Philox, or an element of a sampler."""

from __future__ import annotations

from graphc.ir.dtype import DType
from graphc.ops.random.streams import STREAMS

from .expressions import STORED_TYPES
from .kernels import Written

_UNIFORM_BITS = 24
"""Of float32, as `philox.uniform` has it."""


def _values(what: str, dtype: DType) -> list[str]:
    """What a block of words `w` gives, in order."""
    if what == "bits" and dtype.bits == 64:
        return [f"w[{at}] | (unsigned long long)w[{at + 1}] << 32" for at in (0, 2)]
    if what == "bits":
        return [f"w[{at}]" for at in range(4)]
    units = [f"gc_unit(w[{at}], w[{at + 1}])" for at in (0, 2)]
    if what == "normal":
        return [f"radius * gc_{wave}(angle)" for wave in ("cos", "sin")]
    if dtype.bits == 64:
        return units
    return [f"(float)(w[{at}] >> {32 - _UNIFORM_BITS}) * {2.0**-_UNIFORM_BITS!r}f" for at in range(4)]


def stream(op: str, dtype: DType) -> tuple[Written, int]:
    """The kernel of an op of a stream, and how many elements a thread writes."""
    what = STREAMS[op]
    values = _values(what, dtype)
    element = STORED_TYPES[dtype.name]
    name = f"{op}_{dtype}"
    pair = """
  double radius = gc_sqrt(-2.0 * gc_log(1.0 - gc_unit(w[0], w[1]))), angle = 6.283185307179586 * gc_unit(w[2], w[3]);"""
    source = f"""
extern "C" __global__ void {name}(const unsigned* key, {element}* out, long long size) {{
  long long thread = (long long)blockIdx.x * blockDim.x + threadIdx.x, first = thread * {len(values)};
  if (first >= size) return;
  unsigned w[4];
  gc_philox(key[0], key[1], (unsigned long long)thread, 0, w);{pair if what == "normal" else ""}
  {element} values[{len(values)}] = {{{", ".join(f"({element})({value})" for value in values)}}};
  for (int k = 0; k < {len(values)}; ++k)
    if (first + k < size) out[first + k] = values[k];
}}
"""
    return Written(name, source), len(values)


def child_key() -> Written:
    """A child of a key for each of some numbers."""
    source = """
extern "C" __global__ void child_key(
    const unsigned* key, const unsigned long long* numbers, unsigned* out, long long use, long long count) {
  long long thread = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (thread >= count) return;
  unsigned w[4];
  gc_philox(key[0], key[1], numbers[thread], (unsigned)use, w);
  out[2 * thread] = w[0];
  out[2 * thread + 1] = w[1];
}
"""
    return Written("child_key", source)
