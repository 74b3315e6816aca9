#include "spiketrain/ops/deviation_norm.h"

#include <algorithm>
#include <functional>

#include "spiketrain/ops/chunks.h"

namespace spiketrain::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// f(begin, end) for shares of the channels of x [M,C,*]; off the CPU for all at once.
void for_channels(const Tensor& x, const std::function<void(int64_t, int64_t)>& f) {
  constexpr int64_t kMinElements = 1 << 14;
  const int64_t C = x.size(1);
  if (!x.is_cpu()) return f(0, C);
  for_chunks(C, f, std::max<int64_t>(1, kMinElements / std::max<int64_t>(1, x.numel() / C)));
}

/// Per channel: x and the like [M,C,*] of channels [begin, end), values [C] that go with them, and sums over the rest.
struct Channels {
  int64_t begin, end, dims;
  Tensor of(const Tensor& x) const { return x.slice(1, begin, end); }
  Tensor wide(const Tensor& values) const {
    std::vector<int64_t> shape(static_cast<size_t>(dims), 1);
    shape[1] = end - begin;
    return values.slice(0, begin, end).view(shape);
  }
  std::vector<int64_t> others() const {
    std::vector<int64_t> list = {0};
    for (int64_t d = 2; d < dims; ++d) list.push_back(d);
    return list;
  }
  Tensor sum(const Tensor& x) const { return x.sum(others(), /*keepdim=*/true); }
};

struct Normalise : torch::autograd::Function<Normalise> {
  static variable_list forward(AutogradContext* ctx, const Tensor& x, const Tensor& gain, const Tensor& bias,
                               double eps) {
    Tensor y = torch::empty_like(x), mean = torch::empty_like(gain), var = torch::empty_like(gain);
    for_channels(x, [&](int64_t begin, int64_t end) {
      const Channels c{begin, end, x.dim()};
      const auto [v, m] = torch::var_mean(c.of(x), c.others(), /*unbiased=*/false, /*keepdim=*/true);
      c.wide(mean).copy_(m);
      c.wide(var).copy_(v);
      c.of(y).copy_((c.of(x) - m) * (c.wide(gain) / (v.sqrt() + eps)) + c.wide(bias));
    });
    ctx->save_for_backward({x, gain, mean, var});
    ctx->saved_data["eps"] = eps;
    ctx->mark_non_differentiable({mean, var});
    return {y, mean, var};
  }
  /// With c = x - mean, d = sqrt(var), r = 1/(d + eps), n values of a channel and h = gain * dL/dy:
  /// dL/dgain = r * sum(g*c);  dL/dx = r*(h - mean h) - c * r^2/(n*d) * sum(h*c)
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const auto saved = ctx->get_saved_variables();
    const Tensor &x = saved[0], &gain = saved[1], &mean = saved[2], &var = saved[3], &g = grads[0];
    const double eps = ctx->saved_data["eps"].toDouble(), n = static_cast<double>(x.numel() / x.size(1));
    Tensor g_x = torch::empty_like(x), g_gain = torch::empty_like(gain), g_bias = torch::empty_like(gain);
    for_channels(x, [&](int64_t begin, int64_t end) {
      const Channels c{begin, end, x.dim()};
      const Tensor centred = c.of(x) - c.wide(mean), d = c.wide(var).sqrt(), r = 1 / (d + eps);
      const Tensor sum = c.sum(c.of(g)), product = c.sum(c.of(g) * centred), weighed = c.wide(gain) * r;
      c.wide(g_bias).copy_(sum);
      c.wide(g_gain).copy_(product * r);
      const Tensor pull = torch::where(d > 0, product * weighed * r / (n * d), torch::zeros_like(d));
      c.of(g_x).copy_((c.of(g) - sum / n) * weighed - centred * pull);
    });
    return {g_x, g_gain, g_bias, Tensor()};
  }
};

}  // namespace

DeviationNorm deviation_norm(const Tensor& x, const Tensor& gain, const Tensor& bias, double eps) {
  const variable_list out = Normalise::apply(x, gain, bias, eps);
  return {out[0], out[1], out[2]};
}

}  // namespace spiketrain::ops
