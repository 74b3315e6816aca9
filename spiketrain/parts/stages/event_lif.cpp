// Leaky integrate-and-fire neurons with exponential synaptic current, fully connected, in continuous time: spike times
// in, spike times out, found exactly; the way back is their exact adjoint, EventProp.
//   tau_m V' = -V + I,  tau_s I' = -I;  a spike arrives: I += W;  V reaches the threshold: spike, V <- 0
// A spike of a signal by steps arrives at the beginning of its step.  The rule of the recipe has no part in it: credit
// in time is in the adjoint.  Silent neurons get no gradient.
// Source: Wunderlich & Pehle 2021.  Equations and what is kept: kernels/event_lif/event_lif.h.
// Tests: grad/event_prop_test.cpp, engine/event_network_test.cpp, golden/event_prop_test.cpp.
#include "spiketrain/parts/stages/event_stage.h"

namespace spiketrain {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Times that arrive, W and, if there is one, V -> times that leave.
struct FireAtTimes : torch::autograd::Function<FireAtTimes> {
  static Tensor forward(AutogradContext* ctx, const Tensor& arrivals, at::TensorList weights,
                        EventCallP call) {
    ctx->saved_data["pull"] = arrivals.requires_grad();
    ctx->saved_data["weights"] = static_cast<int64_t>(weights.size());
    Tensor times = call->out.sent.time.alias();
    ctx->saved_data["held"] = c10::IValue::make_capsule(std::move(call));
    return times;
  }
  static variable_list backward(AutogradContext* ctx, variable_list g) {
    const EventCallP call = held_call<EventCall>(ctx);
    ops::EventCredit credit = ops::event_lif_backward(call->p, call->in, call->W, call->V, call->out, g[0],
                                                      ctx->saved_data["pull"].toBool());
    variable_list grads = {credit.time, credit.in};
    if (ctx->saved_data["weights"].toInt() == 2) grads.push_back(credit.recurrent);
    grads.emplace_back();
    return grads;
  }
};

struct EventLif final : EventStage {
  static constexpr const char* kDoc = "event-driven leaky integrate-and-fire layer, exact spike times";
  bool recurrent = false;
  double recurrent_std = 0.5;
  EventLif() {
    weight_mean = 4;
    weight_std = 3;
  }
  template <class V>
  void visit(V& v) {
    EventStage::visit(v);
    v(p.threshold, "threshold", "firing threshold", Range{1e-6, 1e6});
    v(recurrent, "recurrent", "the layer reads its own spikes, too");
    v(recurrent_std, "recurrent_std",
      "standard deviation of the initial recurrent weights, as weight_std; their mean is 0", Range{0, 1e6});
    v(p.min_slope, "min_slope",
      "lower bound of the slope (current - threshold) that the gradient divides by at a spike, relative to the threshold; 0: no bound. It keeps spikes that barely reach the threshold from dominating",
      Range{0, 1e6});
    v(p.max_spikes, "max_spikes", "more spikes of a sample than this times the neurons are an error",
      Range{1, 1e9});
  }

  Shape build(const std::vector<Shape>& inputs) override {
    const Shape out = EventStage::build(inputs);
    if (recurrent) V_ = register_parameter("recurrent_weight", torch::zeros({features, features}));
    return out;
  }
  void initialise(uint64_t seed) override {
    EventStage::initialise(seed);
    if (recurrent) draw(V_, 0, recurrent_std, Rng(seed, Purpose::init, draws_from(), 1));
  }
  bool sends_times() const override { return true; }
  std::string notation() const override { return EventStage::notation() + (recurrent ? "R" : ""); }

  Signal forward(const std::vector<Signal>& in, const Context& context, Carry& /*carry*/) override {
    EventCallP call = this->call(in[0]);
    if (recurrent) call->V = V_.detach();
    call->out = ops::event_lif_forward(call->p, call->in, call->W, call->V);
    SpikeTimes sent = call->out.sent;
    if (context.tally && context.mode != Mode::replay)
      context.tally->add(slot_, sent.time.numel(), sent.steps * sent.batch() * features);
    std::vector<Tensor> weights = {W_};
    if (recurrent) weights.push_back(V_);
    if (at::GradMode::is_enabled())
      sent.time = FireAtTimes::apply(edge_of(in[0], *call), at::TensorList(weights), call);
    return Signal::times(std::move(sent));
  }

  std::vector<StageInfo> describe() const override {
    std::vector<StageInfo> rows = EventStage::describe();
    rows[0].kind = recurrent ? "event-driven, recurrent" : "event-driven";
    rows[0].neurons = features;
    rows[0].values = Values::binary;
    return rows;
  }

 private:
  Tensor V_;
};
ST_REGISTER(Stage, "event_lif", EventLif);

}  // namespace
}  // namespace spiketrain
