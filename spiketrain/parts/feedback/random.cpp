// Feedback alignment: error returns through a fixed random matrix, dL/dx := F^T g with F like W, drawn once from
// U(-s, s); s is `scale`, 0 stands for 1/sqrt(inputs).
// Source: Lillicrap et al. 2016, "Random synaptic feedback weights support error backpropagation for deep learning".
// Deviation: the size of F is ours; the paper scales it by hand.
// Tests: grad/synapse_test.cpp, unit/head_test.cpp.
#include <cmath>

#include "spiketrain/core/initialise.h"
#include "spiketrain/core/synapse.h"

namespace spiketrain {
namespace {

struct RandomFeedback final : Feedback {
  static constexpr const char* kDoc = "a fixed random matrix (feedback alignment)";
  double scale = 0;
  template <class V>
  void visit(V& v) {
    v(scale, "scale", "size s of the entries, U(-s, s); 0: 1/sqrt(inputs)", Range{0, 1e6});
  }

  void build(const Tensor& W) override {
    F_ = register_buffer("feedback", torch::zeros(W.sizes(), W.options()));
  }
  void initialise(uint64_t seed, uint64_t index) override {
    const double s = scale > 0 ? scale : 1 / std::sqrt(static_cast<double>(F_[0].numel()));
    draw_uniform(F_, s, Rng(seed, Purpose::feedback, index));
  }
  Tensor matrix(const Tensor& /*W*/) const override { return F_; }

 private:
  Tensor F_;
};
ST_REGISTER(Feedback, "random", RandomFeedback);

}  // namespace
}  // namespace spiketrain
