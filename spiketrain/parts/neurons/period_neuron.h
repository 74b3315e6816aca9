// Neurons that read the spikes of a period of K steps as one value and send another one as spikes of the next K steps:
//   x = sum over the period of reads[i]*I[t], i = t mod K;   v = value(x);   in phases i = 0 ... K-1 of the next period: send(v, i)
//   pipelined  as hardware does it: what is sent comes a period later, and a network of L such layers needs L + 1 periods
//   aligned    the same in the period that was read: the delay is taken out, so that a network of any depth runs in one period.  Not
//              causal within it.  Forward and back it is pipelined run a period further, whose outputs are moved to the front.
// State: {sum so far, what is left to send, v, phase}; aligned none.  Tests: unit/few_spikes_test.cpp.
#pragma once
#include <string>

#include "spiketrain/core/neuron.h"

namespace spiketrain {

/// Phases 0 ... K-1 of numbers of steps; without gradient.
inline Tensor phase_of(const Tensor& steps, int64_t K) {
  return torch::remainder(torch::floor(steps.detach()), K).to(torch::kLong);
}
/// Entries of a table [K] at these phases, of the type of `like`.
inline Tensor at_phases(const Tensor& table, const Tensor& phase, const Tensor& like) {
  return table.to(like.options().requires_grad(false)).index({phase});
}

struct PeriodNeuron : Stepped {
  std::string form = "aligned";

  template <class V>
  void visit_form(V& v) {
    v(form, "form",
      "spikes are sent in the period that they are made of, which is read as a whole (aligned), or in the next (pipelined)",
      Choices{{"aligned", "pipelined"}});
  }
  bool whole_sequence() const override { return form == "aligned"; }
  uint32_t provides() const override { return whole_sequence() ? 0U : uint32_t{kU}; }
  State initial(at::IntArrayRef shape, const torch::TensorOptions& options) const override;
  Step step(const Tensor& I, const State& state) const override;
  void run(Record& record, Steps steps) const override;
  Credit vjp(const Record& record, const Tensor& delta, const State& g_after) const override;

 protected:
  /// K
  virtual int64_t period() const = 0;
  /// What a spike weighs that comes in these phases, of the type of `like`; differentiable in what the neuron learns.
  virtual Tensor reads(const Tensor& phase, const Tensor& like) const = 0;
  /// What is sent of the sum over a period.
  virtual Tensor value(const Tensor& sum) const { return sum; }
  struct Sent {
    Tensor a, s, rest;  ///< output; spikes, undefined for an analog neuron; what is left of the value
  };
  /// In these phases, of what is left of a value.
  virtual Sent send(const Tensor& rest, const Tensor& value, const Tensor& phase) const = 0;

 private:
  State blank(at::IntArrayRef shape, const torch::TensorOptions& options) const;
  /// A record of the pipelined form over these steps and one period more.
  c10::intrusive_ptr<Record> a_period_more(const Tensor& I) const;
};

}  // namespace spiketrain
