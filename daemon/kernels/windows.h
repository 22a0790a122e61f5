// Which windows of a step contain a cell: backward each cell adds up from those.
#pragma once
#include <algorithm>

#include "vectors.h"

namespace VARIANT {

struct Span {
    Int first, last;
};

// The windows along an axis that contain cell `at`.
INLINE Span windows(const Step &step, int axis, Int at, Int count) {
    const Int pace = step.pace[axis], moved = at + step.padding[axis];
    const Int before = moved - step.kernel[axis];
    return {before < 0 ? 0 : before / pace + 1, std::min(count, moved / pace + 1)};
}

}  // namespace VARIANT
