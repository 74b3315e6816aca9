// Direct (real-valued) coding: the sample is the input current of every step.  A constant signal: what is linear in
// the first layer then runs once, not T times.  The frames of a sequence are taken as they are; bytes are numbers of spikes.
// Tests: unit/encoder_test.cpp.
#include "spiketrain/core/encoder.h"

namespace spiketrain {
namespace {

struct Direct final : Encoder {
  static constexpr const char* kDoc = "the sample itself at every step, or the frames of a sequence";
  template <class V>
  void visit(V&) {}
  Signal encode(const Batch& batch, const Request& request) const override {
    return Signal::constant(batch.x.unsqueeze(0), torch::ones({request.t1 - request.t0}, batch.x.options()));
  }
  Signal frames(const Batch& batch, const Request& request) const override {
    const Tensor x = batch.x.slice(0, request.t0, request.t1);
    if (x.is_floating_point()) return Signal::dense(x);
    const int64_t most = !x.is_cpu() ? 255 : x.numel() > 0 ? x.max().item<uint8_t>() : 0;
    return Signal::spikes(Spikes::from_bytes(x, -1, std::max<int64_t>(1, most)), torch::kFloat);
  }
  void check_frames() const override {}
};
ST_REGISTER(Encoder, "direct", Direct);

}  // namespace
}  // namespace spiketrain
