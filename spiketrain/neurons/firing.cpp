#include "spiketrain/neurons/firing.h"

namespace spiketrain {

void Firing::check() const {
  const bool to_value = reset.rfind("hard", 0) == 0;
  ST_CHECK(to_value || v_reset == own_v_reset || v_reset == 0,
           "v_reset: read by reset = \"hard\" only, but reset is \"", reset,
           "\"; leave v_reset out or choose hard");
  ST_CHECK(!to_value || v_reset < threshold, "v_reset: expected less than the threshold ", threshold,
           ", got ", v_reset);
}

Tensor Firing::fire(const Tensor& u) const { return fire_at(u - threshold); }

Tensor Firing::after(const Tensor& u, const Tensor& s) const {
  const Tensor z = detach_reset ? s.detach() : s;
  if (reset == "soft_decayed") return u - z * threshold;
  if (reset == "hard") return u * (1 - z) + z * v_reset;
  return u;
}

}  // namespace spiketrain
