// Rectified linear unit of the whole sequence, for an analog layer that reads spike counts:
//   S = sum_t I[t];   a[1] = max(0, S),  a[t] = 0 afterwards
// What it sends adds up to what it computed, as a spiking layer's spikes add up to their count, so that layers of both kinds can follow
// each other.  With one step it is relu.  Gradient: dL/dI[t] = delta[1] where S > 0, else 0, the same at every step.
// Source: the analog layers of progressive tandem learning (deepspike/progressive_tandem_learning, 3c1cafa), which read counts;
// that they send at the first step is ours.  State: none; the sequence comes in one segment.
// Page: docs/methods/tandem.md.  Tests: unit/tandem_parts_test.cpp, grad/tandem_test.cpp.
#include "spiketrain/core/neuron.h"
#include "spiketrain/ops/reduce.h"

namespace spiketrain {
namespace {

struct CountRelu final : Neuron {
  static constexpr const char* kDoc =
      "ReLU of the current summed over the steps, sent at the first of them: an analog layer that reads counts";
  template <class V>
  void visit(V&) {}
  Emission emits() const override { return Emission::analog_values(); }
  bool whole_sequence() const override { return true; }
  /// The running sum of the current is its membrane.
  uint32_t provides() const override { return kLeak; }
  double leak() const override { return 1; }
  State initial(at::IntArrayRef /*shape*/, const torch::TensorOptions& /*options*/) const override {
    return {};
  }
  void run(Record& record, Steps now) const override {
    const torch::NoGradGuard no_grad;
    ST_CHECK(now.size() == record.I.size(0), "neuron count_relu: expected all ", record.I.size(0),
             " steps at once, got ", now.size());
    record.a.zero_();
    record.a.slice(0, 0, 1).copy_(torch::relu(sum(record.I)));
  }
  Credit vjp(const Record& record, const Tensor& delta, const State& /*g_after*/) const override {
    const torch::NoGradGuard no_grad;
    const Tensor g = delta.slice(0, 0, 1) * (sum(record.I) > 0);
    return {ops::spread_steps(g, torch::ones({record.I.size(0)}, g.options()))};
  }

 private:
  /// [1,B,*]
  static Tensor sum(const Tensor& I) {
    return ops::sum_steps(I, torch::ones({I.size(0)}, torch::kDouble)).unsqueeze(0);
  }
};
ST_REGISTER(Neuron, "count_relu", CountRelu);

}  // namespace
}  // namespace spiketrain
