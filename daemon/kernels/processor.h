// Which vectors this processor has, and the system saves when it changes between threads.
//
// The processor itself is asked. The compiler's __builtin_cpu_supports needs a part of the compiler's
// runtime that is not there everywhere: compiled by Zig it answers "no" to everything.
#pragma once
#if defined(WITH_X86)
#include <cpuid.h>

namespace processor {

struct Registers {
    unsigned a, b, c, d;
};

// What `cpuid` says in a leaf; zeros if the processor does not have that leaf.
inline Registers ask(unsigned leaf) {
    Registers found{};
    if (!__get_cpuid_count(leaf, 0, &found.a, &found.b, &found.c, &found.d)) return {};
    return found;
}

inline bool has(unsigned bits, unsigned wanted) { return (bits & wanted) == wanted; }

// Whether the system saves these parts of the registers: bits of XCR0.
inline bool saved(unsigned parts) {
    constexpr unsigned OSXSAVE = 1u << 27;  // without it `xgetbv` is an invalid instruction
    if (!has(ask(1).c, OSXSAVE)) return false;
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return has(low, parts);
}

inline bool has_avx2() {
    constexpr unsigned FMA = 1u << 12, AVX = 1u << 28;  // leaf 1, ecx
    constexpr unsigned AVX2 = 1u << 5;                  // leaf 7, ebx
    constexpr unsigned XMM = 1u << 1, YMM = 1u << 2;
    return saved(XMM | YMM) && has(ask(1).c, FMA | AVX) && has(ask(7).b, AVX2);
}

inline bool has_avx512() {
    constexpr unsigned F = 1u << 16, DQ = 1u << 17, BW = 1u << 30, VL = 1u << 31;  // leaf 7, ebx
    constexpr unsigned MASKS = 1u << 5, ZMM_UPPER = 1u << 6, ZMM_MORE = 1u << 7;
    return has_avx2() && saved(MASKS | ZMM_UPPER | ZMM_MORE) && has(ask(7).b, F | DQ | BW | VL);
}

}  // namespace processor
#endif
