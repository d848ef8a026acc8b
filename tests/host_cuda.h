// CUDA's execution model on the host, for tests: the printed source runs as it is, behind this text and the prelude.
//
// The threads of a block are fibers of one thread. A fiber runs until it waits, at a barrier of its block or of its
// warp (a shuffle), or ends; when all that must come have come, they go on. What CUDA leaves undefined is an error
// here: a barrier that some threads of a block, or lanes of a warp, never reach. Shared memory is poisoned at the start
// of every block. Fibers run in the order of their numbers, or in reverse: what depends on the order is a race.
#define GC_HOST
#include <math.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include <type_traits>
#include <utility>

#define __global__
#define __device__
#define __forceinline__ inline
#define __launch_bounds__(threads)

struct HostIndex {
    unsigned x, y, z;
};
static HostIndex threadIdx, blockIdx, blockDim, gridDim;

namespace host {

enum Status { ready, at_warp, at_block, done };

const int most_threads = 1024, stack_bytes = 128 * 1024, warp = 32;

struct Fiber {
    ucontext_t first;
    jmp_buf state;
    bool started;
    Status status;
    int parity;  // of the next shuffle: a lane can be ahead of others by one
};
static Fiber fibers[most_threads];
static Fiber* current;
static jmp_buf scheduler;
static ucontext_t unused;
static void (*job)(void*);
static void* job_data;
static char exchanged[2][most_threads][16];

static void fail(const char* what) {
    fprintf(stderr, "host CUDA: %s (block %u, thread %u)\n", what, blockIdx.x, threadIdx.x);
    abort();
}

// --- fibers: contexts are made with ucontext and switched with setjmp, which enters no kernel --------------------

static __attribute__((noinline)) void wait(Status status) {
    current->status = status;
    if (_setjmp(current->state) == 0) _longjmp(scheduler, 1);
}

static void live() {
    for (;;) {
        job(job_data);
        wait(done);
    }
}

static __attribute__((noinline)) void resume(int number) {
    current = &fibers[number];
    threadIdx.x = number;
    if (_setjmp(scheduler) != 0) return;
    if (current->started) _longjmp(current->state, 1);
    current->started = true;
    getcontext(&current->first);
    current->first.uc_stack.ss_sp = malloc(stack_bytes);
    current->first.uc_stack.ss_size = stack_bytes;
    current->first.uc_link = &unused;
    makecontext(&current->first, live, 0);
    setcontext(&current->first);
}

// --- barriers ------------------------------------------------------------------------------------------------------

static bool release(int from, int to, Status status) {
    for (int t = from; t < to; ++t)
        if (fibers[t].status != status) return false;
    for (int t = from; t < to; ++t) fibers[t].status = ready;
    return true;
}

static void run_block(int threads, bool reverse) {
    for (int t = 0; t < threads; ++t) fibers[t].status = ready, fibers[t].parity = 0;
    for (;;) {
        for (int t = 0; t < threads; ++t) {
            const int number = reverse ? threads - 1 - t : t;
            if (fibers[number].status == ready) resume(number);
        }
        if (release(0, threads, done)) return;
        bool any = release(0, threads, at_block);
        for (int t = 0; t < threads; t += warp) any |= release(t, t + warp < threads ? t + warp : threads, at_warp);
        if (!any) fail("threads wait for others that never come");
    }
}

// --- shared memory ---------------------------------------------------------------------------------------------------

struct Shared {
    void* memory;
    size_t bytes;
    int byte;
    Shared* next;
    Shared(void* memory, size_t bytes, int byte);
    void poison() { memset(memory, byte, bytes); }
};
static Shared* all_shared;
inline Shared::Shared(void* memory, size_t bytes, int byte) : memory(memory), bytes(bytes), byte(byte), next(all_shared) {
    all_shared = this;
    poison();
}

template <class... P, size_t... I>
static void call(void (*kernel)(P...), const unsigned long long* args, std::index_sequence<I...>) {
    kernel((P)args[I]...);
}

template <class... P>
static void launch(void (*kernel)(P...), long long grid, int block, const unsigned long long* args, bool reverse) {
    struct Bound {
        void (*kernel)(P...);
        const unsigned long long* args;
    } bound = {kernel, args};
    job = [](void* data) {
        const Bound* mine = (const Bound*)data;
        call(mine->kernel, mine->args, std::index_sequence_for<P...>());
    };
    job_data = &bound;
    if (block < 1 || block > most_threads) fail("a block has from 1 to 1024 threads");
    blockDim = {(unsigned)block, 1, 1};
    gridDim = {(unsigned)grid, 1, 1};
    for (long long b = 0; b < grid; ++b) {
        blockIdx = {(unsigned)(reverse ? grid - 1 - b : b), 0, 0};
        for (Shared* shared = all_shared; shared; shared = shared->next) shared->poison();
        run_block(block, reverse);
    }
}

}  // namespace host

// --- what the prelude asks of a host -----------------------------------------------------------------------------------

#define GC_SHARED(type, name, count)                                                             \
    static type name[count];                                                                     \
    static host::Shared name##_poison(name, sizeof(name), std::is_floating_point<type>() ? 0xff : 0x7f)

static inline void gc_synchronize() { host::wait(host::at_block); }

template <class T> static inline T gc_shuffle(T value, int step) {
    const int mine = (int)threadIdx.x, parity = host::current->parity;
    host::current->parity ^= 1;
    memcpy(host::exchanged[parity][mine], &value, sizeof(T));
    host::wait(host::at_warp);
    memcpy(&value, host::exchanged[parity][mine ^ step], sizeof(T));
    return value;
}

template <class T> static inline T host_replace(T* at, T value) {
    const T old = *at;
    *at = value;
    return old;
}
template <class T> static inline T atomicMin(T* at, T value) { return host_replace(at, value < *at ? value : *at); }
template <class T> static inline T atomicMax(T* at, T value) { return host_replace(at, value > *at ? value : *at); }
template <class T> static inline T atomicAdd(T* at, T value) { return host_replace(at, (T)(*at + value)); }

static inline void gc_report(long long* words, long long value) {
    atomicMin(words, value);
    atomicMax(words + 1, value);
}

static inline float gc_float_of_bits(unsigned bits) {
    float value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}
static inline double gc_double_of_bits(unsigned long long bits) {
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}
