// Tandem learning: forward the spiking layer, backward the gradient of an analog one, which shares its weights and reads the same spike counts.
//   a~ = max(0, S),  S = sum_t I[t] = W count_in + b       the analog branch; the spike count of the neuron takes the place of its value
//   g[t] = delta * [S > 0],  the same at every step;   q[t] = x[t];   so dW = g (x) sum_t x[t] = g (x) count_in
// delta = dL/d(count) is dL/da[t], the same at every t, as the loss and what lies between read nothing but counts; a delta that differs from step
// to step is refused.  Analog neurons are their own analog branch: their adjoint, as under bptt.
// With a norm of counts (count_bias, count_bn) S is what the norm makes of the sum, and its adjoint follows in autograd.
// Source: Wu et al. 2021, "A tandem learning rule for effective training and rapid inference of deep spiking neural networks", and Wu et al.
// 2021, "Progressive tandem learning for pattern recognition with deep spiking neural networks", both by their released code
// (deepspike/tandem_learning, 006feb1; deepspike/progressive_tandem_learning, 3c1cafa).  Deviation: with count_bn's fold "released", the mask
// is that of the folded current (which the neuron gets); there it is that of the analog branch.
// Memory: the currents of all steps.  Time: one forward scan; dW is one product with the counts.
// Unsupported: neurons that do not keep their charge at a spike (hard reset), or have parameters.  Page: docs/methods/tandem.md.
// Tests: golden/tandem_test.cpp, grad/tandem_test.cpp, unit/tandem_parts_test.cpp.
#include "spiketrain/core/counts.h"
#include "spiketrain/core/rule.h"
#include "spiketrain/ops/layout.h"
#include "spiketrain/ops/reduce.h"

namespace spiketrain {
namespace {

/// sum_t x[t] -> [1,B,*]
Tensor count_over_steps(const Tensor& x) {
  return ops::sum_steps(x, torch::ones({x.size(0)}, torch::kDouble)).unsqueeze(0);
}

/// dL/d(count) [1,B,*] from dL/da [T,B,*].  UsageError if the steps differ.
Tensor delta_of_count(const Tensor& delta) {
  constexpr double kTolerance = 1e-3;  // sums in another order differ by rounding
  const int64_t T = delta.size(0);
  if (T == 1 || ops::repeats(delta)) return delta.slice(0, 0, 1);
  const Tensor mean = count_over_steps(delta) / static_cast<double>(T);
  if (delta.numel() == 0) return mean;
  const double size = delta.abs().max().item<double>();
  const double apart = (delta - mean).abs().max().item<double>();
  ST_CHECK(
      !(apart > kTolerance * size),  // numbers that are not finite are for others to see
      "rule tandem: the gradient is that of spike counts, so the error at a layer's output has to be the same "
      "at every step, but steps differ by ",
      apart, " where the error is up to ", size,
      "; use an objective of the sum or mean over the steps (rate_ce, count, mse_count), a readout without memory (leaky_readout "
      "with leak = 0), and rule tandem in the layers above");
  return mean;
}

struct Tandem final : Rule, OfCounts {
  static constexpr const char* kDoc =
      "forward the spiking layer, gradient of a ReLU of the current summed over the steps (tandem learning)";
  template <class V>
  void visit(V&) {}
  /// A membrane that spikes do not rob of charge: soft reset.
  uint32_t needs() const override { return kI | kLeak; }
  bool works_by_step() const override { return false; }
  bool teaches_neuron() const override { return false; }
  bool q_is_input() const override { return true; }
  Credit credit(const Neuron& neuron, const Record& record, const Tensor& delta,
                const State& g_after) const override {
    if (neuron.emits().analog()) return neuron.vjp(record, delta, g_after);
    const torch::NoGradGuard no_grad;
    const Tensor g = delta_of_count(delta) * (count_over_steps(record.I) > 0);
    return {ops::spread_steps(g, torch::ones({record.I.size(0)}, g.options()))};
  }
  Tensor weight_gradient(const Synapse& synapse, const Record& record, const Presynaptic& pre,
                         const Tensor& g) const override {
    // They differ behind a readout with memory, and where a penalty adds an error signal of each step.
    const bool alike = (g == g.slice(0, 0, 1)).all().item<bool>();
    if (pre.q.is_constant() || !alike) return Rule::weight_gradient(synapse, record, pre, g);
    return synapse.outer(g.slice(0, 0, 1), Signal::dense(count_over_steps(pre.q.values())));
  }
};
ST_REGISTER(Rule, "tandem", Tandem);

}  // namespace
}  // namespace spiketrain
