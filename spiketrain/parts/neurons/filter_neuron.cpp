#include "spiketrain/parts/neurons/filter_neuron.h"

#include <ATen/ExpandUtils.h>

#include <algorithm>

#include "spiketrain/ops/chunks.h"

namespace spiketrain {

State FilterNeuron::initial(at::IntArrayRef shape, const torch::TensorOptions& options) const {
  ST_CHECK(!parameters().empty(), "neuron ", part_name(), ": build() comes before its first state");
  return silent_past(depth(), shape, options);
}

Stepped::Step FilterNeuron::step(const Tensor& I, const State& state) const {
  const Constants c = constants();
  Tensor h = torch::zeros_like(I);
  for (int64_t i = 0; i < k; ++i) {
    const int64_t lag = dilation * (k - 1 - i);
    h = h + (lag == 0 ? I : state[static_cast<size_t>(lag - 1)]) * c.taps[static_cast<size_t>(i)];
  }
  h = h + c.bias;
  State next;
  for (int64_t j = 0; j < depth(); ++j) next.push_back(j == 0 ? I : state[static_cast<size_t>(j - 1)]);
  const Tensor s = core.fire(h);
  return {s, s, std::move(next), h};
}

FilterNeuron::Constants FilterNeuron::detached(const Constants& c) {
  Constants plain;
  for (const Tensor& tap : c.taps) plain.taps.push_back(tap.detach());
  plain.bias = c.bias.detach();
  return plain;
}

void FilterNeuron::run_with(Record& record, Steps steps, const Constants& c) const {
  const Tensor I = at_steps(record.I, steps);
  const TimeFilter filter = {c.taps, dilation};
  share_steps(I, [&](size_t, int64_t i, int64_t j) {
    const Tensor h = filtered(filter, I.slice(1, i, j), state_share(record.state, i, j)).add_(c.bias);
    core.write(record, steps, i, j, h, c.taps.back());
  });
  record.state = past_after(record.state, depth(), I);
  record.total = -1;
}

void FilterNeuron::run(Record& record, Steps steps) const {
  const torch::NoGradGuard no_grad;
  run_with(record, steps, detached(constants()));
}

FilterNeuron::ShareOf FilterNeuron::error_at_membrane(const Record& record, const Tensor& delta) const {
  return [this, &record, &delta](int64_t i, int64_t j) {
    return core.back(delta.slice(1, i, j), record.u.slice(1, i, j));
  };
}

FilterNeuron::SumCredit FilterNeuron::sum_credit(const Record& record, const Constants& c,
                                                 const ShareOf& gh_of) const {
  const TimeFilter filter = {c.taps, dilation};
  std::vector<SumCredit> parts(ops::kMaxChunks);
  Tensor g = torch::empty_like(record.I);
  const size_t n = share_steps(record.I, [&](size_t part, int64_t i, int64_t j) {
    const torch::NoGradGuard no_grad;
    const auto share = [&](const Tensor& x) { return x.slice(1, i, j); };
    const Tensor gh = gh_of(i, j);
    parts[part] = {filter_adjoint(filter, share(record.I), state_share(record.before, i, j), gh),
                   at::sum_to(gh, c.bias.sizes(), /*always_return_non_view=*/true)};
    share(g).copy_(parts[part].filter.g);
    parts[part].filter.g.reset();
  });
  SumCredit all = std::move(parts[0]);
  std::vector<State> befores = {all.filter.g_before};
  for (size_t part = 1; part < n; ++part) {
    all.g_bias.add_(parts[part].g_bias);
    for (size_t i = 0; i < all.filter.g_taps.size(); ++i)
      all.filter.g_taps[i].add_(parts[part].filter.g_taps[i]);
    befores.push_back(std::move(parts[part].filter.g_before));
  }
  for (size_t j = 0; j < all.filter.g_before.size() && n > 1; ++j) {
    std::vector<Tensor> pieces;
    for (const State& before : befores) pieces.push_back(before[j]);
    all.filter.g_before[j] = torch::cat(pieces);
  }
  all.filter.g = std::move(g);
  return all;
}

std::vector<Tensor> FilterNeuron::pulled(const Constants& from, const SumCredit& g,
                                         const std::vector<Tensor>& more) const {
  std::vector<Tensor> leaves = parameters(), outputs = from.taps, gradients = g.filter.g_taps;
  leaves.insert(leaves.end(), more.begin(), more.end());
  outputs.push_back(from.bias);
  gradients.push_back(g.g_bias);
  // What is frozen asks for nothing.
  std::vector<Tensor> asking, at, g_at, result(leaves.size());
  std::vector<size_t> place;
  for (size_t k = 0; k < leaves.size(); ++k) {
    if (!leaves[k].requires_grad()) continue;
    asking.push_back(leaves[k]);
    place.push_back(k);
  }
  for (size_t k = 0; k < outputs.size(); ++k) {
    if (!outputs[k].requires_grad()) continue;
    at.push_back(outputs[k]);
    g_at.push_back(gradients[k].view(outputs[k].sizes()));
  }
  if (asking.empty() || at.empty()) return result;
  const auto got = torch::autograd::grad(at, asking, g_at, /*retain_graph=*/false, /*create_graph=*/false,
                                         /*allow_unused=*/true);
  for (size_t k = 0; k < got.size(); ++k)
    result[place[k]] = got[k].defined() ? got[k] : torch::zeros_like(asking[k]);
  return result;
}

Credit FilterNeuron::vjp(const Record& record, const Tensor& delta, const State& g_after) const {
  const torch::AutoGradMode grad(true);
  const Constants c = constants();
  SumCredit sum = sum_credit(record, detached(c), error_at_membrane(record, delta));
  const torch::NoGradGuard no_grad;
  add_after(g_after, sum.filter.g, sum.filter.g_before);
  return {std::move(sum.filter.g), std::move(sum.filter.g_before), pulled(c, sum)};
}

}  // namespace spiketrain
