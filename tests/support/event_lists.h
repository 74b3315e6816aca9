// Spike times for tests of event-driven layers, as a list of (time, index) for each sample.
#pragma once
#include <algorithm>
#include <utility>
#include <vector>

#include "spiketrain/base/rng.h"
#include "spiketrain/core/signal.h"

namespace spiketrain {

using EventList = std::vector<std::pair<double, int64_t>>;

/// The lists need not be in order.
inline SpikeTimes spike_times(std::vector<EventList> samples, int64_t elements, int64_t steps) {
  SpikeTimes s;
  s.elements = elements;
  s.steps = steps;
  std::vector<double> time;
  std::vector<int64_t> index, offset = {0};
  for (EventList& list : samples) {
    std::stable_sort(list.begin(), list.end());
    for (const auto& [t, i] : list) {
      time.push_back(t);
      index.push_back(i);
    }
    offset.push_back(static_cast<int64_t>(time.size()));
  }
  s.time = torch::tensor(time, torch::kDouble);
  s.index = torch::tensor(index, torch::kInt64);
  s.offset = torch::tensor(offset, torch::kInt64);
  return s;
}

/// `each` spikes per element and sample in the first half of the steps.
inline SpikeTimes random_times(int64_t B, int64_t elements, int64_t steps, int64_t each, uint64_t seed = 3) {
  Rng rng(seed, Purpose::test);
  std::vector<EventList> samples(static_cast<size_t>(B));
  for (EventList& list : samples) {
    for (int64_t k = 0; k < each * elements; ++k)
      list.emplace_back(rng.uniform(0, 0.5 * static_cast<double>(steps)), k % elements);
  }
  return spike_times(std::move(samples), elements, steps);
}

}  // namespace spiketrain
