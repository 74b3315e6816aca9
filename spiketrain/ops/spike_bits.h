// Spikes as bits; contract in kernels/spike_bits/spike_bits.h.  Tests: unit/spikes_test.cpp.
#pragma once
#include <vector>

#include "spiketrain/kernels/event_conv/event_conv.h"
#include "spiketrain/ops/torch.h"

namespace spiketrain::ops {
using torch::Tensor;

/// Small integers [T,B,*] as planes of bits, on the CPU.  Sites lie in the order of memory, of maps [C,H,W] pixel by
/// pixel; every step begins with a word of its own.
struct Bits {
  Tensor words;                              ///< int64: planes, in each all steps
  std::vector<int64_t> sizes;                ///< [T,B,*]; T may be a part of the steps in `words`
  int64_t planes = 1, first = 0, steps = 0;  ///< first: where T begins among the `steps` that `words` holds

  bool defined() const { return words.defined(); }
  int64_t sites() const;  ///< of one sample at one step
  int64_t images() const { return sizes[0] * sizes[1]; }
  /// For kernels.
  cpu::BitMaps maps() const;
  /// Steps [begin, end), sharing storage.
  Bits slice(int64_t begin, int64_t end) const;
};

/// Memory for numbers [T,B,*] below 2^planes, which a kernel writes: all words of each step.
Bits empty_bits(at::IntArrayRef sizes, int64_t planes);

/// Where a scan leaves the spikes of its neurons: an array [T,*] of uint8, or bits.
struct SpikesOut {
  Tensor bytes;
  Bits bits = {};

  bool defined() const { return bytes.defined() || bits.defined(); }
  uint64_t* words() const;  ///< of one plane; null without bits
};

/// s [T,B,*] uint8 on the CPU, at most 2^planes - 1.  `total`, unless null: their sum.
Bits pack(const Tensor& s, int64_t planes, int64_t* total);
/// Their sum.
int64_t count(const Bits& x);
/// scale times the numbers of samples [begin, end) of T*B: [end - begin, *], maps channels last.  uint8 (with scale 1), float
/// or double.
Tensor unpack(const Bits& x, int64_t begin, int64_t end, torch::ScalarType type, double scale = 1);
/// Sums over k x k windows with stride k of maps; rows and columns that do not fill a window are ignored.  UsageError unless
/// the sums are at most 255.
Bits sum_pool(const Bits& x, int64_t k);

}  // namespace spiketrain::ops
