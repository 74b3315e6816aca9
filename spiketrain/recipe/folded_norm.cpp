#include "spiketrain/recipe/folded_norm.h"

namespace spiketrain {

bool folds(const Norm& norm) { return norm.part_name() == "bn" || norm.part_name() == "tdbn"; }

FoldedNorm folded(const Norm& norm) {
  ST_CHECK(folds(norm), "norm ", norm.part_name(), " is no factor and shift; expected bn or tdbn");
  const torch::NoGradGuard no_grad;
  const Config config = norm.config();
  const auto parameters = norm.named_parameters(false), buffers = norm.named_buffers(false);
  const auto as_double = [](const Tensor& x) { return x.detach().to(torch::kCPU, torch::kDouble); };
  const Tensor var = as_double(buffers["running_var"]);
  const auto eps = config["eps"].get<double>();
  const Tensor deviation =
      config["eps_outside"].get<bool>() ? torch::sqrt(var) + eps : torch::sqrt(var + eps);
  FoldedNorm y;
  y.gain = as_double(parameters["weight"]) * config.value("scale", 1.0) / deviation;
  y.shift = as_double(parameters["bias"]) - y.gain * as_double(buffers["running_mean"]);
  return y;
}

}  // namespace spiketrain
