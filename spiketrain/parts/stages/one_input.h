// What every stage with a single input checks first.
#pragma once
#include "spiketrain/core/stage.h"

namespace spiketrain {

/// The shape of the only input.  UsageError if there are more.
inline const Shape& one_input(const std::vector<Shape>& in, const char* stage) {
  ST_CHECK(in.size() == 1, stage, ": expected one input, got ", in.size());
  return in[0];
}

}  // namespace spiketrain
