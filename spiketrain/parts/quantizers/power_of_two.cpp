// Each weight becomes a power of two with its sign, straight through in the backward direction:
//   Q(w) = sign(w) * 2^round(log2 |w|), halves to even; Q(0) = 0;   dL/dW = dL/dQ
// so that products are shifts.  The whole map is one straight-through estimator: with one for the rounding alone its
// derivative would be Q(w)/w, which is undefined at 0.
// Source: "Multiplication-free parallelizable spiking neurons with efficient spatio-temporal dynamics", 2025
// (arXiv:2501.14490).  Deviation: none.  Tests: golden/psn_test.cpp, unit/power_of_two_test.cpp.
#include "spiketrain/ops/power_of_two.h"

#include "spiketrain/core/synapse.h"

namespace spiketrain {
namespace {

struct PowerOfTwo final : Quantizer {
  static constexpr const char* kDoc =
      "each weight the nearest power of two, in its logarithm; straight through";
  template <class V>
  void visit(V&) {}
  Tensor apply(const Tensor& W) const override {
    const Tensor w = W.detach();
    return ops::nearest_power_of_two(w) + (W - w);  // the value is exactly that, the gradient that of W
  }
};
ST_REGISTER(Quantizer, "power_of_two", PowerOfTwo);

}  // namespace
}  // namespace spiketrain
