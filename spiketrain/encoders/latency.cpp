// Latency (time-to-first-spike) coding: a value x in (cutoff, 1] spikes once, at step round((1 - x)*(T - 1)).
// Reads intensities from 0 to 1: data.mean = [0] and data.std = [1].
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
  Signal encode(const Tensor& x, const Steps& steps, const Key&) const override {
    const Tensor time =
        torch::round((1 - torch::clamp(x, 0, 1)) * static_cast<double>(steps.T - 1)).unsqueeze(0);
    std::vector<int64_t> shape(time.dim(), 1);
    shape[0] = steps.t1 - steps.t0;
    const Tensor step = torch::arange(steps.t0, steps.t1, x.options()).view(shape);
    const Tensor s = ((time == step) & (x.unsqueeze(0) > cutoff)).to(torch::kUInt8);
    return {s.to(x.scalar_type()), {}, Events::from_bytes(s)};
  }
};
ST_REGISTER(Encoder, "latency", Latency);

}  // namespace
}  // namespace spiketrain
