// The generic definitions of run() and vjp(): loops over step() under autograd.  Every neuron trains with
// them on its first day, on any device, and a fused version is later judged against them.
#include "spiketrain/core/neuron.h"

#include <algorithm>

#include "spiketrain/core/memory_tracker.h"
#include "spiketrain/core/rule.h"

namespace spiketrain {
namespace {

constexpr int64_t kFloat = 4;
constexpr int64_t kProbe = 1024;  ///< neurons in a probe: scalars beside them hardly count
constexpr int64_t kLongest = 64;  ///< steps in a probe: bytes per step hardly change with more

torch::TensorOptions probe_options(const Neuron& neuron) {
  const std::vector<Tensor> params = neuron.parameters();
  return params.empty() ? torch::TensorOptions(torch::kFloat) : params[0].options().requires_grad(false);
}

/// Bytes that the default vjp() of T steps holds at the worst moment, its result included.
int64_t vjp_peak(const Neuron& neuron, int64_t T) {
  const auto options = probe_options(neuron);
  Tape tape;
  tape.I = torch::zeros({T, 1, kProbe}, options);
  tape.in = neuron.initial({1, kProbe}, options);
  const Tensor delta = torch::zeros_like(tape.I);
  MemoryTracker tracker;
  neuron.Neuron::vjp(tape, delta, {});
  return tracker.peak();
}

}  // namespace

void Neuron::run(Tape& tape) const {
  const int64_t T = tape.I.size(0);
  const bool want_psi = tape.record && (tape.needs & kPsi);
  const bool want_u = tape.record && (tape.needs & kU);
  ST_ASSERT(!want_u);  // a neuron that provides kU overrides run()
  State state = tape.in;
  std::vector<Tensor> a(T), s(T), psi(T);
  for (int64_t t = 0; t < T; ++t) {
    torch::AutoGradMode grad(want_psi);
    const Tensor I = want_psi ? tape.I[t].detach().requires_grad_() : tape.I[t];
    Step now = step(I, state);
    if (want_psi) psi[t] = torch::autograd::grad({now.a.sum()}, {I})[0];
    a[t] = now.a.detach();
    if (now.s.defined()) s[t] = now.s.detach().to(torch::kUInt8);
    state.clear();
    for (const Tensor& z : now.next) state.push_back(z.detach());
  }
  tape.a = torch::stack(a);
  if (s[0].defined()) tape.s = Events::from_bytes(torch::stack(s));
  if (want_psi) tape.psi = torch::stack(psi);
  tape.out = state;
}

bool Neuron::emits_events() const {
  torch::NoGradGuard no_grad;
  const auto options = probe_options(*this);
  return step(torch::zeros({1, 1}, options), initial({1, 1}, options)).s.defined();
}

Neuron::Footprint Neuron::footprint(const Rule& rule, int64_t window) const {
  const auto options = probe_options(*this);
  Footprint f;
  for (const Tensor& z : initial({1, 1}, options)) f.state += z.numel() * kFloat;
  f.events = emits_events() ? 1 : 0;
  f.kept = kFloat + f.events;
  if (rule.needs() & kPsi) f.kept += kFloat;
  if (rule.uses_vjp()) {
    f.keeps_current = true;
    f.kept += kFloat;
    const int64_t T = std::min(window, kLongest);
    f.scratch = static_cast<double>(vjp_peak(*this, T)) / static_cast<double>(T * kProbe) - kFloat;
  }
  torch::NoGradGuard no_grad;
  const Tensor I = torch::zeros({1, kProbe}, options);
  const State z = initial({1, kProbe}, options);
  MemoryTracker tracker;
  step(I, z);
  f.ops = static_cast<double>(tracker.allocated()) / (kFloat * kProbe);
  return f;
}

Neuron::Adjoint Neuron::vjp(const Tape& tape, const Tensor& delta, const State& g_out) const {
  torch::AutoGradMode grad(true);
  const int64_t T = tape.I.size(0);
  const Tensor I = tape.I.detach().requires_grad_();
  std::vector<Tensor> leaves = {I};
  State state;
  for (const Tensor& z : tape.in) {
    state.push_back(z.detach().requires_grad_());
    leaves.push_back(state.back());
  }
  const std::vector<Tensor> params = parameters();
  leaves.insert(leaves.end(), params.begin(), params.end());
  std::vector<Tensor> outputs, gradients;
  for (int64_t t = 0; t < T; ++t) {
    Step now = step(I[t], state);
    outputs.push_back(now.a);
    gradients.push_back(delta[t]);
    state = std::move(now.next);
  }
  for (size_t k = 0; k < state.size(); ++k) {
    if (k >= g_out.size() || !g_out[k].defined() || !state[k].requires_grad()) continue;
    outputs.push_back(state[k]);
    gradients.push_back(g_out[k]);
  }
  auto g = torch::autograd::grad(outputs, leaves, gradients, /*retain_graph=*/false, /*create_graph=*/false,
                                 /*allow_unused=*/true);
  for (size_t k = 0; k < g.size(); ++k) {
    if (!g[k].defined()) g[k] = torch::zeros_like(leaves[k]);
  }
  const auto params_at = g.begin() + 1 + static_cast<int64_t>(tape.in.size());
  return {g[0], State(g.begin() + 1, params_at), std::vector<Tensor>(params_at, g.end())};
}

}  // namespace spiketrain
