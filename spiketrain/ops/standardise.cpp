#include "spiketrain/ops/standardise.h"

#include <cmath>

#include "spiketrain/base/registry.h"
#include "spiketrain/ops/chunks.h"

namespace spiketrain::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
constexpr double kEpsilon = 1e-4;

/// f(begin, end) for shares of the rows of a matrix.
template <class F>
void for_rows(const Tensor& rows, F&& f) {
  constexpr int64_t kMinElements = 1 << 14;
  for_chunks(rows.size(0), f, std::max<int64_t>(1, kMinElements / rows.size(1)));
}

/// c = W - mean and r = 1/sqrt(var*fan_in + 1e-4) of these rows.
std::pair<Tensor, Tensor> centred(const Tensor& rows) {
  const auto n = static_cast<double>(rows.size(1));
  const Tensor c = rows - rows.mean(1, /*keepdim=*/true);
  const Tensor variance = c.square().sum(1, /*keepdim=*/true) / (n - 1);
  return {c, (variance * n + kEpsilon).rsqrt()};
}

struct Standardise : torch::autograd::Function<Standardise> {
  static Tensor forward(AutogradContext* ctx, const Tensor& W, const Tensor& gain) {
    ctx->save_for_backward({W, gain});
    const Tensor rows = W.flatten(1), a = gain.flatten(1);
    Tensor out = torch::empty_like(rows);
    for_rows(rows, [&](int64_t i, int64_t j) {
      const auto [c, r] = centred(rows.slice(0, i, j));
      out.slice(0, i, j).copy_(c * r * a.slice(0, i, j));
    });
    return out.view(W.sizes());
  }
  /// With y = c*r and h = gain * dL/dW':  dL/dgain = sum y * dL/dW';
  /// dL/dW = r*(h - mean h) - c * r^3 * n/(n-1) * sum(h*c)
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const auto saved = ctx->get_saved_variables();
    const Tensor rows = saved[0].flatten(1), a = saved[1].flatten(1), g = grads[0].flatten(1);
    const auto n = static_cast<double>(rows.size(1));
    Tensor g_rows = torch::empty_like(rows), g_gain = torch::empty_like(a);
    for_rows(rows, [&](int64_t i, int64_t j) {
      const auto [c, r] = centred(rows.slice(0, i, j));
      const Tensor g_here = g.slice(0, i, j), h = g_here * a.slice(0, i, j);
      g_gain.slice(0, i, j).copy_((g_here * c).sum(1, /*keepdim=*/true) * r);
      const Tensor pull = (h * c).sum(1, /*keepdim=*/true) * r.pow(3) * (n / (n - 1));
      g_rows.slice(0, i, j).copy_(r * (h - h.mean(1, /*keepdim=*/true)) - c * pull);
    });
    return {g_rows.view(saved[0].sizes()), g_gain.view(saved[1].sizes())};
  }
};

}  // namespace

Tensor standardise(const Tensor& W, const Tensor& gain) {
  ST_CHECK(W.numel() / W.size(0) >= 2,
           "weight_standardisation: expected at least two weights for each output, got ",
           W.numel() / W.size(0));
  return Standardise::apply(W, gain);
}

}  // namespace spiketrain::ops
