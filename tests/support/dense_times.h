// Spike times of neurons that spike at most once, as a tensor [B,*] in which infinity is silence, and as lists.
#pragma once
#include <limits>

#include "tests/support/event_lists.h"

namespace spiketrain {

constexpr double kSilent = std::numeric_limits<double>::infinity();

/// t [B,*] double.
inline SpikeTimes times_of(const Tensor& t, int64_t steps) {
  const Tensor flat = t.flatten(1).contiguous();
  std::vector<EventList> samples(static_cast<size_t>(flat.size(0)));
  for (int64_t b = 0; b < flat.size(0); ++b) {
    for (int64_t i = 0; i < flat.size(1); ++i) {
      const double time = flat[b][i].item<double>();
      if (time != kSilent) samples[static_cast<size_t>(b)].emplace_back(time, i);
    }
  }
  return spike_times(std::move(samples), flat.size(1), steps);
}

/// A number for each spike [n] -> [B, elements], `fill` where there is none.
inline Tensor dense_of(const SpikeTimes& s, const Tensor& values, double fill) {
  Tensor out = torch::full({s.batch(), s.elements}, fill, torch::kDouble);
  for (int64_t b = 0; b < s.batch(); ++b) {
    for (auto k = s.offset[b].item<int64_t>(); k < s.offset[b + 1].item<int64_t>(); ++k)
      out[b][s.index[k].item<int64_t>()] = values.detach()[k].to(torch::kDouble);
  }
  return out;
}

/// dense [B,*] -> its number for each spike [n].
inline Tensor at_spikes(const SpikeTimes& s, const Tensor& dense) {
  const Tensor flat = dense.flatten(1);
  Tensor out = torch::zeros_like(s.time.detach());
  for (int64_t b = 0; b < s.batch(); ++b) {
    for (auto k = s.offset[b].item<int64_t>(); k < s.offset[b + 1].item<int64_t>(); ++k)
      out[k] = flat[b][s.index[k].item<int64_t>()];
  }
  return out;
}

}  // namespace spiketrain
