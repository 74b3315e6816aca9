// Readout of event-driven layers: fully connected neurons with the rectified linear PSP and no threshold; what is read is their
// membrane at one time, the same at every step.
//   a[t] = V_j(read_at*T),  V_j(t) = sum_i w_ij max(t - t_i, 0),  T the number of steps
// read_at = 2 behind layers whose threshold falls: their own window ends there.
// Source: public code for Wei et al. 2023.  Deviation: none.  Tests: golden/relpsp_test.cpp, grad/relpsp_test.cpp.
#include <limits>

#include "spiketrain/ops/one_thread.h"
#include "spiketrain/parts/stages/event_relpsp.h"

namespace spiketrain {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct ReadMembrane : torch::autograd::Function<ReadMembrane> {
  static Tensor forward(AutogradContext* ctx, const Tensor& arrivals, const Tensor& /*W*/, RelpspCallP call) {
    ctx->saved_data["pull"] = arrivals.requires_grad();
    const Tensor V = call->out.membrane.to(call->W.scalar_type());
    const int64_t steps = call->in.steps;
    ctx->saved_data["held"] = c10::IValue::make_capsule(std::move(call));
    return V.unsqueeze(0).expand({steps, V.size(0), V.size(1)});
  }
  static variable_list backward(AutogradContext* ctx, variable_list g) {
    const ops::OneThread one_thread;  // the sum has the same bits on any number of threads
    const RelpspCallP call = held_relpsp_call(ctx);
    ops::RelpspCredit credit =
        ops::event_relpsp_backward(call->p, call->map, call->in, call->W, call->out,
                                   {{}, g[0].to(torch::kDouble).sum(0)}, ctx->saved_data["pull"].toBool());
    return {credit.time, credit.weight, Tensor()};
  }
};

struct EventRelpspMembrane final : RelpspStage {
  static constexpr const char* kDoc =
      "event-driven readout: the membrane of neurons with the rectified linear PSP and no threshold";
  int64_t features = 10;
  double read_at = 1;
  EventRelpspMembrane() { weight_mean = 0; }
  template <class V>
  void visit(V& v) {
    v(features, "features", "number of neurons", Range{1, 1 << 24});
    v(read_at, "read_at", "time at which the membrane is read, in lengths of the sequence", Range{1e-3, 1e3});
    RelpspStage::visit(v);
  }
  Shape build(const std::vector<Shape>& inputs) override {
    map_.channels = numel(one_input(inputs, "event_relpsp_membrane"));
    map_.maps = features;
    W_ = register_parameter("weight", torch::zeros({features, map_.channels}));
    return {features};
  }
  std::string notation() const override { return std::to_string(features); }

  Signal forward(const std::vector<Signal>& in, const Context& /*context*/, Carry& /*carry*/) override {
    RelpspCallP call = this->call(in[0]);
    call->p.threshold = std::numeric_limits<double>::infinity();
    call->p.end *= read_at;
    call->out = ops::event_relpsp_forward(call->p, call->map, call->in, call->W);
    const Tensor edge = edge_of(in[0], *call);
    return Signal::dense(ReadMembrane::apply(edge, W_, std::move(call)));
  }
  std::vector<StageInfo> describe() const override {
    StageInfo row = info("ReL-PSP readout");
    row.out = {features};
    return {row};
  }
};
ST_REGISTER(Stage, "event_relpsp_membrane", EventRelpspMembrane);

}  // namespace
}  // namespace spiketrain
