// Direct (real-valued) coding: the sample is the input current of every step.  A stationary signal: what is
// linear in the first layer then runs once, not T times.  The frames of a sequence are taken as they are.
#include "spiketrain/core/encoder.h"

namespace spiketrain {
namespace {

struct Direct final : Encoder {
  static constexpr const char* kDoc = "the sample itself at every step, or the frames of a sequence";
  template <class V>
  void visit(V&) {}
  Signal encode(const Tensor& x, const Steps& steps, const Key&) const override {
    return {x.unsqueeze(0), torch::ones({steps.t1 - steps.t0}, x.options()), {}};
  }
  Signal frames(const Tensor& x) const override { return {x.to(torch::kFloat), {}, {}}; }
};
ST_REGISTER(Encoder, "direct", Direct);

}  // namespace
}  // namespace spiketrain
