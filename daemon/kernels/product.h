// The product of matrices: rows of numbers times packed weights.
//
// Weights for `depth` inputs and `width` outputs lie in panels of PANEL outputs (the last may be
// narrower, a multiple of GROUP): [panel][input][output of the panel]. Each result is one sum
// in the order of the inputs, whatever block it falls into, so it does not depend on its neighbours.
#pragma once
#include "vectors.h"

namespace VARIANT {

template <int TALL, int WIDE, class Put>
INLINE void block(const float *a, Int pace, const float *b, Int depth, const Put &put) {
    vec sum[TALL][WIDE];
#pragma GCC unroll 16
    for (int r = 0; r < TALL; r++)
#pragma GCC unroll 4
        for (int j = 0; j < WIDE; j++) sum[r][j] = zero();
    for (Int c = 0; c < depth; c++) {
        vec right[WIDE];
#pragma GCC unroll 4
        for (int j = 0; j < WIDE; j++) right[j] = load(b + (c * WIDE + j) * LANES);
#pragma GCC unroll 16
        for (int r = 0; r < TALL; r++) {
            vec left = all(a[r * pace + c]);
#pragma GCC unroll 4
            for (int j = 0; j < WIDE; j++) sum[r][j] = fma(left, right[j], sum[r][j]);
        }
    }
#pragma GCC unroll 16
    for (int r = 0; r < TALL; r++) put(r, sum[r], WIDE);
}

template <int WIDE, class Put>
void strip(const float *a, Int pace, Int rows, const float *b, Int depth, const Put &put) {
    constexpr int TALL = tall(WIDE);
    Int r = 0;
    for (; r + TALL <= rows; r += TALL)
        block<TALL, WIDE>(a + r * pace, pace, b, depth,
                          [&](int own, const vec *v, int wide) { put(r + own, v, wide); });
    for (; r + 2 <= rows; r += 2)
        block<2, WIDE>(a + r * pace, pace, b, depth,
                       [&](int own, const vec *v, int wide) { put(r + own, v, wide); });
    for (; r < rows; r++)
        block<1, WIDE>(a + r * pace, pace, b, depth,
                       [&](int own, const vec *v, int wide) { put(r + own, v, wide); });
}

// `put(row, channel, vectors, number of them)` takes the results; rows of `a` are `pace` apart.
template <class Put>
INLINE void product(const float *a, Int pace, Int rows, const float *weights, Int depth,
                    Int width, const Put &put) {
    for (Int k = 0; k < width; k += PANEL) {
        const float *b = weights + k * depth;
        auto here = [&](Int r, const vec *v, int wide) { put(r, k, v, wide); };
        Int wide = (width - k) / LANES;
        if (wide >= MOST) strip<MOST>(a, pace, rows, b, depth, here);
#if defined(VARIANT_AVX512)
        else if (wide == 3) strip<3>(a, pace, rows, b, depth, here);
        else if (wide == 2) strip<2>(a, pace, rows, b, depth, here);
        else strip<1>(a, pace, rows, b, depth, here);
#endif
    }
}

}  // namespace VARIANT
