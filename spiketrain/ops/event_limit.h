// Up to which density products of spikes are made one addition at a time: a model of the time that either way takes for an
// output pixel, of six numbers per form, fitted to `spiketrain bench kernel` on two cores of a Zen 5 machine (AVX-512).  Only
// ratios matter, and most shapes are far from the limit; see docs/performance.md.
// Tests: equiv/event_conv_test.cpp.
#pragma once
#include <algorithm>

#include "spiketrain/ops/winograd.h"

namespace spiketrain::ops {

/// Nanoseconds.
struct EventTimes {
  double pixel;     ///< lists of an output pixel, without a spike
  double input;     ///< and of each input that it reads
  double vector;    ///< sixteen channels of an output, written or read
  double addition;  ///< of sixteen channels
  double macs;      ///< multiply-accumulates that the dense way does in one, in float32
  double faster;    ///< what bfloat16 does more in that time
};

inline EventTimes event_times(EventProduct product, const cpu::EventConvShape& s) {
  const bool square = s.kernel_h == s.kernel_w && s.stride == 1 && !s.full();
  // With few channels or outputs the dense way is slower, too; forward it may be Winograd's.
  const auto channels = static_cast<double>(s.C);
  const double of_full = std::min(110.0, 2 * static_cast<double>(s.O));
  constexpr double kFaster = 1.9, kWinogradFaster = 1.7;
  const bool uneven =
      s.C % 16 != 0;  // which oneDNN's larger kernels do not like; nor outputs that fill no vector
  const double filled = static_cast<double>(s.O) / static_cast<double>((s.O + 15) / 16 * 16);
  if (product == EventProduct::forward) {
    if (winograd_fits({s.O, s.C, s.kernel_h, s.kernel_w}, {s.stride, s.pad, s.full()}))
      return {18,
              0,
              3,
              0.24,
              std::min(200.0, 5.2 * std::min(channels, static_cast<double>(s.O))),
              kWinogradFaster};
    if (square && (s.kernel_h == 3 || s.kernel_h == 5)) {
      const double most = s.kernel_h == 3 ? 125 : uneven ? 104 * filled : 132;
      return {
          12.0 + 2.0 * static_cast<double>(s.kernel_h), 0, 3, 0.27, std::min(most, 25 * channels), kFaster};
    }
    return s.full() ? EventTimes{60, 0.05, 2, 0.36, of_full, kFaster}
                    : EventTimes{30, 0.02, 2, 0.42, std::min(125.0, 25 * channels), kFaster};
  }
  if (s.full()) return {80, 0.06, 4, 0.38, of_full, kFaster};
  if (s.taps() == 1) return {40, 0.06, 4, 0.47, 100, kFaster};
  if (square && s.kernel_h == 3) return {40, 0, 3, 0.2, std::min(105.0, 40 * channels), kFaster};
  if (square && s.kernel_h == 5) {
    // Of a pixel of the input: each spike adds to all taps.
    const double each = static_cast<double>(s.H * s.W) / static_cast<double>(s.out_h() * s.out_w());
    return {
        0,      0.028 * each, 5 * each, 0.16 * each, std::min(uneven ? 75 * filled : 120.0, 40 * channels),
        kFaster};
  }
  return {15, 0, 0, 0.95, std::min(105.0, 40 * channels), kFaster};
}

/// Below this density events are faster, by a twentieth at least; 0: never.  Of one image: as if there were many.  bf16: than
/// dense products in bfloat16.
inline double event_limit(EventProduct product, const cpu::EventConvShape& s, bool bf16 = false) {
  const EventTimes time = event_times(product, s);
  const auto inputs = static_cast<double>(s.taps() * s.C), outputs = static_cast<double>(s.O);
  const double vectors = static_cast<double>((s.O + 15) / 16);
  const double fixed = time.pixel + time.input * inputs + time.vector * vectors;
  // What is done once for a call: weights or their gradient are laid in rows.
  constexpr double kWeight = 0.45;
  const auto pixels = static_cast<double>(s.images * s.out_h() * s.out_w());
  const double once = s.images > 1 ? kWeight * inputs * outputs / pixels : 0;
  const double dense = inputs * outputs / (bf16 ? time.faster * time.macs : time.macs);
  return std::max(0.0, (0.95 * dense - fixed - once) / (time.addition * inputs * vectors));
}

}  // namespace spiketrain::ops
