// What printed kernels call: graphc's semantics (docs/semantics.md) as device functions, for CUDA and for the host.
//
// No header is needed: NVRTC knows CUDA's functions and keywords by itself. A host that wants to run the same source
// defines GC_HOST and, before this text, what stands under "the device" below (see tests/host_cuda.h).
// Nothing here relies on fast-math, and products are not contracted into sums (--fmad=false, -ffp-contract=off):
// + - * / and sqrt are correctly rounded, so that a kernel has the bits of the reference interpreter.

#define GC_DEVICE static __device__ __forceinline__

// --- the device: all that a host cannot do as CUDA does ---------------------------------------------------------

#ifndef GC_HOST
#define GC_SHARED(type, name, count) __shared__ type name[count]

GC_DEVICE void gc_synchronize() { __syncthreads(); }

template <class T> GC_DEVICE T gc_shuffle(T value, int step) { return (T)__shfl_xor_sync(0xffffffffu, (int)value, step); }
template <> __device__ __forceinline__ unsigned gc_shuffle(unsigned value, int step) {
    return __shfl_xor_sync(0xffffffffu, value, step);
}
template <> __device__ __forceinline__ long long gc_shuffle(long long value, int step) {
    return __shfl_xor_sync(0xffffffffu, value, step);
}
template <> __device__ __forceinline__ unsigned long long gc_shuffle(unsigned long long value, int step) {
    return __shfl_xor_sync(0xffffffffu, value, step);
}
template <> __device__ __forceinline__ float gc_shuffle(float value, int step) {
    return __shfl_xor_sync(0xffffffffu, value, step);
}
template <> __device__ __forceinline__ double gc_shuffle(double value, int step) {
    return __shfl_xor_sync(0xffffffffu, value, step);
}

// A value that a check finds offending widens the range [words[0], words[1]] that the host reads.
GC_DEVICE void gc_report(long long* words, long long value) {
    atomicMin(words, value);
    atomicMax(words + 1, value);
}

GC_DEVICE float gc_float_of_bits(unsigned bits) { return __uint_as_float(bits); }
GC_DEVICE double gc_double_of_bits(unsigned long long bits) { return __longlong_as_double((long long)bits); }
#endif

// --- types ------------------------------------------------------------------------------------------------------

template <class T> struct gc_type;
#define GC_INTEGER(T, unsigned_type, is_signed_type, low, high)      \
    template <> struct gc_type<T> {                                  \
        typedef unsigned_type wrapping; /* arithmetic in it wraps */ \
        static const bool is_float = false, is_signed = is_signed_type; \
        GC_DEVICE T lowest() { return (T)(low); }                    \
        GC_DEVICE T highest() { return (T)(high); }                  \
    }
GC_INTEGER(bool, unsigned, false, 0, 1);
GC_INTEGER(signed char, unsigned, true, -128, 127);
GC_INTEGER(short, unsigned, true, -32768, 32767);
GC_INTEGER(int, unsigned, true, -2147483647 - 1, 2147483647);
GC_INTEGER(long long, unsigned long long, true, -9223372036854775807ll - 1, 9223372036854775807ll);
GC_INTEGER(unsigned char, unsigned, false, 0, 255);
GC_INTEGER(unsigned short, unsigned, false, 0, 65535);
GC_INTEGER(unsigned, unsigned, false, 0, 4294967295u);
GC_INTEGER(unsigned long long, unsigned long long, false, 0, 18446744073709551615ull);
template <> struct gc_type<float> {
    static const bool is_float = true, is_signed = true;
    GC_DEVICE float lowest() { return gc_float_of_bits(0xff800000u); }
    GC_DEVICE float highest() { return gc_float_of_bits(0x7f800000u); }
};
template <> struct gc_type<double> {
    static const bool is_float = true, is_signed = true;
    GC_DEVICE double lowest() { return gc_double_of_bits(0xfff0000000000000ull); }
    GC_DEVICE double highest() { return gc_double_of_bits(0x7ff0000000000000ull); }
};
#undef GC_INTEGER

// --- memory: N elements at once ---------------------------------------------------------------------------------

template <class T, int N> struct alignas(sizeof(T) * N) gc_vector {
    T at[N];
};

// One access of N elements, which are aligned to their size.
template <int N, class T> GC_DEVICE gc_vector<T, N> gc_load(const T* from) {
    return *reinterpret_cast<const gc_vector<T, N>*>(from);
}

// One access if `whole`; else the first `count` elements, one by one.
template <int N, class T> GC_DEVICE gc_vector<T, N> gc_load(const T* from, bool whole, int count) {
    if (whole) return gc_load<N>(from);
    gc_vector<T, N> some;
#pragma unroll
    for (int k = 0; k < N; ++k) some.at[k] = k < count ? from[k] : T(0);
    return some;
}

template <int N, class T> GC_DEVICE gc_vector<T, N> gc_zeros() {
    gc_vector<T, N> all;
#pragma unroll
    for (int k = 0; k < N; ++k) all.at[k] = T(0);
    return all;
}

template <int N, class T> GC_DEVICE void gc_store(T* to, const gc_vector<T, N>& values) {
    *reinterpret_cast<gc_vector<T, N>*>(to) = values;
}

template <int N, class T>
GC_DEVICE void gc_store(T* to, const gc_vector<T, N>& values, bool whole, int count) {
    if (whole) return gc_store<N>(to, values);
#pragma unroll
    for (int k = 0; k < N; ++k)
        if (k < count) to[k] = values.at[k];
}

// --- integers of indices ----------------------------------------------------------------------------------------

template <class T> GC_DEVICE T gc_index_floordiv(T x, T y) {
    const T quotient = x / y;
    return x % y != 0 && (x < 0) != (y < 0) ? quotient - 1 : quotient;
}
template <class T> GC_DEVICE T gc_index_mod(T x, T y) {
    const T rest = x % y;
    return rest != 0 && (rest < 0) != (y < 0) ? rest + y : rest;
}
template <class T> GC_DEVICE T gc_index_min(T x, T y) { return x < y ? x : y; }
template <class T> GC_DEVICE T gc_index_max(T x, T y) { return x < y ? y : x; }

// --- C's functions of floats, one name for both widths -----------------------------------------------------------

#define GC_FUNCTION(name, c_float, c_double)                              \
    GC_DEVICE float gc_##name(float x) { return c_float(x); }             \
    GC_DEVICE double gc_##name(double x) { return c_double(x); }
GC_FUNCTION(exp, expf, exp)
GC_FUNCTION(expm1, expm1f, expm1)
GC_FUNCTION(log, logf, log)
GC_FUNCTION(log1p, log1pf, log1p)
GC_FUNCTION(sqrt, sqrtf, sqrt)
GC_FUNCTION(sin, sinf, sin)
GC_FUNCTION(cos, cosf, cos)
GC_FUNCTION(tanh, tanhf, tanh)
GC_FUNCTION(erf, erff, erf)
GC_FUNCTION(floor, floorf, floor)
GC_FUNCTION(ceil, ceilf, ceil)
GC_FUNCTION(trunc, truncf, trunc)
GC_FUNCTION(round, rintf, rint)  // halves to even
GC_FUNCTION(c_abs, fabsf, fabs)
#undef GC_FUNCTION
GC_DEVICE float gc_c_fmod(float x, float y) { return fmodf(x, y); }
GC_DEVICE double gc_c_fmod(double x, double y) { return fmod(x, y); }
GC_DEVICE float gc_c_copysign(float x, float y) { return copysignf(x, y); }
GC_DEVICE double gc_c_copysign(double x, double y) { return copysign(x, y); }
GC_DEVICE float gc_c_pow(float x, float y) { return powf(x, y); }
GC_DEVICE double gc_c_pow(double x, double y) { return pow(x, y); }

// --- arithmetic -------------------------------------------------------------------------------------------------
// Integers wrap around, which C promises for unsigned types only. Each op has one body for integers and, where
// that is another, one for floats.

#define GC_WRAPPING(name, expression)                                            \
    template <class T> GC_DEVICE T gc_##name(T x, T y) {                         \
        typedef typename gc_type<T>::wrapping W;                                 \
        const W a = (W)x, b = (W)y;                                              \
        return (T)(expression);                                                  \
    }                                                                            \
    GC_DEVICE float gc_##name(float a, float b) { return expression; }           \
    GC_DEVICE double gc_##name(double a, double b) { return expression; }
GC_WRAPPING(add, a + b)
GC_WRAPPING(subtract, a - b)
GC_WRAPPING(multiply, a * b)
#undef GC_WRAPPING

template <class T> GC_DEVICE T gc_divide(T x, T y) { return x / y; }

template <class T> GC_DEVICE T gc_negative(T x) {
    typedef typename gc_type<T>::wrapping W;
    return (T)((W)0 - (W)x);
}
GC_DEVICE float gc_negative(float x) { return -x; }
GC_DEVICE double gc_negative(double x) { return -x; }

template <class T> GC_DEVICE T gc_abs(T x) { return gc_type<T>::is_signed && x < T(0) ? gc_negative(x) : x; }
GC_DEVICE float gc_abs(float x) { return gc_c_abs(x); }
GC_DEVICE double gc_abs(double x) { return gc_c_abs(x); }

// NaN stays NaN, and zero has no sign: x + 0 is +0 for -0.
template <class T> GC_DEVICE T gc_sign(T x) { return x > T(0) ? T(1) : x < T(0) ? T(-1) : T(x + T(0)); }

// By zero: 0. The smallest integer by -1: itself.
template <class T> GC_DEVICE T gc_floor_divide(T x, T y) {
    if (y == T(0)) return T(0);
    if (gc_type<T>::is_signed && y == T(-1)) return gc_negative(x);
    const T quotient = (T)(x / y);
    return gc_type<T>::is_signed && x % y != 0 && (x < T(0)) != (y < T(0)) ? T(quotient - 1) : quotient;
}
template <class T> GC_DEVICE T gc_remainder(T x, T y) {
    if (y == T(0) || (gc_type<T>::is_signed && y == T(-1))) return T(0);
    const T rest = (T)(x % y);
    return gc_type<T>::is_signed && rest != 0 && (rest < T(0)) != (y < T(0)) ? T(rest + y) : rest;
}

// Consistent with the remainder, as in NumPy and Python: 1.0 // 0.1 is 9.
template <class T> GC_DEVICE T gc_float_floor_divide(T x, T y) {
    if (y == T(0)) return x / y;
    const T rest = gc_c_fmod(x, y);
    T quotient = (x - rest) / y;
    if (rest != T(0) && (y < T(0)) != (rest < T(0))) quotient -= T(1);
    if (quotient == T(0)) return gc_c_copysign(T(0), x / y);
    const T whole = gc_floor(quotient);
    return quotient - whole > T(0.5) ? whole + T(1) : whole;
}
template <class T> GC_DEVICE T gc_float_remainder(T x, T y) {
    const T rest = gc_c_fmod(x, y);
    if (y == T(0)) return rest;
    if (rest == T(0)) return gc_c_copysign(T(0), y);
    return (y < T(0)) != (rest < T(0)) ? rest + y : rest;
}
GC_DEVICE float gc_floor_divide(float x, float y) { return gc_float_floor_divide(x, y); }
GC_DEVICE double gc_floor_divide(double x, double y) { return gc_float_floor_divide(x, y); }
GC_DEVICE float gc_remainder(float x, float y) { return gc_float_remainder(x, y); }
GC_DEVICE double gc_remainder(double x, double y) { return gc_float_remainder(x, y); }

// Negative powers are truncated: 0, but 1 for the base 1 and 1 or -1 for the base -1.
template <class T> GC_DEVICE T gc_pow(T x, T y) {
    typedef typename gc_type<T>::wrapping W;
    if (gc_type<T>::is_signed && y < T(0)) {
        if (x == T(1)) return T(1);
        if (x == T(-1)) return (y & 1) ? T(-1) : T(1);
        return T(0);
    }
    W result = 1, base = (W)x;
    for (W left = (W)y; left != 0; left >>= 1) {
        if (left & 1) result *= base;
        base *= base;
    }
    return (T)result;
}
GC_DEVICE float gc_pow(float x, float y) { return gc_c_pow(x, y); }
GC_DEVICE double gc_pow(double x, double y) { return gc_c_pow(x, y); }

// --- functions of floats ------------------------------------------------------------------------------------------

template <class T> GC_DEVICE T gc_rsqrt(T x) { return T(1) / gc_sqrt(x); }
template <class T> GC_DEVICE T gc_sigmoid(T x) { return T(1) / (gc_exp(-x) + T(1)); }
template <class T> GC_DEVICE bool gc_isnan(T x) { return x != x; }
template <class T> GC_DEVICE bool gc_isinf(T x) { return gc_c_abs(x) == gc_type<T>::highest(); }
template <class T> GC_DEVICE bool gc_isfinite(T x) { return gc_c_abs(x) < gc_type<T>::highest(); }

// --- comparison, logic, choice --------------------------------------------------------------------------------------

template <class T> GC_DEVICE bool gc_is_nan(T x) { return gc_type<T>::is_float && x != x; }

template <class T> GC_DEVICE bool gc_equal(T x, T y) { return x == y; }
template <class T> GC_DEVICE bool gc_not_equal(T x, T y) { return x != y; }
template <class T> GC_DEVICE bool gc_less(T x, T y) { return x < y; }
template <class T> GC_DEVICE bool gc_less_equal(T x, T y) { return x <= y; }
template <class T> GC_DEVICE bool gc_greater(T x, T y) { return x > y; }
template <class T> GC_DEVICE bool gc_greater_equal(T x, T y) { return x >= y; }
GC_DEVICE bool gc_logical_and(bool x, bool y) { return x && y; }
GC_DEVICE bool gc_logical_or(bool x, bool y) { return x || y; }
GC_DEVICE bool gc_logical_xor(bool x, bool y) { return x != y; }
GC_DEVICE bool gc_logical_not(bool x) { return !x; }
template <class T> GC_DEVICE T gc_bitwise_and(T x, T y) { return (T)(x & y); }
template <class T> GC_DEVICE T gc_bitwise_or(T x, T y) { return (T)(x | y); }
template <class T> GC_DEVICE T gc_bitwise_xor(T x, T y) { return (T)(x ^ y); }
template <class T> GC_DEVICE T gc_bitwise_invert(T x) { return (T)~x; }
GC_DEVICE bool gc_bitwise_invert(bool x) { return !x; }
template <class T> GC_DEVICE T gc_where(bool condition, T x, T y) { return condition ? x : y; }
template <class T> GC_DEVICE T gc_minimum(T x, T y) { return x < y || gc_is_nan(x) ? x : y; }  // a NaN wins
template <class T> GC_DEVICE T gc_maximum(T x, T y) { return x > y || gc_is_nan(x) ? x : y; }
template <class T> GC_DEVICE T gc_relu(T x) { return gc_maximum(x, T(0)); }

// --- conversion -------------------------------------------------------------------------------------------------------
// A float becomes an integer towards zero; beyond the range it becomes the limit, and NaN becomes 0, as in XLA: C leaves
// that undefined.

template <class To, class From, bool from_float, bool to_float> struct gc_conversion {
    GC_DEVICE To convert(From x) { return (To)x; }
};
template <class To, class From> struct gc_conversion<To, From, true, false> {
    GC_DEVICE To convert(From x) {
        const From above = (From)(gc_type<To>::highest() / 2 + 1) * From(2);  // a power of two: nothing is rounded
        if (x >= above) return gc_type<To>::highest();
        if (x > (From)gc_type<To>::lowest()) return (To)x;
        return x == x ? gc_type<To>::lowest() : To(0);
    }
};
template <class From> struct gc_conversion<bool, From, true, false> {
    GC_DEVICE bool convert(From x) { return x != From(0); }
};
template <class To, class From> GC_DEVICE To gc_astype(From x) {
    return gc_conversion<To, From, gc_type<From>::is_float, gc_type<To>::is_float>::convert(x);
}

// --- reductions: what one combines, and with whom -------------------------------------------------------------------

template <class T> struct gc_sum {
    typedef T state;
    GC_DEVICE T identity() { return T(0); }
    GC_DEVICE T combine(T x, T y) { return gc_add(x, y); }
};
template <class T> struct gc_prod {
    typedef T state;
    GC_DEVICE T identity() { return T(1); }
    GC_DEVICE T combine(T x, T y) { return gc_multiply(x, y); }
};
template <class T> struct gc_min {
    typedef T state;
    GC_DEVICE T identity() { return gc_type<T>::highest(); }
    GC_DEVICE T combine(T x, T y) { return gc_minimum(x, y); }
};
template <class T> struct gc_max {
    typedef T state;
    GC_DEVICE T identity() { return gc_type<T>::lowest(); }
    GC_DEVICE T combine(T x, T y) { return gc_maximum(x, y); }
};
template <class T> struct gc_any {
    typedef T state;
    GC_DEVICE T identity() { return false; }
    GC_DEVICE T combine(T x, T y) { return x || y; }
};
template <class T> struct gc_all {
    typedef T state;
    GC_DEVICE T identity() { return true; }
    GC_DEVICE T combine(T x, T y) { return x && y; }
};

// A value and where it was found; the place is -1 as long as there is none.
template <class T> struct gc_found {
    T value;
    long long place;
};
template <class T> GC_DEVICE gc_found<T> gc_shuffle(gc_found<T> mine, int step) {
    gc_found<T> other;
    other.value = gc_shuffle(mine.value, step);
    other.place = gc_shuffle(mine.place, step);
    return other;
}
// The first NaN, else the first of the best: the order in which pairs are combined makes no difference.
template <class T, bool largest> struct gc_position {
    typedef gc_found<T> state;
    GC_DEVICE state identity() {
        state nothing = {T(0), -1};
        return nothing;
    }
    GC_DEVICE state at(T value, long long place) {
        state found = {value, place};
        return found;
    }
    GC_DEVICE state combine(state x, state y) {
        if (x.place < 0 || y.place < 0) return x.place < 0 ? y : x;
        const bool x_nan = gc_is_nan(x.value), y_nan = gc_is_nan(y.value);
        if (x_nan != y_nan) return x_nan ? x : y;
        if (x_nan || x.value == y.value) return x.place < y.place ? x : y;
        return (largest ? x.value > y.value : x.value < y.value) ? x : y;
    }
};
template <class T> struct gc_argmin : gc_position<T, false> {};
template <class T> struct gc_argmax : gc_position<T, true> {};

// Among neighbouring lanes of a warp, as many as a power of two; all get the result.
template <class Op, int lanes> GC_DEVICE typename Op::state gc_reduce_lanes(typename Op::state mine) {
#pragma unroll
    for (int step = lanes / 2; step > 0; step /= 2) mine = Op::combine(mine, gc_shuffle(mine, step));
    return mine;
}

// Among all threads of a block, some warps; all get the result. `shared` has room for one state a warp.
template <class Op, int threads>
GC_DEVICE typename Op::state gc_reduce_block(typename Op::state mine, typename Op::state* shared) {
    mine = gc_reduce_lanes<Op, 32>(mine);
    const int lane = (int)threadIdx.x % 32;
    if (lane == 0) shared[threadIdx.x / 32] = mine;
    gc_synchronize();
    mine = lane < threads / 32 ? shared[lane] : Op::identity();
    return gc_reduce_lanes<Op, 32>(mine);
}

// Among the threads of a block that stand `width` apart; all get the result. `shared` has room for one state a thread.
template <class Op, int width, int height>
GC_DEVICE typename Op::state gc_reduce_columns(typename Op::state mine, typename Op::state* shared) {
    const int at = (int)threadIdx.x;
    shared[at] = mine;
    gc_synchronize();
#pragma unroll
    for (int step = height / 2; step > 0; step /= 2) {
        if (at < step * width) shared[at] = Op::combine(shared[at], shared[at + step * width]);
        gc_synchronize();
    }
    return shared[at % width];
}
