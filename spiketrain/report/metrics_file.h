// The files of a run that may still be written to.
// Tests: unit/run_data_test.cpp, unit/mutation_test.cpp.
#pragma once
#include <string>
#include <vector>

#include "spiketrain/base/registry.h"

namespace spiketrain {

/// The complete lines of metrics.jsonl, an object each with its "epoch"; a last line without its end is still being written and left
/// out.  Nothing if there is no such file.  DataError with the place of a line that is no such object, or in which "rates" and
/// "grad_norms" are no lists of layers.
std::vector<Config> read_metrics(const std::string& path);

/// The weights of the best epoch, else the newest checkpoint that can be read; "" if there is none.
std::string best_weights(const std::string& run_dir);

}  // namespace spiketrain
