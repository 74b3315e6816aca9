#include "spiketrain/parts/neurons/period_neuron.h"

namespace spiketrain {
namespace {

/// K steps of zeros like those of x [T,*].
Tensor silent_period(const Tensor& x, int64_t K) {
  std::vector<int64_t> sizes = x.sizes().vec();
  sizes[0] = K;
  return torch::zeros(sizes, x.options().requires_grad(false));
}

}  // namespace

State PeriodNeuron::blank(at::IntArrayRef shape, const torch::TensorOptions& options) const {
  return State(4, torch::zeros({}, options).expand(shape));
}

State PeriodNeuron::initial(at::IntArrayRef shape, const torch::TensorOptions& options) const {
  return whole_sequence() ? State() : blank(shape, options);
}

/// Pipelined.
Stepped::Step PeriodNeuron::step(const Tensor& I, const State& state) const {
  ST_CHECK(state.size() == 4, "neuron ", part_name(),
           ": form = \"aligned\" runs whole periods at once, not step by step; use form = \"pipelined\"");
  const Tensor phase = phase_of(state[3], period());
  const Tensor first = phase.eq(0);
  Tensor rest = state[1], value = state[2];
  if (first.any().item<bool>()) {
    const Tensor fresh = this->value(state[0]);
    rest = torch::where(first, fresh, rest);
    value = torch::where(first, fresh, value);
  }
  Sent sent = send(rest, value, phase);
  const Tensor sum = torch::where(first, torch::zeros_like(I), state[0]) + reads(phase, I) * I;
  return {sent.a, sent.s, {sum, sent.rest, value, torch::remainder(state[3] + 1, period())}, rest};
}

c10::intrusive_ptr<Record> PeriodNeuron::a_period_more(const Tensor& I) const {
  const int64_t K = period(), T = I.size(0);
  ST_CHECK(T % K == 0, "neuron ", part_name(), ": form = \"aligned\" reads whole periods of ", K,
           " steps, got ", T, "; set steps to a multiple of phases");
  const Tensor more = torch::cat({I.detach(), silent_period(I, K)});
  return make_record(*this, more, blank(I.sizes().slice(1), I.options().requires_grad(false)), kI);
}

void PeriodNeuron::run(Record& record, Steps steps) const {
  if (!whole_sequence()) return Stepped::run(record, steps);
  const torch::NoGradGuard no_grad;
  const auto late = a_period_more(at_steps(record.I, steps));
  Stepped::run(*late, late->all());
  if (record.s.defined()) at_steps(record.s, steps).copy_(late->s.slice(0, period()));
  if (record.a.defined()) at_steps(record.a, steps).copy_(late->a.slice(0, period()));
  record.total = -1;
}

Credit PeriodNeuron::vjp(const Record& record, const Tensor& delta, const State& g_after) const {
  if (!whole_sequence()) return Stepped::vjp(record, delta, g_after);
  const auto late = a_period_more(record.I);
  Credit credit = Stepped::vjp(*late, torch::cat({silent_period(delta, period()), delta}), {});
  return {credit.g.slice(0, 0, record.I.size(0)).contiguous(), {}, std::move(credit.g_params)};
}

}  // namespace spiketrain
