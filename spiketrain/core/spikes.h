// Spikes = what the neurons of one layer sent over a segment: small whole numbers, mostly 0 and 1, without gradient.
// How they are stored (on the CPU one bit each, counts some bits) is this class's own affair: whoever needs them asks
// for the form it wants.
#pragma once
#include "spiketrain/ops/spike_bits.h"

namespace spiketrain {
using torch::Tensor;

class Spikes {
 public:
  Spikes() = default;
  /// s [T,B,*] uint8; every element at most `levels` (1: spikes; more: counts).  `total`: their sum, or -1 if it is
  /// not known.  UsageError for another type.
  static Spikes from_bytes(const Tensor& s, int64_t total = -1, int64_t levels = 1);
  /// The same from bits.
  static Spikes from_bits(ops::Bits bits, int64_t total = -1, int64_t levels = 1);

  bool defined() const { return bits_.defined() || bytes_.defined(); }
  at::IntArrayRef sizes() const { return bits_.defined() ? at::IntArrayRef(bits_.sizes) : bytes_.sizes(); }
  torch::Device device() const { return bits_.defined() ? torch::Device(torch::kCPU) : bytes_.device(); }
  /// Undefined unless they are on the CPU.
  const ops::Bits& bits() const { return bits_; }
  /// [T,B,*] uint8.
  Tensor bytes() const;
  /// [T,B,*] in a floating-point type.
  Tensor dense(torch::ScalarType type) const;
  /// Samples [begin, end) of the T*B, times `scale`, in a floating-point type: [end - begin, *].
  Tensor rows(int64_t begin, int64_t end, torch::ScalarType type, double scale = 1) const;
  /// Greatest value a site can hold.
  int64_t levels() const { return levels_; }
  /// Number of sites a spike could have been at: T*B*...
  int64_t sites() const { return c10::multiply_integers(sizes()); }
  /// Sum of all elements, counted now if it was not known when they were made.
  int64_t total() const;
  /// total() / sites()
  double density() const { return static_cast<double>(total()) / static_cast<double>(sites()); }
  /// Steps [begin, end), sharing storage; its total is counted.
  Spikes slice(int64_t begin, int64_t end) const;

 private:
  ops::Bits bits_;
  Tensor bytes_;  ///< where they are not on the CPU
  int64_t total_ = -1, levels_ = 1;
};

}  // namespace spiketrain
