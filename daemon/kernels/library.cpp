// The library's C interface: which variants this processor can run, and running pieces of work.
#include <algorithm>

#include "processor.h"
#include "steps.h"
#include "yielding.h"

#define DECLARE(name) \
    namespace name { \
    Int panel(); \
    Int workspace(const Step &); \
    Int parts(const Step &, Int, Int); \
    void run(const Step &, Int, Int, Int, Int, float *); \
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
    Int (*parts)(const Step &, Int, Int);
    void (*run)(const Step &, Int, Int, Int, Int, float *);
};

constexpr Variant VARIANTS[] = {  // no code of C++'s runtime has to make them
#if defined(WITH_X86)
    {"avx512", processor::has_avx512, avx512::panel, avx512::workspace, avx512::parts, avx512::run},
    {"avx2", processor::has_avx2, avx2::panel, avx2::workspace, avx2::parts, avx2::run},
#endif
    {"portable", [] { return true; }, portable::panel, portable::workspace, portable::parts, portable::run},
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
        case CONVOLVE:
        case CONVOLVE_BACK: return step.weights && grouped(step.out);
        case DEPTHWISE:
        case DEPTHWISE_BACK:
            return step.weights && grouped(step.out) && step.in.depth == step.out.depth;
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

constexpr int SPINS = 2000;  // some microseconds; then yield the processor to another thread

// Share the work of a piece; returns when all of it is done. A thread takes parts from the same end
// of each piece, so that it reads what it wrote itself, which is still in its own cache.
void share(const Variant &variant, const Step &step, const Piece &piece, Int parts, Int thread,
           float *workspace, Progress &progress) {
    const bool back = thread % 2;
    if (progress.taken.load(std::memory_order_relaxed) < parts)
        while (progress.taken.fetch_add(1) < parts) {
            const Int passed = progress.ends[back].fetch_add(1);
            const Int part = back ? parts - 1 - passed : passed;
            variant.run(step, piece.first, piece.last, part, part + 1, workspace);
            progress.done.fetch_add(1, std::memory_order_release);
        }
    for (int i = 0; progress.done.load(std::memory_order_acquire) < parts; i++)
        if (i >= SPINS) yield_processor();
}

}  // namespace

#if defined(WITHOUT_RUNTIME)
// What Windows calls when it loads the library: there is nothing to do.
extern "C" int __stdcall DllMainCRTStartup(void *, unsigned, void *) { return 1; }
#endif

// The name of a variant, numbered from the fastest: "" if this processor cannot run it, null behind
// the last.
EXPORT const char *dreamlayer_variant(int64_t number) {
    if (number < 0 || number >= COUNT) return nullptr;
    return find(number) ? VARIANTS[number].name : "";
}

// Output channels whose weights are stored together; 0 if there is no such variant.
EXPORT int64_t dreamlayer_panel(int64_t variant) {
    const Variant *found = find(variant);
    return found ? found->panel() : 0;
}

// The sizes of a step and of a piece's progress: a caller checks that it has the same version.
EXPORT int64_t dreamlayer_sizes() { return sizeof(Step) * 256 + sizeof(Progress); }

// The numbers of workspace that a step needs.
EXPORT int64_t dreamlayer_workspace(int64_t variant, const Step *step) {
    const Variant *found = find(variant);
    return found && step ? found->workspace(*step) : 0;
}

// Run pieces of work in order. Returns −1, or the number of an invalid piece; then nothing is
// run.
//
// Several threads may share the work: each calls this with the same `shared`, one for each piece, a
// number of its own (0, 1 …), and a workspace of its own. Each takes parts of a piece until none is
// left, and goes on when the others have finished theirs; late threads help with the rest. Without
// `shared` one thread does all.
EXPORT int64_t dreamlayer_run(int64_t variant, const Step *steps, int64_t count,
                              const Piece *pieces, int64_t work, float *workspace,
                              int64_t thread, Progress *shared) {
    const Variant *found = find(variant);
    if (!found || !steps || !pieces || !workspace) return 0;
    for (int64_t i = 0; i < work; i++) {
        const Piece &piece = pieces[i];
        if (piece.step < 0 || piece.step >= count || piece.first > piece.last) return i;
    }
    for (int64_t i = 0; i < work; i++)
        if (!sane(steps[pieces[i].step])) return i;
    for (int64_t i = 0; i < work; i++) {
        const Piece &piece = pieces[i];
        const Step &step = steps[piece.step];
        const Int parts = found->parts(step, piece.first, piece.last);
        if (shared) share(*found, step, piece, parts, thread, workspace, shared[i]);
        else found->run(step, piece.first, piece.last, 0, parts, workspace);
    }
    return -1;
}
