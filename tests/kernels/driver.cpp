// Runs recorded work (recording.py) with a kernel's library, and writes what the work computed.
//
//     driver LIBRARY             prints the variants that this processor can run
//     driver LIBRARY WORK OUT    runs the work
#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "steps.h"

namespace {

[[noreturn]] void fail(const char *what) {
    fprintf(stderr, "The driver failed: %s.\n", what);
    exit(1);
}

struct Region {
    char *data;
    Int size;
    bool result;
};

FILE *work;
Region *regions;

void read(void *to, size_t size) {
    if (fread(to, 1, size, work) != size) fail("the recorded work ends early");
}

Int number() {
    Int value;
    read(&value, sizeof value);
    return value;
}

// The address of a place: the region's number plus one above 40 bits of offset; 0 is null.
template <class T> void place(T *&pointer) {
    const uint64_t code = (uint64_t)pointer;
    if (code) pointer = (T *)(regions[(code >> 40) - 1].data + (code & ((1ull << 40) - 1)));
}

template <class F> F function(void *library, const char *name) {
    void *found = dlsym(library, name);
    if (!found) fail(name);
    return (F)found;
}

}  // namespace

int main(int count, char **arguments) {
    void *library = count > 1 ? dlopen(arguments[1], RTLD_NOW) : nullptr;
    if (!library) fail(count > 1 ? dlerror() : "no library was named");
    const auto variant = function<const char *(*)(Int)>(library, "dreamlayer_variant");
    const auto run = function<Int (*)(Int, const Step *, Int, const Piece *, Int, float *, Int, Progress *)>(
        library, "dreamlayer_run");
    if (count < 4) {
        for (Int i = 0; variant(i); i++)
            if (*variant(i)) puts(variant(i));
        return 0;
    }
    work = fopen(arguments[2], "rb");
    if (!work) fail("there is no recorded work");
    char wanted[16];
    read(wanted, sizeof wanted);
    Int chosen = 0;
    while (variant(chosen) && strcmp(variant(chosen), wanted)) chosen++;
    if (!variant(chosen)) fail("the library has no such variant");
    const Int held = number(), calls = number();
    regions = (Region *)calloc(held, sizeof(Region));
    for (Int i = 0; i < held; i++) {
        Region &region = regions[i];
        region.size = number();
        const bool stored = number();
        region.result = number();
        region.data = (char *)aligned_alloc(64, (region.size + 63) / 64 * 64);
        if (stored) read(region.data, region.size);
        else memset(region.data, 0, region.size);
    }
    for (Int i = 0; i < calls; i++) {
        const Int steps = number(), pieces = number();
        float *workspace = (float *)number();
        place(workspace);
        Step *step = (Step *)calloc(steps, sizeof(Step));
        Piece *piece = (Piece *)calloc(pieces, sizeof(Piece));
        read(step, steps * sizeof(Step));
        read(piece, pieces * sizeof(Piece));
        for (Int j = 0; j < steps; j++) {
            place(step[j].in.data), place(step[j].out.data);
            place(step[j].marks.data), place(step[j].choices.data);
            place(step[j].weights), place(step[j].bias), place(step[j].planes);
        }
        if (run(chosen, step, steps, piece, pieces, workspace, 0, nullptr) != -1) fail("the work is refused");
    }
    FILE *out = fopen(arguments[3], "wb");
    if (!out) fail("the results can't be written");
    for (Int i = 0; i < held; i++)
        if (regions[i].result) fwrite(regions[i].data, 1, regions[i].size, out);
    return fclose(out) ? 1 : 0;
}
