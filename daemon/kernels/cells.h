// Where the cells of maps and their marks lie, and how a result is put down.
#pragma once
#include "steps.h"
#include "vectors.h"

namespace VARIANT {

// Channel `first` of the cell at column 0 would lie here; null for rows beyond the map's edges.
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

// A row of results: `put` takes GROUP channels of a cell and does what the step's finish says.
struct Line {
    Row to;
    const Step &step;
    Int y;
    INLINE Line(const Step &step, Int y) : to(row(step.out, y)), step(step), y(y) {}

    INLINE void put(Int x, Int channel, const vec *values) const {
        float *out = to.at(x) + channel;
        const Int how = step.finish;
        uint16_t *word = nullptr;
        uint32_t bits = 0xFFFF;
        if (how & (MARK | GATE)) word = marked<uint16_t>(step.marks, y, x) + channel / GROUP;
        if (how & GATE) bits = *word;
        uint32_t positive = 0;
        for (Int i = 0; i < IN_GROUP; i++) {
            vec v = values[i];
            if (step.bias) v = v + load(step.bias + channel + i * LANES);
            if (how & ADD) v = v + load(out + i * LANES);
            if (how & RELU) {
                uint32_t own = above(v, zero());
                v = keep(v, own);
                positive |= own << (i * LANES);
            }
            if (how & GATE) v = keep(v, bits >> (i * LANES) & ((1u << LANES) - 1));
            store(out + i * LANES, v);
        }
        if (how & MARK) *word = (uint16_t)positive;
    }
};

}  // namespace VARIANT
