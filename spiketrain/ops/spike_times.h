// Spikes as lists of exact times, sample by sample: what event-driven layers send to each other.
#pragma once
#include <vector>

#include "spiketrain/ops/torch.h"

namespace spiketrain {
using torch::Tensor;

/// n spikes of B samples of N elements over [0, steps): the time is in steps, and need not be an integer.
struct SpikeTimes {
  Tensor time;    ///< [n] double; of each sample by rising time; in autograd where a signal carries it
  Tensor index;   ///< [n] int64: which element of the sample, 0 .. elements-1
  Tensor offset;  ///< [B+1] int64: those of sample b are offset[b] .. offset[b+1]
  int64_t elements = 0, steps = 0;

  int64_t batch() const { return offset.size(0) - 1; }
  /// UsageError unless tensors are of these shapes and types, on the CPU, contiguous, the times are numbers from 0 on
  /// and rise, and the indices are in range.
  void check() const;
  /// From spikes or counts [T,B,*] uint8: one in step t is at time t.
  static SpikeTimes from_steps(const Tensor& bytes);
};

}  // namespace spiketrain
