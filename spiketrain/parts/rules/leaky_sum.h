// The trace that the rules of this folder keep: y[t] = leak*y[t-1] + x[t], y before the first step = 0.
// Every step is a product and a sum of its own, so that the bits depend neither on segments nor on threads.
#pragma once
#include "spiketrain/core/signal.h"

namespace spiketrain {

/// The value of an option `trace_leak` that stands for the leak of the neuron, and what to do where it has none.
inline constexpr double kLeakOfNeuron = -1;
inline constexpr const char* kGiveTraceLeak =
    "give the trace a leak of its own (trace_leak), an approximation then";
/// UsageError unless leak is between 0 and 1 or stands for the neuron's.
inline void check_trace_leak(const char* rule, double leak) {
  ST_CHECK(leak == kLeakOfNeuron || leak >= 0, "rule ", rule,
           ": expected a trace_leak between 0 and 1, or -1, got ", leak);
}

/// x [T,*] -> y [T,*].  `carried`: y before the segment (undefined: 0), replaced by y after it.  x and what it is made
/// of are never written to, so that y may share their memory.
inline Tensor leaky_sum(const Tensor& x, double leak, Tensor& carried) {
  const int64_t T = x.size(0);
  const auto next = [leak](const Tensor& y, const Tensor& now) {
    return y.defined() ? y.mul(leak).add_(now) : now;
  };
  if (T == 1) {
    carried = next(carried, x[0]);
    return carried.unsqueeze(0);
  }
  const Tensor y = torch::empty(x.sizes(), x.options());
  for (int64_t t = 0; t < T; ++t) {
    Tensor here = y[t];
    if (!carried.defined()) {
      here.copy_(x[t]);
    } else {
      at::mul_out(here, carried, torch::scalar_tensor(leak, x.options())).add_(x[t]);
    }
    carried = here;
  }
  carried = carried.clone();  // the segment's memory may go
  return y;
}

/// The same of a signal.  One that is constant stays so, with its profile summed.  `trace`: {y before the segment},
/// empty before the first.
inline Signal leaky_sum(const Signal& x, double leak, std::vector<Tensor>& trace) {
  if (trace.empty()) trace.emplace_back();
  if (!x.is_constant()) return Signal::dense(leaky_sum(x.values(), leak, trace[0]));
  const Tensor gain = x.gain();  // T numbers
  Tensor carried = trace[0];
  const Tensor y = leaky_sum(gain.to(torch::kCPU, torch::kDouble), leak, carried);
  trace[0] = carried;
  return Signal::constant(x.image(), y.to(gain.options()));
}

}  // namespace spiketrain
