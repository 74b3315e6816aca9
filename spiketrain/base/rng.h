// Counter-based random numbers: Philox4x32-10.
//   block = philox(counter[4], key[2]); ten rounds of two 32x32->64 multiplications, key bumped between rounds.
// Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
// Deviation: none in the block function.  A stream is keyed by (seed, purpose, a, b), usually a = epoch and
// b = sample, so that what is drawn never depends on threads, batch order or the point of resuming.
// Tests: unit/rng_test.cpp (published known-answer vectors).
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace spiketrain {

/// What a stream is for.  Values are part of every recorded result: append, never renumber.
enum class Purpose : uint32_t {
  init = 1,
  shuffle = 2,
  augment = 3,
  dropout = 4,
  encoder = 5,
  glyphs = 6,
  split = 7,
  schedule = 8,
  feedback = 9,
  test = 10,
  event_camera = 11,
  event_motion = 12,
  event_augment = 13,
  waves = 14,
  echo = 15,
  delay = 16,
  delayed_memory = 17,
  noise = 18,
  init_bias = 19,
  radio = 20,
  harmonics = 24,
};

/// One Philox4x32-10 block.
std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

/// One stream.  Streams with equal (seed, purpose, a) and different b never overlap; other pairs of streams
/// use keys that are themselves Philox outputs.
class Rng {
 public:
  Rng(uint64_t seed, Purpose purpose, uint64_t a = 0, uint64_t b = 0);

  /// 32 random bits.
  uint32_t next() {
    if (used_ == 4) refill();
    return words_[used_++];
  }
  /// Passes over the next n words.
  void skip(uint64_t n);
  /// The next n words, as by n calls of next().
  void fill(uint32_t* out, size_t n);
  /// 64 random bits.
  uint64_t next64() {
    uint64_t low = next();
    return low | (uint64_t{next()} << 32);
  }
  /// Uniform in [0, 1), a multiple of 2^-53.
  double uniform() { return static_cast<double>(next64() >> 11) * 0x1.0p-53; }
  /// Uniform in [low, high).
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  /// Standard normal (Box-Muller; two words pairs a call, so every call costs the same).
  double normal();
  /// Uniform integer in [0, n), without bias; n = 0 is a UsageError.
  uint64_t below(uint64_t n);

 private:
  void refill();

  std::array<uint32_t, 2> key_{};
  std::array<uint32_t, 4> words_{};
  uint64_t block_ = 0;
  uint64_t stream_ = 0;
  int used_ = 4;
};

/// A uniformly random order of 0 .. n-1 (Fisher-Yates); n < 0 is a UsageError.
std::vector<int64_t> permutation(int64_t n, Rng rng);

}  // namespace spiketrain
