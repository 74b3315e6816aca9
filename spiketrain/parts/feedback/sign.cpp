// Sign-concordant feedback: error returns through the signs of the present weight, dL/dx := s * sign(W)^T g; s is
// `scale`, 0 stands for 1/sqrt(inputs).
// Source: Liao, Leibo and Poggio 2016, "How important is weight symmetry in backpropagation?", uniform
// sign-concordant feedback.
// Deviation: the paper keeps the size of updates in check with batch norm and batch manhattan, which are choices of
// norm and optimizer here; `scale` is ours.
// Tests: grad/synapse_test.cpp.
#include <cmath>

#include "spiketrain/core/synapse.h"

namespace spiketrain {
namespace {

struct SignFeedback final : Feedback {
  static constexpr const char* kDoc = "the signs of the weights, times one constant";
  double scale = 0;
  template <class V>
  void visit(V& v) {
    v(scale, "scale", "size s of the entries, s * sign(W); 0: 1/sqrt(inputs)", Range{0, 1e6});
  }
  Tensor matrix(const Tensor& W) const override {
    const double s = scale > 0 ? scale : 1 / std::sqrt(static_cast<double>(W[0].numel()));
    return torch::sign(W.detach()) * s;
  }
};
ST_REGISTER(Feedback, "sign", SignFeedback);

}  // namespace
}  // namespace spiketrain
