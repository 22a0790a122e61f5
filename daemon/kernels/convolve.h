// Convolutions of any kernel, as a product of matrices: each cell's field is laid out in a row.
#pragma once
#include <algorithm>

#include "cells.h"
#include "product.h"

namespace VARIANT {

constexpr Int RUN = 48;  // cells whose fields are laid out at once

INLINE Int convolve_workspace(const Step &step) {
    return RUN * (step.kernel[0] * step.kernel[1] * step.in.depth + step.out.depth);
}

// The fields of `count` cells from (y, x) on, the input's window `pace` cells apart.
INLINE void lay_out(const Step &step, Int y, Int x, Int count, float *to) {
    const Int high = step.kernel[0], wide = step.kernel[1], depth = step.in.depth;
    for (Int i = 0; i < high; i++) {
        const Row from = row(step.in, y * step.pace[0] - step.padding[0] + i);
        for (Int n = 0; n < count; n++) {
            const Int left = (x + n) * step.pace[1] - step.padding[1];
            float *field = to + (n * high + i) * wide * depth;
            if (from.holds(left) && from.holds(left + wide - 1) && from.stride == depth) {
                memcpy(field, from.at(left), sizeof(float) * wide * depth);
                continue;
            }
            for (Int j = 0; j < wide; j++) {
                float *cell = field + j * depth;
                if (from.holds(left + j)) memcpy(cell, from.at(left + j), sizeof(float) * depth);
                else memset(cell, 0, sizeof(float) * depth);
            }
        }
    }
}

inline void convolve(const Step &step, Int first, Int last, float *workspace) {
    const Map &in = step.in, &out = step.out;
    const Int field = step.kernel[0] * step.kernel[1] * in.depth;
    const bool in_place = step.kernel[0] == 1 && step.kernel[1] == 1 && step.pace[0] == 1 &&
                          step.pace[1] == 1 && step.padding[0] == 0 && step.padding[1] == 0;
    for (Int y = first; y < last; y++) {
        const Line line(step, y);
        for (Int n = 0; n < out.cols; n += RUN) {
            const Int x = out.col0 + n, count = std::min(RUN, out.cols - n);
            const float *a = workspace;
            Int pace = field;
            if (in_place) {
                a = row(in, y).at(x);
                pace = in.stride;
            } else lay_out(step, y, x, count, workspace);
            product(a, pace, count, step.weights, field, out.depth,
                    [&](Int r, Int k, const vec *v, int wide) {
                        for (int j = 0; j < wide; j += IN_GROUP)
                            line.put(x + r, k + j * LANES, v + j);
                    });
        }
    }
}

// The picture's slope, in blocks of `block` × `block` pixels whose 3 channels are the channels of
// one cell of a convolution over the slopes: 3 channels alone would leave most of a vector idle.
inline void gradient(const Step &step, Int first, Int last, float *workspace) {
    const Int block = step.block, width = step.out.depth;
    const Int field = step.kernel[0] * step.kernel[1] * step.in.depth;
    float *results = workspace + RUN * field;
    const Int left = step.out.col0, right = left + step.out.cols;
    for (Int y = first; y < last; y++)
        for (Int x = left; x < right; x += RUN) {
            const Int count = std::min(RUN, right - x);
            lay_out(step, y, x, count, workspace);
            product(workspace, field, count, step.weights, field, width,
                    [&](Int r, Int k, const vec *v, int wide) {
                        for (int j = 0; j < wide; j++)
                            store(results + r * width + k + j * LANES, v[j]);
                    });
            for (Int i = 0; i < block * block; i++) {
                const Int down = y * block + i / block - step.above;
                if (down < 0 || down >= step.height) continue;
                for (Int r = 0; r < count; r++) {
                    const Int across = (x + r) * block + i % block - step.left;
                    if (across < 0 || across >= step.width) continue;
                    float *to = step.planes + down * step.line + across * step.column;
                    for (Int c = 0; c < 3; c++)
                        to[c * step.plane] = results[r * width + i * 3 + c] * step.scale[c];
                }
            }
        }
}

}  // namespace VARIANT
