// A plugin of one neuron: integrate and fire.
#include "spiketrain/core/neuron.h"

#include "spiketrain/ops/surrogate.h"

namespace spiketrain {
namespace {

struct PluginIf final : Stepped {
  static constexpr const char* kDoc = "integrate and fire, of a plugin";
  double threshold = 1;
  template <class V>
  void visit(V& v) {
    v(threshold, "threshold", "firing threshold, unit of the weights", Range{1e-9, 1e9});
  }
  void build(const Shape&) override { curve_ = surrogate_curve("atan", 0, threshold); }
  uint32_t provides() const override { return kPsi; }
  State initial(at::IntArrayRef shape, const torch::TensorOptions& options) const override {
    return {torch::zeros(shape, options)};
  }
  Step step(const Tensor& I, const State& state) const override {
    const Tensor u = state[0] + I, s = spike(u - threshold, curve_, /*strict=*/false);
    return {s, s, {u * (1 - s)}};
  }

 private:
  SurrogateCurve curve_;
};
ST_REGISTER(Neuron, "plugin_if", PluginIf);

}  // namespace
}  // namespace spiketrain
