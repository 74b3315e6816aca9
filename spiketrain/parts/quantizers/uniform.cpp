// Uniform symmetric quantization of a weight, straight through in the backward direction:
//   step = max|W| / (2^(bits-1) - 1);  W_q = step * round(W / step);  dL/dW = dL/dW_q;   bits = 1: W_q = mean|W| * sign(W)
// With scale = "power_of_two" the step is the power of two that loses least, sum (W_q - W)^2, and weights beyond the levels are cut; bits = 1: the
// power of two next to mean|W|, in its logarithm.  Such weights are integers on the scale of a layer, as deploy/program.h has them.
// The full-precision weight stays what the optimizer updates.
// Source: Bengio, Leonard & Courville 2013, "Estimating or propagating gradients through stochastic neurons for conditional
// computation" (straight-through estimator); the binary form: Rastegari et al. 2016, "XNOR-Net", one scale per tensor.
// Deviation: sign(0) is +1.  Tests: unit/quantizer_test.cpp.
#include <cmath>

#include "spiketrain/core/synapse.h"
#include "spiketrain/ops/one_thread.h"

namespace spiketrain {
namespace {

struct Uniform final : Quantizer {
  static constexpr const char* kDoc =
      "symmetric levels of equal distance, one scale per weight tensor; the gradient passes straight through";
  int64_t bits = 8;
  std::string scale = "largest";
  template <class V>
  void visit(V& v) {
    v(bits, "bits", "bits per weight, sign included; 1: two values", Range{1, 16});
    v(scale, "scale",
      "distance of the levels: largest: the largest weight is a level; power_of_two: a power of two, with which `spiketrain export c` is exact",
      Choices{{"largest", "power_of_two"}});
  }
  Tensor apply(const Tensor& W) const override {
    const Tensor w = W.detach();
    const ops::OneThread one_thread;
    const Tensor q = bits == 1 ? two_values(w) : scale == "largest" ? by_largest(w) : by_power_of_two(w);
    return q + (W - w);  // the value is exactly q, the gradient that of W
  }

 private:
  double levels() const { return static_cast<double>((int64_t{1} << (bits - 1)) - 1); }
  Tensor two_values(const Tensor& w) const {
    Tensor size = w.abs().mean();
    if (scale == "power_of_two") size = torch::exp2(torch::round(torch::log2(size)));
    return torch::where(w >= 0, torch::ones_like(w), -torch::ones_like(w)) * size;
  }
  Tensor by_largest(const Tensor& w) const {
    const Tensor step = w.abs().max().clamp_min(1e-30) / levels();
    return torch::round(w / step) * step;
  }
  Tensor by_power_of_two(const Tensor& w) const {
    const double most = w.abs().max().item<double>();
    if (!(most > 0) || !std::isfinite(most)) return w;
    // From where the largest weight is not cut to where most weights are: what few large ones lose may be less than what the others gain.
    const auto first = static_cast<int>(std::ceil(std::log2(most / levels())));
    const auto last = static_cast<int>(std::floor(std::log2(w.abs().mean().item<double>() / levels()))) - 1;
    Tensor best;
    double least = 0;
    for (int e = first; e >= std::min(last, first - 3); --e) {
      const double step = std::ldexp(1.0, e);
      const Tensor q = torch::clamp(torch::round(w / step), -levels(), levels()) * step;
      const double lost = (q - w).square().sum().item<double>();
      if (best.defined() && lost >= least) continue;
      best = q;
      least = lost;
    }
    return best;
  }
};
ST_REGISTER(Quantizer, "uniform", Uniform);

}  // namespace
}  // namespace spiketrain
