"""Kernels of samplers, written by hand: the formulas of `graphc.ops.random`, by threads that stop when done."""

from __future__ import annotations

from collections.abc import Sequence

from graphc import philox
from graphc.ops.random import quantile, rejection

from .kernels import Written

_HEAD = """
  long long thread = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (thread >= count) return;"""
_PI_TWICE = "6.283185307179586"


def _round(number: str) -> str:
    """Four uniforms of an element in a round."""
    return f"""
    unsigned child[4], w[8];
    gc_philox(key[0], key[1], (unsigned long long){number}, {philox.ROUND}, child);
    gc_philox(child[0], child[1], 2 * (unsigned long long)thread, 0, w);
    gc_philox(child[0], child[1], 2 * (unsigned long long)thread + 1, 0, w + 4);
    const double u0 = gc_unit(w[0], w[1]), u1 = gc_unit(w[2], w[3]);
    const double u2 = gc_unit(w[4], w[5]), u3 = gc_unit(w[6], w[7]);"""


def gamma() -> Written:
    """Gamma numbers, or their logarithms."""
    source = f"""
extern "C" __global__ void random_gamma(
    const unsigned* key, const double* shapes, double* out, long long log, long long count) {{{_HEAD}
  const double a = shapes[thread], infinity = gc_type<double>::highest();
  const bool small = a < 1.0, strange = !(a > 0.0 && a < infinity);
  const double d = (small ? a + 1.0 : a) - 1.0 / 3.0;
  double value = 0.0;
  for (int number = 0; number < {rejection.GAMMA_SAMPLER.rounds}; ++number) {{{_round("number")}
    const double x = gc_sqrt(-2.0 * gc_log(1.0 - u0)) * gc_cos({_PI_TWICE} * u1);
    const double root = 1.0 + x / gc_sqrt(9.0 * d), v = root * root * root;
    const double log_v = gc_log(v > 0.0 ? v : 1.0);
    const double power = small ? gc_log(1.0 - u3) / (a > 0.0 ? a : 1.0) : 0.0;
    value = log ? gc_log(d) + log_v + power : d * v * gc_exp(power);
    if (strange || (v > 0.0 && gc_log(1.0 - u2) < 0.5 * x * x + d - d * v + d * log_v)) break;
  }}
  if (a == 0.0) value = log ? -infinity : 0.0;
  if (a == infinity) value = infinity;
  if (!(a >= 0.0)) value = gc_double_of_bits(0x7ff8000000000000ull);
  out[thread] = value;
}}
"""
    return Written("random_gamma", source)


def poisson() -> Written:
    """Poisson numbers."""
    table = ", ".join(map(repr, rejection.FACTORIALS.tolist()))
    source = f"""
static __device__ double gc_log_factorial(double k) {{
  const double table[16] = {{{table}}};
  if (k < 16.0) return table[(int)k];
  const double n = k + 1.0, inverse = 1.0 / n, square = inverse * inverse;
  const double series = inverse * (1.0 / 12.0 - square * (1.0 / 360.0 - square * (1.0 / 1260.0 - square / 1680.0)));
  return (n - 0.5) * gc_log(n) - n + {rejection.HALF_LOG_TWO_PI!r} + series;
}}
extern "C" __global__ void random_poisson(const unsigned* key, const double* rates, long long* out, long long count) {{
  {_HEAD.strip()}
  const double rate = rates[thread];
  if (!(rate >= 0.0)) {{
    out[thread] = -1;
    return;
  }}
  double value = 0.0;
  const double mean = rate < {rejection.MOST!r} ? rate : {rejection.MOST!r};
  const double b = 0.931 + 2.53 * gc_sqrt(mean), a = -0.059 + 0.02483 * b;
  for (int number = 0; number < {rejection.POISSON_SAMPLER.rounds}; ++number) {{{_round("number")}
    if (rate < {rejection.LARGE!r}) {{
      double term = gc_exp(-rate), total = term;
      for (int k = 1; k < {rejection.TERMS} && u2 >= total; ++k) {{
        value = (double)k;
        term = term * (rate / (double)k);
        total = total + term;
      }}
      break;
    }}
    const double centred = u0 - 0.5, v = 1.0 - u1, far = 0.5 - gc_abs(centred);
    const double us = far > 5.551115123125783e-17 ? far : 5.551115123125783e-17;
    const double k = gc_floor((2.0 * a / us + b) * centred + mean + 0.43), least = k > 0.0 ? k : 0.0;
    value = least < {rejection.MOST!r} ? least : {rejection.MOST!r};
    if (us >= 0.07 && v <= 0.9277 - 3.6224 / (b - 2.0)) break;
    if (k < 0.0 || (us < 0.013 && v > us)) continue;
    const double scaled = gc_log(v) + gc_log(1.1239 + 1.1328 / (b - 3.4)) - gc_log(a / (us * us) + b);
    if (scaled <= least * gc_log(mean) - mean - gc_log_factorial(least)) break;
  }}
  out[thread] = (long long)value;
}}
"""
    return Written("random_poisson", source)


def _quotient(name: str, coefficients: tuple[Sequence[float], Sequence[float]]) -> str:
    above, below = (f"{polynomial[-1]!r}" for polynomial in coefficients)
    for p, q in zip(*(polynomial[-2::-1] for polynomial in coefficients), strict=True):
        above, below = f"({above}) * x + {p!r}", f"({below}) * x + {q!r}"
    return f"static __device__ double {name}(double x) {{ return ({above}) / ({below}); }}"


def truncated() -> Written:
    """Normals within limits; a thread makes two of a block."""
    source = f"""
{_quotient("gc_quantile_middle", quantile.MIDDLE)}
{_quotient("gc_quantile_near", quantile.NEAR)}
{_quotient("gc_quantile_far", quantile.FAR)}
static __device__ double gc_normal_quantile(double p) {{
  const double q = p - 0.5;
  if (gc_abs(q) <= {quantile.HALF_WIDTH!r}) return q * gc_quantile_middle({quantile.AT!r} - q * q);
  const double r = gc_sqrt(-gc_log(q < 0.0 ? p : 1.0 - p));
  const double tail = r <= {quantile.FROM!r} ? gc_quantile_near(r - 1.6) : gc_quantile_far(r - {quantile.FROM!r});
  return q < 0.0 ? -tail : tail;
}}
extern "C" __global__ void random_truncated(
    const unsigned* key, double* out, long long low_bits, long long high_bits, long long below_bits,
    long long above_bits, long long mirrored, long long size) {{
  long long thread = (long long)blockIdx.x * blockDim.x + threadIdx.x, first = 2 * thread;
  if (first >= size) return;
  const double low = gc_double_of_bits(low_bits), high = gc_double_of_bits(high_bits);
  const double below = gc_double_of_bits(below_bits), above = gc_double_of_bits(above_bits);
  unsigned w[4];
  gc_philox(key[0], key[1], (unsigned long long)thread, 0, w);
  for (int k = 0; k < 2 && first + k < size; ++k) {{
    const double u = gc_unit(w[2 * k], w[2 * k + 1]);
    const double inside = gc_floor(u * 4503599627370496.0) * {2.0**-52!r} + {2.0**-53!r};
    double share = below + (above - below) * inside;
    share = share < {1.0 - 2.0**-53!r} ? share : {1.0 - 2.0**-53!r};
    double value = gc_normal_quantile(share);
    value = value < low ? low : value > high ? high : value;
    out[first + k] = mirrored ? -value : value;
  }}
}}
"""
    return Written("random_truncated", source)
