#include "spiketrain/parts/neurons/firing.h"

namespace spiketrain {
namespace {

Reset reset_of(const std::string& name) {
  if (name == "soft_decayed") return Reset::soft_decayed;
  if (name == "soft") return Reset::soft;
  if (name == "hard") return Reset::hard;
  if (name == "hard_input") return Reset::hard_input;
  ST_CHECK(name == "none", "reset: '", name, "' is not known");
  return Reset::none;
}

}  // namespace

void Firing::check() const {
  const bool to_value = reset == "hard" || reset == "hard_input";
  ST_CHECK(to_value || v_reset == own_v_reset || v_reset == 0,
           "v_reset: read by reset = \"hard\" only, but reset is \"", reset,
           "\"; leave v_reset out or choose hard");
  ST_CHECK(!to_value || v_reset < threshold, "v_reset: expected less than the threshold ", threshold,
           ", got ", v_reset);
}

void Firing::build() {
  kind = reset_of(reset);
  curve = surrogate_curve(surrogate, surrogate_scale, threshold);
  theta = torch::scalar_tensor(threshold, torch::kDouble);
  reset_to = torch::scalar_tensor(v_reset, torch::kDouble);
}

Tensor Firing::initial(at::IntArrayRef shape, const torch::TensorOptions& options) const {
  ST_CHECK(theta.defined(), "neuron: build() comes before its first state");
  return torch::full(shape, sets_value() ? v_reset : 0.0, options);
}

Tensor Firing::after(const Tensor& u, const Tensor& s) const {
  const Tensor z = detach_reset ? s.detach() : s;
  if (kind == Reset::soft_decayed) return u - z * theta;
  if (kind == Reset::hard) return u * (1 - z) + z * reset_to;
  return u;
}

}  // namespace spiketrain
