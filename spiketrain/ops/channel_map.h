// A current standardised per channel that has no array of its own: scans over time read the stored current through it.
// Tests: equiv/kernel_cases_test.cpp, engine/tape_test.cpp.
#pragma once
#include "spiketrain/kernels/current_map.h"
#include "spiketrain/ops/pointer.h"

namespace spiketrain::ops {

/// y = (I - mean) * factor + bias, with rows as cpu::CurrentMap has them; undefined: y = I.
struct ChannelMap {
  torch::Tensor mean, factor, bias;
  int64_t channels = 0;

  ChannelMap() = default;
  /// Values [C].
  ChannelMap(const torch::Tensor& means, const torch::Tensor& factors, const torch::Tensor& biases)
      : mean(row(means)), factor(row(factors)), bias(row(biases)), channels(means.size(0)) {}
  bool defined() const { return channels > 0; }
  template <class R>
  cpu::CurrentMap<R> in() const {
    if (!defined()) return {};
    return {channels, pointer<R>(mean), pointer<R>(factor), pointer<R>(bias)};
  }
  /// Whether scans take one for a current [T,*].
  static bool fits(const torch::Tensor& I) { return I.size(0) <= cpu::CurrentMap<float>::kSteps; }

 private:
  static torch::Tensor row(const torch::Tensor& values) {
    const int64_t C = values.size(0), elements = C + cpu::CurrentMap<float>::kMore;
    return values.repeat({(elements + C - 1) / C}).slice(0, 0, elements).contiguous();
  }
};

/// What a scan back through time reads of its way forward: the membrane before reset [T,*], or the current that it is found again
/// from, through the map.
struct Membrane {
  torch::Tensor u;       ///< undefined with a map
  torch::Tensor I = {};  ///< as given to the forward; undefined if nobody asks for it
  ChannelMap map = {};
  /// That of the two which is there; for shapes and layout.
  const torch::Tensor& kept() const { return map.defined() ? I : u; }
};

}  // namespace spiketrain::ops
