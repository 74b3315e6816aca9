// Backpropagation through time with a surrogate derivative of the spike: the exact adjoint of the neuron.
//   g, dL/d(state before), dL/d(parameters) = adjoint of Neuron::run at delta;   dW = sum_t g[t] (x) x[t]
// Source: Neftci, Mostafa, Zenke 2019, "Surrogate gradient learning in spiking neural networks".  Deviation: none.
// Memory: what the neuron's vjp reads, for all steps of the segment.  Time: one forward and one backward scan.
// Tests: equiv/generic, grad/neuron, train/trajectory.
#include "spiketrain/core/rule.h"

namespace spiketrain {
namespace {

struct Bptt final : Rule {
  static constexpr const char* kDoc =
      "backpropagation through time with a surrogate derivative of the spike: the reference";
  template <class V>
  void visit(V&) {}
  bool q_is_input() const override { return true; }
  bool is_done_with_membrane() const override { return true; }
  bool takes_map() const override { return true; }
  bool takes_windows(const Neuron& neuron, const Record& record) const override {
    return record.by_pixel() && neuron.takes_windows(record);
  }
};
ST_REGISTER(Rule, "bptt", Bptt);

}  // namespace
}  // namespace spiketrain
