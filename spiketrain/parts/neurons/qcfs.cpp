// Quantise, clip, floor, shift: the analog activation that an integrate-and-fire neuron with half its threshold as initial membrane
// potential computes on average, for the analog network before a conversion.  Without memory; x = I[t], L levels, `up` learned:
//   order clip    y = up * floor(L * clip(x/up, 0, 1) + 1/2) / L
//   order floor   y = up * clip(floor(L * x/up + 1/2) / L, 0, 1)
// The values are the same.  floor is passed straight through, so the clip decides where the gradient passes:
//   clip    where 0 <= x/up <= 1;   floor   where -1/2L <= x/up < 1 + 1/2L
//   dy/dx = m,  dy/d(up) = y/up - m x/up,  m = 1 there and 0 elsewhere
// Sources: Bu et al. 2022, "Optimal ANN-SNN conversion for high-accuracy and ultra-low-latency spiking neural networks" (clip); the code of
// hybrid step-wise distillation (hsw0929/HSD) (floor).  Deviation: none.  State: none.
// Tests: golden/qcfs, unit/qcfs_test.cpp, grad/neuron, property/neuron.
#include "spiketrain/core/neuron.h"

namespace spiketrain {
namespace {

struct Qcfs final : Stepped {
  static constexpr const char* kDoc =
      "quantised and clipped linear unit with a learned range, analog: trained, then converted to spikes";
  int64_t levels = 4;
  double initial_up = 8;
  std::string order = "clip";
  Tensor up;  ///< scalar parameter
  template <class V>
  void visit(V& v) {
    v(levels, "levels", "number L of steps between 0 and the greatest value", Range{1, 1 << 16});
    v(initial_up, "initial_up", "greatest value `up`, which is learned, one for the layer: where it starts",
      Range{1e-6, 1e9});
    v(order, "order",
      "clip, then floor, or floor, then clip: the values are the same, the gradient of the second passes half a level "
      "further on both sides",
      Choices{{"clip", "floor"}});
  }
  void build(const Shape& /*shape*/) override {
    up = register_parameter("up", torch::full({}, initial_up, torch::kFloat));
  }
  Emission emits() const override { return Emission::analog_values(); }
  uint32_t provides() const override { return kU | kPsi; }
  State initial(at::IntArrayRef /*shape*/, const torch::TensorOptions& /*options*/) const override {
    ST_CHECK(up.defined(), "neuron: build() comes before its first state");
    return {};
  }
  Step step(const Tensor& I, const State& /*state*/) const override {
    const Tensor x = I / up;
    const Tensor share = order == "clip" ? level(torch::clamp(x, 0, 1)) : torch::clamp(level(x), 0, 1);
    return {up * share, Tensor(), {}, I};
  }

 private:
  /// The nearest of the levels, with the gradient of x.
  Tensor level(const Tensor& x) const {
    const auto L = static_cast<double>(levels);
    return torch::floor(x.detach() * L + 0.5) / L + (x - x.detach());
  }
};
ST_REGISTER(Neuron, "qcfs", Qcfs);

}  // namespace
}  // namespace spiketrain
