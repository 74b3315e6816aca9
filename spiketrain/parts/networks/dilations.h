// Dilations that a network hands out to the neurons of its hidden layers, in their order.
// Tests: unit/dilations_test.cpp.
#pragma once
#include <memory>
#include <utility>
#include <vector>

#include "spiketrain/core/extras.h"
#include "spiketrain/core/neuron.h"

namespace spiketrain {

class Dilations {
 public:
  /// Empty: none are handed out.  UsageError unless all are dilations.
  explicit Dilations(std::vector<int64_t> values) : values_(std::move(values)) {
    constexpr int64_t kMost = 1 << 12;
    for (const int64_t dilation : values_)
      ST_CHECK(dilation >= 1 && dilation <= kMost, "network: dilations: expected 1 to ", kMost, ", got ",
               dilation);
  }
  /// The neuron with the next one; they begin anew when all are used up.  UsageError if it has none, or one of its own.
  std::shared_ptr<Neuron> given(std::shared_ptr<Neuron> neuron) {
    if (values_.empty()) return neuron;
    auto* dilated = dynamic_cast<Dilated*>(neuron.get());
    ST_CHECK(dilated, "network: dilations are for neurons with an option dilation, but neuron is ",
             neuron->part_name(), "; use sliding_psn or cw_psn, or leave dilations out");
    ST_CHECK(dilated->dilation_now() == 1,
             "network: dilations give each layer its own, but neuron.dilation is ", dilated->dilation_now(),
             "; give one of them");
    dilated->dilate(values_[next_++ % values_.size()]);
    return neuron;
  }

 private:
  std::vector<int64_t> values_;
  size_t next_ = 0;
};

}  // namespace spiketrain
