// Rectified linear unit, for an analog network beside a spiking one: a[t] = max(0, I[t]), without memory.
//   ceiling c > 0   a = min(max(0, I), c)
//   bits K > 0      and cut to K binary digits below c:  a = c * floor(2^K * I/c) / 2^K, at most c*(1 - 2^-K)
// The gradient is 1 where 0 <= I <= c (without a ceiling where I > 0), else 0: passed straight through the cut.
// With bits, ceiling 1 and one step, a network of these and one of phase_if with as many phases compute the same.
// Source: the usual definition; the cut and its gradient as in quantisation-aware training.  Deviation: none.  State: none.
// Tests: unit/phase_test.cpp, grad/neuron, property/neuron.
#include <cmath>

#include "spiketrain/core/neuron.h"

namespace spiketrain {
namespace {

struct ReluNeuron final : Stepped {
  static constexpr const char* kDoc = "rectified linear unit, analog: for a network beside a spiking one";
  double ceiling = 0;
  int64_t bits = 0;
  template <class V>
  void visit(V& v) {
    v(ceiling, "ceiling", "greatest value; 0: none", Range{0, 1e9});
    v(bits, "bits", "the value is cut to so many binary digits below the ceiling; 0: not", Range{0, 24});
  }
  void check() override {
    ST_CHECK(bits == 0 || ceiling > 0, "neuron relu: bits are digits below the ceiling; set ceiling = 1");
  }
  Emission emits() const override { return Emission::analog_values(); }
  uint32_t provides() const override { return kU | kPsi; }
  State initial(at::IntArrayRef /*shape*/, const torch::TensorOptions& /*options*/) const override {
    return {};
  }
  Step step(const Tensor& I, const State& /*state*/) const override {
    if (ceiling == 0) return {torch::relu(I), Tensor(), {}, I};
    const Tensor a = torch::clamp(I, 0, ceiling);
    if (bits == 0) return {a, Tensor(), {}, I};
    const double levels = std::ldexp(1.0, static_cast<int>(bits));
    const Tensor level = torch::clamp(torch::floor(I.detach() * (levels / ceiling)), 0, levels - 1);
    return {level * (ceiling / levels) + (a - a.detach()), Tensor(), {}, I};
  }
};
ST_REGISTER(Neuron, "relu", ReluNeuron);

}  // namespace
}  // namespace spiketrain
