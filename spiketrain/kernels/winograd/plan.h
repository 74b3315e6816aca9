// How a call is cut up, the same on every instruction set: blocks of tiles that one thread takes through all steps while they are in
// its L2, and panels of output channels.
//   U  [panel][point][in][panel's outputs]   transformed kernels, once per call
//   V  [point][tiles][in]                    transformed inputs of a block
//   M  [point][tiles][panel's outputs]       their products
// With factors in bfloat16 an element of U and V is a word of two channels, one after the other.
#pragma once
#include <algorithm>

#include "spiketrain/kernels/winograd/winograd.h"

namespace spiketrain::cpu {

struct WinogradPlan {
  static constexpr int kTile = 2;                ///< side of a square of outputs
  static constexpr int kSide = kTile + 2;        ///< of the inputs behind it
  static constexpr int kPoints = kSide * kSide;  ///< products per tile and pair of channels
  static constexpr int64_t kVector = 16;  ///< floats; channels are padded to whole vectors of the widest set
  static constexpr int64_t kPanel = 64;   ///< outputs
  static constexpr int64_t kRows = 12;    ///< tiles of a block are a multiple of this

  int64_t in, out;                  ///< padded
  int64_t row;                      ///< words of a tile's inputs: in, or half of it in bfloat16
  int64_t terms;                    ///< of them those that are multiplied
  int64_t tiles_y, tiles_x, tiles;  ///< of an image's height and width; of all images
  int64_t block;                    ///< tiles
  int64_t v_pitch, m_pitch;         ///< floats from point to point

  explicit WinogradPlan(const WinogradShape& s)
      : in(padded(s.in)),
        out(padded(s.out)),
        row(s.bf16 ? in / 2 : in),
        terms(s.bf16 ? (s.in + 1) / 2 : s.in),
        tiles_y((s.out_h() + kTile - 1) / kTile),
        tiles_x((s.out_w() + kTile - 1) / kTile),
        tiles(s.images * tiles_y * tiles_x) {
    constexpr int64_t kBytes = 768 << 10, kMost = 96;
    const int64_t each = kPoints * (row + std::min(out, kPanel)) * 4;
    block = std::clamp(kBytes / each / kRows * kRows, kRows, kMost);
    // A vector more than needed: points that are 4 KiB apart would meet in the same lines of the cache.
    v_pitch = block * row + kVector;
    m_pitch = block * std::min(out, kPanel) + kVector;
  }

  int64_t panels() const { return (out + kPanel - 1) / kPanel; }
  int64_t panel_width(int64_t panel) const { return std::min(kPanel, out - panel * kPanel); }
  int64_t blocks() const { return (tiles + block - 1) / block; }
  int64_t kernel_floats() const { return kPoints * row * out; }
  /// V, M and a pixel of zeros, of one thread.
  int64_t thread_floats() const { return kPoints * (v_pitch + m_pitch) + in; }

 private:
  static int64_t padded(int64_t n) { return (n + kVector - 1) / kVector * kVector; }
};

}  // namespace spiketrain::cpu
