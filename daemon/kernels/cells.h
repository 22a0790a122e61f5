// The addresses of a map's cells and marks, and how results are written.
#pragma once
#include "steps.h"
#include "vectors.h"

namespace VARIANT {

// The address that channel `first` of the cell at column 0 has or would have; null for rows beyond
// the map's edges.
struct Row {
    float *data;
    Int stride, width;
    INLINE float *at(Int x) const { return data + x * stride; }
    INLINE bool holds(Int x) const { return data && x >= 0 && x < width; }
};

INLINE Row row(const Map &map, Int y) {
    if (y < 0 || y >= map.height) return {nullptr, map.stride, map.width};
    Int slot = (y - map.row0) % map.rows;
    Int begin = (slot * map.pitch - map.begin) * map.stride + map.first;
    return {map.data + begin, map.stride, map.width};
}

template <class Word> INLINE Word *marked(const Marks &marks, Int y, Int x) {
    Int cell = (y - marks.row0) * marks.cols + x - marks.col0;
    return (Word *)marks.data + cell * marks.stride + marks.first;
}

// A row of results: `put` takes GROUP channels of a cell and applies the step's finish to them.
// Its members are copies: compilers assume that every store may change what is in memory.
struct Line {
    Row to;
    Int how;
    const float *bias;
    uint16_t *words;
    Int word_stride;
    float most;
    INLINE Line(const Step &step, Int y)
        : to(row(step.out, y)), how(step.finish), bias(step.bias), words(nullptr),
          word_stride(step.marks.stride), most(step.most) {
        if (how & (MARK | GATE)) words = marked<uint16_t>(step.marks, y, 0);
    }

    INLINE void put(Int x, Int channel, const vec *values) const {
        float *out = to.at(x) + channel;
        uint16_t *word = words + x * word_stride + channel / GROUP;
        const uint32_t bits = how & GATE ? *word : 0xFFFF;
        uint32_t positive = 0;
        for (Int i = 0; i < IN_GROUP; i++) {
            vec v = values[i];
            if (bias) v = v + load(bias + channel + i * LANES);
            if (how & ADD) v = v + load(out + i * LANES);
            if (how & RELU) {
                uint32_t own = above(v, zero());
                v = keep(v, own);
                if (how & BOUND) {
                    own &= above(all(most), v);
                    v = least(v, all(most));
                }
                positive |= own << (i * LANES);
            }
            if (how & GATE) v = keep(v, bits >> (i * LANES) & ((1u << LANES) - 1));
            store(out + i * LANES, v);
        }
        if (how & MARK) *word = (uint16_t)positive;
    }
};

}  // namespace VARIANT
