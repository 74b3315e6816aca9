// Latency (time-to-first-spike) coding: a value x in (cutoff, 1] spikes once, at time (1 - x)*(T - 1): in the step
// nearest to it or, for event-driven layers, at that time itself.
// Reads intensities from 0 to 1: data.mean = [0] and data.std = [1].
// Tests: unit/encoder_test.cpp.
#include "spiketrain/parts/encoders/latencies.h"

namespace spiketrain {
namespace {

struct Latency final : Encoder {
  static constexpr const char* kDoc =
      "one spike per value, earlier for larger values; needs data.mean = [0], data.std = [1]";
  double cutoff = 0.0;
  bool exact = false;
  template <class V>
  void visit(V& v) {
    v(cutoff, "cutoff", "values at or below it stay silent", Range{0, 1});
    v(exact, "exact",
      "send times as they are, for event-driven layers, instead of a spike in the nearest step");
  }
  bool reads_intensities() const override { return true; }
  Signal encode(const Batch& batch, const Request& request) const override {
    const Tensor sends = batch.x > cutoff;
    return exact ? latency_times(batch.x, sends, request, "latency") : latency_steps(batch.x, sends, request);
  }
};
ST_REGISTER(Encoder, "latency", Latency);

}  // namespace
}  // namespace spiketrain
