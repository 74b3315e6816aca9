// The samples of a batch of spike times, as event-driven kernels read them.
#pragma once
#include "spiketrain/kernels/event_lif/event_lif.h"
#include "spiketrain/ops/spike_times.h"

namespace spiketrain::ops {

/// Valid while `s` is.
class EventSamples {
 public:
  explicit EventSamples(const SpikeTimes& s)
      : time_(s.time.data_ptr<double>()),
        index_(s.index.data_ptr<int64_t>()),
        offset_(s.offset.data_ptr<int64_t>()) {}
  int64_t begin(int64_t b) const { return offset_[b]; }
  cpu::Arrivals arrivals(int64_t b) const {
    return {offset_[b + 1] - offset_[b], time_ + offset_[b], index_ + offset_[b]};
  }

 private:
  const double* time_;
  const int64_t *index_, *offset_;
};

}  // namespace spiketrain::ops
