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

// --- random words: Philox4x32-10, as graphc/philox.py has it --------------------------------------------------------

GC_DEVICE void gc_philox(unsigned k0, unsigned k1, unsigned long long number, unsigned use, unsigned* words) {
    unsigned c0 = (unsigned)number, c1 = (unsigned)(number >> 32), c2 = 0, c3 = use;
#pragma unroll
    for (int round = 0; round < 10; ++round) {
        const unsigned long long p0 = 0xD2511F53ull * c0, p1 = 0xCD9E8D57ull * c2;
        c0 = (unsigned)(p1 >> 32) ^ c1 ^ k0;
        c1 = (unsigned)p1;
        c2 = (unsigned)(p0 >> 32) ^ c3 ^ k1;
        c3 = (unsigned)p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    words[0] = c0;
    words[1] = c1;
    words[2] = c2;
    words[3] = c3;
}
GC_DEVICE double gc_unit(unsigned first, unsigned second) {  // a multiple of 2^-53 in [0, 1)
    return ((double)(first >> 5) * 67108864.0 + (double)(second >> 6)) * (1.0 / 9007199254740992.0);
}

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
GC_FUNCTION(exp2, exp2f, exp2)
GC_FUNCTION(log2, log2f, log2)
GC_FUNCTION(log10, log10f, log10)
GC_FUNCTION(cbrt, cbrtf, cbrt)
GC_FUNCTION(tan, tanf, tan)
GC_FUNCTION(asin, asinf, asin)
GC_FUNCTION(acos, acosf, acos)
GC_FUNCTION(atan, atanf, atan)
GC_FUNCTION(sinh, sinhf, sinh)
GC_FUNCTION(cosh, coshf, cosh)
GC_FUNCTION(asinh, asinhf, asinh)
GC_FUNCTION(acosh, acoshf, acosh)
GC_FUNCTION(atanh, atanhf, atanh)
GC_FUNCTION(erfc, erfcf, erfc)
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
GC_DEVICE float gc_atan2(float y, float x) { return atan2f(y, x); }
GC_DEVICE double gc_atan2(double y, double x) { return atan2(y, x); }
GC_DEVICE float gc_hypot(float x, float y) { return hypotf(x, y); }
GC_DEVICE double gc_hypot(double x, double y) { return hypot(x, y); }
GC_DEVICE float gc_nextafter(float x, float y) { return nextafterf(x, y); }
GC_DEVICE double gc_nextafter(double x, double y) { return nextafter(x, y); }

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
template <class T> GC_DEVICE T gc_copysign(T x, T y) { return gc_c_copysign(x, y); }
template <class T> GC_DEVICE bool gc_signbit(T x) { return gc_c_copysign(T(1), x) < T(0); }
template <class T> GC_DEVICE T gc_logaddexp(T x, T y) {
    if (x == y) return x + T(0.69314718055994530942);
    const T distance = x - y;
    if (distance > T(0)) return x + gc_log1p(gc_exp(-distance));
    return distance <= T(0) ? y + gc_log1p(gc_exp(distance)) : distance;
}

// --- special functions: in double, rounded once, by the formulas that stand in graphc/ops with their sources -----------

#define GC_IN_DOUBLE(name) \
    GC_DEVICE float gc_##name(float x) { return (float)gc_##name((double)x); }

template <int N> GC_DEVICE double gc_polynomial(const double (&coefficients)[N], double x) {
    double total = coefficients[N - 1];
#pragma unroll
    for (int k = N - 2; k >= 0; --k) total = total * x + coefficients[k];
    return total;
}
// A Chebyshev series, the last coefficient first, by Clenshaw's recurrence.
template <int N> GC_DEVICE double gc_chebyshev(const double (&coefficients)[N], double x) {
    double before = 0, last = 0, value = coefficients[0];
#pragma unroll
    for (int k = 1; k < N; ++k) {
        before = last;
        last = value;
        value = x * last - before + coefficients[k];
    }
    return 0.5 * (value - before);
}
GC_DEVICE double gc_cotangent_of_pi(double x) { return 1.0 / gc_tan(3.141592653589793 * (x - gc_round(x))); }

GC_DEVICE double gc_erfinv(double x) {
    const double central_p[] = {
        3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3, 1.3731693765509461125e4,
        4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4, 2.5090809287301226727e3};
    const double central_q[] = {
        1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3, 2.1213794301586595867e4,
        3.9307895800092710610e4, 2.8729085735721942674e4, 5.2264952788528545610e3};
    const double outer_p[] = {
        1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0, 3.64784832476320460504e0,
        1.27045825245236838258e0, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4};
    const double outer_q[] = {
        1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1,
        1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9};
    const double outmost_p[] = {
        6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0, 2.96560571828504891230e-1,
        2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7};
    const double outmost_q[] = {
        1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2,
        7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15};
    const double size = gc_c_abs(x), slope = 1.1283791670955126;  // of erf at 0; then a step of Newton's method
    if (size == 1) return x * gc_type<double>::highest();
    if (size <= 0.85) {
        const double r = 0.180625 - 0.25 * size * size;
        const double value = 0.3535533905932738 * x * gc_polynomial(central_p, r) / gc_polynomial(central_q, r);
        return value - (gc_erf(value) - x) * gc_exp(value * value) / slope;
    }
    const double root = gc_sqrt(-gc_log(0.5 - 0.5 * size));
    const double r = root <= 5 ? root - 1.6 : root - 5;
    double value = root <= 5 ? gc_polynomial(outer_p, r) / gc_polynomial(outer_q, r)
                             : gc_polynomial(outmost_p, r) / gc_polynomial(outmost_q, r);
    value *= 0.7071067811865476;
    value += (gc_erfc(value) - (1 - size)) * gc_exp(value * value) / slope;
    return gc_c_copysign(value, x);
}
GC_IN_DOUBLE(erfinv)

// C's own: it is accurate, on the device and on the host.
GC_DEVICE double gc_lgamma(double x) { return lgamma(x); }
GC_IN_DOUBLE(lgamma)

GC_DEVICE double gc_digamma(double x) {
    const double psi_p[] = {
        0.25479851061131551, -0.32555031186804491, -0.65031853770896507, -0.28919126444774784,
        -0.045251321448739056, -0.0020713321167745952};
    const double psi_q[] = {
        1.0, 2.0767117023730469, 1.4606242909763515, 0.43593529692665969, 0.054151797245674225,
        0.0021284987017821144, -0.55789841321675513e-6};
    const double psi_series[] = {
        1.0 / 12, -1.0 / 120, 1.0 / 252, -1.0 / 240, 1.0 / 132, -691.0 / 32760, 1.0 / 12, -3617.0 / 8160};
    if (x == 0) return -1.0 / x;
    double total = 0;
    if (x < 0) {
        if (gc_floor(x) == x) return gc_double_of_bits(0x7ff8000000000000ull);
        total = -3.141592653589793 * gc_cotangent_of_pi(x);
        x = 1 - x;
    }
    if (!(x < 10)) {
        const double z = 1 / (x * x);
        return total + (gc_log(x) - 0.5 / x - z * gc_polynomial(psi_series, z));
    }
    if (x < 1) {
        total -= 1 / x;
        x += 1;
    }
    for (; x > 2; total += 1 / x) x -= 1;
    const double root_rest = 381566830.0 / 1152921504606846976.0 + 0.9016312093258695918615325266959189453125e-19;
    const double away = (x - 1569415565.0 / 1073741824) - root_rest;
    const double r = gc_polynomial(psi_p, x - 1) / gc_polynomial(psi_q, x - 1);
    return total + (away * 0.99558162689208984375 + away * r);
}
GC_IN_DOUBLE(digamma)

GC_DEVICE double gc_i0e(double x) {
    const double near[] = {
        1.0, 1.0, 0.25, 0.027777777777777776, 0.001736111111111111, 6.944444444444444e-05, 1.9290123456790124e-06,
        3.936759889140842e-08, 6.151187326782565e-10, 7.594058428126624e-12, 7.594058428126623e-14,
        6.276081345559193e-16, 4.358389823304995e-18, 2.5789288895295828e-20, 1.3157800456783586e-22,
        5.8479113141260385e-25, 2.2843403570804838e-27, 7.904291893012054e-30, 2.4395962632753253e-32,
        6.757884385804225e-35, 1.6894710964510562e-37, 3.8310002187098785e-40, 7.91528970807826e-43,
        1.4962740468957016e-45, 2.597697998082815e-48, 4.156316796932504e-51, 6.14839762859838e-54,
        8.434015951438106e-57, 1.0757673407446564e-59, 1.2791526049282477e-62, 1.4212806721424976e-65,
        1.4789601166935458e-68};
    const double far[] = {
        -7.23318048787475395456e-18, -4.83050448594418207126e-18, 4.46562142029675999901e-17,
        3.46122286769746109310e-17, -2.82762398051658348494e-16, -3.42548561967721913462e-16,
        1.77256013305652638360e-15, 3.81168066935262242075e-15, -9.55484669882830764870e-15,
        -4.15056934728722208663e-14, 1.54008621752140982691e-14, 3.85277838274214270114e-13,
        7.18012445138366623367e-13, -1.79417853150680611778e-12, -1.32158118404477131188e-11,
        -3.14991652796324136454e-11, 1.18891471078464383424e-11, 4.94060238822496958910e-10,
        3.39623202570838634515e-9, 2.26666899049817806459e-8, 2.04891858946906374183e-7, 2.89137052083475648297e-6,
        6.88975834691682398426e-5, 3.36911647825569408990e-3, 8.04490411014108831608e-1};
    const double size = gc_c_abs(x);
    if (size <= 8) return gc_exp(-size) * gc_polynomial(near, 0.25 * size * size);
    return gc_chebyshev(far, 32 / size - 2) / gc_sqrt(size);
}
GC_IN_DOUBLE(i0e)
GC_DEVICE double gc_i1e(double x) {
    const double near[] = {
        0.5, 0.25, 0.041666666666666664, 0.003472222222222222, 0.00017361111111111112, 5.787037037037037e-06,
        1.3778659611992944e-07, 2.460474930713026e-09, 3.417326292656981e-11, 3.7970292140633116e-13,
        3.451844740057556e-15, 2.615033893982997e-17, 1.676303778194229e-19, 9.21046031974851e-22,
        4.385933485594529e-24, 1.827472285664387e-26, 6.718648109060246e-29, 2.195636636947793e-31,
        6.419990166514015e-34, 1.6894710964510563e-36, 4.022550229645372e-39, 8.706818678886087e-42,
        1.720715153930057e-44, 3.1172375976993783e-47, 5.195395996165631e-50, 7.992916917177893e-53,
        1.1385921534441443e-55, 1.506074277042519e-58, 1.8547712771459592e-61, 2.1319210082137464e-64,
        2.2923881808749958e-67, 2.3108751823336653e-70};
    const double far[] = {
        7.51729631084210481353e-18, 4.41434832307170791151e-18, -4.65030536848935832153e-17,
        -3.20952592199342395980e-17, 2.96262899764595013876e-16, 3.30820231092092828324e-16,
        -1.88035477551078244854e-15, -3.81440307243700780478e-15, 1.04202769841288027642e-14,
        4.27244001671195135429e-14, -2.10154184277266431302e-14, -4.08355111109219731823e-13,
        -7.19855177624590851209e-13, 2.03562854414708950722e-12, 1.41258074366137813316e-11,
        3.25260358301548823856e-11, -1.89749581235054123450e-11, -5.58974346219658380687e-10,
        -3.83538038596423702205e-9, -2.63146884688951950684e-8, -2.51223623787020892529e-7,
        -3.88256480887769039346e-6, -1.10588938762623716291e-4, -9.76109749136146840777e-3,
        7.78576235018280120474e-1};
    const double size = gc_c_abs(x);
    if (size <= 8) return gc_exp(-size) * gc_polynomial(near, 0.25 * size * size) * x;
    return gc_c_copysign(gc_chebyshev(far, 32 / size - 2) / gc_sqrt(size), x);
}
GC_IN_DOUBLE(i1e)

// x^a e^-x / Γ(a + 1)
GC_DEVICE double gc_gamma_factor(double a, double x) {
    if (a < 10) {
        const double whole = gc_floor(a), b = a - whole;
        double product = gc_exp(lgamma(1 + b));
        for (double k = 1; k <= whole; k += 1) product *= b + k;
        return gc_c_pow(x, a) * gc_exp(-x) / product;
    }
    const double stirling[] = {1.0 / 12, -1.0 / 360, 1.0 / 1260, -1.0 / 1680, 1.0 / 1188, -691.0 / 360360, 1.0 / 156};
    const double m = (x - a) / a, s = m / (2 + m), square = s * s;
    double less = gc_log1p(m) - m;
    if (gc_c_abs(m) < 0.5) {
        double series = 0;
#pragma unroll
        for (int k = 15; k >= 0; --k) series = series * square + 1.0 / (2 * k + 3);
        less = 2 * s * square * series - 2 * square / (1 - s);
    }
    return gc_exp(a * less - gc_polynomial(stirling, 1 / (a * a)) / a) / gc_sqrt(6.283185307179586 * a);
}
// The lower or the upper incomplete gamma function, regularised.
GC_DEVICE double gc_incomplete_gamma(double a, double x, bool upper) {
    const double infinity = gc_type<double>::highest();
    if (!(a >= 0 && x >= 0) || (a == 0 && x == 0) || (a == infinity && x == infinity))
        return gc_double_of_bits(0x7ff8000000000000ull);
    if (x == 0 || a == infinity) return upper ? 1 : 0;
    if (a == 0 || x == infinity) return upper ? 0 : 1;
    if (upper && a < 1 && x < 1.1) {
        const double power = a * gc_log(x) - lgamma(1 + a);
        double term = 1, total = 0;
        for (double n = 1; n < 30; n += 1) {
            term *= -x / n;
            total += term / (a + n);
        }
        return -gc_expm1(power) - a * gc_exp(power) * total;
    }
    const double factor = gc_gamma_factor(a, x), eps = 5.551115123125783e-17;
    if (x < a + 1) {
        double term = 1, total = 1;
        for (double k = 1; k < 20000 && term > eps * total; k += 1) total += term *= x / (a + k);
        return upper ? 1 - factor * total : factor * total;
    }
    double b = x + 1 - a, c = 1e300, d = 1 / b, value = d;
    for (double k = 1; k < 20000; k += 1) {
        const double numerator = -k * (k - a);
        b += 2;
        d = 1 / (numerator * d + b);
        c = b + numerator / c;
        value *= c * d;
        if (!(gc_c_abs(c * d - 1) > 4 * eps)) break;
    }
    return upper ? a * factor * value : 1 - a * factor * value;
}
GC_DEVICE double gc_gammainc(double a, double x) { return gc_incomplete_gamma(a, x, false); }
GC_DEVICE float gc_gammainc(float a, float x) { return (float)gc_gammainc((double)a, (double)x); }
GC_DEVICE double gc_gammaincc(double a, double x) { return gc_incomplete_gamma(a, x, true); }
GC_DEVICE float gc_gammaincc(float a, float x) { return (float)gc_gammaincc((double)a, (double)x); }

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
// A negative distance is a large one as an unsigned number: all bits are shifted out.
template <class T> GC_DEVICE T gc_bitwise_left_shift(T x, T y) {
    typedef typename gc_type<T>::wrapping W;
    const W distance = (W)y;
    return distance < (W)(8 * sizeof(T)) ? (T)((W)x << distance) : T(0);
}
template <class T> GC_DEVICE T gc_bitwise_right_shift(T x, T y) {
    typedef typename gc_type<T>::wrapping W;
    const W distance = (W)y;
    if (distance < (W)(8 * sizeof(T))) return (T)(x >> distance);
    return gc_type<T>::is_signed && x < T(0) ? T(-1) : T(0);
}
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
