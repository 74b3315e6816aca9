#include "spiketrain/core/neuron.h"

#include <ATen/ExpandUtils.h>

namespace spiketrain {

ST_DEFINE_REGISTRY(Neuron, "neuron")

c10::intrusive_ptr<Record> make_record(const Neuron& neuron, Tensor I, State before, uint32_t slots) {
  auto record = c10::make_intrusive<Record>();
  const Emission emission = neuron.emits();
  const auto options = I.options().requires_grad(false);
  if (before.empty()) before = neuron.initial(I.sizes().slice(1), options);
  const auto array = [&] { return torch::empty(I.sizes(), options); };
  record->slots = slots;
  record->type = I.scalar_type();
  record->before = before;
  record->state = std::move(before);
  if (!emission.bare()) record->a = array();
  if (!emission.analog()) record->s = torch::empty(I.sizes(), options.dtype(torch::kUInt8));
  if (slots & kU) record->u = array();
  if (slots & kPsi) record->psi = array();
  record->I = std::move(I);
  return record;
}

void set_coefficient(Neuron& neuron, const std::string& name, const Tensor& values) {
  const auto buffers = neuron.named_buffers(/*recurse=*/false);
  const Tensor* buffer = buffers.find(name);
  ST_CHECK(buffer != nullptr, "neuron '", neuron.part_name(), "' holds no coefficient '", name,
           "' per channel or neuron; it holds: ", buffers.is_empty() ? "none" : join(buffers.keys()));
  ST_CHECK(at::is_expandable_to(values.sizes(), buffer->sizes()), "coefficient '", name,
           "': expected values that expand to ", buffer->sizes(), ", got ", values.sizes());
  torch::NoGradGuard no_grad;
  Tensor(*buffer).copy_(values);
}

void Stepped::run(Record& record, Steps steps) const {
  const bool want_psi = record.psi.defined();
  for (int64_t t = steps.begin; t < steps.end; ++t) {
    torch::AutoGradMode grad(want_psi);
    const Tensor I = want_psi ? record.I[t].detach().requires_grad_() : record.I[t];
    Step now = step(I, record.state);
    if (want_psi) {
      const Tensor psi = torch::autograd::grad({now.a.sum()}, {I}, {}, /*retain_graph=*/false,
                                               /*create_graph=*/false, /*allow_unused=*/true)[0];
      record.psi[t].copy_(psi.defined() ? psi : torch::zeros_like(I));
    }
    torch::NoGradGuard no_grad;
    ST_CHECK(now.next.size() == record.state.size(), "neuron ", part_name(), ": initial() has ",
             record.state.size(), " states, step() returned ", now.next.size());
    if (record.a.defined()) record.a[t].copy_(now.a);
    if (record.s.defined()) record.s[t].copy_(now.s);
    if (record.u.defined()) {
      ST_CHECK(now.u.defined(), "a neuron that provides the membrane before reset must set Step::u");
      record.u[t].copy_(now.u);
    }
    for (size_t k = 0; k < now.next.size(); ++k) record.state[k] = now.next[k].detach();
  }
  record.total = -1;
}

Credit Stepped::vjp(const Record& record, const Tensor& delta, const State& g_after) const {
  torch::AutoGradMode grad(true);
  const int64_t T = record.I.size(0);
  const Tensor I = record.I.detach().requires_grad_();
  std::vector<Tensor> leaves = {I};
  State state;
  for (const Tensor& z : record.before) {
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
    if (k >= g_after.size() || !g_after[k].defined() || !state[k].requires_grad()) continue;
    outputs.push_back(state[k]);
    gradients.push_back(g_after[k]);
  }
  auto g = torch::autograd::grad(outputs, leaves, gradients, /*retain_graph=*/false, /*create_graph=*/false,
                                 /*allow_unused=*/true);
  for (size_t k = 0; k < g.size(); ++k) {
    if (!g[k].defined()) g[k] = torch::zeros_like(leaves[k]);
  }
  const auto params_at = g.begin() + 1 + static_cast<int64_t>(record.before.size());
  return {g[0], State(g.begin() + 1, params_at), std::vector<Tensor>(params_at, g.end())};
}

}  // namespace spiketrain
