// Neurons of the PSN family that read the last k steps, every `dilation`-th: sliding_psn and cw_psn.
// Forward k shifted sums over all steps at once, backward the same; step by step with the last inputs as state
// {x[t-1], ..., x[t-depth]}.
// Tests: grad/psn_test.cpp, golden/psn_test.cpp, property/neuron_test.cpp.
#pragma once
#include "spiketrain/core/extras.h"
#include "spiketrain/parts/neurons/psn_core.h"
#include "spiketrain/parts/neurons/time_filter.h"

namespace spiketrain {

struct FilterNeuron : Stepped, Dilated {
  PsnCore core;
  int64_t k = 4, dilation = 1;

  template <class V>
  void visit_filter(V& v) {
    v(k, "k", "taps: how many steps a neuron reads", Range{1, 1 << 12});
    v(dilation, "dilation", "steps between two taps; network.dilations hands them out layer by layer",
      Range{1, 1 << 12});
  }
  int64_t dilation_now() const override { return dilation; }
  void dilate(int64_t steps) override { dilation = steps; }
  int64_t depth() const { return dilation * (k - 1); }

  /// What a step is made with, in autograd: taps, oldest first, and the bias, which expand to [B,*].
  struct Constants {
    std::vector<Tensor> taps;
    Tensor bias;
  };
  virtual Constants constants() const = 0;

  uint32_t provides() const override { return kU | kPsi; }
  uint32_t vjp_reads(const Tensor& /*I*/) const override { return kI | kU; }
  State initial(at::IntArrayRef shape, const torch::TensorOptions& options) const override;
  Step step(const Tensor& I, const State& state) const override;
  void run(Record& record, Steps steps) const override;
  Credit vjp(const Record& record, const Tensor& delta, const State& g_after) const override;

 protected:
  /// run() with these constants.
  void run_with(Record& record, Steps steps, const Constants& c) const;
  /// Samples [i, j) of an array [T,B,*].
  using ShareOf = std::function<Tensor(int64_t i, int64_t j)>;
  /// dL/dh from dL/ds; what it is given must live on.
  ShareOf error_at_membrane(const Record& record, const Tensor& delta) const;
  /// What goes back through the sum h = filter(x) + bias with these constants, from dL/dh: dL/dI, dL/d(state before), and
  /// dL/d(taps), dL/d(bias).
  struct SumCredit {
    FilterAdjoint filter;
    Tensor g_bias;
  };
  SumCredit sum_credit(const Record& record, const Constants& c, const ShareOf& gh_of) const;
  /// dL/d(parameters) of `from`, functions of them, whose gradients are `g`; `more` are further leaves, whose gradients
  /// are appended.
  std::vector<Tensor> pulled(const Constants& from, const SumCredit& g,
                             const std::vector<Tensor>& more = {}) const;
  static Constants detached(const Constants& c);
};

}  // namespace spiketrain
