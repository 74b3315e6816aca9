// Firing rates between two bounds.
//   f = mean over the steps and samples of a stretch of what a neuron sends: its spikes, or their PSP
//   penalty of a layer = weight * mean over neurons of ( max(0, lower - f)^2 + max(0, f - upper)^2 )
// With lower = upper = a target this is the regulariser of Bellec et al. 2020, "A solution to the learning dilemma for
// recurrent networks of spiking neurons"; two bounds: Perez-Nieves & Goodman 2021, "Sparse spiking gradient descent".
// Deviation: means over neurons where both papers sum; Bellec et al. have a target in Hz and a factor 1/2.
// Memory: one number per neuron.  In windows f is that of each window.
// Tests: engine/regularizers_test.cpp.
#include "spiketrain/core/regularizer.h"

namespace spiketrain {
namespace {

struct Rate final : Regularizer {
  static constexpr const char* kDoc = "spikes per neuron and step are kept between two bounds";
  double weight = 1, lower = 0.01, upper = 0.2;
  bool readouts = false;
  template <class V>
  void visit(V& v) {
    v(weight, "weight", "factor on the penalty", Range{0, 1e9});
    v(lower, "lower", "spikes per step below which there is a penalty; 0: no lower bound", Range{0, 1e3});
    v(upper, "upper", "spikes per step above which there is a penalty; lower = upper: a target",
      Range{0, 1e3});
    v(readouts, "readouts",
      "also penalise the output layer and local heads, whose rates the objective already drives");
  }
  void check() override {
    ST_CHECK(lower <= upper, "regularizer rate: expected lower <= upper, got ", lower, " and ", upper);
  }

  bool holds_for_readouts() const override { return readouts; }
  Tensor sums(const Record& record, const Tensor& valid) const override {
    if (record.a.defined()) return without_padding(record.a, valid).sum(at::IntArrayRef{0, 1});
    return without_padding(record.spikes().bytes(), valid)
        .sum(at::IntArrayRef{0, 1}, /*keepdim=*/false, torch::kInt64)
        .to(record.type);
  }
  Tensor value(const Tensor& sums, double places) const override {
    const Tensor f = sums / places;
    return ((lower - f).clamp_min(0).square() + (f - upper).clamp_min(0).square()).mean() * weight;
  }
  Slope slope(const Record& /*record*/, const Tensor& sums, double places) const override {
    const Tensor f = sums / places;
    const double factor = 2 * weight / (places * static_cast<double>(f.numel()));
    return {(((f - upper).clamp_min(0) - (lower - f).clamp_min(0)) * factor).unsqueeze(0).unsqueeze(0), {}};
  }
};
ST_REGISTER(Regularizer, "rate", Rate);

}  // namespace
}  // namespace spiketrain
