// How the work of a call is cut: from the shape alone, so that neither threads nor instruction sets change a bit.
#pragma once
#include <algorithm>
#include <cstdint>

#include "spiketrain/kernels/event_conv/event_conv.h"

namespace spiketrain::cpu {

constexpr int64_t round_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }
/// Bytes of n elements in a workspace, each array in cache lines of its own.
constexpr int64_t room(int64_t n, int64_t size) { return round_up(n * size, 64); }
/// Entries a list may be written beyond its end.
constexpr int64_t kListSlack = 64;
/// Channels of a tile are rounded up to this many at most.
constexpr int64_t kWidestTile = 32;

struct ForwardPlan {
  static constexpr int64_t kBlock = 32;         ///< channels whose weights stay in L1
  static constexpr int64_t kMostImages = 64;    ///< of a group
  bool slides;                                  ///< else gathers
  int64_t weight_rows;                          ///< of a tile
  int64_t group;                                ///< images whose lists are made together
  int64_t pixels, pixel_events, events, lists;  ///< most of a thread's lists

  ForwardPlan(const EventConvShape& s, int64_t planes) {
    const int64_t repeats = (int64_t{1} << planes) - 1;
    slides = s.stride == 1 && s.kernel_h == s.kernel_w && (s.kernel_h == 3 || s.kernel_h == 5) &&
             s.pad < s.kernel_h && !s.full();
    const int64_t outputs = s.out_h() * s.out_w(), patch = s.taps() * s.C;
    weight_rows = patch + (slides ? 0 : 1);
    pixels = s.H * s.W;
    if (slides) {
      // Weights beyond the second-level cache should serve several images.
      const int64_t weights = patch * s.O * 4;
      group = std::clamp<int64_t>(std::min<int64_t>(weights / (256 << 10), 512 / outputs), 1, 8);
      pixel_events = s.sites() * repeats;
      lists = group * (s.out_h() * s.W + 1);
      events = group * pixel_events * s.kernel_h;
    } else {
      group = std::clamp<int64_t>(64 / outputs, 1, kMostImages);
      pixel_events = s.full() ? 0 : s.sites() * repeats;
      if (s.full()) pixels = 0;
      lists = std::clamp<int64_t>((int64_t{1} << 17) / (patch * repeats), 1, 256);
      events = lists * (patch * repeats + 1);
    }
  }
  /// Whether an image has so many spikes that blocks of channels pay.
  bool is_dense(const EventConvShape& s, const BitMaps& x, int64_t image) const {
    if (s.C <= kBlock) return false;
    int64_t spikes = 0;
    for (int64_t p = 0; p < x.planes; ++p) {
      const int64_t begin = x.begin(p, image), end = begin + s.sites();
      // Whole words inside; what the borders hold does not matter much, but must not depend on the neighbours.
      for (int64_t word = (begin + 63) / 64; word < end / 64; ++word)
        spikes += static_cast<int64_t>(__builtin_popcountll(x.words[word])) << p;
    }
    return spikes * 100 > 12 * s.sites();
  }
  int64_t thread_bytes() const {
    return room(pixel_events + kListSlack, 2) + room(pixels + 1, 4) + room(events + kListSlack, 2) +
           room(lists + 1, 4);
  }
  int64_t weight_bytes(const EventConvShape& s) const {
    return room(weight_rows * round_up(s.O, kWidestTile), 4);
  }
};

}  // namespace spiketrain::cpu
