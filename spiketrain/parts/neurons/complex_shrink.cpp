// Complex shrinkage without memory, analog: the activation of S-LISTA, with a learned threshold for each layer.
//   a[t] = S(I[t]),  S(z) = z * max(1 - threshold/|z|, 0);   currents [2C,*], real parts before imaginary parts
// The gradient is exact, of the pairs of real numbers: z*(1 - threshold/|z|) where |z| > threshold, 0 elsewhere.
// Source: soft shrinkage, as in ISTA for complex numbers; structure of S-LISTA as the abstract of arXiv 2412.04008 has it.
// Deviation: none.  State: none.  Tests: golden/slista_test.cpp, grad/neuron_test.cpp, property/neuron_test.cpp.
#include "spiketrain/parts/neurons/complex_shrink.h"

namespace spiketrain {
namespace {

struct ComplexShrink final : Stepped {
  static constexpr const char* kDoc =
      "shrinkage of complex numbers with a learned threshold, analog: for network slista";
  double threshold = 0.05;
  template <class V>
  void visit(V& v) {
    v(threshold, "threshold", "initial threshold; for ISTA its lambda times samples/grid", Range{0, 1e9});
  }
  void build(const Shape& shape) override {
    check_complex(shape, 2, part_name(), "pairs of real and imaginary parts, [2C,*]");
    threshold_ = register_parameter("threshold", torch::full({1}, threshold, torch::kFloat));
  }
  Emission emits() const override { return Emission::analog_values(); }
  /// A pair is not one neuron by itself, so that no derivative of a neuron by itself says what goes back.
  uint32_t provides() const override { return kU; }
  State initial(at::IntArrayRef /*shape*/, const torch::TensorOptions& /*options*/) const override {
    return {};
  }
  Step step(const Tensor& I, const State& /*state*/) const override {
    return {complex_shrink(I, threshold_), Tensor(), {}, I};
  }

 private:
  Tensor threshold_;
};
ST_REGISTER(Neuron, "complex_shrink", ComplexShrink);

}  // namespace
}  // namespace spiketrain
