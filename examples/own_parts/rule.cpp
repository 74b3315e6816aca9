// A learning rule: credit of the same step only, nothing goes back in time.
//   g[t] = psi[t] * delta[t];   q[t] = x[t]
#include "spiketrain/core/rule.h"

namespace {

using namespace spiketrain;

struct MyInstant final : Rule {
  static constexpr const char* kDoc = "credit of the same step only, through the surrogate";
  template <class V>
  void visit(V&) {}
  uint32_t needs() const override { return kPsi; }
  bool uses_vjp() const override { return false; }
  bool q_is_input() const override { return true; }
  Credit credit(const Neuron&, const Record& record, const Tensor& delta, const State&) const override {
    return {record.psi * delta};
  }
};
ST_REGISTER(Rule, "my_instant", MyInstant);

}  // namespace
