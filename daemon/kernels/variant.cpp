// All steps for one kind of processor; compiled once for each variant, with its name as VARIANT.
#include "convolve.h"
#include "depthwise.h"
#include "passing.h"
#include "pooling.h"
#include "winograd.h"

namespace VARIANT {

Int panel() { return PANEL; }

// The numbers of workspace that a step needs in addition to its maps.
Int workspace(const Step &step) {
    if (step.kind == WINOGRAD) return winograd_workspace(step);
    if (step.kind == CONVOLVE_BACK) return convolve_back_workspace(step);
    return step.kind == CONVOLVE || step.kind == GRADIENT ? convolve_workspace(step) : 0;
}

// The parts of a piece of a step: blocks of tiles, or else rows.
Int parts(const Step &step, Int first, Int last) {
    return step.kind == WINOGRAD ? winograd_parts(step, first, last) : last - first;
}

// Compute the parts from `part` to `end` − 1 of the rows from `begin` to `stop` − 1.
void run(const Step &step, Int begin, Int stop, Int part, Int end, float *room) {
    const Int first = begin + part, last = begin + end;
    switch (step.kind) {
        case PICTURE: return picture(step, first, last);
        case CONVOLVE: return convolve(step, first, last, room);
        case CONVOLVE_BACK: return convolve_back(step, first, last, room);
        case DEPTHWISE: return depthwise<false>(step, first, last);
        case DEPTHWISE_BACK: return depthwise<true>(step, first, last);
        case WINOGRAD: return winograd(step, begin, stop, part, end, room);
        case MAX_POOL: return max_pool(step, first, last);
        case MAX_BACK: return max_back(step, first, last);
        case MEAN_POOL: return mean_pool(step, first, last);
        case MEAN_BACK: return mean_back(step, first, last);
        case COPY: return copy(step, first, last);
        case CLEAR: return clear(step, first, last);
        case GRADIENT: return gradient(step, first, last, room);
    }
}

}  // namespace VARIANT
