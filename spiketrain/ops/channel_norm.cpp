#include "spiketrain/ops/channel_norm.h"

#include <algorithm>

#include "spiketrain/kernels/channel_norm/channel_norm.h"
#include "spiketrain/ops/chunks.h"
#include "spiketrain/ops/pointer.h"

namespace spiketrain::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// [A,B,C,*] -> rows of channels [A,B,*,C], contiguous; x's own memory if it lies so.
Tensor rows_of(const Tensor& x) {
  const Tensor plain = x.detach();
  return plain.dim() == 5 ? laid(plain, true) : plain.movedim(2, -1).contiguous();
}
Tensor maps_of(const Tensor& rows) { return rows.movedim(-1, 2); }

/// Of rows.
int64_t channels(const Tensor& rows) { return rows.size(-1); }
int64_t count_of(const Tensor& rows) { return rows.numel() / std::max<int64_t>(1, channels(rows)); }
std::vector<int64_t> all_but_last(const Tensor& rows) {
  std::vector<int64_t> dims;
  for (int64_t d = 0; d + 1 < rows.dim(); ++d) dims.push_back(d);
  return dims;
}

struct Sums {
  Tensor first, second;  ///< [C], double
};
Sums empty_sums(const Tensor& rows) {
  const Tensor both = torch::empty({2, channels(rows)}, rows.options().dtype(torch::kDouble));
  return {both[0], both[1]};
}
/// What a kernel that sums needs.
template <class Kernel>
Sums by_kernel(const Tensor& rows, const Kernel& kernel) {
  const int64_t N = count_of(rows), C = channels(rows);
  const Tensor work = torch::empty({cpu::channel_work(N, C)}, torch::kDouble);
  const Sums sums = empty_sums(rows);
  kernel(N, C, pointer<double>(work), sums.first.data_ptr<double>(), sums.second.data_ptr<double>());
  return sums;
}

/// Mean, and squares about it.
Sums moments(const Tensor& rows) {
  if (!has_kernel(rows)) {
    const auto [var, mean] = torch::var_mean(rows, all_but_last(rows), /*unbiased=*/false);
    return {mean.to(torch::kDouble), var.to(torch::kDouble) * count_of(rows)};
  }
  return by_kernel(rows, [&](int64_t N, int64_t C, double* work, double* mean, double* squares) {
    AT_DISPATCH_FLOATING_TYPES(rows.scalar_type(), "channel_moments", [&] {
      cpu::channel_moments(N, C, pointer<scalar_t>(rows), work, mean, squares);
    });
  });
}

/// sum g, and sum g * (x - mean).
Sums products_about(const Tensor& g, const Tensor& rows, const Tensor& mean) {
  if (!has_kernel(rows)) {
    const Tensor d = rows - mean.to(rows.scalar_type());
    return {g.sum(all_but_last(g)).to(torch::kDouble), (g * d).sum(all_but_last(g)).to(torch::kDouble)};
  }
  const Tensor centre = mean.to(rows.scalar_type());
  return by_kernel(rows, [&](int64_t N, int64_t C, double* work, double* sum, double* product) {
    AT_DISPATCH_FLOATING_TYPES(rows.scalar_type(), "channel_products", [&] {
      cpu::channel_products(N, C, pointer<scalar_t>(g), pointer<scalar_t>(rows), pointer<scalar_t>(centre),
                            work, sum, product);
    });
  });
}

struct Normalise : torch::autograd::Function<Normalise> {
  struct Held : torch::CustomClassHolder {
    explicit Held(ChannelNorm pass) : pass(std::move(pass)) {}
    ChannelNorm pass;
  };
  using HeldP = c10::intrusive_ptr<Held>;

  static Tensor forward(AutogradContext* ctx, const Tensor& /*x*/, const Tensor& /*gain*/,
                        const Tensor& /*bias*/, HeldP held) {
    Tensor y = held->pass.apply();
    ctx->saved_data["held"] = c10::IValue::make_capsule(std::move(held));
    return y;
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    ST_CHECK(!at::GradMode::is_enabled(), "norms have first derivatives only: create_graph must be false");
    const auto held = c10::static_intrusive_pointer_cast<Held>(ctx->saved_data["held"].toCapsule());
    const ChannelNorm::Gradients g = held->pass.back(grads[0]);
    return {g.x, g.gain, g.bias, Tensor()};
  }
};

}  // namespace

ChannelNorm::ChannelNorm(const Tensor& x, const Tensor& gain, const Tensor& bias, ChannelNormOptions options)
    : sizes_(x.sizes().vec()), options_(std::move(options)) {
  ST_CHECK(x.dim() >= 3 && x.is_floating_point() && gain.dim() == 1 && gain.size(0) == x.size(2) &&
               bias.sizes() == gain.sizes(),
           "norm: expected [T,B,C,*] and as many gains and biases as channels, got ", x.sizes(), " and ",
           gain.sizes());
  const torch::NoGradGuard no_grad;
  rows_ = rows_of(x);
  own_ = !rows_.is_alias_of(x);
  gain_ = gain.detach().to(torch::kDouble);
  measure();
  r_ = options_.outside ? 1 / (var.sqrt() + options_.eps) : (var + options_.eps).rsqrt();
  const auto type = rows_.scalar_type();
  centre_ = mean.to(type);
  factor_ = (gain_ * r_).to(type);
  shift_ = bias.detach().to(type).contiguous();
}

void ChannelNorm::measure() {
  count = static_cast<double>(count_of(rows_));
  if (options_.mean.defined()) {
    mean = options_.mean.detach().to(torch::kDouble);
    var = options_.var.detach().to(torch::kDouble);
    return;
  }
  const Sums here = moments(rows_);
  if (!options_.sum) {
    mean = here.first;
    var = here.second / count;
    return;
  }
  const Tensor total = torch::cat({here.first * count, torch::full({1}, count, here.first.options())});
  options_.sum(total);
  const double own = count;
  count = total[-1].item<double>();
  mean = total.slice(0, 0, -1) / count;
  const Tensor squares = here.second + own * (here.first - mean).square();
  options_.sum(squares);
  var = squares / count;
}

Tensor ChannelNorm::apply() const {
  const torch::NoGradGuard no_grad;
  if (!has_kernel(rows_)) return maps_of((rows_ - centre_) * factor_ + shift_);
  const Tensor out = torch::empty_like(rows_);
  AT_DISPATCH_FLOATING_TYPES(rows_.scalar_type(), "channel_standardise", [&] {
    cpu::StandardiseArgs<scalar_t> a;
    a.N = count_of(rows_);
    a.C = channels(rows_);
    a.x = pointer<scalar_t>(rows_);
    a.mean = pointer<scalar_t>(centre_);
    a.factor = pointer<scalar_t>(factor_);
    a.bias = pointer<scalar_t>(shift_);
    a.y = pointer<scalar_t>(out);
    cpu::channel_standardise(a);
  });
  return maps_of(out);
}

ChannelMap ChannelNorm::map() const {
  if (own_ || !has_kernel(rows_)) return {};
  return {centre_, factor_, shift_};
}

/// With c = x - mean, n values of a channel, h = gain * g and sums over all processes:
/// dL/dx = r*(h - mean h) - c * w * sum(h*c)/n;   w = r^2/sqrt(var) with eps outside the root, r^3 inside;   r*h for given statistics
/// dL/dgain = r * sum(g*c), of the samples that are here
ChannelNorm::Gradients ChannelNorm::back(Tensor g_in) const {
  const torch::NoGradGuard no_grad;
  const bool alone = g_in.use_count() == 1 && g_in.storage().use_count() == 1;
  ST_CHECK(g_in.sizes() == at::IntArrayRef(sizes_), "norm: expected an error of shape ",
           at::IntArrayRef(sizes_), ", got ", g_in.sizes());
  const Tensor g = rows_of(g_in);
  const auto type = rows_.scalar_type();
  const Sums own = products_about(g, rows_, mean);
  Tensor push = torch::zeros_like(mean), pull = push;
  if (!options_.mean.defined()) {
    Tensor both = torch::stack({own.first, own.second});
    if (options_.sum) options_.sum(both);
    push = both[0] / count;
    const Tensor weighed = both[1] * (gain_ * r_) * r_, d = var.sqrt();
    pull = options_.outside ? torch::where(d > 0, weighed / (count * d), torch::zeros_like(d))
                            : weighed * r_ / count;
  }
  Gradients gradients = {
      {}, (own.second * r_).to(type), own.first.to(type, /*non_blocking=*/false, /*copy=*/true)};
  push = push.to(type);
  pull = pull.to(type);
  if (!has_kernel(rows_)) {
    gradients.x = maps_of((g - push) * factor_ - (rows_ - centre_) * pull);
    return gradients;
  }
  const Tensor out = alone || !g.is_alias_of(g_in) ? g : torch::empty_like(rows_);
  AT_DISPATCH_FLOATING_TYPES(type, "channel_adjoint", [&] {
    cpu::ChannelAdjointArgs<scalar_t> a;
    a.N = count_of(rows_);
    a.C = channels(rows_);
    a.g = pointer<scalar_t>(g);
    a.x = pointer<scalar_t>(rows_);
    a.push = pointer<scalar_t>(push);
    a.factor = pointer<scalar_t>(factor_);
    a.mean = pointer<scalar_t>(centre_);
    a.pull = pointer<scalar_t>(pull);
    a.g_x = pointer<scalar_t>(out);
    cpu::channel_adjoint(a);
  });
  gradients.x = maps_of(out);
  return gradients;
}

NormedChannels channel_norm(const Tensor& x, const Tensor& gain, const Tensor& bias,
                            const ChannelNormOptions& options) {
  auto held = c10::make_intrusive<Normalise::Held>(ChannelNorm(x, gain, bias, options));
  const ChannelNorm& pass = held->pass;
  NormedChannels normed = {{}, pass.mean, pass.var, pass.count};
  normed.y = Normalise::apply(x, gain, bias, held);
  return normed;
}

}  // namespace spiketrain::ops
