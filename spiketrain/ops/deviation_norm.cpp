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

struct Shared : torch::CustomClassHolder {
  DeviationOptions options;
  double count = 0;
};
using SharedP = c10::intrusive_ptr<Shared>;

/// [C] sums over the rest of f(channels) [M,c,*], over all processes; double where there are several.
Tensor sums_of(const Tensor& x, const DeviationOptions& options,
               const std::function<Tensor(const Channels&)>& f) {
  Tensor sums = torch::empty({x.size(1)}, x.options().dtype(options.sum ? torch::kDouble : x.scalar_type()));
  for_channels(x, [&](int64_t begin, int64_t end) {
    const Channels c{begin, end, x.dim()};
    c.wide(sums).copy_(c.sum(f(c)));
  });
  if (options.sum) options.sum(sums);
  return sums.to(x.scalar_type());
}

/// Mean and biased variance, over all processes.
std::pair<Tensor, Tensor> statistics(const Tensor& x, Shared& shared) {
  const DeviationOptions& o = shared.options;
  const double here = static_cast<double>(x.numel() / x.size(1));
  shared.count = here;
  if (!o.sum) {
    Tensor mean = torch::empty({x.size(1)}, x.options()), var = torch::empty_like(mean);
    for_channels(x, [&](int64_t begin, int64_t end) {
      const Channels c{begin, end, x.dim()};
      const auto [v, m] = torch::var_mean(c.of(x), c.others(), /*unbiased=*/false, /*keepdim=*/true);
      c.wide(mean).copy_(m);
      c.wide(var).copy_(v);
    });
    return {mean, var};
  }
  const Tensor count = torch::full({1}, here, torch::kDouble);
  o.sum(count);
  shared.count = count.item<double>();
  const Tensor mean = sums_of(x, o, [&](const Channels& c) { return c.of(x); }) / shared.count;
  const auto squares = [&](const Channels& c) { return (c.of(x) - c.wide(mean)).square(); };
  return {mean, sums_of(x, o, squares) / shared.count};
}

Tensor factor_of(const Tensor& var, const DeviationOptions& o) {
  return o.outside ? 1 / (var.sqrt() + o.eps) : (var + o.eps).rsqrt();
}

struct Normalise : torch::autograd::Function<Normalise> {
  static variable_list forward(AutogradContext* ctx, const Tensor& x, const Tensor& gain, const Tensor& bias,
                               SharedP shared) {
    const DeviationOptions& o = shared->options;
    const std::pair<Tensor, Tensor> both = statistics(x, *shared);
    const Tensor &mean = both.first, &var = both.second, r = factor_of(var, o);
    Tensor y = torch::empty_like(x);
    for_channels(x, [&](int64_t begin, int64_t end) {
      const Channels c{begin, end, x.dim()};
      c.of(y).copy_((c.of(x) - c.wide(mean)) * (c.wide(gain) * c.wide(r)) + c.wide(bias));
    });
    ctx->save_for_backward({x, gain, mean, var});
    ctx->saved_data["shared"] = c10::IValue::make_capsule(std::move(shared));
    ctx->mark_non_differentiable({mean, var});
    return {y, mean, var};
  }
  /// With c = x - mean, n values of a channel, h = gain * dL/dy and sums over all processes:
  /// dL/dx = r*(h - mean h) - c * w * sum(h*c)/n;   w = r^2/sqrt(var) with eps outside the root, r^3 inside
  /// dL/dgain = r * sum(g*c), of the samples that are here
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const auto saved = ctx->get_saved_variables();
    const auto shared = c10::static_intrusive_pointer_cast<Shared>(ctx->saved_data["shared"].toCapsule());
    const DeviationOptions& o = shared->options;
    const Tensor &x = saved[0], &gain = saved[1], &mean = saved[2], &var = saved[3], &g = grads[0];
    const Tensor r = factor_of(var, o), d = var.sqrt();
    const Tensor own = sums_of(x, {}, [&](const Channels& c) { return c.of(g); });
    const Tensor own_product =
        sums_of(x, {}, [&](const Channels& c) { return c.of(g) * (c.of(x) - c.wide(mean)); });
    Tensor both = torch::stack({own, own_product});
    if (o.sum) {
      both = both.to(torch::kDouble);
      o.sum(both);
      both = both.to(x.scalar_type());
    }
    const double n = shared->count;
    const Tensor push = both[0] / n, weighed = both[1] * (gain * r) * r;
    const Tensor pull =
        o.outside ? torch::where(d > 0, weighed / (n * d), torch::zeros_like(d)) : weighed * r / n;
    Tensor g_x = torch::empty_like(x);
    for_channels(x, [&](int64_t begin, int64_t end) {
      const Channels c{begin, end, x.dim()};
      c.of(g_x).copy_((c.of(g) - c.wide(push)) * (c.wide(gain) * c.wide(r)) -
                      (c.of(x) - c.wide(mean)) * c.wide(pull));
    });
    return {g_x, own_product * r, own, Tensor()};
  }
};

}  // namespace

DeviationNorm deviation_norm(const Tensor& x, const Tensor& gain, const Tensor& bias,
                             const DeviationOptions& options) {
  const auto shared = c10::make_intrusive<Shared>();
  shared->options = options;
  const variable_list out = Normalise::apply(x, gain, bias, shared);
  return {out[0], out[1], out[2], shared->count};
}

}  // namespace spiketrain::ops
