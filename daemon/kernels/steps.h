// The data structures of the interface: maps of cells in memory, and steps that compute maps.
//
// A map is a window of a (larger) feature map, height × width cells of `depth` channels each,
// channels innermost. Of its rows only the last `rows` are held: row y is in slot
// (y − row0) mod rows, so that a map can be computed in strips. The plan of the steps ensures that
// all rows that a step reads are there; cells beyond the feature map's edges are read as zeros.
#pragma once
#include <atomic>
#include <cstdint>

using Int = int64_t;

extern "C" {

struct Map {
    float *data;
    int64_t height, width;  // of the whole feature map
    int64_t row0, rows;     // the first row in memory, and how many rows are held
    int64_t begin, pitch;   // the first column in memory, and the cells of a row in memory
    int64_t col0, cols;     // the window's columns: the cells to compute
    int64_t stride;         // numbers from one cell to the next
    int64_t first, depth;   // the channels of this map, of those that a cell has
};

// One bit a channel (whether ReLU passed it) in words of 16, or one byte a channel (which cell of its
// window is the maximum). All rows are held.
struct Marks {
    void *data;
    int64_t row0, col0, cols;
    int64_t stride, first;  // in words, or bytes
};

enum Kind {
    PICTURE = 0,    // planes of a picture → cells of 3 channels: (x − shift) · scale
    CONVOLVE = 1,   // any kernel, stride and padding, as one product of matrices
    WINOGRAD = 2,   // 3 × 3, stride 1, in tiles of 4 × 4
    MAX_POOL = 3,
    MAX_BACK = 4,   // gradient at a pool's cells → at its inputs
    MEAN_POOL = 5,
    MEAN_BACK = 6,
    COPY = 7,
    CLEAR = 8,
    GRADIENT = 9,   // gradient at the first convolution's cells → planes of the picture's gradient
    CONVOLVE_BACK = 10,   // gradient at the cells of a convolution with a stride → at its inputs
    DEPTHWISE = 11,       // each channel with a kernel of its own
    DEPTHWISE_BACK = 12,  // gradient at a depthwise convolution's cells → at its inputs
};

// How the result is written.
enum Finish {
    ADD = 1,    // add to the present numbers
    RELU = 2,   // negative numbers become 0
    MARK = 4,   // record in `marks` which are positive
    GATE = 8,   // set those to 0 that have no bit in `marks`
    CHOOSE = 16,// MAX_POOL: record in `choices` which cell is the maximum
    BOUND = 32  // with RELU: numbers above `most` become `most`, and MARK counts those below it only
};

struct Step {
    int64_t kind, finish;
    Map in, out;
    Marks marks, choices;
    const float *weights;  // packed: product.h, depthwise.h
    const float *bias;     // out.depth of them, or null
    int64_t kernel[2], pace[2], padding[2];
    int64_t origin[2];     // WINOGRAD: where its grid of tiles begins
    int64_t block;         // GRADIENT: side, in px, of the blocks
    int64_t count_padding; // MEAN_*: zeros beyond the edges count
    float *planes;         // PICTURE, GRADIENT: 3 planes,
    int64_t plane, line, column;  // numbers from plane to plane, row to row, column to column
    int64_t left, above;   // GRADIENT: the pixel at the start of `planes`
    int64_t width, height; // GRADIENT: the pixels of `planes`
    float scale[3], shift[3];
    float most;            // BOUND
};

// A piece of work: the rows from `first` to `last` − 1 of a step's output. It consists of parts that
// do not depend on each other.
struct Piece {
    int64_t step, first, last;
};

// The progress of the threads that share a piece; zeros at first.
struct Progress {
    std::atomic<int32_t> taken, done;  // parts
    std::atomic<int32_t> ends[2];      // parts taken from the start, and from the end
};
}
