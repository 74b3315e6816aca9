// How rows of channels are cut: the same for every instruction set and number of threads.
#pragma once
#include <algorithm>
#include <cstdint>
#include <numeric>

namespace spiketrain::cpu {

/// Rows [N,C] as lines: a few rows each, so that a line is a whole number of vectors and long enough to hide an addition's
/// latency.  Many channels: a line is a row, walked in slices of at most kMost columns.
struct ChannelPlan {
  static constexpr int64_t kMost = 4096;
  int64_t N, C;
  int64_t fold;   ///< rows of a line
  int64_t width;  ///< elements of a line
  int64_t lines;  ///< the last one may be short
  int64_t block;  ///< lines that are summed in R
  int64_t blocks;
  int64_t per_chunk;  ///< blocks of a unit of work

  ChannelPlan(int64_t rows, int64_t channels) : N(rows), C(std::max<int64_t>(1, channels)) {
    constexpr int64_t kVector = 16, kShort = 64, kManyChannels = 256;
    constexpr int64_t kElements = 1 << 14, kLeastLines = 32, kMostLines = 256, kMostChunks = 32;
    fold = 1;
    if (C < kManyChannels) {
      fold = kVector / std::gcd(C, kVector);
      fold *= (kShort + fold * C - 1) / (fold * C);
    }
    width = fold * C;
    lines = (N + fold - 1) / fold;
    block = std::clamp(kElements / width, kLeastLines, kMostLines);
    blocks = (lines + block - 1) / block;
    per_chunk = std::max<int64_t>(1, (blocks + kMostChunks - 1) / kMostChunks);
  }
  int64_t chunks() const { return (blocks + per_chunk - 1) / per_chunk; }
  /// Rows of blocks [begin, end).
  int64_t rows(int64_t begin, int64_t end) const {
    return std::min(N, end * block * fold) - begin * block * fold;
  }
};

}  // namespace spiketrain::cpu
