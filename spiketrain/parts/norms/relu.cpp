// No statistics, only the positive part of the current: y = max(0, I).  Inhibition then never lowers a membrane.
// Source: the networks of BPSA and BPTA (Brain-Cog-Lab/BP-STA), where a ReLU precedes every neuron.  Deviation: none.
// Tests: unit/norm_test.cpp, golden/bptt_rules.
#include "spiketrain/core/norm.h"

namespace spiketrain {
namespace {

struct Relu final : Norm {
  static constexpr const char* kDoc = "ReLU of the current, no statistics";
  template <class V>
  void visit(V&) {}
  void build(const Shape& /*shape*/) override {}
  Tensor forward(const Tensor& I, const Context& /*context*/) override { return torch::relu(I); }
  bool couples_samples() const override { return false; }
};
ST_REGISTER(Norm, "relu", Relu);

}  // namespace
}  // namespace spiketrain
