// Zero expansion: the real image is the input current of the first step, zeros follow, so that the sum over the steps is the image.
// A constant signal of which all but one step is silent: what is linear in the first layer runs once, not T times.
// Source: the released code of progressive tandem learning (deepspike/progressive_tandem_learning, 3c1cafa).  Deviation: none.
// Page: docs/methods/tandem.md.  Tests: unit/tandem_parts_test.cpp, golden/tandem_test.cpp.
#include "spiketrain/core/encoder.h"

namespace spiketrain {
namespace {

struct ZeroExpand final : Encoder {
  static constexpr const char* kDoc = "the image itself as the current of the first step, zeros after it";
  template <class V>
  void visit(V&) {}
  Signal encode(const Batch& batch, const Request& request) const override {
    const Tensor gain = torch::zeros({request.t1 - request.t0}, batch.x.options());
    if (request.t0 == 0) gain.slice(0, 0, 1).fill_(1);
    return Signal::constant(batch.x.unsqueeze(0), gain);
  }
};
ST_REGISTER(Encoder, "zero_expand", ZeroExpand);

}  // namespace
}  // namespace spiketrain
