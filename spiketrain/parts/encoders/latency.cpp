// Latency (time-to-first-spike) coding: a value x in (cutoff, 1] spikes once, at step round((1 - x)*(T - 1)).
// Reads intensities from 0 to 1: data.mean = [0] and data.std = [1].
// Tests: unit/encoder_test.cpp.
#include "spiketrain/core/encoder.h"

namespace spiketrain {
namespace {

struct Latency final : Encoder {
  static constexpr const char* kDoc =
      "one spike per value, the earlier the greater the value; needs data.mean = [0], data.std = [1]";
  double cutoff = 0.0;
  template <class V>
  void visit(V& v) {
    v(cutoff, "cutoff", "values at or below it stay silent", Range{0, 1});
  }
  bool reads_intensities() const override { return true; }
  Signal encode(const Batch& batch, const Request& request) const override {
    const Tensor& x = batch.x;
    const Tensor time =
        torch::round((1 - torch::clamp(x, 0, 1)) * static_cast<double>(request.T - 1)).unsqueeze(0);
    std::vector<int64_t> shape(static_cast<size_t>(time.dim()), 1);
    shape[0] = request.t1 - request.t0;
    const Tensor step = torch::arange(request.t0, request.t1, x.options()).view(shape);
    const Tensor s = ((time == step) & (x.unsqueeze(0) > cutoff)).to(torch::kUInt8);
    return Signal::spikes(Spikes::from_bytes(s), x.scalar_type());
  }
};
ST_REGISTER(Encoder, "latency", Latency);

}  // namespace
}  // namespace spiketrain
