// Firing rates of the layers, and warnings of layers that hardly learn because of theirs.
// Tests: unit/progress_test.cpp, train/resume_test.cpp.
#pragma once
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "spiketrain/core/network.h"

namespace spiketrain {

/// Firing rate of one layer.
struct LayerRate {
  std::string spec;
  int64_t slot = -1;
  double rate = 0;        ///< spikes per neuron and step
  std::string node = {};  ///< of the network, which tells layers apart that look alike
  int64_t levels = 1;     ///< greatest number that a neuron sends at a step
};
/// Norm of the gradient of one layer's parameters.
struct LayerNorm {
  std::string spec, node;
  double norm = 0;
};
/// Layers that sent something countable, block by block, each block's head after it.
std::vector<LayerRate> layer_rates(const Network& network, const std::vector<Tally::Count>& counts);
/// Adds counts of one pass to a sum.
void add_counts(std::vector<Tally::Count>& sum, const std::vector<Tally::Count>& counts);

/// What to change where layers fire too little or too much, such as "lower neuron.threshold"; empty: nothing is known to help.
struct RateAdvice {
  std::string silent, busy;
};

/// For each layer one warning, in the first epoch that gives reason; layers of the same epoch share one.
class RateWarnings {
 public:
  RateWarnings(double dead_below, double saturated_above, RateAdvice advice = {})
      : dead_below_(dead_below), saturated_above_(saturated_above), advice_(std::move(advice)) {}
  std::vector<std::string> of(const std::vector<LayerRate>& rates);

 private:
  double dead_below_, saturated_above_;
  RateAdvice advice_;
  std::set<int64_t> warned_;  ///< slots
};

}  // namespace spiketrain
