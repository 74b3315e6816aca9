// Channel-wise parallel spiking neuron: each channel weighs its last k inputs, `dilation` steps apart, in its own way.
//   h[t,c] = sum_{i<k} Q(W[c,i]) * I[t - dilation*(k-1-i), c] + b[c];   s = H(h);   inputs before the first are zero
// Q: `quantizer`, of the weight that multiplies; with power_of_two products become shifts.  A fully connected layer's
// neurons are channels.
//   norm = none    W = weight, b = bias, which starts at -threshold
//   norm = batch   a batch norm of t1 = sum weight*I, per channel over time, samples and space, folded into the constants:
//                  W = weight * gamma * r,  b = bias - gamma * mean * r,  r = 1/sqrt(var + eps)
//                  In training the statistics are those of the segment (biased variance), and gradients pass through them;
//                  running ones, r += momentum * (batch - r) with the unbiased variance, stand in for them elsewhere.
// Source: "Multiplication-free parallelizable spiking neurons with efficient spatio-temporal dynamics", 2025
// (arXiv:2501.14490).  Deviation: the initial weights, ..., 1/4, 1/2, 1 (the newest), are those of sliding_psn; momentum and
// that gradients pass through the statistics are ours, where the text is silent.
// Page: docs/methods/psn.md.  Tests: grad/psn_test.cpp, golden/psn_test.cpp, unit/shift_add_test.cpp.
#pragma once
#include <string>

#include "spiketrain/core/synapse.h"
#include "spiketrain/parts/neurons/filter_neuron.h"

namespace spiketrain {

struct ChannelPsn final : FilterNeuron, NormedNeuron {
  static constexpr const char* kDoc =
      "parallel spiking neuron without reset that weighs its last k inputs, each channel by itself";
  Config quantizer = nullptr;
  std::string norm = "none";
  double momentum = 0.1, eps = 1e-5;
  template <class V>
  void visit(V& v) {
    visit_filter(v);
    v(quantizer, "quantizer", "of the weights that multiply the inputs; learning keeps full precision",
      OnePart<Quantizer>{"none"});
    v(norm, "norm", "batch: a batch norm per channel, folded into weights and threshold",
      Choices{{"none", "batch"}});
    v(momentum, "momentum", "weight of a batch in the norm's running statistics", Range{0, 1});
    v(eps, "eps", "added to the norm's variance", Range{1e-12, 1e6});
    core.visit(v);
  }
  void build(const Shape& shape) override;
  uint32_t provides() const override { return has_norm() ? kPsi : kU | kPsi; }
  /// Of run(), with the running statistics.
  Constants constants() const override;
  Credit vjp(const Record& record, const Tensor& delta, const State& g_after) const override;

  bool has_norm() const override { return norm == "batch"; }
  std::vector<Tensor> statistics() const override;
  void run_training(Record& record, bool moves) override;

  /// What multiplies, and what is added, as run() has them: [C,k] oldest tap first, [C].
  Tensor deployed_weight() const;
  Tensor deployed_bias() const;

 private:
  struct Folded {
    Tensor W, b;  ///< [C,k], [C]
  };
  /// With these statistics [C]; undefined: without a norm.
  Folded folded(const Tensor& mean, const Tensor& var) const;
  Constants constants_of(const Folded& f) const;
  /// The sum that the norm sees, as a filter.
  Constants raw() const;
  /// Mean and biased variance of that over steps, samples and space.
  struct Moments {
    Tensor mean, var;  ///< [C]
    int64_t count = 0;
  };
  Moments moments(const Record& record) const;
  Tensor per_channel(const Tensor& x) const;

  std::shared_ptr<const Quantizer> quantizer_;
  Tensor weight_, gamma_, bias_, mean_, var_;
  std::vector<int64_t> view_;  ///< of a value per channel, to broadcast
};

}  // namespace spiketrain
