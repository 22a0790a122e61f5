// What the library is told: maps of cells in memory, and steps that compute one from another.
//
// A map is a window of a (larger) feature map, height × width cells of `depth` channels each,
// channels innermost. Of its rows only the last `rows` are held: row y lies in slot
// (y − row0) mod rows, so that a map can be passed on in strips. Whoever plans the steps sees to it
// that what a step reads is there; cells beyond the feature map's edges are read as zeros.
#pragma once
#include <atomic>
#include <cstdint>

using Int = int64_t;

extern "C" {

struct Map {
    float *data;
    int64_t height, width;  // of the whole feature map
    int64_t row0, rows;     // the first row in memory, and how many rows are held
    int64_t begin, pitch;   // the first column in memory, and how many cells of a row are
    int64_t col0, cols;     // the window's columns: what is to be computed
    int64_t stride;         // numbers from one cell to the next
    int64_t first, depth;   // the channels meant, of those that a cell has
};

// One bit a channel (which ReLU let pass) in words of 16, or one byte a channel (which cell of its
// window a maximum came from): the windows are held whole.
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
    MAX_BACK = 4,   // slopes at a pool's cells → at the cells it chose from
    MEAN_POOL = 5,
    MEAN_BACK = 6,
    COPY = 7,
    CLEAR = 8,
    GRADIENT = 9,   // slopes at the first convolution's cells → planes of the picture's slope
};

// How the result is put down.
enum Finish {
    ADD = 1,    // to what is there
    RELU = 2,   // negative numbers become 0
    MARK = 4,   // write down in `marks` which are not
    GATE = 8,   // let pass only those that `marks` says
    CHOOSE = 16 // MAX_POOL: write down in `choices` where the maximum was
};

struct Step {
    int64_t kind, finish;
    Map in, out;
    Marks marks, choices;
    const float *weights;  // packed: `dreamlayer_panel`
    const float *bias;     // out.depth of them, or null
    int64_t kernel[2], pace[2], padding[2];
    int64_t origin[2];     // WINOGRAD: where its grid of tiles begins
    int64_t block;         // GRADIENT: side of the pixels computed together
    int64_t count_padding; // MEAN_*: zeros beyond the edges count
    float *planes;         // PICTURE, GRADIENT: 3 planes,
    int64_t plane, line, column;  // numbers from plane to plane, row to row, column to column
    int64_t left, above;   // GRADIENT: the pixel that `planes` begins with
    int64_t width, height; // GRADIENT: and how many there are
    float scale[3], shift[3];
};

// A piece of work: the rows from `first` to `last` − 1 of what a step gives. It falls into parts that
// need nothing of each other.
struct Piece {
    int64_t step, first, last;
};

// How far the threads that share a piece are: zeros at first.
struct Progress {
    std::atomic<int32_t> taken, done;  // parts
    std::atomic<int32_t> ends[2];      // of those taken, how many from the first on, and from the last
};
}
