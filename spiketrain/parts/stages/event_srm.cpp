// Spike-response neurons, fully connected, in continuous time, each of which may spike several times: spike times in, spike times
// out, found exactly; the way back is the exact gradient of all spike times, multi-spike SpikeProp.
//   u(t) = sum W eps(t - t_i) + sum over own earlier spikes of eta(t - t_g);   u reaches the threshold from below: spike
//   eps(s) = (s/tau_s) e^(1 - s/tau_s),   eta(s) = -weight_refractory e^(-s/tau_refractory)
// `feedback`: whether the gradient includes how earlier spikes act on later ones through eta.  A spike of a signal by steps arrives at
// the beginning of its step.  The rule of the recipe has no part in it.  Silent neurons get no gradient.
// Source: our own reconstruction from equations of SpikeProp (Bohte, Kok, La Poutre 2002).  Equations and what is kept:
// kernels/event_srm/event_srm.h.
// Tests: grad/multispike_test.cpp, engine/event_srm_network_test.cpp, golden/multispike_test.cpp.
#include "spiketrain/ops/event_srm.h"

#include "spiketrain/parts/stages/event_stage.h"

namespace spiketrain {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// What a pass keeps for its way back.
struct SrmCall : torch::CustomClassHolder {
  cpu::EventSrmParams p;
  SpikeTimes in;
  Tensor W;
  ops::SrmSpikes out;
};
using SrmCallP = c10::intrusive_ptr<SrmCall>;

/// Times that arrive, W -> times that leave.
struct FireResponses : torch::autograd::Function<FireResponses> {
  static Tensor forward(AutogradContext* ctx, const Tensor& arrivals, const Tensor& /*W*/, SrmCallP call) {
    ctx->saved_data["pull"] = arrivals.requires_grad();
    Tensor times = call->out.sent.time.alias();
    ctx->saved_data["held"] = c10::IValue::make_capsule(std::move(call));
    return times;
  }
  static variable_list backward(AutogradContext* ctx, variable_list g) {
    const SrmCallP call = held_call<SrmCall>(ctx);
    ops::EventCredit credit = ops::event_srm_backward(call->p, call->in, call->W, call->out, g[0],
                                                      ctx->saved_data["pull"].toBool());
    return {credit.time, credit.in, Tensor()};
  }
};

struct EventSrm final : EventFullyConnected {
  static constexpr const char* kDoc =
      "event-driven spike-response layer with refractoriness, exact times of several spikes per neuron";
  cpu::EventSrmParams p;
  EventSrm() {
    weight_mean = 2;
    weight_std = 1;
  }
  template <class V>
  void visit(V& v) {
    visit_number(v);
    v(p.tau_s, "tau_s", "time constant of the response to a spike, which is greatest after it, steps",
      Range{1e-3, 1e9});
    v(p.tau_refractory, "tau_refractory", "time constant of the refractory response to a neuron's own spike",
      Range{1e-3, 1e9});
    v(p.weight_refractory, "weight_refractory",
      "size of the refractory response, by which the membrane falls at a spike", Range{1e-6, 1e9});
    v(p.threshold, "threshold", "firing threshold", Range{1e-6, 1e6});
    v(p.feedback, "feedback",
      "the gradient includes how earlier spikes of a neuron delay its later ones; false: it leaves that out");
    visit_weights(v);
    v(p.min_slope, "min_slope",
      "lower bound of the slope of the membrane that the gradient divides by at a spike, relative to threshold/tau_s; 0: no bound",
      Range{0, 1e6});
    v(p.max_spikes, "max_spikes", "more spikes of a sample than this times the neurons are an error",
      Range{1, 1e9});
  }
  bool sends_times() const override { return true; }

  Signal forward(const std::vector<Signal>& in, const Context& context, Carry& /*carry*/) override {
    SrmCallP call = begin_call<SrmCall>(in[0], p);
    call->out = ops::event_srm_forward(call->p, call->in, call->W);
    SpikeTimes sent = call->out.sent;
    if (context.tally && context.mode != Mode::replay)
      context.tally->add(slot_, sent.time.numel(), sent.steps * sent.batch() * features);
    if (at::GradMode::is_enabled()) {
      const Tensor edge = edge_of(in[0], *call);
      sent.time = FireResponses::apply(edge, W_, std::move(call));
    }
    return Signal::times(std::move(sent));
  }

  std::vector<StageInfo> describe() const override {
    std::vector<StageInfo> rows = EventFullyConnected::describe();
    rows[0].kind = "event-driven";
    rows[0].neurons = features;
    rows[0].values = Values::binary;
    return rows;
  }

 protected:
  double peak() const override { return 1; }
};
ST_REGISTER(Stage, "event_srm", EventSrm);

}  // namespace
}  // namespace spiketrain
