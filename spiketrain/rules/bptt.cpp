// Backpropagation through time with a surrogate derivative of the spike: the exact adjoint of the neuron.
// Source: Neftci, Mostafa, Zenke 2019, "Surrogate gradient learning in spiking neural networks".  Deviation:
// none. Memory: what the neuron's vjp saves, for all T steps of the window; time: one forward and one
// backward scan. Tests: equiv/generic, grad/neuron, train/trajectory.
#include "spiketrain/core/rule.h"

namespace spiketrain {
namespace {

struct Bptt final : Rule {
  static constexpr const char* kDoc = "backpropagation through time with a surrogate derivative, exact";
  template <class V>
  void visit(V&) {}
};
ST_REGISTER(Rule, "bptt", Bptt);

}  // namespace
}  // namespace spiketrain
