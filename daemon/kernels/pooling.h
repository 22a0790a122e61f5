// Pooling, forward and backward. Backward each cell adds up from the windows that contain it, in order.
#pragma once
#include <algorithm>

#include "cells.h"
#include "windows.h"

namespace VARIANT {

constexpr int NONE = 255;  // the choice where ReLU made the maximum 0

// A cell of the other map, and its number within the window.
struct Pair {
    const float *cell;
    uint8_t *choice;
    int number;
};

constexpr Int PAIRS = NONE;  // at least the cells of a window

inline void max_pool(const Step &step, Int first, Int last) {
    const Map &in = step.in, &out = step.out;
    const bool positive = step.finish & RELU;
    for (Int y = first; y < last; y++) {
        const Row to = row(out, y);
        const Int top = y * step.pace[0] - step.padding[0];
        Row rows[PAIRS];
        for (Int i = 0; i < step.kernel[0]; i++) rows[i] = row(in, top + i);
        for (Int x = out.col0; x < out.col0 + out.cols; x++) {
            const Int left = x * step.pace[1] - step.padding[1];
            Pair window[PAIRS];
            Int count = 0;
            for (Int i = 0; i < step.kernel[0]; i++)
                for (Int j = 0; j < step.kernel[1]; j++)
                    if (rows[i].holds(left + j))
                        window[count++] = {rows[i].at(left + j), nullptr,
                                           (int)(i * step.kernel[1] + j)};
            uint8_t *choice =
                step.finish & CHOOSE ? marked<uint8_t>(step.choices, y, x) : nullptr;
            for (Int c = 0; c < out.depth; c += LANES) {
                vec most = positive ? zero() : load(window[0].cell + c);
                bytes chosen = same(positive ? NONE : window[0].number);
                for (Int n = positive ? 0 : 1; n < count; n++) {
                    const vec v = load(window[n].cell + c);
                    const uint32_t bits = above(v, most);
                    most = choose(bits, v, most);
                    chosen = choose(bits, window[n].number, chosen);
                }
                store(to.at(x) + c, most);
                if (choice) store(choice + c, chosen);
            }
        }
    }
}

// The windows along an axis that contain a cell; steps to the next cell without a division.
struct Moving {
    Int count, pace, kernel, at;  // at: the cell's position in the first window
    Span span;
    INLINE Moving(const Step &step, int axis, Int cell, Int count)
        : count(count), pace(step.pace[axis]), kernel(step.kernel[axis]),
          at(cell + step.padding[axis]), span(windows(step, axis, cell, count)) {}
    INLINE void next() {
        at++;
        if (span.first * pace + kernel <= at) span.first++;
        if (span.last < count && span.last * pace <= at) span.last++;
    }
};

// A cell's gradient from the windows that contain it: COUNT of them, or `count` if that is 0. Loops
// of constant length take two thirds of the time.
template <Int COUNT>
INLINE void gather(const Line &line, Int x, Int depth, const Pair *holding, Int count) {
    const Int windows = COUNT ? COUNT : count;
    for (Int c = 0; c < depth; c += GROUP) {
        vec sum[IN_GROUP];
        for (Int g = 0; g < IN_GROUP; g++) {
            const Int k = c + g * LANES;
            sum[g] = zero();
#pragma GCC unroll 4
            for (Int n = 0; n < windows; n++) {
                const Pair &one = holding[n];
                sum[g] = sum[g] + keep(load(one.cell + k), equal(one.choice + k, one.number));
            }
        }
        line.put(x, c, sum);
    }
}

inline void max_back(const Step &step, Int first, Int last) {
    const Map &in = step.in, &out = step.out;
    const Int pace = step.pace[1], wide = step.kernel[1];
    for (Int y = first; y < last; y++) {
        const Line line(step, y);
        const Span down = windows(step, 0, y, in.height);
        Pair leftmost[PAIRS];  // the cells of column 0 whose windows contain this row
        for (Int i = down.first; i < down.last; i++)
            leftmost[i - down.first] = {row(in, i).at(0), marked<uint8_t>(step.choices, i, 0),
                                        (int)((y + step.padding[0] - i * step.pace[0]) * wide)};
        const Int rows = down.last - down.first;
        Moving across(step, 1, out.col0, in.width);
        for (Int x = out.col0; x < out.col0 + out.cols; x++, across.next()) {
            Pair holding[PAIRS];
            Int count = 0;
            for (Int i = 0; i < rows; i++)
                for (Int j = across.span.first; j < across.span.last; j++)
                    holding[count++] = {leftmost[i].cell + j * in.stride,
                                        leftmost[i].choice + j * step.choices.stride,
                                        leftmost[i].number + (int)(across.at - j * pace)};
            switch (count) {
                case 1: gather<1>(line, x, out.depth, holding, count); break;
                case 2: gather<2>(line, x, out.depth, holding, count); break;
                case 4: gather<4>(line, x, out.depth, holding, count); break;
                default: gather<0>(line, x, out.depth, holding, count);
            }
        }
    }
}

// The cells that count in a window's mean, along one axis.
INLINE Int shared(const Step &step, int axis, Int window, Int length) {
    const Int begin = window * step.pace[axis] - step.padding[axis];
    const Int end = begin + step.kernel[axis];
    if (step.count_padding) return std::min(end, length + step.padding[axis]) - begin;
    return std::min(end, length) - std::max(Int{0}, begin);
}

INLINE float share(const Step &step, const Map &cells, Int y, Int x) {
    return 1.0f / (float)(shared(step, 0, y, cells.height) * shared(step, 1, x, cells.width));
}

inline void mean_pool(const Step &step, Int first, Int last) {
    const Map &in = step.in, &out = step.out;
    for (Int y = first; y < last; y++) {
        const Line line(step, y);
        const Int top = y * step.pace[0] - step.padding[0];
        for (Int x = out.col0; x < out.col0 + out.cols; x++) {
            const Int left = x * step.pace[1] - step.padding[1];
            const vec part = all(share(step, in, y, x));
            for (Int c = 0; c < out.depth; c += GROUP) {
                vec sum[IN_GROUP];
                for (Int g = 0; g < IN_GROUP; g++) sum[g] = zero();
                for (Int i = 0; i < step.kernel[0]; i++) {
                    const Row from = row(in, top + i);
                    for (Int j = 0; j < step.kernel[1]; j++)
                        if (from.holds(left + j))
                            for (Int g = 0; g < IN_GROUP; g++)
                                sum[g] = sum[g] + load(from.at(left + j) + c + g * LANES);
                }
                for (Int g = 0; g < IN_GROUP; g++) sum[g] = sum[g] * part;
                line.put(x, c, sum);
            }
        }
    }
}

inline void mean_back(const Step &step, Int first, Int last) {
    const Map &in = step.in, &out = step.out;
    for (Int y = first; y < last; y++) {
        const Line line(step, y);
        const Span down = windows(step, 0, y, in.height);
        for (Int x = out.col0; x < out.col0 + out.cols; x++) {
            const Span across = windows(step, 1, x, in.width);
            for (Int c = 0; c < out.depth; c += GROUP) {
                vec sum[IN_GROUP];
                for (Int g = 0; g < IN_GROUP; g++) sum[g] = zero();
                for (Int i = down.first; i < down.last; i++) {
                    const Row from = row(in, i);
                    for (Int j = across.first; j < across.last; j++) {
                        const vec part = all(share(step, out, i, j));
                        for (Int g = 0; g < IN_GROUP; g++)
                            sum[g] = fma(load(from.at(j) + c + g * LANES), part, sum[g]);
                    }
                }
                line.put(x, c, sum);
            }
        }
    }
}

}  // namespace VARIANT
