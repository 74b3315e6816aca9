// What stages of neurons with the rectified linear PSP share: weights, their first values, and where the input comes from.
#pragma once
#include <ATen/core/ivalue.h>

#include <cmath>

#include "spiketrain/base/rng.h"
#include "spiketrain/ops/event_relpsp.h"
#include "spiketrain/parts/stages/event_stage.h"

namespace spiketrain {

/// What a pass keeps for its way back.
struct RelpspCall : torch::CustomClassHolder {
  cpu::RelpspParams p;
  cpu::RelpspMap map;
  SpikeTimes in;
  Tensor W;
  ops::RelpspSpikes out;
  Tensor g_silent;  ///< [B, neurons] added to dL/dV of silent neurons; undefined: nothing
};
using RelpspCallP = c10::intrusive_ptr<RelpspCall>;

inline RelpspCallP held_relpsp_call(torch::autograd::AutogradContext* ctx) {
  ST_CHECK(!at::GradMode::is_enabled(),
           "spiketrain layers have first derivatives only: create_graph must be false");
  return c10::static_intrusive_pointer_cast<RelpspCall>(ctx->saved_data["held"].toCapsule());
}

struct RelpspStage : Stage {
  double threshold = 1, weight_mean = 0.25, weight_std = 0.05;

  template <class V>
  void visit(V& v) {
    v(weight_mean, "weight_mean",
      "mean of the initial weights, times the number of inputs: slope of the membrane once every input has spiked, in thresholds per step",
      Range{-1e6, 1e6});
    v(weight_std, "weight_std",
      "standard deviation of the initial weights, times the root of the number of inputs, in thresholds per step",
      Range{0, 1e6});
  }

  void initialise(uint64_t seed) override {
    Rng rng(seed, Purpose::init, static_cast<uint64_t>(slot_));
    const torch::NoGradGuard no_grad;
    const auto inputs = static_cast<double>(W_.numel() / W_.size(0));
    const Tensor drawn = torch::empty(W_.sizes(), torch::kDouble);
    auto* value = drawn.data_ptr<double>();
    for (int64_t i = 0; i < drawn.numel(); ++i)
      value[i] = threshold * (weight_mean / inputs + weight_std / std::sqrt(inputs) * rng.normal());
    W_.copy_(drawn);
  }
  bool whole_sequence() const override { return true; }
  bool takes_times() const override { return true; }

 protected:
  RelpspCallP call(const Signal& x) const {
    auto call = c10::make_intrusive<RelpspCall>();
    call->map = map_;
    call->in = arrivals(x, part_name());
    call->in.time = call->in.time.detach();
    call->W = W_.detach();
    call->p.threshold = threshold;
    call->p.end = static_cast<double>(call->in.steps);
    return call;
  }
  /// Leads back to the times that arrive; a tensor without gradient if they are of steps.
  static Tensor edge_of(const Signal& x, const RelpspCall& call) {
    return x.has_times() ? x.edge() : call.in.time;
  }
  StageInfo info(const char* kind) const {
    StageInfo row;
    row.spec = notation();
    row.kind = kind;
    row.slot = slot_;
    row.parameters = W_.numel();
    return row;
  }

  cpu::RelpspMap map_;
  Tensor W_;
};

}  // namespace spiketrain
