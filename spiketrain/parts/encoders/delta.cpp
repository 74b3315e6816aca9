// Send on delta: of a sequence of values, a spike where a value has changed by a threshold.
//   reference = "sample"  d[t] = x[t] - x[t-1]                 the change since the step before
//   reference = "sent"    d[t] = x[t] - r;  r += threshold*(on - off)      the change since what was sent, a threshold a spike
//   on: d >= threshold;  off: d <= -threshold
// The reference of the first step is 0, or with start = "first" the first value, which is then silent.
// off = "channel": [N] becomes [2N], [C,H,W] becomes [2C,H,W], on-spikes first; "none": off-spikes are not sent.
// Source: snnTorch's spikegen.delta (reference = "sample"; its off_spike sends -1 for an off-spike); "sent" as cameras of events do.
// Deviation: none.  Tests: golden/encoders_test.cpp, unit/encoder_test.cpp.
#include "spiketrain/core/encoder.h"
#include "spiketrain/core/extras.h"

namespace spiketrain {
namespace {

struct Delta final : Encoder, ReshapesSamples {
  static constexpr const char* kDoc = "spikes where the values of a sequence have changed by a threshold";
  double threshold = 0.1;
  std::string reference = "sample", start = "zero", off = "channel";
  template <class V>
  void visit(V& v) {
    v(threshold, "threshold", "the change that is sent", Range{1e-9, 1e9});
    v(reference, "reference", "change since the step before (sample), or since what was sent",
      Choices{{"sample", "sent"}});
    v(start, "start", "the first step is compared with 0, or with itself (first)",
      Choices{{"zero", "first"}});
    v(off, "off", "falling values: spikes in channels of their own, or none", Choices{{"channel", "none"}});
  }
  void check_frames() const override {}
  Signal encode(const Batch& /*batch*/, const Request& /*request*/) const override {
    throw UsageError(
        "encoder delta: sends the changes of a sequence, but the data set gives still images; use encoder phase, latency or "
        "poisson");
  }
  Shape step_shape(const Shape& in) const override {
    ST_CHECK(!in.empty(), "encoder delta: expected frames of [N] or [C,H,W]");
    Shape out = in;
    if (off == "channel") out[0] *= 2;
    return out;
  }
  Signal frames(const Batch& batch, const Request& request) const override {
    const Tensor x = batch.x.is_floating_point() ? batch.x : batch.x.to(torch::kFloat);
    const Tensor d = changes(x, request);
    Tensor s = d.ge(threshold);
    if (off == "channel") s = torch::cat({s, d.le(-threshold)}, 2);
    return Signal::spikes(Spikes::from_bytes(s.to(torch::kUInt8)), x.scalar_type());
  }

 private:
  /// x [T,B,*] -> d at the steps asked for
  Tensor changes(const Tensor& x, const Request& request) const {
    Tensor r = start == "zero" ? torch::zeros_like(x[0]) : x[0];
    std::vector<Tensor> steps;
    for (int64_t t = 0; t < request.t1; ++t) {
      const Tensor d = x[t] - r;
      if (t >= request.t0) steps.push_back(d);
      r = reference == "sample"
              ? x[t]
              : r + (d.ge(threshold).to(d.scalar_type()) - d.le(-threshold).to(d.scalar_type())) * threshold;
    }
    return torch::stack(steps);
  }
};
ST_REGISTER(Encoder, "delta", Delta);

}  // namespace
}  // namespace spiketrain
