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
  ST_CHECK(reset_by == 0 || reset == "soft" || reset == "soft_decayed",
           "reset_by: what a soft or soft_decayed reset takes off, but reset is \"", reset,
           "\"; leave reset_by out or choose one of them");
  ST_CHECK(
      reset_slope == 0 || (detach_reset && (reset == "soft_decayed" || reset == "hard")),
      "reset_slope: takes the place of the gradient that detach_reset cuts, with reset = \"soft_decayed\" or "
      "\"hard\"; got reset = \"",
      reset, "\", detach_reset = ", detach_reset ? "true" : "false");
}

void Firing::build() {
  kind = reset_of(reset);
  curve = surrogate_curve(surrogate, surrogate_scale, threshold);
  if (surrogate_gate > 0) curve.gate = surrogate_gate;
  theta = torch::scalar_tensor(threshold, torch::kDouble);
  drop = reset_by > 0 ? torch::scalar_tensor(reset_by, torch::kDouble) : theta;
  reset_to = torch::scalar_tensor(v_reset, torch::kDouble);
}

Tensor Firing::initial(at::IntArrayRef shape, const torch::TensorOptions& options) const {
  ST_CHECK(theta.defined(), "neuron: build() comes before its first state");
  return torch::full(shape, sets_value() ? v_reset : 0.0, options);
}

Tensor Firing::after(const Tensor& u, const Tensor& s) const {
  const Tensor z = detach_reset ? s.detach() : s;
  Tensor v = u;
  if (kind == Reset::soft_decayed) v = u - z * drop;
  if (kind == Reset::hard) v = u * (1 - z) + z * reset_to;
  return reset_slope == 0 ? v : v + (s - s.detach()) * reset_slope;
}

}  // namespace spiketrain
