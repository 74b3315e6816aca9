// Constant current: each value drives a LIF neuron of its own, whose spikes are what is sent.
//   u[t] = leak*u[t-1] + (1 - leak)*x,  a spike where u[t] > threshold, which sets u to 0
// Source: Norse's ConstantCurrentLIFEncoder; its defaults (tau_mem = 10 ms, dt = 1 ms) are leak = 0.9, threshold = 1.  Deviation: none.
// Tests: unit/encoder_test.cpp.
#include "spiketrain/core/encoder.h"

namespace spiketrain {
namespace {

struct ConstantCurrent final : Encoder {
  static constexpr const char* kDoc =
      "a LIF neuron for each value, driven by the value as constant current, makes the spikes";
  double leak = 0.9, threshold = 1.0;
  template <class V>
  void visit(V& v) {
    v(leak, "leak", "decay of the membrane per step", Range{0, 1});
    v(threshold, "threshold", "firing threshold of these neurons; the reset is to 0", Range{1e-9, 1e9});
  }
  /// Runs from the first step whatever the segment, so that segments join.
  Signal encode(const Batch& batch, const Request& request) const override {
    const Tensor current = batch.x * (1 - leak);
    Tensor u = torch::zeros_like(current);
    std::vector<Tensor> steps;
    for (int64_t t = 0; t < request.t1; ++t) {
      u = leak * u + current;
      const Tensor s = u > threshold;
      u = u.masked_fill(s, 0);
      if (t >= request.t0) steps.push_back(s.to(torch::kUInt8));
    }
    return Signal::spikes(Spikes::from_bytes(torch::stack(steps)), batch.x.scalar_type());
  }
};
ST_REGISTER(Encoder, "constant_current", ConstantCurrent);

}  // namespace
}  // namespace spiketrain
