// A signal over a segment as bytes, for the process that has the next block.  Spikes travel as bits or, where they are few, as the
// gaps between them, whichever is less; the values that come out are the same to the bit.
// Tests: engine/signal_message_test.cpp.
#pragma once
#include "spiketrain/core/signal.h"

namespace spiketrain {

/// uint8 [n], on the CPU.  UsageError for times.
Tensor to_message(const Signal& x);
/// Detached.  UsageError if the bytes are none of to_message().
Signal from_message(const Tensor& bytes);

/// Bytes of so many sites with this share of spikes: what to_message() takes for them, to a percent.
int64_t message_bytes(int64_t steps, int64_t sites, double density);

}  // namespace spiketrain
