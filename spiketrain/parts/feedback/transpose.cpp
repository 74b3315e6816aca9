// Error returns through the transpose of the synapse's own weight: dL/dx = W^T g, the gradient.
// Deviation: none.  Tests: grad/synapse_test.cpp.
#include "spiketrain/core/synapse.h"

namespace spiketrain {
namespace {

struct Transpose final : Feedback {
  static constexpr const char* kDoc = "the transpose of the weight: the gradient";
  template <class V>
  void visit(V&) {}
  Tensor matrix(const Tensor& W) const override { return W; }
};
ST_REGISTER(Feedback, "transpose", Transpose);

}  // namespace
}  // namespace spiketrain
