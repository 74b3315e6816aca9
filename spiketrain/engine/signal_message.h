// A signal over a segment as bytes, for the process that has the next block.  Spikes travel as bits or, where they are few, as the
// gaps between them, whichever is less; the values that come out are the same to the bit.
// Tests: engine/signal_message_test.cpp.
#pragma once
#include "spiketrain/core/signal.h"

namespace spiketrain {

/// uint8 [n], on the CPU.  UsageError for times.
Tensor to_message(const Signal& x);
/// The same signal, detached, on `device`.  UsageError if the bytes are none of to_message().
Signal from_message(const Tensor& bytes, torch::Device device = torch::kCPU);

}  // namespace spiketrain
