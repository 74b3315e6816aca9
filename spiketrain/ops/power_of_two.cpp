#include "spiketrain/ops/power_of_two.h"

#include <cmath>

#include "spiketrain/base/check.h"

namespace spiketrain::ops {
using torch::Tensor;

Tensor nearest_power_of_two(const Tensor& w) {
  Tensor q = w.detach().to(torch::kCPU, torch::kDouble, /*non_blocking=*/false, /*copy=*/true).contiguous();
  double* value = q.data_ptr<double>();
  for (int64_t i = 0; i < q.numel(); ++i) {
    const double size = std::fabs(value[i]);
    if (size == 0 || !std::isfinite(size)) continue;
    const auto exponent = static_cast<int>(std::nearbyint(std::log2(size)));
    value[i] = std::copysign(std::ldexp(1.0, exponent), value[i]);
  }
  return q.to(w.options().requires_grad(false));
}

PowersOfTwo powers_of_two(const Tensor& w) {
  const Tensor x = w.detach().to(torch::kCPU, torch::kDouble).contiguous();
  PowersOfTwo p = {torch::zeros(x.sizes(), torch::kInt64), torch::zeros(x.sizes(), torch::kInt64)};
  const double* value = x.data_ptr<double>();
  auto *sign = p.sign.data_ptr<int64_t>(), *exponent = p.exponent.data_ptr<int64_t>();
  for (int64_t i = 0; i < x.numel(); ++i) {
    if (value[i] == 0) continue;
    int e = 0;
    const double mantissa = std::frexp(value[i], &e);
    ST_CHECK(std::fabs(mantissa) == 0.5, "expected a power of two or zero, got ", value[i]);
    sign[i] = mantissa > 0 ? 1 : -1;
    exponent[i] = e - 1;
  }
  return p;
}

}  // namespace spiketrain::ops
