// Latency (time-to-first-spike) coding: a value x in (cutoff, 1] spikes once, at time (1 - x)*(T - 1): in the step
// nearest to it or, for event-driven layers, at that time itself.
// Reads intensities from 0 to 1: data.mean = [0] and data.std = [1].
// Tests: unit/encoder_test.cpp.
#include "spiketrain/core/encoder.h"

namespace spiketrain {
namespace {

struct Latency final : Encoder {
  static constexpr const char* kDoc =
      "one spike per value, earlier for larger values; needs data.mean = [0], data.std = [1]";
  double cutoff = 0.0;
  bool exact = false;
  template <class V>
  void visit(V& v) {
    v(cutoff, "cutoff", "values at or below this send no spike", Range{0, 1});
    v(exact, "exact",
      "send real-valued spike times, for event-driven layers, instead of a spike in the nearest step");
  }
  bool reads_intensities() const override { return true; }
  Signal encode(const Batch& batch, const Request& request) const override {
    if (exact) return times(batch.x, request);
    const Tensor& x = batch.x;
    const Tensor time =
        torch::round((1 - torch::clamp(x, 0, 1)) * static_cast<double>(request.T - 1)).unsqueeze(0);
    std::vector<int64_t> shape(static_cast<size_t>(time.dim()), 1);
    shape[0] = request.t1 - request.t0;
    const Tensor step = torch::arange(request.t0, request.t1, x.options()).view(shape);
    const Tensor s = ((time == step) & (x.unsqueeze(0) > cutoff)).to(torch::kUInt8);
    return Signal::spikes(Spikes::from_bytes(s), x.scalar_type());
  }

 private:
  Signal times(const Tensor& images, const Request& request) const {
    ST_CHECK(request.t0 == 0 && request.t1 == request.T,
             "encoder latency: exact times are of the whole sequence; use schedule whole");
    const Tensor x = images.flatten(1).to(torch::kCPU), above = x > cutoff;
    const Tensor time = (1 - torch::clamp(x.to(torch::kDouble), 0, 1)) * static_cast<double>(request.T - 1);
    // The silent ones last.
    const Tensor order = std::get<1>(torch::where(above, time, torch::full_like(time, request.T))
                                         .sort(/*stable=*/true, /*dim=*/1, /*descending=*/false));
    const Tensor sends = above.gather(1, order);
    SpikeTimes s;
    s.elements = x.size(1);
    s.steps = request.T;
    s.time = time.gather(1, order).index({sends});
    s.index = order.index({sends});
    s.offset = torch::zeros({x.size(0) + 1}, torch::kInt64);
    s.offset.slice(0, 1).copy_(sends.sum(1).cumsum(0));
    return Signal::times(std::move(s));
  }
};
ST_REGISTER(Encoder, "latency", Latency);

}  // namespace
}  // namespace spiketrain
