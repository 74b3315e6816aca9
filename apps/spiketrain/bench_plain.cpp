#include "apps/spiketrain/bench_plain.h"

#include "apps/spiketrain/bench_case.h"
#include "spiketrain/ops/surrogate.h"

namespace spiketrain::cli::bench {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Samples of step t.
Tensor at_step(const Tensor& x, int64_t t, int64_t B) { return x.slice(0, t * B, (t + 1) * B); }

/// A tensor like I for all steps.
Tensor empty_steps(const Tensor& I, int64_t samples) {
  std::vector<int64_t> sizes = I.sizes().vec();
  sizes[0] = samples;
  return torch::empty(sizes, I.options().memory_format(I.suggest_memory_format()));
}

/// LIF over all steps, see kLeak.  Backward, from the last step to the first: with y = 1 + (pi (u - 1))^2 and what comes from
/// the step after, h = kLeak * g[t+1], g[t] = h + (delta[t] - h) / y.
struct StrongNeurons : torch::autograd::Function<StrongNeurons> {
  static Tensor forward(AutogradContext* ctx, const Tensor& I, int64_t steps, bool still) {
    const int64_t B = still ? I.size(0) : I.size(0) / steps;
    Tensor U = empty_steps(I, steps * B), S = torch::empty_like(U), v;
    for (int64_t t = 0; t < steps; ++t) {
      Tensor u = at_step(U, t, B), s = at_step(S, t, B);
      const Tensor now = still ? I : at_step(I, t, B);
      if (t == 0) {
        u.copy_(now);
        v = torch::empty_like(u);
      } else {
        at::add_out(u, now, v, kLeak);
      }
      at::ge_out(s, u, 1.0);
      at::sub_out(v, u, s);
    }
    ctx->save_for_backward({U});
    ctx->saved_data["steps"] = steps;
    ctx->saved_data["still"] = still;
    return S;
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const Tensor U = ctx->get_saved_variables()[0];
    const Tensor delta = grads[0].contiguous(U.suggest_memory_format());
    const int64_t steps = ctx->saved_data["steps"].toInt(), B = U.size(0) / steps;
    const bool still = ctx->saved_data["still"].toBool();
    Tensor G = still ? torch::zeros_like(at_step(U, 0, B)) : torch::empty_like(U);
    Tensor last, y = torch::empty_like(at_step(U, 0, B)), h = torch::empty_like(y),
                 rest = torch::empty_like(y);
    const Tensor one = torch::ones({1}, U.options().memory_format(c10::nullopt));
    for (int64_t t = steps - 1; t >= 0; --t) {
      at::sub_out(y, at_step(U, t, B), one);
      y.mul_(M_PI);
      at::addcmul_out(y, one, y, y);
      Tensor g = still ? torch::empty_like(y) : at_step(G, t, B);
      if (!last.defined()) {
        at::div_out(g, at_step(delta, t, B), y);
      } else {
        at::mul_out(h, last, torch::full({}, kLeak, U.options().memory_format(c10::nullopt)));
        at::sub_out(rest, at_step(delta, t, B), h);
        at::addcdiv_out(g, h, rest, y);
      }
      if (still) G.add_(g);
      last = g;
    }
    return {G, Tensor(), Tensor()};
  }
};

Tensor pooled(const PlainUnit& unit, const Tensor& x) { return unit.pool ? torch::avg_pool2d(x, {2, 2}) : x; }

Tensor as_floats(const Tensor& x) { return x.is_floating_point() ? x : x.to(torch::kFloat); }

/// Samples, channels last.
Tensor strong_input(const PlainInput& in) {
  const Tensor x = as_floats(in.still ? in.x : in.x.flatten(0, 1));
  return x.dim() == 4 ? x.contiguous(at::MemoryFormat::ChannelsLast) : x;
}

/// The head's weights [out,C,H,W] and the maps lie channels last, so that neither is copied.
Tensor head_product(const PlainUnit& head, const Tensor& x) {
  const auto by_pixel = [](const Tensor& maps) { return maps.permute({0, 2, 3, 1}).flatten(1); };
  return torch::linear(by_pixel(x), by_pixel(head.W));
}

Tensor strong_unit(const PlainUnit& unit, const Tensor& x, int64_t steps, bool still) {
  return pooled(unit, strong_neurons(plain_current(unit, x), steps, still));
}

}  // namespace

Tensor plain_current(const PlainUnit& unit, const Tensor& x) {
  const Tensor I =
      unit.W.dim() == 4 ? torch::conv2d(x, unit.W, {}, 1, unit.pad) : torch::linear(x.flatten(1), unit.W);
  if (!unit.gain.defined()) return I;
  return torch::batch_norm(I, unit.gain, unit.bias, unit.mean, unit.var, /*training=*/true, /*momentum=*/0.1,
                           /*eps=*/1e-5, /*cudnn_enabled=*/true);
}

Tensor strong_neurons(const Tensor& I, int64_t steps, bool still) {
  return StrongNeurons::apply(I, steps, still);
}

Tensor naive_neurons(const Tensor& I, int64_t steps) {
  const SurrogateCurve curve = surrogate_curve("atan", 0, 1);
  std::vector<Tensor> sent;
  Tensor v;
  for (const Tensor& now : I.chunk(steps)) {
    const Tensor u = v.defined() ? v * kLeak + now : now, s = spike(u - 1, curve, false);
    v = u - s;
    sent.push_back(s);
  }
  return torch::cat(sent);
}

Tensor strong_forward(const std::vector<PlainUnit>& units, const PlainInput& in) {
  Tensor x = strong_input(in);
  for (size_t k = 0; k < units.size(); ++k) x = strong_unit(units[k], x, in.steps, in.still && k == 0);
  return x;
}

void local_forward(const std::vector<PlainUnit>& units, const std::vector<PlainUnit>& heads,
                   const PlainInput& in, const std::function<void(const Tensor& out)>& learn) {
  Tensor x = strong_input(in);
  for (size_t k = 0; k < units.size(); ++k) {
    x = strong_unit(units[k], x, in.steps, in.still && k == 0);
    if (k >= heads.size()) continue;
    learn(strong_neurons(head_product(heads[k], x), in.steps, /*still=*/false));
    x = x.detach();
  }
  learn(x);
}

Tensor naive_forward(const std::vector<PlainUnit>& units, const PlainInput& in) {
  Tensor x = in.x;
  if (in.still) x = x.unsqueeze(0).repeat_interleave(in.steps, 0);
  x = as_floats(x.flatten(0, 1));
  for (const PlainUnit& unit : units) x = pooled(unit, naive_neurons(plain_current(unit, x), in.steps));
  return x;
}

Tensor relu_forward(const std::vector<PlainUnit>& units, Tensor x) {
  for (size_t k = 0; k < units.size(); ++k) {
    x = plain_current(units[k], x);
    if (k == 0 || k + 1 < units.size()) x = x.relu_();
    x = pooled(units[k], x);
  }
  return x;
}

}  // namespace spiketrain::cli::bench
