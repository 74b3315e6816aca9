// Readout of event-driven layers: fully connected neurons without threshold, whose membrane leaves as its integral over
// each step, exact between events.
//   tau_m V' = -V + I,  tau_s I' = -I;  a spike arrives: I += W;   a[t] = integral of V over [t, t + 1)
// The mean of a over the steps is the integral of the membrane over the sequence, divided by its length: rate_ce on it
// is the cross-entropy on the voltage integral, mse its squared error.
// Source: Wunderlich & Pehle 2021.  Deviation: the integral is divided by the number of steps.
// Tests: grad/event_prop_test.cpp, engine/event_network_test.cpp.
#include "spiketrain/parts/stages/event_stage.h"

namespace spiketrain {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct Integrate : torch::autograd::Function<Integrate> {
  static Tensor forward(AutogradContext* ctx, const Tensor& arrivals, const Tensor& /*W*/, EventCallP call) {
    ctx->saved_data["pull"] = arrivals.requires_grad();
    Tensor a = ops::event_membrane_forward(call->p, call->in, call->W);
    ctx->saved_data["held"] = c10::IValue::make_capsule(std::move(call));
    return a;
  }
  static variable_list backward(AutogradContext* ctx, variable_list g) {
    const EventCallP call = held_call<EventCall>(ctx);
    ops::EventCredit credit =
        ops::event_membrane_backward(call->p, call->in, call->W, g[0], ctx->saved_data["pull"].toBool());
    return {credit.time, credit.in, Tensor()};
  }
};

struct EventMembrane final : EventStage {
  static constexpr const char* kDoc = "event-driven readout: the membrane of neurons without threshold";
  template <class V>
  void visit(V& v) {
    EventStage::visit(v);
  }
  Signal forward(const std::vector<Signal>& in, const Context& /*context*/, Carry& /*carry*/) override {
    EventCallP call = this->call(in[0]);
    const Tensor edge = edge_of(in[0], *call);
    return Signal::dense(Integrate::apply(edge, W_, std::move(call)));
  }
  std::vector<StageInfo> describe() const override {
    std::vector<StageInfo> rows = EventStage::describe();
    rows[0].kind = "event-driven readout";
    return rows;
  }
};
ST_REGISTER(Stage, "event_membrane", EventMembrane);

}  // namespace
}  // namespace spiketrain
