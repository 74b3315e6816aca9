// Direct (real-valued) coding: the sample is the input current of every step.  A stationary signal: what is
// linear in the first layer then runs once, not T times.
#include "spiketrain/core/encoder.h"

namespace spiketrain {
namespace {

struct Direct final : Encoder {
  static constexpr const char* kDoc = "the sample itself at every step";
  template <class V>
  void visit(V&) {}
  Signal encode(const Tensor& x, int64_t T, const Key&) const override {
    return {x.unsqueeze(0), torch::ones({T}, x.options()), {}};
  }
};
ST_REGISTER(Encoder, "direct", Direct);

}  // namespace
}  // namespace spiketrain
