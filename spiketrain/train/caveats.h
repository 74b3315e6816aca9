// What a user should know before comparing a run with another.
#pragma once
#include <string>
#include <vector>

#include "spiketrain/train/training.h"

namespace spiketrain {

/// One line each.
std::vector<std::string> caveats(const Training& training);

}  // namespace spiketrain
