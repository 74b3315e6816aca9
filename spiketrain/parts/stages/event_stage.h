// What event-driven stages share: weights, time constants and where their input comes from.
#pragma once
#include <ATen/core/ivalue.h>

#include <cmath>

#include "spiketrain/base/rng.h"
#include "spiketrain/ops/event_lif.h"
#include "spiketrain/parts/stages/one_input.h"

namespace spiketrain {

/// What a pass keeps for its way back.
struct EventCall : torch::CustomClassHolder {
  cpu::EventLifParams p;
  SpikeTimes in;
  Tensor W, V;
  ops::EventSpikes out;  ///< unless it is a readout
};
using EventCallP = c10::intrusive_ptr<EventCall>;

/// What a node kept.
template <class Call>
c10::intrusive_ptr<Call> held_call(torch::autograd::AutogradContext* ctx) {
  ST_CHECK(!at::GradMode::is_enabled(),
           "spiketrain layers have first derivatives only: create_graph must be false");
  return c10::static_intrusive_pointer_cast<Call>(ctx->saved_data["held"].toCapsule());
}

/// The spikes that an event-driven stage reads.  UsageError unless the gradient can go back as dL/d(time).
inline SpikeTimes arrivals(const Signal& x, const std::string& stage) {
  ST_CHECK(
      x.has_times() || !x.edge().requires_grad(), "stage ", stage,
      ": its error goes back as dL/d(spike time), but the layer below works by steps; begin a block here, or "
      "let event-driven layers come first");
  return x.spike_times();
}

/// Neurons that read the spike times of all inputs: their number, weights and how those are drawn.
struct EventFullyConnected : Stage {
  int64_t features = 10;
  double weight_mean = 0, weight_std = 1;

  Shape build(const std::vector<Shape>& inputs) override {
    in_ = one_input(inputs, part_name().c_str());
    W_ = register_parameter("weight", torch::zeros({features, numel(in_)}));
    return {features};
  }
  void initialise(uint64_t seed) override {
    draw(W_, weight_mean, weight_std, Rng(seed, Purpose::init, draws_from()));
  }
  bool whole_sequence() const override { return true; }
  bool takes_times() const override { return true; }
  std::string notation() const override { return std::to_string(features); }
  std::vector<StageInfo> describe() const override {
    StageInfo row;
    row.spec = notation();
    row.out = {features};
    row.slot = slot_;
    for (const Tensor& w : parameters()) row.parameters += w.numel();
    return {row};
  }

 protected:
  /// What a spike through a weight of 1 raises the membrane to, at most.
  virtual double peak() const = 0;
  template <class V>
  void visit_number(V& v) {
    v(features, "features", "number of neurons", Range{1, 1 << 24});
  }
  template <class V>
  void visit_weights(V& v) {
    v(weight_mean, "weight_mean",
      "mean of the initial weights; 1: all inputs together, one spike each at once, raise the membrane to 1",
      Range{-1e6, 1e6});
    v(weight_std, "weight_std",
      "standard deviation of the initial weights, times the root of the number of inputs", Range{0, 1e6});
  }
  /// Index of the stream of the weights: as a layer counts them, by slot.
  uint64_t draws_from() const { return static_cast<uint64_t>(slot_); }
  void draw(Tensor W, double mean, double std, Rng rng) const {
    const torch::NoGradGuard no_grad;
    const double unit = 1 / peak(), inputs = static_cast<double>(W.size(1));
    const Tensor drawn = torch::empty(W.sizes(), torch::kDouble);
    auto* value = drawn.data_ptr<double>();
    for (int64_t i = 0; i < drawn.numel(); ++i)
      value[i] = unit * (mean / inputs + std / std::sqrt(inputs) * rng.normal());
    W.copy_(drawn);
  }
  /// What a pass keeps, with its input and weights.
  template <class Call, class Params>
  c10::intrusive_ptr<Call> begin_call(const Signal& x, const Params& p) const {
    auto call = c10::make_intrusive<Call>();
    call->p = p;
    call->in = arrivals(x, part_name());
    call->in.time = call->in.time.detach();
    call->W = W_.detach();
    return call;
  }
  /// Leads back to the times that arrive; a tensor without gradient if they are of steps.
  template <class Call>
  static Tensor edge_of(const Signal& x, const Call& call) {
    return x.has_times() ? x.edge() : call.in.time;
  }

  Shape in_;
  Tensor W_;
};

/// With exponential synaptic current.
struct EventStage : EventFullyConnected {
  cpu::EventLifParams p;

  template <class V>
  void visit(V& v) {
    visit_number(v);
    v(p.tau_m, "tau_m", "time constant of the membrane, steps", Range{1e-3, 1e9});
    v(p.tau_s, "tau_s", "time constant of the synaptic current, steps", Range{1e-3, 1e9});
    visit_weights(v);
  }

 protected:
  double peak() const override { return cpu::event_peak(p); }
  EventCallP call(const Signal& x) const { return begin_call<EventCall>(x, p); }
};

}  // namespace spiketrain
