// Uniform symmetric quantization of a weight, straight through in the backward direction:
//   step = max|W| / (2^(bits-1) - 1);  W_q = step * round(W / step);  dL/dW = dL/dW_q;   bits = 1: W_q = mean|W| * sign(W)
// The full-precision weight stays what the optimizer updates.
// Source: Bengio, Leonard & Courville 2013, "Estimating or propagating gradients through stochastic neurons for conditional
// computation" (straight-through estimator); the binary form: Rastegari et al. 2016, "XNOR-Net", one scale per tensor.
// Deviation: sign(0) is +1.  Tests: unit/quantizer_test.cpp.
#include "spiketrain/core/synapse.h"
#include "spiketrain/ops/one_thread.h"

namespace spiketrain {
namespace {

struct Uniform final : Quantizer {
  static constexpr const char* kDoc =
      "symmetric levels of equal distance, one scale per weight tensor; straight through";
  int64_t bits = 8;
  template <class V>
  void visit(V& v) {
    v(bits, "bits", "bits per weight, sign included; 1: two values", Range{1, 16});
  }
  Tensor apply(const Tensor& W) const override {
    const Tensor w = W.detach();
    Tensor q;
    if (bits == 1) {
      const ops::OneThread one_thread;
      q = torch::where(w >= 0, torch::ones_like(w), -torch::ones_like(w)) * w.abs().mean();
    } else {
      const double levels = static_cast<double>((int64_t{1} << (bits - 1)) - 1);
      const Tensor step = w.abs().max().clamp_min(1e-30) / levels;
      q = torch::round(w / step) * step;
    }
    return q + (W - w);  // the value is q to the bit, the gradient that of W
  }
};
ST_REGISTER(Quantizer, "uniform", Uniform);

}  // namespace
}  // namespace spiketrain
