// Population coding: a value becomes the responses of M Gaussian receptive fields (gaussian_fields.h), and each response is the
// constant current of an integrate-and-fire neuron, whose spikes are what is sent: neurons near the value fire at nearly every step.
// [N] becomes [N*M], [C,H,W] becomes [C*M,H,W].
// Source: the deterministic form of SpikingJelly's population encoder.  Deviation: centres and widths are those of Bohte et al. 2002, fixed
// and not learned.
// Tests: golden/encoders_test.cpp, unit/encoder_test.cpp.
#include "spiketrain/parts/encoders/gaussian_fields.h"

namespace spiketrain {
namespace {

struct Population final : Encoder, ReshapesSamples {
  static constexpr const char* kDoc =
      "spikes of neurons with Gaussian receptive fields, several for each value";
  GaussianFields gauss;
  double threshold = 0.999;
  template <class V>
  void visit(V& v) {
    gauss.visit(v);
    v(threshold, "threshold", "of the integrate-and-fire neurons; a response is at most 1", Range{1e-9, 1e9});
  }
  void check() override { gauss.check("population"); }
  bool reads_intensities() const override { return gauss.of_intensities(); }
  Shape step_shape(const Shape& in) const override { return gauss.step_shape(in, "population"); }
  Signal encode(const Batch& batch, const Request& request) const override {
    return integrate_and_fire(gauss.responses(batch.x), threshold, request);
  }
};
ST_REGISTER(Encoder, "population", Population);

}  // namespace
}  // namespace spiketrain
