// Spikes = what the neurons of one layer sent over a segment: small whole numbers, mostly 0 and 1, without gradient.
// How they are stored (one byte each at present) is this class's own affair: whoever needs them asks for the form
// it wants.
#pragma once
#include "spiketrain/ops/torch.h"

namespace spiketrain {
using torch::Tensor;

class Spikes {
 public:
  Spikes() = default;
  /// s [T,B,*] uint8; every element at most `levels` (1: spikes; more: counts).  `total`: their sum, or -1 if it is
  /// not known.  UsageError for another type.
  static Spikes from_bytes(Tensor s, int64_t total = -1, int64_t levels = 1);

  bool defined() const { return bytes_.defined(); }
  /// [T,B,*] uint8, contiguous.
  const Tensor& bytes() const { return bytes_; }
  /// [T,B,*] in a floating-point type.
  Tensor dense(torch::ScalarType type) const { return bytes_.to(type); }
  /// Greatest value a site can hold.
  int64_t levels() const { return levels_; }
  /// Number of sites a spike could have been at: T*B*...
  int64_t sites() const { return bytes_.numel(); }
  /// Sum of all elements, counted now if it was not known when they were made.
  int64_t total() const;
  /// total() / sites()
  double density() const { return static_cast<double>(total()) / static_cast<double>(sites()); }
  /// Steps [begin, end), sharing storage; its total is counted anew.
  Spikes slice(int64_t begin, int64_t end) const;

 private:
  Tensor bytes_;
  int64_t total_ = -1, levels_ = 1;
};

}  // namespace spiketrain
