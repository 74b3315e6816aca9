// Leaky integrate and analog fire: the membrane is that of lif (lif_core.h), resets included, but the output
// is a[t] = act(u[t]), or act(u[t] - threshold) with threshold_related.
// membrane_readout: a[t] = u[t], for outputs: the membrane that snnTorch returns beside the spikes, whose losses read it.
// Source: Wu et al. 2021, "LIAF-Net: leaky integrate and analog fire network for lightweight and efficient
// spatiotemporal information processing".  Deviation: none.  State: {v}.  Analog: it has no events.
// Tests: golden/neurons, grad/neuron, property/neuron.
#include "spiketrain/parts/neurons/lif_core.h"

namespace spiketrain {
namespace {

struct AnalogFire : Stepped {
  std::string act = "relu";
  bool threshold_related = false;
  LifCore core;
  enum class Function { relu, tanh, identity } function = Function::relu;
  template <class V>
  void visit_membrane(V& v) {
    core.visit_membrane(v);
    core.Firing::visit(v, Choices{{"soft_decayed", "soft", "hard", "none"}});
    core.visit_delay(v);
    core.visit_per(v);
  }
  void check() override { core.check(); }
  void build(const Shape& shape) override {
    function = act == "relu" ? Function::relu : act == "tanh" ? Function::tanh : Function::identity;
    core.build(*this, shape);
  }
  Emission emits() const override { return Emission::analog_values(); }
  uint32_t provides() const override { return core.provides(); }
  double leak() const override { return core.leak_now(); }
  State initial(at::IntArrayRef shape, const torch::TensorOptions& options) const override {
    return {core.initial(shape, options)};
  }
  Step step(const Tensor& I, const State& state) const override {
    const LifCore::Charged now = core.step(I, state[0]);
    return {output(threshold_related ? now.u - core.theta : now.u), Tensor(), {now.next}, now.u};
  }

 private:
  Tensor output(const Tensor& y) const {
    switch (function) {
      case Function::relu:
        return torch::relu(y);
      case Function::tanh:
        return torch::tanh(y);
      default:
        return y.clone();
    }
  }
};
struct Liaf final : AnalogFire {
  static constexpr const char* kDoc = "LIF dynamics with analog output";
  template <class V>
  void visit(V& v) {
    v(act, "act", "activation function: output = act(membrane potential)",
      Choices{{"relu", "tanh", "identity"}});
    v(threshold_related, "threshold_related", "output = act(u - threshold) instead of act(u)");
    visit_membrane(v);
  }
};
ST_REGISTER(Neuron, "liaf", Liaf);

struct MembraneReadout final : AnalogFire {
  static constexpr const char* kDoc =
      "LIF that spikes and resets; its output is the membrane potential (snnTorch's mem)";
  MembraneReadout() { act = "identity"; }
  template <class V>
  void visit(V& v) {
    visit_membrane(v);
  }
};
ST_REGISTER(Neuron, "membrane_readout", MembraneReadout);

}  // namespace
}  // namespace spiketrain
