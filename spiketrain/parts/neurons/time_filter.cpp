#include "spiketrain/parts/neurons/time_filter.h"

#include <ATen/ExpandUtils.h>

#include <algorithm>

#include "spiketrain/ops/chunks.h"
#include "spiketrain/ops/layout.h"
#include "spiketrain/ops/one_thread.h"

namespace spiketrain {
namespace {

/// Elements of a block of steps, so that its sums stay in the cache.
constexpr int64_t kBlock = 1 << 14;

/// Steps [t0, t1) of a tap.
Tensor at_times(const Tensor& tap, int64_t dims, int64_t t0, int64_t t1) {
  return tap.dim() == dims && tap.size(0) > 1 ? tap.slice(0, t0, t1) : tap;
}

/// The state as steps, oldest first [depth,B,*]; undefined if all of it is zero.
Tensor past_of(const State& before, int64_t depth) {
  State steps(before.begin(), before.begin() + depth);
  if (std::all_of(steps.begin(), steps.end(), [](const Tensor& z) { return ops::is_expanded_zero(z); }))
    return {};
  std::reverse(steps.begin(), steps.end());
  return torch::stack(steps);
}

/// Calls f(i, t0, t1, source, s0) for every tap i and steps [t0, t1) whose input is source[s0, ...]: past or x.
template <class F>
void for_sources(const TimeFilter& filter, const Tensor& x, const Tensor& past, int64_t begin, int64_t end,
                 F&& f) {
  const int64_t depth = filter.depth();
  for (int64_t i = 0; i < filter.size(); ++i) {
    const int64_t lag = filter.lag(i), border = std::clamp(lag, begin, end);
    if (past.defined() && begin < border) f(i, begin, border, past, depth + begin - lag);
    if (border < end) f(i, border, end, x, border - lag);
  }
}

}  // namespace

State silent_past(int64_t depth, at::IntArrayRef shape, const torch::TensorOptions& options) {
  State state;
  for (int64_t j = 0; j < depth; ++j) state.push_back(torch::zeros({}, options).expand(shape));
  return state;
}

State past_after(const State& before, int64_t depth, const Tensor& I) {
  const int64_t T = I.size(0), own = std::min(T, depth);
  State after;
  if (own > 0) {
    const Tensor kept = I.slice(0, T - own, T).clone();
    for (int64_t j = 0; j < own; ++j) after.push_back(kept[own - 1 - j]);
  }
  for (int64_t j = own; j < depth; ++j) after.push_back(before[static_cast<size_t>(j - own)]);
  return after;
}

Tensor filtered(const TimeFilter& filter, const Tensor& x, const State& before) {
  const Tensor past = past_of(before, filter.depth());
  Tensor y = torch::zeros_like(x);
  const int64_t T = x.size(0), step = std::max<int64_t>(1, x.numel() / std::max<int64_t>(1, T));
  const int64_t block = std::max<int64_t>(1, kBlock / step);
  const Tensor room = torch::empty_like(x.slice(0, 0, std::min(T, block)));
  for (int64_t begin = 0; begin < T; begin += block) {
    for_sources(filter, x, past, begin, std::min(T, begin + block),
                [&](int64_t i, int64_t t0, int64_t t1, const Tensor& source, int64_t s0) {
                  const Tensor w = at_times(filter.taps[static_cast<size_t>(i)], x.dim(), t0, t1);
                  const Tensor from = source.slice(0, s0, s0 + t1 - t0);
                  Tensor product = room.slice(0, 0, t1 - t0);
                  at::mul_out(product, from, w);
                  y.slice(0, t0, t1).add_(product);
                });
  }
  return y;
}

FilterAdjoint filter_adjoint(const TimeFilter& filter, const Tensor& x, const State& before,
                             const Tensor& gy) {
  const int64_t T = x.size(0), depth = filter.depth();
  const Tensor past = past_of(before, depth);
  FilterAdjoint a;
  a.g = torch::zeros_like(x);
  // All of it: the state has a gradient where it is zero, too.
  Tensor g_past;
  if (depth > 0) {
    std::vector<int64_t> sizes = x.sizes().vec();
    sizes[0] = depth;
    g_past = torch::zeros(sizes, x.options());
  }
  for (const Tensor& tap : filter.taps) a.g_taps.push_back(torch::zeros_like(tap));
  for (int64_t i = 0; i < filter.size(); ++i) {
    const auto at = static_cast<size_t>(i);
    const int64_t lag = filter.lag(i), border = std::min(lag, T);
    const auto part = [&](int64_t t0, int64_t t1, const Tensor& from, const Tensor& into, int64_t s0) {
      if (t0 >= t1) return;
      const Tensor g = gy.slice(0, t0, t1), w = at_times(filter.taps[at], x.dim(), t0, t1);
      into.slice(0, s0, s0 + t1 - t0).add_(g * w);
      if (!from.defined()) return;
      const Tensor g_tap = at_times(a.g_taps[at], x.dim(), t0, t1);
      g_tap.add_(at::sum_to(g * from.slice(0, s0, s0 + t1 - t0), g_tap.sizes()));
    };
    part(0, border, past, g_past, depth - lag);
    part(border, T, x, a.g, border - lag);
  }
  for (int64_t j = 0; j < depth; ++j) a.g_before.push_back(g_past[depth - 1 - j]);
  return a;
}

void add_after(const State& g_after, Tensor& g, State& g_before) {
  const auto T = static_cast<size_t>(g.size(0));
  for (size_t j = 0; j < std::min(g_after.size(), g_before.size()); ++j) {
    if (!g_after[j].defined()) continue;
    if (j < T) {
      g[static_cast<int64_t>(T - 1 - j)].add_(g_after[j]);
    } else {
      g_before[j - T].add_(g_after[j]);
    }
  }
}

size_t share_steps(const Tensor& x, const std::function<void(size_t, int64_t, int64_t)>& f) {
  constexpr int64_t kMinElements = 1 << 12;
  const int64_t B = x.size(1), each = x.numel() / std::max<int64_t>(1, B);
  const int64_t least = std::max<int64_t>(1, kMinElements / std::max<int64_t>(1, each));
  const int64_t size = ops::chunk_size(B, least);
  if (!x.is_cpu() || B <= size) {
    const ops::OneThread one_thread;
    f(0, 0, B);
    return 1;
  }
  ops::for_chunks(
      B, [&](int64_t i, int64_t j) { f(static_cast<size_t>(i / size), i, j); }, least);
  return static_cast<size_t>((B + size - 1) / size);
}

State state_share(const State& state, int64_t i, int64_t j) {
  State share;
  for (const Tensor& z : state) share.push_back(z.defined() ? z.slice(0, i, j) : z);
  return share;
}

}  // namespace spiketrain
