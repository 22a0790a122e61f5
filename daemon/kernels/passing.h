// Steps that only move numbers: from a picture's planes to cells, from map to map, zeros.
#pragma once
#include "cells.h"

namespace VARIANT {

inline void picture(const Step &step, Int first, Int last) {
    for (Int y = first; y < last; y++) {
        const Row to = row(step.out, y);
        const float *from = step.planes + y * step.line;
        for (Int x = step.out.col0; x < step.out.col0 + step.out.cols; x++)
            for (Int c = 0; c < 3; c++)
                to.at(x)[c] =
                    (from[c * step.plane + x * step.column] - step.shift[c]) * step.scale[c];
    }
}

inline void copy(const Step &step, Int first, Int last) {
    for (Int y = first; y < last; y++) {
        const Row from = row(step.in, y);
        const Line line(step, y);
        for (Int x = step.out.col0; x < step.out.col0 + step.out.cols; x++)
            for (Int c = 0; c < step.out.depth; c += GROUP) {
                vec v[IN_GROUP];
                for (Int g = 0; g < IN_GROUP; g++) v[g] = load(from.at(x) + c + g * LANES);
                line.put(x, c, v);
            }
    }
}

inline void clear(const Step &step, Int first, Int last) {
    for (Int y = first; y < last; y++) {
        const Row to = row(step.out, y);
        for (Int x = step.out.col0; x < step.out.col0 + step.out.cols; x++)
            memset(to.at(x), 0, sizeof(float) * step.out.depth);
    }
}

}  // namespace VARIANT
