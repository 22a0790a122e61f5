// Convolutions of any kernel as a product of matrices: each cell's window is copied into a row.
#pragma once
#include <algorithm>

#include "cells.h"
#include "product.h"

namespace VARIANT {

constexpr Int RUN = 48;        // cells that are computed together
constexpr Int MOST_ROWS = 64;  // of a kernel

INLINE Int convolve_workspace(const Step &step) {
    return RUN * (step.kernel[0] * step.kernel[1] * step.in.depth + step.out.depth);
}

// Copies the windows of `count` cells from (y, x) on, one after the other; zeros beyond the edges.
INLINE void lay_out(const Step &step, Int y, Int x, Int count, float *to) {
    const Int high = step.kernel[0], wide = step.kernel[1], depth = step.in.depth;
    for (Int i = 0; i < high; i++) {
        const Row from = row(step.in, y * step.pace[0] - step.padding[0] + i);
        for (Int n = 0; n < count; n++) {
            const Int left = (x + n) * step.pace[1] - step.padding[1];
            for (Int j = 0; j < wide; j++) {
                float *cell = to + ((n * high + i) * wide + j) * depth;
                if (from.holds(left + j)) memcpy(cell, from.at(left + j), sizeof(float) * depth);
                else memset(cell, 0, sizeof(float) * depth);
            }
        }
    }
}

// Calls `part(x, count, rows)` for runs of the cells from (y, left) to (y, right − 1): where their
// fields lie in memory as they are, that is where the rows are; else they are laid out.
template <class Part>
INLINE void runs(const Step &step, Int y, Int left, Int right, float *workspace, const Part &part) {
    const Int high = step.kernel[0], wide = step.kernel[1], depth = step.in.depth;
    const Int pace = step.pace[1], padding = step.padding[1];
    const float *segments[MOST_ROWS];
    bool there = step.in.stride == depth || wide == 1;
    for (Int i = 0; i < high; i++) {
        const Row from = row(step.in, y * step.pace[0] - step.padding[0] + i);
        there &= from.data != nullptr;
        segments[i] = there ? from.at(-padding) : nullptr;
    }
    // The cells whose windows end before the edges.
    const Int inner = std::min(right, std::max(left, (padding + pace - 1) / pace));
    const Int reach = step.in.width + padding - wide;
    const Int outer = there && reach >= 0 ? std::max(inner, std::min(right, reach / pace + 1)) : inner;
    const float *const laid_out[] = {workspace};
    for (Int x = left; x < right;) {
        if (x >= inner && x < outer) {
            const float *here[MOST_ROWS];
            for (Int i = 0; i < high; i++) here[i] = segments[i] + x * pace * step.in.stride;
            const Int count = std::min(RUN, outer - x);
            part(x, count, Rows{here, high, wide * depth, pace * step.in.stride});
            x += count;
        } else {
            const Int count = std::min(RUN, (x < inner ? inner : right) - x);
            lay_out(step, y, x, count, workspace);
            part(x, count, Rows{laid_out, 1, high * wide * depth, high * wide * depth});
            x += count;
        }
    }
}

inline void convolve(const Step &step, Int first, Int last, float *workspace) {
    const Map &out = step.out;
    for (Int y = first; y < last; y++) {
        const Line line(step, y);
        runs(step, y, out.col0, out.col0 + out.cols, workspace,
             [&](Int x, Int count, const Rows &rows) {
                 product(rows, count, step.weights, out.depth,
                         [=](Int r, Int k, const vec *v, int wide) {
                             for (int j = 0; j < wide; j += IN_GROUP)
                                 line.put(x + r, k + j * LANES, v + j);
                         });
             });
    }
}

// The taps along an axis of the cells of a phase: every `pace`-th of the kernel, from the phase on.
INLINE Int taps_of(const Step &step, int axis, Int phase) {
    return (step.kernel[axis] - phase + step.pace[axis] - 1) / step.pace[axis];
}

INLINE Int convolve_back_workspace(const Step &step) {
    return RUN * taps_of(step, 0, 0) * taps_of(step, 1, 0) * step.in.depth;
}

// The gradient of a convolution with a stride. Cell x is in phase (x + padding) mod stride, and gets
// the taps of that phase only: of each phase the gradient is a convolution without a stride, with
// weights of its own, one after the other from phase (0, 0) on.
inline void convolve_back(const Step &step, Int first, Int last, float *workspace) {
    const Map &out = step.out;
    const Int down = step.pace[0], across = step.pace[1];
    for (Int y = first; y < last; y++) {
        const Line line(step, y);
        const float *weights = step.weights;
        for (Int a = 0; a < down; a++)
            for (Int b = 0; b < across; b++) {
                Step part = step;
                part.weights = weights;
                for (int axis = 0; axis < 2; axis++) {
                    part.kernel[axis] = taps_of(step, axis, axis ? b : a);
                    part.padding[axis] = part.kernel[axis] - 1;
                    part.pace[axis] = 1;
                }
                weights += part.kernel[0] * part.kernel[1] * step.in.depth * out.depth;
                if ((y + step.padding[0]) % down != a) continue;
                // Of this phase's cells, those in the window.
                const Int shift = step.padding[1] - b;
                const Int left = (std::max(Int{0}, out.col0 + shift) + across - 1) / across;
                const Int right = (std::max(Int{0}, out.col0 + out.cols + shift) + across - 1) / across;
                if (!part.kernel[0] || !part.kernel[1]) {
                    const vec none[IN_GROUP] = {};
                    for (Int x = left; x < right; x++)
                        for (Int k = 0; k < out.depth; k += GROUP) line.put(x * across - shift, k, none);
                    continue;
                }
                runs(part, (y + step.padding[0]) / down, left, right, workspace,
                     [&](Int x, Int count, const Rows &rows) {
                         product(rows, count, part.weights, out.depth,
                                 [=](Int r, Int k, const vec *v, int wide) {
                                     for (int j = 0; j < wide; j += IN_GROUP)
                                         line.put((x + r) * across - shift, k + j * LANES, v + j);
                                 });
                     });
            }
    }
}

// Writes the gradient of `count` blocks of pixels from block (y, x) on into the planes.
INLINE void put_down(const Step &step, Int y, Int x, Int count, const float *results) {
    const Int block = step.block, width = step.out.depth;
    for (Int i = 0; i < block * block; i++) {
        const Int down = y * block + i / block - step.above;
        if (down < 0 || down >= step.height) continue;
        const Int shift = i % block - step.left;  // blocks whose pixel of this kind is in the picture
        const Int first = std::max(x, shift < 0 ? (-shift + block - 1) / block : 0);
        const Int last = std::min(x + count, (step.width - shift + block - 1) / block);
        for (Int c = 0; c < 3; c++) {
            float *to = step.planes + c * step.plane + down * step.line + shift * step.column;
            const float *from = results + i * 3 + c;
            for (Int n = first; n < last; n++)
                to[n * block * step.column] = from[(n - x) * width] * step.scale[c];
        }
    }
}

// The gradient of the picture in blocks of `block` × `block` pixels: all their channels are channels
// of one cell of a convolution over the gradient. 3 channels alone would leave most of a vector idle.
inline void gradient(const Step &step, Int first, Int last, float *workspace) {
    const Int width = step.out.depth;
    float *results = workspace + RUN * step.kernel[0] * step.kernel[1] * step.in.depth;
    const Int left = step.out.col0, right = left + step.out.cols;
    for (Int y = first; y < last; y++)
        runs(step, y, left, right, workspace, [&](Int x, Int count, const Rows &rows) {
            product(rows, count, step.weights, width, [=](Int r, Int k, const vec *v, int wide) {
                for (int j = 0; j < wide; j++) store(results + r * width + k + j * LANES, v[j]);
            });
            put_down(step, y, x, count, results);
        });
}

}  // namespace VARIANT
