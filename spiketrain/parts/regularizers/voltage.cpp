// Membranes between two bounds.
//   penalty of a layer = weight * mean over neurons, steps, samples of ( max(0, u - upper)^2 + max(0, lower - u)^2 )
// u is the membrane before the reset.
// Source: Bellec et al. 2020, "A solution to the learning dilemma for recurrent networks of spiking neurons", whose bounds
// are the threshold and its negative.  Deviation: a mean where they sum; fixed bounds, not the adaptive threshold.
// Memory: u and the input current for the steps of a segment.  Time: the adjoint once more, step by step.
// Unsupported: rules with neither the neuron's adjoint nor locality in time (tssl_bp).
// Tests: engine/regularizers_test.cpp.
#include "spiketrain/core/regularizer.h"

namespace spiketrain {
namespace {

struct Voltage final : Regularizer {
  static constexpr const char* kDoc = "membrane potentials before reset are kept between two bounds";
  double weight = 1, lower = -1, upper = 1;
  template <class V>
  void visit(V& v) {
    v(weight, "weight", "factor on the penalty", Range{0, 1e9});
    v(lower, "lower", "membrane potential below which there is a penalty, unit of the threshold",
      Range{-1e9, 1e9});
    v(upper, "upper", "membrane potential above which there is a penalty", Range{-1e9, 1e9});
  }
  void check() override {
    ST_CHECK(lower <= upper, "regularizer voltage: expected lower <= upper, got ", lower, " and ", upper);
  }
  uint32_t needs() const override { return kU; }

  Tensor sums(const Record& record, const Tensor& valid) const override {
    const Tensor each = (record.u - upper).clamp_min(0).square() + (lower - record.u).clamp_min(0).square();
    return without_padding(each, valid).sum(at::IntArrayRef{0, 1});
  }
  Tensor value(const Tensor& sums, double places) const override { return sums.mean() * (weight / places); }
  Slope slope(const Record& record, const Tensor& sums, double places) const override {
    const double factor = 2 * weight / (places * static_cast<double>(sums.numel()));
    return {{}, ((record.u - upper).clamp_min(0) - (lower - record.u).clamp_min(0)) * factor};
  }
};
ST_REGISTER(Regularizer, "voltage", Voltage);

}  // namespace
}  // namespace spiketrain
