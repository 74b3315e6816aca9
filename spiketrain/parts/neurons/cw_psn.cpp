#include "spiketrain/parts/neurons/cw_psn.h"

#include <ATen/ExpandUtils.h>

#include <algorithm>

#include "spiketrain/ops/chunks.h"
#include "spiketrain/ops/one_thread.h"

namespace spiketrain {

void ChannelPsn::build(const Shape& shape) {
  ST_CHECK(!shape.empty(), "neuron cw_psn: expected the shape of the neurons, got none");
  core.build();
  const int64_t channels = shape[0];
  view_.assign(shape.size(), 1);
  view_[0] = channels;
  if (!quantizer.is_null()) quantizer_ = make<Quantizer>(quantizer);
  const Tensor w = torch::exp2(torch::arange(1 - k, 1, torch::kFloat));
  weight_ = register_parameter("weight", w.repeat({channels, 1}));
  if (has_norm()) {
    gamma_ = register_parameter("gamma", torch::ones({channels}));
    mean_ = register_buffer("running_mean", torch::zeros({channels}));
    var_ = register_buffer("running_var", torch::ones({channels}));
  }
  bias_ = register_parameter("bias", torch::full({channels}, -core.threshold, torch::kFloat));
}

std::vector<Tensor> ChannelPsn::statistics() const {
  return has_norm() ? std::vector<Tensor>{mean_, var_} : std::vector<Tensor>();
}

Tensor ChannelPsn::per_channel(const Tensor& x) const { return x.view(view_); }

ChannelPsn::Folded ChannelPsn::folded(const Tensor& mean, const Tensor& var) const {
  Folded f = {weight_, bias_};
  if (mean.defined()) {
    const Tensor scale = gamma_ * torch::rsqrt(var + eps);
    f = {weight_ * scale.unsqueeze(1), bias_ - mean * scale};
  }
  if (quantizer_) f.W = quantizer_->apply(f.W);
  return f;
}

FilterNeuron::Constants ChannelPsn::constants_of(const Folded& f) const {
  Constants c;
  for (const Tensor& tap : f.W.unbind(1)) c.taps.push_back(per_channel(tap.contiguous()));
  c.bias = per_channel(f.b);
  return c;
}

FilterNeuron::Constants ChannelPsn::constants() const { return constants_of(folded(mean_, var_)); }

FilterNeuron::Constants ChannelPsn::raw() const { return constants_of({weight_, torch::zeros_like(bias_)}); }

Tensor ChannelPsn::deployed_weight() const {
  const torch::NoGradGuard no_grad;
  return folded(mean_, var_).W.detach();
}

Tensor ChannelPsn::deployed_bias() const {
  const torch::NoGradGuard no_grad;
  return folded(mean_, var_).b.detach();
}

/// Shares of the samples are put together as in Chan, Golub, LeVeque 1983: no difference of large sums.
ChannelPsn::Moments ChannelPsn::moments(const Record& record) const {
  const Constants c = detached(raw());
  const TimeFilter filter = {c.taps, dilation};
  struct Part {
    Tensor mean, squares;
    double count = 0;
  };
  std::vector<Part> parts(ops::kMaxChunks);
  const int64_t each = record.I[0][0].numel() / view_[0];
  const size_t n = share_steps(record.I, [&](size_t part, int64_t i, int64_t j) {
    const torch::NoGradGuard no_grad;
    const Tensor t1 = filtered(filter, record.I.slice(1, i, j), state_share(record.before, i, j));
    const auto count = static_cast<double>(record.I.size(0) * (j - i) * each);
    const Tensor mean = at::sum_to(t1, view_, /*always_return_non_view=*/true).div_(count);
    parts[part] = {mean, at::sum_to((t1 - mean).square_(), view_, /*always_return_non_view=*/true), count};
  });
  Part all = std::move(parts[0]);
  for (size_t part = 1; part < n; ++part) {
    const Part& more = parts[part];
    const double count = all.count + more.count;
    const Tensor apart = more.mean - all.mean;
    all.mean = all.mean + apart * (more.count / count);
    all.squares = all.squares + more.squares + apart.square() * (all.count * more.count / count);
    all.count = count;
  }
  return {all.mean.flatten(), (all.squares / all.count).flatten(), static_cast<int64_t>(all.count)};
}

void ChannelPsn::run_training(Record& record, bool moves) {
  const torch::NoGradGuard no_grad;
  const Moments m = moments(record);
  run_with(record, record.all(), detached(constants_of(folded(m.mean, m.var))));
  if (!moves) return;
  const double unbiased =
      static_cast<double>(m.count) / static_cast<double>(std::max<int64_t>(1, m.count - 1));
  mean_.mul_(1 - momentum).add_(m.mean, momentum);
  var_.mul_(1 - momentum).add_(m.var, momentum * unbiased);
}

Credit ChannelPsn::vjp(const Record& record, const Tensor& delta, const State& g_after) const {
  if (!couples_samples()) return FilterNeuron::vjp(record, delta, g_after);
  const torch::AutoGradMode grad(true);
  const Moments m = moments(record);
  const Tensor mean = m.mean.requires_grad_(), var = m.var.requires_grad_();
  const Constants c = constants_of(folded(mean, var));
  SumCredit sum = sum_credit(record, detached(c), error_at_membrane(record, delta));
  std::vector<Tensor> g_params = pulled(c, sum, {mean, var});
  const Tensor g_var = per_channel(g_params.back() / static_cast<double>(m.count));
  g_params.pop_back();
  const Tensor g_mean = per_channel(g_params.back() / static_cast<double>(m.count));
  g_params.pop_back();
  // What goes back through the statistics: dL/dt1 = g_mean/n + 2 (t1 - mean) g_var/n.
  const Constants first = raw(), plain = detached(first);
  const TimeFilter filter = {plain.taps, dilation};
  const Tensor center = per_channel(mean.detach());
  const SumCredit through = sum_credit(record, plain, [&](int64_t i, int64_t j) {
    const Tensor t1 = filtered(filter, record.I.slice(1, i, j), state_share(record.before, i, j));
    return (t1 - center) * (2 * g_var) + g_mean;
  });
  const torch::NoGradGuard no_grad;
  const std::vector<Tensor> more = pulled(first, through);
  for (size_t k = 0; k < g_params.size(); ++k)
    if (more[k].defined()) g_params[k] = g_params[k] + more[k];
  sum.filter.g.add_(through.filter.g);
  for (size_t j = 0; j < sum.filter.g_before.size(); ++j)
    sum.filter.g_before[j].add_(through.filter.g_before[j]);
  add_after(g_after, sum.filter.g, sum.filter.g_before);
  return {std::move(sum.filter.g), std::move(sum.filter.g_before), std::move(g_params)};
}

ST_REGISTER(Neuron, "cw_psn", ChannelPsn);

}  // namespace spiketrain
