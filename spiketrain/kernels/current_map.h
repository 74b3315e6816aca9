// What a scan over time reads in place of the current that is stored: the current standardised per channel, as a norm before the
// neurons does it (channel_norm/channel_norm.h), without an array of its own.
//   y = (I - mean[c]) * factor[c] + bias[c]        c = n mod C for neuron n: rows of channels
// The way back finds the membrane again from the current instead of reading it, tile by tile.
#pragma once
#include <cstdint>

namespace spiketrain::cpu {

template <class R>
struct CurrentMap {
  static constexpr int64_t kMore = 512;  ///< elements behind the last channel: as many as a tile has neurons
  static constexpr int64_t kSteps = 32;  ///< most steps of a scan with a map: a tile's membranes stay in L2

  int64_t C = 0;                                                ///< channels; 0: the current is read as it is
  const R *mean = nullptr, *factor = nullptr, *bias = nullptr;  ///< [C + kMore] element j: of channel j mod C
};

/// The same for one number.
template <class R>
R mapped(const CurrentMap<R>& map, R I, int64_t n) {
  if (map.C == 0) return I;
  const R d = I - map.mean[n % map.C];
  return d * map.factor[n % map.C] + map.bias[n % map.C];
}

}  // namespace spiketrain::cpu
