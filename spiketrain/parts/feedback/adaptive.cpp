// Adaptive feedback: error returns through a matrix of its own that learns as the weight does, dL/dx := F^T g with F drawn
// once as in feedback "random" and given the gradient of W as its own.  With weight decay on both, F and W grow alike.
// Source: Bellec et al. 2020, e-prop, "adaptive"; Akrout et al. 2019, "Deep learning without weight transport" (Kolen &
// Pollack 1994).  Deviation: the decay is the optimizer's.
// Tests: grad/synapse_test.cpp.
#include <cmath>

#include "spiketrain/core/initialise.h"
#include "spiketrain/core/synapse.h"
#include "spiketrain/core/tape.h"

namespace spiketrain {
namespace {

struct AdaptiveFeedback final : Feedback {
  static constexpr const char* kDoc = "a random matrix that learns with the gradient of the weight";
  double scale = 0;
  template <class V>
  void visit(V& v) {
    v(scale, "scale", "size s of the initial entries, U(-s, s); 0: 1/sqrt(inputs)", Range{0, 1e6});
  }

  void build(const Tensor& W) override {
    F_ = register_parameter("feedback", torch::zeros(W.sizes(), W.options()));
  }
  void initialise(uint64_t seed, uint64_t index) override {
    const double s = scale > 0 ? scale : 1 / std::sqrt(static_cast<double>(F_[0].numel()));
    draw_uniform(F_, s, Rng(seed, Purpose::feedback, index));
  }
  Tensor matrix(const Tensor& /*W*/) const override { return F_.detach(); }
  void learn(const Tensor& g_W) const override { accumulate(F_, g_W.clone()); }

 private:
  Tensor F_;
};
ST_REGISTER(Feedback, "adaptive", AdaptiveFeedback);

}  // namespace
}  // namespace spiketrain
