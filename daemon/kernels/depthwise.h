// Depthwise convolutions, forward and backward: each channel has a kernel of its own, and is summed
// by itself. So little is computed for each number that reading it is what takes the time: some
// neighbouring cells are computed together and share what they read.
//
// Weights are in groups of channels: [group][row of the kernel][column][channel of the group].
// Backward each cell adds up from the windows that contain it, in order: no cell is written twice.
#pragma once
#include <algorithm>

#include "cells.h"
#include "windows.h"

namespace VARIANT {

constexpr int CELLS = 4;        // that are computed together
constexpr Int MOST_TAPS = 64;   // rows or columns of a kernel

// A row or column of the map that is read, and the row or column of the kernel it is multiplied by.
struct Tap {
    Int cell, number;
};

// The taps of an output cell along an axis, as far as they are within the map. Returns their number.
template <bool BACK> INLINE Int taps(const Step &step, int axis, Int at, Tap *to) {
    const Int length = axis ? step.in.width : step.in.height;
    Int count = 0;
    if (BACK) {
        const Span span = windows(step, axis, at, length);
        for (Int o = span.first; o < span.last; o++)
            to[count++] = {o, at + step.padding[axis] - o * step.pace[axis]};
    } else {
        const Int begin = at * step.pace[axis] - step.padding[axis];
        for (Int i = 0; i < step.kernel[axis]; i++)
            if (begin + i >= 0 && begin + i < length) to[count++] = {begin + i, i};
    }
    return count;
}

// A row that is read, and the weights of its row of the kernel in the first group of channels.
struct Source {
    Row row;
    const float *weights;
};

// One cell: at the edges, or of a kernel that has no block of its own.
template <bool BACK>
INLINE void single(const Step &step, const Line &line, const Source *rows, Int count, Int x) {
    Tap across[MOST_TAPS];
    const Int columns = taps<BACK>(step, 1, x, across);
    const Int each = step.kernel[0] * step.kernel[1];
    for (Int c = 0; c < step.out.depth; c += GROUP) {
        vec sum[IN_GROUP];
        for (Int g = 0; g < IN_GROUP; g++) sum[g] = zero();
        for (Int r = 0; r < count; r++)
            for (Int j = 0; j < columns; j++) {
                const float *from = rows[r].row.at(across[j].cell) + c;
                const float *weights = rows[r].weights + c * each + across[j].number * GROUP;
                for (Int g = 0; g < IN_GROUP; g++)
                    sum[g] = fma(load(from + g * LANES), load(weights + g * LANES), sum[g]);
            }
        line.put(x, c, sum);
    }
}

// CELLS neighbours, all of whose columns are within the map; a kernel of K × K with stride S.
template <int K, int S, bool BACK> struct Block {
    static constexpr int BEFORE = (K - 1) / S;  // backward: windows that begin before the cell's own
    static constexpr int COLUMNS = BACK ? BEFORE + (CELLS - 1) / S + 1 : (CELLS - 1) * S + K;

    // The first of the columns that are read.
    static INLINE Int first(const Step &step, Int x) {
        return BACK ? (x + step.padding[1]) / S - BEFORE : x * S - step.padding[1];
    }

    static INLINE bool fits(const Step &step, Int x) {
        if (BACK && (x + step.padding[1]) % S) return false;
        return first(step, x) >= 0 && first(step, x) + COLUMNS <= step.in.width;
    }

    // The kernel's column that cell n multiplies column t by; it may lie beyond the kernel.
    static constexpr int tap(int n, int t) { return BACK ? n + (BEFORE - t) * S : t - n * S; }

    static INLINE void run(const Step &step, const Line &line, const Source *rows, Int count, Int x) {
        const Int left = first(step, x), stride = step.in.stride;
        for (Int c = 0; c < step.out.depth; c += GROUP) {
            vec found[CELLS][IN_GROUP];
            for (Int g = 0; g < IN_GROUP; g++) {
                vec sum[CELLS];
#pragma GCC unroll 8
                for (int n = 0; n < CELLS; n++) sum[n] = zero();
                for (Int r = 0; r < count; r++) {
                    const float *from = rows[r].row.at(left) + c + g * LANES;
                    const float *weights = rows[r].weights + c * (K * K) + g * LANES;
                    vec own[K];
#pragma GCC unroll 8
                    for (int j = 0; j < K; j++) own[j] = load(weights + j * GROUP);
#pragma GCC unroll 32
                    for (int t = 0; t < COLUMNS; t++) {
                        const vec v = load(from + t * stride);
#pragma GCC unroll 8
                        for (int n = 0; n < CELLS; n++)
                            if (tap(n, t) >= 0 && tap(n, t) < K) sum[n] = fma(v, own[tap(n, t)], sum[n]);
                    }
                }
#pragma GCC unroll 8
                for (int n = 0; n < CELLS; n++) found[n][g] = sum[n];
            }
#pragma GCC unroll 8
            for (int n = 0; n < CELLS; n++) line.put(x + n, c, found[n]);
        }
    }
};

// For kernels that have no block.
struct NoBlock {
    static INLINE bool fits(const Step &, Int) { return false; }
    static INLINE void run(const Step &, const Line &, const Source *, Int, Int) {}
};

template <class Block, bool BACK> void depthwise_rows(const Step &step, Int first, Int last) {
    const Int right = step.out.col0 + step.out.cols;
    for (Int y = first; y < last; y++) {
        const Line line(step, y);
        Tap down[MOST_TAPS];
        Source rows[MOST_TAPS];
        const Int count = taps<BACK>(step, 0, y, down);
        for (Int r = 0; r < count; r++)
            rows[r] = {row(step.in, down[r].cell),
                       step.weights + down[r].number * step.kernel[1] * GROUP};
        for (Int x = step.out.col0; x < right;) {
            if (x + CELLS <= right && Block::fits(step, x)) {
                Block::run(step, line, rows, count, x);
                x += CELLS;
            } else {
                single<BACK>(step, line, rows, count, x);
                x++;
            }
        }
    }
}

template <bool BACK> void depthwise(const Step &step, Int first, Int last) {
    const Int side = step.kernel[0], pace = step.pace[0];
    const bool square = step.kernel[1] == side && step.pace[1] == pace;
    if (square && side == 3 && pace == 1) depthwise_rows<Block<3, 1, BACK>, BACK>(step, first, last);
    else if (square && side == 3 && pace == 2) depthwise_rows<Block<3, 2, BACK>, BACK>(step, first, last);
    else if (square && side == 5 && pace == 1) depthwise_rows<Block<5, 1, BACK>, BACK>(step, first, last);
    else if (square && side == 5 && pace == 2) depthwise_rows<Block<5, 2, BACK>, BACK>(step, first, last);
    else depthwise_rows<NoBlock, BACK>(step, first, last);
}

}  // namespace VARIANT
