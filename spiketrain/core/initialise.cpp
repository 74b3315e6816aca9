#include "spiketrain/core/initialise.h"

#include <cmath>

namespace spiketrain {

void initialise_weight(torch::Tensor& W, const std::string& init, double scale, uint64_t seed,
                       uint64_t index) {
  torch::NoGradGuard no_grad;
  const double fan_in = static_cast<double>(W[0].numel());
  const double fan_out = static_cast<double>(W.numel() / W.size(1));
  Rng rng(seed, Purpose::init, index);
  torch::Tensor draw = torch::empty(W.sizes(), torch::kDouble);
  double* value = draw.data_ptr<double>();
  const bool normal = init == "kaiming_normal" || init == "xavier_normal";
  double width = 1.0 / std::sqrt(fan_in);
  if (init == "kaiming_normal") width = std::sqrt(2.0 / fan_in);
  if (init == "kaiming_uniform") width = std::sqrt(6.0 / fan_in);
  if (init == "xavier_normal") width = std::sqrt(2.0 / (fan_in + fan_out));
  for (int64_t i = 0; i < draw.numel(); ++i) {
    value[i] = scale * width * (normal ? rng.normal() : rng.uniform(-1.0, 1.0));
  }
  W.copy_(draw);
}

void initialise_bias(torch::Tensor b, const torch::Tensor& W, const std::string& init, uint64_t seed,
                     uint64_t index) {
  if (!b.defined() || init == "zero") return;
  draw_uniform(b, 1.0 / std::sqrt(static_cast<double>(W[0].numel())), Rng(seed, Purpose::init_bias, index));
}

void draw_uniform(torch::Tensor W, double s, Rng rng) {
  torch::NoGradGuard no_grad;
  torch::Tensor draw = torch::empty(W.sizes(), torch::kDouble);
  double* value = draw.data_ptr<double>();
  for (int64_t i = 0; i < draw.numel(); ++i) value[i] = rng.uniform(-s, s);
  W.copy_(draw);
}

}  // namespace spiketrain
