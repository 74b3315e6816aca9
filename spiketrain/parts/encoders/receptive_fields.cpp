// Latencies of Gaussian receptive fields (gaussian_fields.h): a value becomes the responses r of M neurons, each of which spikes once,
// at time (1 - r)*(T - 1): in the step nearest to it or, for event-driven layers, at that time itself.  Below `cutoff` a neuron stays silent.
// [N] becomes [N*M], [C,H,W] becomes [C*M,H,W].
// Source: Bohte, Kok, La Poutre 2002, SpikeProp.  Deviation: none.  Tests: golden/encoders_test.cpp, unit/encoder_test.cpp.
#include "spiketrain/parts/encoders/gaussian_fields.h"
#include "spiketrain/parts/encoders/latencies.h"

namespace spiketrain {
namespace {

struct ReceptiveFields final : Encoder, ReshapesSamples {
  static constexpr const char* kDoc =
      "one spike of each of several neurons with Gaussian receptive fields, earlier the nearer the value";
  GaussianFields gauss;
  double cutoff = 0.1;
  bool exact = false;
  template <class V>
  void visit(V& v) {
    gauss.visit(v);
    v(cutoff, "cutoff", "responses below it stay silent", Range{0, 1});
    v(exact, "exact",
      "send times as they are, for event-driven layers, instead of a spike in the nearest step");
  }
  void check() override { gauss.check("receptive_fields"); }
  bool reads_intensities() const override { return gauss.of_intensities(); }
  Shape step_shape(const Shape& in) const override { return gauss.step_shape(in, "receptive_fields"); }
  Signal encode(const Batch& batch, const Request& request) const override {
    const Tensor r = gauss.responses(batch.x), sends = r >= cutoff;
    return exact ? latency_times(r, sends, request, "receptive_fields") : latency_steps(r, sends, request);
  }
};
ST_REGISTER(Encoder, "receptive_fields", ReceptiveFields);

}  // namespace
}  // namespace spiketrain
