// Convolution 3 × 3 by Winograd's F(4 × 4, 3 × 3): 36 products instead of 144 for 16 results.
//
// Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2015. A tile's 6 × 6 inputs
// are transformed (Bᵀ d B), multiplied with the transformed kernels (packed by the caller), summed
// over the input channels, and transformed back (Aᵀ m A). The grid of tiles begins at `origin`, not
// at the window, so that a cell's rounding does not depend on the window's position.
#pragma once
#include <algorithm>

#include "cells.h"
#include "product.h"

namespace VARIANT {

constexpr Int TILE = 4, FIELD = 6, POINTS = FIELD * FIELD;

constexpr Int APART = 48;  // numbers between points: addresses 4 KiB apart share few cache sets
constexpr Int FEW = 16;    // tiles for which reading the weights takes longer than computing

// The most tiles at once: with few channels the transformed numbers stay in a near cache, with many
// channels the weights are read once for all of them.
INLINE Int tiles_at_once(const Step &step) {
    return std::max(step.in.depth, step.out.depth) <= 128 ? 48 : 96;
}

INLINE Int winograd_workspace(const Step &step) {
    return POINTS * (tiles_at_once(step) * (step.in.depth + step.out.depth) + 2 * APART);
}

INLINE Int floor_div(Int a, Int b) { return a >= 0 ? a / b : -((b - 1 - a) / b); }

INLINE void forth(const vec *d, vec *o) {
    const vec two = all(2), four = all(4), five = all(5);
    vec a = fnma(four, d[2], d[4]), b = fnma(four, d[1], d[3]);
    vec c = d[4] - d[2], e = two * (d[3] - d[1]);
    o[0] = fma(four, d[0], fnma(five, d[2], d[4]));
    o[1] = a + b;
    o[2] = a - b;
    o[3] = c + e;
    o[4] = c - e;
    o[5] = fma(four, d[1], fnma(five, d[3], d[5]));
}

INLINE void back(const vec *m, vec *o) {
    vec s = m[1] + m[2], d = m[1] - m[2], t = m[3] + m[4], u = m[3] - m[4];
    o[0] = m[0] + s + t;
    o[1] = fma(all(2), u, d);
    o[2] = fma(all(4), t, s);
    o[3] = fma(all(8), u, d) + m[5];
}

// One tile's inputs, from row and column (y, x), into `to`, points `apart` numbers apart.
template <bool INSIDE>
INLINE void take(const Row *rows, Int x, Int depth, float *to, Int apart) {
    for (Int c = 0; c < depth; c += LANES) {
        vec half[FIELD][FIELD];
        for (int i = 0; i < FIELD; i++) {
            vec d[FIELD];
#pragma GCC unroll 6
            for (int j = 0; j < FIELD; j++)
                d[j] = INSIDE || rows[i].holds(x + j) ? load(rows[i].at(x + j) + c) : zero();
            forth(d, half[i]);
        }
        for (int j = 0; j < FIELD; j++) {
            vec d[FIELD], o[FIELD];
#pragma GCC unroll 6
            for (int i = 0; i < FIELD; i++) d[i] = half[i][j];
            forth(d, o);
#pragma GCC unroll 6
            for (int i = 0; i < FIELD; i++) store(to + (i * FIELD + j) * apart + c, o[i]);
        }
    }
}

struct Bounds {
    Int top, bottom, left, right;
};

// One tile's results, at row and column (y, x), as far as they are in the window.
INLINE void give(const Step &step, const Bounds &wanted, Int y, Int x, const float *from,
                 Int apart) {
    const Int top = std::max(Int{0}, wanted.top - y), bottom = std::min(TILE, wanted.bottom - y);
    const Int left = std::max(Int{0}, wanted.left - x), right = std::min(TILE, wanted.right - x);
    for (Int k = 0; k < step.out.depth; k += GROUP) {
        vec found[TILE][TILE][IN_GROUP];
        for (Int g = 0; g < IN_GROUP; g++) {
            vec half[TILE][FIELD];
            for (int j = 0; j < FIELD; j++) {
                vec m[FIELD], o[TILE];
#pragma GCC unroll 6
                for (int i = 0; i < FIELD; i++)
                    m[i] = load(from + (i * FIELD + j) * apart + k + g * LANES);
                back(m, o);
#pragma GCC unroll 4
                for (int i = 0; i < TILE; i++) half[i][j] = o[i];
            }
            for (int i = 0; i < TILE; i++) {
                vec o[TILE];
                back(half[i], o);
#pragma GCC unroll 4
                for (int j = 0; j < TILE; j++) found[i][j][g] = o[j];
            }
        }
        for (Int i = top; i < bottom; i++) {
            const Line line(step, y + i);
            for (Int j = left; j < right; j++) line.put(x + j, k, found[i][j]);
        }
    }
}

// The tiles that some rows of a step's window touch.
struct Tiles {
    Int down, right, high, wide;
    Tiles(const Step &step, Int first, Int last) {
        const Map &out = step.out;
        down = floor_div(first - step.origin[0], TILE);
        right = floor_div(out.col0 - step.origin[1], TILE);
        high = floor_div(last - 1 - step.origin[0], TILE) - down + 1;
        wide = floor_div(out.col0 + out.cols - 1 - step.origin[1], TILE) - right + 1;
    }
};

// Parts of nearly the same number of tiles, an even number of them: two threads end together.
inline Int winograd_parts(const Step &step, Int first, Int last) {
    const Tiles tiles(step, first, last);
    const Int count = tiles.high * tiles.wide;
    const Int parts = (count + tiles_at_once(step) - 1) / tiles_at_once(step);
    return parts % 2 && count >= 2 * FEW ? parts + 1 : parts;
}

// The parts from `part` to `end` − 1 of the rows `first` to `last` − 1.
inline void winograd(const Step &step, Int first, Int last, Int part, Int end, float *workspace) {
    const Map &in = step.in, &out = step.out;
    const Bounds wanted{first, last, out.col0, out.col0 + out.cols};
    const Int oy = step.origin[0], ox = step.origin[1];
    const Tiles tiles(step, first, last);
    const Int down = tiles.down, right = tiles.right, wide = tiles.wide;
    const Int depth = in.depth, width = out.depth, most = tiles_at_once(step);
    const Int from_apart = most * depth + APART, to_apart = most * width + APART;
    float *forward = workspace, *results = workspace + POINTS * from_apart;
    const Int all_tiles = tiles.high * wide, parts = winograd_parts(step, first, last);
    for (; part < end; part++) {
        const Int begin = all_tiles * part / parts, count = all_tiles * (part + 1) / parts - begin;
        for (Int t = 0; t < count; t++) {
            Int y = (down + (begin + t) / wide) * TILE + oy - step.padding[0];
            Int x = (right + (begin + t) % wide) * TILE + ox - step.padding[1];
            Row rows[FIELD];
            bool inside = x >= 0 && x + FIELD <= in.width;
            for (int i = 0; i < FIELD; i++) inside &= (rows[i] = row(in, y + i)).data != nullptr;
            if (inside) take<true>(rows, x, depth, forward + t * depth, from_apart);
            else take<false>(rows, x, depth, forward + t * depth, from_apart);
        }
        for (Int p = 0; p < POINTS; p++) {
            float *to = results + p * to_apart;
            const float *from = forward + p * from_apart;
            product({&from, 1, depth, depth}, count, step.weights + p * depth * width, width, [=](Int r, Int k, const vec *v, int n) {
                        for (int j = 0; j < n; j++) store(to + r * width + k + j * LANES, v[j]);
                    });
        }
        for (Int t = 0; t < count; t++)
            give(step, wanted, (down + (begin + t) / wide) * TILE + oy,
                 (right + (begin + t) % wide) * TILE + ox, results + t * width, to_apart);
    }
}

}  // namespace VARIANT
