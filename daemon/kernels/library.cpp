// The library's C interface: which variants this processor can run, and running pieces of work.
#include <algorithm>

#include "steps.h"

#define DECLARE(name) \
    namespace name { \
    Int panel(); \
    Int workspace(const Step &); \
    void run(const Step &, Int, Int, float *); \
    }
DECLARE(portable)
#if defined(WITH_X86)
DECLARE(avx2)
DECLARE(avx512)
#endif

#if defined(_WIN32)
#define EXPORT extern "C" __declspec(dllexport)
#else
#define EXPORT extern "C" __attribute__((visibility("default")))
#endif

namespace {

struct Variant {
    const char *name;
    bool (*usable)();
    Int (*panel)();
    Int (*workspace)(const Step &);
    void (*run)(const Step &, Int, Int, float *);
};

const Variant VARIANTS[] = {
#if defined(WITH_X86)
    {"avx512",
     [] {
         __builtin_cpu_init();
         return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
     },
     avx512::panel, avx512::workspace, avx512::run},
    {"avx2",
     [] {
         __builtin_cpu_init();
         return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
     },
     avx2::panel, avx2::workspace, avx2::run},
#endif
    {"portable", [] { return true; }, portable::panel, portable::workspace, portable::run},
};
constexpr int64_t COUNT = sizeof VARIANTS / sizeof *VARIANTS;

const Variant *find(int64_t number) {
    return number >= 0 && number < COUNT && VARIANTS[number].usable() ? VARIANTS + number : nullptr;
}

bool sane(const Map &map) {
    return map.data && map.height > 0 && map.width > 0 && map.rows > 0 && map.cols > 0 &&
           map.row0 >= 0 && map.begin >= 0 && map.col0 >= map.begin && map.first >= 0 &&
           map.col0 + map.cols <= std::min(map.width, map.begin + map.pitch) && map.depth > 0 && map.first + map.depth <= map.stride;
}

bool grouped(const Map &map) { return map.depth % 16 == 0; }

bool sane(const Step &step) {
    for (int axis = 0; axis < 2; axis++)
        if (step.kernel[axis] < 1 || step.kernel[axis] > 64 || step.pace[axis] < 1 || step.padding[axis] < 0) return false;
    const bool reads = step.kind != PICTURE && step.kind != CLEAR;
    if (reads && !sane(step.in)) return false;
    if (step.kind != GRADIENT && !sane(step.out)) return false;
    if ((step.finish & (MARK | GATE)) && !step.marks.data) return false;
    switch (step.kind) {
        case PICTURE: return step.planes && step.out.depth == 3;
        case CLEAR: return true;
        case CONVOLVE: return step.weights && grouped(step.out);
        case WINOGRAD:
            return step.weights && grouped(step.in) && grouped(step.out) && step.kernel[0] == 3 &&
                   step.kernel[1] == 3 && step.pace[0] == 1 && step.pace[1] == 1;
        case MAX_POOL:
            if (step.kernel[0] * step.kernel[1] >= 255) return false;
            if ((step.finish & CHOOSE) && !step.choices.data) return false;
            return grouped(step.out) && step.in.depth == step.out.depth;
        case MAX_BACK:
            return step.choices.data && grouped(step.out) && step.in.depth == step.out.depth;
        case MEAN_POOL:
        case MEAN_BACK:
        case COPY: return grouped(step.out) && step.in.depth == step.out.depth;
        case GRADIENT:
            return step.planes && step.weights && grouped(step.out) && step.block > 0 &&
                   step.out.depth >= 3 * step.block * step.block;
    }
    return false;
}

}  // namespace

// Variants are numbered from the fastest; null behind the last, and for one of another processor "".
EXPORT const char *dreamlayer_variant(int64_t number) {
    if (number < 0 || number >= COUNT) return nullptr;
    return find(number) ? VARIANTS[number].name : "";
}

// Output channels whose weights lie together; 0 if there is no such variant.
EXPORT int64_t dreamlayer_panel(int64_t variant) {
    const Variant *found = find(variant);
    return found ? found->panel() : 0;
}

// The size of a step, by which a caller can tell that it means the same by one.
EXPORT int64_t dreamlayer_step_size() { return sizeof(Step); }

// Numbers of workspace that a step needs.
EXPORT int64_t dreamlayer_workspace(int64_t variant, const Step *step) {
    const Variant *found = find(variant);
    return found && step ? found->workspace(*step) : 0;
}

// Run pieces of work in order. Returns −1, or the number of the piece that makes no sense: nothing
// is run then. Several threads may call it at once, each with memory of its own.
EXPORT int64_t dreamlayer_run(int64_t variant, const Step *steps, int64_t count,
                              const Piece *pieces, int64_t work, float *workspace) {
    const Variant *found = find(variant);
    if (!found || !steps || !pieces || !workspace) return 0;
    for (int64_t i = 0; i < work; i++) {
        const Piece &piece = pieces[i];
        if (piece.step < 0 || piece.step >= count || piece.first > piece.last) return i;
    }
    for (int64_t i = 0; i < work; i++)
        if (!sane(steps[pieces[i].step])) return i;
    for (int64_t i = 0; i < work; i++)
        found->run(steps[pieces[i].step], pieces[i].first, pieces[i].last, workspace);
    return -1;
}
