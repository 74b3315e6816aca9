// A neuron: leaky integrate and fire with a threshold that rises with every spike and falls back.
//   u[t] = leak*v[t-1] + I[t];  s[t] = H(u[t] - threshold - b[t-1]);  v[t] = u[t]*(1 - s[t])
//   b[t] = decay*b[t-1] + rise*s[t]
// State: {v, b}, both [B,*].
#include "spiketrain/core/neuron.h"

#include "spiketrain/ops/surrogate.h"

namespace {

using namespace spiketrain;

struct MyAdaptive final : Stepped {
  static constexpr const char* kDoc = "leaky integrate and fire with an adaptive threshold";
  double leak = 0.8, threshold = 1, rise = 0.2, decay = 0.9;
  template <class V>
  void visit(V& v) {
    v(leak, "leak", "membrane decay per step", Range{0, 1});
    v(threshold, "threshold", "firing threshold at rest, unit of the weights", Range{1e-9, 1e9});
    v(rise, "rise", "what a spike adds to the threshold", Range{0, 1e9});
    v(decay, "decay", "of the added threshold, per step", Range{0, 1});
  }
  void build(const Shape&) override { curve_ = surrogate_curve("atan", /*scale=*/0, threshold); }
  uint32_t provides() const override { return kPsi; }
  State initial(at::IntArrayRef shape, const torch::TensorOptions& options) const override {
    return {torch::zeros(shape, options), torch::zeros(shape, options)};
  }
  Step step(const Tensor& I, const State& state) const override {
    const Tensor u = leak * state[0] + I;
    const Tensor s = spike(u - threshold - state[1], curve_, /*strict=*/false);
    return {s, s, {u * (1 - s), decay * state[1] + rise * s}};
  }

 private:
  SurrogateCurve curve_;
};
ST_REGISTER(Neuron, "my_adaptive", MyAdaptive);

}  // namespace
