// The product of two matrices: rows of numbers, and packed weights.
//
// A row's numbers are in one or more segments of the same length: a convolution's window has one for
// each row of the map. Rows are `pace` numbers apart, in all segments.
// Weights for `depth` inputs and `width` outputs are in panels of PANEL outputs (the last may be
// narrower, a multiple of GROUP): [panel][input][output of the panel]. Each result is one sum
// in the order of the inputs, whichever block it is in, so it does not depend on its neighbours.
#pragma once
#include <utility>

#include "vectors.h"

namespace VARIANT {

struct Rows {
    const float *const *segments;
    Int count, depth, pace;  // segments, numbers in each, numbers from row to row
};

// `ahead` are weights that are needed later: with each input some of them are prefetched.
template <int TALL, int WIDE, class Put>
INLINE void block(const Rows &rows, Int first, const float *b, const float *ahead, const Put &put) {
    vec sum[TALL][WIDE];
#pragma GCC unroll 16
    for (int r = 0; r < TALL; r++)
#pragma GCC unroll 4
        for (int j = 0; j < WIDE; j++) sum[r][j] = zero();
    const Int pace = rows.pace, depth = rows.depth;
    for (Int s = 0; s < rows.count; s++) {
        // A pointer for every third row: addresses may contain a multiple, and registers are few.
        const float *a[(TALL + 2) / 3];
        for (int r = 0; r < TALL; r += 3) a[r / 3] = rows.segments[s] + (first + r) * pace;
        for (Int c = 0; c < depth; c++, b += WIDE * LANES, ahead += LANES) {
            __builtin_prefetch(ahead, 0, 2);
            vec right[WIDE];
#pragma GCC unroll 4
            for (int j = 0; j < WIDE; j++) right[j] = load(b + j * LANES);
#pragma GCC unroll 16
            for (int r = 0; r < TALL; r++) {
                vec left = all(a[r / 3][r % 3 * pace]);
#pragma GCC unroll 4
                for (int j = 0; j < WIDE; j++) sum[r][j] = fma(left, right[j], sum[r][j]);
            }
#pragma GCC unroll 4
            for (int i = 0; i < (TALL + 2) / 3; i++) a[i]++;
        }
    }
#pragma GCC unroll 16
    for (int r = 0; r < TALL; r++) put(first + r, sum[r], WIDE);
}

template <int WIDE, class Put>
void strip(const Rows &rows, Int count, const float *b, const Put &given) {
    // While this panel is used the next one is prefetched, a WIDE-th of it with each block: the
    // processor does not detect by itself that the weights continue there.
    const Int share = rows.count * rows.depth * LANES;
    const float *ahead = b + WIDE * share, *const end = ahead + WIDE * share;
    auto next = [&] { return ahead < end ? std::exchange(ahead, ahead + share) : end; };
    constexpr int TALL = tall(WIDE);
    const Put put = given;  // a copy that no store can change
    Int r = 0;
    for (; r + TALL <= count; r += TALL) block<TALL, WIDE>(rows, r, b, next(), put);
    for (; r + 2 <= count; r += 2) block<2, WIDE>(rows, r, b, next(), put);
    for (; r < count; r++) block<1, WIDE>(rows, r, b, next(), put);
}

// `put(row, channel, vectors, number of them)` takes the results of `count` rows.
template <class Put>
INLINE void product(const Rows &rows, Int count, const float *weights, Int width, const Put &put) {
    for (Int k = 0; k < width; k += PANEL) {
        const float *b = weights + k * rows.count * rows.depth;
        auto here = [=](Int r, const vec *v, int wide) { put(r, k, v, wide); };
        Int wide = (width - k) / LANES;
        if (wide >= MOST) strip<MOST>(rows, count, b, here);
#if defined(VARIANT_AVX512)
        else if (wide == 3) strip<3>(rows, count, b, here);
        else if (wide == 2) strip<2>(rows, count, b, here);
        else strip<1>(rows, count, b, here);
#endif
    }
}

}  // namespace VARIANT
